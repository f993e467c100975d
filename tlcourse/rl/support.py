"""What the learners share: reproducible runs on one thread, a check of the environment, the evaluation of a policy."""

import contextlib
from collections.abc import Callable, Iterator

import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv


@contextlib.contextmanager
def reproducible(seed: int) -> Iterator[None]:
    """Inside, torch draws from this seed and computes on one thread: the networks are so small that more threads would
    be slower. Afterwards the generator and the threads are as they were."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng([]):
            torch.default_generator.manual_seed(seed)  # torch.manual_seed would reseed the accelerators, too
            yield
    finally:
        torch.set_num_threads(threads)


def check_same_step(env: VectorEnv) -> None:
    """Refuse what is no vector environment, or one that spends a step on beginning a new episode or leaves that to its
    user.

    Raises:
        ValueError: it is none, or its metadata do not promise SAME_STEP.
    """
    if not isinstance(env, VectorEnv):
        raise ValueError(f"{env} is no vector environment; make it with gymnasium.make_vec")
    if env.metadata.get("autoreset_mode") != AutoresetMode.SAME_STEP:
        raise ValueError(
            f"{env} does not begin new episodes in the step that ends the old; make it with autoreset_mode SAME_STEP"
        )


def evaluate_policy(
    act: Callable[[np.ndarray], np.ndarray], env: VectorEnv, episodes: int = 64, seed: int = 0
) -> np.ndarray:
    """Returns, sums of rewards without discount, (episodes,): of the first episodes of each instance, instance by
    instance. A quick failure so does not count more than a long success. It runs until all these episodes have ended.

    Args:
        act: observations (n, …) to actions (n, …).
        seed: of the environment; take another one than in training, or the first episodes are the same.

    Raises:
        ValueError: episodes is below 1, or the environment does not begin new episodes in the same step.
    """
    check_same_step(env)
    if episodes < 1:
        raise ValueError(f"episodes is {episodes}; give 1 or more")
    n = env.num_envs
    wanted = np.array([len(part) for part in np.array_split(np.arange(episodes), n)])
    returns, done = np.zeros((n, wanted.max())), np.zeros(n, int)
    observations, _ = env.reset(seed=seed)
    while (going := done < wanted).any():
        observations, rewards, terminations, truncations, _ = env.step(act(observations))
        returns[going, done[going]] += rewards[going]
        done += going & (terminations | truncations)
    return np.concatenate([returns[i, : wanted[i]] for i in range(n)])
