"""System identification: the physics with which trajectories were made are found again."""

import numpy as np
import pytest

from tlcourse.robots.imperfections import Latency, SensorNoise
from tlcourse.robots.inverted_pendulum import InvertedPendulum
from tlcourse.robots.lifting_arm import LiftingArm
from tlcourse.sim_to_real import DomainRandomization
from tlcourse.system_identification import identify, record_trajectories


def wiggle(observations):
    """Pushes to and fro, by the state."""
    return np.sin(8 * observations.sum(1, keepdims=True) + 1)


def recorded(robot=LiftingArm, k=4, steps=40, **physics):
    env = SensorNoise(Latency(robot(k)))
    env.set_physics(**physics)
    return record_trajectories(wiggle, env, steps, seed=5)


def test_the_physics_of_the_recording_are_found():
    ranges = DomainRandomization(mass=(0.5, 3), damping=(0.3, 3), latency=(0, 4))
    sim = Latency(LiftingArm(4 * 64))
    found = identify(sim, ranges, *recorded(mass=2.2, damping=0.6, latency=3), rounds=12, progress=False)
    assert found.physics["latency"] == 3
    assert found.physics["mass"] == pytest.approx(2.2, rel=0.05)
    assert found.physics["damping"] == pytest.approx(0.6, rel=0.2)
    assert len(found.errors) == 12 and found.errors[-1] < 0.1 * found.errors[0]
    assert set(found.spread) == set(found.physics) and max(found.spread.values()) < 0.1
    assert all((values == values[0]).all() for values in sim.physics.values()), "the simulator is as it was"


def test_noise_does_not_hide_the_physics():
    ranges = DomainRandomization(mass=(0.5, 3), latency=(0, 4))
    trajectories = recorded(mass=1.7, latency=1, sensor_noise=0.02)
    found = identify(Latency(LiftingArm(4 * 64)), ranges, *trajectories, progress=False)
    assert found.physics["latency"] == 1 and found.physics["mass"] == pytest.approx(1.7, rel=0.1)


def test_the_ratio_of_strength_and_load_is_found():
    """No more than that: the motor's strength and the load scale together where friction and damping are weak."""
    ranges = DomainRandomization(mass=(0.5, 3), gear=(0.5, 2))
    found = identify(Latency(LiftingArm(4 * 64)), ranges, *recorded(), rounds=3, progress=False)
    assert found.physics["mass"] / found.physics["gear"] == pytest.approx(1, rel=0.2)


class Diverging(LiftingArm):
    """A simulator in which a load above `limit` ends in numbers that are none."""

    limit = 0.0

    def step(self, actions):
        observations, *rest = super().step(actions)
        observations[self.physics["mass"] > self.limit] = np.nan
        return observations, *rest


def test_a_simulation_that_is_not_finite_is_no_match():
    ranges, trajectories = DomainRandomization(mass=(0.5, 3)), recorded(mass=1.5)
    sim = Diverging(4 * 32)
    with pytest.raises(ValueError, match="no candidate's simulation stays finite"):
        identify(sim, ranges, *trajectories, progress=False)
    sim.limit = 2.0
    found = identify(sim, ranges, *trajectories, progress=False)
    assert found.physics["mass"] == pytest.approx(1.5, rel=0.05) and np.isfinite(found.errors).all()


class Offset(LiftingArm):
    """A simulator whose first number is tiny and grows with the load."""

    def step(self, actions):
        observations, *rest = super().step(actions)
        observations[:, 0] = 1e-4 * self.physics["mass"]
        return observations, *rest


def test_a_number_that_never_changes_does_not_swamp_the_others():
    observations, actions = recorded(mass=1.5)
    observations[:, :, 0] = 0.0  # divided by its std, it alone would decide, for the smallest load
    ranges = DomainRandomization(mass=(0.5, 3))
    found = identify(Offset(4 * 32), ranges, observations, actions, progress=False)
    assert found.physics["mass"] == pytest.approx(1.5, rel=0.3)


def test_episodes_that_end_are_recorded_up_to_their_end():
    env = InvertedPendulum(3)
    observations, actions = record_trajectories(lambda o: np.full((3, 1), 0.5), env, steps=60, seed=0)
    assert observations.shape == (3, 61, 4) and actions.shape == (3, 60, 1)
    lengths = np.isfinite(actions[:, :, 0]).sum(1)
    assert (lengths < 60).all()
    for i, length in enumerate(lengths):
        assert np.isfinite(observations[i, : length + 1]).all() and np.isnan(observations[i, length + 1 :]).all()
        assert abs(observations[i, length, 1]) > 0.2 >= np.abs(observations[i, :length, 1]).max()


def test_short_episodes_are_enough():
    """The pendulum falls, in the real world and in the simulator; what went before tells its latency."""
    physics, ranges = {"latency": 2, "gear": 1.3}, DomainRandomization(latency=(0, 4), gear=(0.5, 2))
    trajectories = recorded(InvertedPendulum, k=8, **physics)
    assert np.isnan(trajectories[1]).any()
    found = identify(Latency(InvertedPendulum(8 * 50)), ranges, *trajectories, progress=False)
    assert found.physics["latency"] == 2 and found.physics["gear"] == pytest.approx(1.3, rel=0.05)


def test_the_seed_decides_the_candidates():
    ranges, trajectories = DomainRandomization(mass=(0.5, 3)), recorded(mass=1.5)
    runs = [
        identify(LiftingArm(4 * 20), ranges, *trajectories, rounds=2, seed=seed, progress=False) for seed in (0, 0, 1)
    ]
    assert runs[0] == runs[1] != runs[2]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda o, a: identify(LiftingArm(99), DomainRandomization(), o, a), "the ranges are of nothing"),
        (lambda o, a: identify(SensorNoise(LiftingArm(99)), DomainRandomization(sensor_noise=(0, 1)), o, a), "none of"),
        (lambda o, a: identify(LiftingArm(99), DomainRandomization(latency=(0, 1)), o, a), "has no latency"),
        (lambda o, a: identify(LiftingArm(99), DomainRandomization(mass=(1, 2)), o[:, 1:], a), "do not fit"),
        (lambda o, a: identify(LiftingArm(9), DomainRandomization(mass=(1, 2)), o, a), "0 candidates.*give more"),
        (lambda o, a: identify(LiftingArm(99), DomainRandomization(mass=(1, 2)), o, a, rounds=0), "1 round at least"),
        (lambda o, a: identify(LiftingArm(99), DomainRandomization(mass=(1, 2)), o, a, elite=1.5), "elite is 1.5"),
        (lambda o, a: identify(LiftingArm(99), DomainRandomization(mass=(1, 2)), o[:0], a[:0]), r"\(0, 6, 3\) have no"),
        (lambda o, a: identify(LiftingArm(99), DomainRandomization(mass=(1, 2)), o * np.inf, a), "infinite numbers"),
        (lambda o, a: identify(SensorNoise(LiftingArm(99), 0.1), DomainRandomization(mass=(1, 2)), o, a), "up to 0.1"),
        (lambda o, a: record_trajectories(wiggle, LiftingArm(2), 0), "steps is 0"),
    ],
)
def test_bad_input_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call(*recorded(steps=5))
