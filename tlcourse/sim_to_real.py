"""From simulation to reality: train a policy on many simulated robots, so that the real one is just another of them.

Domain randomization: every episode has its own mass, friction, latency, …, drawn from ranges that should contain the
real robot. Tobin et al. 2017, arXiv 1703.06907 (images); Peng et al. 2018, arXiv 1710.06537 (dynamics); OpenAI 2019,
arXiv 1910.07113 (ranges that grow by themselves; not here). The alternative is in `system_identification`.
"""

import math
import numbers
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from gymnasium.vector import VectorEnv, VectorWrapper
from torch import Tensor

from .rl.policies import ActorCritic
from .rl.ppo import Curve, train_ppo
from .rl.support import evaluate_policy

Range = tuple[float, float]  # lowest, highest

FACTORS = ("lighting", "mass", "damping", "gear")  # nominal 1; drawn log-uniformly, so that ×2 is as likely as /2
WHOLE = ("texture", "latency")  # whole numbers, nominal 0
# The others, friction and sensor_noise, are amounts with nominal 0, drawn uniformly.
TEXTURES = 10


@dataclass(frozen=True)
class DomainRandomization:
    """The ranges from which robots are drawn. What has no range stays as it is in the simulator.

    Raises:
        ValueError: a range is reversed, or has a value that makes no sense.
    """

    mass: Range | None = None
    """Factor of the mass of the part that the robot must move."""
    friction: Range | None = None
    """Dry friction, in the robot's unit."""
    damping: Range | None = None
    """Factor of the viscous friction in the joints."""
    gear: Range | None = None
    """Factor of the motor's strength."""
    latency: Range | None = None
    """By how many control steps an action is late; whole numbers."""
    sensor_noise: Range | None = None
    """Standard deviation of the noise in the observations."""
    lighting: Range | None = None
    """Factor of an image's brightness."""
    texture: Range | None = None
    """Which of the ten surfaces an image shows, 0 to 9; whole numbers; 0 is the image as it is."""

    def __post_init__(self):
        for name, given in self.ranges.items():
            pair = isinstance(given, tuple | list) and len(given) == 2
            if not (pair and all(isinstance(value, numbers.Real) and math.isfinite(value) for value in given)):
                raise ValueError(f"{name} is {given!r}; give two finite numbers (lowest, highest)")
            object.__setattr__(self, name, tuple(given))  # a list, too: so that equal ranges are equal and hashable
            low, high = given
            if not 0 <= low <= high:
                raise ValueError(f"{name} is ({low}, {high}); give (lowest, highest), neither negative")
            if name in FACTORS and low == 0:
                raise ValueError(f"{name} is ({low}, {high}); a factor must be above 0")
            if name in WHOLE and (low != round(low) or high != round(high)):
                raise ValueError(f"{name} is ({low}, {high}); give whole numbers")
            if name == "texture" and high >= TEXTURES:
                raise ValueError(f"texture is ({low}, {high}); there are 0 to {TEXTURES - 1}")

    @property
    def ranges(self) -> dict[str, Range]:
        """What is randomized, and its range."""
        return {name: given for name, given in asdict(self).items() if given is not None}

    def sample(self, n: int, generator: np.random.Generator) -> dict[str, np.ndarray]:
        """n robots: for each parameter that is randomized, its values (n,), drawn independently.

        Factors are log-uniform, amounts uniform, whole numbers uniform with both ends.
        """
        return self.at(generator.random((n, len(self.ranges))))

    def at(self, quantiles: np.ndarray) -> dict[str, np.ndarray]:
        """The robots at quantiles (n, p) of the p parameters in `ranges`: 0 is the lowest value, 1 the highest."""
        robots = {}
        for (name, (low, high)), u in zip(self.ranges.items(), quantiles.T, strict=True):
            if name in FACTORS:
                robots[name] = low * (high / low) ** u
            elif name in WHOLE:
                robots[name] = np.minimum(low + np.floor(u * (high - low + 1)), high).astype(int)
            else:
                robots[name] = low + u * (high - low)
        return robots

    def scaled(self, width: float) -> "DomainRandomization":
        """These ranges narrower or wider: width 0 is the nominal robot, 1 these ranges, 2 twice as wide.

            low, high → low^width, high^width for factors;   width · low, width · high for the others

        Whole numbers are rounded, halves to the even one: 0.5 to 0, 1.5 to 2.

        Raises:
            ValueError: the width is negative.
        """
        if not (math.isfinite(width) and width >= 0):
            raise ValueError(f"width is {width}; give a number from 0 on")

        def scale(name: str, given: Range) -> Range:
            if name in FACTORS:
                return given[0] ** width, given[1] ** width
            low, high = width * given[0], width * given[1]
            return (round(low), round(high)) if name in WHOLE else (low, high)

        return replace(self, **{name: scale(name, given) for name, given in self.ranges.items()})


class Randomized(VectorWrapper):
    """A simulator in which every episode of every instance has physics of its own.

    Args:
        env: with `physics`, a dict of the parameters' values (n,), and `set_physics(where, **values)`, as the course's
            robots have them.
        randomization: the ranges.

    Raises:
        ValueError: the environment has no such physics, or not all parameters that are to be randomized.
    """

    def __init__(self, env: VectorEnv, randomization: DomainRandomization):
        check_physics(env, randomization)
        super().__init__(env)
        self.randomization, self._generator = randomization, np.random.default_rng(0)

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        """New episodes with new physics; the seed is for both."""
        if seed is not None:
            self._generator = np.random.default_rng([seed, 2])  # not the streams of the robot and its sensors
        self._draw(np.arange(self.num_envs))
        return self.env.reset(seed=seed, options=options)

    def step(self, actions: np.ndarray):
        """A step; the instances whose episode ended in it get new physics for the next."""
        step = self.env.step(actions)
        if (ended := np.flatnonzero(step[2] | step[3])).size:
            self._draw(ended)
        return step

    def _draw(self, chosen: np.ndarray) -> None:
        self.env.set_physics(chosen, **self.randomization.sample(len(chosen), self._generator))


