"""Transitions: what was done is what is told, and tasks are moments in the life of one robot."""

import numpy as np
import pytest
import torch

from tlcourse.robots.lifting_arm import LiftingArm
from tlcourse.robots.transitions import Transitions, babble


def test_the_actions_lead_from_each_observation_to_the_next():
    observations, actions = babble(LiftingArm(3), 20, seed=0)
    assert observations.shape == (3, 21, 3) and actions.shape == (3, 20, 1)
    env = LiftingArm(3)
    env.reset(options={"observations": observations[:, 7]})
    np.testing.assert_allclose(env.step(actions[:, 7])[0], observations[:, 8], atol=1e-9)


def test_babbling_is_smooth_within_the_action_space_and_follows_the_seed():
    _, smooth = babble(LiftingArm(50), 100, seed=0, smoothness=0.9)
    _, rough = babble(LiftingArm(50), 100, seed=0, smoothness=0.0)
    for actions, low, high in ((smooth, 0.75, 0.95), (rough, -0.05, 0.05)):
        assert np.abs(actions).max() == 1
        assert low < np.corrcoef(actions[:, 1:].ravel(), actions[:, :-1].ravel())[0, 1] < high
    assert (babble(LiftingArm(50), 100, seed=0, smoothness=0.9)[1] == smooth).all()
    assert (babble(LiftingArm(50), 100, seed=1, smoothness=0.9)[1] != smooth).any()


def test_an_episode_may_end_with_the_last_action_but_not_before():
    observations, _ = babble(LiftingArm(2, episode_steps=10), 10, seed=0)
    longer, _ = babble(LiftingArm(2, episode_steps=11), 10, seed=0)
    np.testing.assert_array_equal(observations, longer)
    with pytest.raises(ValueError, match="over after 10 steps of 11"):
        babble(LiftingArm(2, episode_steps=10), 11, seed=0)


def test_inputs_and_targets_are_standardized_by_one_scale():
    observations, actions = babble(LiftingArm(8), 40, seed=0)
    own = Transitions.of(observations, actions)
    for tensor in (own.inputs, own.targets):
        torch.testing.assert_close(tensor.mean((0, 1)), torch.zeros(tensor.shape[2]), atol=1e-5, rtol=0)
        torch.testing.assert_close(tensor.std((0, 1), correction=0), torch.ones(tensor.shape[2]), atol=1e-4, rtol=0)
    some = Transitions.of(observations[:2], actions[:2], own.scale)
    assert torch.equal(some.inputs, own.inputs[:2]) and torch.equal(some.targets, own.targets[:2])
    step = own.targets[3, 5].numpy() * own.scale[3] + own.scale[2]
    np.testing.assert_allclose(observations[3, 5] + step, observations[3, 6], atol=1e-5)


def test_a_number_that_never_changes_is_refused_where_the_scale_is_taken():
    observations, actions = babble(LiftingArm(4), 20, seed=0)
    scale = Transitions.of(observations, actions).scale
    still, steady = np.zeros_like(actions) + 0.1, observations.copy()
    steady[..., 1] = np.arange(21)  # its change is what never changes
    for given, told in (
        ((observations, still), "input 3 never changes"),
        ((steady, actions), "target 1 never changes"),
    ):
        with pytest.raises(ValueError, match=f"{told}; standardizing needs a spread"):
            Transitions.of(*given)
    assert Transitions.of(observations, still, scale).inputs.isfinite().all()


def test_a_task_is_a_stretch_of_one_robot_s_life():
    inputs = torch.stack([100.0 * torch.arange(4)[:, None] + torch.arange(30.0)], dim=-1)
    drawn = Transitions(inputs, -inputs, ())
    tasks = drawn.tasks(200, 3, 5, generator=torch.Generator().manual_seed(0))
    (train, train_targets), (query, query_targets) = tasks["train"], tasks["query"]
    assert train.shape == (200, 3, 1) and query.shape == (200, 5, 1)
    stretch = torch.cat([train, query], 1)
    assert (stretch.diff(dim=1) == 1).all() and torch.equal(torch.cat([train_targets, query_targets], 1), -stretch)
    first = stretch[:, 0, 0]
    assert set((first // 100).tolist()) == {0, 1, 2, 3} and set((first % 100).tolist()) == set(range(23))


@pytest.mark.parametrize(("count", "shots", "query"), [(0, 1, 1), (1, 0, 1), (1, 20, 11)])
def test_tasks_that_cannot_be_are_refused(count, shots, query):
    drawn = Transitions(torch.zeros(2, 30, 1), torch.zeros(2, 30, 1), ())
    with pytest.raises(ValueError, match="30 transitions at most"):
        drawn.tasks(count, shots, query, generator=torch.Generator())


@pytest.mark.parametrize("settings", [dict(steps=0), dict(steps=1, smoothness=1.0)])
def test_babbling_that_makes_no_sense_is_refused(settings):
    with pytest.raises(ValueError, match="from 0 to below 1"):
        babble(LiftingArm(1), seed=0, **settings)
