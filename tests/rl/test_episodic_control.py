"""Episodic control against tables worked out by hand, and that it learns, the same from the same seed."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from tlcourse.rl.episodic_control import (
    EpisodicControl,
    Table,
    discounted_returns,
    random_projection,
    train_episodic_control,
)


class Corridor(VectorEnv):
    """States 0 to 4, begun at 0; left and right. The right end gives 1 and is terminal. The time limit of instance i
    is `limits[i]` steps. It keeps what was played: (states, actions, rewards, ended) of each step."""

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}

    def __init__(self, limits):
        self.num_envs, self.limits, self.played = len(limits), np.array(limits), []
        self.single_observation_space, self.single_action_space = Box(0, 1, (5,), np.float32), Discrete(2)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.state, self.age = np.zeros((2, self.num_envs), int)
        return np.eye(5, dtype=np.float32)[self.state], {}

    def step(self, actions):
        before = self.state.copy()
        self.state = np.clip(self.state + 2 * actions - 1, 0, 4)
        self.age += 1
        rewards, terminated = (self.state == 4).astype(float), self.state == 4
        truncated = ~terminated & (self.age >= self.limits)
        ended, infos = terminated | truncated, {}
        if ended.any():
            infos = {"final_obs": np.eye(5, dtype=np.float32)[self.state], "_final_obs": ended}
            self.state[ended] = self.age[ended] = 0
        self.played.append((before, actions, rewards, ended))
        return np.eye(5, dtype=np.float32)[self.state], rewards, terminated, truncated, infos


def line(*numbers):
    """States on a line, as embeddings (m, 1)."""
    return np.array(numbers, np.float32)[:, None]


def table_of(states, values, capacity=10):
    table = Table(capacity)
    table.update(line(*states), np.array(values, np.float32))
    return table


def test_a_known_state_keeps_its_best_return():
    table = table_of([1, 2, 1, 2], [3, 5, 7, 4])
    assert len(table) == 2
    table.update(line(1), np.array([6.0]))
    assert table.look_up(line(1, 2), k=2).tolist() == [7, 5]


def test_a_new_state_is_worth_the_mean_of_its_nearest():
    table = table_of([0, 1, 3, 10], [1, 2, 6, 100])
    assert table.look_up(line(1.5), k=1).tolist() == [2]
    assert table.look_up(line(1.5), k=2).tolist() == [4]  # 1 and 3: distances 0.5 and 1.5, as 0
    assert table.look_up(line(1.6, 9), k=3).tolist() == pytest.approx([3, 36])
    assert table.look_up(line(1), k=3).tolist() == [2]  # a known one asks nobody


def test_with_fewer_than_k_entries_all_count():
    assert table_of([0, 5], [1, 4]).look_up(line(-3, 9), k=11).tolist() == [2.5, 2.5]


def test_the_entry_that_was_updated_longest_ago_makes_room():
    table = table_of([0, 1, 2], [10, 11, 12], capacity=3)
    table.update(line(0), np.array([1.0]))  # lower, so the value stays; but 1 is the oldest now
    table.update(line(3), np.array([13.0]))
    assert len(table) == 3
    assert table.look_up(line(0, 2, 3), k=1).tolist() == [10, 12, 13]
    assert table.look_up(line(1), k=3).tolist() == pytest.approx([35 / 3])  # gone: the mean of the others
    table.update(line(4, 5), np.array([14.0, 15.0]))
    assert sorted(table.keys[:, 0]) == [0 + 3, 4, 5] and sorted(table.values) == [13, 14, 15]


def test_states_are_the_same_within_the_error_of_arithmetic_only():
    table = table_of([1.0, 1.0 + 1e-6, -1e-9, 0.0, 1.01], [1, 2, 3, 4, 5])
    assert len(table) == 3 and table.look_up(line(1, 0, 1.01), k=1).tolist() == [2, 4, 5]


def test_an_untried_action_is_tried_and_of_equal_ones_the_first_is_taken():
    agent = EpisodicControl(lambda x: x, actions=3, k=2)
    state = line(1)
    assert agent.act(state).tolist() == [0]
    agent.remember(state, np.array([0]), np.array([5.0]))
    assert agent.act(state).tolist() == [1]
    agent.remember(line(1, 1), np.array([1, 2]), np.array([5.0, 4.0]))
    assert agent.values(state).tolist() == [[5, 5, 4]] and agent.act(state).tolist() == [0]
    agent.remember(state, np.array([2]), np.array([6.0]))
    assert agent.act(state).tolist() == [2]


def test_each_action_has_a_table_of_its_own():
    agent = EpisodicControl(lambda x: x, actions=2, k=2)
    agent.remember(line(0, 1, 2, 5), np.array([0, 0, 0, 1]), np.array([1.0, 2.0, 3.0, 9.0]))
    assert [len(table) for table in agent.tables] == [3, 1]
    assert agent.values(line(0, 1.6, 7)).tolist() == [[1, 9], [2.5, 9], [2.5, 9]]
    assert agent.act(line(0, 7)).tolist() == [1, 1]


def test_discounted_returns_worked_by_hand():
    rewards = np.array([[1, 0], [0, 0], [4, 8]])
    assert discounted_returns(rewards, 0.5).tolist() == [[2, 2], [2, 4], [4, 8]]


def test_a_projection_keeps_distances_on_average():
    space = Box(0, 255, (3, 8, 8), np.uint8)
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (40, *space.shape), np.uint8))
    before = torch.pdist(images.flatten(1) / 255)
    ratios = torch.stack([torch.pdist(random_projection(space, 64, seed)(images)) / before for seed in range(20)])
    assert ratios.square().mean().item() == pytest.approx(1, abs=0.02)
    # A squared norm has the relative variance 2/D, a norm about a quarter of that.
    assert ratios.std().item() == pytest.approx((1 / 128) ** 0.5, rel=0.15)


def brute_force_tables(played, gamma, instances):
    """The best return of each (state, action), from definitions: an episode's rewards, each discounted on its own."""
    best = {}
    for i in range(instances):
        episode = []
        for states, actions, rewards, ended in played:
            episode.append((states[i], actions[i], rewards[i]))
            if ended[i]:
                for t, (state, action, _) in enumerate(episode):
                    value = sum(gamma**s * reward for s, (_, _, reward) in enumerate(episode[t:]))
                    best[state, action] = max(best.get((state, action), -np.inf), value)
                episode = []
    return best


