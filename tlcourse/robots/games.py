"""Four small games on a grid of 10 × 10 cells, hundreds of them at once, with Gymnasium's vector API.

They are in the manner of MinAtar (Young & Tian 2019, arXiv 1903.03176), which reduced Atari games to such grids: the
observation has a channel for each kind of thing, and all games share their actions. The rules here are our own.
"""

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from PIL import Image

SIZE = 10  # cells along each side; row 0 is the top
ACTIONS = ("stay", "left", "right", "fire")
CHANNELS = ("player", "good", "bad", "trace")
PLAYER, GOOD, BAD, TRACE = range(4)
COLOURS = ((68, 119, 170), (34, 136, 51), (238, 102, 119), (187, 187, 187))  # of the channels, colour-blind-safe
_MOVES = np.array([0, -1, 1, 0])


class Game(VectorEnv):
    """n instances of a game, each with a player in the bottom row.

    What is observed, (n, 4, 10, 10) of 0 and 1: where the player, good things, bad things and traces are. A trace is
    where something was a step ago, so that one picture shows which way it moves. An episode is cut off (truncated)
    after `episode_steps`. The instance begins anew in the same step: the observation returned is the new episode's
    first, and the last one of the old is in `infos["final_obs"]` (n, 4, 10, 10), in the rows where
    `infos["_final_obs"]` is true.

    All chance is drawn from one stream: with the same seed, another n gives other games.

    Args:
        n: how many instances.
        episode_steps: steps after which an episode is cut off.

    Raises:
        ValueError: n or episode_steps is below 1.
    """

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}

    def __init__(self, n: int, *, episode_steps: int = 100):
        for name, value in dict(n=n, episode_steps=episode_steps).items():
            if value < 1:
                raise ValueError(f"{name} is {value}; give 1 or more")
        self.num_envs, self.episode_steps = n, episode_steps
        self.single_observation_space = Box(0, 1, (len(CHANNELS), SIZE, SIZE), np.uint8)
        self.single_action_space = Discrete(len(ACTIONS))
        self.observation_space = batch_space(self.single_observation_space, n)
        self.action_space = batch_space(self.single_action_space, n)
        self._games = np.arange(n)
        self._age: np.ndarray | None = None  # steps of the running episodes; none before the first reset

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[np.ndarray, dict]:
        """Begin new episodes. The same seed gives the same games."""
        super().reset(seed=seed)
        self._age = np.zeros(self.num_envs, int)
        self.player = np.zeros(self.num_envs, int)
        self._clear()
        self._begin(self._games)
        return self._observe(), {}

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict]:
        """One step with actions (n,), 0 to 3.

        Returns:
            observations (n, 4, 10, 10), rewards (n,), terminations (n,), all false, truncations (n,), infos.

        Raises:
            ValueError: the actions have a wrong shape or are none of 0 to 3.
            RuntimeError: no episode has begun.
        """
        if self._age is None:
            raise RuntimeError("no episode has begun; call reset first")
        actions = np.asarray(actions)
        if actions.shape != (self.num_envs,):
            raise ValueError(f"actions have shape {actions.shape}; give one for each game, ({self.num_envs},)")
        if not np.isin(actions, range(len(ACTIONS))).all():
            raise ValueError(f"the actions have values {np.unique(actions)}; give whole numbers from 0 to 3")
        actions = actions.astype(int)
        self.player = np.clip(self.player + _MOVES[actions], 0, SIZE - 1)
        rewards = self._play(actions)
        self._age += 1
        observations, infos = self._observe(), {}
        truncations = self._age >= self.episode_steps
        if truncations.any():
            infos = {"final_obs": observations.copy(), "_final_obs": truncations}
            self._begin(np.flatnonzero(truncations))
            observations[truncations] = self._observe()[truncations]
        return observations, rewards, np.zeros(self.num_envs, bool), truncations, infos

    def _begin(self, chosen: np.ndarray) -> None:
        self._age[chosen] = 0
        self.player[chosen] = self._draw(SIZE, len(chosen))
        self._start(chosen)

    def _clear(self) -> None:
        """Make the arrays that hold the state of all n games."""
        raise NotImplementedError

    def _start(self, chosen: np.ndarray) -> None:
        """Put the chosen games, indices (k,), to a start drawn by `self.np_random`."""
        raise NotImplementedError

    def _play(self, actions: np.ndarray) -> np.ndarray:
        """What happens after the player has moved; returns the rewards (n,)."""
        raise NotImplementedError

    def _show(self, grid: np.ndarray) -> None:
        """Enter all but the player in new observations, zeros (n, 4, 10, 10)."""
        raise NotImplementedError

    def _observe(self) -> np.ndarray:
        grid = np.zeros((self.num_envs, len(CHANNELS), SIZE, SIZE), np.uint8)
        grid[self._games, PLAYER, SIZE - 1, self.player] = 1
        self._show(grid)
        return grid

    def _draw(self, below: int, shape: int | tuple[int, ...]) -> np.ndarray:
        return self.np_random.integers(0, below, shape)

    def _signs(self, shape: int | tuple[int, ...]) -> np.ndarray:
        return self.np_random.choice([-1, 1], shape)

    def _chance(self, probability: float, shape: int | tuple[int, ...]) -> np.ndarray:
        return self.np_random.random(shape) < probability


