"""The inverted pendulum: a cart on a rail keeps a pole upright."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from .mujoco_batch import BatchedMujoco, Physical, import_mujoco


class InvertedPendulum(BatchedMujoco):
    """n inverted pendulums: Gymnasium's own model, with an action every 0.02 s and a reward for staying in the middle.

    A motor pushes the cart along its rail; the pole, hinged on it, falls unless the cart follows. The action (1,) is
    from -3 to 3, a force in 100 N times `gear`. What is observed, (4,): the cart's position (m), the pole's angle
    (rad), the cart's velocity (m/s), the pole's (rad/s). The episode is over when the pole leans by more than `limit`.

        reward = 1 - 0.3 x²,   x the cart's position;   0 in the step that ends the episode

    So the return is `episode_steps` at most. Gymnasium's `InvertedPendulum-v5` has the same model; it differs in
    `frame_skip=2`, `integrator="RK4"`, a reward of 1, 1000 steps, and in how it starts.

    Physical parameters (see `set_physics`):

    - `mass`: factor of the pole's mass (5.02 kg) and inertia;
    - `friction`: dry friction between cart and rail, in N; none at first (a smaller force does not quite hold the cart:
      MuJoCo lets it creep at a tenth of the speed);
    - `damping`: factor of the viscous friction of both joints (1 N s/m and 1 N m s/rad);
    - `gear`: factor of the motor's strength.

    Args:
        integrator: `"RK4"`, as in Gymnasium, or `"implicitfast"`, which takes a third of the time.
        start: position (m) and angle (rad) at the start are uniform within this; velocities normal with a fifth of it.
        limit: the angle, in rad, at which the pole counts as fallen; with pi it falls and the episode goes on.

    The other arguments, and what is raised, are those of `BatchedMujoco`.
    """

    PHYSICS = {
        "mass": Physical(("body_mass", "body_inertia"), 2, positive=True),
        "friction": Physical(("dof_frictionloss",), 0, unit="N", nominal=0.0),
        "damping": Physical(("dof_damping",), slice(None)),
        "gear": Physical(("actuator_gear",), 0, positive=True),
    }
    VIEW = (-1.65, 1.65, -0.2, 0.75)

    def __init__(
        self,
        n: int,
        *,
        frame_skip: int = 1,
        episode_steps: int = 250,
        threads: int = 1,
        integrator: str = "implicitfast",
        start: float = 0.05,
        limit: float = 0.2,
    ):
        integrators = import_mujoco().mjtIntegrator
        known = {"RK4": integrators.mjINT_RK4, "implicitfast": integrators.mjINT_IMPLICITFAST}
        if integrator not in known:
            raise ValueError(f"integrator is {integrator!r}; give one of {', '.join(known)}")
        assets = Path(find_spec("gymnasium").origin).parent / "envs" / "mujoco" / "assets"
        self._spread, self._limit = start, limit
        xml = assets / "inverted_pendulum.xml"
        super().__init__(n, xml, frame_skip=frame_skip, episode_steps=episode_steps, threads=threads)
        for model in (self.model, *self._models):
            model.opt.integrator = known[integrator]

    def shapes(self, qpos: np.ndarray) -> list:
        """What `drawing` draws: the rail, the cart and the pole at positions (2,)."""
        x, angle = qpos
        tip = (x + 0.6 * np.sin(angle), 0.6 * np.cos(angle))
        return [
            ([(-1, 0), (1, 0)], 0.04, "rail"),
            ([(x - 0.1, 0), (x + 0.1, 0)], 0.16, "body"),
            ([(x, 0), tip], 0.08, "limb"),
        ]

    def _observe(self, qpos: np.ndarray, qvel: np.ndarray) -> np.ndarray:
        return np.concatenate([qpos, qvel], axis=1)

    def _state_of(self, observations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return observations[:, :2], observations[:, 2:]

    def _score(self, qpos: np.ndarray, qvel: np.ndarray, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        fallen = ~(np.abs(qpos[:, 1]) <= self._limit)  # so would be an angle that is not a number; MuJoCo leaves none
        return np.where(fallen, 0.0, 1 - 0.3 * qpos[:, 0] ** 2), fallen

    def _start(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        positions = self.np_random.uniform(-self._spread, self._spread, (k, 2))
        return positions, self.np_random.normal(0, self._spread / 5, (k, 2))
