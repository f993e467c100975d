"""Record how well a few examples teach new characters, for lesson 08.

    python benchmarks/few_shot.py              # everything
    python benchmarks/few_shot.py characters   # or only some of: methods, characters

`methods`: raw pixels, an untrained encoder, the features of a classifier of the training characters, and prototypical
networks, ten seeds: accuracy over 600 episodes of scripts never seen, for N = 2, 5, 10, 20 classes with K = 1, 2, 5, 10
examples; 5 classes within one script; and 5 of MNIST's ten digits. All three encoders are alike; the two that are
trained see about as many images. `characters`: prototypical networks trained on 20, 100 and 300 of the 949 training
characters, on as many images as those of `methods`, five seeds. Always the last step counts. Written to
data/recorded/few_shot.json after each seed; a part that is named begins anew, one that is not keeps what is recorded
there. About 25 minutes of one core.
"""

import sys
import time

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

from tlcourse.backbones import Lambda
from tlcourse.classroom import recorded, save_record
from tlcourse.classroom.run import ROOT
from tlcourse.data.digits import load_mnist
from tlcourse.data.glyphs import HELD_OUT, Characters, glyphs
from tlcourse.few_shot import EpisodeSampler, PrototypicalNetwork, evaluate_episodes
from tlcourse.networks import conv4
from tlcourse.runtime import seed_everything
from tlcourse.training import fit, predict

NAME = "few_shot"
SEEDS, CHARACTER_SEEDS = range(10), range(5)
WIDTH, STEPS, RATE = 32, 500, 5e-3
TRAINING_EPISODE = {"n_way": 20, "n_support": 1, "n_query": 5}
IMAGES = 20 * (1 + 5)  # in one step
WAYS, SHOTS, QUERY = (2, 5, 10, 20), (1, 2, 5, 10), 10
CHARACTERS = (20, 100, 300)


def prototypical(images: Tensor, labels: Tensor, seed: int) -> nn.Module:
    """An encoder trained by episodes."""
    seed_everything(seed)
    model = PrototypicalNetwork(conv4(WIDTH))
    optimizer = torch.optim.Adam(model.parameters(), RATE)
    scheduler = torch.optim.lr_scheduler.PolynomialLR(optimizer, STEPS)
    for episode in EpisodeSampler(labels, **TRAINING_EPISODE, episodes=STEPS, seed=seed):
        log_p = model(images[episode.support], episode.support_labels, images[episode.query])
        loss = F.nll_loss(log_p, episode.query_labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
    return model.encoder


def classifier(images: Tensor, labels: Tensor, seed: int) -> nn.Module:
    """An encoder trained below a linear classifier of all the characters, on about as many images in whole epochs."""
    seed_everything(seed)
    encoder = conv4(WIDTH)
    network = nn.Sequential(encoder, nn.Linear(WIDTH, int(labels.max()) + 1))
    batches = -(-len(images) // IMAGES)
    epochs = round(STEPS / batches)
    optimizer = torch.optim.Adam(network.parameters(), RATE)
    scheduler = torch.optim.lr_scheduler.PolynomialLR(optimizer, epochs * batches)
    run = {"epochs": epochs, "batch_size": IMAGES, "seed": seed, "device": "cpu", "progress": False}
    fit(network, (images, labels), optimizer=optimizer, scheduler=scheduler, **run)
    return encoder


def untrained(images: Tensor, labels: Tensor, seed: int) -> nn.Module:
    """An encoder with random weights, whose batch normalisation has the statistics of the training images."""
    seed_everything(seed)
    encoder = conv4(WIDTH).train()
    with torch.no_grad():
        for batch in images[torch.randperm(len(images))].split(IMAGES):
            encoder(batch)
    return encoder


def pixels(images: Tensor, labels: Tensor, seed: int) -> nn.Module:
    return nn.Sequential(Lambda(lambda images: images / 255), nn.Flatten())


METHODS = {"pixels": pixels, "untrained": untrained, "classifier": classifier, "prototypes": prototypical}


def accuracy(features: Tensor, labels: Tensor, n_way: int, n_support: int, seed: int, groups: Tensor | None = None):
    sampler = EpisodeSampler(labels, n_way, n_support, QUERY, groups=groups, seed=seed)
    return evaluate_episodes(PrototypicalNetwork(nn.Identity()), features, sampler, progress=False).mean


def measured(encoder: nn.Module, new: Characters, seed: int) -> dict:
    """The accuracies of an encoder on new characters and on digits."""
    features = predict(encoder, new.images, batch_size=500, device="cpu")
    digits, digit_labels = load_mnist()
    digit_features = predict(encoder, digits, batch_size=500, device="cpu")
    of_one_script = {"groups": new.script_labels, "seed": seed}
    return {
        "scripts": [[accuracy(features, new.labels, n, k, seed) for k in SHOTS] for n in WAYS],
        "one script": [accuracy(features, new.labels, 5, k, **of_one_script) for k in (1, 5)],
        "digits": [accuracy(digit_features, digit_labels, 5, k, seed) for k in (1, 5)],
    }


def one_seed(seed: int) -> dict[str, dict]:
    known, new = glyphs(seed=2 * seed), glyphs(HELD_OUT, seed=2 * seed + 1)
    return {name: measured(make(known.images, known.labels, seed), new, seed) for name, make in METHODS.items()}


def by_characters(seed: int) -> list[float]:
    """5-way 1-shot accuracy after training on each of `CHARACTERS`, the first so many in a random order."""
    known, new = glyphs(seed=2 * seed), glyphs(HELD_OUT, seed=2 * seed + 1)
    order = torch.randperm(len(known.names), generator=torch.Generator().manual_seed(seed))
    accuracies = []
    for count in CHARACTERS:
        part = torch.isin(known.labels, order[:count])
        encoder = prototypical(known.images[part], known.labels[part], seed)
        features = predict(encoder, new.images, batch_size=500, device="cpu")
        accuracies.append(accuracy(features, new.labels, 5, 1, seed))
    return accuracies


def methods_results(runs: list[dict[str, dict]]) -> dict:
    return {"ways": WAYS, "shots": SHOTS, "runs": {name: [run[name] for run in runs] for name in METHODS}}


def characters_results(runs: list[list[float]]) -> dict:
    return {"characters": CHARACTERS, "accuracy": list(zip(*runs, strict=True))}


PARTS = {
    "methods": (one_seed, SEEDS, methods_results),
    "characters": (by_characters, CHARACTER_SEEDS, characters_results),
}


def save(results: dict[str, dict]) -> None:
    seeds = max((part["seeds"] for part in results.values()), key=len)
    seconds = sum(part.get("seconds", 0.0) for part in results.values())  # parts kept from an older record have none
    save_record(NAME, __file__, seeds, results, seconds=seconds)


def main() -> None:
    torch.set_num_threads(1)
    chosen = sys.argv[1:] or list(PARTS)
    if unknown := set(chosen) - set(PARTS):
        raise SystemExit(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    results = {}
    if (ROOT / "data" / "recorded" / f"{NAME}.json").exists():
        before = recorded(NAME)
        results = {part: {"seeds": before.seeds} | kept for part, kept in before.results.items() if part not in chosen}
    for part, (measure, seeds, arranged) in PARTS.items():
        if part not in chosen:
            continue
        start, runs = time.perf_counter(), []
        for seed in tqdm(seeds, desc=part):
            runs.append(measure(seed))
            ran = {"seeds": list(seeds)[: len(runs)], "seconds": time.perf_counter() - start}
            results[part] = arranged(runs) | ran
            save(results)


if __name__ == "__main__":
    main()
