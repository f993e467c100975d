"""The policy and value networks that the learners train, and how they are saved and loaded."""

import json
import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..runtime import replacing

FORMAT = "tlcourse ActorCritic 1"


class ActorCritic(nn.Module):
    """A Gaussian policy and a value function, two small networks; observations are normalized by running statistics.

        pi(a|s) = N(a; mu(x), diag(sigma²)),   V(s) = v(x),   x = (s - mean) / standard deviation

    Its actions are in units of the action space: -1 is the lowest, 1 the highest value. The `state_dict` has all that
    it needs to act.

    Args:
        observation_dim: numbers in an observation, d.
        low, high: bounds of the actions, (a,).
        hidden: units in each of the two hidden layers.
    """

    def __init__(self, observation_dim: int, low: Tensor, high: Tensor, hidden: int = 32):
        super().__init__()
        self.hidden = hidden
        self.actor = _network(observation_dim, hidden, len(low))
        self.critic = _network(observation_dim, hidden, 1)
        with torch.no_grad():
            self.actor[-1].weight.mul_(0.01)  # at first, the action hardly depends on the state
            self.actor[-1].bias.zero_()
        self.log_std = nn.Parameter(torch.full((len(low),), -0.5))
        self.register_buffer("low", low.float())
        self.register_buffer("high", high.float())
        self.register_buffer("mean", torch.zeros(observation_dim))
        self.register_buffer("variance", torch.ones(observation_dim))
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))

    @torch.no_grad()
    def act(self, observations: np.ndarray) -> np.ndarray:
        """The most likely actions, within their bounds: (n, d) to (n, a)."""
        return self.to_bounds(self.actor(self.normalize(observations))).numpy()

    def normalize(self, observations: np.ndarray) -> Tensor:
        """Observations (…, d) in units of their standard deviation, cut off at 8."""
        x = torch.as_tensor(observations, dtype=torch.float32)
        return ((x - self.mean) / (self.variance + 1e-6).sqrt()).clamp(-8, 8)

    def to_bounds(self, actions: Tensor) -> Tensor:
        """Actions (…, a) from [-1, 1] to [low, high]; what lies outside is clipped."""
        return self.low + (actions.clamp(-1, 1) + 1) / 2 * (self.high - self.low)

    def log_prob(self, x: Tensor, actions: Tensor) -> Tensor:
        """log pi(a|s), (…), of normalized observations (…, d) and actions (…, a), before they are clipped."""
        z = (actions - self.actor(x)) / self.log_std.exp()
        return (-0.5 * z**2 - self.log_std - 0.5 * math.log(2 * math.pi)).sum(-1)

    def value(self, x: Tensor) -> Tensor:
        """V(s), (…), of normalized observations (…, d)."""
        return self.critic(x).squeeze(-1)

    def watch(self, observations: np.ndarray) -> None:
        """Take observations (n, d) into the running mean and variance."""
        new = torch.as_tensor(observations, dtype=torch.float64)
        total, shift = self.count + len(new), new.mean(0) - self.mean
        squares = self.variance * self.count + new.var(0, unbiased=False) * len(new)
        self.variance.copy_((squares + shift**2 * self.count * len(new) / total) / total)
        self.mean += shift * len(new) / total
        self.count.copy_(total)


def save_policy(policy: ActorCritic, file: str | Path, **notes: str | int | float) -> None:
    """Write a policy, whole or not at all, as safetensors. Notes, such as seed and return, are kept beside it."""
    from safetensors.torch import save_file

    metadata = {"format": FORMAT, "hidden": str(policy.hidden), "notes": json.dumps(notes)}
    with replacing(file) as unfinished:
        save_file(policy.state_dict(), unfinished, metadata)


def load_policy(file: str | Path) -> ActorCritic:
    """The policy that `save_policy` wrote; its notes are in the attribute `notes`, a dict.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or no policy.
    """
    from safetensors import SafetensorError, safe_open

    if not Path(file).is_file():
        raise FileNotFoundError(f"there is no file {file}; write one by save_policy")
    try:
        with safe_open(file, "pt") as stream:
            metadata = stream.metadata() or {}
            state = {name: stream.get_tensor(name) for name in stream.keys()}
        if metadata.get("format") != FORMAT:
            raise ValueError(f"its format is {metadata.get('format')!r}, not {FORMAT!r}")
        policy = ActorCritic(len(state["mean"]), state["low"], state["high"], int(metadata["hidden"]))
        policy.load_state_dict(state)
        policy.notes = json.loads(metadata["notes"])
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise ValueError(f"{file} is not a policy of save_policy, or damaged: {error}") from error
    return policy


def _network(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh(), nn.Linear(hidden, outputs)
    )
