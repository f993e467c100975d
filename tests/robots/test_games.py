"""The games keep their rules, shown on situations set up by hand, and the API that they promise."""

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

from tlcourse.rl.support import check_same_step, evaluate_policy
from tlcourse.robots.games import ACTIONS, BAD, COLOURS, GAMES, GOOD, PLAYER, SIZE, TRACE, SingleGame, picture

STAY, LEFT, RIGHT, FIRE = range(4)
BOTTOM = SIZE - 1


def begun(name, n=1, **attributes):
    """A game with each attribute set, to one value or to an array, in all n instances."""
    game = GAMES[name](n)
    game.reset(seed=0)
    for attribute, value in attributes.items():
        getattr(game, attribute)[:] = value
    return game


def stepped(game, action):
    """The observations and the rewards after all instances took one action."""
    observations, rewards, *_ = game.step(np.full(game.num_envs, action))
    return observations, rewards.tolist()


def cells(observation, channel):
    """Where a channel is 1: a set of (column, row)."""
    return {(int(x), int(y)) for y, x in np.argwhere(observation[channel])}


def random_actions(seed=0):
    rng = np.random.default_rng(seed)
    return lambda observations: rng.integers(0, len(ACTIONS), len(observations))


# What all games have in common.


@pytest.mark.filterwarnings("ignore:.*alternative render modes:UserWarning")
@pytest.mark.parametrize("name", GAMES)
def test_one_game_passes_gymnasiums_checks(name):
    check_env(SingleGame(name, render_mode="rgb_array"))


@pytest.mark.parametrize("name", GAMES)
def test_observations_and_rewards_are_what_the_spaces_say(name):
    game, act, seen = GAMES[name](16), random_actions(), 0
    observations, _ = game.reset(seed=0)
    for _ in range(120):
        assert observations in game.observation_space
        seen = seen | observations.any(0)
        observations, rewards, terminations, truncations, _ = game.step(act(observations))
        assert rewards.shape == terminations.shape == truncations.shape == (16,) and not terminations.any()
        assert rewards.dtype == float and (rewards == rewards.round()).all()
    used = [PLAYER, GOOD, BAD] if name == "catch" else [PLAYER, GOOD, BAD, TRACE]
    assert np.flatnonzero(seen.any((1, 2))).tolist() == used
    assert (observations[:, PLAYER].sum((1, 2)) == 1).all() and not observations[:, PLAYER, :BOTTOM].any()


@pytest.mark.parametrize("name", GAMES)
def test_the_same_seed_gives_the_same_games(name):
    def played(seed):
        game, act = GAMES[name](8, episode_steps=30), random_actions()
        observations, _ = game.reset(seed=seed)
        path = [observations]
        for _ in range(70):
            observations, rewards, *_ = game.step(act(observations))
            path += [observations, rewards]
        return np.concatenate([part.ravel() for part in path])

    assert (played(1) == played(1)).all()
    assert (played(1) != played(2)).any()


@pytest.mark.parametrize("name", GAMES)
def test_an_observation_kept_does_not_change_later(name):
    game, act = GAMES[name](8, episode_steps=10), random_actions()
    kept = [game.reset(seed=0)[0]]
    copies = [kept[0].copy()]
    for _ in range(25):
        observations, *_, infos = game.step(act(kept[-1]))
        kept += [observations, *([infos["final_obs"]] if infos else [])]
        copies += [part.copy() for part in kept[len(copies) :]]
    assert all((part == copy).all() for part, copy in zip(kept, copies, strict=True))


@pytest.mark.parametrize("name", GAMES)
def test_an_episode_is_cut_off_and_the_next_one_begins_in_the_same_step(name):
    game = GAMES[name](3, episode_steps=5)
    check_same_step(game)
    assert game.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP
    game.reset(seed=0)
    for step in range(1, 11):
        before = game.player.copy()
        observations, _, terminations, truncations, infos = game.step(np.full(3, RIGHT))
        assert truncations.tolist() == [step % 5 == 0] * 3 and not terminations.any()
        assert bool(infos) == (step % 5 == 0)
        if infos:
            assert infos["_final_obs"].all() and infos["final_obs"] in game.observation_space
            # The last observation is the old episode's: the player has just gone to the right.
            assert infos["final_obs"][:, PLAYER, BOTTOM].argmax(1).tolist() == np.minimum(before + 1, BOTTOM).tolist()
            assert (infos["final_obs"] != observations).any((1, 2, 3)).all()


