"""Record how well Actor-Mimic prepares a network for a new game.

    python benchmarks/actor_mimic.py [--seeds 10]

For each seed, experts of catch, breakout and invaders are trained by DQN, and a student learns from the three, by
policy regression alone and with feature regression. Then DQN learns a new game, zigzag, from these weights and others:

    random            new weights
    shuffled          those of the student, each layer's in random order: their sizes without what they know
    policy            the student of policy regression
    features          the student of policy and feature regression
    frozen            the same, and its trunk does not learn
    catch, breakout, invaders   one of the experts

The heads are new in all. Recorded are the learning curves, the returns of the experts and of the students in their own
games, and the seconds of the processor. There are only the returns of «demonstrated», a student that learns from states
of the experts as in policy distillation, equally long and with the same temperature.

Each seed is kept in the cache folder when it is done, and data/recorded/actor_mimic.json is written anew: a stopped
recording goes on there, unless the code has changed. About two minutes a seed on one core. The settings were chosen on
seeds 100 and above.
"""

import argparse
import copy
import hashlib
import json
import time
from functools import partial

import numpy as np
import torch
from torch import nn
from tqdm.auto import tqdm

from tlcourse.actor_mimic import train_actor_mimic, transfer_network
from tlcourse.classroom import save_record
from tlcourse.classroom.run import ROOT
from tlcourse.policy_distillation import distill, kl_loss
from tlcourse.rl.dqn import train_dqn
from tlcourse.rl.q_networks import QNetwork, mlp_trunk
from tlcourse.rl.support import evaluate_policy, reproducible
from tlcourse.robots.games import GAMES
from tlcourse.runtime import cache_dir, replacing

NAME = "actor_mimic"
CODE = ["benchmarks/actor_mimic.py", "tlcourse/actor_mimic.py", "tlcourse/policy_distillation.py"]
CODE += ["tlcourse/rl/dqn.py", "tlcourse/rl/q_networks.py", "tlcourse/robots/games.py"]

KNOWN, NEW = ("catch", "breakout", "invaders"), "zigzag"
INSTANCES, EPISODES, ACTIONS = 64, 64, 4
EXPERTS = dict(updates=4_000, batch_size=64)
STUDENT = dict(updates=3_000, batch_size=64, tau=1.0)
BETA = 0.01  # of feature regression
LEARNING = dict(updates=2_400, batch_size=64)
EVERY = 300  # updates between two points of a learning curve
STARTS = ("random", "shuffled", "policy", "features", "frozen", *KNOWN)


def new_network(seed: int, heads: int = 1) -> QNetwork:
    with reproducible(seed):
        return QNetwork(mlp_trunk(GAMES[NEW](1).single_observation_space), ACTIONS, heads)


def mean_return(network: QNetwork, game: str, head: int = 0) -> float:
    env = GAMES[game](EPISODES)
    return evaluate_policy(lambda seen: network.act(seen, head), env, EPISODES, seed=10_000).mean().item()


def expert(game: str, seed: int) -> QNetwork:
    network = new_network(seed)
    train_dqn(GAMES[game](INSTANCES), network, seed=seed, progress=False, **EXPERTS)
    return network


def student(experts: dict[str, QNetwork], seed: int, beta: float) -> QNetwork:
    network = new_network(seed, heads=len(experts))
    envs = [GAMES[game](INSTANCES) for game in experts]
    train_actor_mimic(list(experts.values()), network, envs, beta=beta, seed=seed, progress=False, **STUDENT)
    return network


def demonstrated(experts: dict[str, QNetwork], seed: int) -> QNetwork:
    """What learns from the states that the experts get into, where `student` learns from its own."""
    network, settings = new_network(seed, heads=len(experts)), dict(STUDENT)
    loss = partial(kl_loss, tau=settings.pop("tau"))
    envs = [GAMES[game](INSTANCES) for game in experts]
    distill(list(experts.values()), network, envs, loss=loss, seed=seed, steps=300, progress=False, **settings)
    return network


def shuffled(network: QNetwork, seed: int) -> QNetwork:
    """A copy whose layers have their weights, and their biases, in random order."""
    rng, mixed = np.random.default_rng(seed), copy.deepcopy(network)
    with torch.no_grad():
        for layer in mixed.trunk.modules():
            if isinstance(layer, nn.Linear):
                for weights in (layer.weight, layer.bias):
                    weights.copy_(weights.flatten()[rng.permutation(weights.numel())].view_as(weights))
    return mixed


def learning_curve(start: QNetwork, seed: int, frozen: bool = False) -> list[float]:
    """Returns in the new game while DQN learns it, from the trunk of another network and a new head."""
    network = transfer_network(start, ACTIONS, seed=seed)
    network.trunk.requires_grad_(not frozen)
    curve = train_dqn(
        GAMES[NEW](INSTANCES),
        network,
        seed=seed,
        evaluate=lambda network: mean_return(network, NEW),
        evaluate_every=EVERY,
        progress=False,
        **LEARNING,
    )
    return curve.returns


def one_seed(seed: int) -> dict:
    began = time.process_time()
    experts = {game: expert(game, seed) for game in KNOWN}
    trained = time.process_time()
    students = {name: student(experts, seed, beta) for name, beta in {"policy": 0.0, "features": BETA}.items()}
    imitated = time.process_time()
    starts = experts | students | {"random": new_network(seed), "shuffled": shuffled(students["policy"], seed)}
    starts["frozen"] = students["features"]
    curves = {name: learning_curve(starts[name], seed, frozen=name == "frozen") for name in STARTS}
    ended = time.process_time()
    students["demonstrated"] = demonstrated(experts, seed)
    return {
        "experts": {game: mean_return(experts[game], game) for game in KNOWN},
        "students": {
            name: {game: mean_return(network, game, head) for head, game in enumerate(KNOWN)}
            for name, network in students.items()
        },
        "curves": curves,
        "seconds": {"experts": trained - began, "students": imitated - trained, "curves": ended - imitated},
    }


def random_return(game: str) -> float:
    rng = np.random.default_rng(0)
    return evaluate_policy(lambda seen: rng.integers(0, ACTIONS, len(seen)), GAMES[game](256), 256, seed=10_000).mean()


def save(done: dict[str, dict]) -> None:
    runs = [done[seed] for seed in sorted(done, key=int)]
    results = {
        "games": [*KNOWN, NEW],
        "episodes": EPISODES,
        "settings": {"experts": EXPERTS, "student": STUDENT, "beta": BETA, "learning": LEARNING},
        "random": {game: random_return(game) for game in (*KNOWN, NEW)},
        "experts": {game: [run["experts"][game] for run in runs] for game in KNOWN},
        "students": {
            name: {game: [run["students"][name][game] for run in runs] for game in KNOWN}
            for name in ("policy", "features", "demonstrated")
        },
        "updates": list(range(0, LEARNING["updates"] + 1, EVERY)),
        "curves": {name: [run["curves"][name] for run in runs] for name in STARTS},
        "seconds": {part: [run["seconds"][part] for run in runs] for part in ("experts", "students", "curves")},
    }
    seconds = sum(sum(run["seconds"].values()) for run in runs)
    save_record(NAME, __file__, sorted(map(int, done)), results, seconds=seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=10)
    seeds = range(parser.parse_args().seeds)
    torch.set_num_threads(1)
    code = hashlib.sha256(b"".join((ROOT / file).read_bytes() for file in CODE)).hexdigest()[:16]
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
