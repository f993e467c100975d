"""Advantage actor-critic (A2C): a policy learns from what came of its actions, compared with what was expected.

The synchronous form of A3C, Mnih et al. 2016, arXiv 1602.01783: instead of many threads that each play and send
gradients when they are ready, all instances play a few steps together and make one gradient. Plain, for discrete
actions and environments with Gymnasium's vector API.
"""

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import VectorEnv
from torch import Tensor, nn
from tqdm.auto import tqdm

from .support import check_same_step, reproducible


def n_step_returns(rewards: Tensor, next_values: Tensor, terminated: Tensor, ended: Tensor, gamma: float) -> Tensor:
    """What is known after a rollout of T steps of the return from each of them, (T, N):

        R_t = r_t + gamma R_{t+1},   and V(s'_t) in place of R_{t+1} where the rollout or the episode ends;
                                     0 where s'_t is terminal

    Args:
        rewards: r_t, (T, N).
        next_values: V(s'_t), (T, N), of the states that were reached, before any reset.
        terminated: whether s'_t is terminal, (T, N).
        ended: whether s'_t was the last state of its episode, for any reason, (T, N).
        gamma: the discount of a later reward, 0 to 1.
    """
    later = next_values.masked_fill(terminated, 0)
    returns, following = torch.empty_like(rewards), later[-1]
    for t in reversed(range(len(rewards))):
        following = rewards[t] + gamma * torch.where(ended[t], later[t], following)
        returns[t] = following
    return returns


def a2c_loss(logits: Tensor, values: Tensor, actions: Tensor, returns: Tensor, entropy_weight: float = 0.01) -> Tensor:
    """The loss of policy and value function together, the mean over a batch (B,):

        L = -log pi(a|s) (R - V(s)) + 1/2 (R - V(s))² - w H(pi(·|s))

    In the first term R - V(s), the advantage, is a constant: V learns by the second one only. The entropy H keeps the
    policy from settling too early.

    Args:
        logits: of the policy, (B, A).
        values: V(s), (B,).
        actions: a, (B,).
        returns: R, (B,).
        entropy_weight: w.
    """
    log_probs = logits.log_softmax(1)
    advantages = returns - values
    chosen = log_probs.gather(1, actions[:, None]).squeeze(1)
    entropy = -(log_probs.exp() * log_probs).sum(1)
    return (-chosen * advantages.detach() + 0.5 * advantages.square() - entropy_weight * entropy).mean()


