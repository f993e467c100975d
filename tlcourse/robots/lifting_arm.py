"""The lifting arm: one joint brings a load up and holds it there."""

import numpy as np

from .mujoco_batch import BatchedMujoco, Physical

LENGTH = 0.5  # of the arm, m

XML = f"""
<mujoco model="lifting arm">
  <option gravity="0 0 -9.81" integrator="implicitfast" timestep="0.02"/>
  <default>
    <geom contype="0" conaffinity="0"/>
  </default>
  <worldbody>
    <body name="link">
      <joint name="shoulder" type="hinge" axis="0 -1 0" damping="0.2"/>
      <geom type="capsule" fromto="0 0 0 0 0 {-LENGTH}" size="0.02" mass="0.2"/>
      <body name="load" pos="0 0 {-LENGTH}">
        <geom type="sphere" size="0.06" mass="1"/>
      </body>
    </body>
  </worldbody>
  <actuator>
    <motor joint="shoulder" gear="7" ctrllimited="true" ctrlrange="-1 1"/>
  </actuator>
</mujoco>
"""


class LiftingArm(BatchedMujoco):
    """n arms of one joint that swing a load up, against gravity, and hold it above the shoulder.

    The arm, 0.5 m long, hangs at the start; the load, 1 kg, is at its end. The motor's 7 N m are more than the 5.4 N m
    that it takes to hold the arm level, so it can simply be pushed up. A load of more than 1.3 kg it cannot hold
    level, and one of 2 kg it can bring up only by swinging it to and fro.

    An action every 0.04 s, (1,) from -1 to 1: the torque, in 7 N m times `gear`. What is observed, (3,): sine and
    cosine of the angle from hanging, and the angular velocity (rad/s). Episodes last 150 steps, 6 s, and never
    terminate.

        reward = (1 - cos(angle)) / 2 - 0.001 velocity²,   0 hanging at rest, 1 held up

    Physical parameters (see `set_physics`):

    - `mass`: factor of the load's mass (1 kg) and inertia;
    - `friction`: dry friction in the joint, in N m; none at first;
    - `damping`: factor of the joint's viscous friction (0.2 N m s/rad);
    - `gear`: factor of the motor's strength.

    The arguments, and what is raised, are those of `BatchedMujoco`.
    """

    PHYSICS = {
        "mass": Physical(("body_mass", "body_inertia"), 2, positive=True),
        "friction": Physical(("dof_frictionloss",), 0, unit="N m", nominal=0.0),
        "damping": Physical(("dof_damping",), 0),
        "gear": Physical(("actuator_gear",), 0, positive=True),
    }
    VIEW = (-0.7, 0.7, -0.65, 0.65)

    def __init__(self, n: int, *, frame_skip: int = 2, episode_steps: int = 150, threads: int = 1):
        super().__init__(n, XML, frame_skip=frame_skip, episode_steps=episode_steps, threads=threads)

    def shapes(self, qpos: np.ndarray) -> list:
        """What `drawing` draws: the link, the shoulder and the load at positions (1,)."""
        end = (LENGTH * np.sin(qpos[0]), -LENGTH * np.cos(qpos[0]))
        return [([(0, 0), end], 0.05, "limb"), ([(0, 0)], 0.1, "body"), ([end], 0.14, "load")]

    def _observe(self, qpos: np.ndarray, qvel: np.ndarray) -> np.ndarray:
        return np.concatenate([np.sin(qpos), np.cos(qpos), qvel], axis=1)

    def _state_of(self, observations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.arctan2(observations[:, :1], observations[:, 1:2]), observations[:, 2:]

    def _score(self, qpos: np.ndarray, qvel: np.ndarray, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return (1 - np.cos(qpos[:, 0])) / 2 - 0.001 * qvel[:, 0] ** 2, np.zeros(len(qpos), bool)

    def _start(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        return self.np_random.uniform(-0.2, 0.2, (k, 1)), self.np_random.normal(0, 0.1, (k, 1))
