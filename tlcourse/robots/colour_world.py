"""A rover on a rail that is to stand under a coloured object, seen by a camera of 16 × 16 pixels.

Four factors make a picture: where the rover is, where the object is, the colour of the floor and the colour of the
object. In the source domain some colours come together, in the target domain others do:

    source   a dark floor with a reddish object, or a magenta floor with a bluish one
    target   a dark floor with a bluish object, or a magenta floor with a reddish one

So both domains show the same colours, but in other combinations. From black (0, 0, 0) red (1, 0, 0) differs in the red
channel only, and so does blue (0, 0, 1) from magenta (1, 0, 1): in the source, blue hardly tells where the object is.
In the target it is the other way round.
"""

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

SIZE = 16  # pixels along each side
FACTORS = ("rover", "object", "floor colour", "object colour")
DOMAINS = ("source", "target", "everything")
ACTIONS = ("stay", "left", "right")
STEP, REACH = 0.1, 0.12  # of the rail's length: how far an action moves the rover, and how near is under the object
_MOVES = STEP * np.array([0, -1, 1])


def sample_factors(n: int, domain: str, rng: np.random.Generator, spread: float = 0.2) -> np.ndarray:
    """Factors of n pictures, (n, 4) in [0, 1], in the order of FACTORS.

    Positions are uniform. So are both colours in "everything": each with each. In "source" and "target" a colour is
    within `spread` of its end: floors near 0 (dark) or 1 (magenta), objects near 0 (red) or 1 (blue).

    Raises:
        ValueError: there is no such domain, or spread is not from 0 to 0.5.
    """
    if domain not in DOMAINS:
        raise ValueError(f"there is no domain {domain!r}; give one of {', '.join(DOMAINS)}")
    if not 0 <= spread <= 0.5:
        raise ValueError(f"spread is {spread}; give a number from 0 to 0.5")
    factors = rng.random((n, len(FACTORS)))
    if domain != "everything":
        floor = rng.integers(0, 2, n)
        ends = np.stack([floor, floor if domain == "source" else 1 - floor], axis=1)
        factors[:, 2:] = np.abs(ends - spread * factors[:, 2:])
    return factors


def render(factors: np.ndarray) -> np.ndarray:
    """Pictures, (n, 3, 16, 16) of bytes, of factors (n, 4) in [0, 1]; edges are blended, so that a small move shows.

    Raises:
        ValueError: the factors have another shape, or are not in [0, 1].
    """
    factors = np.asarray(factors, float)
    if factors.ndim != 2 or factors.shape[1] != len(FACTORS):
        raise ValueError(f"factors have shape {factors.shape}; give (n, {len(FACTORS)}): {', '.join(FACTORS)}")
    if not ((factors >= 0) & (factors <= 1)).all():
        raise ValueError(f"the factors have values from {factors.min()} to {factors.max()}; give numbers from 0 to 1")
    rover, thing, floor, hue = factors.T
    pixel = (np.arange(SIZE) + 0.5) / SIZE
    across = pixel - (0.15 + 0.7 * np.stack([rover, thing]))[..., None]  # how far right of each, (2, n, 16)
    disc = 0.16 - np.hypot(across[1][:, None, :], (pixel - 0.3)[:, None])
    box = np.minimum((0.14 - np.abs(across[0]))[:, None, :], (0.1 - np.abs(pixel - 0.8))[:, None])

    pictures = np.stack([floor, 0 * floor, floor], axis=1)[:, :, None, None]
    red, blue = np.clip(1 - 2 * hue, 0, 1), np.clip(2 * hue - 1, 0, 1)  # and green between them
    hues = np.stack([red, 1 - red - blue, blue], axis=1)[:, :, None, None]
    for inside, colour in ((disc, hues), (box, 1.0)):
        share = np.clip(inside * SIZE + 0.5, 0, 1)[:, None]  # of each pixel that is covered
        pictures = (1 - share) * pictures + share * colour
    return np.round(255 * pictures).astype(np.uint8)


