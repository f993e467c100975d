"""The arm with four skills: its geometry and physics against MuJoCo and by hand, and experts that succeed."""

from functools import partial

import numpy as np
import pytest
import torch

from tlcourse.robots import skilled_arm
from tlcourse.robots.mujoco_batch import import_mujoco
from tlcourse.robots.skilled_arm import (
    DT,
    FORE,
    LIFT,
    REST,
    SKILLS,
    STEPS,
    STIFFNESS,
    TOLERANCE,
    UPPER,
    XML,
    arm_points,
    attempt,
    demonstrations,
    expert_actions,
    inverse_dynamics,
    inverse_kinematics,
    misses,
    observe,
    sample_points,
    target_angles,
)


def states(n=20, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(-2, 2, (n, 2)), rng.normal(0, 2, (n, 2)), sample_points(n, rng)


@pytest.fixture(scope="module")
def simulator():
    mujoco = import_mujoco()
    model = mujoco.MjModel.from_xml_string(XML)
    return mujoco, model, mujoco.MjData(model)


def test_points_are_where_mujoco_has_them(simulator):
    mujoco, model, data = simulator
    for angles in states()[0]:
        data.qpos = angles
        mujoco.mj_kinematics(model, data)
        shoulder, elbow, hand = arm_points(angles)
        assert np.allclose(shoulder, 0)
        assert np.allclose(elbow, data.body("forearm").xpos[[0, 2]])
        assert np.allclose(hand, data.site("hand").xpos[[0, 2]])


def test_inverse_kinematics_inverts_the_points():
    points = sample_points(50, np.random.default_rng(1))
    angles = inverse_kinematics(points)
    assert np.allclose(arm_points(angles)[:, 2], points) and (angles[:, 1] > 0).all()


def test_each_skill_means_what_it_says():
    points = sample_points(50, np.random.default_rng(2))
    hands = {skill: arm_points(target_angles(skill, points)) for skill in SKILLS}
    assert np.allclose(hands["reach"][:, 2], points)
    assert np.allclose(hands["hover"][:, 2], points + [0, LIFT])
    assert np.allclose(hands["mirror"][:, 2], points * [-1, 1])
    upper, fore = hands["point"][:, 1], hands["point"][:, 2] - hands["point"][:, 1]
    assert np.allclose(upper, UPPER * np.array([np.sin(REST), -np.cos(REST)]))
    towards = points - upper
    assert np.allclose(fore / FORE, towards / np.linalg.norm(towards, axis=1, keepdims=True))


def test_postures_do_not_jump_between_neighbouring_points():
    points = sample_points(5_000, np.random.default_rng(3))
    for skill in SKILLS:
        moved = target_angles(skill, points + [1e-4, 1e-4]) - target_angles(skill, points)
        assert np.abs(moved).max() < 0.01


def test_at_rest_the_torques_carry_the_weight():
    angles = states()[0]
    zero = np.zeros_like(angles)
    first, second = np.sin(angles[:, 0]), np.sin(angles.sum(1))
    elbow = 9.81 * 0.8 * FORE / 2 * second
    shoulder = 9.81 * (1.0 * UPPER / 2 + 0.8 * UPPER) * first + elbow
    assert np.allclose(inverse_dynamics(angles, zero, zero), np.stack([shoulder, elbow], 1))


def test_the_torques_give_the_accelerations(simulator):
    mujoco, model, data = simulator
    angles, velocities, _ = states()
    wanted = np.random.default_rng(4).normal(0, 5, angles.shape)
    for row, torque in enumerate(inverse_dynamics(angles, velocities, wanted)):
        data.qpos, data.qvel, data.qfrc_applied = angles[row], velocities[row], torque
        mujoco.mj_forward(model, data)
        assert np.allclose(data.qacc, wanted[row])


@pytest.mark.parametrize("skill", SKILLS)
def test_every_expert_ends_within_a_millimetre(skill):
    points = sample_points(8, np.random.default_rng(5))
    path = attempt(partial(expert_actions, skill), points, seed=1)
    assert path.shape == (STEPS + 1, 8, 2)
    assert misses(skill, points, path[0]).min() > TOLERANCE  # it has something to do
    assert misses(skill, points, path[-1]).max() < 1e-3


def test_the_expert_moves_like_a_critically_damped_spring():
    """So `demonstrations` need no simulation. Clipped torques and the steps of the control make it differ a little."""
    points = sample_points(16, np.random.default_rng(6))
    path, target = attempt(partial(expert_actions, "point"), points), target_angles("point", points)
    u = STIFFNESS**0.5 * DT * np.arange(STEPS + 1)[:, None, None]
    differences = path - target - (path[0] - target) * (1 + u) * np.exp(-u)
    assert np.abs(differences).max() < 0.1 * np.abs(path[0] - target).max()


def test_mirror_is_the_mirror_image_of_reach():
    angles, velocities, points = states()
    reach = expert_actions("reach", observe(angles, velocities, points))
    mirror = expert_actions("mirror", observe(-angles, -velocities, points))
    assert torch.allclose(reach, -mirror, atol=1e-5)


def test_a_policy_that_does_nothing_fails():
    points = sample_points(16, np.random.default_rng(7))
    path = attempt(lambda observations: torch.zeros(len(observations), 2), points)
    assert misses("reach", points, path[-1]).min() > TOLERANCE


def test_demonstrations_are_the_experts_actions_and_follow_the_seed():
    for skill in SKILLS:
        observations, actions = demonstrations(skill, 30, seed=1)
        assert observations.shape == (30, 6) and actions.shape == (30, 2)
        assert observations.dtype == actions.dtype == torch.float32 and actions.abs().max() <= 1
        assert torch.allclose(actions, expert_actions(skill, observations))
        assert torch.equal(observations, demonstrations(skill, 30, seed=1)[0])
        assert not torch.equal(observations, demonstrations(skill, 30, seed=2)[0])
    assert not torch.equal(demonstrations("reach", 30, 1)[0][:, 4:], demonstrations("hover", 30, 1)[0][:, 4:])


def test_attempts_follow_the_seed_and_leave_global_generators_alone():
    points, act = sample_points(4, np.random.default_rng(8)), partial(expert_actions, "reach")
    state, numpys = torch.get_rng_state(), np.random.get_state()[1].copy()
    one, same, other = (attempt(act, points, seed) for seed in (1, 1, 2))
    assert np.array_equal(one, same) and not np.array_equal(one[0], other[0])
    assert torch.equal(torch.get_rng_state(), state) and np.array_equal(np.random.get_state()[1], numpys)


def test_shapes_end_at_the_hand():
    arm = skilled_arm.SkilledArm(1)
    angles = np.array([0.3, 0.8])
    assert np.allclose(arm.shapes(angles)[-1][0][0], arm_points(angles)[2])


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: demonstrations("wave", 3, 0), "no skill 'wave'; there are reach, hover, mirror, point"),
        (lambda: target_angles("wave", np.full((2, 2), 0.4)), "no skill 'wave'; there are reach, hover, mirror, point"),
        (lambda: demonstrations("wave", 0, 0), "no skill 'wave'"),
        (lambda: demonstrations("reach", 0, 0), "n is 0; give 1 or more"),
        (lambda: inverse_kinematics(np.array([[0.5, 0.0], [0.9, 0.3]])), "point 1 is 0.949 m from the shoulder"),
        (lambda: attempt(lambda x: torch.zeros(len(x), 3), np.full((2, 2), 0.4)), r"actions have shape \(2, 3\)"),
        (lambda: attempt(lambda x: torch.full((len(x), 2), torch.nan), np.full((2, 2), 0.4)), "not finite"),
    ],
)
def test_what_makes_no_sense_is_refused(call, told):
    with pytest.raises(ValueError, match=told):
        call()