class SimToRealTransfer:
    """Train in a randomized simulator, evaluate on the real robot.

        J(pi) = E_{xi ~ p(xi)} E_{tau ~ pi, xi} [sum_t gamma^t r_t],   xi the physics of an episode

    Args:
        sim_env: the simulator, an environment as `Randomized` needs it, with the nominal physics.
        randomization: p(xi); with no ranges the policy is trained in the nominal simulator.

    Raises:
        ValueError: as `Randomized`.
    """

    def __init__(self, sim_env: VectorEnv, randomization: DomainRandomization):
        check_physics(sim_env, randomization)
        self.sim_env, self.randomization = sim_env, randomization
        self.policy: ActorCritic | None = None
        self.curve: Curve | None = None

    def apply_domain_randomization(self, sim_env: VectorEnv) -> Randomized:
        """The environment with new physics, drawn from the ranges, in every episode."""
        return Randomized(sim_env, self.randomization)

    def train_with_randomization(self, num_episodes: int = 1000, *, seed: int = 0, **settings) -> ActorCritic:
        """Train a policy by PPO for as many steps as `num_episodes` whole episodes have; returns it and keeps it.

        Args:
            num_episodes: those that end early do not count as whole.
            seed: of the training and of the robots drawn.
            settings: of `rl.ppo.train_ppo`.

        Raises:
            ValueError: num_episodes is below 1, the simulator does not say how long an episode is, or as `train_ppo`.
        """
        if num_episodes < 1:
            raise ValueError(f"num_episodes is {num_episodes}; give 1 or more")
        if not hasattr(self.sim_env.unwrapped, "episode_steps"):
            raise ValueError(
                f"{self.sim_env} has no episode_steps; give it this attribute, the steps of a whole episode"
            )
        before = {name: values.copy() for name, values in self.sim_env.physics.items()}
        steps = num_episodes * self.sim_env.unwrapped.episode_steps
        try:
            env = self.apply_domain_randomization(self.sim_env)
            self.policy, self.curve = train_ppo(env, steps=steps, seed=seed, **settings)
        finally:
            self.sim_env.set_physics(**before)
        return self.policy

    def evaluate(self, real_env: VectorEnv, episodes: int = 64, seed: int = 0) -> np.ndarray:
        """Returns (episodes,) of the trained policy on another robot.

        Raises:
            RuntimeError: no policy has been trained.
        """
        if self.policy is None:
            raise RuntimeError("there is no policy yet; call train_with_randomization first")
        return evaluate_policy(self.policy.act, real_env, episodes, seed)


def vary_images(images: Tensor, lighting: np.ndarray, texture: np.ndarray) -> Tensor:
    """Images (B, 3, H, W), floats in [0, 1], under another light and with another surface.

        x' = clip(lighting · x · (1 + 0.2 g), 0, 1),   g the surface's pattern, mean 0, standard deviation 1

    Args:
        lighting: factors of the brightness, (B,).
        texture: which surface, (B,), 0 to 9: 0 is smooth, g = 0; the others are patterns from coarse to fine.

    Raises:
        ValueError: the images, lights or textures are not such, or there are more or fewer of one than of another.
    """
    if images.ndim != 4 or not images.is_floating_point():
        raise ValueError(f"images are {images.dtype} {tuple(images.shape)}; give floats in [0, 1], (B, 3, H, W)")
    if not len(images) == len(lighting) == len(texture):
        raise ValueError(f"{len(images)} images, {len(lighting)} lights, {len(texture)} textures; give as many of each")
    if not np.isin(texture, range(TEXTURES)).all():
        raise ValueError(f"texture is {texture}; give whole numbers from 0 to {TEXTURES - 1}")
    if not (np.isfinite(lighting).all() and np.greater_equal(lighting, 0).all()):
        raise ValueError(f"lighting is {lighting}; give finite factors, none negative")
    patterns = torch.stack([_pattern(int(number), images.shape[-2:]) for number in texture]).to(images)
    factors = torch.as_tensor(np.asarray(lighting)).to(images)[:, None, None, None]
    return (images * factors * (1 + 0.2 * patterns)).clamp(0, 1)


def _pattern(number: int, size: tuple[int, int]) -> Tensor:
    if number == 0:
        return torch.zeros(1, *size)
    cells = torch.randn(1, 1, 3 * number, 3 * number, generator=torch.Generator().manual_seed(number))
    pattern = F.interpolate(cells, size, mode="bilinear")[0]
    return (pattern - pattern.mean()) / pattern.std()


def check_physics(env: VectorEnv, randomization: DomainRandomization) -> None:
    """Refuse an environment whose physics cannot be randomized so.

    Raises:
        ValueError: it lacks `physics`, `set_physics` or a parameter of the ranges.
    """
    if not (hasattr(env, "set_physics") and hasattr(env, "physics")):
        raise ValueError(f"{env} has no physics to set; give an environment with `physics` and `set_physics`")
    if missing := set(randomization.ranges) - set(env.physics):
        raise ValueError(
            f"{env} has no {', '.join(sorted(missing))}; it has {', '.join(env.physics)}. Leave out those ranges or "
            "wrap the environment in what is missing"
        )
