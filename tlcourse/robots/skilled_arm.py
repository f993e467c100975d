"""An arm of two joints and four skills, each about a point that it is shown; and an exact expert of each.

The arm moves in a vertical plane, x to the right and z up, the shoulder at the origin, and carries its own weight. A
skill means a posture q*, two joint angles that follow from the point:

    reach    the hand at the point
    hover    the hand 0.2 m above it
    mirror   the hand at its mirror image, on the other side of the shoulder
    point    the upper arm at rest, 0.5 rad behind the vertical, the forearm towards the point

The expert pulls each joint there like a spring with a critical damper (computed torque control; Spong, Hutchinson and
Vidyasagar 2006, Robot Modeling and Control, section 8.3); MuJoCo's inverse dynamics says which torques that takes:

    q'' = K (q* - q) - D q',   torque = M(q) q'' + bias(q, q'),   bias: weight, Coriolis forces, friction

Here angles are in rad, (n, 2), shoulder and elbow; both are 0 where the arm hangs straight down.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from .mujoco_batch import BatchedMujoco, import_mujoco

SKILLS = ("reach", "hover", "mirror", "point")
UPPER, FORE = 0.5, 0.4  # lengths of the upper arm and the forearm, m
STRONGEST = np.array([20.0, 8.0])  # torques of shoulder and elbow that an action of 1 means, N m
STIFFNESS, DAMPING = 25.0, 10.0  # K in 1/s², D in 1/s; D² = 4 K is critical
LIFT, REST = 0.2, -0.5  # height of hover above the point, m; angle of the upper arm in point, rad
STEPS, DT = 125, 0.02  # control steps of an attempt, and seconds of each
TOLERANCE = 0.05  # at the end the hand must be this close to where the skill wants it, m
# What is observed is (value - centre) / spread of two angles (rad), two velocities (rad/s) and the point (m).
CENTRE, SPREAD = np.array([0, 0, 0, 0, 0.35, -0.1]), np.array([1, 1, 2, 2, 0.25, 0.25])

XML = f"""
<mujoco model="skilled arm">
  <option gravity="0 0 -9.81" integrator="implicitfast" timestep="{DT / 4}"/>
  <default>
    <geom type="capsule" size="0.03" contype="0" conaffinity="0"/>
    <joint type="hinge" axis="0 -1 0"/>
    <motor ctrllimited="true" ctrlrange="-1 1"/>
  </default>
  <worldbody>
    <body name="upper arm">
      <joint name="shoulder" damping="1"/>
      <geom fromto="0 0 0 0 0 {-UPPER}" mass="1"/>
      <body name="forearm" pos="0 0 {-UPPER}">
        <joint name="elbow" damping="0.5"/>
        <geom fromto="0 0 0 0 0 {-FORE}" mass="0.8"/>
        <site name="hand" pos="0 0 {-FORE}"/>
      </body>
    </body>
  </worldbody>
  <actuator>
    <motor joint="shoulder" gear="{STRONGEST[0]}"/>
    <motor joint="elbow" gear="{STRONGEST[1]}"/>
  </actuator>
</mujoco>
"""


def arm_points(angles: np.ndarray) -> np.ndarray:
    """Where shoulder, elbow and hand are, (…, 3, 2) in m, for joint angles (…, 2)."""
    directions = np.cumsum(angles, -1)[..., None]
    links = np.concatenate([np.sin(directions), -np.cos(directions)], -1) * [[UPPER], [FORE]]
    return np.concatenate([np.zeros_like(links[..., :1, :]), np.cumsum(links, -2)], -2)


def inverse_kinematics(points: np.ndarray) -> np.ndarray:
    """Joint angles (n, 2) that bring the hand to the points (n, 2), with the elbow bent forwards (an angle above 0).

        cos q_2 = (x² + z² - l_1² - l_2²) / (2 l_1 l_2),   q_1 = atan2(x, -z) - atan2(l_2 sin q_2, l_1 + l_2 cos q_2)

    Raises:
        ValueError: a point is out of reach.
    """
    distances = np.linalg.norm(points, axis=1)
    if (bad := ~((distances > UPPER - FORE) & (distances < UPPER + FORE))).any():
        raise ValueError(
            f"point {bad.argmax()} is {distances[bad.argmax()]:.3g} m from the shoulder; the hand reaches points "
            f"between {UPPER - FORE:.3g} and {UPPER + FORE:.3g} m"
        )
    elbow = np.arccos((distances**2 - UPPER**2 - FORE**2) / (2 * UPPER * FORE))
    inner = np.arctan2(FORE * np.sin(elbow), UPPER + FORE * np.cos(elbow))
    return np.stack([np.arctan2(points[:, 0], -points[:, 1]) - inner, elbow], 1)


def target_angles(skill: str, points: np.ndarray) -> np.ndarray:
    """The posture q* (n, 2) that a skill means for the points shown (n, 2).

    Raises:
        ValueError: an unknown skill, or a point that it cannot serve.
    """
    _check_skill(skill)
    if skill == "reach":
        return inverse_kinematics(points)
    if skill == "hover":
        return inverse_kinematics(points + [0, LIFT])
    if skill == "mirror":
        return -inverse_kinematics(points)
    towards = points - arm_points(np.array([REST, 0.0]))[1]
    return np.stack([np.full(len(points), REST), np.arctan2(towards[:, 0], -towards[:, 1]) - REST], 1)


def sample_points(n: int, rng: np.random.Generator) -> np.ndarray:
    """n points (n, 2) before the arm, all within reach of every skill, m."""
    radius, angle = rng.uniform(0.35, 0.65, n), rng.uniform(-0.9, 0.9, n)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle) - 0.1], 1)


def observe(angles: np.ndarray, velocities: np.ndarray, points: np.ndarray) -> Tensor:
    """What a policy sees, (n, 6): joint angles, joint velocities (rad/s) and the point (m), each about 1 in size."""
    return torch.from_numpy((np.concatenate([angles, velocities, points], 1) - CENTRE) / SPREAD).float()


def inverse_dynamics(angles: np.ndarray, velocities: np.ndarray, accelerations: np.ndarray) -> np.ndarray:
    """The torques (n, 2) in N m that accelerate the joints so (rad/s²), by MuJoCo's `mj_inverse`."""
    mujoco, model, data = _simulator()
    torques = np.empty((len(angles), 2))
    for row, state in enumerate(zip(angles, velocities, accelerations, strict=True)):
        data.qpos, data.qvel, data.qacc = state
        mujoco.mj_inverse(model, data)
        torques[row] = data.qfrc_inverse
    return torques


