"""Compare the speed of meta-learning with other libraries: same model, tasks, seed and mathematics, in one run.

    python -m pip install easyfsl    # for prototypes; the course itself does without
    python benchmarks/meta_learning_speed.py

`meta-gradient`: one meta-gradient of MAML by the course, with all tasks at once (vmap) and one after the other (loop),
and by learn2learn: seconds, and by how much the gradients differ at most. `layers`: what batching over tasks costs or
saves in a single layer, when each task has weights of its own, forwards and backwards. `prototypes`: the
log-probabilities of prototypical networks, by the course, by easyfsl with its distance squared, and by expanding
queries and prototypes to (queries, classes, features). Each number of seconds is the least of several, of one thread,
the competitors taking turns. Written to data/recorded/meta_learning_speed.json. About three minutes.
"""

import contextlib
import io
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version

import torch
import torch.nn.functional as F
from easyfsl.methods import PrototypicalNetworks
from torch import Tensor, nn
from torch.func import functional_call, vmap
from tqdm.auto import tqdm

from tlcourse.classroom import save_record
from tlcourse.data.sinusoids import sinusoid_tasks
from tlcourse.few_shot import PrototypicalNetwork
from tlcourse.maml import MAML, autograd_grad_and_value
from tlcourse.networks import conv4

with contextlib.redirect_stderr(io.StringIO()):  # what it imports has advice to give
    from learn2learn.algorithms import MAML as Learn2Learn

NAME, SEED, REPEATS = "meta_learning_speed", 0, 7
WAY, SHOTS, QUERIES, TASKS = 5, 1, 5, 8


def batch_norm(width: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(width, track_running_stats=False)


def sine_network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(1, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 1))


def convolutional(width: int, pooling: bool) -> nn.Sequential:
    encoder = conv4(width, pooling=pooling, normalization=batch_norm)
    return nn.Sequential(encoder, nn.Linear(width if pooling else 4 * width, WAY))


def image_tasks() -> dict:
    generator, tasks = torch.Generator().manual_seed(SEED), {}
    for part, each in (("train", SHOTS), ("query", QUERIES)):
        images = torch.rand(TASKS, WAY * each, 1, 28, 28, generator=generator)
        tasks[part] = images, torch.arange(WAY).repeat_interleave(each).expand(TASKS, -1)
    return tasks


# Name: model, tasks, loss, inner rate.
CASES = {
    "perceptron": (sine_network, lambda: sinusoid_tasks(25, seed=SEED).tasks, F.mse_loss, 0.01),
    "conv4, strides, 32 channels": (partial(convolutional, 32, False), image_tasks, F.cross_entropy, 0.1),
    "conv4, strides, 64 channels": (partial(convolutional, 64, False), image_tasks, F.cross_entropy, 0.1),
    "conv4, pooling, 32 channels": (partial(convolutional, 32, True), image_tasks, F.cross_entropy, 0.1),
}


def least_seconds(competitors: dict[str, Callable], repeats: int = REPEATS) -> dict[str, float]:
    """The least time of each, of the processor; they take turns, after one turn that does not count."""
    seconds = {name: [] for name in competitors}
    for _ in range(repeats + 1):
        for name, run in competitors.items():
            start = time.process_time()
            run()
            seconds[name].append(time.process_time() - start)
    return {name: min(each[1:]) for name, each in seconds.items()}


def learn2learns_gradient(model: nn.Module, tasks: dict, loss: Callable, lr: float, steps: int, first_order: bool):
    """The function that computes it; the model is not copied, so all competitors have one."""
    maml = Learn2Learn(model, lr=lr, first_order=first_order)
    (x, y), (x_query, y_query) = tasks["train"], tasks["query"]

    def compute() -> list[Tensor]:
        total = 0.0
        for i in range(len(x)):
            learner = maml.clone()
            for _ in range(steps):
                learner.adapt(loss(learner(x[i]), y[i]))
            total = total + loss(learner(x_query[i]), y_query[i])
        return list(torch.autograd.grad(total / len(x), list(maml.parameters())))

    return compute


def largest_difference(mine: dict[str, Tensor], theirs: list[Tensor]) -> float:
    return max((a - b).abs().max().item() for a, b in zip(mine.values(), theirs, strict=True))


def one_meta_gradient(case: str, steps: int, variant: str) -> dict:
    make, draw, loss, lr = CASES[case]
    torch.manual_seed(SEED)
    model, row = make(), {}
    for dtype in (torch.float32, torch.float64):
        model.to(dtype)
        tasks = {
            part: tuple(x.to(dtype) if x.is_floating_point() else x for x in pair) for part, pair in draw().items()
        }
        reference = learn2learns_gradient(model, tasks, loss, lr, steps, variant == "first order")
        ours = {
            name: MAML(model, lr, loss=loss, inner_steps=steps, variant=variant, vectorized=name == "vmap")
            for name in ("vmap", "loop")
        }
        theirs, kind = reference(), str(dtype).removeprefix("torch.")
        row[f"largest difference, {kind}"] = {
            name: largest_difference(maml.meta_gradient(tasks)[0], theirs) for name, maml in ours.items()
        }
        row[f"largest number, {kind}"] = max(gradient.abs().max().item() for gradient in theirs)
        if dtype == torch.float32:
            competitors = {name: partial(maml.meta_gradient, tasks) for name, maml in ours.items()}
            row["seconds"] = least_seconds(competitors | {"learn2learn": reference})
    return row


