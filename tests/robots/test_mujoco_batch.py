"""Batched MuJoCo: the numbers are Gymnasium's and the textbook's, and do not depend on the batch or the threads."""

import sys

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from tlcourse.robots.imperfections import SensorNoise
from tlcourse.robots.inverted_pendulum import InvertedPendulum
from tlcourse.robots.lifting_arm import LiftingArm

ROBOTS = [InvertedPendulum, LiftingArm]
RNG = np.random.default_rng


def roll(env, steps=40, seed=3, size=0.3):
    """Observations (steps, n, d), rewards and ends of a run with random actions, the same for every instance."""
    rng, rows = RNG(seed), []
    env.reset(seed=seed)
    for _ in range(steps):
        actions = np.repeat(rng.uniform(-size, size, (1, *env.single_action_space.shape)), env.num_envs, axis=0)
        rows.append(env.step(actions)[:4])
    return [np.stack(part) for part in zip(*rows, strict=True)]


def test_it_is_gymnasium_s_inverted_pendulum():
    """The reference: Gymnasium's single environment from the same state with the same actions."""
    reference = gymnasium.make("InvertedPendulum-v5").unwrapped
    env = InvertedPendulum(3, frame_skip=2, integrator="RK4")
    start = env.reset(seed=0)[0]
    reference.reset(seed=0)
    reference.set_state(start[1, :2], start[1, 2:])
    rng = RNG(0)
    steps, fallen = 0, False
    while not fallen and steps < 100:
        action = rng.uniform(-1, 1, 1)
        seen, _, terminated, _, infos = env.step(np.tile(action, (3, 1)))
        there, _, fallen, *_ = reference.step(action)
        assert terminated[1] == fallen
        np.testing.assert_allclose((infos["final_obs"] if fallen else seen)[1], there, rtol=0, atol=1e-10)
        steps += 1
    assert steps > 5 and fallen


def test_the_fast_integrator_is_close_to_the_exact_one():
    ends = {}
    for integrator in ("RK4", "implicitfast"):
        env = InvertedPendulum(1, integrator=integrator, limit=np.pi)
        env.reset(options={"observations": np.array([[0, 0.02, 0, 0]])})
        ends[integrator] = [env.step(np.zeros((1, 1)))[0] for _ in range(20)][-1]
    np.testing.assert_allclose(ends["implicitfast"], ends["RK4"], rtol=0.15)


@pytest.mark.parametrize("robot", ROBOTS)
def test_threads_and_the_batch_do_not_change_the_numbers(robot):
    one = roll(robot(1))
    for n, threads in ((7, 1), (7, 3)):
        env = robot(n, threads=threads)
        env.reset(seed=3)
        first = robot(1).reset(seed=3)[0]
        env._start = lambda k, env=env, first=first: tuple(np.repeat(x, k, axis=0) for x in env._state_of(first))
        several = roll(env, steps=10)
        for part, single in zip(several, one, strict=True):
            assert (part == part[:, :1]).all(), "equal instances stay equal"
            np.testing.assert_allclose(part[:, :1], single[:10], rtol=0, atol=1e-12)
        env.close()


@pytest.mark.parametrize("robot", ROBOTS)
def test_a_seed_gives_the_same_episodes_and_another_one_others(robot):
    first, again, other = roll(robot(5)), roll(robot(5)), roll(robot(5), seed=4)
    for a, b, c in zip(first[:2], again[:2], other[:2], strict=True):
        assert (a == b).all() and (a != c).any()