def _mark(grid: np.ndarray, channel: int, x: np.ndarray, y: np.ndarray, there: np.ndarray | bool = True) -> None:
    """Enter things in columns x and rows y, (n, k), where `there`. What lies outside the grid is not seen."""
    game, thing = np.nonzero(there & (x >= 0) & (x < SIZE) & (y >= 0) & (y < SIZE))
    grid[game, channel, y[game, thing], x[game, thing]] = 1


def _turned(x: np.ndarray, dx: np.ndarray) -> np.ndarray:
    """The direction dx, turned round where a step from column x would lead through a wall."""
    return np.where((x + dx < 0) | (x + dx >= SIZE), -dx, dx)


class Catch(Game):
    """Things fall straight down, a cell a step: +1 for each good one that the player catches, -1 for each bad one.

    Six of ten are good. There are four at a time; after the bottom row they begin anew above the top.
    """

    THINGS, GOOD_SHARE, SIDEWAYS = 4, 0.6, False

    def _clear(self) -> None:
        shape = (self.num_envs, self.THINGS)
        self.x, self.y, self.drift = np.zeros(shape, int), np.zeros(shape, int), np.zeros(shape, int)
        self.good, self.before = np.zeros(shape, bool), np.zeros(shape, int)

    def _start(self, chosen: np.ndarray) -> None:
        self._renew(np.isin(self._games, chosen)[:, None] & np.ones(self.THINGS, bool))
        # One below the other, so that the first is soon there and not all come at once.
        self.y[chosen] = 5 - 2 * np.arange(self.THINGS) - self._draw(2, (len(chosen), self.THINGS))

    def _renew(self, gone: np.ndarray) -> None:
        """New things above the top, in place of those of the mask (n, k)."""
        count = int(gone.sum())
        self.x[gone], self.y[gone] = self._draw(SIZE, count), -self._draw(4, count)
        self.good[gone], self.before[gone] = self._chance(self.GOOD_SHARE, count), -1
        if self.SIDEWAYS:
            self.drift[gone] = self._signs(count)

    def _play(self, actions: np.ndarray) -> np.ndarray:
        self.before = self.x.copy()
        self.drift = _turned(self.x, self.drift)
        self.x, self.y = self.x + self.drift, self.y + 1
        bottom = self.y == SIZE - 1
        caught = bottom & (self.x == self.player[:, None])
        rewards = (caught & self.good).sum(1) - (caught & ~self.good).sum(1)
        self._renew(bottom)
        return rewards.astype(float)

    def _show(self, grid: np.ndarray) -> None:
        _mark(grid, GOOD, self.x, self.y, self.good)
        _mark(grid, BAD, self.x, self.y, ~self.good)
        if self.SIDEWAYS:
            _mark(grid, TRACE, self.before, self.y - 1)


class Zigzag(Catch):
    """As `Catch`, but the things fall aslant, a cell down and a cell sideways, and bounce off the walls.

    There are three at a time. Each has a trace, where it was a step ago.
    """

    THINGS, SIDEWAYS = 3, True


