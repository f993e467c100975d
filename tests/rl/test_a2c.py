"""A2C: its returns and its loss against definitions, and that it learns, the same from the same seed."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from torch import nn

from tlcourse.rl.a2c import PolicyValueNetwork, _gather, a2c_loss, n_step_returns, train_a2c
from tlcourse.rl.q_networks import mlp_trunk


class Chain(VectorEnv):
    """States 0 to 4, begun at 2; left and right. The right end gives 1, the left one 0.3, and both are terminal; or
    with `terminal=False` the right end gives 1 for ever, until the time is over."""

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}

    def __init__(self, n, episode_steps=12, terminal=True, actions=None):
        self.num_envs, self.episode_steps, self.terminal = n, episode_steps, terminal
        self.single_observation_space = Box(0, 1, (5,), np.float32)
        self.single_action_space = actions or Discrete(2)
        self.observation_space = batch_space(self.single_observation_space, n)
        self.action_space = batch_space(self.single_action_space, n)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.state, self.age = np.full(self.num_envs, 2), np.zeros(self.num_envs, int)
        return np.eye(5, dtype=np.float32)[self.state], {}

    def step(self, actions):
        self.state = np.clip(self.state + 2 * actions - 1, 0, 4)
        self.age += 1
        rewards = np.where(self.state == 4, 1, np.where(self.state == 0, 0.3, 0))
        terminated = self.terminal & np.isin(self.state, (0, 4))
        truncated = ~terminated & (self.age >= self.episode_steps)
        ended, infos = terminated | truncated, {}
        if ended.any():
            final = np.zeros((self.num_envs, 5), np.float32)
            final[ended] = np.eye(5)[self.state[ended]]
            infos = {"final_obs": final, "_final_obs": ended}
            self.state[ended], self.age[ended] = 2, 0
        return np.eye(5, dtype=np.float32)[self.state], rewards, terminated, truncated, infos


class Bandit(VectorEnv):
    """One state, an episode of one step; action a brings a reward of a normal distribution about means[a]."""

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}

    def __init__(self, n, means):
        self.num_envs, self.means = n, np.array(means)
        self.single_observation_space, self.single_action_space = Box(0, 1, (1,), np.float32), Discrete(len(means))
        self.observation_space = batch_space(self.single_observation_space, n)
        self.action_space = batch_space(self.single_action_space, n)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.ones((self.num_envs, 1), np.float32), {}

    def step(self, actions):
        rewards, yes = self.np_random.normal(self.means[actions], 0.3), np.ones(self.num_envs, bool)
        state = np.ones((self.num_envs, 1), np.float32)
        return state, rewards, yes, ~yes, {"final_obs": state, "_final_obs": yes}


def new_network(env, hidden=(32,), seed=0):
    torch.manual_seed(seed)
    return PolicyValueNetwork(mlp_trunk(env.single_observation_space, hidden), int(env.single_action_space.n))


def test_returns_worked_by_hand():
    rewards = torch.tensor([[1.0, 1.0, 1.0], [2.0, 2.0, 2.0], [4.0, 4.0, 4.0]])
    next_values = torch.tensor([[10.0, 20.0, 30.0], [40.0, 50.0, 60.0], [80.0, 90.0, 100.0]])
    ended = torch.tensor([[False, False, False], [False, True, True], [False, False, False]])
    terminated = torch.tensor([[False, False, False], [False, True, False], [False, False, False]])
    found = n_step_returns(rewards, next_values, terminated, ended, 0.5)
    last = [4 + 0.5 * 80, 4 + 0.5 * 90, 4 + 0.5 * 100]
    middle = [2 + 0.5 * last[0], 2, 2 + 0.5 * 60]  # goes on; is over; is cut off: what would have come is V's
    torch.testing.assert_close(found, torch.tensor([[1 + 0.5 * x for x in middle], middle, last]))


def test_returns_are_the_definition_whatever_ends():
    generator = torch.Generator().manual_seed(0)
    rewards, next_values = torch.randn(2, 9, 6, generator=generator, dtype=torch.float64)
    terminated = torch.rand(9, 6, generator=generator) < 0.2
    ended = terminated | (torch.rand(9, 6, generator=generator) < 0.2)
    found = n_step_returns(rewards, next_values, terminated, ended, 0.9)
    for i in range(6):
        for t in range(9):
            last = next((s for s in range(t, 9) if ended[s, i]), 8)
            value = sum(0.9 ** (s - t) * rewards[s, i] for s in range(t, last + 1))
            value += 0.9 ** (last + 1 - t) * next_values[last, i] * ~terminated[last, i]
            assert found[t, i].item() == pytest.approx(value.item())


def test_the_gradient_of_the_loss_is_the_policy_gradient():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(7, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    values = torch.randn(7, generator=generator, dtype=torch.float64, requires_grad=True)
    returns = torch.randn(7, generator=generator, dtype=torch.float64)
    actions, weight = torch.randint(0, 3, (7,), generator=generator), 0.3
    a2c_loss(logits, values, actions, returns, weight).backward()
    pi, advantages = logits.detach().softmax(1), returns - values.detach()
    entropy = -(pi * pi.log()).sum(1, keepdim=True)
    one_hot = nn.functional.one_hot(actions, 3)
    # d log pi(a) / d logit_j = 1[j = a] - pi_j, and dH / d logit_j = -pi_j (log pi_j + H)
    expected = -(one_hot - pi) * advantages[:, None] + weight * pi * (pi.log() + entropy)
    torch.testing.assert_close(logits.grad, expected / 7)
    torch.testing.assert_close(values.grad, -advantages / 7)  # none of it comes from the policy's term


def test_the_loss_of_a_sure_policy_is_finite():
    logits = torch.tensor([[1000.0, -1000.0]], requires_grad=True)
    loss = a2c_loss(logits, torch.zeros(1), torch.tensor([0]), torch.ones(1))
    loss.backward()
    assert loss.item() == pytest.approx(0.5) and logits.grad.isfinite().all()


@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "time limit"])
def test_a_rollout_values_the_states_that_were_reached(terminal):
    env, gamma = Chain(16, episode_steps=3, terminal=terminal), 0.5
    network = new_network(env)
    observations, running = env.reset(seed=0)[0], np.zeros(16)
    torch.manual_seed(1)
    _, finished, (seen, actions, returns) = _gather(env, network, observations, running, 4, gamma)
    values = dict(enumerate(network(torch.eye(5))[1].tolist()))
    states, actions = seen.view(4, 16, 5).argmax(2), actions.view(4, 16)
    rewards, total = [0.3, 0, 0, 0, 1], []
    for i in range(16):
        state, age = 2, 0
        path = []  # (reward, what follows if the sum stops here, whether the episode ends)
        for t in range(4):
            assert states[t, i] == state
            state, age = min(max(state + 2 * actions[t, i].item() - 1, 0), 4), age + 1
            over, cut = terminal and state in (0, 4), age == 3
            path.append((rewards[state], 0 if over else values[state], over or cut))
            if over or cut:
                state, age = 2, 0
        later = path[-1][1]
        for t in reversed(range(4)):
            later = path[t][0] + gamma * (path[t][1] if path[t][2] else later)
            assert returns.view(4, 16)[t, i].item() == pytest.approx(later, abs=1e-6)
        ends = [t for t in range(4) if path[t][2]]
        total.append(sum(reward for reward, *_ in path[max(ends, default=-1) + 1 :]))
        assert ends
    assert running == pytest.approx(total)  # of the episodes that go on
    assert len(finished) >= 16


def test_it_finds_the_best_arm_of_a_bandit_and_its_mean():
    env = Bandit(32, [0.2, 1.0, 0.5])
    network = new_network(env, (8,))
    train_a2c(env, network, steps=32 * 120, rollout=1, lr=2e-2, progress=False)
    logits, values = network(torch.ones(1, 1))
    assert network.act(np.ones((4, 1), np.float32)).tolist() == [1] * 4
    assert logits.softmax(1)[0, 1] > 0.95 and values.item() == pytest.approx(1.0, abs=0.15)


def test_it_prefers_the_larger_reward_of_a_chain_and_values_it():
    env = Chain(32)
    network = new_network(env)
    curve = train_a2c(env, network, steps=32 * 5 * 70, lr=1e-2, gamma=0.9, progress=False)
    states = np.eye(5, dtype=np.float32)[1:4]
    assert network.act(states).tolist() == [1, 1, 1]
    values = network(torch.from_numpy(states))[1].tolist()
    assert values[1:] == pytest.approx([0.9, 1.0], abs=0.15)  # gamma^(steps - 1)
    assert curve.returns[0] < 0.85 < 0.95 < curve.returns[-1]
    assert curve.steps == sorted(curve.steps) and curve.steps[-1] <= 32 * 5 * 70


def test_a_time_limit_does_not_lower_the_value():
    """Where the right end pays 1 for ever, V approaches 1 / (1 - gamma), beyond the four steps that an episode has."""
    env = Chain(32, episode_steps=4, terminal=False)
    network = new_network(env)
    train_a2c(env, network, steps=32 * 2 * 140, rollout=2, lr=1e-2, gamma=0.8, progress=False)
    assert network(torch.eye(5))[1][4].item() == pytest.approx(1 / (1 - 0.8), rel=0.2)


def test_a_large_weight_of_the_entropy_keeps_the_policy_undecided():
    env = Bandit(32, [0.2, 1.0, 0.5])
    network = new_network(env, (8,))
    train_a2c(env, network, steps=32 * 120, rollout=1, lr=2e-2, entropy_weight=1.0, progress=False)
    pi = network(torch.ones(1, 1))[0].softmax(1)[0]
    # The expected reward plus the entropy is the largest where pi is proportional to exp(mean of the reward).
    torch.testing.assert_close(pi, torch.tensor([0.2, 1.0, 0.5]).softmax(0), atol=0.05, rtol=0)


def test_the_same_seed_gives_the_same_network_and_leaves_chance_alone():
    networks = [new_network(Chain(8)) for _ in range(3)]
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    curves = [
        train_a2c(Chain(8), network, steps=400, seed=seed, progress=False)
        for network, seed in zip(networks, (1, 1, 2), strict=True)
    ]
    one, same, other = (nn.utils.parameters_to_vector(network.parameters()) for network in networks)
    assert torch.equal(one, same) and curves[0] == curves[1] and not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), before) and torch.get_num_threads() == threads


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (dict(steps=0), "steps is 0"),
        (dict(rollout=0), "rollout is 0"),
        (dict(lr=0.0), "lr is 0.0"),
        (dict(gamma=1.5), "gamma is 1.5"),
        (dict(entropy_weight=-1.0), "entropy_weight is -1.0"),
    ],
)
def test_unusable_settings_are_refused(settings, told):
    env = Chain(2)
    with pytest.raises(ValueError, match=told):
        train_a2c(env, new_network(env), **{"steps": 10, "progress": False} | settings)


def test_other_environments_and_networks_are_refused():
    network = new_network(Chain(2))
    with pytest.raises(ValueError, match="SAME_STEP"):
        train_a2c(gymnasium.make_vec("CartPole-v1", 2), network, steps=10)
    with pytest.raises(ValueError, match="needs a Box and a Discrete"):
        train_a2c(Chain(2, actions=Box(-1, 1, (1,))), network, steps=10)
    with pytest.raises(ValueError, match="the network has 2 actions, the environment 3"):
        train_a2c(Chain(2, actions=Discrete(3)), network, steps=10)
    with pytest.raises(ValueError, match="no linear layer"):
        PolicyValueNetwork(nn.Flatten(), 2)


def test_a_learning_rate_that_is_far_too_high_is_noticed():
    env = Chain(8)
    with pytest.raises(FloatingPointError, match="lower learning rate"):
        train_a2c(env, new_network(env), steps=8 * 5 * 50, lr=1e30, progress=False)
