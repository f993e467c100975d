"""Record how much of a stream of tasks is kept, by method, for lesson 14.

    python benchmarks/continual_learning.py [--seeds 10]

`streams`: MNIST's digits two by two, in three scenarios, and with permuted pixels; naive training, EWC, online EWC,
learning without forgetting, replay, and all tasks at once (joint): the accuracy on each task after each task; of joint
training, on each task at the end. `strengths`: EWC's λ from 0 to 100,000 on the same streams, (λ, seeds, task learned,
task tested). Each seed has its own digits to test on, order of examples and first weights.

Each seed is kept in the cache folder when it is done, and data/recorded/continual_learning.json is written anew: a
stopped recording goes on there, unless the code has changed. About 90 seconds a seed on one core. The settings
were chosen on seeds 100 and 101.
"""

import argparse
import hashlib
import json
import time

import torch
from torch import nn
from tqdm.auto import tqdm

from tlcourse.classroom import save_record
from tlcourse.classroom.run import ROOT
from tlcourse.continual import EWC, Reservoir, train_jointly, train_stream
from tlcourse.data.task_streams import SCENARIOS, Task, permuted_digits, split_digits
from tlcourse.runtime import cache_dir, replacing

NAME = "continual_learning"
STREAMS = (*SCENARIOS, "permuted")
STRENGTH = {"task": 1000.0, "domain": 1000.0, "class": 1000.0, "permuted": 100.0}
STRENGTHS = (0.0, 1.0, 10.0, 100.0, 1_000.0, 10_000.0, 100_000.0)
CAPACITY = 200
SETTINGS = {"epochs": 5, "batch_size": 32, "lr": 1e-3}
MODULES = ("continual", "training", "runtime", "data/task_streams", "data/digits")
CODE = [ROOT / "benchmarks/continual_learning.py", *(ROOT / f"tlcourse/{module}.py" for module in MODULES)]


def tasks_of(stream: str, seed: int) -> list[Task]:
    return permuted_digits(seed=seed) if stream == "permuted" else split_digits(stream, seed=seed)


def network(stream: str, seed: int) -> nn.Sequential:
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        outputs = 2 if stream == "domain" else 10
        return nn.Sequential(*(nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 100), nn.ReLU(), nn.Linear(100, outputs)))


def one_stream(stream: str, seed: int) -> dict:
    """All methods on a stream, and EWC with every strength."""
    tasks, strength = tasks_of(stream, seed), STRENGTH[stream]
    settings = SETTINGS | {"seed": seed, "progress": False}

    def run(**method) -> list:
        return train_stream(network(stream, seed), tasks, **settings, **method).tolist()

    strengths = {value: run(ewc=EWC(), ewc_strength=value) for value in STRENGTHS}
    methods = {
        "naive": strengths[0.0],
        "ewc": strengths[strength],
        "online ewc": run(ewc=EWC(decay=1.0), ewc_strength=strength),
        "lwf": run(lwf_strength=1.0),
        "replay": run(memory=Reservoir(CAPACITY, seed)),
        "joint": train_jointly(network(stream, seed), tasks, **settings).tolist(),
    }
    return {"streams": methods, "strengths": list(strengths.values())}


def one_seed(seed: int) -> dict:
    start = time.perf_counter()
    return {"runs": {stream: one_stream(stream, seed) for stream in STREAMS}, "seconds": time.perf_counter() - start}


def save(done: dict[str, dict]) -> None:
    runs = [done[seed] for seed in sorted(done, key=int)]
    results = {
        "settings": SETTINGS | {"strength": STRENGTH, "capacity": CAPACITY},
        "streams": {
            stream: {name: [run["runs"][stream]["streams"][name] for run in runs] for name in methods["streams"]}
            for stream, methods in runs[0]["runs"].items()
        },
        "strengths": {"values": STRENGTHS}
        | {stream: list(zip(*(run["runs"][stream]["strengths"] for run in runs), strict=True)) for stream in STREAMS},
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
