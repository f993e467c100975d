"""The world of colours: what a picture shows, which colours come together, the rules, and Gymnasium's API."""

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from tlcourse.rl.support import evaluate_policy
from tlcourse.robots.colour_world import (
    DOMAINS,
    FACTORS,
    REACH,
    SIZE,
    STEP,
    ColourWorld,
    SingleRover,
    render,
    sample_factors,
)

STAY, LEFT, RIGHT = range(3)
ROVER, OBJECT, FLOOR, COLOUR = range(len(FACTORS))
RED, GREEN, BLUE = range(3)
RNG = np.random.default_rng


def picture(rover=0.5, thing=0.5, floor=0.0, colour=0.0):
    """One picture, (3, 16, 16), floats in [0, 1]."""
    return render(np.array([[rover, thing, floor, colour]]))[0] / 255


def begun(n=1, **settings):
    world = ColourWorld(n, **settings)
    world.reset(seed=0)
    return world


# Pictures.


@pytest.mark.parametrize(
    ("floor", "colour", "at_floor", "at_object"),
    [
        (0, 0, (0, 0, 0), (1, 0, 0)),
        (0, 0.5, (0, 0, 0), (0, 1, 0)),
        (1, 1, (1, 0, 1), (0, 0, 1)),
        (0.5, 0.25, (0.5, 0, 0.5), (0.5, 0.5, 0)),
        (0.2, 0.75, (0.2, 0, 0.2), (0, 0.5, 0.5)),
    ],
)
def test_a_picture_has_the_colours_of_its_factors(floor, colour, at_floor, at_object):
    shown = picture(thing=0.5, floor=floor, colour=colour)
    np.testing.assert_allclose(shown[:, 0, 0], at_floor, atol=0.5 / 255)
    np.testing.assert_allclose(shown[:, 4, 8], at_object, atol=0.5 / 255)
    np.testing.assert_allclose(shown[:, 12, 8], 1, atol=0.5 / 255)  # the rover is white