@pytest.mark.parametrize("limits", [[7, 7], [5, 8, 13]], ids=["together", "staggered"])
def test_what_is_remembered_are_the_returns_of_whole_episodes(limits):
    env = Corridor(limits)
    agent, curve = train_episodic_control(env, steps=100 * len(limits), embed=lambda x: x, gamma=0.8, progress=False)
    best = brute_force_tables(env.played, 0.8, len(limits))
    assert {reward for *_, rewards, _ in env.played for reward in rewards} == {0, 1}  # both kinds of ends occurred
    for action, table in enumerate(agent.tables):
        states = table.keys[: len(table)].argmax(1)
        found = dict(zip(states.tolist(), table.values[: len(table)].tolist(), strict=True))
        assert found == pytest.approx({state: value for (state, a), value in best.items() if a == action})
    ends = [t for t, (*_, ended) in enumerate(env.played) if ended.any()]
    assert curve.steps == [(t + 1) * len(limits) for t in ends]
    assert curve.returns == pytest.approx([env.played[t][2][env.played[t][3]].mean() for t in ends])


def test_it_learns_the_corridor():
    agent, curve = train_episodic_control(Corridor([20] * 8), steps=1600, gamma=0.9, progress=False)
    assert agent.act(np.eye(5, dtype=np.float32)[:4]).tolist() == [1, 1, 1, 1]
    best = agent.values(agent.embedded(np.eye(5, dtype=np.float32)[:4]))[:, 1]
    np.testing.assert_allclose(best, 0.9 ** np.arange(3, -1, -1), rtol=1e-5)
    assert np.mean(curve.returns[-10:]) > 0.9


def test_the_same_seed_gives_the_same_agent_and_leaves_chance_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    (one, curve), (same, again), (other, _) = (
        train_episodic_control(Corridor([9, 12]), steps=200, seed=seed, progress=False) for seed in (1, 1, 2)
    )
    assert curve == again
    for table, twin in zip(one.tables, same.tables, strict=True):
        np.testing.assert_array_equal(table.keys[: len(table)], twin.keys[: len(twin)])
    assert not np.array_equal(one.tables[0].keys[0], other.tables[0].keys[0])
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (dict(steps=0), "steps is 0"),
        (dict(k=0), "k is 0"),
        (dict(capacity=0), "capacity is 0"),
        (dict(gamma=1.1), "gamma is 1.1"),
        (dict(exploration=(1.0, 2.0)), "two probabilities"),
        (dict(exploration_share=-1), "exploration_share is -1"),
    ],
)
def test_unusable_settings_are_refused(settings, told):
    with pytest.raises(ValueError, match=told):
        train_episodic_control(Corridor([9]), **{"steps": 10, "progress": False} | settings)


def test_other_environments_are_refused():
    with pytest.raises(ValueError, match="SAME_STEP"):
        train_episodic_control(gymnasium.make_vec("CartPole-v1", 2), steps=10)
    env = Corridor([9])
    env.single_action_space = Box(-1, 1, (1,))
    with pytest.raises(ValueError, match="needs a Box and a Discrete"):
        train_episodic_control(env, steps=10)
    with pytest.raises(ValueError, match="dimensions is 0"):
        random_projection(env.single_observation_space, 0)
