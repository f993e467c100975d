"""The losses in closed form, and whose states the student learns from."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from tlcourse.actor_mimic import Played, feature_regression, policy_regression, train_actor_mimic, transfer_network
from tlcourse.policy_distillation import kl_loss
from tlcourse.rl.q_networks import QNetwork, mlp_trunk


class Track(VectorEnv):
    """Places 0 to 7, begun at 3; left, right. Whoever goes right for 4 steps is at 7; episodes of 4 steps."""

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}

    def __init__(self, n: int = 4, actions: int = 2):
        self.num_envs = n
        self.single_observation_space, self.single_action_space = Box(0, 1, (8,), np.float32), Discrete(actions)
        self.observation_space = batch_space(self.single_observation_space, n)
        self.action_space = batch_space(self.single_action_space, n)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place, self.age = np.full(self.num_envs, 3), 0
        return self.observed(), {}

    def step(self, actions):
        self.place, self.age = np.clip(self.place + 2 * (actions % 2) - 1, 0, 7), self.age + 1
        ended, infos = np.full(self.num_envs, self.age == 4), {}
        if self.age == 4:
            infos = {"final_obs": self.observed(), "_final_obs": ended}
            self.place, self.age = np.full(self.num_envs, 3), 0
        return self.observed(), np.zeros(self.num_envs), np.zeros(self.num_envs, bool), ended, infos

    def observed(self):
        return np.eye(8, dtype=np.float32)[self.place]


def network(seed=0, heads=1, hidden=(16,), actions=2):
    torch.manual_seed(seed)
    return QNetwork(mlp_trunk(Track().single_observation_space, hidden), actions, heads)


def always(action, hidden=(5,), seed=0):
    """A network that plays one action everywhere."""
    chosen = network(seed, hidden=hidden)
    with torch.no_grad():
        chosen.heads[0].weight.zero_()
        chosen.heads[0].bias.copy_(F.one_hot(torch.tensor(action), 2) * 5.0)
    return chosen


def pair(seed=0):
    torch.manual_seed(seed)
    return torch.randn(7, 4, dtype=torch.double), torch.randn(7, 4, dtype=torch.double)


PLACES = torch.eye(8)
QUICK = dict(updates=200, warmup=40, batch_size=32, lr=2e-2, progress=False)


def test_policy_regression_is_the_kl_divergence_and_the_experts_entropy():
    student, q = pair()
    entropy = torch.distributions.Categorical(logits=q / 0.5).entropy().mean()
    torch.testing.assert_close(policy_regression(student, q, 0.5), kl_loss(student, q, 0.5) + entropy)


def test_policy_regression_worked_by_hand():
    student, q = torch.tensor([[0.0, 1.0]]), torch.tensor([[np.log(3.0), 0.0]])
    partition = np.log(1 + np.e)
    assert policy_regression(student, q).item() == pytest.approx(0.75 * partition + 0.25 * (partition - 1))


def test_gradient_of_policy_regression_is_the_difference_of_the_policies():
    student, q = pair()
    student.requires_grad_()
    policy_regression(student, q, 2.0).backward()
    torch.testing.assert_close(student.grad * len(q), student.detach().softmax(1) - (q / 2).softmax(1))


def test_policy_regression_is_least_where_the_policies_are_equal():
    student, q = pair()
    least = policy_regression(q / 0.3 - 2, q, 0.3)
    assert policy_regression(student, q, 0.3) > least > 0


def test_feature_regression_sums_over_features_and_averages_over_states():
    predicted, features = torch.zeros(2, 3), torch.tensor([[1.0, 2.0, 2.0], [0.0, 0.0, 3.0]])
    assert feature_regression(predicted, features).item() == pytest.approx((9 + 9) / 2)


def test_losses_refuse_other_shapes_and_temperatures():
    for loss in (policy_regression, feature_regression):
        for first, second in (((2, 3), (2, 4)), ((2, 3), (1, 3)), ((3,), (3,)), ((0, 3), (0, 3))):
            with pytest.raises(ValueError, match="twice"):
                loss(torch.zeros(first), torch.zeros(second))
    for tau in (0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="temperature"):
            policy_regression(torch.zeros(2, 3), torch.zeros(2, 3), tau)


def test_the_student_plays_and_the_expert_does_not():
    """The student goes left, the expert would go right: what is kept lies on the left."""
    game = Played(Track(), capacity=100, seed=0)
    for _ in range(8):
        game.play(always(0), 0, exploration=0.0)
    places = game.states[: len(game)].argmax(1)
    assert len(game) == 32 and set(places) == {3, 2, 1, 0}
    assert set(game.sample(200).argmax(1).tolist()) == {3, 2, 1, 0}


def test_the_expert_says_what_to_do_where_the_student_gets_to():
    """A student that errs learns the way back, in places to which the expert would never lead it."""
    expert, student = always(1), always(0, hidden=(16,))  # learns from where it is: on the left
    train_actor_mimic([expert], student, [Track()], exploration=(0.0, 0.0), **QUICK)
    assert (student(PLACES)[:4].argmax(1) == 1).all()


def test_the_oldest_states_make_room():
    game = Played(Track(n=4), capacity=10, seed=0)
    for _ in range(3):
        game.play(always(0), 0, exploration=0.0)
    assert len(game) == 10 and game.seen == 12
    assert sorted(game.states.argmax(1).tolist()) == [1] * 4 + [2] * 4 + [3] * 2


def test_exploration_falls_from_the_first_to_the_last():
    class Counting(Track):
        def step(self, actions):
            self.taken = [*getattr(self, "taken", []), actions.mean()]
            return super().step(actions)

    env = Counting(n=200)
    settings = dict(updates=40, warmup=200, updates_per_step=2, exploration=(1.0, 0.0), exploration_share=0.5)
    train_actor_mimic([always(0)], always(0), [env], lr=1e-6, progress=False, **settings)
    assert len(env.taken) == 21 and env.taken[0] == pytest.approx(0.5, abs=0.15)  # one step to warm up, then 40 / 2
    assert env.taken[5] == pytest.approx(0.5 * (1 - 9 / 20), abs=0.1) and max(env.taken[11:]) == 0


@pytest.mark.parametrize("beta", [0.0, 0.1])
def test_the_student_acts_as_each_expert_in_its_game(beta):
    experts, student = [network(1), network(2, hidden=(5,))], network(0, heads=2)
    train_actor_mimic(experts, student, [Track(), Track()], beta=beta, tau=0.05, **QUICK)
    for head, expert in enumerate(experts):
        assert (student(PLACES, head).argmax(1) == expert(PLACES).argmax(1))[:7].all()


def test_feature_regression_puts_the_experts_features_into_the_students():
    """How well the expert's features follow linearly from the student's, with and without it, on the same places."""
    left = {}
    for beta in (0.0, 1.0):
        expert, student = network(3, hidden=(12,)), network(0, hidden=(6,))
        train_actor_mimic([expert], student, [Track(n=16)], beta=beta, exploration=(1.0, 1.0), **QUICK)
        with torch.no_grad():
            seen = torch.cat([student.features(PLACES), torch.ones(8, 1)], 1)[:8]
            wanted = expert.features(PLACES)
            left[beta] = (wanted - seen @ torch.linalg.pinv(seen, rtol=1e-3) @ wanted).square().sum().item()
    assert left[1.0] < 0.5 * left[0.0]


def test_the_maps_are_not_part_of_the_student():
    student = network(0)
    names = set(student.state_dict())
    history = train_actor_mimic([network(1, hidden=(9,))], student, [Track()], beta=0.1, **QUICK | dict(updates=20))
    assert set(student.state_dict()) == names and len(history.losses) == 20


def test_experts_stay_as_they_are():
    expert = network(1)
    before = [weights.clone() for weights in expert.parameters()]
    train_actor_mimic([expert], network(0), [Track()], **QUICK | dict(updates=10))
    assert all(torch.equal(new, old) for new, old in zip(expert.parameters(), before, strict=True))
    assert all(weights.grad is None for weights in expert.parameters())


def test_the_seed_decides_and_the_global_generator_stays():
    students, expert = [network() for _ in range(3)], always(1)
    state = torch.get_rng_state()
    losses = [
        train_actor_mimic([expert], student, [Track()], seed=seed, **QUICK | dict(updates=20)).losses
        for student, seed in zip(students, (0, 0, 1), strict=True)
    ]
    assert losses[0] == losses[1] != losses[2] and torch.equal(torch.get_rng_state(), state)


def test_what_is_measured_and_when():
    history = train_actor_mimic(
        [always(1)], network(), [Track()], evaluate=lambda student: student.width, evaluate_every=10, **QUICK
    )
    assert history.updates == list(range(0, 201, 10)) and history.measured == [16] * 21


def test_transfer_keeps_the_trunk_and_begins_a_new_head():
    student = network(heads=3)
    new = transfer_network(student, 5)
    torch.testing.assert_close(new.features(PLACES), student.features(PLACES))
    assert len(new.heads) == 1 and new(PLACES).shape == (8, 5)
    with torch.no_grad():
        new.trunk[2].weight.zero_()
    assert student.trunk[2].weight.abs().sum() > 0  # a copy
    same, other = transfer_network(student, 5), transfer_network(student, 5, seed=1)
    assert not torch.equal(same.heads[0].weight, other.heads[0].weight)


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(experts=[always(0)]), "1 teachers for 2 games"),
        (dict(student=network()), "one head for 2 games"),
        (dict(student=network(heads=3)), "3 heads for 2 games"),
        (dict(student=network(heads=2, actions=3)), "head has 3 actions, game 0 has 2"),
        (dict(beta=-1), "beta is -1"),
        (dict(tau=0), "temperature"),
        (dict(updates=0), "updates is 0"),
        (dict(warmup=0), "warmup is 0"),
        (dict(lr=float("inf")), "lr is inf"),
        (dict(exploration=(1.0, 2.0)), "exploration is"),
        (dict(exploration_share=-0.1), "exploration is"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    given = dict(experts=[always(0), always(1)], student=network(heads=2), envs=[Track(), Track()])
    with pytest.raises(ValueError, match=message):
        train_actor_mimic(**given | dict(updates=2, progress=False) | change)
