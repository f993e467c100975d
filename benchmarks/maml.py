"""Record what MAML gains over plain pretraining with fine-tuning: on sinusoids, unseen scripts and a damaged robot.

    python benchmarks/maml.py                   # everything
    python benchmarks/maml.py sinusoids         # or only some of: sinusoids, glyphs, robot

`sinusoids`: the mean squared error on unseen sinusoids before and after 1 to 10 gradient steps on 10 points, for each
variant of MAML, for a network pretrained on all sinusoids at once, and for a random one, trained from scratch at the
rate that is best for one step; where MAML fails, on tasks unlike those it was trained on and at larger inner rates.
`glyphs`: accuracy on 600 episodes of 5-way 1-shot with characters of unseen scripts, after 0 to 5 steps; the plain
network is a classifier of all training characters, whose head is replaced; also prototypes on its features, normalised
by running averages, so that no query helps another (not transductive, as the others are). `robot`: a half-cheetah some
of whose motors are dead or connected the wrong way round, in a combination that no training robot had; the error of a
model of its dynamics on the next 32 transitions after adaptation to the last 32. The plain model is fine-tuned for ten
steps, and its error still falls.

Ten seeds each, six for the glyphs. The settings, among them the rates of fine-tuning, were chosen on seeds from 100
on. Written to data/recorded/maml.json after each seed; a stopped run goes on with the next one, and a part that is
complete is left alone (delete the record to begin anew). The record's seeds are those done in every part it has. One
thread, about twenty-five minutes.
"""

import copy
import math
import sys
import time
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

from tlcourse.classroom import recorded, save_record
from tlcourse.classroom.run import ROOT
from tlcourse.data.glyphs import HELD_OUT, TRAINING, glyphs
from tlcourse.data.sinusoids import sinusoid_tasks
from tlcourse.maml import MAML
from tlcourse.networks import conv4
from tlcourse.robots.half_cheetah import MOTORS, HalfCheetah
from tlcourse.robots.transitions import Transitions, babble

NAME = "maml"
SEEDS = {"sinusoids": range(10), "glyphs": range(6), "robot": range(10)}
STEPS = 10  # of adaptation, in the tests; with images 5
MILLION = 1e6

SINE = dict(inner_lr=0.01, outer_lr=1e-2, loss=F.mse_loss)
SINE_META_STEPS, SINE_PLAIN_STEPS, SINE_FINE_TUNING, SINE_SCRATCH = 1000, 4000, 0.01, 0.02
UNLIKE = {
    "as in training": {},
    "other phases": dict(phase=(math.pi, 2 * math.pi)),
    "larger amplitudes": dict(amplitude=(5.0, 10.0)),
    "other inputs": dict(inputs=(5.0, 10.0)),
}
INNER_RATES = (0.01, 0.02, 0.05, 0.1)

GLYPH = dict(inner_lr=0.4, outer_lr=3e-3)
GLYPH_META_STEPS = {"second order": 400, "first order": 650, "ANIL": 700}  # in about the same time
GLYPH_PLAIN_STEPS, GLYPH_BATCH, GLYPH_FINE_TUNING = 1200, 80, 0.1
EPISODES = 600

ROBOT = dict(inner_lr=0.5, outer_lr=1e-2, loss=F.mse_loss)
ROBOT_META_STEPS, ROBOT_PLAIN_STEPS, ROBOT_FINE_TUNING = 800, 2000, 0.2
SHOTS = QUERY = 32  # transitions
ROBOTS, TEST_ROBOTS, LIFE = 128, 32, 200


def staged(steps: int):
    """The factor of the learning rate at each step: it falls twice, near the end."""
    return lambda step: 1.0 if step < 0.6 * steps else 0.3 if step < 0.85 * steps else 0.1


def meta_train(model: nn.Module, draw, steps: int, **settings) -> float:
    """Train the model in place, by tasks from `draw`; returns seconds of the processor."""
    start = time.process_time()
    maml = MAML(model, **settings)
    scheduler = torch.optim.lr_scheduler.LambdaLR(maml.optimizer, staged(steps))
    for _ in range(steps):
        maml.outer_loop(draw())
        scheduler.step()
    return time.process_time() - start


