"""What robots do when they move at random, as tasks for a model of their dynamics."""

from dataclasses import dataclass

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from torch import Tensor


def babble(env: VectorEnv, steps: int, *, seed: int, smoothness: float = 0.8) -> tuple[np.ndarray, np.ndarray]:
    """Let each robot move at random, but smoothly: motor babbling.

        z_t = s z_{t-1} + sqrt(1 - s²) noise,   s the smoothness, noise standard normal

    An action is z_t, scaled so that one standard deviation is half of the action space's width, and clipped to it.

    Args:
        env: a robot of this package; actions are the same whatever its physics.
        steps: how many actions, no more than an episode has.
        seed: of the actions and of how the episodes begin.

    Returns:
        observations (n, steps + 1, d) and actions (n, steps, a).

    Raises:
        ValueError: no steps, a smoothness outside of [0, 1), or an episode that is over too soon.
    """
    if steps < 1 or not 0 <= smoothness < 1:
        raise ValueError(
            f"steps is {steps} and smoothness {smoothness}; give 1 or more, and a number from 0 to below 1"
        )
    rng = np.random.default_rng(seed)
    low, high = env.action_space.low, env.action_space.high
    z = rng.standard_normal(env.action_space.shape)
    observations, actions = [env.reset(seed=seed)[0]], []
    for step in range(steps):
        z = smoothness * z + np.sqrt(1 - smoothness**2) * rng.standard_normal(z.shape)
        actions.append(np.clip((low + high) / 2 + z * (high - low) / 2, low, high))
        seen, _, terminations, truncations, infos = env.step(actions[-1])
        if (ended := terminations | truncations).any():
            if step + 1 < steps:
                raise ValueError(f"an episode is over after {step + 1} steps of {steps}; give a larger episode_steps")
            seen = np.where(ended[:, None], infos["final_obs"], seen)
        observations.append(seen)
    return np.stack(observations, 1), np.stack(actions, 1)


@dataclass(frozen=True)
class Transitions:
    """Transitions of n robots, as inputs and targets of a model of their dynamics.

    inputs: observation and action, (n, steps, d + a), float32, each number standardized.
    targets: the change of the observation, (n, steps, d), likewise.
    scale: means and standard deviations of both, so that other robots can be measured by the same.
    """

    inputs: Tensor
    targets: Tensor
    scale: tuple[np.ndarray, ...]

    @classmethod
    def of(
        cls, observations: np.ndarray, actions: np.ndarray, scale: tuple[np.ndarray, ...] | None = None
    ) -> "Transitions":
        """From what `babble` returns; standardized by `scale`, or else by their own mean and standard deviation.

        Raises:
            ValueError: without a scale, a number that is the same in all transitions.
        """
        inputs = np.concatenate([observations[:, :-1], actions], axis=2)
        targets = np.diff(observations, axis=1)
        if scale is None:
            for name, x in (("input", inputs), ("target", targets)):
                if len(constant := np.flatnonzero(np.ptp(x, axis=(0, 1)) == 0)):
                    raise ValueError(
                        f"{name} {constant[0]} never changes; standardizing needs a spread: leave that number out, or "
                        "let the robots move so that it changes"
                    )
            scale = tuple(f(x, axis=(0, 1)) for x in (inputs, targets) for f in (np.mean, np.std))
        standardized = [(inputs - scale[0]) / scale[1], (targets - scale[2]) / scale[3]]
        return cls(*(torch.from_numpy(x).float() for x in standardized), scale)

    def tasks(
        self, count: int, shots: int, query: int, *, generator: torch.Generator
    ) -> dict[str, tuple[Tensor, Tensor]]:
        """Draw robots and moments: `shots` transitions before the moment to adapt to, `query` after it to predict.

        Returns:
            {"train": (inputs (count, shots, d + a), targets (count, shots, d)), "query": …}.

        Raises:
            ValueError: a number below 1, or more transitions than a robot has.
        """
        robots, steps = self.inputs.shape[:2]
        if min(count, shots, query) < 1 or shots + query > steps:
            raise ValueError(
                f"count is {count}, shots {shots} and query {query}; give 1 or more of each, and {steps} transitions "
                "at most in a task"
            )
        chosen = torch.randint(robots, (count, 1), generator=generator)
        moments = torch.randint(steps - shots - query + 1, (count, 1), generator=generator) + torch.arange(
            shots + query
        )
        inputs, targets = (
            tensor[chosen, moments].split([shots, query], dim=1) for tensor in (self.inputs, self.targets)
        )
        return dict(zip(("train", "query"), zip(inputs, targets, strict=True), strict=True))
