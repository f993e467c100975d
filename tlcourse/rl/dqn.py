"""Deep Q-networks (DQN): learn what each action is worth, from experience that is kept and drawn again at random.

Mnih et al. 2015, Nature 518 (first arXiv 1312.5602), with the double estimate of van Hasselt et al. 2016, arXiv
1509.06461. Plain, for discrete actions and environments with Gymnasium's vector API. `q_networks` has the network.

What differs from the paper: many instances play at once, the optimizer is Adam, the gradient's norm is clipped at 10,
and an episode that its time limit cuts off has not terminated: what would have come counts.
"""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import VectorEnv
from torch import Tensor, nn
from tqdm.auto import tqdm

from .q_networks import QNetwork
from .support import check_same_step, reproducible


def q_targets(
    rewards: Tensor, terminated: Tensor, next_q: Tensor, gamma: float, chosen_by: Tensor | None = None
) -> Tensor:
    """What Q(s, a) is trained towards, (B,):

        y = r + gamma Q'(s', a*),   y = r where s' is terminal
        a* = argmax_a Q'(s', a)     (Mnih et al.), or argmax_a Q(s', a) (double, van Hasselt et al.)

    The largest of several noisy estimates is on average too large; where one network chooses a* and the other one
    values it, their errors do not add up in this way.

    Args:
        rewards: r, (B,).
        terminated: whether s' is terminal, (B,).
        next_q: Q'(s', ·) of the target network, (B, A).
        gamma: the discount of a later reward, 0 to 1.
        chosen_by: Q(s', ·) of the network that learns, (B, A), for the double estimate.
    """
    best = (next_q if chosen_by is None else chosen_by).argmax(1, keepdim=True)
    return rewards + gamma * next_q.gather(1, best).squeeze(1).masked_fill(terminated, 0)