def plainly_train(model: nn.Module, draw, steps: int, lr: float, loss) -> float:
    """The same for one task that is all of them: `draw` gives inputs and targets."""
    start = time.process_time()
    optimizer = torch.optim.Adam(model.parameters(), lr)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, staged(steps))
    for _ in range(steps):
        inputs, targets = draw()
        optimizer.zero_grad()
        loss(model(inputs), targets).backward()
        optimizer.step()
        scheduler.step()
    return time.process_time() - start


def both(tasks: dict) -> tuple[Tensor, Tensor]:
    """Train and query examples of all tasks as one data set."""
    return tuple(torch.cat([tasks["train"][i], tasks["query"][i]], 1).flatten(0, 1) for i in (0, 1))


def squared_errors(model: nn.Module, tasks: dict, lr: float, variant: str = "second order") -> Tensor:
    """Mean squared error of each task after 0 to STEPS steps, (T, STEPS + 1). One that is beyond a million, or not a
    number, counts as a million."""
    outputs = MAML(model, lr, loss=F.mse_loss, variant=variant).outputs(tasks, STEPS)
    errors = (outputs - tasks["query"][1][:, None]).square().mean((2, 3))
    return errors.nan_to_num(nan=MILLION).clamp(max=MILLION)


def sine_network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(1, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 1))


def one_of_sinusoids(seed: int) -> dict:
    torch.manual_seed(seed)
    untrained, measured, seconds = sine_network(), {}, {}
    test = {name: sinusoid_tasks(600, query=100, seed=1000 + seed, **unlike).tasks for name, unlike in UNLIKE.items()}
    error = lambda *setting: squared_errors(*setting).mean(0)  # noqa: E731
    typical = lambda *setting: squared_errors(*setting).median(0).values  # noqa: E731
    for variant in ("second order", "first order", "ANIL", "Reptile"):
        generator, model = torch.Generator().manual_seed(seed), copy.deepcopy(untrained)
        draw = lambda: sinusoid_tasks(25, seed=generator).tasks  # noqa: B023, E731
        settings = dict(variant=variant, inner_steps=5 if variant == "Reptile" else 1)
        seconds[variant] = meta_train(model, draw, SINE_META_STEPS, **SINE, **settings)
        adapting = "ANIL" if variant == "ANIL" else "second order"
        measured[variant] = error(model, test["as in training"], SINE["inner_lr"], adapting)
        if variant == "second order":
            unlike = {name: typical(model, tasks, SINE["inner_lr"]) for name, tasks in test.items()}
            by_rate = {rate: squared_errors(model, test["as in training"], rate) for rate in INNER_RATES}
    generator, model = torch.Generator().manual_seed(seed), copy.deepcopy(untrained)
    draw = lambda: both(sinusoid_tasks(25, seed=generator).tasks)  # noqa: E731
    seconds["pretrained"] = plainly_train(model, draw, SINE_PLAIN_STEPS, 1e-3, F.mse_loss)
    measured["pretrained"] = error(model, test["as in training"], SINE_FINE_TUNING)
    measured["from scratch"] = error(untrained, test["as in training"], SINE_SCRATCH)
    worse = {rate: (errors[:, 1:] > errors[:, :1]).float().mean(0) for rate, errors in by_rate.items()}
    scratch = {name: typical(untrained, tasks, SINE_SCRATCH) for name, tasks in test.items()}
    return {
        "error": measured,
        "seconds": seconds,
        "median error, unlike": {"second order": unlike, "from scratch": scratch},
        "share of tasks made worse": worse,
    }


def encoder(width: int = 32, running_statistics: bool = False) -> nn.Sequential:
    norm = partial(nn.BatchNorm2d, track_running_stats=running_statistics)
    return conv4(width, pooling=False, normalization=norm)


