"""Many instances of one MuJoCo model, each with its own physics, stepped together through Gymnasium's vector API.

All instances go through one call of `mujoco.rollout` per control step, which spreads them over threads. Each is
computed by itself, so its physics do not depend on how many instances or threads there are.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space


def import_mujoco():
    """The module `mujoco`, or an error that says what to do.

    Raises:
        ImportError: MuJoCo is not installed, or too old to have `mujoco.rollout.Rollout`.
    """
    try:
        import mujoco
        from mujoco import rollout
    except ImportError as error:
        raise ImportError("the robots need MuJoCo 3.3 or later; install it with `pip install mujoco`") from error
    if not hasattr(rollout, "Rollout"):
        raise ImportError(f"the robots need MuJoCo 3.3 or later, this is {mujoco.__version__}; upgrade `mujoco`")
    return mujoco


@dataclass(frozen=True)
class Physical:
    """A physical parameter of a model: what it changes.

    Where `unit` is empty, a value is a factor of what the model's XML says, 1 at first. Else it is the quantity itself
    in that unit, and `nominal` at first.
    """

    fields: tuple[str, ...]  # arrays of the MjModel
    rows: int | slice  # which of their rows: a body, a joint's degree of freedom, an actuator
    unit: str = ""
    nominal: float = 1.0
    positive: bool = False  # must be above 0; else 0 is allowed
    signed: bool = False  # may be below 0


class BatchedMujoco(VectorEnv):
    """n instances of a MuJoCo model. A subclass says what is observed and rewarded, and which physics can be set.

    An episode ends when the subclass says that it is over (terminated) or after `episode_steps` (truncated). The
    instance begins anew in the same step: the observation returned is the new episode's first, and the last one of the
    old is in `infos["final_obs"]` (n, d), in the rows where `infos["_final_obs"]` is true.

    All starts are drawn from one stream: with the same seed, another n gives other starts, and who ends first draws
    first. Only the physics of an instance do not depend on the others.

    `physics` has each parameter's values, (n,). It is for reading; `set_physics` changes them.

    Where a simulation becomes unstable (a number that is not finite, or beyond 1e10), MuJoCo itself puts the instance
    back to the model's rest, for the pendulum upright, with a warning in MUJOCO_LOG.TXT in the working folder. The
    numbers stay finite and the episode goes on, so no error tells of it: keep parameters in a sensible range.

    Args:
        n: how many instances.
        xml: the model's file, or its text.
        frame_skip: physics steps to one control step.
        episode_steps: control steps after which an episode is cut off.
        threads: over how many threads the instances are spread; it changes the time, not the numbers.

    Raises:
        ImportError: MuJoCo is missing or too old.
        ValueError: n, frame_skip, episode_steps or threads is below 1.
    """

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}
    PHYSICS: dict[str, Physical] = {}

    def __init__(self, n: int, xml: str | Path, *, frame_skip: int, episode_steps: int, threads: int = 1):
        for name, value in dict(n=n, frame_skip=frame_skip, episode_steps=episode_steps, threads=threads).items():
            if value < 1:
                raise ValueError(f"{name} is {value}; give 1 or more")
        self._mujoco = import_mujoco()
        load = self._mujoco.MjModel.from_xml_path if isinstance(xml, Path) else self._mujoco.MjModel.from_xml_string
        self.model = load(str(xml))
        self.num_envs, self.frame_skip, self.episode_steps, self.threads = n, frame_skip, episode_steps, threads
        self.dt: float = self.model.opt.timestep * frame_skip  # seconds between two actions
        low, high = self.model.actuator_ctrlrange.T
        self.single_action_space = Box(low.astype(np.float32), high.astype(np.float32))
        self._models = [copy.copy(self.model) for _ in range(n)]
        self._data = [self._mujoco.MjData(self.model) for _ in range(threads)]
        self._pool = self._mujoco.rollout.Rollout(nthread=threads if threads > 1 else 0)
        full = self._mujoco.mjtState.mjSTATE_FULLPHYSICS
        self._rest = np.empty(self._mujoco.mj_stateSize(self.model, full))
        self._mujoco.mj_getState(self.model, self._data[0], self._rest, full)
        self._state = np.tile(self._rest, (n, 1))  # time, qpos, qvel, …
        self._path = np.empty((n, frame_skip, len(self._rest)))
        self._age = np.zeros(n, int)
        self.physics = {name: np.full(n, parameter.nominal) for name, parameter in self.PHYSICS.items()}
        observation = self._observe(*self._split(self._state[:1]))
        self.single_observation_space = Box(-np.inf, np.inf, observation.shape[1:], np.float64)
        self.observation_space = batch_space(self.single_observation_space, n)
        self.action_space = batch_space(self.single_action_space, n)

    @property
    def qpos(self) -> np.ndarray:
        """Joint positions, (n, nq), in m or rad."""
        return self._split(self._state)[0]

    @property
    def qvel(self) -> np.ndarray:
        """Joint velocities, (n, nv), in m/s or rad/s."""
        return self._split(self._state)[1]

    def set_physics(self, where: Sequence | None = None, **values: float | np.ndarray) -> None:
        """Change physical parameters, at once and until they are changed again.

        Args:
            where: the instances to change, a mask (n,) or indices (k,); all of them by default.
            values: for each parameter one number, or one for each instance of `where`. The class says what they mean.

        Raises:
            ValueError: an unknown parameter, a wrong shape, a value that makes no sense or instances that are none.
        """
        chosen = chosen_instances(where, self.num_envs)
        for name, value in {name: self._check(name, value, len(chosen)) for name, value in values.items()}.items():
            self.physics[name][chosen] = value
            parameter = self.PHYSICS[name]
            for field in parameter.fields:
                unit = 1.0 if parameter.unit else getattr(self.model, field)[parameter.rows].copy()
                for i, x in zip(chosen.tolist(), value.tolist(), strict=True):
                    getattr(self._models[i], field)[parameter.rows] = x * unit
        for i in chosen.tolist():
            # What MuJoCo derives from the masses, such as the inertia at each joint.
            self._mujoco.mj_setConst(self._models[i], self._data[0])

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[np.ndarray, dict]:
        """Begin new episodes. The same seed gives the same episodes.

        With `options={"observations": …}` (n, d) they begin in the states that were observed so.

        Raises:
            ValueError: the observations have a wrong shape or are not finite.
        """
        super().reset(seed=seed)
        self._begin(np.arange(self.num_envs))
        if options and "observations" in options:
            observations = np.asarray(options["observations"], float)
            if observations.shape != self.observation_space.shape:
                raise ValueError(f"observations have shape {observations.shape}; give {self.observation_space.shape}")
            if (bad := ~np.isfinite(observations).all(1)).any():
                raise ValueError(
                    f"the observations of instance {bad.argmax()} are {observations[bad.argmax()]}; give finite numbers"
                )
            self._set_state(np.arange(self.num_envs), *self._state_of(observations))
        return self._observe(self.qpos, self.qvel), {}

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict]:
        """One control step with actions (n, a), clipped to the action space.

        Returns:
            observations (n, d), rewards (n,), terminations (n,), truncations (n,), infos.

        Raises:
            ValueError: the actions have a wrong shape or are not finite.
        """
        actions = np.asarray(actions, float)
        if actions.shape != self.action_space.shape:
            raise ValueError(f"actions have shape {actions.shape}; give {self.action_space.shape}")
        if not np.isfinite(actions).all():
            raise ValueError("an action is not finite; look for a policy that has diverged")
        actions = np.clip(actions, self.action_space.low, self.action_space.high)
        control = np.repeat(actions[:, None], self.frame_skip, axis=1)
        self._pool.rollout(
            self._models, self._data, self._state, control, nstep=self.frame_skip, skip_checks=True, state=self._path
        )
        self._state[:] = self._path[:, -1]
        self._age += 1
        observations = self._observe(self.qpos, self.qvel)
        rewards, terminations = self._score(self.qpos, self.qvel, actions)
        truncations = ~terminations & (self._age >= self.episode_steps)
        infos = {}
        if (ended := terminations | truncations).any():
            infos = {"final_obs": observations.copy(), "_final_obs": ended}
            self._begin(np.flatnonzero(ended))
            observations[ended] = self._observe(self.qpos[ended], self.qvel[ended])
        return observations, rewards, terminations, truncations, infos

    def close_extras(self, **kwargs) -> None:
        """End the threads."""
        self._pool.close()

    def _observe(self, qpos: np.ndarray, qvel: np.ndarray) -> np.ndarray:
        """What is observed of states: a new array (k, d)."""
        raise NotImplementedError

    def _state_of(self, observations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The inverse of `_observe`."""
        raise NotImplementedError

    def _score(self, qpos: np.ndarray, qvel: np.ndarray, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rewards (n,) of having come to these states, and whether the episodes are over (n,)."""
        raise NotImplementedError

    def _start(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Positions and velocities at the start of k episodes, drawn by `self.np_random`."""
        raise NotImplementedError

    def _begin(self, chosen: np.ndarray) -> None:
        self._set_state(chosen, *self._start(len(chosen)))
        self._age[chosen] = 0

    def _set_state(self, chosen: np.ndarray, qpos: np.ndarray, qvel: np.ndarray) -> None:
        self._state[chosen] = self._rest
        self._state[chosen, 1 : 1 + self.model.nq] = qpos
        self._state[chosen, 1 + self.model.nq : 1 + self.model.nq + self.model.nv] = qvel

    def _split(self, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        nq, nv = self.model.nq, self.model.nv
        return state[:, 1 : 1 + nq], state[:, 1 + nq : 1 + nq + nv]

    def _check(self, name: str, value: float | np.ndarray, k: int) -> np.ndarray:
        if name not in self.PHYSICS:
            raise ValueError(f"{type(self).__name__} has no parameter {name!r}; there are {', '.join(self.PHYSICS)}")
        parameter = self.PHYSICS[name]
        return check_parameter(name, value, k, positive=parameter.positive, signed=parameter.signed)


def chosen_instances(where: Sequence | None, n: int) -> np.ndarray:
    """The indices of the instances that `where` means: all n for None, else those of a mask (n,) or of indices (k,).

    Raises:
        ValueError: it is neither, or an index is out of range.
    """
    if where is None:
        return np.arange(n)
    try:
        chosen = np.arange(n)[list(where) if isinstance(where, tuple) else where]
    except IndexError:
        chosen = None
    if chosen is None or chosen.ndim != 1:
        raise ValueError(f"where is {where}; give a mask of {n} instances, or a list of indices from 0 to {n - 1}")
    return chosen


def check_parameter(
    name: str, value: float | np.ndarray, k: int, *, positive: bool = False, signed: bool = False
) -> np.ndarray:
    """One value for each of k instances.

    Raises:
        ValueError: it is neither a number nor an array (k,), or a value is not finite, negative unless it is signed, or
            0 where it must be positive.
    """
    values = np.asarray(value, float)
    if values.shape not in ((), (k,)):
        raise ValueError(f"{name} has shape {values.shape}; give one number, or one for each of {k} instances")
    if not (np.isfinite(values).all() and (signed or (values > 0 if positive else values >= 0).all())):
        wanted = "" if signed else " above 0" if positive else " from 0 on"
        raise ValueError(f"{name} is {value}; give finite numbers{wanted}")
    return np.broadcast_to(values, (k,)).copy()
