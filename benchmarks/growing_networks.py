"""Record how a network that has grown goes on learning, for lesson 13.

    python benchmarks/growing_networks.py [--seeds 10]

A teacher learns 4,000 of MNIST's digits. Then it grows, in one of the ways of `GROWN`, and learns on, all with the same
rate and batches; beside them networks of the same shape from scratch, and ways to grow that do not preserve the
function: new weights at random around the old ones, or a new layer at random. The accuracy on 1,000 other digits is
measured every few batches, and the distance of the functions at the moment of growth, in float64.

Two teachers: a `good` one, and a `small` one, which is too narrow for the digits and has been trained until little
happened. Each seed has its own digits to test on, teacher, order of examples and random weights. Each is kept in the
cache folder when it is done, and data/recorded/growing_networks.json is written anew: a stopped recording goes on
there, unless the code has changed. About a minute a seed on one core. The settings were chosen on seeds 100 and 101.
"""

import argparse
import copy
import hashlib
import json
import time
from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

from tlcourse.classroom import save_record
from tlcourse.classroom.run import ROOT
from tlcourse.data.digits import load_mnist
from tlcourse.net2net import deepen, function_distance, widen
from tlcourse.network_morphism import morph_depth, morph_kernel, morph_width
from tlcourse.runtime import cache_dir, replacing

NAME = "growing_networks"
WIDTHS = {"good": (8, 32), "small": (2, 8)}  # channels of the first convolution, units of the dense layer
FACTOR = {"good": 2, "small": 4}
TEACHER_EPOCHS, EPOCHS = {"good": 3, "small": 8}, 5
BATCH, RATE, EVERY, NOISE = 64, 1e-3, 9, 0.3
MODULES = ("net2net", "network_morphism", "channel_graph", "data/digits")
CODE = [ROOT / "benchmarks/growing_networks.py", *(ROOT / f"tlcourse/{module}.py" for module in MODULES)]


