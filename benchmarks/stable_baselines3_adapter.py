"""What the benchmarks against stable-baselines3 share: environments of the course as it wants them."""

import numpy as np
from gymnasium.spaces import Space
from gymnasium.vector import VectorEnv
from stable_baselines3.common.vec_env import VecEnv


class Adapter(VecEnv):
    """An environment of the course, which begins new episodes in the step that ends the old, as a VecEnv.

    Args:
        env: the environment.
        action_space: what the agent chooses from, where that is another one; override `translate` then.
    """

    def __init__(self, env: VectorEnv, action_space: Space | None = None):
        self.env = env
        super().__init__(env.num_envs, env.single_observation_space, action_space or env.single_action_space)

    def translate(self, actions: np.ndarray) -> np.ndarray:
        """The environment's actions of the agent's."""
        return actions

    def reset(self):
        return self.env.reset(seed=self._seeds[0])[0]

    def step_async(self, actions):
        self.actions = self.translate(actions)

    def step_wait(self):
        observations, rewards, terminations, truncations, infos = self.env.step(self.actions)
        ended = terminations | truncations
        told = [{} for _ in ended]
        for i in np.flatnonzero(ended):
            told[i] = {"terminal_observation": infos["final_obs"][i], "TimeLimit.truncated": bool(truncations[i])}
        return observations, rewards, ended, told

    def close(self):
        self.env.close()

    def get_attr(self, attr_name, indices=None):
        return [getattr(self, attr_name, None)] * self.num_envs

    def set_attr(self, attr_name, value, indices=None):
        setattr(self, attr_name, value)

    def env_method(self, method_name, *args, indices=None, **kwargs):
        raise NotImplementedError(method_name)

    def env_is_wrapped(self, wrapper_class, indices=None):
        return [False] * self.num_envs
