"""Record how methods of domain adaptation carry digits into another domain, and where they fail.

    python benchmarks/domain_adaptation.py             # everything
    python benchmarks/domain_adaptation.py gaps        # or only some of: gaps, labels, choice, steps, statistics

`gaps`: from MNIST to MNIST-M and from printed to handwritten digits, ten seeds: accuracy in the target without
adaptation, with AdaBN, CORAL, MMD and DANN, and with the target's labels; the three also with both domains in one
batch of normalisation; and how well the domains can still be told apart. `labels`: printed to handwritten, where the
target has only some of the ten digits. `choice`: rates of DANN, weights of CORAL and MMD, three seeds: the accuracy,
and the entropy of the predictions in the target, which needs no labels. `steps`: DANN from printed to handwritten
digits, trained for 200 to 1600 steps, five seeds. `statistics`: MNIST to MNIST-M with both domains in one batch of
normalisation, but with the target's statistics at the end, ten seeds. Always the last step counts. Written to
data/recorded/domain_adaptation.json after each part; a part that is not named keeps what is recorded there. About an
hour of one core.
"""

import copy
import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import product

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from tlcourse.classroom import recorded, save_record
from tlcourse.classroom.run import ROOT
from tlcourse.data.digits import digit_domains
from tlcourse.domain_adaptation import (
    DomainAdaptationModel,
    adaptive_batch_norm,
    coral_loss,
    mmd_loss,
    proxy_a_distance,
    train_adaptation,
)
from tlcourse.networks import digit_encoder
from tlcourse.runtime import seed_everything
from tlcourse.training import Data, evaluate, fit, predict

NAME = "domain_adaptation"
SEEDS, CHOICE_SEEDS = range(10), range(3)
GAPS = ("MNIST to MNIST-M", "printed to handwritten")
STEPS, BATCH_SIZE, RATE = 400, 64, 5e-3
ALIGN = {"CORAL": coral_loss, "MMD": mmd_loss, "DANN": "adversarial"}
WEIGHT = {"CORAL": 300.0, "MMD": 10.0, "DANN": 1.0}
KEPT = (3, 5, 7)  # the target has the digits below
LENGTHS, LENGTH_SEEDS = (200, 400, 800, 1600), range(5)
CHOICES = [
    *product(["DANN"], [1.0], [0.001, 0.002, 0.005, 0.01]),
    *product(["CORAL"], [30.0, 100.0, 300.0, 1000.0], [RATE]),
    *product(["MMD"], [1.0, 3.0, 10.0, 30.0], [RATE]),
]


def new_model(channels: int) -> DomainAdaptationModel:
    domain_classifier = nn.Sequential(nn.Linear(100, 200), nn.ReLU(), nn.Linear(200, 200), nn.ReLU(), nn.Linear(200, 1))
    return DomainAdaptationModel(digit_encoder(channels), nn.Linear(100, 10), domain_classifier)


def classifier_of(model: DomainAdaptationModel) -> nn.Sequential:
    return nn.Sequential(model.feature_extractor, model.task_classifier)


def without_adaptation(data: Data, seed: int) -> nn.Sequential:
    """A classifier trained on these labelled images alone, for about as many steps at the same rates."""
    seed_everything(seed)
    classifier = classifier_of(new_model(data[0].shape[1]))
    batches = -(-len(data[0]) // BATCH_SIZE)
    epochs = round(STEPS / batches)
    optimizer = torch.optim.Adam(classifier.parameters(), RATE, betas=(0.5, 0.999))
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: (1 - step / (epochs * batches)) ** 0.5)
    run = {"epochs": epochs, "batch_size": BATCH_SIZE, "seed": seed, "device": "cpu", "progress": False}
    fit(classifier, data, optimizer=optimizer, scheduler=scheduler, **run)
    return classifier


def with_adaptation(domains: dict[str, Data], method: str, seed: int, **settings) -> DomainAdaptationModel:
    seed_everything(seed)
    model = new_model(domains["source"][0].shape[1])
    settings = {"weight": WEIGHT[method], "lr": RATE, "steps": STEPS, "batch_size": BATCH_SIZE} | settings
    target = domains["target"][0]
    train_adaptation(
        model, domains["source"], target, align=ALIGN[method], seed=seed, device="cpu", progress=False, **settings
    )
    return model


def distance(encoder: nn.Module, domains: dict[str, Data], own_statistics: bool) -> float:
    """Proxy A-distance of the two domains' features, each normalised by its own statistics if so asked."""
    features = []
    for part in ("source", "target"):
        if own_statistics:
            adaptive_batch_norm(encoder, domains[part][0])
        features.append(predict(encoder, domains[part][0]))
    return proxy_a_distance(*features)


def one_gap(gap: str, seed: int) -> dict[str, dict[str, float]]:
    """Accuracy in the target and distance of the domains, by method."""
    domains, measured = digit_domains(gap, seed=seed), {}

    def measure(method: str, classifier: nn.Sequential, own_statistics: bool) -> None:
        accuracy = evaluate(classifier, domains["test"])["accuracy"]
        measured[method] = {"accuracy": accuracy, "distance": distance(classifier[0], domains, own_statistics)}

    classifier = without_adaptation(domains["source"], seed)
    measure("source only", classifier, own_statistics=False)
    adaptive_batch_norm(classifier, domains["target"][0])
    measure("AdaBN", classifier, own_statistics=True)
    for method, apart in product(ALIGN, (True, False)):
        model = with_adaptation(domains, method, seed, apart=apart)
        measure(method if apart else f"{method}, one batch", classifier_of(model), own_statistics=apart)
    measure("target's labels", without_adaptation(domains["target"], seed), own_statistics=False)
    return measured