@pytest.mark.parametrize("name", GAMES)
def test_the_player_moves_by_one_cell_and_stops_at_the_walls(name):
    game = begun(name, 4, player=[0, 4, 4, BOTTOM])
    observations, *_ = game.step(np.array([LEFT, LEFT, FIRE, RIGHT]))
    assert observations[:, PLAYER, BOTTOM].argmax(1).tolist() == [0, 3, 4, BOTTOM]


@pytest.mark.parametrize("arguments", [dict(n=0), dict(n=1, episode_steps=0)])
def test_refuses_no_game_and_no_step(arguments):
    with pytest.raises(ValueError, match="is 0; give 1 or more"):
        GAMES["catch"](**arguments)


@pytest.mark.parametrize(
    ("actions", "told"),
    [([0], r"shape \(1,\)"), ([0, 4], "from 0 to 3"), ([-1, 0], "from 0 to 3"), ([0.5, 1], "from 0 to 3")],
)
def test_refuses_actions_that_are_none(actions, told):
    with pytest.raises(ValueError, match=told):
        begun("catch", 2).step(np.array(actions))


def test_refuses_a_step_before_the_first_reset():
    with pytest.raises(RuntimeError, match="call reset first"):
        GAMES["catch"](2).step(np.zeros(2, int))


def test_refuses_a_game_that_is_none():
    with pytest.raises(ValueError, match="'pong'; give one of catch, breakout, invaders, zigzag"):
        SingleGame("pong")


# Catch and zigzag. A thing in the row above the player's falls to the player's row in this step.


@pytest.mark.parametrize("name", ["catch", "zigzag"])
@pytest.mark.parametrize(
    ("good", "player", "reward"), [(True, 5, 1.0), (False, 5, -1.0), (True, 3, 0.0), (False, 3, 0.0)]
)
def test_what_is_caught_counts(name, good, player, reward):
    game = begun(name, player=player, good=good, y=-5)
    game.y[0, 0], game.x[0, 0] = BOTTOM - 1, 4 if name == "zigzag" else 5
    game.drift[0, 0] = name == "zigzag"
    assert stepped(game, STAY)[1] == [reward]
    assert game.y[0, 0] < 1  # begun anew above the top


def test_the_player_moves_before_things_fall():
    game = begun("catch", 2, player=4, good=True, y=-5)
    game.y[:, 0], game.x[:, 0] = BOTTOM - 1, [5, 4]
    assert stepped(game, RIGHT)[1] == [1.0, 0.0]


def test_things_fall_straight_down_in_catch():
    game = begun("catch", y=-5, good=False)
    game.x[0, 0], game.y[0, 0], game.good[0, 0] = 7, 2, True
    for row in (3, 4, 5):
        (observation,), _ = stepped(game, STAY)
        assert cells(observation, GOOD) == {(7, row)}
        assert not observation[TRACE].any()


def test_things_bounce_off_the_walls_in_zigzag_and_leave_a_trace():
    game = begun("zigzag", y=-9, good=True)
    game.x[0, 0], game.y[0, 0], game.drift[0, 0], game.good[0, 0] = 1, 2, -1, False
    path = [(1, 2), (0, 3), (1, 4), (2, 5)]
    for before, now in zip(path, path[1:], strict=False):
        (observation,), _ = stepped(game, STAY)
        assert cells(observation, BAD) == {now} and cells(observation, TRACE) == {before}


def lookahead(observations):
    """The best play of catch for what is in sight: V(x, k) = thing(x, k) + max over x' next to x of V(x', k + 1), for
    a player in column x after k steps, when things of row 9 - k have come down. (n, 4, 10, 10) to (n,)."""
    worth = observations[:, GOOD].astype(float) - observations[:, BAD]
    value = np.zeros((len(worth), SIZE + 2))  # a column more on each side, out of bounds
    value[:, [0, -1]] = -np.inf
    for row in range(SIZE - 1):
        onward = np.stack([value[:, 1:-1], value[:, :-2], value[:, 2:]]).max(0)
        value[:, 1:-1] = worth[:, row] + onward
    player = 1 + observations[:, PLAYER, BOTTOM].argmax(1)
    games = np.arange(len(worth))
    return np.stack([value[games, player], value[games, player - 1], value[games, player + 1]]).argmax(0)


