"""Model-free episodic control: remember the best return that followed each action, and repeat what went best.

Blundell et al. 2016, arXiv 1606.04460. Nothing is trained by gradients: the agent keeps a table for each action and
looks up the states most like the present one. Plain, for discrete actions and Gymnasium's vector API.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import VectorEnv
from torch import Tensor
from tqdm.auto import tqdm

from .support import check_same_step, reproducible

Embedding = Callable[[Tensor], Tensor]  # observations (n, …) to (n, D)
DECIMALS = 3  # embeddings that agree to so many are of the same state


def random_projection(space: Box, dimensions: int = 32, seed: int = 0) -> Embedding:
    """The paper's simpler embedding: observations, flattened, times a matrix of independent normal numbers with
    variance 1/D. It keeps distances on average (Johnson & Lindenstrauss)."""
    if dimensions < 1:
        raise ValueError(f"dimensions is {dimensions}; give 1 or more")
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.randn(int(np.prod(space.shape)), dimensions, generator=generator) / dimensions**0.5
    scale = float(np.max(space.high)) if np.isfinite(space.high).all() else 1.0
    return lambda observations: (observations.flatten(1) / scale).float() @ matrix


class Table:
    """What one action brought: (embedding, return) of up to `capacity` states."""

    def __init__(self, capacity: int):
        self.capacity = capacity
        self.keys, self.values = np.empty((0, 0), np.float32), np.empty(0, np.float32)
        self._updated, self._clock = np.empty(0, np.int64), 0
        self._rows: dict[bytes, int] = {}  # where each state is
        self._states = [b""] * capacity  # and which one is there

    def __len__(self) -> int:
        return len(self._rows)

    def update(self, embeddings: np.ndarray, returns: np.ndarray) -> None:
        """Take in what followed in m states, embeddings (m, D) and returns (m,), equation (1) of the paper:

            Q(s) <- max(Q(s), R) of a state in the table, else Q(s) = R

        When the table is full, the entry that was updated longest ago makes room.
        """
        if not self.keys.size:
            self.keys = np.empty((self.capacity, embeddings.shape[1]), np.float32)
            self.values = np.empty(self.capacity, np.float32)
            self._updated = np.empty(self.capacity, np.int64)
        for state, key, value in zip(_states(embeddings), embeddings, returns, strict=True):
            self._clock += 1
            row = self._rows.get(state)
            if row is None:
                row = self._room()
                self._rows[state], self._states[row], self.keys[row] = row, state, key
            else:
                value = max(self.values[row], value)
            self.values[row], self._updated[row] = value, self._clock

    def look_up(self, embeddings: np.ndarray, k: int) -> np.ndarray:
        """Q of n states (n,), embeddings (n, D), equation (2) of the paper:

            Q(s) of a state in the table, else the mean of the values of the k nearest ones

        With fewer than k entries all of them count; an empty table promises infinity, so that its action is tried.
        """
        if not len(self):
            return np.full(len(embeddings), np.inf, np.float32)
        keys, values = (torch.from_numpy(part[: len(self)]) for part in (self.keys, self.values))
        nearest = torch.cdist(torch.from_numpy(embeddings), keys).topk(min(k, len(self)), largest=False).indices
        found = values[nearest].mean(1).numpy()
        for i, state in enumerate(_states(embeddings)):
            if (row := self._rows.get(state)) is not None:
                found[i] = self.values[row]
        return found

    def _room(self) -> int:
        if len(self) < self.capacity:
            return len(self)
        oldest = int(self._updated.argmin())
        del self._rows[self._states[oldest]]
        return oldest


class EpisodicControl:
    """The agent: an embedding of states and a table for each action.

    Args:
        embed: observations (n, …), tensors, to embeddings (n, D).
        actions: how many, A.
        k: states that are asked about a new one.
        capacity: entries in each table.
    """

    def __init__(self, embed: Embedding, actions: int, *, k: int = 11, capacity: int = 10_000):
        for name, value in dict(actions=actions, k=k, capacity=capacity).items():
            if value < 1:
                raise ValueError(f"{name} is {value}; give 1 or more")
        self.embed, self.k = embed, k
        self.tables = [Table(capacity) for _ in range(actions)]

    def embedded(self, observations: np.ndarray) -> np.ndarray:
        """Embeddings (n, D) of observations (n, …)."""
        with torch.no_grad():
            return self.embed(torch.from_numpy(observations)).numpy().astype(np.float32)

    def values(self, embeddings: np.ndarray) -> np.ndarray:
        """Q(s, a) of embeddings (n, D): (n, A)."""
        return np.stack([table.look_up(embeddings, self.k) for table in self.tables], axis=1)

    def act(self, observations: np.ndarray) -> np.ndarray:
        """The actions of the highest value: (n, …) to (n,)."""
        return self.values(self.embedded(observations)).argmax(1)

    def remember(self, embeddings: np.ndarray, actions: np.ndarray, returns: np.ndarray) -> None:
        """Take in what followed: embeddings (m, D), actions (m,) and returns (m,)."""
        for a, table in enumerate(self.tables):
            if (chosen := actions == a).any():
                table.update(embeddings[chosen], returns[chosen])


@dataclass
class Curve:
    """How training went: after which steps the episodes ended, and their mean returns, without discount."""

    steps: list[int] = field(default_factory=list)
    returns: list[float] = field(default_factory=list)


def train_episodic_control(
    env: VectorEnv,
    *,
    steps: int,
    embed: Embedding | None = None,
    seed: int = 0,
    k: int = 11,
    capacity: int = 10_000,
    gamma: float = 0.9,
    exploration: tuple[float, float] = (1.0, 0.05),
    exploration_share: float = 0.5,
    progress: bool = True,
) -> tuple[EpisodicControl, Curve]:
    """Let a new agent play and remember. The same seed gives the same numbers on the same machine.

    At the end of an episode each of its steps is remembered with the discounted sum of the rewards from there on. What
    a time limit cuts off does not count: there is nothing to estimate it by.

    Args:
        env: n instances with discrete actions. It must begin new episodes in the step that ends the old.
        steps: in all instances together.
        embed: see `EpisodicControl`; a `random_projection` by default.
        seed: of the environment, the exploration and the projection.
        k, capacity: see `EpisodicControl`.
        gamma: the discount of a later reward.
        exploration: the probability of a random action at first and at last.
        exploration_share: the share of the steps in which it falls from the first to the last, linearly.
        progress: show a bar if it takes more than two seconds.

    Raises:
        ValueError: unusable settings, or an environment with other spaces or another kind of autoreset.
    """
    check_same_step(env)
    if not isinstance(env.single_observation_space, Box) or not isinstance(env.single_action_space, Discrete):
        spaces = f"{env.single_observation_space} and {env.single_action_space}"
        raise ValueError(f"the observations and actions are {spaces}; episodic control needs a Box and a Discrete")
    if steps < 1:
        raise ValueError(f"steps is {steps}; give 1 or more")
    for name, value in dict(gamma=gamma, exploration_share=exploration_share).items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name} is {value}; give a number from 0 to 1")
    if len(exploration) != 2 or not all(0 <= chance <= 1 for chance in exploration):
        raise ValueError(f"exploration is {exploration}; give two probabilities, at first and at last")
    n, actions = env.num_envs, int(env.single_action_space.n)
    embed = embed or random_projection(env.single_observation_space, seed=seed)
    agent, curve = EpisodicControl(embed, actions, k=k, capacity=capacity), Curve()
    rng, rounds = np.random.default_rng(seed), max(1, round(steps / n))
    path: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []  # (embeddings, actions, rewards) of each step
    begun = np.zeros(n, int)  # where in the path each instance's episode begins
    with reproducible(seed):
        observations, _ = env.reset(seed=seed)
        for step in tqdm(range(rounds), delay=2, leave=False, disable=not progress):
            fallen = min(1.0, step / max(1.0, exploration_share * rounds))
            random = rng.random(n) < exploration[0] + (exploration[1] - exploration[0]) * fallen
            embeddings, chosen = agent.embedded(observations), rng.integers(0, actions, n)
            if not random.all():
                chosen[~random] = agent.values(embeddings[~random]).argmax(1)
            observations, rewards, terminated, truncated, _ = env.step(chosen)
            path.append((embeddings, chosen, rewards))
            if (ended := terminated | truncated).any():
                curve.steps.append((step + 1) * n)
                curve.returns.append(_remember(agent, path, np.where(ended, begun, len(path)), gamma))
                begun[ended] = len(path)
                over = begun.min()  # what came before is remembered
                path, begun = path[over:], begun - over
    return agent, curve


def discounted_returns(rewards: np.ndarray, gamma: float) -> np.ndarray:
    """R_t = r_t + gamma R_{t+1} of rewards (T, …), with R_T = 0."""
    returns, later = np.empty_like(rewards, dtype=np.float32), np.zeros_like(rewards[0], dtype=np.float32)
    for t in reversed(range(len(rewards))):
        returns[t] = later = rewards[t] + gamma * later
    return returns


def _remember(agent: EpisodicControl, path: list, first: np.ndarray, gamma: float) -> float:
    """Take in the episodes of the instances whose `first` step (n,) lies on the path; returns their mean return."""
    start = first.min()
    embeddings, actions, rewards = (np.stack(part) for part in zip(*path[start:], strict=True))
    theirs = np.arange(start, len(path))[:, None] >= first
    returns = discounted_returns(np.where(theirs, rewards, 0), gamma)
    agent.remember(embeddings[theirs], actions[theirs], returns[theirs])
    return float(np.where(theirs, rewards, 0).sum(0)[theirs.any(0)].mean())


def _states(embeddings: np.ndarray) -> list[bytes]:
    """What identifies a state: its embedding, rounded; so that a matrix product in another order finds it again."""
    return [row.tobytes() for row in np.round(embeddings, DECIMALS) + 0.0]  # + 0.0: no negative zeros
