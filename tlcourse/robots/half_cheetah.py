"""The half-cheetah: a runner in a plane, on two legs of three motors each, any of which may fail."""

import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from .mujoco_batch import BatchedMujoco, Physical

MOTORS = ("back_thigh", "back_shin", "back_foot", "front_thigh", "front_shin", "front_foot")


class HalfCheetah(BatchedMujoco):
    """n half-cheetahs: Gymnasium's own model, whose motors can be weakened or switched off one by one.

    An action every 0.05 s, (6,) from -1 to 1: torques in the order of `MOTORS`, in units of each motor's strength. What
    is observed, (17,): the torso's height (m) and pitch (rad), the angles of the six joints (rad), then the velocities
    of the torso (forward, up, in m/s, and pitch) and of the joints (rad/s). Episodes last 200 steps, 10 s, and never
    terminate.

        reward = v - 0.1 |action|²,   v the forward velocity in m/s at the end of the step

    Gymnasium's `HalfCheetah-v5` has the same model and observations; it takes the mean velocity over the step, and
    episodes of 1000 steps.

    Physical parameters (see `set_physics`):

    - `gear_back_thigh`, …, `gear_front_foot`: factor of that motor's strength. 0 is a dead motor, whose joint is held
      by its spring and damper alone; -1 one that has been connected the wrong way round;
    - `mass`: factor of all masses (14 kg) and inertias.

    The arguments, and what is raised, are those of `BatchedMujoco`.
    """

    PHYSICS = {f"gear_{name}": Physical(("actuator_gear",), row, signed=True) for row, name in enumerate(MOTORS)} | {
        "mass": Physical(("body_mass", "body_inertia"), slice(1, None), positive=True)
    }
    VIEW = (-1.2, 1.2, -0.1, 1.3)

    def __init__(self, n: int, *, frame_skip: int = 5, episode_steps: int = 200, threads: int = 1):
        assets = Path(find_spec("gymnasium").origin).parent / "envs" / "mujoco" / "assets"
        xml = (assets / "half_cheetah.xml").read_text(encoding="utf-8")
        # MuJoCo deprecates this attribute, loudly; what it does is done below.
        xml, found = re.subn(r' settotalmass="14"', "", xml)
        super().__init__(n, xml, frame_skip=frame_skip, episode_steps=episode_steps, threads=threads)
        for model in (self.model, *self._models) if found else ():
            self._mujoco.mj_setTotalmass(model, 14)
            self._mujoco.mj_setConst(model, self._data[0])

    def shapes(self, qpos: np.ndarray) -> list:
        """What `drawing` draws: the ground and the capsules of the body at positions (9,), the torso in the middle."""
        data = self._mujoco.MjData(self.model)
        data.qpos[1:] = qpos[1:]
        self._mujoco.mj_kinematics(self.model, data)
        drawn = [([(-2, 0), (2, 0)], 0.02, "rail")]
        for geom in range(1, self.model.ngeom):  # 0 is the floor
            radius, half = self.model.geom_size[geom, :2]
            reach = half * data.geom_xmat[geom].reshape(3, 3)[[0, 2], 2]
            middle, name = data.geom_xpos[geom, [0, 2]], self.model.geom(geom).name
            kind = {"b": "limb", "f": "load"}.get(name[0], "body")
            drawn.append(([tuple(middle - reach), tuple(middle + reach)], 2 * radius, kind))
        return drawn

    def _observe(self, qpos: np.ndarray, qvel: np.ndarray) -> np.ndarray:
        return np.concatenate([qpos[:, 1:], qvel], axis=1)

    def _state_of(self, observations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.concatenate([np.zeros((len(observations), 1)), observations[:, :8]], axis=1), observations[:, 8:]

    def _score(self, qpos: np.ndarray, qvel: np.ndarray, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return qvel[:, 0] - 0.1 * np.square(actions).sum(1), np.zeros(len(qpos), bool)

    def _start(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        return self.np_random.uniform(-0.1, 0.1, (k, 9)), self.np_random.normal(0, 0.1, (k, 9))