def test_the_smallest_move_shows():
    """Edges are blended, so the centre of the red disc is where the factor says, between pixels, too."""
    for thing in np.linspace(0, 1, 23):
        red = picture(rover=0, thing=thing)[RED, : SIZE // 2]  # the rover is in the lower half
        centre = (red.sum(0) * (np.arange(SIZE) + 0.5)).sum() / red.sum() / SIZE
        assert centre == pytest.approx(0.15 + 0.7 * thing, abs=0.004)
        assert red.sum() == pytest.approx(np.pi * (0.16 * SIZE) ** 2, rel=0.04)


def test_a_channel_that_tells_where_the_object_is_in_one_domain_is_blind_in_the_other():
    """The reason for these colours: without spread, blue is the same wherever the object of the source domain is, and
    so is red in the target domain."""
    for domain, blind, telling in (("source", BLUE, RED), ("target", RED, BLUE)):
        factors = sample_factors(20, domain, RNG(0), spread=0)
        moved = factors.copy()
        moved[:, OBJECT] = (factors[:, OBJECT] + 0.5) % 1
        before, after = render(factors), render(moved)
        assert (before[:, [blind, GREEN]] == after[:, [blind, GREEN]]).all()
        assert (before[:, telling] != after[:, telling]).any((1, 2)).all()


@pytest.mark.parametrize(
    ("factors", "message"),
    [(np.zeros((2, 3)), "shape"), (np.zeros(4), "shape"), (np.full((1, 4), 1.1), "0 to 1"), ([[np.nan] * 4], "0 to 1")],
)
def test_factors_that_are_none_are_refused(factors, message):
    with pytest.raises(ValueError, match=message):
        render(factors)


# Domains.


def test_the_domains_share_their_colours_but_no_combination():
    domains = {domain: sample_factors(4_000, domain, RNG(0)) for domain in ("source", "target")}
    for factor in (FLOOR, COLOUR):
        for factors in domains.values():  # each colour comes in both, equally often
            assert (np.abs(factors[:, factor] - 0.5) >= 0.3).all()
            counts, _ = np.histogram(factors[:, factor], [0, 0.1, 0.2, 0.8, 0.9, 1])
            assert counts[2] == 0 and (np.delete(counts, 2) > 900).all()
    alike = {name: (factors[:, FLOOR] < 0.5) == (factors[:, COLOUR] < 0.5) for name, factors in domains.items()}
    assert alike["source"].all() and not alike["target"].any()


def test_everything_is_each_with_each():
    factors = sample_factors(20_000, "everything", RNG(0))
    assert factors.shape == (20_000, len(FACTORS)) and (factors >= 0).all() and (factors <= 1).all()
    quarters = [0.25, 0.5, 0.75]
    np.testing.assert_allclose(np.quantile(factors, quarters, axis=0).T, [quarters] * 4, atol=0.02)
    np.testing.assert_allclose(np.corrcoef(factors.T), np.eye(4), atol=0.03)


# Rules.


def test_the_rover_moves_by_a_tenth_of_the_rail_and_not_beyond_its_ends():
    world = begun(6)
    world.factors[:, ROVER] = [0.5, 0.5, 0.5, 0.05, 0.95, 1.0]
    world.step(np.array([STAY, LEFT, RIGHT, LEFT, RIGHT, RIGHT]))
    np.testing.assert_allclose(world.factors[:, ROVER], [0.5, 0.5 - STEP, 0.5 + STEP, 0, 1, 1])


def test_under_the_object_each_step_gives_one():
    world = begun(5)
    world.factors[:, ROVER], world.factors[:, OBJECT] = 0.5, 0.5 + REACH * np.array([0, 0.9, -0.9, 1.1, -1.1])
    assert world.step(np.full(5, STAY))[1].tolist() == [1, 1, 1, 0, 0]


def test_only_the_rover_moves_within_an_episode():
    world = begun(20, episode_steps=10)
    before = world.factors.copy()
    for _ in range(9):
        world.step(RNG(0).integers(0, 3, 20))
    assert (world.factors[:, OBJECT:] == before[:, OBJECT:]).all()
    world.step(np.zeros(20, int))
    assert (world.factors != before).all()


@pytest.mark.parametrize("domain", DOMAINS)
def test_who_knows_the_factors_loses_only_the_way_to_the_object(domain):
    """In each domain: so what an agent loses in the target domain, it loses by what it sees."""
    world = ColourWorld(100, domain)

    def follow(_):
        apart = world.factors[:, OBJECT] - world.factors[:, ROVER]
        return np.where(np.abs(apart) < STEP / 2, STAY, np.where(apart > 0, RIGHT, LEFT))

    world.reset(seed=5)
    steps = np.ceil((np.abs(world.factors[:, OBJECT] - world.factors[:, ROVER]) - REACH) / STEP)
    assert (evaluate_policy(follow, world, 100, seed=5) == 30 - np.maximum(steps - 1, 0)).all()


# Gymnasium's API.


@pytest.mark.parametrize("domain", DOMAINS)
def test_one_rover_passes_gymnasiums_checks(domain):
    check_env(SingleRover(domain, render_mode="rgb_array"), skip_render_check=True)
    rover = SingleRover(domain, render_mode="rgb_array")
    seen, _ = rover.reset(seed=0)
    assert (rover.render()[::16, ::16] == seen.transpose(1, 2, 0)).all()


def test_one_rover_and_many_live_in_the_same_world():
    rover, world = SingleRover(episode_steps=5), ColourWorld(1, episode_steps=5)
    assert (rover.reset(seed=3)[0] == world.reset(seed=3)[0][0]).all()
    for action in (RIGHT, RIGHT, LEFT, STAY, RIGHT):
        seen, reward, _, truncated, _ = rover.step(action)
        observations, rewards, _, truncations, infos = world.step(np.array([action]))
        assert (reward, truncated) == (rewards[0], truncations[0])
    assert truncated and (seen == infos["final_obs"][0]).all() and (seen != observations[0]).any()


def test_an_episode_is_cut_off_and_the_next_begins_in_the_same_step():
    world = ColourWorld(4, episode_steps=3)
    observations, _ = world.reset(seed=0)
    assert observations in world.observation_space
    for _ in range(2):
        observations, _, terminations, truncations, infos = world.step(np.full(4, STAY))
        assert not truncations.any() and not infos
    last, rewards, terminations, truncations, infos = world.step(np.full(4, STAY))
    assert truncations.all() and not terminations.any() and infos["_final_obs"].all()
    assert (infos["final_obs"] == observations).all()  # they stayed
    assert (last == render(world.factors)).all() and (last != observations).any((1, 2, 3)).all()
    assert not world.step(np.full(4, STAY))[3].any()


def test_a_seed_gives_the_same_episodes_and_another_one_others():
    def run(seed):
        world, rng = ColourWorld(5, episode_steps=4), RNG(1)
        seen = [world.reset(seed=seed)[0]]
        return np.stack(seen + [world.step(rng.integers(0, 3, 5))[0] for _ in range(10)])

    assert (run(1) == run(1)).all() and (run(1) != run(2)).any()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(n=0), "n is 0"),
        (dict(n=1, episode_steps=0), "episode_steps is 0"),
        (dict(n=1, domain="real"), "no domain 'real'"),
        (dict(n=1, spread=0.6), "spread is 0.6"),
    ],
)
def test_settings_that_make_no_world_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        ColourWorld(**settings)


@pytest.mark.parametrize(("actions", "message"), [([0], "one for each"), ([0, 3], "0 to 2"), ([0, -1], "0 to 2")])
def test_actions_that_are_none_are_refused(actions, message):
    with pytest.raises(ValueError, match=message):
        begun(2).step(np.array(actions))


def test_a_world_that_has_not_begun_cannot_be_stepped():
    with pytest.raises(RuntimeError, match="reset"):
        ColourWorld(1).step(np.array([STAY]))