def one_label_shift(seed: int) -> dict[str, list[float]]:
    """Accuracy on a target that has the digits below 3, 5 and 7 only, by method."""
    domains = digit_domains(GAPS[1], seed=seed)
    source_only = without_adaptation(domains["source"], seed)
    measured: dict[str, list[float]] = {method: [] for method in ("source only", "AdaBN", *ALIGN)}
    for kept in KEPT:
        some = {part: (x[y < kept], y[y < kept]) for part, (x, y) in domains.items() if part != "source"}
        classifiers = {method: with_adaptation(domains | some, method, seed) for method in ALIGN}
        classifiers = {method: classifier_of(model) for method, model in classifiers.items()}
        renormalised = copy.deepcopy(source_only)
        adaptive_batch_norm(renormalised, some["target"][0])
        for method, classifier in {"source only": source_only, "AdaBN": renormalised, **classifiers}.items():
            measured[method].append(evaluate(classifier, some["test"])["accuracy"])
    return measured


def one_choice(method: str, weight: float, lr: float) -> dict[str, list[float]]:
    """Accuracy and mean entropy, in nats, of the predictions in the target, for each seed."""
    measured: dict[str, list[float]] = {"accuracy": [], "entropy": []}
    for seed in CHOICE_SEEDS:
        domains = digit_domains(GAPS[0], seed=seed)
        classifier = classifier_of(with_adaptation(domains, method, seed, weight=weight, lr=lr))
        measured["accuracy"].append(evaluate(classifier, domains["test"])["accuracy"])
        measured["entropy"].append(entropy(predict(classifier, domains["target"][0])).item())
    return measured


def one_length(steps: int, seed: int) -> float:
    """Accuracy in the target after so many steps."""
    domains = digit_domains(GAPS[1], seed=seed)
    return evaluate(classifier_of(with_adaptation(domains, "DANN", seed, steps=steps)), domains["test"])["accuracy"]


def one_replaced(seed: int) -> dict[str, float]:
    """Accuracy in the target by method: one batch of normalisation in training, the target's statistics at the end."""
    domains, measured = digit_domains(GAPS[0], seed=seed), {}
    for method in ALIGN:
        classifier = classifier_of(with_adaptation(domains, method, seed, apart=False))
        adaptive_batch_norm(classifier, domains["target"][0])
        measured[method] = evaluate(classifier, domains["test"])["accuracy"]
    return measured


def entropy(logits: Tensor) -> Tensor:
    return -(logits.softmax(1) * logits.log_softmax(1)).sum(1).mean()


def over_seeds(runs: list[dict]) -> dict:
    """One dict of lists from a list of dicts, at any depth."""
    first = runs[0]
    return {key: over_seeds([run[key] for run in runs]) for key in first} if isinstance(first, dict) else runs


def main() -> None:
    start = time.perf_counter()
    parts = ["gaps", "labels", "choice", "steps", "statistics"]
    chosen = sys.argv[1:] or parts
    if unknown := set(chosen) - set(parts):
        raise SystemExit(f"no part {', '.join(sorted(unknown))}; there are {', '.join(parts)}")
    results, spent = {}, 0.0
    if (ROOT / "data" / "recorded" / f"{NAME}.json").exists():
        results, spent = recorded(NAME).results, recorded(NAME).seconds

    def save() -> None:
        save_record(NAME, __file__, SEEDS, results, seconds=spent + time.perf_counter() - start)

    # One thread for each run: two runs side by side take less time than one after the other on two threads.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(mp_context=spawn, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        if "gaps" in chosen:
            cells = list(product(GAPS, SEEDS))
            runs = list(tqdm(pool.map(one_gap, *zip(*cells, strict=True)), total=len(cells)))
            of = {gap: [run for (name, _), run in zip(cells, runs, strict=True) if name == gap] for gap in GAPS}
            results["gaps"] = {gap: over_seeds(runs) for gap, runs in of.items()}
            save()
        if "labels" in chosen:
            runs = list(tqdm(pool.map(one_label_shift, SEEDS), total=len(SEEDS)))
            results["labels"] = {"kept": list(KEPT), "accuracy": over_seeds(runs)}
            save()
        if "choice" in chosen:
            runs = tqdm(pool.map(one_choice, *zip(*CHOICES, strict=True)), total=len(CHOICES))
            rows = [
                {"method": method, "weight": weight, "rate": rate, **run}
                for (method, weight, rate), run in zip(CHOICES, runs, strict=True)
            ]
            results["choice"] = {"seeds": list(CHOICE_SEEDS), "runs": rows}
            save()
        if "steps" in chosen:
            cells = list(product(LENGTHS, LENGTH_SEEDS))
            runs = list(tqdm(pool.map(one_length, *zip(*cells, strict=True)), total=len(cells)))
            by_length = [runs[i : i + len(LENGTH_SEEDS)] for i in range(0, len(runs), len(LENGTH_SEEDS))]
            results["steps"] = {"seeds": list(LENGTH_SEEDS), "steps": list(LENGTHS), "accuracy": by_length}
            save()
        if "statistics" in chosen:
            results["statistics"] = over_seeds(list(tqdm(pool.map(one_replaced, SEEDS), total=len(SEEDS))))
            save()


if __name__ == "__main__":
    main()
