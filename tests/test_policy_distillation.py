"""The losses against torch's own and closed forms; a student reaches its teachers in games whose answer is known."""

import copy
from functools import partial

import gymnasium
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from torch import nn

from tlcourse.policy_distillation import (
    Demonstrations,
    demonstrate,
    distill,
    imitate,
    kl_loss,
    mse_loss,
    nll_loss,
    softened,
)
from tlcourse.rl.q_networks import QNetwork, mlp_trunk


class Cards(VectorEnv):
    """One of `states` cards, the next one drawn at random; action a of A moves nothing. Episodes of `episode_steps`.

    The observation is the card, and in one more place how old the episode is.
    """

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}

    def __init__(self, n: int = 8, states: int = 6, actions: int = 3, episode_steps: int = 5):
        self.num_envs, self.states, self.episode_steps = n, states, episode_steps
        self.single_observation_space = Box(0, episode_steps, (states + 1,), np.float32)
        self.single_action_space = Discrete(actions)
        self.observation_space = batch_space(self.single_observation_space, n)
        self.action_space = batch_space(self.single_action_space, n)
        self.seen, self.taken = [], []

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.age = np.zeros(self.num_envs, int)
        return self.drawn(), {}

    def step(self, actions):
        self.taken.append(np.array(actions))
        self.age += 1
        ended, infos = self.age >= self.episode_steps, {}
        if ended.any():
            infos = {"final_obs": self.drawn(), "_final_obs": ended}
            self.age[ended] = 0
        return self.drawn(), np.zeros(self.num_envs), np.zeros(self.num_envs, bool), ended, infos

    def drawn(self):
        card = self.np_random.integers(0, self.states, self.num_envs)
        self.seen.append(np.column_stack([np.eye(self.states)[card], self.age]).astype(np.float32))
        return self.seen[-1]


class Table(nn.Module):
    """A teacher that knows what each card is worth: q (states, A)."""

    def __init__(self, q):
        super().__init__()
        self.q = torch.as_tensor(q, dtype=torch.float32)

    def forward(self, observations, head=0):
        return self.q[observations[:, :-1].argmax(1)]

    def act(self, observations, head=0):
        return self(torch.from_numpy(observations)).argmax(1).numpy()


def teacher(seed=0, states=6, actions=3):
    return Table(np.random.default_rng(seed).normal(size=(states, actions)))


def network(heads=1, seed=0, actions=3, hidden=(32,)):
    torch.manual_seed(seed)
    return QNetwork(mlp_trunk(Cards().single_observation_space, hidden), actions, heads)


def cards(states=6):
    return torch.cat([torch.eye(states), torch.zeros(states, 1)], 1)


def pair(seed=0):
    torch.manual_seed(seed)
    return torch.randn(7, 4, dtype=torch.double), torch.randn(7, 4, dtype=torch.double)


QUICK = dict(updates=200, batch_size=32, lr=2e-2, steps=40, progress=False)


def test_losses_are_those_of_torch():
    student, q = pair()
    torch.testing.assert_close(mse_loss(student, q), 4 * F.mse_loss(student, q))
    torch.testing.assert_close(nll_loss(student, q), F.cross_entropy(student, q.argmax(1)))
    own = F.kl_div(student.log_softmax(1), (q / 0.3).softmax(1), reduction="batchmean")
    torch.testing.assert_close(kl_loss(student, q, 0.3), own)


def test_losses_worked_by_hand():
    student, q = torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, -1.0]])
    assert mse_loss(student, q).item() == pytest.approx(2)
    assert nll_loss(student, q).item() == pytest.approx(np.log(2))
    p = 1 / (1 + np.exp(-2 / 0.5))
    assert kl_loss(student, q, 0.5).item() == pytest.approx(np.log(2) + p * np.log(p) + (1 - p) * np.log(1 - p))


def test_kl_is_zero_for_a_student_equal_to_the_sharpened_teacher_and_for_no_other():
    student, q = pair()
    assert kl_loss(q / 0.2 + 5, q, 0.2).item() == pytest.approx(0, abs=1e-12)
    assert kl_loss(q, q, 0.2) > 0.1  # the student's outputs are not divided by tau
    assert kl_loss(student, q, 0.2) > 0


def test_kl_becomes_nll_as_tau_goes_to_zero():
    student, q = pair()
    torch.testing.assert_close(kl_loss(student, q, 1e-6), nll_loss(student, q))
    assert abs(kl_loss(student, q, 0.5) - nll_loss(student, q)) > 0.1


