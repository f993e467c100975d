"""Compare the course's PCGrad with TorchJD's: the same gradients, the same orders, in one run.

    python -m pip install torchjd    # the course itself does without
    python benchmarks/multi_task_peers.py

For 2, 4 and 8 tasks with the gradients of 5,000 shared parameters, some in conflict: by how much the combined
gradients differ at most, relative to their length, over ten draws in double precision, and the seconds of one
combination, the least of several, of one thread, the competitors taking turns. Written to
data/recorded/multi_task_peers.json. A few seconds.
"""

import time
from importlib.metadata import version

import torch
from torchjd.aggregation import PCGrad

from tlcourse.classroom import save_record
from tlcourse.multitask import pcgrad
from tlcourse.rl.support import reproducible

NAME, SEED, REPEATS, DRAWS = "multi_task_peers", 0, 30, 10
TASKS, PARAMETERS = (2, 4, 8), 5_000


def compared(tasks: int) -> dict:
    competitors = {"course": pcgrad, "torchjd": PCGrad()}
    generator, differences, conflicts = torch.Generator().manual_seed(SEED), [], []
    seconds = {name: float("inf") for name in competitors}
    for draw in range(DRAWS):
        gradients = torch.randn(tasks, PARAMETERS, generator=generator, dtype=torch.float64)
        gradients += 0.3 * gradients.roll(1, 0) - 0.3 * gradients.roll(tasks // 2, 0)  # some far from orthogonal
        combined = {}
        for _ in range(REPEATS):
            for name, combine in competitors.items():
                torch.manual_seed(draw)  # both draw their orders from torch's own generator
                began = time.perf_counter()
                combined[name] = combine(gradients)
                seconds[name] = min(seconds[name], time.perf_counter() - began)
        difference = (combined["course"] - combined["torchjd"]).norm() / combined["course"].norm()
        differences.append(difference.item())
        products = gradients @ gradients.T
        conflicts.append((products < 0).sum().item() / (tasks * (tasks - 1)))
    return {"seconds": seconds, "difference": max(differences), "conflicts": sum(conflicts) / DRAWS}


def main() -> None:
    began = time.perf_counter()
    with reproducible(SEED):
        results = {str(tasks): compared(tasks) for tasks in TASKS}
    results["libraries"] = {"torchjd": version("torchjd")}
    save_record(NAME, __file__, [SEED], results, time.perf_counter() - began)
    for tasks in TASKS:
        print(tasks, results[str(tasks)])


if __name__ == "__main__":
    main()
