"""Latency delays by exactly its steps, noise has the stated deviation, and new episodes know nothing of the old."""

import gymnasium
import numpy as np
import pytest

from tlcourse.robots.imperfections import Latency, SensorNoise
from tlcourse.robots.inverted_pendulum import InvertedPendulum
from tlcourse.robots.lifting_arm import LiftingArm


class Recorder(gymnasium.vector.VectorWrapper):
    """Keeps the actions that arrive."""

    def step(self, actions):
        self.arrived = np.array(actions)
        return self.env.step(actions)

    @property
    def physics(self):
        return self.env.physics

    def set_physics(self, where=None, **values):
        self.env.set_physics(where, **values)


def test_each_action_arrives_exactly_so_many_steps_later():
    recorder, latencies = Recorder(LiftingArm(4)), np.array([0, 1, 3, 5])
    env = Latency(recorder, latencies)
    env.reset(seed=0)
    sent = np.random.default_rng(0).uniform(-1, 1, (20, 4, 1))
    for t in range(20):
        env.step(sent[t])
        for i, k in enumerate(latencies):
            assert recorder.arrived[i, 0] == (sent[t - k, i, 0] if t >= k else 0)


def test_latency_can_be_set_during_an_episode_and_grow():
    recorder = Recorder(LiftingArm(2))
    env = Latency(recorder)
    env.reset(seed=0)
    for t in range(5):
        env.step(np.full((2, 1), 0.1 * t))
    assert recorder.arrived[0, 0] == pytest.approx(0.4)
    env.set_physics([1], latency=2, mass=1.5)
    for t in range(5, 9):
        env.step(np.full((2, 1), 0.1 * t))
    np.testing.assert_allclose(recorder.arrived[:, 0], [0.8, 0.6])
    assert env.physics["latency"].tolist() == [0, 2] and env.physics["mass"].tolist() == [1, 1.5]


@pytest.mark.parametrize("by", ["end of the episode", "reset"])
def test_no_action_of_an_old_episode_arrives_in_a_new_one(by):
    recorder = Recorder(LiftingArm(2, episode_steps=4 if by == "end of the episode" else 100))
    env = Latency(recorder, 2)
    env.reset(seed=0)
    for _ in range(4):
        env.step(np.ones((2, 1)))
    if by == "reset":
        env.reset()
    arrived = []
    for _ in range(3):
        env.step(np.full((2, 1), 0.5))
        arrived.append(recorder.arrived[0, 0])
    assert arrived == [0, 0, 0.5]


def test_only_the_instances_that_end_are_cleared():
    recorder = Recorder(InvertedPendulum(2))
    env = Latency(recorder, 1)
    env.reset(options={"observations": np.array([[0, 0.19, 0, 5.0], [0, 0, 0, 0]])})
    assert env.step(np.ones((2, 1)))[2].tolist() == [True, False]
    env.step(np.ones((2, 1)))
    assert recorder.arrived[:, 0].tolist() == [0, 1]


def test_noise_has_its_mean_and_deviation():
    plain, stds = LiftingArm(3), np.array([0.0, 0.1, 2.0])
    env = SensorNoise(LiftingArm(3), stds)
    first, exact = env.reset(seed=0)[0], plain.reset(seed=0)[0]
    differences = [first - exact]
    for _ in range(1500):
        seen, *_, infos = env.step(np.zeros((3, 1)))
        exact, *_, exact_infos = plain.step(np.zeros((3, 1)))
        differences.append(seen - exact)
        if infos:
            differences.append(infos["final_obs"] - exact_infos["final_obs"])
    differences = np.array(differences)
    assert (differences[:, 0] == 0).all()
    np.testing.assert_allclose(differences[:, 1:].std(axis=(0, 2)), stds[1:], rtol=0.05)
    np.testing.assert_allclose(differences[:, 1:].mean(axis=(0, 2)) / stds[1:], 0, atol=0.06)
    assert abs(np.corrcoef(differences[:-1, 1, 0], differences[1:, 1, 0])[0, 1]) < 0.1, "independent in time"


def test_noise_leaves_rewards_and_physics_alone_and_follows_the_seed():
    def run(seed, std=0.1):
        env = SensorNoise(Latency(LiftingArm(2), 1), std)
        seen = [env.reset(seed=seed)[0]]
        rewards = []
        for _ in range(20):
            step = env.step(np.full((2, 1), 0.3))
            seen.append(step[0])
            rewards.append(step[1])
        return np.array(seen), np.array(rewards)

    (a, r), (b, _), (c, _), (_, exact) = run(0), run(0), run(1), run(0, std=0.0)
    assert (a == b).all() and (a != c).all() and (r == exact).all()


def test_refused_physics_change_nothing():
    env = SensorNoise(Latency(LiftingArm(2)))
    with pytest.raises(ValueError):
        env.set_physics(latency=2, sensor_noise=0.1, mass=-1)
    assert all((env.physics[name] == 0).all() for name in ("latency", "sensor_noise"))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda e: Latency(e, 1.5), "whole control steps"),
        (lambda e: Latency(e, -1), "from 0 on"),
        (lambda e: Latency(e, 101), "0 to 100"),
        (lambda e: Latency(e, [1, 2, 3]), r"latency has shape \(3,\).* 2 instances"),
        (lambda e: SensorNoise(e, -0.1), "sensor_noise is -0.1"),
        (lambda e: Latency(e).step(np.zeros(2)), r"shape \(2,\); give \(2, 1\)"),
        (lambda e: SensorNoise(Latency(e)).set_physics(colour=1), "no parameter 'colour'"),
        (lambda e: Latency(gymnasium.make_vec("Pendulum-v1", 2)), "does not begin new episodes in the step"),
    ],
)
def test_bad_input_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call(LiftingArm(2))
