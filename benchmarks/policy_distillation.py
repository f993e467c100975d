"""Record how well students of several sizes learn from the three shipped teachers, by loss, temperature and length.

    python benchmarks/policy_distillation.py [--seeds 10]

The teachers of catch, breakout and invaders play once for each seed; then students learn from what was seen:

    sizes    all three games, a head for each; full size and about a quarter and a fourteenth of it; by loss; the
             student of a quarter for twice as long and with two more losses
    single   the same, one small student for each game, with as many batches of its game
    shared   the same, one head for all games

A score is (student - random) / (teacher - random) of the mean returns: random play scores 0, the teacher 1. `agreement`
is the share of the teacher's states, met in other episodes, where the student's best action is also the teacher's, and
`regret` how much less its action is worth by the teacher's values. `targets` describes what is learned from.

The loss «advantages» is the squared error after the mean over the actions has been taken from both sides: it shows what
is wrong with the plain one. Each seed is kept in the cache folder when it is done, and
data/recorded/policy_distillation.json is written anew: a stopped recording goes on there, unless the code or a teacher
has changed. Under two minutes a seed on one core. The settings were chosen on seeds 100 and above.
"""

import argparse
import hashlib
import json
import time
from functools import lru_cache, partial

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from tlcourse.classroom import save_record
from tlcourse.classroom.run import ROOT
from tlcourse.policy_distillation import Demonstrations, demonstrate, imitate, kl_loss, mse_loss, nll_loss, softened
from tlcourse.rl.q_networks import QNetwork, load_q_network, mlp_trunk
from tlcourse.rl.support import evaluate_policy, reproducible
from tlcourse.robots.games import GAMES
from tlcourse.runtime import cache_dir, replacing

NAME = "policy_distillation"
KNOWN = ("catch", "breakout", "invaders")
TEACHERS = {game: ROOT / "data" / "teachers" / f"{game}.safetensors" for game in KNOWN}
CODE = [ROOT / file for file in ("benchmarks/policy_distillation.py", "tlcourse/policy_distillation.py")]
CODE += [ROOT / "tlcourse/rl/q_networks.py", ROOT / "tlcourse/robots/games.py", *TEACHERS.values()]

INSTANCES, STEPS, EPISODES, ACTIONS = 128, 200, 32, 4
SIZES = {"full": (128, 64), "quarter": (36, 24), "fourteenth": (10, 16)}
UPDATES, EVERY = 3_000, 1_000  # of a student, and between two measurements
TAUS = (0.01, 0.03, 0.1, 0.3, 1.0)  # of the table of targets


def advantages_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """mse of what each action is worth more than the mean of the state's actions."""
    return mse_loss(student - student.mean(1, keepdim=True), teacher - teacher.mean(1, keepdim=True))


LOSSES = {
    "mse": mse_loss,
    "nll": nll_loss,
    "kl 0.01": partial(kl_loss, tau=0.01),
    "kl 1": partial(kl_loss, tau=1.0),
    "kl 0.1": partial(kl_loss, tau=0.1),
    "advantages": advantages_loss,
}
FOUR = tuple(LOSSES)[:4]


@lru_cache
def mean_returns() -> dict[str, tuple[float, float]]:
    """Of random play and of the teacher, by game, over many episodes."""
    rng, found = np.random.default_rng(0), {}
    for game in KNOWN:
        env, teacher = GAMES[game](256), load_q_network(TEACHERS[game])
        by_chance = evaluate_policy(lambda seen: rng.integers(0, ACTIONS, len(seen)), env, 256, seed=10_000)
        found[game] = by_chance.mean().item(), evaluate_policy(teacher.act, env, 256, seed=10_000).mean().item()
    return found


def score(student: QNetwork, game: str, head: int) -> float:
    env, head = GAMES[game](EPISODES), head if len(student.heads) > 1 else 0
    found = evaluate_policy(lambda seen: student.act(seen, head), env, EPISODES, seed=20_000).mean()
    by_chance, by_teacher = mean_returns()[game]
    return (found.item() - by_chance) / (by_teacher - by_chance)


@torch.no_grad()
def compared(student: QNetwork, others: Demonstrations, head: int) -> dict[str, float]:
    """Agreement with the teacher and regret, on states that were not learned from."""
    chosen = torch.from_numpy(student.act(others.observations, head if len(student.heads) > 1 else 0))
    regret = others.q.max(1).values - others.q.gather(1, chosen[:, None]).squeeze(1)
    return {
        "agreement": (chosen == others.q.argmax(1)).float().mean().item(),
        "regret": regret.mean().item(),
    }