def network(channels: int, dense: int, deep: bool = False) -> nn.Sequential:
    """Digits (B, 1, 28, 28) to logits; `deep`: with a second convolution behind each of the two."""
    layers = OrderedDict()
    for number, (inputs, outputs, kernel) in enumerate(((1, channels, 5), (channels, 2 * channels, 3)), start=1):
        layers[f"conv{number}"] = nn.Conv2d(inputs, outputs, kernel, stride=2, padding=kernel // 2)
        layers[f"norm{number}"] = nn.BatchNorm2d(outputs)
        layers[f"relu{number}"] = nn.ReLU()
        if deep:
            again = nn.Conv2d(outputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()
            layers[f"relu{number}"] = nn.Sequential(nn.ReLU(), *again)
    layers |= {"flatten": nn.Flatten(), "dense": nn.Linear(2 * channels * 49, dense), "relu3": nn.ReLU()}
    return nn.Sequential(layers | {"head": nn.Linear(dense, 10)})


def wider(grow, teacher: nn.Module, factor: int, **options) -> nn.Module:
    for layer in ("conv1", "conv2", "dense"):
        teacher = grow(teacher, layer, factor * len(teacher.get_submodule(layer).weight), **options)
    return teacher


def deeper(teacher: nn.Module, inputs: Tensor | None) -> nn.Module:
    for layer in ("conv2", "conv1"):
        teacher = deepen(teacher, layer, inputs=inputs)
    return teacher


def random_padding(teacher: nn.Module, big: nn.Module) -> nn.Module:
    """The big network, with the teacher's weights in the corner of each of its layers: no morphism."""
    small = teacher.state_dict()
    with torch.no_grad():
        for name, tensor in big.state_dict().items():
            corner = tuple(slice(size) for size in small[name].shape)
            if name == "dense.weight":  # the pixels of a channel stay together behind the Flatten
                pixels = (len(small["dense.weight"]), len(teacher.conv2.weight), 49)
                tensor.view(len(tensor), -1, 49)[tuple(slice(size) for size in pixels)] = small[name].view(pixels)
            else:
                tensor[corner] = small[name]
    return big


def random_layer(grown: nn.Module) -> nn.Module:
    """The deeper network, its new layers not identities but as torch starts them: no morphism."""
    grown = copy.deepcopy(grown)
    for name in ("relu1", "relu2"):
        for part in grown.get_submodule(name)[1:3]:
            part.reset_parameters()
    return grown


def morphed_deeper(teacher: nn.Module, seed: int) -> nn.Module:
    return morph_depth(morph_depth(teacher, "conv2", seed=seed).network, "conv1", seed=seed).network


def larger_kernels(teacher: nn.Module) -> nn.Module:
    return morph_kernel(morph_kernel(teacher, "conv1", 7), "conv2", 5)


def ways(kind: str, teacher: nn.Module, inputs: Tensor, seed: int) -> dict[str, nn.Module]:
    """What learns on, by name."""
    (channels, dense), factor = WIDTHS[kind], FACTOR[kind]
    big = (factor * channels, factor * dense)
    networks = {
        "teacher, trained on": copy.deepcopy(teacher),
        "wider": wider(widen, teacher, factor, seed=seed),
        "wider, noise": wider(widen, teacher, factor, seed=seed, noise=NOISE),
        "morphed wider": wider(morph_width, teacher, factor, seed=seed),
        "wide from scratch": network(*big),
    }
    if kind == "good":
        networks |= {
            "deeper": deeper(teacher, inputs),
            "deeper, blind": deeper(teacher, None),
            "morphed deeper": morphed_deeper(teacher, seed),
            "larger kernels": larger_kernels(teacher),
            "random padding": random_padding(teacher, network(*big)),
            "random layer": random_layer(deeper(teacher, inputs)),
            "deep from scratch": network(channels, dense, deep=True),
        }
    return networks


def learn(model: nn.Module, data: tuple[Tensor, ...], epochs: int, seed: int) -> list[float]:
    """Train in place; the accuracy before the first batch and after every so many."""
    x, y, test_x, test_y = data
    optimizer, generator = torch.optim.Adam(model.parameters(), RATE), torch.Generator().manual_seed(seed)
    curve = [accuracy(model, test_x, test_y)]
    batches = [batch for _ in range(epochs) for batch in torch.randperm(len(x), generator=generator).split(BATCH)]
    for number, batch in enumerate(batches, start=1):
        model.train()
        loss = F.cross_entropy(model(x[batch]), y[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if number % EVERY == 0:
            curve.append(accuracy(model, test_x, test_y))
    return curve


def accuracy(model: nn.Module, x: Tensor, y: Tensor) -> float:
    model.eval()
    with torch.no_grad():
        return (model(x).argmax(1) == y).double().mean().item()


def one_seed(seed: int) -> dict:
    start = time.perf_counter()
    images, labels = load_mnist()
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    x, y = images[order].float() / 255, labels[order]
    data, results = (x[:4000], y[:4000], x[4000:], y[4000:]), {}
    for kind in WIDTHS:
        torch.manual_seed(seed)
        teacher = network(*WIDTHS[kind])
        results[kind] = {"teacher": {"curve": learn(teacher, data, TEACHER_EPOCHS[kind], seed)}}
        exact = copy.deepcopy(teacher).double()
        for name, grown in ways(kind, exact, data[0][:500].double(), seed).items():
            results[kind][name] = {
                "distance": function_distance(exact, grown.double(), data[2][:200].double()),
                "parameters": sum(p.numel() for p in grown.parameters()),
                "curve": learn(grown.float(), data, EPOCHS, seed + 1),
            }
    return {**results, "seconds": time.perf_counter() - start}


def save(done: dict[str, dict]) -> None:
    runs = [done[seed] for seed in sorted(done, key=int)]
    results = {
        "settings": {"batch size": BATCH, "rate": RATE, "noise": NOISE, "batches an epoch": -(-4000 // BATCH)},
        "batches": list(range(0, EVERY * len(runs[0]["good"]["wider"]["curve"]), EVERY)),
        "teachers": {
            kind: {
                "curve": [run[kind]["teacher"]["curve"] for run in runs],
                "batches": list(range(0, EVERY * len(runs[0][kind]["teacher"]["curve"]), EVERY)),
                "parameters": runs[0][kind]["teacher, trained on"]["parameters"],
            }
            for kind in WIDTHS
        },
    }
    for kind in WIDTHS:
        results[kind] = {
            name: {
                "curve": [run[kind][name]["curve"] for run in runs],
                "distance": [run[kind][name]["distance"] for run in runs],
                "parameters": one["parameters"],
            }
            for name, one in runs[0][kind].items()
            if name != "teacher"
        }
    save_record(NAME, __file__, sorted(map(int, done)), results, seconds=sum(run["seconds"] for run in runs))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=10)
    seeds = range(parser.parse_args().seeds)
    torch.set_num_threads(1)
    code = hashlib.sha256(b"".join(file.read_bytes() for file in CODE)).hexdigest()[:16]
    kept = cache_dir() / f"{NAME}-{code}.json"
    done = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    for seed in tqdm([seed for seed in seeds if str(seed) not in done]):
        done[str(seed)] = one_seed(seed)
        with replacing(kept) as unfinished:
            unfinished.write_text(json.dumps(done), encoding="utf-8")
        save(done)
    save(done)


if __name__ == "__main__":
    main()
