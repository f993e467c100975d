"""Record what becomes of a pretrained network on the boards, by the order in which its layers are unfrozen.

    python benchmarks/progressive_fine_tuning.py            # everything
    python benchmarks/progressive_fine_tuning.py orders     # or only some of: orders, probes, grid

`orders`: six ways to fine-tune all layers on 50 and on 200 images, ten seeds: accuracy at home and in another factory,
how far each layer group moved in every epoch, and what the network still knows of photographs. `probes`: a linear
probe on the same images, for comparison. `grid`: for the widget of lesson 03, orders, numbers of stages and decays on
50 images, three seeds. All runs of a size take equally many gradient steps. Written to
data/recorded/progressive_fine_tuning.json after each part; a part that is not named keeps what is recorded there.
Under an hour and a half on two cores.
"""

import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import product

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from tlcourse.backbones import load_classifier
from tlcourse.classroom import recorded, save_record
from tlcourse.classroom.run import ROOT
from tlcourse.data.boards import CLASSES, OTHER_FACTORY, load_boards, make_boards
from tlcourse.data.photos import photo_crops
from tlcourse.feature_extraction import linear_probe
from tlcourse.fine_tuning import TransferLearningModel, dihedral
from tlcourse.progressive_fine_tuning import ProgressiveFineTuner, l2_sp, start_from_probe
from tlcourse.runtime import seed_everything
from tlcourse.training import Data, evaluate, predict

NAME = "progressive_fine_tuning"
SEEDS = range(10)
EPOCHS = 12
BATCH_SIZE = {50: 16, 200: 32}
METHODS = ("head first", "input first", "all at once", "batch norm trained", "L2-SP", "LP-FT")
GRID = list(product(("head first", "input first", "all at once"), (2, 3, 5), (1.0, 2.6)))
GRID_SEEDS = range(3)
ALPHA, BETA = 0.1, 0.01  # of L2-SP; alpha between 0.01, which changed little, and 0.3, which cost accuracy (one seed)


class Boards:
    """The boards of home and of another factory; `sample` draws labelled ones, as they are and in four turns."""

    def __init__(self):
        self.images, self.labels, *test = load_boards()
        self.test: Data = tuple(test)
        self.elsewhere = make_boards(400, seed=100, conditions=OTHER_FACTORY)

    def choose(self, n: int, seed: int) -> Tensor:
        return torch.randperm(len(self.images), generator=torch.Generator().manual_seed(seed))[:n]

    def sample(self, n: int, seed: int) -> tuple[Tensor, Data]:
        chosen = self.choose(n, seed)
        return self.images[chosen], (dihedral(self.images[chosen], range(4)), self.labels[chosen])


def tune(
    boards: Boards, method: str, n: int, seed: int, stages: int = 3, decay: float = 2.6, watch: int | None = None
) -> tuple[TransferLearningModel, ProgressiveFineTuner, list[float]]:
    """Train a new model; returns it, its tuner, and the accuracy on the first `watch` test boards after each epoch."""
    seed_everything(seed)
    model = TransferLearningModel(len(CLASSES))
    images, train = boards.sample(n, seed)
    order = "input first" if method == "input first" else "head first"
    tuner = ProgressiveFineTuner(
        model, stages, order=order, decay=decay, freeze_batch_norm=method != "batch norm trained"
    )
    cross_entropy = nn.CrossEntropyLoss(label_smoothing=0.1)

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        near = l2_sp(dict(model.layers.named_parameters()), tuner.start, ALPHA, BETA) if method == "L2-SP" else 0
        return cross_entropy(logits, labels) + near

    if method == "LP-FT":
        start_from_probe(model, images, train[1])
    staged = method in ("head first", "input first")
    lengths = [len(part) for part in torch.arange(EPOCHS).tensor_split(stages)]  # 12 epochs in 5: 3, 3, 2, 2, 2
    curve = []
    for stage, epochs in enumerate(lengths) if staged else [(stages - 1, EPOCHS)]:
        history = tuner.train_stage(
            stage,
            train,
            watch and tuple(part[:watch] for part in boards.test),
            epochs=epochs,
            batch_size=BATCH_SIZE[n],
            loss=loss,
            weight_decay=0 if method == "L2-SP" else 0.01,
            seed=seed + 1000 * stage,
            progress=False,
        )
        curve += history.validation_accuracy
    return model, tuner, curve


