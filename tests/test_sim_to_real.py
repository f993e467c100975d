"""Sim to real: robots are drawn from the ranges given, every episode has its own, and training on them carries over."""

import math

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode

from tlcourse.robots.imperfections import Latency, SensorNoise
from tlcourse.robots.inverted_pendulum import InvertedPendulum
from tlcourse.sim_to_real import (
    DomainRandomization,
    Randomized,
    SimToRealTransfer,
    evaluate_policy,
    vary_images,
)

EVERYTHING = DomainRandomization(
    mass=(0.5, 2), friction=(0, 5), damping=(0.3, 3), gear=(0.8, 1.2), latency=(0, 4), sensor_noise=(0, 0.02),
    lighting=(0.5, 1.5), texture=(0, 9),
)  # fmt: skip


def robots(n=8, **settings):
    return SensorNoise(Latency(InvertedPendulum(n, **settings)))


def rng(seed=0):
    return np.random.default_rng(seed)


def nothing(observations):
    return np.zeros((len(observations), 1))


def test_what_is_drawn_lies_in_its_range_and_fills_it():
    drawn = EVERYTHING.sample(4000, rng())
    assert list(drawn) == list(EVERYTHING.ranges) and len(drawn) == 8
    for name, (low, high) in EVERYTHING.ranges.items():
        values = drawn[name]
        assert values.shape == (4000,) and low <= values.min() and values.max() <= high
        assert values.min() - low < 0.01 * (high - low) and high - values.max() < 0.01 * (high - low)
    assert np.median(drawn["mass"]) == pytest.approx(1, rel=0.05), "half as heavy is as likely as twice"
    assert np.median(drawn["friction"]) == pytest.approx(2.5, rel=0.05)
    np.testing.assert_allclose(np.bincount(drawn["latency"]) / 4000, 0.2, atol=0.03)
    np.testing.assert_allclose(np.bincount(drawn["texture"]) / 4000, 0.1, atol=0.03)
    assert np.abs(np.corrcoef(np.stack(list(drawn.values()))) - np.eye(8)).max() < 0.06, "independent"


def test_the_generator_decides_what_is_drawn():
    first, again, other = (EVERYTHING.sample(5, rng(seed)) for seed in (0, 0, 1))
    assert all((first[name] == again[name]).all() for name in first) and (first["mass"] != other["mass"]).all()


def test_width_0_is_the_nominal_robot_and_width_1_the_ranges_themselves():
    nominal = EVERYTHING.scaled(0).sample(50, rng())
    for name in ("mass", "damping", "gear", "lighting"):
        assert (nominal[name] == 1).all()
    for name in ("friction", "latency", "sensor_noise", "texture"):
        assert (nominal[name] == 0).all()
    assert EVERYTHING.scaled(1) == EVERYTHING
    wide = DomainRandomization(mass=(0.5, 2), friction=(1, 5), latency=(0, 3)).scaled(2)
    assert wide.ranges == {"mass": (0.25, 4), "friction": (2, 10), "latency": (0, 6)}
    assert DomainRandomization(latency=(0, 3)).scaled(0.6).latency == (0, 2)


@pytest.mark.parametrize(
    ("ranges", "words"),
    [
        ({"mass": (2, 1)}, r"mass is \(2, 1\); give \(lowest, highest\)"),
        ({"mass": (0, 1)}, "a factor must be above 0"),
        ({"friction": (-1, 1)}, "neither negative"),
        ({"latency": (0, 1.5)}, "give whole numbers"),
        ({"texture": (0, 10)}, "there are 0 to 9"),
        ({"gear": 1.0}, "gear is 1.0; give two finite numbers"),
        ({"gear": (1, math.inf)}, "two finite numbers"),
        ({"lighting": (1, 2, 3)}, "two finite numbers"),
    ],
)
def test_impossible_ranges_are_refused(ranges, words):
    with pytest.raises(ValueError, match=words):
        DomainRandomization(**ranges)


def test_ranges_given_as_lists_are_the_same_ranges():
    lists, tuples = DomainRandomization(mass=[0.5, 2]), DomainRandomization(mass=(0.5, 2))
    assert lists == tuples and hash(lists) == hash(tuples)
    with pytest.raises(ValueError, match="two finite numbers"):
        DomainRandomization(mass=("light", "heavy"))


def test_unusable_widths_are_refused():
    for width in (-1, math.nan, math.inf):
        with pytest.raises(ValueError, match="give a number from 0 on"):
            EVERYTHING.scaled(width)


def test_every_episode_has_its_own_physics_and_keeps_it():
    env = Randomized(robots(episode_steps=20), DomainRandomization(mass=(0.5, 2), latency=(0, 4)))
    env.reset(seed=0)
    before = {name: values.copy() for name, values in env.env.physics.items()}
    assert len(set(before["mass"])) == 8 and set(before["gear"]) == {1.0}
    ended = 0
    for _ in range(40):
        _, _, terminated, truncated, _ = env.step(np.full((8, 1), 0.3))
        now = env.env.physics
        assert ((now["mass"] != before["mass"]) == (terminated | truncated)).all()
        before, ended = {name: values.copy() for name, values in now.items()}, ended + (terminated | truncated).sum()
    assert ended > 16


def test_the_seed_decides_the_physics():
    env, drawn = Randomized(robots(), DomainRandomization(mass=(0.5, 2))), []
    for seed in (0, 0, 1, None):
        env.reset(seed=seed)
        drawn.append(env.env.physics["mass"].copy())
    assert (drawn[0] == drawn[1]).all() and (drawn[0] != drawn[2]).all() and (drawn[2] != drawn[3]).all()