def test_two_equally_good_actions_are_a_tie_for_kl_and_an_arbitrary_choice_for_nll():
    q, tied = torch.tensor([[1.0, 1.0, 0.0]]), torch.tensor([[3.0, 3.0, -30.0]])
    assert kl_loss(tied, q, 0.01).item() == pytest.approx(0, abs=1e-6)
    assert nll_loss(tied, q).item() == pytest.approx(np.log(2))


def test_gradient_of_kl_is_the_difference_of_the_policies():
    student, q = pair()
    student.requires_grad_()
    kl_loss(student, q, 0.1).backward()
    torch.testing.assert_close(student.grad * len(q), student.detach().softmax(1) - (q / 0.1).softmax(1))


def test_what_all_actions_gain_alike_counts_for_mse_only():
    student, q = pair()
    more = q + torch.arange(7, dtype=torch.double)[:, None]
    for loss in (kl_loss, nll_loss):
        torch.testing.assert_close(loss(student, more), loss(student, q))
    assert mse_loss(student, more) > mse_loss(student, q) + 1


def test_tau_sharpens():
    q = torch.tensor([[0.0, 1.0]])
    assert softened(q, 1.0)[0, 1].item() == pytest.approx(1 / (1 + np.exp(-1)))
    assert softened(q, 0.01)[0, 1] > 0.999 > softened(q, 1.0)[0, 1] > softened(q, 100.0)[0, 1] > 0.5
    assert torch.isfinite(softened(torch.tensor([[1e4, -1e4]]), 1e-3)).all()


@pytest.mark.parametrize("tau", [0, -1, float("inf"), float("nan")])
def test_unusable_temperatures(tau):
    with pytest.raises(ValueError, match="temperature"):
        kl_loss(torch.zeros(2, 3), torch.zeros(2, 3), tau)


@pytest.mark.parametrize("loss", [mse_loss, nll_loss, kl_loss])
def test_losses_refuse_other_shapes(loss):
    for first, second in (((2, 3), (2, 4)), ((2, 3), (1, 3)), ((2, 3), (2, 1)), ((3,), (3,)), ((0, 3), (0, 3))):
        with pytest.raises(ValueError, match=r"give \(B, A\) twice"):
            loss(torch.zeros(first), torch.zeros(second))


def test_demonstrations_are_the_states_acted_in_with_the_teachers_values():
    env, knows = Cards(), teacher()
    shown = demonstrate(knows, env, steps=12, seed=3)
    assert len(shown) == 12 * 8
    acted_in = [state for state in env.seen if (state[:, -1] < env.episode_steps).all()]  # no last one of an episode
    np.testing.assert_array_equal(shown.observations, np.concatenate(acted_in[:12]))
    torch.testing.assert_close(shown.q, knows(torch.from_numpy(shown.observations)))


def test_demonstrations_do_not_change_when_the_game_overwrites_its_observations():
    class Reusing(Cards):
        def drawn(self):
            new = super().drawn()
            self.place = getattr(self, "place", new.copy())
            self.place[:] = new
            return self.place

    plain, reusing = (demonstrate(teacher(), env, steps=9, seed=1) for env in (Cards(), Reusing()))
    np.testing.assert_array_equal(plain.observations, reusing.observations)


def test_how_much_a_teacher_explores():
    for exploration, share in ((0.0, 0.0), (0.3, 0.2), (1.0, 2 / 3)):  # of 3 actions, a random one is often the best
        env, knows = Cards(n=100), teacher()
        shown = demonstrate(knows, env, steps=60, exploration=exploration)
        other = np.concatenate(env.taken) != shown.q.argmax(1).numpy()
        assert other.mean() == pytest.approx(share, abs=0.02 if share else 0)


