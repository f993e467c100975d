"""Record how four skills of one arm are learned apart and together, and what the weighting methods are worth.

    python benchmarks/multi_task_learning.py [--seeds 10]

For each seed, with demonstrations of its own:

    labels     20 to 1,000 labels of every skill: a network for each ("apart"), one for all ("together", plain sum), or
               for a skill with so few one network with the others, which have 1,000 each ("helped")
    transfer   20 labels of a skill and 1,000 of one other: the transfer matrix
    methods    20 and 1,000 labels: the plain sum, uncertainty weighting, GradNorm and PCGrad
    units      1,000 labels, the torques of "point" in N m instead of shares of the strongest: the methods, and static
               weights of its loss, which are what tuning by hand can do; "weighted" is that which was best on seed 100
    narrow     1,000 labels, 8 units in each layer of the trunk: apart, together by each method, and in pairs
    rates      1,000 labels: the methods at several learning rates, the mean error of the skills

Of every skill: `error`, the mean squared error on unseen states over the variance of the expert's actions there;
`success`, the share of attempts that end within 5 cm, and `miss`, their mean distance at the end in m, both in MuJoCo.
`conflict` has the cosines of the tasks' gradients for the whole trunk on single batches, pair by pair, in the course of
training with the plain sum, and the share of the pairs that conflict. Lists are over seeds first. Seeds are kept in the
cache folder as they are done, and data/recorded/multi_task_learning.json is written anew: a stopped recording goes on
there, unless the code has changed. About a hundred seconds a seed on one core. The settings were chosen on seeds 100
and above.
"""

import argparse
import hashlib
import json
import time
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from tlcourse.classroom import save_record
from tlcourse.classroom.run import ROOT
from tlcourse.multitask import METHODS, HardSharing, train_multitask
from tlcourse.rl.support import reproducible
from tlcourse.robots.skilled_arm import SKILLS, STRONGEST, TOLERANCE, attempt, demonstrations, misses, sample_points
from tlcourse.runtime import cache_dir, replacing

NAME = "multi_task_learning"
CODE = [ROOT / file for file in ("benchmarks/multi_task_learning.py", "tlcourse/multitask.py")]
CODE += [ROOT / "tlcourse" / file for file in ("robots/skilled_arm.py", "robots/mujoco_batch.py", "rl/support.py")]

LABELS, FEW, MANY = (20, 50, 100, 1_000), 20, 1_000
WIDTH, NARROW = 64, 8
IN_NM = "point"  # the skill whose actions come in N m
STATIC_WEIGHTS, CHOSEN = (0.1, 0.03, 0.01), 0.03
LEARNING_RATES, TUNED = (1e-2, 2e-2, 4e-2, 8e-2), 2e-2
TESTS, ATTEMPTS, EVERY = 1_000, 64, 20  # unseen states, attempts in MuJoCo, steps between two measured conflicts
PAIRS = [(i, j) for i in range(len(SKILLS)) for j in range(i + 1, len(SKILLS))]


shown = lru_cache(maxsize=64)(demonstrations)  # the same ones serve many networks