def test_a_player_who_looks_ahead_catches_most_good_things():
    game, fallen = GAMES["catch"](64), 0

    def act(observations):
        nonlocal fallen
        fallen += observations[:, GOOD, BOTTOM - 1].sum() / 64  # good things that come down in this step, in the mean
        return lookahead(observations)

    returned = evaluate_policy(act, game, 64, seed=1).mean()
    assert 0.6 * fallen < returned < fallen  # some come down too far apart
    assert abs(evaluate_policy(random_actions(), game, 64, seed=1).mean()) < 0.1 * fallen


# Breakout.


def ball(n=1, *, x, y, dx, dy, player=0, bricks=()):
    game = begun("breakout", n, x=x, y=y, dx=dx, dy=dy, player=player, bricks=False)
    game.bricks[:, 0, 0] = True  # one brick far away, for a field without any is filled anew
    for column, row in bricks:
        game.bricks[:, row, column] = True
    return game


@pytest.mark.parametrize(
    ("start", "direction", "path"),
    [
        ((5, 5), (1, 1), [(6, 6), (7, 7)]),  # free
        ((8, 4), (1, 1), [(9, 5), (8, 6)]),  # right wall
        ((1, 4), (-1, 1), [(0, 5), (1, 6)]),  # left wall
        ((5, 1), (1, -1), [(6, 0), (7, 1)]),  # top
        ((9, 0), (1, -1), [(8, 1), (7, 2)]),  # corner
    ],
)
def test_the_ball_bounces_off_the_walls(start, direction, path):
    game = ball(x=start[0], y=start[1], dx=direction[0], dy=direction[1])
    for before, now in zip([start, *path], path, strict=False):
        (observation,), rewards = stepped(game, STAY)
        assert cells(observation, GOOD) == {now} and cells(observation, TRACE) == {before} and rewards == [0.0]


def test_the_ball_breaks_a_brick_and_turns_back():
    game = ball(x=4, y=4, dx=1, dy=-1, bricks=[(5, 3)])
    (observation,), rewards = stepped(game, STAY)
    assert rewards == [1.0] and (5, 3) not in cells(observation, BAD)
    assert cells(observation, GOOD) == {(5, 4)}
    (observation,), rewards = stepped(game, STAY)
    assert rewards == [0.0] and cells(observation, GOOD) == {(6, 5)}


@pytest.mark.parametrize("player", [4, 5])  # below the ball, and where it would come down
def test_the_player_sends_the_ball_back(player):
    game = ball(x=4, y=BOTTOM - 1, dx=1, dy=1, player=player)
    assert stepped(game, STAY)[1] == [0.0]
    (observation,), _ = stepped(game, STAY)
    assert cells(observation, GOOD) == {(6, BOTTOM - 2)}


@pytest.mark.parametrize("player", [3, 6])
def test_a_ball_that_is_missed_costs_one_and_another_is_served(player):
    game = ball(x=4, y=BOTTOM - 1, dx=1, dy=1, player=player)
    (observation,), rewards = stepped(game, STAY)
    assert rewards == [-1.0]
    assert {y for _, y in cells(observation, GOOD)} == {4} and cells(observation, TRACE) == cells(observation, GOOD)


def test_the_bricks_are_renewed_when_all_are_gone():
    game = ball(x=4, y=4, dx=1, dy=-1, bricks=[(5, 3)])
    game.bricks[0, 0, 0] = False
    (observation,), rewards = stepped(game, STAY)
    assert rewards == [1.0]
    assert cells(observation, BAD) == {(x, y) for x in range(SIZE) for y in (1, 2, 3)}


# Invaders.


def sky(n=1, **attributes):
    """Invaders out of the way, in the last column, with their bombs all in the air far from the player."""
    return begun("invaders", n, **(dict(x=BOTTOM, dx=-1, bomb_x=0, bomb_y=[[4, 4, 4, 4]], player=5) | attributes))


