"""Drawings show the robot where its joints put it."""

import numpy as np
import pytest

from tlcourse.robots.drawing import COLOURS, draw, play
from tlcourse.robots.imperfections import Latency
from tlcourse.robots.inverted_pendulum import InvertedPendulum
from tlcourse.robots.lifting_arm import LiftingArm


def middle(image, kind):
    """Where a colour is, as shares of width and height from the upper left."""
    colour = tuple(int(COLOURS[kind][i : i + 2], 16) for i in (1, 3, 5))
    rows, columns = np.nonzero((np.asarray(image) == colour).all(2))
    return columns.mean() / image.width, rows.mean() / image.height


def test_the_pendulum_is_where_its_joints_are():
    robot = InvertedPendulum(1)
    left, right = (middle(draw(robot, np.array([x, 0.0])), "body")[0] for x in (-0.5, 0.5))
    assert left == pytest.approx(0.5 - 0.5 / 3.3, abs=0.02) and right == pytest.approx(0.5 + 0.5 / 3.3, abs=0.02)
    leaning = draw(robot, np.array([0.0, 0.5]))
    assert middle(leaning, "limb")[0] > 0.51 > middle(draw(robot, np.zeros(2)), "limb")[0]
    assert leaning.height == 120


def test_a_positive_angle_leans_to_where_mujoco_puts_the_tip():
    """Both robots: the drawn end against MuJoCo's own kinematics."""
    import mujoco

    for robot, qpos, body in ((InvertedPendulum(1), [0.3, 0.4], "pole"), (LiftingArm(1), [0.7], "load")):
        data = mujoco.MjData(robot.model)
        data.qpos[:] = qpos
        mujoco.mj_forward(robot.model, data)
        drawn = robot.shapes(np.array(qpos))[-1][0][-1]
        end = np.array([0.001, 0, 0.6]) if body == "pole" else np.zeros(3)
        there = data.body(body).xpos + data.body(body).xmat.reshape(3, 3) @ end
        np.testing.assert_allclose(drawn, there[[0, 2]], atol=0.002)


def test_a_film_ends_with_the_episode_and_begins_with_its_start():
    env = Latency(InvertedPendulum(2))
    frames = play(lambda observations: np.full((2, 1), 0.5), env, seconds=4, every=2, seed=0)
    assert 3 < len(frames) < 30
    whole = play(lambda observations: np.zeros((1, 1)), LiftingArm(1), seconds=2, every=5, height=60)
    assert len(whole) == 11 and whole[0].height == 60
