"""Record how four skills of one arm are learned apart and together, and what the weighting methods are worth.

    python benchmarks/multi_task_learning.py [--seeds 10]

For each seed, with demonstrations of its own:

    budgets    10 to 1,000 labels of every skill: a network for each ("apart") or one for all ("together", plain sum)
    transfer   20 labels of a skill alone, with 1,000 of one other, with 1,000 of each other: the transfer matrix
    methods    20 and 1,000 labels: uncertainty weighting, GradNorm and PCGrad beside the plain sum
    units      1,000 labels, the torques of "point" in N m instead of shares of the strongest: the methods, and static
               weights of its loss, which are what tuning by hand can do
    narrow     1,000 labels, 8 units in each layer of the trunk: apart, and together by each method, and in pairs
    rates      1,000 labels: the plain sum and uncertainty weighting at other learning rates

Of every skill: `error`, the mean squared error on unseen states over the variance of the expert's actions there;
`success`, the share of attempts that end within 5 cm, and `miss`, their mean distance at the end in m, both in MuJoCo.
`cosines` are those of the tasks' gradients for the whole trunk on single batches, pair by pair, in the course of
training. Seeds are kept in the cache folder as they are done, and data/recorded/multi_task_learning.json is written
anew: a stopped recording goes on there, unless the code has changed. About a minute a seed on one core. The settings
were chosen on seeds 100 and above.
"""

import argparse
import hashlib
import json
import time
from collections.abc import Mapping

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
CODE += [ROOT / "tlcourse/robots/skilled_arm.py", ROOT / "tlcourse/robots/mujoco_batch.py"]

BUDGETS, FEW, MANY = (10, 20, 50, 100, 1_000), 20, 1_000
WIDTH, NARROW = 64, 8
IN_NM = "point"  # the skill whose actions come in N m
STATIC_WEIGHTS = (0.1, 0.03, 0.01, 0.003)
LEARNING_RATES = (1e-2, 2e-2, 4e-2)
TESTS, ATTEMPTS, EVERY = 1_000, 64, 20  # unseen states, attempts in MuJoCo, steps between two measured conflicts
PAIRS = [(i, j) for i in range(len(SKILLS)) for j in range(i + 1, len(SKILLS))]