class PolicyValueNetwork(nn.Module):
    """A policy pi(a|s) = softmax(logits) and a value V(s) on the features of one trunk.

    Args:
        trunk: observations (B, …) to features, as `q_networks.mlp_trunk` and `conv_trunk` make it.
        actions: how many, A.
    """

    def __init__(self, trunk: nn.Module, actions: int):
        super().__init__()
        linear = [layer for layer in trunk.modules() if isinstance(layer, nn.Linear)]
        if not linear:
            raise ValueError("the trunk has no linear layer, which would say how many features there are")
        self.trunk = trunk
        self.policy, self.value = nn.Linear(linear[-1].out_features, actions), nn.Linear(linear[-1].out_features, 1)

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, A) and values (B,) of observations (B, …)."""
        features = self.trunk(observations)
        return self.policy(features), self.value(features).squeeze(1)

    @torch.no_grad()
    def act(self, observations: np.ndarray) -> np.ndarray:
        """The most likely actions: (n, …) to (n,)."""
        return self(torch.from_numpy(observations))[0].argmax(1).numpy()


@dataclass
class Curve:
    """How training went: the steps after each update in which episodes ended, and their mean return."""

    steps: list[int] = field(default_factory=list)
    returns: list[float] = field(default_factory=list)


def train_a2c(
    env: VectorEnv,
    network: PolicyValueNetwork,
    *,
    steps: int,
    seed: int = 0,
    rollout: int = 5,
    lr: float = 5e-3,
    gamma: float = 0.9,
    entropy_weight: float = 0.01,
    progress: bool = True,
) -> Curve:
    """Train a network by A2C, in place. The same seed gives the same numbers on the same machine.

    Args:
        env: n instances with discrete actions. It must begin new episodes in the step that ends the old.
        network: what is trained.
        steps: in all instances together; rounded to whole updates.
        seed: of the environment and the actions.
        rollout: steps of each instance for one update.
        lr: learning rate of RMSprop; it falls linearly to 0.
        gamma: the discount of a later reward.
        entropy_weight: see `a2c_loss`.
        progress: show a bar if it takes more than two seconds.

    It computes on the CPU, torch on one thread: the networks are so small that more threads would be slower.

    Raises:
        ValueError: unusable settings, or an environment with other spaces or another kind of autoreset.
        FloatingPointError: the loss or the policy is no longer finite.
    """
    check_same_step(env)
    if not isinstance(env.single_observation_space, Box) or not isinstance(env.single_action_space, Discrete):
        spaces = f"{env.single_observation_space} and {env.single_action_space}"
        raise ValueError(f"the observations and actions are {spaces}; A2C here needs a Box and a Discrete")
    if (found := network.policy.out_features) != env.single_action_space.n:
        raise ValueError(f"the network has {found} actions, the environment {env.single_action_space.n}")
    for name, value in dict(steps=steps, rollout=rollout).items():
        if value < 1:
            raise ValueError(f"{name} is {value}; give 1 or more")
    if not 0 < lr < math.inf:
        raise ValueError(f"lr is {lr}; give a finite number above 0")
    if not 0 <= gamma <= 1:
        raise ValueError(f"gamma is {gamma}; give a number from 0 to 1")
    if not 0 <= entropy_weight < math.inf:
        raise ValueError(f"entropy_weight is {entropy_weight}; give a finite number, 0 or more")
    n, curve = env.num_envs, Curve()
    updates, running = max(1, round(steps / (n * rollout))), np.zeros(n)
    optimizer = torch.optim.RMSprop(network.parameters(), lr=lr, alpha=0.99, eps=1e-5)
    with reproducible(seed):
        observations, _ = env.reset(seed=seed)
        for update in tqdm(range(updates), delay=2, leave=False, disable=not progress):
            for group in optimizer.param_groups:
                group["lr"] = lr * (1 - update / updates)
            observations, returns, batch = _gather(env, network, observations, running, rollout, gamma)
            seen, actions, targets = batch
            loss = a2c_loss(*network(seen), actions, targets, entropy_weight)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 0.5)
            optimizer.step()
            if not loss.isfinite():
                raise FloatingPointError(f"the loss is {loss.item()}; try a lower learning rate")
            if returns:
                curve.steps.append((update + 1) * n * rollout)
                curve.returns.append(float(np.mean(returns)))
    return curve


@torch.no_grad()
def _gather(env, network, observations, running, rollout, gamma):
    """Let the policy act for `rollout` steps of all instances.

    Returns:
        the next observations, the returns of the episodes that ended, and the batch to learn from: observations,
        actions and n-step returns. `running`, the returns of the unfinished episodes, is updated in place.
    """
    steps, finished = [], []
    for _ in range(rollout):
        seen = torch.from_numpy(observations)
        logits, _ = network(seen)
        if not logits.isfinite().all():
            raise FloatingPointError("the policy is no longer finite; try a lower learning rate")
        actions = torch.multinomial(logits.softmax(1), 1).squeeze(1)
        observations, rewards, terminated, truncated, infos = env.step(actions.numpy())
        reached = observations
        running += rewards
        if (ended := terminated | truncated).any():  # where an episode ended, the next one's first state follows
            reached = observations.copy()
            reached[ended] = np.stack(infos["final_obs"][ended])
            finished += running[ended].tolist()
            running[ended] = 0
        next_values = network(torch.from_numpy(reached))[1]
        told = (torch.from_numpy(part) for part in (rewards.astype(np.float32), terminated, ended))
        steps.append((seen, actions, next_values, *told))
    seen, actions, next_values, rewards, terminated, ended = (torch.stack(part) for part in zip(*steps, strict=True))
    targets = n_step_returns(rewards, next_values, terminated, ended, gamma)
    return observations, finished, [part.flatten(0, 1) for part in (seen, actions, targets)]
