"""The half-cheetah: Gymnasium's numbers, and motors that can be switched off."""

import warnings

import gymnasium
import numpy as np
import pytest

from tlcourse.robots.drawing import draw
from tlcourse.robots.half_cheetah import MOTORS, HalfCheetah


def run(env, actions):
    """Observations (steps + 1, n, 17) and rewards (steps, n), each action taken by all instances."""
    observations, rewards = [env.reset(seed=0)[0]], []
    for action in actions:
        seen, reward, *_ = env.step(np.tile(action, (env.num_envs, 1)))
        observations.append(seen)
        rewards.append(reward)
    return np.stack(observations), np.stack(rewards)


ACTIONS = np.random.default_rng(0).uniform(-1.5, 1.5, (30, 6))


def test_it_is_gymnasium_s_half_cheetah(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # MuJoCo writes a log where Gymnasium's file has what is deprecated
    reference = gymnasium.make("HalfCheetah-v5").unwrapped
    env = HalfCheetah(2)
    reference.reset(seed=0)
    observations, rewards = run(env, ACTIONS)
    start = observations[0, 1]
    reference.set_state(np.r_[0, start[:8]], start[8:])
    assert env.dt == reference.dt
    for step, action in enumerate(np.clip(ACTIONS, -1, 1)):
        there = reference.step(action)[0]
        np.testing.assert_allclose(observations[step + 1, 1], there, rtol=0, atol=1e-8)
        assert rewards[step, 1] == pytest.approx(there[8] - 0.1 * np.square(action).sum())


def test_nothing_is_said_and_no_log_written(monkeypatch, tmp_path, capfd):
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = HalfCheetah(1)
    assert capfd.readouterr() == ("", "") and not list(tmp_path.iterdir())
    assert env.model.body_mass.sum() == pytest.approx(14)


@pytest.mark.parametrize("motor", MOTORS)
def test_a_dead_motor_is_one_that_is_never_used(motor):
    dead, silent = HalfCheetah(2), ACTIONS.copy()
    dead.set_physics([1], **{f"gear_{motor}": 0.0})
    silent[:, MOTORS.index(motor)] = 0
    observations, _ = run(dead, ACTIONS[:10])
    unused, _ = run(HalfCheetah(2), silent[:10])
    np.testing.assert_allclose(observations[:, 1], unused[:, 1], rtol=0, atol=1e-12)
    assert np.abs(observations[1:, 0] - unused[1:, 0]).max() > 0.1, "the first instance has all its motors"


def test_a_reversed_motor_turns_the_other_way():
    reversed_, turned = HalfCheetah(1), ACTIONS[:10].copy()
    reversed_.set_physics(gear_front_shin=-1.0)
    turned[:, MOTORS.index("front_shin")] *= -1
    np.testing.assert_allclose(run(reversed_, ACTIONS[:10])[0], run(HalfCheetah(1), turned)[0], rtol=0, atol=1e-12)
    with pytest.raises(ValueError, match="give finite numbers$"):
        reversed_.set_physics(gear_front_shin=np.nan)


def test_the_mass_of_one_instance_is_its_own():
    env = HalfCheetah(2)
    env.set_physics([1], mass=2.0)
    light, heavy = env._models
    assert light.body_mass.sum() == pytest.approx(14) and env.model.body_mass.sum() == pytest.approx(14)
    np.testing.assert_allclose(heavy.body_mass, 2 * light.body_mass)
    np.testing.assert_allclose(heavy.body_inertia, 2 * light.body_inertia)
    observations, plain = run(env, ACTIONS[:10])[0], run(HalfCheetah(2), ACTIONS[:10])[0]
    np.testing.assert_array_equal(observations[:, 0], plain[:, 0])
    assert np.abs(observations[:, 1] - plain[:, 1]).max() > 0.1


def test_episodes_are_cut_off_and_never_end_otherwise():
    env = HalfCheetah(2, episode_steps=3)
    env.reset(seed=0)
    ends = [env.step(np.ones((2, 6)))[2:4] for _ in range(3)]
    assert [truncations.all() for _, truncations in ends] == [False, False, True]
    assert not any(terminations.any() for terminations, _ in ends)


def test_it_can_begin_where_it_was_seen():
    env = HalfCheetah(2)
    observations, _ = run(env, ACTIONS[:5])
    again, _ = env.reset(seed=1, options={"observations": observations[-1]})
    np.testing.assert_allclose(again, observations[-1])


def test_its_picture_moves_with_its_joints():
    env = HalfCheetah(1)
    rest, bent = np.zeros(9), np.zeros(9)
    bent[3] = 0.8
    pictures = [np.asarray(draw(env, qpos)) for qpos in (rest, bent)]
    assert pictures[0].shape == pictures[1].shape and (pictures[0] != pictures[1]).any()
    capsules = env.shapes(rest)[1:]
    assert len(capsules) == 8 and all(0 < y < 1.2 for points, *_ in capsules for _, y in points)
    far = np.r_[100.0, rest[1:]]
    assert str(env.shapes(far)) == str(env.shapes(rest)), "the camera goes along"
