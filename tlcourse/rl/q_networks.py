"""Networks that give the value of each action, Q(s, a): a trunk that all tasks share, and a head for each of them."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from gymnasium.spaces import Box
from torch import Tensor, nn

from ..runtime import replacing

FORMAT = "tlcourse QNetwork 1"


class ToUnit(nn.Module):
    """Observations (B, *shape) of any number type as floats, from [low, high] to [0, 1]. Numbers without finite bounds
    stay as they are."""

    def __init__(self, low: np.ndarray, high: np.ndarray):
        super().__init__()
        bounded = np.isfinite(low) & np.isfinite(high) & (low < high)
        span = np.subtract(high, low, where=bounded, out=np.ones(low.shape, np.float32), dtype=np.float32)
        self.register_buffer("low", torch.from_numpy(np.where(bounded, low, 0).astype(np.float32)))
        self.register_buffer("span", torch.from_numpy(span))

    def forward(self, observations: Tensor) -> Tensor:
        if observations.shape[1:] != self.low.shape:
            raise ValueError(f"observations have shape {tuple(observations.shape)}; give (B, {_sizes(self.low.shape)})")
        return (observations - self.low) / self.span


def mlp_trunk(space: Box, hidden: Sequence[int] = (128, 64)) -> nn.Sequential:
    """Observations (B, *space.shape) to features (B, hidden[-1]) by fully connected layers with ReLU."""
    if not len(hidden) or min(hidden) < 1:
        raise ValueError(f"hidden is {hidden}; give the units of one or more layers, 1 or more each")
    layers, inputs = [ToUnit(space.low, space.high), nn.Flatten()], int(np.prod(space.shape))
    for units in hidden:
        layers += [nn.Linear(inputs, units), nn.ReLU()]
        inputs = units
    return nn.Sequential(*layers)


def conv_trunk(space: Box, width: int = 64, channels: Sequence[int] = (16, 16)) -> nn.Sequential:
    """Images (B, C, H, W) to features (B, width) by 3×3 convolutions, the first of stride 1 and the others of 2."""
    if len(space.shape) != 3:
        raise ValueError(f"the observations {space} are no images; give a Box of shape (C, H, W), or take mlp_trunk")
    layers, inputs = [ToUnit(space.low, space.high)], space.shape[0]
    for i, maps in enumerate(channels):
        layers += [nn.Conv2d(inputs, maps, 3, stride=2 if i else 1, padding=1), nn.ReLU()]
        inputs = maps
    with torch.no_grad():
        flat = nn.Sequential(*layers, nn.Flatten())(torch.zeros(1, *space.shape)).shape[1]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(flat, width), nn.ReLU())


LAYERS = (nn.Sequential, ToUnit, nn.Flatten, nn.Linear, nn.ReLU)  # what an mlp_trunk is made of


class QNetwork(nn.Module):
    """Q(s, a) = w_a · f(s) + b_a: features f of the trunk, and one linear head (w, b) for each task.

    Args:
        trunk: observations (B, …) to features (B, width), as `mlp_trunk` and `conv_trunk` make it. How many features
            there are, its last linear layer says.
        actions: how many, A.
        heads: how many tasks share the trunk.
    """

    def __init__(self, trunk: nn.Module, actions: int, heads: int = 1):
        super().__init__()
        for name, value in dict(actions=actions, heads=heads).items():
            if value < 1:
                raise ValueError(f"{name} is {value}; give 1 or more")
        linear = [layer for layer in trunk.modules() if isinstance(layer, nn.Linear)]
        if not linear:
            raise ValueError("the trunk has no linear layer, which would say how many features there are")
        self.width = linear[-1].out_features
        self.trunk = trunk
        self.heads = nn.ModuleList(nn.Linear(self.width, int(actions)) for _ in range(heads))

    def features(self, observations: Tensor) -> Tensor:
        """f(s), (B, width), of observations (B, …)."""
        return self.trunk(observations)

    def forward(self, observations: Tensor, head: int = 0) -> Tensor:
        """Q(s, a) of one task, (B, A), of observations (B, …)."""
        return self.heads[head](self.features(observations))

    @torch.no_grad()
    def act(self, observations: np.ndarray, head: int = 0) -> np.ndarray:
        """The actions of the highest value: (n, …) to (n,)."""
        return self(torch.from_numpy(observations), head).argmax(1).numpy()


def save_q_network(network: QNetwork, file: str | Path, **notes: str | int | float) -> None:
    """Write a network on an `mlp_trunk`, whole or not at all, as safetensors. Notes, such as seed and return, are kept
    beside it.

    Raises:
        ValueError: the trunk is another one; its layers could not be made again from the file.
    """
    from safetensors.torch import save_file

    if strange := {type(layer).__name__ for layer in network.trunk.modules() if type(layer) not in LAYERS}:
        raise ValueError(f"the trunk has {', '.join(sorted(strange))}; only a network on an mlp_trunk can be saved")
    hidden = [layer.out_features for layer in network.trunk.modules() if isinstance(layer, nn.Linear)]
    layers = {"hidden": hidden, "actions": network.heads[0].out_features, "heads": len(network.heads)}
    with replacing(file) as unfinished:
        metadata = {"format": FORMAT, "layers": json.dumps(layers), "notes": json.dumps(notes)}
        save_file(network.state_dict(), unfinished, metadata)


def load_q_network(file: str | Path) -> QNetwork:
    """The network that `save_q_network` wrote; its notes are in the attribute `notes`, a dict.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or holds something else.
    """
    from safetensors import SafetensorError, safe_open

    if not Path(file).is_file():
        raise FileNotFoundError(f"there is no file {file}; write one by save_q_network")
    try:
        with safe_open(file, "pt") as stream:
            metadata = stream.metadata() or {}
            state = {name: stream.get_tensor(name) for name in stream.keys()}
        if metadata.get("format") != FORMAT:
            raise ValueError(f"its format is {metadata.get('format')!r}, not {FORMAT!r}")
        layers, low = json.loads(metadata["layers"]), state["trunk.0.low"].numpy()
        space = Box(low, low + state["trunk.0.span"].numpy())
        with torch.random.fork_rng([]):  # the weights drawn here are replaced at once
            network = QNetwork(mlp_trunk(space, layers["hidden"]), layers["actions"], layers["heads"])
        network.load_state_dict(state)
        network.notes = json.loads(metadata["notes"])
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise ValueError(f"{file} is not a network of save_q_network, or damaged: {error}") from error
    return network


def _sizes(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape))