class ColourWorld(VectorEnv):
    """n rovers. Each step that a rover ends under its object gives 1, so a return is `episode_steps` at most.

    Actions: 0 stays, 1 goes left, 2 goes right, by a tenth of the rail. What is observed: pictures, (n, 3, 16, 16) of
    bytes. Colours and the object's place are drawn for each episode, which is cut off (truncated) after
    `episode_steps`. The instance begins anew in the same step: the observation returned is the new episode's first, and
    the last one of the old is in `infos["final_obs"]`, in the rows where `infos["_final_obs"]` is true.

    `factors` (n, 4) says what the pictures show.

    Args:
        n: how many instances.
        domain: "source", "target" or "everything", see `sample_factors`.
        spread: how far colours are from their ends.
        episode_steps: steps of an episode.

    Raises:
        ValueError: n or episode_steps is below 1, or domain or spread are not such.
    """

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}

    def __init__(self, n: int, domain: str = "source", *, spread: float = 0.2, episode_steps: int = 30):
        for name, value in dict(n=n, episode_steps=episode_steps).items():
            if value < 1:
                raise ValueError(f"{name} is {value}; give 1 or more")
        sample_factors(1, domain, np.random.default_rng(0), spread)  # says so if it cannot
        self.num_envs, self.domain, self.spread, self.episode_steps = n, domain, spread, episode_steps
        self.single_observation_space = Box(0, 255, (3, SIZE, SIZE), np.uint8)
        self.single_action_space = Discrete(len(ACTIONS))
        self.observation_space = batch_space(self.single_observation_space, n)
        self.action_space = batch_space(self.single_action_space, n)
        self.factors: np.ndarray | None = None  # none before the first reset

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[np.ndarray, dict]:
        """Begin new episodes. The same seed gives the same ones."""
        super().reset(seed=seed)
        self.factors = sample_factors(self.num_envs, self.domain, self.np_random, self.spread)
        self._age = np.zeros(self.num_envs, int)
        return render(self.factors), {}

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict]:
        """One step with actions (n,), 0 to 2.

        Returns:
            observations (n, 3, 16, 16), rewards (n,), terminations (n,), all false, truncations (n,), infos.

        Raises:
            ValueError: the actions have a wrong shape or are none of 0 to 2.
            RuntimeError: no episode has begun.
        """
        if self.factors is None:
            raise RuntimeError("no episode has begun; call reset first")
        actions = np.asarray(actions)
        if actions.shape != (self.num_envs,):
            raise ValueError(f"actions have shape {actions.shape}; give one for each rover, ({self.num_envs},)")
        if not np.isin(actions, range(len(ACTIONS))).all():
            raise ValueError(f"the actions have values {np.unique(actions)}; give whole numbers from 0 to 2")
        self.factors[:, 0] = np.clip(self.factors[:, 0] + _MOVES[actions.astype(int)], 0, 1)
        rewards = (np.abs(self.factors[:, 0] - self.factors[:, 1]) < REACH).astype(float)
        self._age += 1
        observations, infos = render(self.factors), {}
        truncations = self._age >= self.episode_steps
        if truncations.any():
            infos = {"final_obs": observations.copy(), "_final_obs": truncations}
            count = int(truncations.sum())
            self.factors[truncations] = sample_factors(count, self.domain, self.np_random, self.spread)
            self._age[truncations] = 0
            observations[truncations] = render(self.factors[truncations])
        return observations, rewards, np.zeros(self.num_envs, bool), truncations, infos


class SingleRover(gymnasium.Env):
    """One rover with Gymnasium's plain API, for agents that want it. The arguments are those of `ColourWorld`."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 8}

    def __init__(
        self,
        domain: str = "source",
        *,
        spread: float = 0.2,
        episode_steps: int = 30,
        render_mode: str | None = None,
    ):
        self.rovers = ColourWorld(1, domain, spread=spread, episode_steps=episode_steps)
        self.observation_space = self.rovers.single_observation_space
        self.action_space = self.rovers.single_action_space
        self.render_mode = render_mode

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        (self._seen,), infos = self.rovers.reset(seed=seed)
        return self._seen, infos

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict]:
        observations, rewards, _, truncations, infos = self.rovers.step(np.array([action]))
        self._seen = infos["final_obs"][0] if truncations[0] else observations[0]
        return self._seen, float(rewards[0]), False, bool(truncations[0]), {}

    def render(self) -> np.ndarray:
        return self._seen.transpose(1, 2, 0).repeat(16, 0).repeat(16, 1)