def network(skills: list[str], width: int) -> HardSharing:
    trunk = nn.Sequential(nn.Linear(6, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
    return HardSharing(trunk, {skill: nn.Linear(width, 2) for skill in skills})


def measured(
    model: HardSharing, skills: list[str], units: Mapping[str, Tensor], seed: int, attempts: int
) -> dict[str, list[float]]:
    """Error, success and miss of each skill, on states and points that nothing was learned from."""
    points = sample_points(max(attempts, 1), np.random.default_rng(10_000 + seed))
    found = {"error": [], "success": [], "miss": []}
    for skill in skills:

        def act(observations: Tensor, skill=skill) -> Tensor:  # fmt: skip
            return model.heads[skill](model.trunk(observations)) / units.get(skill, 1.0)

        observations, actions = shown(skill, TESTS, 10_000 + seed)
        with torch.no_grad():
            error = (act(observations) - actions).square().mean() / actions.var(0).mean()
        found["error"].append(error.item())
        if attempts:
            distances = misses(skill, points, attempt(act, points, seed)[-1])
            found["success"].append((distances < TOLERANCE).mean().item())
            found["miss"].append(distances.mean().item())
    return found


def learn(
    labels: Mapping[str, int], seed: int, *, width: int = WIDTH, units: Mapping[str, Tensor] | None = None,
    only: str | None = None, attempts: int = ATTEMPTS, **settings,
) -> dict:  # fmt: skip
    """One network of the skills in `labels`, measured on all of them or on one."""
    began, units = time.process_time(), units or {}
    data = {}
    for skill, n in labels.items():
        observations, actions = shown(skill, n, seed)
        data[skill] = observations, actions * units.get(skill, 1.0)
    with reproducible(seed):
        model = network(list(labels), width)
        seen = train_multitask(model, data, seed=seed, progress=False, **settings)
        seconds = time.process_time() - began
        found = measured(model, [only] if only else list(labels), units, seed, attempts)
    found["seconds"] = seconds
    if len(seen["cosines"]):
        first, second = zip(*PAIRS, strict=True)
        found["cosines"] = seen["cosines"][:, first, second].tolist()  # (measurements, pairs)
    if settings.get("method") in ("uncertainty", "gradnorm"):
        found["weights"] = seen["weights"][-1].tolist()
    return found


def apart(n: int, seed: int, width: int = WIDTH) -> dict:
    """A network for each skill, as one table of all skills."""
    return joined([learn({skill: n}, seed, width=width) for skill in SKILLS])


def helped(n: int, seed: int) -> dict:
    """A skill with n labels beside the three others with many, each skill in its turn, as one table."""
    return joined([learn({other: n if other == skill else MANY for other in SKILLS}, seed, only=skill)
                   for skill in SKILLS])  # fmt: skip


def joined(runs: list[dict]) -> dict:
    found = {name: [run[name][0] for run in runs] for name in ("error", "success", "miss")}
    return found | {"seconds": sum(run["seconds"] for run in runs)}


def together(n: int, seed: int, method: str = "sum", **settings) -> dict:
    settings |= {"measure_every": EVERY} if method == "sum" else {}
    return learn(dict.fromkeys(SKILLS, n), seed, method=method, **settings)


def one_seed(seed: int) -> dict:
    began = time.process_time()
    in_nm = {IN_NM: torch.tensor(STRONGEST).float()}
    budgets = {name: [how(n, seed) for n in LABELS] for name, how in (("apart", apart), ("together", together))}
    pairs = {
        skill: [
            learn({skill: FEW, other: MANY}, seed, only=skill)["error"][0] if other != skill else None
            for other in SKILLS
        ]
        for skill in SKILLS
    }
    methods = {
        str(n): {"sum": budgets["together"][LABELS.index(n)]}
        | {method: together(n, seed, method) for method in METHODS[1:]}
        for n in (FEW, MANY)
    }

    def mean_error(method: str, lr: float) -> float:
        done = methods[str(MANY)][method] if lr == TUNED else together(MANY, seed, method, lr=lr, attempts=0)
        return np.mean(done["error"]).item()

    return {
        "labels": budgets | {"helped": [helped(n, seed) for n in LABELS[:-1]]},
        "transfer": list(pairs.values()),
        "methods": methods,
        "units": {method: together(MANY, seed, method, units=in_nm) for method in METHODS},
        "static": {str(w): together(MANY, seed, units=in_nm, weights={IN_NM: w}) for w in STATIC_WEIGHTS},
        "narrow": {"apart": apart(MANY, seed, NARROW)}
        | {method: together(MANY, seed, method, width=NARROW) for method in METHODS},
        "narrow pairs": [learn({SKILLS[i]: MANY, SKILLS[j]: MANY}, seed, width=NARROW)["error"] for i, j in PAIRS],
        "rates": {
            method: [mean_error(method, lr) for lr in LEARNING_RATES] for method in ("sum", "uncertainty", "pcgrad")
        },
        "seconds": time.process_time() - began,
    }


def table(runs: list) -> dict:
    """One kind of run, of all seeds: each quantity as a list over seeds, then over labels if there are several."""
    if isinstance(runs[0], list):
        by_seed = [table(run) for run in runs]
        return {name: [seed[name] for seed in by_seed] for name in by_seed[0]}
    return {name: [run[name] for run in runs] for name in runs[0] if name != "cosines"}


def conflict(runs: list[dict]) -> dict:
    cosines = [run["cosines"] for run in runs]
    return {"cosines": cosines, "share": (np.array(cosines) < 0).mean(-1).tolist()}


def save(done: dict[str, dict]) -> None:
    seeds = sorted(done, key=int)
    runs = [done[seed] for seed in seeds]

    def tables(*path: str) -> dict[str, dict]:
        parts = runs
        for name in path:
            parts = [part[name] for part in parts]
        return {name: table([part[name] for part in parts]) for name in parts[0]}

    by_labels, static = tables("labels"), tables("static")
    apart_many = {name: [seed[-1] for seed in values] for name, values in by_labels["apart"].items()}
    watched = {"few": ("methods", str(FEW)), "many": ("methods", str(MANY)), "units": ("units",), "narrow": ("narrow",)}
    conflicts = {}
    for name, (part, *key) in watched.items():
        found = [run[part][key[0]] if key else run[part] for run in runs]
        conflicts[name] = conflict([methods["sum"] for methods in found])
    results = {
        "skills": list(SKILLS),
        "labels": list(LABELS),
        "few": FEW,
        "many": MANY,
        "width": WIDTH,
        "narrow width": NARROW,
        "in N m": IN_NM,
        "tolerance": TOLERANCE,
        "attempts": ATTEMPTS,
        **by_labels,
        "transfer": {
            "alone": [seed[0] for seed in by_labels["apart"]["error"]],
            "pair": [run["transfer"] for run in runs],
            "labels": FEW,
            "partner_labels": MANY,
        },
        "methods": {str(n): tables("methods", str(n)) for n in (FEW, MANY)},
        "units": tables("units") | {"weighted": static[str(CHOSEN)], "apart": apart_many},
        "static": static,
        "static weight": CHOSEN,
        "narrow": tables("narrow"),
        "narrow pairs": {
            "pairs": [[SKILLS[i], SKILLS[j]] for i, j in PAIRS],
            "error": [run["narrow pairs"] for run in runs],
        },
        "rates": {"lr": list(LEARNING_RATES), "tuned": TUNED}
        | {method: [run["rates"][method] for run in runs] for method in runs[0]["rates"]},
        "conflict": {"pairs": [[SKILLS[i], SKILLS[j]] for i, j in PAIRS], "every": EVERY} | conflicts,
    }
    save_record(NAME, __file__, [int(seed) for seed in seeds], results, sum(run["seconds"] for run in runs))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10, help="how many, from 0 (default: 10)")
    code = hashlib.sha256(b"".join(file.read_bytes() for file in CODE)).hexdigest()[:16]
    kept = cache_dir() / f"{NAME}-{code}.json"
    done = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {}
    for seed in tqdm(range(parser.parse_args().seeds)):
        if str(seed) in done:
            continue
        done[str(seed)] = one_seed(seed)
        with replacing(kept) as file:
            file.write_text(json.dumps(done), encoding="utf-8")
        save(done)
    save(done)  # also when all seeds were there
    print(f"wrote data/recorded/{NAME}.json")


if __name__ == "__main__":
    main()