# Name: layer, what comes in.
LAYERS = {
    "linear, 40 to 40": (lambda: nn.Linear(40, 40), (10, 40)),
    "first convolution, 1 channel": (lambda: nn.Conv2d(1, 32, 3, padding=1), (25, 1, 28, 28)),
    "second convolution, 32 channels": (lambda: nn.Conv2d(32, 32, 3, padding=1), (25, 32, 14, 14)),
    "batch normalisation, 28 × 28": (lambda: batch_norm(32), (25, 32, 28, 28)),
    "batch normalisation, 14 × 14": (lambda: batch_norm(32), (25, 32, 14, 14)),
    "ReLU, 28 × 28": (nn.ReLU, (25, 32, 28, 28)),
    "maximum, 28 × 28": (lambda: nn.MaxPool2d(2), (25, 32, 28, 28)),
}


def one_layer(name: str) -> dict[str, float]:
    """Seconds of outputs and gradients, for weights and inputs of 8 tasks: all at once, and one after the other."""
    make, shape = LAYERS[name]
    torch.manual_seed(SEED)
    layer = make()
    own = {key: p.detach() * (1 + 0.1 * torch.rand(TASKS, *p.shape)) for key, p in layer.named_parameters()}
    own["inputs"] = torch.randn(TASKS, *shape)

    def loss(at: dict[str, Tensor]) -> Tensor:
        at = dict(at)
        outputs = functional_call(layer, at, (at.pop("inputs"),))
        return outputs.square().sum()

    at_once = lambda: vmap(torch.func.grad_and_value(loss))(own)  # noqa: E731
    one_by_one = lambda: [  # noqa: E731
        autograd_grad_and_value(loss)({key: value[i] for key, value in own.items()}) for i in range(TASKS)
    ]
    return least_seconds({"vmap": at_once, "loop": one_by_one}, repeats=15)


# Name: classes, examples of each, queries, features.
EPISODES = {"an episode": (5, 1, 25, 128), "a large one": (100, 5, 2000, 512)}


def one_prototypes(name: str) -> dict:
    """Seconds of the loss and its gradient for the features, and by how much the log-probabilities differ."""
    way, shots, queries, width = EPISODES[name]
    generator = torch.Generator().manual_seed(SEED)
    support, query = (
        torch.randn(n, width, generator=generator).mul(0.1).requires_grad_() for n in (way * shots, queries)
    )
    labels, answers = torch.arange(way).repeat_interleave(shots), torch.arange(queries) % way
    ours, theirs = PrototypicalNetwork(nn.Identity()), PrototypicalNetworks(nn.Identity())

    def easyfsl() -> Tensor:
        theirs.process_support_set(support, labels)
        return (-theirs(query).square()).log_softmax(1)  # its scores are distances that are not squared

    def expanded() -> Tensor:
        prototypes = support.unflatten(0, (way, shots)).mean(1)
        return (-(query[:, None] - prototypes).square().sum(2)).log_softmax(1)

    competitors = {"course": lambda: ours(support, labels, query), "easyfsl": easyfsl, "expanded": expanded}
    reference = expanded()
    differences = {key: (compute() - reference).abs().max().item() for key, compute in competitors.items()}

    def step(compute: Callable[[], Tensor]) -> None:
        torch.autograd.grad(F.nll_loss(compute(), answers), (support, query))

    seconds = least_seconds({key: partial(step, compute) for key, compute in competitors.items()})
    return {"seconds": seconds, "largest difference": differences}


def main() -> None:
    start = time.perf_counter()
    torch.set_num_threads(1)
    libraries = {library: version(library) for library in ("learn2learn", "easyfsl")}
    results: dict = {"libraries": libraries, "meta-gradient": {}, "layers": {}, "prototypes": {}}
    for case in tqdm(CASES):
        for variant in ("second order", "first order"):
            for steps in (1, 5):
                name = f"{variant}, {steps} step{'s' * (steps > 1)}"
                results["meta-gradient"].setdefault(case, {})[name] = one_meta_gradient(case, steps, variant)
    for name in tqdm(LAYERS):
        results["layers"][name] = one_layer(name)
    for name in EPISODES:
        results["prototypes"][name] = one_prototypes(name)
    save_record(NAME, __file__, [SEED], results, seconds=time.perf_counter() - start)


if __name__ == "__main__":
    main()
