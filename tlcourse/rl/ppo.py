"""Proximal policy optimization (PPO): improve a policy on its own experience, but not far from where that was gathered.

Schulman et al. 2017, arXiv 1707.06347, with the advantages of Schulman et al. 2016, arXiv 1506.02438. Plain, for
continuous actions and environments with Gymnasium's vector API. `policies` has the network.

What the papers leave open is here so: the advantages are normalized in each minibatch, the gradient's norm is clipped
at 0.5, the value's squared error is halved and divided by the variance of the targets + 1, and there is no bonus for
entropy.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from gymnasium.spaces import Box
from gymnasium.vector import VectorEnv
from torch import Tensor, nn
from tqdm.auto import tqdm

from .policies import ActorCritic
from .support import check_same_step, reproducible


def gae(
    rewards: Tensor, values: Tensor, next_values: Tensor, terminated: Tensor, ended: Tensor, gamma: float, lam: float
) -> Tensor:
    """Generalized advantage estimates: how much better than expected each action turned out.

        delta_t = r_t + gamma V(s'_t) - V(s_t),   V(s'_t) = 0 where the episode terminated
        A_t = delta_t + gamma lambda A_{t+1},     A_{t+1} = 0 where the episode ended

    An episode that its time limit cuts off has ended but not terminated: what would have come is worth V(s'_t).

    Args:
        rewards: r_t of T steps in N instances, (T, N).
        values: V(s_t), (T, N), of the state in which the action was chosen.
        next_values: V(s'_t), (T, N), of the state that it led to, before any reset.
        terminated: whether s'_t is terminal, (T, N).
        ended: whether s'_t was the last state of its episode, for any reason, (T, N).
        gamma: the discount of a later reward, 0 to 1.
        lam: 0 trusts V alone, 1 the rewards alone.

    Returns:
        The advantages A, (T, N); A_t + V(s_t) is what V is trained towards.
    """
    deltas = rewards + gamma * next_values.masked_fill(terminated, 0) - values
    carried = gamma * lam * (~ended).to(deltas)
    advantages, later = torch.empty_like(deltas), torch.zeros_like(deltas[0])
    for t in reversed(range(len(deltas))):
        later = deltas[t] + carried[t] * later
        advantages[t] = later
    return advantages


def clipped_loss(log_probs: Tensor, old_log_probs: Tensor, advantages: Tensor, clip: float = 0.2) -> Tensor:
    """PPO's loss of the policy, the mean over a batch (B,):

        L = -E[min(rho A, clip(rho, 1 - epsilon, 1 + epsilon) A)],   rho = pi(a|s) / pi_old(a|s)

    An action gives no gradient once its probability has changed by a share of epsilon in the direction that its
    advantage asks for.
    """
    ratio = (log_probs - old_log_probs).exp()
    return -torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages).mean()


@dataclass
class Curve:
    """How training went: the steps after each iteration, and the mean return of the episodes that ended in it (the
    last one again where none did, and before the first one NaN).

    The first returns are biased: only what ends early has ended by then. Once no episode ends before its time limit,
    all episodes count alike.
    """

    steps: list[int] = field(default_factory=list)
    returns: list[float] = field(default_factory=list)


def train_ppo(
    env: VectorEnv,
    *,
    steps: int,
    seed: int = 0,
    rollout: int = 75,
    epochs: int = 4,
    minibatches: int = 4,
    lr: float = 3e-3,
    gamma: float = 0.98,
    lam: float = 0.95,
    clip: float = 0.2,
    hidden: int = 32,
    on_iteration: Callable[[ActorCritic, Curve], None] | None = None,
    progress: bool = True,
) -> tuple[ActorCritic, Curve]:
    """Train a new policy by PPO. The same seed gives the same numbers on the same machine.

    Args:
        env: n instances with observations and actions that are rows of numbers, the actions bounded. It must begin new
            episodes in the step that ends the old.
        steps: in all instances together; rounded to whole iterations: with 64 instances, 300,000 become 297,600.
        seed: of the environment, the network's first weights, the actions and the minibatches.
        rollout: steps of each instance in one iteration.
        epochs, minibatches: how often an iteration goes through its steps, and in how many parts.
        lr: learning rate of Adam; it falls linearly to 0.
        gamma, lam: see `gae`.
        clip: epsilon of `clipped_loss`.
        hidden: units in the hidden layers.
        on_iteration: called after each iteration with the policy and the curve so far.
        progress: show a bar if it takes more than two seconds.

    It computes on the CPU, torch on one thread: the networks are so small that more threads would be slower.

    Raises:
        ValueError: unusable settings, or an environment with other spaces or another kind of autoreset.
        FloatingPointError: the loss is no longer finite.
    """
    _check_env(env)
    (n, d), space = env.observation_space.shape, env.single_action_space
    counts = dict(steps=steps, rollout=rollout, epochs=epochs, minibatches=minibatches, hidden=hidden)
    for name, value in counts.items():
        if value < 1:
            raise ValueError(f"{name} is {value}; give 1 or more")
    for name, value in dict(lr=lr, clip=clip).items():
        if not 0 < value < math.inf:
            raise ValueError(f"{name} is {value}; give a finite number above 0")
    for name, value in dict(gamma=gamma, lam=lam).items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name} is {value}; give a number from 0 to 1")
    if 2 * minibatches > n * rollout:
        raise ValueError(
            f"minibatches is {minibatches}, and {n} instances make {n * rollout} steps in a rollout of {rollout}; give "
            "fewer minibatches or a longer rollout: each must have 2 steps at least"
        )
    iterations = max(1, round(steps / (n * rollout)))
    with reproducible(seed):
        policy = ActorCritic(d, torch.from_numpy(space.low), torch.from_numpy(space.high), hidden)
        optimizer = torch.optim.Adam(policy.parameters(), lr=lr, eps=1e-5, fused=True)
        observations, _ = env.reset(seed=seed)
        policy.watch(observations)
        curve, running = Curve(), np.zeros(n)
        for iteration in tqdm(range(iterations), delay=2, leave=False, disable=not progress):
            for group in optimizer.param_groups:
                group["lr"] = lr * (1 - iteration / iterations)
            observations, returns, seen, batch = _gather(env, policy, observations, running, rollout, gamma, lam)
            _improve(policy, optimizer, batch, epochs, minibatches, clip)
            policy.watch(seen)
            curve.steps.append((iteration + 1) * n * rollout)
            curve.returns.append(float(np.mean(returns)) if returns else (curve.returns or [math.nan])[-1])
            if on_iteration:
                on_iteration(policy, curve)
    return policy, curve


@torch.no_grad()
def _gather(env, policy, observations, running, steps, gamma, lam):
    """Let the policy act for `steps` steps of all instances.

    Returns:
        the next observations (n, d), the returns of the episodes that ended, all observations (steps · n, d), and the
        batch to learn from: normalized observations, actions, their log-probabilities, advantages and the targets of
        the value function. `running`, the returns of the unfinished episodes, is updated in place.
    """
    n, d = observations.shape
    seen = np.empty((steps + 1, n, d))
    rewards, terminated, truncated = np.empty((steps, n)), np.empty((steps, n), bool), np.empty((steps, n), bool)
    finals, returns = [], []
    noise = policy.log_std.exp() * torch.randn(steps, n, len(policy.low))
    actions = torch.empty_like(noise)
    for t in range(steps):
        seen[t] = observations
        actions[t] = policy.actor(policy.normalize(observations)) + noise[t]
        sent = policy.to_bounds(actions[t]).numpy()
        observations, rewards[t], terminated[t], truncated[t], infos = env.step(sent)
        running += rewards[t]
        if (ended := terminated[t] | truncated[t]).any():
            returns += running[ended].tolist()
            running[ended] = 0
            finals += list(infos["final_obs"][truncated[t]])
    seen[steps] = observations

    x = policy.normalize(seen)
    values = policy.value(x)
    x, values, next_values = x[:-1], values[:-1], values[1:].clone()
    if finals:  # where the time limit cut an episode off, the next observation is another episode's first
        next_values[torch.from_numpy(truncated)] = policy.value(policy.normalize(np.stack(finals)))
    rewards, terminated = torch.from_numpy(rewards).float(), torch.from_numpy(terminated)
    ended = terminated | torch.from_numpy(truncated)
    advantages = gae(rewards, values, next_values, terminated, ended, gamma, lam)
    batch = (x, actions, policy.log_prob(x, actions), advantages, advantages + values)
    return observations, returns, seen[:-1].reshape(-1, d), [part.flatten(0, 1) for part in batch]


def _improve(policy, optimizer, batch, epochs, minibatches, clip):
    spread = batch[-1].var(unbiased=False) + 1  # of the targets: returns can be in the hundreds
    for _ in range(epochs):
        for chosen in torch.randperm(len(batch[0])).chunk(minibatches):
            x, actions, old_log_probs, advantages, targets = (part[chosen] for part in batch)
            advantages = (advantages - advantages.mean()) / (advantages.std(unbiased=False) + 1e-8)
            loss = clipped_loss(policy.log_prob(x, actions), old_log_probs, advantages, clip)
            loss = loss + 0.5 * (policy.value(x) - targets).square().mean() / spread
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(policy.parameters(), 0.5)
            optimizer.step()
    if not loss.isfinite():
        raise FloatingPointError(f"the loss is {loss.item()}; try a lower learning rate")


def _check_env(env: VectorEnv) -> None:
    check_same_step(env)
    for kind, space in {"observations": env.single_observation_space, "actions": env.single_action_space}.items():
        if not (isinstance(space, Box) and len(space.shape) == 1):
            raise ValueError(f"the {kind} are {space}; PPO here needs a Box with one axis")
    if not env.single_action_space.is_bounded():
        raise ValueError(f"the actions {env.single_action_space} are unbounded; give an environment that bounds them")