@pytest.mark.parametrize("physics", [{}, {"mass": 2.0}, {"mass": 0.5, "gear": 1.5}, {"damping": 3.0}])
def test_the_pendulum_s_physics_are_the_textbook_s(physics):
    """One step from rest, upright. With M the matrix of masses, D the damping and F the force, by Lagrange:

    (M + dt D) v = dt (F, gravity's torque),   M = [[m_c + m_p, m_p z], [m_p z, I + m_p z²]],   z the height of the
    pole's centre of mass; it stands 0.5 mm off the axis.
    """
    env = InvertedPendulum(2)
    env.set_physics(**physics)
    env.reset(options={"observations": np.zeros((2, 4))})
    factor, pole = physics.get("mass", 1.0), env.model.body("pole")
    mass, (x, _, z) = pole.mass[0] * factor, pole.ipos
    inertia, (cart,) = pole.inertia[1] * factor, env.model.body("cart").mass
    matrix = np.array([[cart + mass, mass * z], [mass * z, inertia + mass * (z**2 + x**2)]])
    force = np.array([0.4 * 100 * physics.get("gear", 1.0), mass * 9.81 * x])
    velocity = np.linalg.solve(matrix + 0.02 * np.eye(2) * physics.get("damping", 1.0), 0.02 * force)
    np.testing.assert_allclose(env.step(np.full((2, 1), 0.4))[0][0, 2:], velocity, rtol=1e-4)


@pytest.mark.parametrize("physics", [{}, {"mass": 2.0}, {"mass": 0.5, "gear": 0.5}, {"damping": 3.0}])
def test_the_arm_s_physics_are_the_textbook_s(physics):
    """One physics step from rest, held out level: (I + dt d) omega = dt (torque - gravity's), the load a solid ball."""
    env = LiftingArm(1, frame_skip=1)
    env.set_physics(**physics)
    env.reset(options={"observations": np.array([[1.0, 0, 0]])})
    load = physics.get("mass", 1.0)
    link = env.model.body("link").inertia[0] + 0.2 * 0.25**2
    inertia = link + load * (0.5**2 + 2 / 5 * 0.06**2)
    torque = 0.5 * 7 * physics.get("gear", 1.0) - 9.81 * (0.2 * 0.25 + load * 0.5)
    velocity = 0.02 * torque / (inertia + 0.02 * 0.2 * physics.get("damping", 1.0))
    assert env.step(np.array([[0.5]]))[0][0, 2] == pytest.approx(velocity, rel=1e-4)


def test_dry_friction_holds_against_a_small_force_and_takes_its_share_of_a_large_one():
    env = InvertedPendulum(3, limit=np.pi)
    env.set_physics(friction=[0.0, 20.0, 20.0], mass=1e-6)
    env.reset(options={"observations": np.zeros((3, 4))})
    (cart,) = env.model.body("cart").mass
    free, stuck, slowed = env.step(np.array([[0.1], [0.1], [0.5]]))[0][:, 2]  # forces of 10, 10 and 50 N
    assert free == pytest.approx(0.02 * 10 / (cart + 0.02), rel=0.01)
    assert abs(stuck) < 0.15 * free  # MuJoCo's constraints are a little soft: it creeps
    assert slowed == pytest.approx(0.02 * (50 - 20) / (cart + 0.02), rel=0.02)


def test_physics_are_set_where_they_should_and_can_be_set_back():
    env = LiftingArm(4)
    nominal = roll(env)[0]
    env.set_physics([1, 3], mass=[2.0, 3.0], friction=0.5)
    env.set_physics(np.array([True, False, False, False]), gear=0.5)
    assert env.physics["mass"].tolist() == [1, 2, 1, 3] and env.physics["gear"].tolist() == [0.5, 1, 1, 1]
    assert env.physics["friction"].tolist() == [0, 0.5, 0, 0.5]
    changed = roll(env)[0]
    assert (changed[:, 2] == nominal[:, 2]).all() and (changed[5:, [0, 1, 3]] != nominal[5:, [0, 1, 3]]).any(2).all()
    env.set_physics(mass=1.0, friction=0.0, gear=1.0)
    assert (roll(env)[0] == nominal).all()


