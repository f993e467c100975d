"""DARLA: first learn to see, then to act, then meet another world without further training.

Higgins et al. 2017, arXiv 1707.08475: «disentangled representation learning agent». Its three steps are three
functions here: `see`, `act` and `transfer`. The vision is a beta-VAE of unlabelled pictures that show every factor in
all its values; it is frozen while the agent learns to act on what it says.
"""

import json
from pathlib import Path

import numpy as np
import torch
from gymnasium.spaces import Box
from gymnasium.vector import VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space
from torch import Tensor, nn

from .beta_vae import BetaVAE, Perception, train_beta_vae
from .rl.dqn import train_dqn
from .rl.q_networks import QNetwork, mlp_trunk
from .rl.support import check_same_step, evaluate_policy
from .runtime import replacing

FORMAT = "tlcourse Vision 1"


class Vision(nn.Module):
    """The frozen eyes of an agent: the means of a VAE's latent variables, standardized.

        s = (mu(x) - m) / (d + 0.05),   m and d the mean and standard deviation of mu over the pictures it is given

    The 0.05 keeps latent variables that say nothing (d near 0) from being blown up to noise.

    Args:
        vae: a trained one. It is put into evaluation mode and its weights are frozen.
        images: (N, C, H, W) to standardize by, 2 or more.

    Raises:
        ValueError: there are fewer images.
    """

    def __init__(self, vae: BetaVAE, images: Tensor):
        super().__init__()
        if len(images) < 2:
            raise ValueError(f"there are {len(images)} images; give 2 or more, or they have no spread")
        self.vae = vae.requires_grad_(False)
        self.vae.zero_grad()  # frees what training has left
        with torch.no_grad():
            means, _ = vae.encode(images)
        self.register_buffer("mean", means.mean(0))
        self.register_buffer("scale", means.std(0) + 0.05)
        self.eval()

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """What it makes of images (B, C, H, W): latent variables (B, Z)."""
        return (self.vae.encode(images)[0] - self.mean) / self.scale

    @torch.no_grad()
    def imagine(self, latents: Tensor) -> Tensor:
        """The images (B, C, H, W) that latent variables (B, Z) stand for, floats in [0, 1]."""
        return self.vae.decode(latents * self.scale + self.mean)

    def train(self, mode: bool = True) -> "Vision":
        """Stays in evaluation mode, whatever its owner asks for."""
        return super().train(False)


class Latents(VectorWrapper):
    """An environment whose observations are what a vision makes of the pictures: (n, Z) instead of (n, C, H, W)."""

    def __init__(self, env: VectorEnv, vision: Vision):
        check_same_step(env)
        if env.single_observation_space.shape != vision.vae.shape:
            raise ValueError(
                f"the environment shows {env.single_observation_space.shape}, the vision sees {vision.vae.shape}; "
                "train it on pictures of this environment"
            )
        super().__init__(env)
        self.vision = vision
        self.single_observation_space = Box(-np.inf, np.inf, (vision.vae.latents,), np.float32)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[np.ndarray, dict]:
        images, infos = self.env.reset(seed=seed, options=options)
        return self._seen(images), infos

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict]:
        images, rewards, terminations, truncations, infos = self.env.step(actions)
        if (ended := infos.get("_final_obs", np.zeros(0, bool))).any():
            final = np.zeros(self.observation_space.shape, np.float32)
            final[ended] = self._seen(np.stack(infos["final_obs"][ended]))
            infos = infos | {"final_obs": final}
        return self._seen(images), rewards, terminations, truncations, infos

    def _seen(self, images: np.ndarray) -> np.ndarray:
        return self.vision(torch.from_numpy(images).to(self.vision.mean.device)).cpu().numpy()


def see(
    images: Tensor,
    *,
    beta: float,
    latents: int = 6,
    steps: int = 10_000,
    seed: int = 0,
    variance: float = 0.02,
    perceive: Perception | None = None,
    progress: bool = True,
) -> Vision:
    """Step 1: train a beta-VAE on unlabelled pictures (N, C, H, W), and freeze it. See `beta_vae.train_beta_vae`."""
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(seed)
        vae = BetaVAE(tuple(images.shape[1:]), latents).to(images.device)
    settings = dict(steps=steps, seed=seed, variance=variance, perceive=perceive, progress=progress)
    train_beta_vae(vae, images, beta=beta, **settings)
    return Vision(vae, images)


def act(
    vision: Vision,
    source: VectorEnv,
    *,
    updates: int = 3_000,
    seed: int = 0,
    hidden: tuple[int, ...] = (64, 64),
    progress: bool = True,
) -> QNetwork:
    """Step 2: learn to act in the source domain by DQN on what the frozen vision says. Other learners do as well: give
    them `Latents(source, vision)`."""
    env = Latents(source, vision)
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(seed)
        network = QNetwork(mlp_trunk(env.single_observation_space, hidden), int(env.single_action_space.n))
    train_dqn(env, network, updates=updates, seed=seed, buffer_size=20_000, progress=progress)
    return network


def transfer(network: QNetwork, vision: Vision, target: VectorEnv, episodes: int = 256, seed: int = 0) -> np.ndarray:
    """Step 3: the returns (episodes,) in the target domain, with eyes and hands as they are (zero-shot)."""
    return evaluate_policy(network.act, Latents(target, vision), episodes, seed)


def save_vision(vision: Vision, file: str | Path, **notes: str | int | float) -> None:
    """Write a vision, whole or not at all, as safetensors. Notes, such as seed and beta, are kept beside it."""
    from safetensors.torch import save_file

    layers = {"shape": vision.vae.shape, "latents": vision.vae.latents, "units": vision.vae.units}
    with replacing(file) as unfinished:
        metadata = {"format": FORMAT, "layers": json.dumps(layers), "notes": json.dumps(notes)}
        save_file(vision.state_dict(), unfinished, metadata)


def load_vision(file: str | Path) -> Vision:
    """The vision that `save_vision` wrote; its notes are in the attribute `notes`, a dict.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or holds something else.
    """
    from safetensors import SafetensorError, safe_open

    if not Path(file).is_file():
        raise FileNotFoundError(f"there is no file {file}; write one by save_vision")
    try:
        with safe_open(file, "pt") as stream:
            metadata = stream.metadata() or {}
            state = {name: stream.get_tensor(name) for name in stream.keys()}
        if metadata.get("format") != FORMAT:
            raise ValueError(f"its format is {metadata.get('format')!r}, not {FORMAT!r}")
        layers = json.loads(metadata["layers"])
        with torch.random.fork_rng([]):  # the weights drawn here are replaced at once
            vae = BetaVAE(tuple(layers["shape"]), layers["latents"], layers["units"])
        vision = Vision(vae, torch.zeros(2, *vae.shape))
        vision.load_state_dict(state)
        vision.notes = json.loads(metadata["notes"])
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise ValueError(f"{file} is not a vision of save_vision, or damaged: {error}") from error
    return vision