def episodes(
    images: Tensor, count: int, *, way: int = 5, shots: int = 1, query: int = 3, generator: torch.Generator
) -> dict[str, tuple[Tensor, Tensor]]:
    """Tasks of random characters with random labels, from images (characters, drawers, 1, 28, 28) of bytes."""
    characters, drawers = images.shape[:2]
    chosen = torch.rand(count, characters, generator=generator).argsort(1)[:, :way, None]
    drawn = torch.rand(count, way, drawers, generator=generator).argsort(2)[..., : shots + query]
    inputs, labels = images[chosen, drawn].float() / 255, torch.arange(way)[:, None].expand(count, way, shots + query)
    parts = (tensor.split([shots, query], dim=2) for tensor in (inputs, labels))
    return {part: (x.flatten(1, 2), y.flatten(1, 2)) for part, x, y in zip(("train", "query"), *parts, strict=True)}


def accuracies(model: nn.Module, tasks: dict, lr: float, variant: str = "second order") -> Tensor:
    """Accuracy in each episode after 0 to 5 steps, (T, 6)."""
    outputs = MAML(model, lr, variant=variant).outputs(tasks, 5)
    return (outputs.argmax(-1) == tasks["query"][1][:, None]).float().mean(2)


def prototype_accuracies(encoder: nn.Module, tasks: dict, way: int = 5) -> Tensor:
    """Accuracy in each episode of the nearest class mean, (T,)."""
    with torch.no_grad():
        support, query = (
            encoder(tasks[part][0].flatten(0, 1)).unflatten(0, (-1, tasks[part][0].shape[1])) for part in tasks
        )
    labels = tasks["train"][1]
    prototypes = torch.stack(
        [support[labels == label].unflatten(0, (len(labels), -1)).mean(1) for label in range(way)], 1
    )
    return (torch.cdist(query, prototypes).argmin(2) == tasks["query"][1]).float().mean(1)


def glyph_images(seed: int) -> tuple[Tensor, Tensor]:
    """Training and held-out characters, each (characters, drawers, 1, 28, 28)."""
    return tuple(
        glyphs(scripts, seed=seed + shift).images.unflatten(0, (-1, 20))
        for scripts, shift in ((TRAINING, 0), (HELD_OUT, 1000))
    )


def pretrained_encoder(training: Tensor, seed: int) -> tuple[nn.Sequential, float]:
    """The encoder of a classifier of all training characters, in evaluation mode, and the seconds it took."""
    torch.manual_seed(seed)
    body, generator = encoder(running_statistics=True), torch.Generator().manual_seed(seed)

    def draw() -> tuple[Tensor, Tensor]:
        labels = torch.randint(len(training), (GLYPH_BATCH,), generator=generator)
        drawers = torch.randint(training.shape[1], (GLYPH_BATCH,), generator=generator)
        return training[labels, drawers].float() / 255, labels

    model = nn.Sequential(body, nn.Linear(128, len(training)))
    seconds = plainly_train(model, draw, GLYPH_PLAIN_STEPS, 3e-3, F.cross_entropy)
    return body.eval(), seconds


def with_new_head(body: nn.Sequential) -> nn.Sequential:
    """For fine-tuning: the encoder, normalising by the batch at hand as MAML's does, and a head of zeros."""
    twin, head = encoder(), nn.Linear(128, 5)
    twin.load_state_dict(dict(body.named_parameters()))
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return nn.Sequential(twin, head)


def one_of_glyphs(seed: int) -> dict:
    training, held_out = glyph_images(seed)
    test = episodes(held_out, EPISODES, query=5, generator=torch.Generator().manual_seed(seed))
    found, seconds = {}, {}
    for variant, steps in GLYPH_META_STEPS.items():
        torch.manual_seed(seed)
        model, generator = nn.Sequential(encoder(), nn.Linear(128, 5)), torch.Generator().manual_seed(seed)
        draw = lambda: episodes(training, 4, generator=generator)  # noqa: B023, E731
        seconds[variant] = meta_train(model, draw, steps, **GLYPH, variant=variant)
        found[variant] = accuracies(model, test, GLYPH["inner_lr"], "ANIL" if variant == "ANIL" else "second order")
    body, seconds["pretrained"] = pretrained_encoder(training, seed)
    found["pretrained"] = accuracies(with_new_head(body), test, GLYPH_FINE_TUNING)
    found["prototypes"] = prototype_accuracies(body, test)[:, None]
    return {
        "accuracy": {method: each.mean(0) for method, each in found.items()},
        "half of the 95 % interval": {method: 1.96 * each.std(0) / EPISODES**0.5 for method, each in found.items()},
        "seconds": seconds,
    }