def test_an_episode_that_ends_begins_anew_in_the_same_step():
    env = InvertedPendulum(4, episode_steps=5)
    assert env.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP
    start = env.reset(options={"observations": np.array([[0, 0.19, 0, 5.0]] * 2 + [[0, 0, 0, 0.0]] * 2)})[0]
    assert (start[:, 1] == [0.19, 0.19, 0, 0]).all()
    seen, rewards, terminated, truncated, infos = env.step(np.zeros((4, 1)))
    assert terminated.tolist() == [True, True, False, False] and not truncated.any()
    assert infos["_final_obs"].tolist() == terminated.tolist() and (infos["final_obs"][:2, 1] > 0.2).all()
    assert (rewards[:2] == 0).all() and (rewards[2:] > 0.99).all() and (np.abs(seen[:, 1]) <= 0.05).all()
    for _ in range(4):
        seen, _, terminated, truncated, infos = env.step(np.zeros((4, 1)))
    assert truncated.tolist() == [False, False, True, True] == infos["_final_obs"].tolist() and not terminated.any()
    assert (infos["final_obs"][2:] != seen[2:]).any() and (infos["final_obs"][:2] == seen[:2]).all()


def test_the_reward_is_the_stated_one():
    env = InvertedPendulum(1)
    env.reset(options={"observations": np.array([[0.5, 0, 0, 0]])})
    seen, reward, *_ = env.step(np.zeros((1, 1)))
    assert reward[0] == pytest.approx(1 - 0.3 * seen[0, 0] ** 2)
    arm = LiftingArm(2)
    arm.reset(options={"observations": np.array([[0, 1, 0], [0, -1, 2.0]], float)})
    seen, rewards, *_ = arm.step(np.zeros((2, 1)))
    np.testing.assert_allclose(rewards, (1 - seen[:, 1]) / 2 - 0.001 * seen[:, 2] ** 2)


def test_without_mujoco_the_error_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "mujoco", None)
    for robot in ROBOTS:
        with pytest.raises(ImportError, match="the robots need MuJoCo 3.3 or later; install it"):
            robot(1)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda e: e.set_physics(colour=1), "no parameter 'colour'; there are mass, friction, damping, gear"),
        (lambda e: e.set_physics(mass=[1, 2]), r"mass has shape \(2,\).* 3 instances"),
        (lambda e: e.set_physics([0, 1], mass=[1, 2, 3]), "2 instances"),
        (lambda e: e.set_physics(mass=0), "above 0"),
        (lambda e: e.set_physics(friction=-1), "from 0 on"),
        (lambda e: e.set_physics(gear=np.nan), "finite"),
        (lambda e: e.step(np.zeros(3)), r"shape \(3,\); give \(3, 1\)"),
        (lambda e: e.step(np.full((3, 1), np.nan)), "not finite"),
        (lambda e: e.reset(options={"observations": np.zeros((3, 2))}), r"shape \(3, 2\); give \(3, 4\)"),
        (lambda e: e.reset(options={"observations": [[0] * 4, [0, np.nan, 0, 0], [0] * 4]}), "instance 1 are .*finite"),
        (lambda e: e.set_physics(1, mass=2), "where is 1; give a mask of 3 instances, or .* from 0 to 2"),
        (lambda e: e.set_physics([True, False], mass=2), r"where is \[True, False\]; give a mask of 3"),
        (lambda e: e.set_physics([0, 3], mass=2), r"where is \[0, 3\]; .* from 0 to 2"),
        (lambda e: SensorNoise(e).set_physics(3, sensor_noise=2), "where is 3;"),
        (lambda e: InvertedPendulum(0), "n is 0"),
        (lambda e: LiftingArm(2, threads=0), "threads is 0"),
        (lambda e: InvertedPendulum(1, integrator="Euler"), "'Euler'; give one of RK4, implicitfast"),
    ],
)
def test_bad_input_is_refused(call, words):
    env = InvertedPendulum(3)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=words):
        call(env)


def test_an_unstable_simulation_goes_back_to_rest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # MuJoCo writes its warnings to MUJOCO_LOG.TXT there
    env = LiftingArm(2)
    env.reset(seed=0)
    env.set_physics([0], gear=1e30)
    seen, *_ = env.step(np.ones((2, 1)))
    assert seen[0].tolist() == [0, 1, 0] and np.isfinite(seen).all() and (tmp_path / "MUJOCO_LOG.TXT").exists()


def test_refused_physics_change_nothing():
    env = InvertedPendulum(2)
    with pytest.raises(ValueError):
        env.set_physics(mass=2.0, gear=-1)
    assert (env.physics["mass"] == 1).all() and (env._models[0].body_mass == env.model.body_mass).all()
