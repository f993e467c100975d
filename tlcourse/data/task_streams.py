"""Streams of tasks for continual learning: digits with permuted pixels, digits in pairs, boards product by product."""

from dataclasses import dataclass

import torch
from torch import Tensor

from .boards import BLACK, BLUE, GREEN, PURPLE, RED, Conditions, make_boards
from .digits import load_mnist

SCENARIOS = ("task", "domain", "class")
PRODUCTS = {
    "green": Conditions(mask_colours=(GREEN,)),
    "blue": Conditions(mask_colours=(BLUE,), brightness=(0.5, 0.7), glare=(10.0, 60.0)),
    "red": Conditions(mask_colours=(RED,), tint=((1.05, 1.2), (0.9, 1.0), (0.6, 0.78)), zoom=(1.15, 1.3)),
    "black": Conditions(mask_colours=(BLACK,), brightness=(1.15, 1.4), noise=(6.0, 11.0)),
    "purple": Conditions(mask_colours=(PURPLE,), blur=(0.5, 0.9), texture=(0.04, 0.08), zoom=(0.85, 0.95)),
}
"""Five products: each has its own mask colour, and its own light or camera."""


@dataclass(frozen=True)
class Task:
    """One task of a stream."""

    name: str
    train: tuple[Tensor, Tensor]
    """Inputs (N, …) and class numbers (N,)."""
    test: tuple[Tensor, Tensor]
    classes: tuple[int, ...] | None = None
    """The classes among which an answer is chosen, where it is told which task an input belongs to; None: all."""


def permuted_digits(tasks: int = 5, *, train: int = 1000, seed: int = 0) -> list[Task]:
    """MNIST's digits, each task with its pixels shuffled in another order (Goodfellow et al. 2014, arXiv 1312.6211).

    The first task leaves the pixels in place. All tasks have the same `train` digits to train on, 4,000 at most, and
    the same 1,000 to test on, as vectors (N, 784) of floats from 0 to 1.

    Raises:
        ValueError: fewer than one task, or a number of digits that there are not.
    """
    if tasks < 1 or not 1 <= train <= 4000:
        raise ValueError(f"tasks is {tasks} and train {train}; give one task or more, and 1 to 4000 digits")
    generator = torch.Generator().manual_seed(seed)
    x, y, test = _digits(generator)
    rest = (~test).nonzero()[:, 0]
    known = rest[torch.randperm(len(rest), generator=generator)[:train]]
    stream = []
    for number in range(tasks):
        order = torch.randperm(784, generator=generator) if number else torch.arange(784)
        stream.append(Task(str(number + 1), (x[known][:, order], y[known]), (x[test][:, order], y[test])))
    return stream


def split_digits(scenario: str, *, seed: int = 0) -> list[Task]:
    """MNIST's digits in five tasks: 0 and 1, 2 and 3, and so on (Zenke et al. 2017, arXiv 1703.04200).

    The scenarios are those of van de Ven & Tolias 2019, arXiv 1904.07734:

        "task"      which of the two digits? The task is told, also in the test.     labels 0 to 9, two of them compete
        "domain"    is it the first or the second of its pair? The task is not told. labels 0 and 1
        "class"     which of the ten digits? The task is not told.                   labels 0 to 9, all compete

    Each task has 800 digits to train on and 200 to test on, as vectors (N, 784) of floats from 0 to 1.

    Raises:
        ValueError: no such scenario.
    """
    if scenario not in SCENARIOS:
        raise ValueError(f"scenario is {scenario!r}; there are {', '.join(SCENARIOS)}")
    x, y, test = _digits(torch.Generator().manual_seed(seed))
    stream = []
    for first in range(0, 10, 2):
        pair = y // 2 == first // 2
        labels = y - first if scenario == "domain" else y
        classes = (first, first + 1) if scenario == "task" else None
        parts = ((x[pair & part], labels[pair & part]) for part in (~test, test))
        stream.append(Task(f"{first}, {first + 1}", *parts, classes))
    return stream


def board_products(train: int = 150, test: int = 100, *, size: int = 96, seed: int = 0) -> list[Task]:
    """Circuit boards, one task for each of the `PRODUCTS`: the same defects under other colours, light and cameras.

    Inputs are pictures, uint8 (N, 3, size, size); labels are those of `boards.CLASSES`.

    Args:
        train, test: pictures of each product to train and to test on.

    Raises:
        ValueError: no pictures are asked for.
    """
    if min(train, test) < 1:
        raise ValueError(f"train is {train} and test {test}; one picture or more of both are needed")
    stream = []
    for number, (name, conditions) in enumerate(PRODUCTS.items()):
        images, labels = make_boards(train + test, seed=100 * seed + number, size=size, conditions=conditions)
        stream.append(Task(name, (images[:train], labels[:train]), (images[train:], labels[train:])))
    return stream


def _digits(generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """MNIST-5k as vectors (5000, 784), labels, and which of them are for the test: 100 of each class."""
    images, labels = load_mnist()
    test = torch.zeros(len(labels), dtype=torch.bool)
    for digit in range(10):
        of_digit = (labels == digit).nonzero()[:, 0]
        test[of_digit[torch.randperm(len(of_digit), generator=generator)[:100]]] = True
    return images.flatten(1).float() / 255, labels, test