def network(skills: list[str], width: int) -> HardSharing:
    trunk = nn.Sequential(nn.Linear(6, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
    return HardSharing(trunk, {skill: nn.Linear(width, 2) for skill in skills})


def measured(model: HardSharing, skills: list[str], units: Mapping[str, Tensor], seed: int) -> dict[str, list[float]]:
    """Error, success and miss of each skill, on states and points that nothing was learned from."""
    points = sample_points(ATTEMPTS, np.random.default_rng(10_000 + seed))
    found = {"error": [], "success": [], "miss": []}
    for skill in skills:
        def act(observations: Tensor, skill=skill) -> Tensor:  # fmt: skip
            return model.heads[skill](model.trunk(observations)) / units.get(skill, 1.0)

        observations, actions = demonstrations(skill, TESTS, 10_000 + seed)
        with torch.no_grad():
            error = (act(observations) - actions).square().mean() / actions.var(0).mean()
        distances = misses(skill, points, attempt(act, points, seed)[-1])
        found["error"].append(error.item())
        found["success"].append((distances < TOLERANCE).mean().item())
        found["miss"].append(distances.mean().item())
    return found


def learn(
    labels: Mapping[str, int], seed: int, *,
    width: int = WIDTH, units: Mapping[str, Tensor] | None = None, only: str | None = None, **settings,
) -> dict:  # fmt: skip
    """One network of the skills in `labels`, measured on all of them or on one."""
    began, units = time.process_time(), units or {}
    data = {}
    for skill, n in labels.items():
        observations, actions = demonstrations(skill, n, seed)
        data[skill] = observations, actions * units.get(skill, 1.0)
    with reproducible(seed):
        model = network(list(labels), width)
        seen = train_multitask(model, data, seed=seed, progress=False, **settings)
        seconds = time.process_time() - began
        found = measured(model, [only] if only else list(labels), units, seed) | {"seconds": seconds}
    if len(seen["cosines"]):
        found["cosines"] = [seen["cosines"][:, i, j].tolist() for i, j in PAIRS]
    if settings.get("method") in ("uncertainty", "gradnorm"):
        found["weights"] = seen["weights"][-1].tolist()
    return found


def apart(n: int, seed: int, width: int = WIDTH) -> dict:
    """A network for each skill, as one table of all skills."""
    alone = [learn({skill: n}, seed, width=width) for skill in SKILLS]
    found = {name: [run[name][0] for run in alone] for name in ("error", "success", "miss")}
    return found | {"seconds": sum(run["seconds"] for run in alone)}


def together(n: int, seed: int, method: str = "sum", **settings) -> dict:
    settings |= {"measure_every": EVERY} if method == "sum" else {}
    return learn(dict.fromkeys(SKILLS, n), seed, method=method, **settings)


def one_seed(seed: int) -> dict:
    began = time.process_time()
    budgets = {str(n): {"apart": apart(n, seed), "together": together(n, seed)} for n in BUDGETS}

    def helped(skill: str, helpers: list[str]) -> dict:
        return learn({skill: FEW} | dict.fromkeys(helpers, MANY), seed, only=skill)

    transfer = {
        skill: {helper: helped(skill, [helper]) for helper in SKILLS if helper != skill}
        | {"all": helped(skill, [helper for helper in SKILLS if helper != skill])}
        for skill in SKILLS
    }
    in_nm = {IN_NM: torch.tensor(STRONGEST).float()}
    units = {method: together(MANY, seed, method, units=in_nm) for method in METHODS}
    for weight in STATIC_WEIGHTS:
        units[f"weight {weight}"] = together(MANY, seed, units=in_nm, weights={IN_NM: weight})
    others = METHODS[1:]
    return {
        "budgets": budgets,
        "transfer": transfer,
        "methods": {str(n): {method: together(n, seed, method) for method in others} for n in (FEW, MANY)},
        "units": units,
        "narrow": {"apart": apart(MANY, seed, NARROW)}
        | {method: together(MANY, seed, method, width=NARROW) for method in METHODS}
        | {"pairs": [learn({SKILLS[i]: MANY, SKILLS[j]: MANY}, seed, width=NARROW) for i, j in PAIRS]},
        "rates": {
            str(lr): {method: together(MANY, seed, method, lr=lr) for method in ("sum", "uncertainty")}
            for lr in LEARNING_RATES if lr != 2e-2
        },
        "seconds": time.process_time() - began,
    }  # fmt: skip


def over_seeds(runs: list) -> dict | list:
    """The same nest of dicts and of lists of dicts, with at its ends a list over the seeds."""
    if isinstance(runs[0], dict):
        return {name: over_seeds([run[name] for run in runs]) for name in runs[0]}
    if isinstance(runs[0], list) and runs[0] and isinstance(runs[0][0], dict):
        return [over_seeds(list(parts)) for parts in zip(*runs, strict=True)]
    return runs


def save(done: dict[str, dict]) -> None:
    seeds = sorted(done, key=int)
    runs = [done[seed] for seed in seeds]
    results = {
        "skills": list(SKILLS),
        "budgets": list(BUDGETS),
        "few": FEW,
        "many": MANY,
        "width": WIDTH,
        "narrow width": NARROW,
        "in N m": IN_NM,
        "static weights": list(STATIC_WEIGHTS),
        "learning rates": list(LEARNING_RATES),
        "tolerance": TOLERANCE,
        "attempts": ATTEMPTS,
        "pairs": [[SKILLS[i], SKILLS[j]] for i, j in PAIRS],
        "measured every": EVERY,
        "runs": over_seeds([{name: part for name, part in run.items() if name != "seconds"} for run in runs]),
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
    print(f"wrote data/recorded/{NAME}.json")


if __name__ == "__main__":
    main()