class ReplayBuffer:
    """The last `capacity` transitions (s, a, r, s', terminated), drawn at random with replacement.

    Args:
        capacity: how many transitions.
        space: of one observation; they are kept in its number type.
    """

    def __init__(self, capacity: int, space: Box):
        if capacity < 1:
            raise ValueError(f"capacity is {capacity}; give 1 or more")
        self.observations = np.empty((capacity, *space.shape), space.dtype)
        self.next_observations = np.empty_like(self.observations)
        self.actions, self.rewards = np.empty(capacity, np.int64), np.empty(capacity, np.float32)
        self.terminated = np.empty(capacity, bool)
        self.capacity, self._added = capacity, 0

    def __len__(self) -> int:
        return min(self._added, self.capacity)

    def add(self, observations, actions, rewards, next_observations, terminated) -> None:
        """Take in n transitions, arrays (n, …) each; the oldest make room."""
        rows = (self._added + np.arange(len(actions))) % self.capacity
        self.observations[rows], self.next_observations[rows] = observations, next_observations
        self.actions[rows], self.rewards[rows], self.terminated[rows] = actions, rewards, terminated
        self._added += len(actions)

    def sample(self, size: int, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Observations, actions, rewards, next observations, terminated; tensors (size, …).

        Raises:
            ValueError: nothing has been taken in yet.
        """
        if not len(self):
            raise ValueError("the replay buffer is empty; add transitions first")
        rows = rng.integers(0, len(self), size)
        parts = (self.observations, self.actions, self.rewards, self.next_observations, self.terminated)
        return tuple(torch.from_numpy(part[rows]) for part in parts)


@dataclass
class Curve:
    """How training went: after how many updates and steps which return was measured."""

    updates: list[int] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    returns: list[float] = field(default_factory=list)


def train_dqn(
    env: VectorEnv,
    network: QNetwork,
    *,
    updates: int,
    seed: int = 0,
    head: int = 0,
    double: bool = True,
    gamma: float = 0.9,
    lr: float = 1e-3,
    batch_size: int = 128,
    buffer_size: int = 50_000,
    warmup: int = 2_000,
    updates_per_step: int = 2,
    target_every: int = 300,
    exploration: tuple[float, float] = (1.0, 0.03),
    exploration_share: float = 0.4,
    evaluate: Callable[[QNetwork], float] | None = None,
    evaluate_every: int = 500,
    progress: bool = True,
) -> Curve:
    """Train a network by DQN, in place. The same seed gives the same numbers on the same machine.

    Args:
        env: n instances with discrete actions. It must begin new episodes in the step that ends the old.
        network: its first weights are where training starts: new ones, or those of another task.
        updates: of the weights, each from one batch.
        seed: of the environment, the exploration and the batches.
        head: which head of the network learns.
        double: choose the next action by the network that learns, see `q_targets`.
        gamma: the discount of a later reward.
        lr: learning rate of Adam.
        batch_size: transitions in a batch.
        buffer_size: transitions that are kept.
        warmup: transitions that are gathered before the first update.
        updates_per_step: updates after each step of all n instances.
        target_every: updates after which the target network takes over the weights.
        exploration: the probability of a random action at first and at last.
        exploration_share: the share of the updates in which it falls from the first to the last, linearly.
        evaluate: what is to be measured of the network before the first and after each `evaluate_every`-th update.
        progress: show a bar if it takes more than two seconds.

    It computes on the CPU, torch on one thread: the networks are so small that more threads would be slower.

    Raises:
        ValueError: unusable settings, or an environment with other spaces or another kind of autoreset.
        FloatingPointError: the loss is no longer finite.
    """
    _check_spaces(env, network, head)
    counts = dict(updates=updates, batch_size=batch_size, buffer_size=buffer_size, warmup=warmup)
    counts |= dict(updates_per_step=updates_per_step, target_every=target_every, evaluate_every=evaluate_every)
    for name, value in counts.items():
        if value < 1:
            raise ValueError(f"{name} is {value}; give 1 or more")
    if not 0 < lr < math.inf:
        raise ValueError(f"lr is {lr}; give a finite number above 0")
    for name, value in dict(gamma=gamma, exploration_share=exploration_share).items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name} is {value}; give a number from 0 to 1")
    if len(exploration) != 2 or not all(0 <= chance <= 1 for chance in exploration):
        raise ValueError(f"exploration is {exploration}; give two probabilities, at first and at last")
    n, actions = env.num_envs, int(env.single_action_space.n)
    rng, curve, steps = np.random.default_rng(seed), Curve(), 0
    buffer = ReplayBuffer(buffer_size, env.single_observation_space)
    target = copy.deepcopy(network).requires_grad_(False)
    trained = [weights for weights in network.parameters() if weights.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=lr, fused=True)
    bar = tqdm(total=updates, delay=2, leave=False, disable=not progress)

    def measure(update: int) -> None:
        if evaluate and update % evaluate_every == 0:
            curve.updates.append(update)
            curve.steps.append(steps)
            curve.returns.append(float(evaluate(network)))

    with reproducible(seed), bar:
        observations, _ = env.reset(seed=seed)
        measure(0)
        update = 0
        while update < updates:
            fallen = min(1.0, update / max(1.0, exploration_share * updates))
            random = rng.random(n) < exploration[0] + (exploration[1] - exploration[0]) * fallen
            chosen = np.where(random, rng.integers(0, actions, n), network.act(observations, head))
            following, rewards, terminated, truncated, infos = env.step(chosen)
            reached = following
            if (ended := terminated | truncated).any():  # where an episode ended, the next one's first state follows
                reached = following.copy()
                reached[ended] = np.stack(infos["final_obs"][ended])
            buffer.add(observations, chosen, rewards, reached, terminated)
            observations, steps = following, steps + n
            if steps < warmup:
                continue
            for _ in range(min(updates_per_step, updates - update)):
                loss = _improve(network, target, optimizer, buffer.sample(batch_size, rng), head, double, gamma)
                update += 1
                if update % target_every == 0:
                    target.load_state_dict(network.state_dict())
                measure(update)
            bar.update(update - bar.n)
            if not math.isfinite(loss):
                raise FloatingPointError(f"the loss is {loss}; try a lower learning rate")
    return curve


def _improve(network, target, optimizer, batch, head, double, gamma) -> float:
    """One step of Adam on Huber's loss of Q(s, a) - y; returns the loss."""
    observations, actions, rewards, following, terminated = batch
    with torch.no_grad():
        chosen_by = network(following, head) if double else None
        targets = q_targets(rewards, terminated, target(following, head), gamma, chosen_by)
    values = network(observations, head).gather(1, actions[:, None]).squeeze(1)
    loss = F.smooth_l1_loss(values, targets)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(network.parameters(), 10.0)
    optimizer.step()
    return loss.item()


def _check_spaces(env: VectorEnv, network: QNetwork, head: int) -> None:
    check_same_step(env)
    if not isinstance(env.single_observation_space, Box) or not isinstance(env.single_action_space, Discrete):
        spaces = f"{env.single_observation_space} and {env.single_action_space}"
        raise ValueError(f"the observations and actions are {spaces}; DQN needs a Box and a Discrete")
    if not 0 <= head < len(network.heads):
        raise ValueError(f"head is {head}; the network has heads 0 to {len(network.heads) - 1}")
    if (found := network.heads[head].out_features) != env.single_action_space.n:
        raise ValueError(f"the head has {found} actions, the environment {env.single_action_space.n}")