class Photographs:
    """What a backbone knows of photographs: a probe for which one a crop shows, and whether ImageNet's own classifier,
    put back on its features, still decides as it did.
    """

    def __init__(self):
        (self.train, self.train_labels), (self.test, self.test_labels) = (
            photo_crops(10, half="left"),
            photo_crops(15, half="right"),
        )
        backbone, self.classifier = load_classifier()
        self.decisions = self.classifier(predict(backbone, self.test)).argmax(1)

    def known(self, backbone: nn.Module) -> dict[str, float]:
        features, test_features = predict(backbone, self.train), predict(backbone, self.test)
        probe = linear_probe(features, self.train_labels)
        agreement = (self.classifier(test_features).argmax(1) == self.decisions).float().mean().item()
        return {
            "probe": evaluate(probe, (test_features, self.test_labels))["accuracy"],
            "same ImageNet class": agreement,
        }


def one_seed(seed: int) -> dict:
    """Every method on both numbers of images: what was measured after the last epoch, and all the movement."""
    boards, photographs, measured = Boards(), Photographs(), {}
    for n, method in product(BATCH_SIZE, METHODS):
        model, tuner, _ = tune(boards, method, n, seed)
        measured[f"{method}, {n}"] = {
            "accuracy": evaluate(model, boards.test)["accuracy"],
            "elsewhere": evaluate(model, boards.elsewhere)["accuracy"],
            "movement": [list(moved.values()) for moved in tuner.movement],
            **photographs.known(model.layers[:-1]),
        }
    return measured


def probes() -> dict[str, dict[str, list[float]]]:
    """Accuracy of a linear probe on frozen features, for the images of every seed: what LP-FT starts from."""
    boards, backbone = Boards(), TransferLearningModel(len(CLASSES)).layers[:-1]
    features = predict(backbone, boards.images, progress=True)
    tests = {"accuracy": boards.test, "elsewhere": boards.elsewhere}
    tests = {where: (predict(backbone, images), labels) for where, (images, labels) in tests.items()}
    measured: dict = {}
    for n, seed in product(BATCH_SIZE, SEEDS):
        chosen = boards.choose(n, seed)
        probe = linear_probe(features[chosen], boards.labels[chosen])
        for where, test in tests.items():
            row = measured.setdefault(f"linear probe, {n}", {}).setdefault(where, [])
            row.append(evaluate(probe, test)["accuracy"])
    return measured


def one_curve(order: str, stages: int, decay: float) -> list[list[float]]:
    """Accuracy on 100 test boards by epoch, for each seed of the grid."""
    boards = Boards()
    return [tune(boards, order, 50, seed, stages, decay, watch=100)[2] for seed in GRID_SEEDS]


def main() -> None:
    start = time.perf_counter()
    chosen = sys.argv[1:] or ["orders", "probes", "grid"]
    if unknown := set(chosen) - {"orders", "probes", "grid"}:
        raise SystemExit(f"no part {', '.join(sorted(unknown))}; there are orders, probes and grid")
    results, spent = {}, 0.0
    if (ROOT / "data" / "recorded" / f"{NAME}.json").exists() and sys.argv[1:]:
        results, spent = recorded(NAME).results, recorded(NAME).seconds

    def save() -> None:
        save_record(NAME, __file__, SEEDS, results, seconds=spent + time.perf_counter() - start)

    # One thread for each run: two runs side by side take less time than one after the other on two threads.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(mp_context=spawn, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        if "orders" in chosen:
            backbone = TransferLearningModel(len(CLASSES)).layers[:-1]
            layers = [name for name, _ in backbone.named_children()]
            results |= {"layers": layers, "epochs": EPOCHS, "before": Photographs().known(backbone)}
            runs = list(tqdm(pool.map(one_seed, SEEDS), total=len(SEEDS)))
            orders = {
                method: {name: [run[method][name] for run in runs] for name in runs[0][method]} for method in runs[0]
            }
            for measured in orders.values():
                every = torch.tensor(measured.pop("movement"))  # (seeds, epochs, layers)
                measured |= {"movement": every.mean(0), "moved": every[:, -1]}
            results["orders"] = results.get("orders", {}) | orders
            save()
        if "probes" in chosen:
            results["orders"] = results.get("orders", {}) | probes()
            save()
        if "grid" in chosen:
            curves = tqdm(pool.map(one_curve, *zip(*GRID, strict=True)), total=len(GRID))
            named = {", ".join(map(str, cell)): curve for cell, curve in zip(GRID, curves, strict=True)}
            results["grid"] = {"seeds": list(GRID_SEEDS), "images": 50, "curves": named}
            save()


if __name__ == "__main__":
    main()