class Breakout(Game):
    """A ball bounces off the walls, the bricks and the player: +1 for each brick that it breaks, -1 when it gets past
    the player; then another one is served.

    The ball is the good thing, with its trace, the bricks are the bad ones: three full rows, renewed when all are gone.
    """

    BRICKS = slice(1, 4)  # their rows

    def _clear(self) -> None:
        self.x, self.y, self.dx, self.dy, self.before_x, self.before_y = np.zeros((6, self.num_envs), int)
        self.bricks = np.zeros((self.num_envs, SIZE, SIZE), bool)

    def _start(self, chosen: np.ndarray) -> None:
        self.bricks[chosen, self.BRICKS] = True
        self._serve(chosen)

    def _serve(self, chosen: np.ndarray) -> None:
        self.x[chosen], self.y[chosen] = self._draw(SIZE, len(chosen)), 4
        self.dx[chosen], self.dy[chosen] = self._signs(len(chosen)), 1
        self.before_x[chosen], self.before_y[chosen] = self.x[chosen], 4

    def _play(self, actions: np.ndarray) -> np.ndarray:
        self.before_x, self.before_y = self.x, self.y
        self.dx = _turned(self.x, self.dx)
        self.dy = np.where(self.y + self.dy < 0, 1, self.dy)
        x, y = self.x + self.dx, self.y + self.dy
        broken = self.bricks[self._games, y, x]
        self.bricks[self._games[broken], y[broken], x[broken]] = False
        bottom = y == SIZE - 1
        # The player also meets a ball that comes down aslant from right above it.
        met = bottom & ((x == self.player) | (self.x == self.player))
        back = broken | met
        self.x, self.y = x, np.where(back, self.y, y)
        self.dy = np.where(back, -self.dy, self.dy)
        missed = bottom & ~met
        self._serve(np.flatnonzero(missed))
        self.bricks[~self.bricks.any((1, 2)), self.BRICKS] = True
        return broken.astype(float) - missed

    def _show(self, grid: np.ndarray) -> None:
        grid[self._games, GOOD, self.y, self.x] = 1
        grid[self._games, TRACE, self.before_y, self.before_x] = 1
        grid[:, BAD] = self.bricks


class Invaders(Game):
    """Four invaders go to and fro above, one in each of the top rows, and drop bombs: +1 for each one that a shot of
    the player hits, -1 for each bomb that hits the player.

    `fire` shoots upwards from where the player is, two cells a step; as long as the shot is in the air, there is no
    other one. The invaders step sideways in every second step (a picture does not say in which) and turn at the walls;
    one that is hit comes back somewhere in its row. They are the good things, the bombs the bad ones, a cell down a
    step; the traces are the shot, and the cell behind each invader.
    """

    ROWS = np.arange(4)  # of the invaders
    SHOTS = 1  # in the air; with several, firing without aim would pay
    BOMB_CHANCE = 0.1  # in each step of an invader that has none in the air

    def _clear(self) -> None:
        shape = (self.num_envs, len(self.ROWS))
        self.x, self.dx, self.bomb_x, self.bomb_y = (np.zeros(shape, int) for _ in range(4))
        self.shot_x, self.shot_y = np.zeros((2, self.num_envs, self.SHOTS), int)  # row -1: there is none

    def _start(self, chosen: np.ndarray) -> None:
        shape = (len(chosen), len(self.ROWS))
        self.x[chosen], self.dx[chosen] = self._draw(SIZE, shape), self._signs(shape)
        self.bomb_y[chosen], self.shot_y[chosen] = -1, -1

    def _play(self, actions: np.ndarray) -> np.ndarray:
        free = self.shot_y < 0
        game = np.flatnonzero((actions == ACTIONS.index("fire")) & free.any(1))
        slot = free[game].argmax(1)
        self.shot_x[game, slot], self.shot_y[game, slot] = self.player[game], SIZE - 1

        hits = np.zeros(self.num_envs)
        for _ in range(2):  # a shot that moved two cells at once would jump over an invader
            self.shot_y = np.maximum(self.shot_y - 1, -1)
            hits += self._hits()
        if (stepping := self._age % 2 == 0).any():
            turned = _turned(self.x, self.dx)
            going = turned == self.dx  # an invader that turns stays where it is for this time
            self.x = np.where(stepping[:, None] & going, self.x + self.dx, self.x)
            self.dx = np.where(stepping[:, None], turned, self.dx)
            hits += self._hits()

        self.bomb_y = np.where(self.bomb_y >= 0, self.bomb_y + 1, -1)
        bottom = self.bomb_y == SIZE - 1
        struck = (bottom & (self.bomb_x == self.player[:, None])).sum(1)
        self.bomb_y[bottom] = -1
        dropped = (self.bomb_y < 0) & self._chance(self.BOMB_CHANCE, self.bomb_y.shape)
        self.bomb_x = np.where(dropped, self.x, self.bomb_x)
        self.bomb_y = np.where(dropped, self.ROWS, self.bomb_y)
        return hits - struck

    def _hits(self) -> np.ndarray:
        """How many invaders shots have hit in each game, (n,); both go, and the invaders come back."""
        met = (self.shot_x[:, :, None] == self.x[:, None]) & (self.shot_y[:, :, None] == self.ROWS)
        self.shot_y[met.any(2)] = -1
        hit = met.any(1)
        self.x[hit] = self._draw(SIZE, int(hit.sum()))
        return hit.sum(1)

    def _show(self, grid: np.ndarray) -> None:
        rows = np.broadcast_to(self.ROWS, self.x.shape)
        _mark(grid, GOOD, self.x, rows)
        _mark(grid, BAD, self.bomb_x, self.bomb_y)
        _mark(grid, TRACE, self.shot_x, self.shot_y)
        _mark(grid, TRACE, self.x - self.dx, rows)


