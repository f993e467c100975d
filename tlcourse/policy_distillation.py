"""Policy distillation: a network learns to play from networks that can, one small student from one or several teachers.

Rusu et al. 2015, arXiv 1511.06295. Teachers are Q-networks (`rl.dqn`); the student learns from their values Q(s, a) in
states that they meet while they play. With several teachers it has a head for each of the games, on a shared trunk.

What differs from the paper: a teacher plays once, before the student learns, where the paper goes on refilling a
replay memory by its play; games alternate with each batch.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from gymnasium.vector import VectorEnv
from torch import Tensor
from tqdm.auto import tqdm

from .rl.q_networks import QNetwork
from .rl.support import check_same_step, reproducible

Loss = Callable[[Tensor, Tensor], Tensor]


def mse_loss(student_q: Tensor, teacher_q: Tensor) -> Tensor:
    """L_MSE = ||q_T - q_S||², summed over the actions, averaged over the states; (B, A) each.

    The student is to copy the values themselves, also of actions that nobody takes.
    """
    _check_pair(student_q, teacher_q)
    return F.mse_loss(student_q, teacher_q, reduction="sum") / len(student_q)


def nll_loss(student_logits: Tensor, teacher_q: Tensor) -> Tensor:
    """L_NLL = -log softmax(q_S)[argmax q_T], averaged over the states; (B, A) each.

    The teacher's best action is the right class. How much better it is, or that another one is as good, does not count.
    """
    _check_pair(student_logits, teacher_q)
    return F.cross_entropy(student_logits, teacher_q.argmax(1))


def kl_loss(student_logits: Tensor, teacher_q: Tensor, tau: float = 0.01) -> Tensor:
    """L_KL = sum_a p(a) ln (p(a) / softmax(q_S)(a)) with p = softmax(q_T / tau), averaged over the states; (B, A) each.

    Q-values of neighbouring actions hardly differ, so the paper divides them by a temperature far below 1: p all but
    chooses, and only where two actions are as good as equal, it says so. The student's outputs are not divided by tau.
    Towards tau = 0 this becomes `nll_loss`, if one action is best. The gradient by q_S is softmax(q_S) - p.

    Raises:
        ValueError: tau is not a finite number above 0, or the shapes differ.
    """
    _check_pair(student_logits, teacher_q)
    return F.kl_div(F.log_softmax(student_logits, 1), softened(teacher_q, tau), reduction="batchmean")


def softened(q: Tensor, tau: float) -> Tensor:
    """The policy softmax(q / tau) of values q (B, A): a small tau sharpens it, a large one makes actions alike.

    Raises:
        ValueError: tau is not a finite number above 0.
    """
    if not 0 < tau < math.inf:
        raise ValueError(f"the temperature tau is {tau}; give a finite number above 0")
    return torch.softmax(q / tau, 1)


@dataclass(frozen=True)
class Demonstrations:
    """States that a teacher met while it played, and what it holds each action to be worth.

    Raises:
        ValueError: there are none, the numbers of both differ, or values are not finite.
    """

    observations: np.ndarray
    """(N, …)"""
    q: Tensor
    """(N, A)"""

    def __post_init__(self):
        if self.q.ndim != 2 or not 0 < len(self.observations) == len(self.q):
            sizes = f"{self.observations.shape} and {tuple(self.q.shape)}"
            raise ValueError(f"observations and q have shapes {sizes}; give (N, …) and (N, A), N at least 1")
        if not torch.isfinite(self.q).all():
            raise ValueError("the teacher's values are not all finite; has its training diverged?")

    def __len__(self) -> int:
        return len(self.q)


def demonstrate(
    teacher: QNetwork, env: VectorEnv, *, steps: int = 200, exploration: float = 0.1, seed: int = 0
) -> Demonstrations:
    """Let a teacher play, and keep what it meets.

    Args:
        teacher: what has `act`, observations (n, …) to actions (n,), and gives values (n, A) when called with a tensor.
        env: n instances; they must begin new episodes in the step that ends the old.
        steps: of all instances, so that steps · n states are kept.
        exploration: the probability of a random action, by which the teacher gets into states that it would avoid.
        seed: of the environment and the exploration.

    Raises:
        ValueError: unusable settings, an unsuitable environment, or values that are not finite.
    """
    check_same_step(env)
    if steps < 1:
        raise ValueError(f"steps is {steps}; give 1 or more")
    if not 0 <= exploration <= 1:
        raise ValueError(f"exploration is {exploration}; give a probability, 0 to 1")
    n, actions = env.num_envs, int(env.single_action_space.n)
    rng, seen = np.random.default_rng(seed), []
    observations, _ = env.reset(seed=seed)
    for _ in range(steps):
        seen.append(observations.copy())
        chosen = np.where(rng.random(n) < exploration, rng.integers(0, actions, n), teacher.act(observations))
        observations = env.step(chosen)[0]
    with reproducible(seed), torch.no_grad():
        values = [teacher(torch.from_numpy(part)) for part in seen]
    return Demonstrations(np.concatenate(seen), torch.cat(values))


@dataclass
class Progress:
    """How imitation went: the loss of each batch, and after how many updates what was measured."""

    losses: list[float] = field(default_factory=list)
    updates: list[int] = field(default_factory=list)
    measured: list = field(default_factory=list)


def imitate(
    student: QNetwork,
    demonstrations: Sequence[Demonstrations],
    *,
    loss: Loss = kl_loss,
    updates: int = 3_000,
    seed: int = 0,
    batch_size: int = 128,
    lr: float = 1e-3,
    evaluate: Callable[[QNetwork], object] | None = None,
    evaluate_every: int = 500,
    progress: bool = True,
) -> Progress:
    """Train a student on the demonstrations of one or several games, in place. The same seed gives the same numbers on
    the same machine.

    Args:
        student: with a head per game, in the order of the demonstrations; or with a single head, for all of them.
        demonstrations: of each game.
        loss: of the student's outputs (B, A) and the teacher's values (B, A): `kl_loss`, `nll_loss`, `mse_loss`.
            For another temperature, `functools.partial(kl_loss, tau=1.0)`.
        updates: of the weights, each from a batch of one game, the games in turn.
        seed: of the batches.
        lr: learning rate of Adam.
        evaluate: what is to be measured of the student before the first and after each `evaluate_every`-th update.
        progress: show a bar if it takes more than two seconds.

    Raises:
        ValueError: unusable settings, or a student whose heads or actions do not fit.
        FloatingPointError: the loss is no longer finite.
    """
    check_student(student, [shown.q.shape[1] for shown in demonstrations])
    check_settings(dict(updates=updates, batch_size=batch_size, evaluate_every=evaluate_every), lr)
    rng, history = np.random.default_rng(seed), Progress()
    optimizer = torch.optim.Adam(student.parameters(), lr=lr, fused=True)

    with reproducible(seed):
        for update in tqdm(range(updates + 1), delay=2, leave=False, disable=not progress):
            if update:
                game = update % len(demonstrations)
                shown, head = demonstrations[game], game if len(student.heads) > 1 else 0
                rows = rng.integers(0, len(shown), batch_size)
                error = loss(student(torch.from_numpy(shown.observations[rows]), head), shown.q[rows])
                optimizer.zero_grad()
                error.backward()
                optimizer.step()
                history.losses.append(finite(error.item()))
            if evaluate and update % evaluate_every == 0:
                history.updates.append(update)
                history.measured.append(evaluate(student))
    return history


def distill(
    teachers: Sequence[QNetwork],
    student: QNetwork,
    envs: Sequence[VectorEnv],
    *,
    loss: Loss = kl_loss,
    updates: int = 3_000,
    seed: int = 0,
    steps: int = 200,
    exploration: float = 0.1,
    **settings,
) -> Progress:
    """Policy distillation: each teacher plays its game (`demonstrate`), then the student learns from all (`imitate`).

    Args:
        teachers: one for each game.
        student: trained in place; with a head per game, or with a single one for all.
        envs: the games, in the same order.
        settings: the others of `imitate`.

    Raises:
        ValueError: unusable settings, or numbers of teachers, games, heads and actions that do not fit.
        FloatingPointError: the loss is no longer finite.
    """
    check_games(teachers, envs)
    check_student(student, [int(env.single_action_space.n) for env in envs])
    shown = [
        demonstrate(teacher, env, steps=steps, exploration=exploration, seed=seed)
        for teacher, env in zip(teachers, envs, strict=True)
    ]
    return imitate(student, shown, loss=loss, updates=updates, seed=seed, **settings)


def check_games(teachers: Sequence, envs: Sequence[VectorEnv]) -> None:
    """Refuse what is not one teacher for each game."""
    if len(teachers) != len(envs):
        raise ValueError(f"{len(teachers)} teachers for {len(envs)} games; give one for each, in the same order")


def check_student(student: QNetwork, actions: Sequence[int]) -> None:
    """Refuse a student whose heads do not fit the games, given by how many actions each of them has."""
    if not len(actions):
        raise ValueError("there is no game to learn; give one or more")
    if len(student.heads) not in (1, len(actions)):
        raise ValueError(f"the student has {len(student.heads)} heads for {len(actions)} games; give as many, or one")
    for game, wanted in enumerate(actions):
        found = student.heads[game if len(student.heads) > 1 else 0].out_features
        if found != wanted:
            raise ValueError(f"the student's head has {found} actions, game {game} has {wanted}; they must be equal")


def check_settings(counts: dict[str, int], lr: float) -> None:
    """Refuse counts below 1, by name, and a learning rate that is not a finite number above 0."""
    for name, value in counts.items():
        if value < 1:
            raise ValueError(f"{name} is {value}; give 1 or more")
    if not 0 < lr < math.inf:
        raise ValueError(f"lr is {lr}; give a finite number above 0")


def finite(loss: float) -> float:
    """The loss, if it is a finite number."""
    if not math.isfinite(loss):
        raise FloatingPointError(f"the loss is {loss}; try a lower learning rate")
    return loss


def _check_pair(student: Tensor, teacher: Tensor) -> None:
    if student.ndim != 2 or student.shape != teacher.shape or not len(student):
        shapes = f"{tuple(student.shape)} and {tuple(teacher.shape)}"
        raise ValueError(f"the student's outputs and the teacher's values have shapes {shapes}; give (B, A) twice")
