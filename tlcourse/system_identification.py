"""System identification: find the physics with which the simulator does what the real robot did.

A few trajectories of the real robot are recorded; candidates of its physics are simulated with the same actions, and
those that come closest are kept. It is a small relative of Chebotar et al. 2019, arXiv 1810.05687, who alternate: they
train a policy on a distribution of simulators, let it act on the robot, and move the whole distribution, by relative
entropy policy search with a bound on the KL divergence, towards simulators in which that policy makes similar
trajectories. Here there is one such round, the recorded actions are replayed instead of the policy being run again, and
what is fitted is one robot, by the cross-entropy method (Rubinstein 1999).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from gymnasium.vector import VectorEnv
from tqdm.auto import tqdm

from .rl.support import check_same_step
from .sim_to_real import DomainRandomization, check_physics


@dataclass
class Identified:
    """What was fitted: the parameters; the spread of the best candidates in the last round; and the error of the best
    candidate after each round.

    The spread is a standard deviation in quantiles of each range: of the logarithm for factors. It is no confidence
    interval: keeping the best makes it smaller in every round, whether the trajectories show the parameter or not.
    """

    physics: dict[str, float]
    spread: dict[str, float]
    errors: list[float]


def record_trajectories(
    act: Callable[[np.ndarray], np.ndarray], env: VectorEnv, steps: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Let a policy act from the start of an episode in each of k instances.

    Args:
        act: observations (k, d) to actions (k, a).
        env: the real robot.
        steps: T; an episode that ends before is filled with NaN.

    Returns:
        observations (k, T + 1, d) and actions (k, T, a).

    Raises:
        ValueError: steps is below 1, or the environment does not begin new episodes in the same step.
    """
    check_same_step(env)
    if steps < 1:
        raise ValueError(f"steps is {steps}; give 1 or more")
    observations = np.full((env.num_envs, steps + 1, env.single_observation_space.shape[0]), np.nan)
    actions = np.full((env.num_envs, steps, env.single_action_space.shape[0]), np.nan)
    seen, _ = env.reset(seed=seed)
    observations[:, 0], going = seen, np.ones(env.num_envs, bool)
    for t in range(steps):
        chosen = act(seen)
        actions[going, t] = chosen[going]
        seen, _, terminations, truncations, infos = env.step(chosen)
        observations[going, t + 1] = _last(seen, infos)[going]
        going &= ~(terminations | truncations)
    return observations, actions