def conditions(count: int, seed: int) -> np.ndarray:
    """Factors of the six motors' strengths, (count, 6), no two rows alike.

    Each motor works (1) with probability 1/2, is dead (0) or turns the wrong way (-1) with 1/4 each. Rows that were
    there before are left out, and the likeliest are those with many working motors: of the motors in the rows that are
    left, somewhat under half work.

    Raises:
        ValueError: fewer different rows were drawn than asked for; there are 3^6 = 729.
    """
    drawn = np.random.default_rng(seed).choice([1.0, 1.0, 0.0, -1.0], size=(4 * count, len(MOTORS)))
    _, first = np.unique(drawn, axis=0, return_index=True)
    if len(first) < count:
        raise ValueError(f"only {len(first)} different robots were drawn, and {count} are needed; ask for fewer")
    return drawn[np.sort(first)[:count]]


def random_motion(gears: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Observations and actions of robots with such motors."""
    env = HalfCheetah(len(gears), episode_steps=LIFE)
    env.set_physics(**{f"gear_{motor}": gears[:, i] for i, motor in enumerate(MOTORS)})
    return babble(env, LIFE, seed=seed, smoothness=0.3)


def dynamics_network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(23, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 17))


def one_of_robot(seed: int) -> dict:
    torch.manual_seed(seed)
    untrained, gears = dynamics_network(), conditions(ROBOTS + TEST_ROBOTS, seed)
    training = Transitions.of(*random_motion(gears[:ROBOTS], seed))
    damaged = Transitions.of(*random_motion(gears[ROBOTS:], seed + 1000), training.scale)
    test = damaged.tasks(300, SHOTS, QUERY, generator=torch.Generator().manual_seed(seed))
    error = lambda *setting: squared_errors(*setting).mean(0)  # noqa: E731
    measured, seconds = {}, {}
    for variant in ("second order", "first order"):
        generator, model = torch.Generator().manual_seed(seed), copy.deepcopy(untrained)
        draw = lambda: training.tasks(16, SHOTS, QUERY, generator=generator)  # noqa: B023, E731
        seconds[variant] = meta_train(model, draw, ROBOT_META_STEPS, **ROBOT, variant=variant)
        measured[variant] = error(model, test, ROBOT["inner_lr"])
    generator, model = torch.Generator().manual_seed(seed), copy.deepcopy(untrained)
    draw = lambda: both(training.tasks(16, SHOTS, QUERY, generator=generator))  # noqa: E731
    seconds["pretrained"] = plainly_train(model, draw, ROBOT_PLAIN_STEPS, 3e-3, F.mse_loss)
    measured["pretrained"] = error(model, test, ROBOT_FINE_TUNING)
    return {"error": measured, "seconds": seconds}


PARTS = {"sinusoids": one_of_sinusoids, "glyphs": one_of_glyphs, "robot": one_of_robot}


def append(runs: dict, run: dict) -> None:
    """One more seed at the end of each list."""
    for key, value in run.items():
        if isinstance(value, dict):
            append(runs.setdefault(str(key), {}), value)
        else:
            runs.setdefault(str(key), []).append(value)


def seeds_done(results: dict, part: str) -> int:
    return len(next(iter(results[part]["seconds"].values()))) if part in results else 0


def main() -> None:
    chosen = sys.argv[1:] or list(PARTS)
    if unknown := set(chosen) - set(PARTS):
        raise SystemExit(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    torch.set_num_threads(1)
    results, spent = {}, 0.0
    if (ROOT / "data" / "recorded" / f"{NAME}.json").exists():
        results, spent = recorded(NAME).results, recorded(NAME).seconds
    start = time.perf_counter()
    for part in chosen:
        for seed in tqdm(SEEDS[part][seeds_done(results, part) :], desc=part):
            append(results.setdefault(part, {}), PARTS[part](seed))
            everywhere = range(min(seeds_done(results, recorded_part) for recorded_part in results))
            save_record(NAME, __file__, everywhere, results, seconds=spent + time.perf_counter() - start)


if __name__ == "__main__":
    main()