def test_environments_without_the_physics_are_refused():
    pendulum = gymnasium.make_vec("Pendulum-v1", 2, vector_kwargs={"autoreset_mode": AutoresetMode.SAME_STEP})
    mass = DomainRandomization(mass=(0.5, 2))
    for make in (Randomized, SimToRealTransfer):
        with pytest.raises(ValueError, match="has no physics to set"):
            make(pendulum, mass)
        with pytest.raises(ValueError, match="has no latency, lighting; it has mass, friction.* or wrap"):
            make(InvertedPendulum(2), DomainRandomization(mass=(1, 2), latency=(0, 1), lighting=(1, 2)))


def test_each_instance_counts_the_same_number_of_episodes():
    """Half of the instances fall at once, the others last: by the first episodes to end, only falls would count."""
    env = InvertedPendulum(4, episode_steps=60, start=0.0)
    observations = np.array([[0, 0.19, 0, 5.0]] * 2 + [[0, 0, 0, 0]] * 2)
    reset = env.reset
    env.reset = lambda seed=None: reset(seed=seed, options={"observations": observations})
    returns = evaluate_policy(nothing, env, episodes=4)
    assert (returns[:2] == 0).all() and (returns[2:] > 20).all()
    env.reset = reset
    assert evaluate_policy(nothing, env, episodes=7).shape == (7,)
    assert evaluate_policy(nothing, env, episodes=2).shape == (2,)
    again = [evaluate_policy(nothing, robots(), episodes=9, seed=3) for _ in range(2)]
    assert (again[0] == again[1]).all()


def test_a_return_is_the_sum_of_the_rewards():
    env = InvertedPendulum(2, episode_steps=10, start=0.001)
    np.testing.assert_allclose(evaluate_policy(nothing, env, episodes=6), 10, atol=1e-3)


def test_training_uses_the_ranges_and_leaves_the_simulator_nominal():
    sim = robots(16)
    transfer = SimToRealTransfer(sim, DomainRandomization(mass=(0.5, 2), latency=(0, 2)))
    with pytest.raises(RuntimeError, match="call train_with_randomization first"):
        transfer.evaluate(robots())
    seen = []
    policy = transfer.train_with_randomization(
        4, seed=1, rollout=25, on_iteration=lambda *_: seen.append(sim.physics["latency"].copy()), progress=False
    )
    assert policy is transfer.policy and transfer.curve.steps == [400, 800]
    assert set(np.concatenate(seen)) == {0, 1, 2}
    assert (sim.physics["mass"] == 1).all() and (sim.physics["latency"] == 0).all()
    assert transfer.evaluate(robots(4), episodes=6).shape == (6,)
    with pytest.raises(ValueError, match="num_episodes is 0"):
        transfer.train_with_randomization(0)


def test_randomized_training_meets_a_late_robot_better():
    """The technique at work, short: with actions that arrive three steps late, after 40,000 steps each."""
    real, returns = robots(32), {}
    real.set_physics(latency=3, sensor_noise=0.01)
    for name, ranges in {"nominal": {}, "randomized": {"latency": (0, 4)}}.items():
        transfer = SimToRealTransfer(robots(32), DomainRandomization(**ranges))
        transfer.train_with_randomization(320, rollout=50, progress=False)
        returns[name] = transfer.evaluate(real, 32).mean()
    assert returns["randomized"] > 2 * returns["nominal"]


def test_images_get_another_light_and_another_surface():
    images = torch.full((4, 3, 24, 24), 0.4)
    varied = vary_images(images, np.array([1.0, 0.5, 1.5, 1.0]), np.array([0, 0, 0, 7]))
    torch.testing.assert_close(varied[:3], images[:3] * torch.tensor([1.0, 0.5, 1.5])[:, None, None, None])
    surface = varied[3] / images[3] - 1
    assert surface.mean().abs() < 0.01 and surface.std().item() == pytest.approx(0.2, rel=0.05)
    assert (surface[0] == surface[2]).all(), "light, not colour"
    again, other = (vary_images(images[:1], np.ones(1), np.array([number])) for number in (7, 3))
    assert torch.equal(again[0], varied[3]) and not torch.equal(other[0], varied[3])
    assert vary_images(images, np.full(4, 9.0), np.arange(4)).max() == 1


@pytest.mark.parametrize(
    ("images", "n", "words"),
    [
        (torch.zeros(2, 3, 8, 8, dtype=torch.uint8), 2, "give floats"),
        (torch.zeros(3, 8, 8), 3, "give floats"),
        (torch.zeros(2, 3, 8, 8), 3, "2 images, 3 lights, 3 textures"),
    ],
)
def test_images_that_do_not_fit_are_refused(images, n, words):
    with pytest.raises(ValueError, match=words):
        vary_images(images, np.ones(n), np.zeros(n, int))


def test_unusable_lights_and_textures_are_refused():
    images = torch.rand(2, 3, 8, 8)
    with pytest.raises(ValueError, match="texture is .* from 0 to 9"):
        vary_images(images, np.ones(2), np.array([0, 10]))
    with pytest.raises(ValueError, match="lighting is .* none negative"):
        vary_images(images, np.array([1, -0.5]), np.zeros(2, int))


def test_a_simulator_must_say_how_long_an_episode_is():
    sim = robots(4)
    transfer = SimToRealTransfer(sim, DomainRandomization())
    assert transfer.policy is None and transfer.curve is None
    del sim.unwrapped.episode_steps
    with pytest.raises(ValueError, match="has no episode_steps; give"):
        transfer.train_with_randomization(1)


def test_unusable_evaluations_are_refused():
    with pytest.raises(ValueError, match="episodes is 0"):
        evaluate_policy(nothing, robots(), episodes=0)
    with pytest.raises(ValueError, match="make it with autoreset_mode SAME_STEP"):
        evaluate_policy(nothing, gymnasium.make_vec("Pendulum-v1", 2))
