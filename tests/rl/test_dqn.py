"""DQN learns what can be worked out by hand, and the replay buffer keeps what it is given."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from tlcourse.rl.dqn import ReplayBuffer, q_targets, train_dqn
from tlcourse.rl.q_networks import QNetwork, mlp_trunk


class Corridor(VectorEnv):
    """States 0 to 4, begun at random; left and right. The right end gives 1 and is terminal, or the time is over."""

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}

    def __init__(self, n: int, episode_steps: int = 10**9, terminal: bool = True):
        self.num_envs, self.episode_steps, self.terminal = n, episode_steps, terminal
        self.single_observation_space, self.single_action_space = Box(0, 1, (5,), np.float32), Discrete(2)
        self.observation_space = batch_space(self.single_observation_space, n)
        self.action_space = batch_space(self.single_action_space, n)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.state, self.age = self.np_random.integers(0, 4, self.num_envs), np.zeros(self.num_envs, int)
        return self.observed(), {}

    def step(self, actions):
        self.state = np.clip(self.state + 2 * actions - 1, 0, 4)
        self.age += 1
        there = self.state == 4
        terminated = there if self.terminal else np.zeros_like(there)
        truncated = ~terminated & (self.age >= self.episode_steps)
        ended, infos = terminated | truncated, {}
        if ended.any():
            infos = {"final_obs": self.observed(), "_final_obs": ended}
            self.state[ended], self.age[ended] = self.np_random.integers(0, 4, ended.sum()), 0
        return self.observed(), there.astype(float), terminated, truncated, infos

    def observed(self):
        return np.eye(5, dtype=np.float32)[self.state]


def corridor_network(seed=0):
    torch.manual_seed(seed)
    return QNetwork(mlp_trunk(Box(0, 1, (5,)), (32,)), 2)


def learned(network):
    return network(torch.eye(5)).detach()


SHORT = dict(updates=600, warmup=200, target_every=20, batch_size=64, lr=3e-3, progress=False)


def test_targets_worked_by_hand():
    rewards, terminated = torch.tensor([1.0, 0.0, 2.0]), torch.tensor([False, False, True])
    target, online = torch.tensor([[3.0, 5.0], [1.0, -2.0], [9.0, 9.0]]), torch.tensor([[4.0, 0.0], [0.0, 1.0], [0, 0]])
    assert q_targets(rewards, terminated, target, 0.5).tolist() == [3.5, 0.5, 2.0]
    assert q_targets(rewards, terminated, target, 0.5, online).tolist() == [2.5, -1.0, 2.0]


def test_the_double_estimate_is_not_too_large_on_average():
    torch.manual_seed(0)
    zeros = torch.zeros(20_000)  # all values are 0, and both networks see them with independent errors
    errors, others = torch.randn(2, 20_000, 4)
    single = q_targets(zeros, zeros.bool(), errors, 1.0)
    double = q_targets(zeros, zeros.bool(), errors, 1.0, others)
    assert single.mean() == pytest.approx(1.03, abs=0.05)  # the mean of the largest of four standard normal numbers
    assert double.mean() == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("double", [False, True])
def test_it_learns_the_values_of_a_corridor(double):
    network = corridor_network()
    train_dqn(Corridor(8), network, gamma=0.5, double=double, exploration=(1.0, 1.0), **SHORT)
    q = learned(network)
    # To the right from state 3 gives 1; each step further away halves it. Left of 0 is 0 again.
    right, left = torch.tensor([0.125, 0.25, 0.5, 1.0]), torch.tensor([0.0625, 0.0625, 0.125, 0.25])
    torch.testing.assert_close(q[:4, 1], right, atol=0.05, rtol=0)
    torch.testing.assert_close(q[:4, 0], left, atol=0.05, rtol=0)
    assert (network.act(np.eye(5, dtype=np.float32)[:4]) == 1).all()


def test_what_a_time_limit_cuts_off_still_counts():
    network = corridor_network()
    # The right end gives 1 in every step and is not terminal: worth 1 / (1 - 0.5) = 2, however short the episodes.
    env = Corridor(8, episode_steps=2, terminal=False)
    train_dqn(env, network, gamma=0.5, exploration=(1.0, 1.0), **SHORT | {"updates": 1_000})
    assert learned(network)[3, 1] == pytest.approx(2, abs=0.1)


def test_a_seed_gives_the_same_network_and_leaves_torch_alone():
    state, threads = torch.random.get_rng_state(), torch.get_num_threads()
    networks = [corridor_network(), corridor_network()]
    state = torch.random.get_rng_state()
    curves = [train_dqn(Corridor(4), network, seed=3, **SHORT | {"updates": 20}) for network in networks]
    assert torch.equal(*map(learned, networks)) and curves[0] == curves[1]
    assert torch.equal(torch.random.get_rng_state(), state) and torch.get_num_threads() == threads


def test_the_curve_has_what_was_measured_and_when():
    network, seen = corridor_network(), []
    first = learned(network)

    def measure(network):
        seen.append(learned(network))
        return len(seen)

    settings = SHORT | {"updates": 50, "warmup": 8}
    curve = train_dqn(Corridor(4), network, evaluate=measure, evaluate_every=20, updates_per_step=1, **settings)
    assert curve.updates == [0, 20, 40] and curve.returns == [1, 2, 3]
    assert curve.steps == [0, 8 + 4 * 19, 8 + 4 * 39]  # four instances, one update a step, the first one at 8 steps
    assert torch.equal(seen[0], first) and not torch.equal(seen[1], seen[2])


def test_only_the_chosen_head_learns_and_a_frozen_trunk_stays():
    network = QNetwork(mlp_trunk(Box(0, 1, (5,)), (8,)), 2, heads=2)
    network.trunk.requires_grad_(False)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    train_dqn(Corridor(4), network, head=1, **SHORT | {"updates": 5})
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"heads.1.weight", "heads.1.bias"}


def test_the_buffer_keeps_the_newest_and_draws_all_of_them():
    buffer = ReplayBuffer(4, Box(0, 255, (2,), np.uint8))
    for k in range(3):
        observations = np.full((2, 2), 10 * k, np.uint8)
        buffer.add(observations, np.array([k, k]), np.array([k, k + 0.5]), observations + 1, np.array([False, True]))
    assert len(buffer) == 4
    observations, actions, rewards, following, terminated = buffer.sample(200, np.random.default_rng(0))
    assert observations.dtype == torch.uint8 and set(actions.tolist()) == {1, 2}  # of k = 0 nothing is left
    assert torch.equal(observations[:, 0], 10 * actions) and torch.equal(following, observations + 1)
    assert torch.equal(rewards, actions + 0.5 * terminated)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"updates": 0}, "updates is 0; give 1 or more"),
        ({"lr": float("nan")}, "lr is nan"),
        ({"gamma": 1.5}, "gamma is 1.5; give a number from 0 to 1"),
        ({"exploration": (2.0, 0.1)}, "exploration is"),
        ({"head": 1}, "head is 1; the network has heads 0 to 0"),
    ],
)
def test_unusable_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        train_dqn(Corridor(2), corridor_network(), **SHORT | settings)


def test_an_environment_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="does not begin new episodes in the step"):
        train_dqn(gymnasium.make_vec("CartPole-v1", 2), corridor_network(), **SHORT)
    with pytest.raises(ValueError, match="no vector environment"):
        train_dqn(gymnasium.make("CartPole-v1"), corridor_network(), **SHORT)
    with pytest.raises(ValueError, match="the head has 3 actions, the environment 2"):
        train_dqn(Corridor(2), QNetwork(mlp_trunk(Box(0, 1, (5,))), 3), **SHORT)
    with pytest.raises(ValueError, match="empty"):
        ReplayBuffer(4, Box(0, 1, (2,))).sample(1, np.random.default_rng(0))


def test_a_loss_that_is_no_number_is_an_error():
    network = corridor_network()
    with torch.no_grad():
        network.heads[0].bias.fill_(float("inf"))
    with pytest.raises(FloatingPointError, match="lower learning rate"):
        train_dqn(Corridor(4), network, **SHORT)
