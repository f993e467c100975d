"""Drawings show the robot where its joints put it."""

import io

import numpy as np
import pytest
from PIL import Image

from tlcourse.robots.drawing import COLOURS, draw, film_strip, gif, play
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


def test_a_strip_has_the_first_and_the_last_frame():
    frames = [Image.new("RGB", (10, 8), (shade, 0, 0)) for shade in range(0, 250, 10)]
    strip = np.asarray(film_strip(frames, 5))
    assert strip.shape == (8, 50, 3) and strip[0, ::10, 0].tolist() == [0, 60, 120, 180, 240]
    assert film_strip(frames[:2], 5).width == 20


def test_a_gif_has_all_frames_and_their_time():
    frames = [Image.new("RGB", (10, 8), (shade, 0, 0)) for shade in (0, 100, 200)]
    image = Image.open(io.BytesIO(gif(frames, 0.04)))
    assert image.n_frames == 3 and image.info["duration"] == 40


def test_nothing_to_show_is_an_error():
    for call in (lambda: film_strip([], 3), lambda: gif([], 0.1)):
        with pytest.raises(ValueError, match="give at least one"):
            call()