def test_demonstrations_depend_on_the_seed_only():
    first, again, other = (demonstrate(teacher(), Cards(), steps=20, seed=seed).observations for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("loss", [partial(kl_loss, tau=0.1), nll_loss, mse_loss])
@pytest.mark.parametrize("heads", [1, 2])
def test_a_student_reaches_its_teachers(loss, heads):
    teachers, student = [teacher(seed) for seed in range(heads)], network(heads)
    history = distill(teachers, student, [Cards() for _ in teachers], loss=loss, **QUICK)
    assert np.mean(history.losses[-20:]) < 0.2 * np.mean(history.losses[:20])
    for head, knows in enumerate(teachers):
        assert (student(cards(), head).argmax(1) == knows.q.argmax(1)).all()


def test_mse_copies_values_and_kl_the_policy():
    knows, by_value, by_policy = teacher(), network(), network()
    distill([knows], by_value, [Cards()], loss=mse_loss, **QUICK)
    distill([knows], by_policy, [Cards()], loss=partial(kl_loss, tau=0.5), **QUICK)
    torch.testing.assert_close(by_value(cards()), knows.q, atol=0.1, rtol=0)
    torch.testing.assert_close(by_policy(cards()).softmax(1), softened(knows.q, 0.5), atol=0.05, rtol=0)
    assert (by_policy(cards()) - knows.q).abs().max() > 0.5


def test_one_head_cannot_follow_teachers_that_disagree_on_the_same_states():
    knows = teacher()
    opposite, student = Table(-knows.q), network()
    distill([knows, opposite], student, [Cards(), Cards()], loss=partial(kl_loss, tau=0.1), **QUICK)
    agrees = [(student(cards()).argmax(1) == table.q.argmax(1)).float().mean().item() for table in (knows, opposite)]
    assert max(agrees) < 1


def test_each_game_trains_its_own_head():
    student = network(heads=2)
    before = copy.deepcopy(student.heads)
    shown = demonstrate(teacher(), Cards(), steps=20)
    imitate(student, [shown, shown], updates=1, progress=False)  # the second game's
    changed = [(new.weight != old.weight).any().item() for new, old in zip(student.heads, before, strict=True)]
    assert changed == [False, True]


def test_the_seed_decides_and_the_global_generators_stay():
    shown = [demonstrate(teacher(), Cards(), steps=20)]
    students = [network() for _ in range(3)]
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    losses = [
        imitate(student, shown, seed=seed, updates=30, progress=False).losses
        for student, seed in zip(students, (0, 0, 1), strict=True)
    ]
    assert losses[0] == losses[1] != losses[2]
    assert torch.equal(torch.get_rng_state(), torch_state) and (np.random.get_state()[1] == numpy_state).all()


def test_what_is_measured_and_when():
    student, shown = network(), [demonstrate(teacher(), Cards(), steps=20)]
    first = student(cards())[0, 0].item()
    history = imitate(
        student, shown, updates=25, evaluate=lambda s: s(cards())[0, 0].item(), evaluate_every=10, progress=False
    )
    assert history.updates == [0, 10, 20] and len(history.losses) == 25
    assert history.measured[0] == first != history.measured[-1]


def test_one_batch_is_one_step_of_adam():
    shown = Demonstrations(cards().numpy(), teacher().q)
    student, same = network(), network()
    imitate(student, [shown], loss=mse_loss, updates=1, batch_size=4, lr=1e-3, seed=5, progress=False)
    rows = np.random.default_rng(5).integers(0, 6, 4)
    optimizer = torch.optim.Adam(same.parameters(), lr=1e-3)
    mse_loss(same(cards()[rows]), shown.q[rows]).backward()
    optimizer.step()
    for found, wanted in zip(student.parameters(), same.parameters(), strict=True):
        torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(teachers=[teacher()]), "1 teachers for 2 games"),
        (dict(teachers=[], envs=[]), "no game"),
        (dict(student=network(heads=3)), "3 heads for 2 games"),
        (dict(student=network(heads=2, actions=4)), "head has 4 actions, game 0 has 3"),
        (dict(envs=[Cards(), gymnasium.make_vec("CartPole-v1", 2)]), "SAME_STEP"),
        (dict(updates=0), "updates is 0"),
        (dict(batch_size=0), "batch_size is 0"),
        (dict(lr=0.0), "lr is 0.0"),
        (dict(steps=0), "steps is 0"),
        (dict(exploration=1.5), "exploration is 1.5"),
        (dict(teachers=[teacher(), Table(np.full((6, 3), np.nan))]), "not all finite"),
        (dict(loss=partial(kl_loss, tau=0)), "temperature"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    given = dict(teachers=[teacher(), teacher(1)], student=network(heads=2), envs=[Cards(), Cards()])
    given |= dict(updates=2, steps=2, progress=False) | change
    if "SAME_STEP" in message:
        given["student"] = network(heads=1, actions=2)
        given["envs"] = given["envs"][1:]
        given["teachers"] = given["teachers"][:1]
    with pytest.raises(ValueError, match=message):
        distill(**given)


def test_demonstrations_that_do_not_fit():
    for observations, q in ((np.zeros((3, 2)), torch.zeros(4, 2)), (np.zeros((0, 2)), torch.zeros(0, 2))):
        with pytest.raises(ValueError, match="N at least 1"):
            Demonstrations(observations, q)


def test_a_diverged_student_is_noticed():
    student, shown = network(), [demonstrate(teacher(), Cards(), steps=5)]
    with torch.no_grad():
        student.heads[0].bias.fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="lower learning rate"):
        imitate(student, shown, updates=3, progress=False)
