"""What lies between a policy and its robot: actions that arrive late, and sensors that are noisy."""

from collections.abc import Sequence

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper

from .mujoco_batch import check_parameter, chosen_instances


class _Imperfection(VectorWrapper):
    """A wrapper with one parameter of its own, set by `set_physics` like those of the robot."""

    NAME: str

    def __init__(self, env: VectorEnv, value: float | np.ndarray):
        if env.metadata.get("autoreset_mode") != AutoresetMode.SAME_STEP:
            raise ValueError(f"{env} does not begin new episodes in the step that ends the old; give one that does")
        super().__init__(env)
        self._values = self._check(value, env.num_envs)

    @property
    def physics(self) -> dict[str, np.ndarray]:
        """All parameters and their values (n,). They are for reading; `set_physics` changes them."""
        return getattr(self.env, "physics", {}) | {self.NAME: self._values}

    def set_physics(self, where: Sequence | None = None, **values: float | np.ndarray) -> None:
        """As `BatchedMujoco.set_physics`."""
        chosen = chosen_instances(where, self.num_envs)
        own = {name: self._check(values.pop(name), len(chosen)) for name in [self.NAME] if name in values}
        if values:
            self.env.set_physics(where, **values)
        if own:
            self._values[chosen] = own[self.NAME]

    def _check(self, value: float | np.ndarray, k: int) -> np.ndarray:
        return check_parameter(self.NAME, value, k)


class Latency(_Imperfection):
    """Each action takes effect `steps` control steps late; until the first one arrives, the action is 0.

        applied action_t = action_(t - k),   k the instance's latency

    Args:
        steps: whole numbers from 0 to 100, one for all instances or one for each. The parameter is called `latency`.

    Raises:
        ValueError: steps are not such, or the environment does not begin new episodes in the same step.
    """

    NAME = "latency"

    def __init__(self, env: VectorEnv, steps: int | np.ndarray = 0):
        super().__init__(env, steps)
        self._sent = np.zeros((1 + self._values.max(), *env.action_space.shape))  # the newest first

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        self._sent[:] = 0
        return self.env.reset(seed=seed, options=options)

    def step(self, actions: np.ndarray):
        if (longest := self._values.max()) >= len(self._sent):
            more = np.zeros((1 + longest - len(self._sent), *self._sent.shape[1:]))
            self._sent = np.concatenate([self._sent, more])
        if np.shape(actions) != self.action_space.shape:
            raise ValueError(f"actions have shape {np.shape(actions)}; give {self.action_space.shape}")
        self._sent[1:] = self._sent[:-1]
        self._sent[0] = actions
        step = self.env.step(self._sent[self._values, np.arange(self.num_envs)])
        self._sent[:, step[2] | step[3]] = 0
        return step

    def _check(self, value: int | np.ndarray, k: int) -> np.ndarray:
        steps = check_parameter(self.NAME, value, k)
        if (steps != steps.round()).any() or steps.max(initial=0) > 100:
            raise ValueError(f"latency is {value}; give whole control steps, 0 to 100")
        return steps.astype(int)


class SensorNoise(_Imperfection):
    """Normal noise is added to every number of an observation.

    Args:
        std: its standard deviation, in the units of the observation: one for all instances or one for each.
            The parameter is called `sensor_noise`.
        seed: of the noise, until `reset` is given one.

    Raises:
        ValueError: std is negative, or the environment does not begin new episodes in the same step.
    """

    NAME = "sensor_noise"

    def __init__(self, env: VectorEnv, std: float | np.ndarray = 0.0, seed: int = 0):
        super().__init__(env, std)
        self._rng = np.random.default_rng(seed)

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        if seed is not None:
            self._rng = np.random.default_rng([seed, 1])  # not the stream from which the states are drawn
        observations, infos = self.env.reset(seed=seed, options=options)
        return self._noisy(observations), infos

    def step(self, actions: np.ndarray):
        observations, *rest, infos = self.env.step(actions)
        if "final_obs" in infos:
            ended = infos["_final_obs"]
            last = np.stack(infos["final_obs"][ended])
            infos = infos | {"final_obs": observations.copy()}
            infos["final_obs"][ended] = last + self._values[ended, None] * self._rng.standard_normal(last.shape)
        return self._noisy(observations), *rest, infos

    def _noisy(self, observations: np.ndarray) -> np.ndarray:
        return observations + self._values[:, None] * self._rng.standard_normal(observations.shape)