def identify(
    sim_env: VectorEnv,
    randomization: DomainRandomization,
    observations: np.ndarray,
    actions: np.ndarray,
    *,
    rounds: int = 10,
    elite: float = 0.1,
    seed: int = 0,
    progress: bool = True,
) -> Identified:
    """Fit the simulator's physics to trajectories of the real robot.

        error(xi) = mean over trajectories, steps and observed numbers of |s_t(xi) - s_t| / std(s)

    where s(xi) starts in the recorded first state and gets the recorded actions. Each round draws candidates from a
    normal distribution over the quantiles of the ranges, cut off at 0 and 1, and fits it to the best of them. An
    episode that ends in the simulator stays in its last state. What is NaN in the recording is left out; a candidate
    whose own numbers are not finite is never kept. An observed number that never changes in the recording is not
    divided by its std.

    Sensor noise is not searched for: replayed noise is not the recorded noise, so it only adds to the error, and the
    search would always find 0. In the recording it also shifts the first state from which the replay starts.

    Args:
        sim_env: n instances without sensor noise; n // k candidates are simulated at once.
        randomization: the ranges that are searched, without `sensor_noise`.
        observations, actions: as `record_trajectories` returns them.
        rounds: how often candidates are drawn.
        elite: the share of the candidates that is kept, between 0 and 1.
        seed: of the candidates.

    Raises:
        ValueError: unusable trajectories, ranges or settings, too few instances for them, a simulator with sensor
            noise, or one in which no candidate stays finite.
    """
    check_physics(sim_env, randomization)
    names, k = list(randomization.ranges), len(observations)
    if not names or "sensor_noise" in names:
        raise ValueError(f"the ranges are of {', '.join(names) or 'nothing'}; give some, and none of sensor_noise")
    if np.any(sim_env.physics.get("sensor_noise", 0) > 0):
        raise ValueError(f"the simulator's sensor_noise is up to {sim_env.physics['sensor_noise'].max()}; set it to 0")
    if observations.ndim != 3 or actions.ndim != 3 or observations.shape[:2] != (len(actions), actions.shape[1] + 1):
        raise ValueError(
            f"observations {observations.shape} and actions {actions.shape} do not fit; "
            "give (k, T + 1, d) and (k, T, a)"
        )
    if np.isnan(observations[:, 1:]).all() or np.isinf(observations).any():
        raise ValueError(
            f"the observations {observations.shape} have no step that could be compared, or infinite numbers; "
            "give trajectories of one step at least, filled with NaN after their end"
        )
    if not 0 < elite < 1:
        raise ValueError(f"elite is {elite}; give a share between 0 and 1")
    candidates = sim_env.num_envs // k
    best = round(elite * candidates)
    if best < 2 or rounds < 1:
        raise ValueError(
            f"{sim_env.num_envs} instances for {k} trajectories leave {best} candidates to keep, in {rounds} rounds; "
            "give more instances, fewer trajectories, or 1 round at least"
        )
    rng, before = np.random.default_rng(seed), {name: values.copy() for name, values in sim_env.physics.items()}
    mean, std, errors = np.full(len(names), 0.5), np.full(len(names), 0.4), []
    try:
        for _ in tqdm(range(rounds), delay=2, leave=False, disable=not progress):
            quantiles = rng.normal(mean, std, (candidates, len(names))).clip(0, 1)
            found = _replay_errors(sim_env, randomization.at(quantiles), observations, actions)
            if not np.isfinite(found).any():
                raise ValueError("no candidate's simulation stays finite; give narrower ranges")
            order = np.argsort(found, kind="stable")[:best]
            kept = quantiles[order[np.isfinite(found[order])]]
            mean, std = kept.mean(0), kept.std(0) + 0.01  # a little more, or the search ends too early
            errors.append(float(found.min()))
    finally:
        sim_env.set_physics(**before)
    physics = {name: value.item() for name, value in randomization.at(mean[None]).items()}
    return Identified(physics, dict(zip(names, kept.std(0).tolist(), strict=True)), errors)


def _replay_errors(env: VectorEnv, physics: dict, observations: np.ndarray, actions: np.ndarray) -> np.ndarray:
    """The error of each candidate, (m,), in the first m · k instances: candidate by candidate, all k trajectories.

    Infinite where the simulation is not finite.
    """
    k, m = len(observations), len(next(iter(physics.values())))
    used = np.arange(m * k)
    env.set_physics(used, **{name: np.repeat(values, k) for name, values in physics.items()})
    instances = np.arange(env.num_envs) % k  # those behind the used ones are simulated, too, and not looked at
    env.reset(seed=0, options={"observations": observations[instances, 0]})
    constant = np.nanmax(observations, axis=(0, 1)) == np.nanmin(observations, axis=(0, 1))
    scale = np.where(constant, 1.0, np.nanstd(observations, axis=(0, 1)) + 1e-6)
    held, going, total = observations[instances, 0], np.ones(env.num_envs, bool), 0.0
    for t in range(actions.shape[1]):
        seen, _, terminations, truncations, infos = env.step(np.nan_to_num(actions[instances, t]))
        held = np.where(going[:, None], _last(seen, infos), held)
        going &= ~(terminations | truncations)
        recorded = observations[instances, t + 1]
        # Where the real episode was over, there is nothing to compare.
        total = total + np.where(np.isnan(recorded), 0.0, np.abs(held - recorded) / scale)[used]
    found = total.reshape(m, -1).sum(1) / np.isfinite(observations[:, 1:]).sum()
    return np.where(np.isfinite(found), found, np.inf)


def _last(seen: np.ndarray, infos: dict) -> np.ndarray:
    """The observations that a step led to, before any reset."""
    if "final_obs" not in infos:
        return seen
    last = seen.copy()
    last[infos["_final_obs"]] = np.stack(infos["final_obs"][infos["_final_obs"]])
    return last