GAMES = {"catch": Catch, "breakout": Breakout, "invaders": Invaders, "zigzag": Zigzag}


class SingleGame(gymnasium.Env):
    """One game with Gymnasium's plain API, for agents that want it: observations (4, 10, 10), actions 0 to 3.

    Args:
        name: one of GAMES.
        episode_steps: steps after which an episode is cut off.

    Raises:
        ValueError: there is no such game.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 8}

    def __init__(self, name: str, *, episode_steps: int = 100, render_mode: str | None = None):
        if name not in GAMES:
            raise ValueError(f"there is no game {name!r}; give one of {', '.join(GAMES)}")
        self.games, self.render_mode = GAMES[name](1, episode_steps=episode_steps), render_mode
        self.observation_space = self.games.single_observation_space
        self.action_space = self.games.single_action_space

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        (self._seen,), infos = self.games.reset(seed=seed)
        return self._seen, infos

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict]:
        observations, rewards, _, truncations, infos = self.games.step(np.array([action]))
        self._seen = infos["final_obs"][0] if truncations[0] else observations[0]
        return self._seen, float(rewards[0]), False, bool(truncations[0]), {}

    def render(self) -> np.ndarray:
        return np.asarray(picture(self._seen))


def picture(observation: np.ndarray, height: int = 120) -> Image.Image:
    """A picture, about `height` pixels high, of an observation (4, 10, 10): the player blue, good things green, bad
    ones red, traces grey. Each cell has whole pixels, height / 10 rounded down.

    Raises:
        ValueError: the observation has another shape.
    """
    if np.shape(observation) != (len(CHANNELS), SIZE, SIZE):
        raise ValueError(f"the observation has shape {np.shape(observation)}; give one of ({len(CHANNELS)}, 10, 10)")
    colours = np.full((SIZE, SIZE, 3), 255, np.uint8)
    for channel in (TRACE, BAD, GOOD, PLAYER):  # the most important one last, on top
        colours[np.asarray(observation[channel], bool)] = COLOURS[channel]
    cell = max(2, height // SIZE)
    image = np.full((SIZE * cell, SIZE * cell, 3), 255, np.uint8)
    image[:] = colours.repeat(cell, 0).repeat(cell, 1)
    image[::cell], image[:, ::cell] = 235, 235  # the grid
    return Image.fromarray(image)
