"""Robots drawn from their joint positions, in a plane and without a GPU."""

from collections.abc import Callable

import numpy as np
from gymnasium.vector import VectorEnv
from PIL import Image, ImageDraw

COLOURS = {"rail": "#b0b0b0", "body": "#4477aa", "limb": "#ee6677", "load": "#ccbb44"}
SUPERSAMPLING = 3


def draw(robot: VectorEnv, qpos: np.ndarray, height: int = 120) -> Image.Image:
    """One robot at joint positions (nq,), as a picture `height` pixels high.

    The robot says in `VIEW` what is seen, (left, right, bottom, top) in m, and in `shapes(qpos)` its parts: lines with
    round ends, each (points, width in m, kind).
    """
    left, right, bottom, top = robot.VIEW
    scale = height * SUPERSAMPLING / (top - bottom)
    image = Image.new("RGB", (round((right - left) * scale), height * SUPERSAMPLING), "white")
    pen = ImageDraw.Draw(image)
    for points, width, kind in robot.shapes(qpos):
        pixels = [((x - left) * scale, (top - y) * scale) for x, y in points]
        pen.line(pixels, COLOURS[kind], round(width * scale))
        for x, y in pixels:
            pen.circle((x, y), width * scale / 2, COLOURS[kind])
    return image.reduce(SUPERSAMPLING)


def play(
    act: Callable[[np.ndarray], np.ndarray],
    env: VectorEnv,
    *,
    seconds: float = 4.0,
    every: int = 2,
    seed: int = 0,
    height: int = 120,
) -> list[Image.Image]:
    """Let a policy act and draw the first instance, before the first and after each `every`-th step; stop early when
    its episode ends.

    Args:
        act: observations (n, d) to actions (n, a).
        env: a robot of this package, bare or in wrappers.
    """
    robot = env.unwrapped
    observations, _ = env.reset(seed=seed)
    frames = [draw(robot, robot.qpos[0], height)]
    for step in range(1, round(seconds / robot.dt) + 1):
        observations, _, terminations, truncations, _ = env.step(act(observations))
        if terminations[0] or truncations[0]:
            break
        if step % every == 0:
            frames.append(draw(robot, robot.qpos[0], height))
    return frames