def learn(
    shown: dict[str, Demonstrations], others: dict[str, Demonstrations], size: str, loss: str, seed: int, *,
    updates: int = UPDATES, every: int = EVERY, heads: int | None = None,
) -> dict:  # fmt: skip
    """One student of the games shown, with a head for each unless it is said how many; scores [point][game]."""
    with reproducible(seed):
        space = GAMES[KNOWN[0]](1).single_observation_space
        student = QNetwork(mlp_trunk(space, SIZES[size]), ACTIONS, heads or len(shown))
    measuring = 0.0

    def scores(student: QNetwork) -> list[float]:
        nonlocal measuring
        start = time.process_time()
        found = [score(student, game, head) for head, game in enumerate(shown)]
        measuring += time.process_time() - start
        return found

    began = time.process_time()
    settings = dict(updates=updates, seed=seed, evaluate=scores, evaluate_every=every, progress=False)
    learned = imitate(student, list(shown.values()), loss=LOSSES[loss], **settings)
    seconds = time.process_time() - began - measuring
    by_game = [compared(student, others[game], head) for head, game in enumerate(shown)]
    return {
        "updates": learned.updates,
        "scores": learned.measured,
        "agreement": [found["agreement"] for found in by_game],
        "regret": [found["regret"] for found in by_game],
        "seconds": seconds,
    }


def targets(shown: Demonstrations) -> dict:
    """What is learned from: how values differ between states and within them, and how sure softened policies are."""
    q, centred = shown.q, shown.q - shown.q.mean(1, keepdim=True)
    best, second = q.topk(2, 1).values.T
    policies = [softened(q, tau) for tau in TAUS]
    return {
        "std of the states' means": q.mean(1).std().item(),
        "std within states": centred.std().item(),
        "median gap": (best - second).median().item(),
        "entropy": [torch.distributions.Categorical(probs=policy).entropy().mean().item() for policy in policies],
        "largest probability": [policy.max(1).values.mean().item() for policy in policies],
        "near ties": (best - second < 0.02).float().mean().item(),
    }


def one_seed(seed: int) -> dict:
    began = time.process_time()
    teachers = {game: load_q_network(TEACHERS[game]) for game in KNOWN}

    def play(seed: int, steps: int) -> dict[str, Demonstrations]:
        return {
            game: demonstrate(teachers[game], GAMES[game](INSTANCES), steps=steps, seed=seed) for game in KNOWN
        }

    shown, others = play(seed, STEPS), play(seed + 1_000, STEPS // 4)
    quarter = {
        loss: learn(shown, others, "quarter", loss, seed, updates=2 * UPDATES if loss in FOUR else UPDATES)
        for loss in LOSSES
    }
    rest = {
        size: {loss: learn(shown, others, size, loss, seed, every=UPDATES) for loss in FOUR}
        for size in ("full", "fourteenth")
    }
    single = {
        loss: [
            learn({game: shown[game]}, others, "quarter", loss, seed, updates=UPDATES // len(KNOWN)) for game in KNOWN
        ]
        for loss in ("mse", "kl 0.01", "kl 1")
    }
    shared = {loss: learn(shown, others, "quarter", loss, seed, heads=1) for loss in ("kl 0.01", "kl 1")}
    return {
        "sizes": {"quarter": quarter, **rest},
        "single": single,
        "shared": shared,
        "targets": {game: targets(shown[game]) for game in KNOWN},
        "seconds": time.process_time() - began,
    }


def over_seeds(students: list[dict]) -> dict:
    """A student of every seed; when it was measured is the same for all of them."""
    return listed(students) | {"updates": students[0]["updates"]}


def listed(rows: list[dict]) -> dict:
    """Dicts with the same keys as one dict of lists."""
    return {name: [row[name] for row in rows] for name in rows[0]}


def save(done: dict[str, dict]) -> None:
    runs = [done[seed] for seed in sorted(done, key=int)]
    space = GAMES[KNOWN[0]](1).single_observation_space
    networks = {size: QNetwork(mlp_trunk(space, hidden), ACTIONS, len(KNOWN)) for size, hidden in SIZES.items()}
    single = [{loss: listed(games) for loss, games in run["single"].items()} for run in runs]  # lists over games
    results = {
        "games": list(KNOWN),
        "returns": {game: dict(zip(("random", "teacher"), mean_returns()[game], strict=True)) for game in KNOWN},
        "episodes": EPISODES,
        "states": INSTANCES * STEPS,
        "parameters": {size: sum(w.numel() for w in network.parameters()) for size, network in networks.items()},
        "hidden": {size: list(hidden) for size, hidden in SIZES.items()},
        "sizes": {
            size: {loss: over_seeds([run["sizes"][size][loss] for run in runs]) for loss in losses}
            for size, losses in runs[0]["sizes"].items()
        },
        "single": {loss: listed([run[loss] for run in single]) for loss in single[0]},
        "shared": {loss: over_seeds([run["shared"][loss] for run in runs]) for loss in runs[0]["shared"]},
        "taus": list(TAUS),
        "targets": {game: listed([run["targets"][game] for run in runs]) for game in KNOWN},
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