def expert_actions(skill: str, observations: Tensor) -> Tensor:
    """The expert's actions (n, 2) for what is observed (n, 6): torques as shares of the strongest, -1 to 1.

    Raises:
        ValueError: an unknown skill.
    """
    angles, velocities, points = np.split(observations.double().numpy() * SPREAD + CENTRE, 3, axis=1)
    accelerations = STIFFNESS * (target_angles(skill, points) - angles) - DAMPING * velocities
    return torch.from_numpy(np.clip(inverse_dynamics(angles, velocities, accelerations) / STRONGEST, -1, 1)).float()


def demonstrations(skill: str, n: int, seed: int) -> tuple[Tensor, Tensor]:
    """n labelled states: what is observed (n, 6), and the expert's actions there (n, 2).

    Each is a random moment of another attempt of the expert, pushed a little aside, so that a student also sees how to
    come back. Where no torque is clipped, the expert's joints follow a critically damped spring, with u = sqrt(K) t:

        q = q* + (q_0 - q*) (1 + u) exp(-u),   q' = -(q_0 - q*) sqrt(K) u exp(-u)

    Raises:
        ValueError: an unknown skill, or n below 1.
    """
    _check_skill(skill)
    if n < 1:
        raise ValueError(f"n is {n}; give 1 or more demonstrations")
    rng = np.random.default_rng([SKILLS.index(skill), seed])
    points = sample_points(n, rng)
    target, rate = target_angles(skill, points), STIFFNESS**0.5
    u = rate * rng.uniform(0, 1.5, (n, 1))
    away = rng.uniform(-0.5, 0.5, (n, 2)) - target
    angles = target + away * (1 + u) * np.exp(-u) + rng.normal(0, 0.15, (n, 2))
    velocities = -away * rate * u * np.exp(-u) + rng.normal(0, 0.5, (n, 2))
    observations = observe(angles, velocities, points)
    return observations, expert_actions(skill, observations)


class SkilledArm(BatchedMujoco):
    """n arms that hang at the start; observed are angles (rad) and velocities (rad/s), (n, 4). There is no reward: what
    counts is how an attempt ends (`attempt`). The arguments, and what is raised, are those of `BatchedMujoco`."""

    VIEW = (-0.95, 0.95, -0.95, 0.95)

    def __init__(self, n: int, *, frame_skip: int = 4, episode_steps: int = STEPS + 1, threads: int = 1):
        super().__init__(n, XML, frame_skip=frame_skip, episode_steps=episode_steps, threads=threads)

    def shapes(self, qpos: np.ndarray) -> list:
        """What `drawing` draws: two links, the shoulder and the hand at angles (2,)."""
        shoulder, elbow, hand = arm_points(qpos)
        links = [([shoulder, elbow], 0.06, "limb"), ([elbow, hand], 0.05, "limb")]
        return [*links, ([shoulder], 0.1, "body"), ([hand], 0.06, "load")]

    def _observe(self, qpos: np.ndarray, qvel: np.ndarray) -> np.ndarray:
        return np.concatenate([qpos, qvel], 1)

    def _state_of(self, observations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return observations[:, :2], observations[:, 2:]

    def _score(self, qpos: np.ndarray, qvel: np.ndarray, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros(len(qpos)), np.zeros(len(qpos), bool)

    def _start(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        return self.np_random.uniform(-0.5, 0.5, (k, 2)), np.zeros((k, 2))


@torch.no_grad()
def attempt(act: Callable[[Tensor], Tensor], points: np.ndarray, seed: int = 0) -> np.ndarray:
    """Let a policy act on the simulated arm for 2.5 s.

    Args:
        act: what is observed (n, 6) to actions (n, 2), clipped to -1 … 1.
        points: one for each attempt, (n, 2).
        seed: of the angles at the start, up to 0.5 rad from hanging.

    Returns:
        The joint angles all along, (STEPS + 1, n, 2).

    Raises:
        ValueError: actions of a wrong shape, or not finite.
    """
    arms = SkilledArm(len(points))
    arms.reset(seed=seed)
    path = [arms.qpos.copy()]
    for _ in range(STEPS):
        arms.step(act(observe(arms.qpos, arms.qvel, points)).numpy())
        path.append(arms.qpos.copy())
    return np.stack(path)


def misses(skill: str, points: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """How far the hand is from where the skill wants it, (n,) in m, at joint angles (n, 2)."""
    return np.linalg.norm(arm_points(angles)[:, 2] - arm_points(target_angles(skill, points))[:, 2], axis=1)


def _check_skill(skill: str) -> None:
    if skill not in SKILLS:
        raise ValueError(f"there is no skill {skill!r}; there are {', '.join(SKILLS)}")


@lru_cache(1)
def _simulator():
    mujoco = import_mujoco()
    model = mujoco.MjModel.from_xml_string(XML)
    return mujoco, model, mujoco.MjData(model)
