"""Streams of tasks: the same digits and boards, told apart as each scenario says, and none both learned and tested."""

import dataclasses
import itertools

import pytest
import torch

from tlcourse.data.boards import CLASSES
from tlcourse.data.task_streams import PRODUCTS, SCENARIOS, board_products, permuted_digits, split_digits


def rows(inputs):
    """The pictures as a set."""
    return {row.numpy().tobytes() for row in inputs}


@pytest.fixture(scope="module")
def split():
    return {scenario: split_digits(scenario) for scenario in SCENARIOS}


@pytest.fixture(scope="module")
def permuted():
    return permuted_digits(3, train=300)


# Digits in pairs


def test_in_each_scenario_the_tasks_hold_the_same_digits(split):
    for tasks in zip(*split.values(), strict=True):
        assert len({task.name for task in tasks}) == 1
        for task in tasks[1:]:
            assert torch.equal(task.train[0], tasks[0].train[0]) and torch.equal(task.test[0], tasks[0].test[0])


def test_the_scenarios_differ_in_labels_and_in_what_is_told(split):
    for number, (by_task, by_domain, by_class) in enumerate(zip(*(split[name] for name in SCENARIOS), strict=True)):
        first = 2 * number
        assert by_task.classes == (first, first + 1) and by_domain.classes is None and by_class.classes is None
        for part in ("train", "test"):
            labels = getattr(by_class, part)[1]
            assert set(labels.tolist()) == {first, first + 1}
            assert torch.equal(getattr(by_task, part)[1], labels)
            assert torch.equal(getattr(by_domain, part)[1], labels - first)


def test_the_pairs_make_up_the_5000_digits_each_once(split):
    tasks = split["class"]
    assert [task.name for task in tasks] == ["0, 1", "2, 3", "4, 5", "6, 7", "8, 9"]
    for task in tasks:
        assert task.train[0].shape == (800, 784) and task.test[0].shape == (200, 784)
        assert task.test[1].bincount()[-2:].tolist() == [100, 100]
        assert task.train[0].dtype == torch.float32 and task.train[1].dtype == torch.int64
        assert task.train[0].min() == 0 and task.train[0].max() == 1
    every = [rows(task.train[0]) | rows(task.test[0]) for task in tasks]
    assert sum(map(len, every)) == len(set.union(*every)) > 4990, "hardly any digit is there twice"


def test_what_is_tested_was_not_learned(split, permuted):
    for task in [*split["class"], *permuted]:
        assert len(rows(task.train[0]) & rows(task.test[0])) <= 1, "MNIST itself may hold a picture twice"


# Permuted digits


def test_the_first_task_has_its_pixels_in_place_and_the_others_one_order_each(permuted):
    first, *others = permuted
    assert first.train[0].view(-1, 28, 28)[:, 0].sum() == 0, "a margin"
    for task in others:
        assert not torch.equal(task.train[0], first.train[0]) and torch.equal(task.train[1], first.train[1])
        # One order for all pictures keeps each picture's values, and their products with each other.
        assert torch.equal(task.train[0].sort(1).values, first.train[0].sort(1).values)
        for part in ("train", "test"):
            one, other = getattr(task, part)[0][:50], getattr(first, part)[0][:50]
            torch.testing.assert_close(one @ one.T, other @ other.T)


def test_train_and_test_are_permuted_alike(permuted):
    """Where ink often is in the training pictures, it often is in the test pictures."""
    for one, other in itertools.product(permuted, permuted):
        means = torch.stack([one.train[0].mean(0), other.test[0].mean(0)])
        correlation = torch.corrcoef(means)[0, 1]
        assert (correlation > 0.98) if one is other else (correlation < 0.3), (one.name, other.name)


def test_as_many_tasks_and_digits_as_asked_for(permuted):
    assert [task.name for task in permuted] == ["1", "2", "3"]
    for task in permuted:
        assert task.train[0].shape == (300, 784) and task.test[0].shape == (1000, 784) and task.classes is None
        assert torch.equal(task.test[1].bincount(), torch.full((10,), 100))


# Boards


@pytest.fixture(scope="module")
def boards():
    return board_products(12, 6, size=32)


def test_each_product_is_a_task_of_pictures_with_the_same_defects(boards):
    assert [task.name for task in boards] == list(PRODUCTS)
    for task in boards:
        assert task.train[0].shape == (12, 3, 32, 32) and task.test[0].shape == (6, 3, 32, 32)
        assert task.train[0].dtype == torch.uint8 and task.classes is None
        assert set(torch.cat([task.train[1], task.test[1]]).tolist()) <= set(range(len(CLASSES)))
        assert len(rows(task.train[0]) | rows(task.test[0])) == 18, "none twice"


def test_each_product_has_its_own_look(boards):
    """Boards are nearer to the mean colour of their own product than to any other's."""
    colours = torch.stack([task.test[0].float().mean((2, 3)) for task in boards])
    centres = torch.stack([task.train[0].float().mean((0, 2, 3)) for task in boards])
    own = torch.cdist(colours, centres).argmin(2) == torch.arange(len(boards))[:, None]
    assert own.float().mean() > 0.8 and own.float().mean(1).min() > 0.5


# All of them


@pytest.mark.parametrize(
    "make",
    [
        lambda seed: split_digits("class", seed=seed),
        lambda seed: permuted_digits(2, train=50, seed=seed),
        lambda seed: board_products(2, 1, size=32, seed=seed),
    ],
    ids=["split", "permuted", "boards"],
)
def test_a_stream_follows_its_seed_alone(make):
    before = torch.get_rng_state()
    one, again, other = make(1), make(1), make(2)
    assert torch.equal(before, torch.get_rng_state())
    for task, same in zip(one, again, strict=True):
        assert torch.equal(task.train[0], same.train[0]) and torch.equal(task.test[1], same.test[1])
    assert not torch.equal(one[1].train[0], other[1].train[0])
    assert not torch.equal(one[0].test[0], other[0].test[0]), "other digits to test on"


def test_a_task_cannot_be_changed_by_mistake(permuted):
    with pytest.raises(dataclasses.FrozenInstanceError):
        permuted[0].classes = (0, 1)


def test_streams_that_there_are_not_are_refused():
    with pytest.raises(ValueError, match="scenario is 'pixel'; there are task, domain, class"):
        split_digits("pixel")
    for wrong in ({"tasks": 0}, {"train": 0}, {"train": 4001}):
        with pytest.raises(ValueError, match="give one task or more, and 1 to 4000 digits"):
            permuted_digits(**wrong)
    with pytest.raises(ValueError, match="train is 0 and test 100"):
        board_products(0)
