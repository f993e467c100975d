"""Compare the course's EWC with avalanche's: the same network, examples and labels, in one run.

    python -m pip install avalanche-lib    # the course itself does without
    python benchmarks/avalanche_ewc.py

A network learns three pairs of MNIST's digits, one after the other; after the first two, both libraries consolidate it
by the same 500 digits and their true labels. `importance`: avalanche's importances of the first pair, for each size of
its batches, all added up and divided by the course's. avalanche squares the gradient of a batch's mean loss, so only
batches of one give the empirical Fisher information (its issue 1224). `difference`: how far they are from the course's,
as a share of the course's length. `penalty`: EWC's and online EWC's, after the third pair, with batches of one:
avalanche's over the course's; 2 is right, as avalanche leaves the ½ of the paper to λ. `seconds`: for one Fisher, the
least of several, of one thread. Ten seeds. Written to data/recorded/avalanche_ewc.json. About two minutes.
"""

import time
from importlib.metadata import version
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from avalanche.training.plugins import EWCPlugin
from torch import Tensor, nn
from torch.utils.data import TensorDataset
from tqdm.auto import tqdm

from tlcourse.classroom import save_record
from tlcourse.continual import EWC, fisher_diagonal, train_stream
from tlcourse.data.task_streams import split_digits

NAME, SEEDS, REPEATS = "avalanche_ewc", range(10), 3
EXAMPLES, DECAY, BATCH_SIZES = 500, 0.7, (1, 4, 16, 64, 256)


def strategy(model: nn.Module, x: Tensor, y: Tensor, task: int, batch_size: int = 1) -> SimpleNamespace:
    """What avalanche's plugin looks at in a strategy."""
    return SimpleNamespace(
        model=model,
        _criterion=F.cross_entropy,
        optimizer=torch.optim.SGD(model.parameters(), lr=1.0),  # only to set the gradients to zero
        experience=SimpleNamespace(dataset=TensorDataset(x, y, torch.zeros_like(y))),
        device="cpu",
        train_mb_size=batch_size,
        clock=SimpleNamespace(train_exp_counter=task),
        loss=torch.zeros(()),
    )


def avalanche_fisher(model: nn.Module, x: Tensor, y: Tensor, batch_size: int) -> dict[str, Tensor]:
    plugin = EWCPlugin(ewc_lambda=1.0)
    plugin.after_training_exp(strategy(model, x, y, 0, batch_size))
    return {name: importance.data for name, importance in plugin.importances[0].items()}


def flat(fisher: dict[str, Tensor]) -> Tensor:
    return torch.cat([tensor.flatten() for tensor in fisher.values()])


def seconds(compute, *arguments) -> float:
    def once() -> float:
        began = time.perf_counter()
        compute(*arguments)
        return time.perf_counter() - began

    return min(once() for _ in range(REPEATS))


def one_seed(seed: int) -> dict:
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 100), nn.ReLU(), nn.Linear(100, 10))
    generator, results = torch.Generator().manual_seed(seed), {}
    pairs = {
        "separate": (EWC(), EWCPlugin(ewc_lambda=1.0)),
        "online": (EWC(DECAY), EWCPlugin(ewc_lambda=1.0, mode="online", decay_factor=DECAY)),
    }
    for number, task in enumerate(split_digits("class", seed=seed)[:3]):
        train_stream(model, [task], epochs=1, seed=seed, progress=False)
        if number == 2:
            break
        some = torch.randperm(len(task.train[0]), generator=generator)[:EXAMPLES]
        x, y = task.train[0][some], task.train[1][some]
        for ours, theirs in pairs.values():
            ours.consolidate(model, x, y)
            theirs.after_training_exp(strategy(model, x, y, number))
        if number == 0:
            right = flat(fisher_diagonal(model, x, y))
            found = [flat(avalanche_fisher(model, x, y, size)) for size in BATCH_SIZES]
            results["importance"] = [(fisher.sum() / right.sum()).item() for fisher in found]
            results["difference"] = [((fisher - right).norm() / right.norm()).item() for fisher in found]
            results["seconds"] = [seconds(fisher_diagonal, model, x, y), seconds(avalanche_fisher, model, x, y, 1)]
    results["penalty"] = {}
    for name, (ours, theirs) in pairs.items():
        at_third = strategy(model, x, y, 2)
        theirs.before_backward(at_third)
        results["penalty"][name] = (at_third.loss / ours.penalty(model)).item()
    return results


def main() -> None:
    torch.set_num_threads(1)
    began = time.perf_counter()
    runs = [one_seed(seed) for seed in tqdm(SEEDS)]
    results = {
        "batch_sizes": BATCH_SIZES,
        "importance": [run["importance"] for run in runs],  # (seeds, batch sizes)
        "difference": [run["difference"] for run in runs],
        "penalty": {name: [run["penalty"][name] for run in runs] for name in ("separate", "online")},
        "seconds": dict(
            zip(("course", "avalanche"), map(min, zip(*(run["seconds"] for run in runs), strict=True)), strict=True)
        ),
        "libraries": {"avalanche-lib": version("avalanche-lib")},
    }
    save_record(NAME, __file__, SEEDS, results, time.perf_counter() - began)
    for name in ("importance", "difference"):
        print(name, dict(zip(BATCH_SIZES, torch.tensor(results[name]).mean(0).tolist(), strict=True)))
    print("penalty", results["penalty"], "seconds", results["seconds"])


if __name__ == "__main__":
    main()
