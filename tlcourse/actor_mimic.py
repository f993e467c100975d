"""Actor-Mimic: one network learns from experts of several games, and its weights are where a new game starts.

Parisotto et al. 2015, arXiv 1511.06342. Two things differ from `policy_distillation`: the student plays itself, and
the experts say what they would do in the states that it gets into; and it is also to predict the experts' features.

What differs from the paper: many instances play at once, and the games alternate with each batch.
"""

import copy
import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from gymnasium.vector import VectorEnv
from torch import Tensor, nn
from tqdm.auto import tqdm

from .policy_distillation import Progress, check_games, check_settings, check_student, finite, softened
from .rl.q_networks import QNetwork
from .rl.support import check_same_step, reproducible


def policy_regression(student_logits: Tensor, expert_q: Tensor, tau: float = 1.0) -> Tensor:
    """L_policy = -sum_a pi_E(a) log pi_S(a), pi_E = softmax(q_E / tau), pi_S = softmax(student), averaged over the
    states; (B, A) each. Equations 2 and 3 of the paper.

    It is the expert's entropy more than the Kullback-Leibler divergence, so both have the same gradient, pi_S - pi_E.

    Raises:
        ValueError: tau is not a finite number above 0, or the shapes differ.
    """
    _check_pair(student_logits, expert_q, "the student's outputs and the expert's values", "(B, A)")
    return F.cross_entropy(student_logits, softened(expert_q, tau))


def feature_regression(predicted: Tensor, expert_features: Tensor) -> Tensor:
    """L_feature = ||f(h_S) - h_E||², summed over the features, averaged over the states; (B, width of the expert) each.
    Equation 4 of the paper.

    What can be predicted from the student's features h_S, is in them: everything that the expert knows of the state.

    Raises:
        ValueError: the shapes differ.
    """
    _check_pair(predicted, expert_features, "the predicted and the expert's features", "(B, width of the expert)")
    return F.mse_loss(predicted, expert_features, reduction="sum") / len(predicted)


class Played:
    """The last states of one game that the student got into, and the game itself, which goes on.

    Args:
        env: n instances; they must begin new episodes in the step that ends the old.
        capacity: how many states are kept.
        seed: of the environment, the exploration and the batches.
    """

    def __init__(self, env: VectorEnv, capacity: int, seed: int):
        check_same_step(env)
        self.env, self.rng = env, np.random.default_rng(seed)
        self.now, _ = env.reset(seed=seed)
        self.states = np.empty((capacity, *self.now.shape[1:]), self.now.dtype)
        self.seen = 0

    def __len__(self) -> int:
        return min(self.seen, len(self.states))

    def play(self, student: QNetwork, head: int, exploration: float) -> None:
        """One step of all instances by the student, a random action with the probability `exploration`."""
        n, actions = self.env.num_envs, int(self.env.single_action_space.n)
        self.states[(self.seen + np.arange(n)) % len(self.states)] = self.now
        self.seen += n
        random = self.rng.random(n) < exploration
        chosen = np.where(random, self.rng.integers(0, actions, n), student.act(self.now, head))
        self.now = self.env.step(chosen)[0]

    def sample(self, size: int) -> Tensor:
        """States that are kept, drawn at random, (size, …)."""
        return torch.from_numpy(self.states[self.rng.integers(0, len(self), size)])