def test_a_shot_flies_upwards_and_hits():
    game = sky()
    game.x[0, 3], game._age[:] = 5, 1  # in the last row of invaders; they step in every second step, not in this one
    rewards = []
    for y in (BOTTOM - 2, BOTTOM - 4):
        (observation,), reward = stepped(game, FIRE if not rewards else STAY)
        game._age[:] = 1
        rewards += reward
        assert (5, y) in cells(observation, TRACE)
    (observation,), reward = stepped(game, STAY)
    assert rewards + reward == [0.0, 0.0, 1.0]
    assert not game.shot_y.max() >= 0  # the shot is gone, too


def test_a_shot_does_not_jump_over_an_invader():
    for row in range(4):
        game = sky()
        game.x[0, row] = 5
        total = 0.0
        for step in range(5):
            game._age[:] = 1
            total += stepped(game, STAY if step else FIRE)[1][0]
        assert total == 1.0


def test_there_is_one_shot_at_a_time():
    game, fired = sky(), []
    for _ in range(12):
        fired.append(bool(game.shot_y[0, 0] < 0))
        game._age[:] = 1  # no invader moves
        (observation,), _ = stepped(game, FIRE)
        assert {y for x, y in cells(observation, TRACE) if x == 5} == {int(game.shot_y[0, 0])} - {-1}
    # It flies over nine rows in five steps; the next one starts in the step after.
    assert fired == [step % 5 == 0 for step in range(12)]


def test_the_other_actions_do_not_shoot():
    game = sky()
    for action in (STAY, LEFT, RIGHT):
        stepped(game, action)
        assert (game.shot_y < 0).all()


@pytest.mark.parametrize(("player", "reward"), [(5, -1.0), (4, 0.0)])
def test_a_bomb_hits(player, reward):
    game = sky(player=player)
    game.bomb_x[0, 0], game.bomb_y[0, 0] = 5, BOTTOM - 1
    (observation,), rewards = stepped(game, STAY)
    assert rewards == [reward]
    assert (5, BOTTOM) not in cells(observation, BAD)


def test_bombs_fall_and_come_from_invaders():
    game = begun("invaders", 64)
    for _ in range(20):
        held, x = game.bomb_y.copy(), game.bomb_x.copy()
        stepped(game, STAY)
        flying = (held >= 0) & (game.bomb_y == held + 1)
        assert (game.bomb_x[flying] == x[flying]).all()
        new = (game.bomb_y >= 0) & ~flying
        assert (game.bomb_y[new] == np.nonzero(new)[1]).all() and (game.bomb_x[new] == game.x[new]).all()


def test_invaders_step_in_every_second_step_and_turn_at_the_walls():
    game = sky()
    game.x[0], game.dx[0] = [3, 0, 8, 9], [1, -1, 1, 1]
    columns = []
    for _ in range(6):
        stepped(game, STAY)
        columns.append(game.x[0].tolist())
    assert columns[0] == columns[1] == [4, 0, 9, 9]
    assert columns[2] == columns[3] == [5, 1, 9, 8]
    assert columns[4] == columns[5] == [6, 2, 8, 7]


# Pictures.


def test_a_picture_shows_each_channel_in_its_colour():
    observation = np.zeros((4, SIZE, SIZE), np.uint8)
    for channel in range(4):
        observation[channel, 2 * channel, channel] = 1
    observation[TRACE, 0, 0] = 1  # the player is on top
    image = picture(observation, height=200)
    assert image.size == (200, 200)
    for channel in range(4):
        assert image.getpixel((20 * channel + 10, 40 * channel + 10)) == COLOURS[channel]
    assert image.getpixel((190, 10)) == (255, 255, 255)


def test_refuses_a_picture_of_a_batch():
    with pytest.raises(ValueError, match=r"shape \(2, 4, 10, 10\)"):
        picture(np.zeros((2, 4, 10, 10), np.uint8))


def test_one_game_renders_what_it_shows():
    game = SingleGame("catch", render_mode="rgb_array")
    observation, _ = game.reset(seed=0)
    assert (game.render() == np.asarray(picture(observation))).all()
