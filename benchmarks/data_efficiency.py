"""Record how accuracy on the boards grows with the number of labelled images, for five ways to learn.

    python benchmarks/data_efficiency.py
    python benchmarks/data_efficiency.py "from scratch" "all layers"

All methods get the same images. All but the probe, which sees them as they are, get them in the same eight turns and
reflections, and the same number of gradient steps; the small network gets twice as many. The curves stand in lesson 02.
Written to data/recorded/data_efficiency.json after each method; methods that are not named keep what is recorded there.
"""

import math
import sys
import time

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from tlcourse.backbones import Normalize, load_backbone
from tlcourse.classroom import recorded, save_record
from tlcourse.classroom.run import ROOT
from tlcourse.data.boards import CLASSES, load_boards
from tlcourse.feature_extraction import linear_probe
from tlcourse.fine_tuning import TransferLearningModel, dihedral, random_view
from tlcourse.runtime import seed_everything
from tlcourse.training import evaluate, fit, predict

FOLDER = ROOT / "data" / "recorded"
SIZES = [25, 50, 100, 200, 400, 800]
SEEDS = range(3)
STEPS = 250  # of gradient descent, at least


def small_network() -> nn.Module:
    """A network made for the task: five strided convolutions, 0.4 million parameters."""
    widths = [3, 32, 64, 128, 160, 192]
    layers: list[nn.Module] = [Normalize((0.5,) * 3, (0.5,) * 3)]
    for before, after in zip(widths, widths[1:], strict=False):
        layers += [nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(192, len(CLASSES)))


def train(
    network: nn.Module, views: Tensor, labels: Tensor, parameters: list[dict], seed: int, steps: int = STEPS
) -> None:
    """One cycle of learning rates with AdamW; views (n, V, …) of each image."""
    per_epoch = math.ceil(len(labels) / 32)
    epochs = math.ceil(steps / per_epoch)
    optimizer = torch.optim.AdamW(parameters, weight_decay=0.01)
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [group["lr"] for group in optimizer.param_groups], total_steps=epochs * per_epoch
    )
    fit(
        network,
        (views, labels),
        optimizer=optimizer,
        scheduler=cycle,
        epochs=epochs,
        loss=nn.CrossEntropyLoss(label_smoothing=0.1),
        augment=random_view,
        seed=seed,
        progress=False,
    )


def main() -> None:
    start = time.perf_counter()
    images, labels, test_images, test_labels = load_boards()
    test = test_images, test_labels
    views = dihedral(images)
    pretrained = load_backbone().groups
    maps = predict(pretrained[:6], views.flatten(0, 1), progress=True).unflatten(0, (800, 8))
    test_maps = predict(pretrained[:6], test_images)
    features, test_features = (predict(pretrained[6:], part) for part in (maps[:, 0], test_maps))

    def probe(subset: Tensor, seed: int) -> float:
        network = linear_probe(features[subset], labels[subset])
        return evaluate(network, (test_features, test_labels))["accuracy"]

    def last_blocks(subset: Tensor, seed: int) -> float:
        model = TransferLearningModel(len(CLASSES))
        model.unfreeze_layers(3)
        _, rest = model.split()
        train(rest, maps[subset], labels[subset], model.parameter_groups(8e-3, decay=1.25), seed)
        return evaluate(rest, (test_maps, test_labels))["accuracy"]

    def whole(weights: str | None, lr: float, decay: float):
        def method(subset: Tensor, seed: int) -> float:
            model = TransferLearningModel(len(CLASSES), freeze_layers=False, backbone=load_backbone(weights=weights))
            train(model, views[subset], labels[subset], model.parameter_groups(lr, decay), seed)
            return evaluate(model, test)["accuracy"]

        return method

    def small(subset: Tensor, seed: int) -> float:
        network = small_network()
        train(network, views[subset], labels[subset], [{"params": network.parameters(), "lr": 4e-3}], seed, 2 * STEPS)
        return evaluate(network, test)["accuracy"]

    methods = {
        "linear probe": (probe, SIZES),
        "last blocks": (last_blocks, SIZES),
        "small network": (small, SIZES),
        "all layers": (whole("DEFAULT", 8e-3, 1.5), [100, 800]),
        "from scratch": (whole(None, 4e-3, 1), [100, 800]),
    }
    chosen = sys.argv[1:] or list(methods)
    if unknown := set(chosen) - set(methods):
        raise SystemExit(f"no method {', '.join(sorted(unknown))}; there are {', '.join(methods)}")
    bar = tqdm(total=sum(len(methods[name][1]) for name in chosen) * len(SEEDS))
    for name in chosen:
        method, sizes = methods[name]
        runs = []
        for seed in SEEDS:
            order = torch.randperm(800, generator=torch.Generator().manual_seed(seed))
            row = []
            for n in sizes:
                seed_everything(seed)
                row.append(method(order[:n], seed))
                bar.update()
                bar.set_postfix_str(f"{name} {n}: {row[-1]:.3f}")
            runs.append(row)
        done = recorded("data_efficiency").results["methods"] if (FOLDER / "data_efficiency.json").exists() else {}
        done[name] = {"sizes": sizes, "accuracy": runs}
        save_record(
            "data_efficiency", __file__, SEEDS, {"steps": STEPS, "methods": done}, seconds=time.perf_counter() - start
        )


if __name__ == "__main__":
    main()