def train_actor_mimic(
    experts: Sequence[QNetwork],
    student: QNetwork,
    envs: Sequence[VectorEnv],
    *,
    beta: float = 0.01,
    tau: float = 1.0,
    updates: int = 3_000,
    seed: int = 0,
    exploration: tuple[float, float] = (1.0, 0.1),
    exploration_share: float = 0.4,
    batch_size: int = 128,
    lr: float = 1e-3,
    buffer_size: int = 20_000,
    warmup: int = 1_000,
    updates_per_step: int = 2,
    evaluate: Callable[[QNetwork], object] | None = None,
    evaluate_every: int = 500,
    progress: bool = True,
) -> Progress:
    """Train a student to act as each expert does in its game, in place: L = L_policy + beta L_feature, equation 5.

    For L_feature a linear map f_i leads from the student's features to those of each expert. The maps are learned along
    and not needed afterwards. The same seed gives the same numbers on the same machine.

    Args:
        experts: one for each game. They say what they would do; they do not play.
        student: with a head for each game.
        envs: the games, n instances each.
        beta: the weight of feature regression; 0 for policy regression alone.
        tau: the temperature of the experts' policies.
        updates: of the weights, each from a batch of one game, the games in turn.
        seed: of the games, the exploration, the maps and the batches.
        exploration: the probability of a random action at first and at last.
        exploration_share: the share of the updates in which it falls from the first to the last, linearly.
        lr: learning rate of Adam.
        buffer_size: states of each game that are kept.
        warmup: states of each game that are gathered before the first update.
        updates_per_step: updates for each game after each step of all its instances.
        evaluate: what is to be measured of the student before the first and after each `evaluate_every`-th update.
        progress: show a bar if it takes more than two seconds.

    Raises:
        ValueError: unusable settings, or numbers of experts, games, heads and actions that do not fit.
        FloatingPointError: the loss is no longer finite.
    """
    check_games(experts, envs)
    check_student(student, [int(env.single_action_space.n) for env in envs])
    if len(student.heads) != len(envs):
        raise ValueError(f"the student has one head for {len(envs)} games; give it as many")
    counts = dict(updates=updates, batch_size=batch_size, buffer_size=buffer_size, warmup=warmup)
    check_settings(counts | dict(updates_per_step=updates_per_step, evaluate_every=evaluate_every), lr)
    if not 0 <= beta < math.inf:
        raise ValueError(f"beta is {beta}; give a finite number, 0 or more")
    if not 0 <= exploration_share <= 1 or len(exploration) != 2 or not all(0 <= chance <= 1 for chance in exploration):
        raise ValueError(f"exploration is {exploration} over a share of {exploration_share}; give numbers from 0 to 1")
    history = Progress()

    with reproducible(seed):
        games = [Played(env, max(buffer_size, env.num_envs), seed) for env in envs]
        for head, game in enumerate(games):
            while game.seen < warmup:
                game.play(student, head, exploration[0])
        maps = nn.ModuleList(nn.Linear(student.width, expert.width) for expert in experts)
        optimizer = torch.optim.Adam([*student.parameters(), *maps.parameters()], lr=lr, fused=True)

        for update in tqdm(range(updates + 1), delay=2, leave=False, disable=not progress):
            if update:
                if (update - 1) % (updates_per_step * len(games)) == 0:
                    fallen = min(1.0, update / max(1.0, exploration_share * updates))
                    for head, game in enumerate(games):
                        game.play(student, head, exploration[0] + (exploration[1] - exploration[0]) * fallen)
                i = update % len(games)
                states = games[i].sample(batch_size)
                with torch.no_grad():
                    expert_features = experts[i].features(states)
                    expert_q = experts[i].heads[0](expert_features)
                features = student.features(states)
                loss = policy_regression(student.heads[i](features), expert_q, tau)
                if beta:
                    loss = loss + beta * feature_regression(maps[i](features), expert_features)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                history.losses.append(finite(loss.item()))
            if evaluate and update % evaluate_every == 0:
                history.updates.append(update)
                history.measured.append(evaluate(student))
    return history


def transfer_network(network: QNetwork, actions: int, seed: int = 0) -> QNetwork:
    """Where a new game starts: a copy of the network's trunk, and one new head for so many actions.

    The seed is of the new head's weights.
    """
    with reproducible(seed):
        return QNetwork(copy.deepcopy(network.trunk), actions)


def _check_pair(first: Tensor, second: Tensor, what: str, shape: str) -> None:
    if first.ndim != 2 or first.shape != second.shape or not len(first):
        raise ValueError(f"{what} have shapes {tuple(first.shape)} and {tuple(second.shape)}; give {shape} twice")
