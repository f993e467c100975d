"""Train the teachers of lessons 10 and 11: for each of the four games a DQN, over seeds.

    python benchmarks/teachers.py [--seeds 5]

The teachers of seed 0, not the best ones, are written to data/teachers; the spread over all seeds to
data/recorded/teachers.json, after each seed. The seconds are of the processor, not of the clock; one thread. About half
a minute for a game and a seed.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from tlcourse.classroom import save_record
from tlcourse.rl.dqn import Curve, train_dqn
from tlcourse.rl.q_networks import QNetwork, mlp_trunk, save_q_network
from tlcourse.rl.support import evaluate_policy, reproducible
from tlcourse.robots.games import GAMES

TEACHERS = Path(__file__).parents[1] / "data" / "teachers"
INSTANCES, EPISODES = 64, 256
UPDATES = {"catch": 6_000, "breakout": 10_000, "invaders": 8_000, "zigzag": 8_000}
SETTINGS = dict(buffer_size=100_000, target_every=300, lr=1e-3, gamma=0.9)
EVERY = 1_000  # updates between two points of a learning curve


def train_teacher(game: str, seed: int) -> tuple[QNetwork, Curve, float]:
    """A network that plays a game, how it came to that, and the seconds of training alone."""
    env, trial, measuring = GAMES[game](INSTANCES), GAMES[game](INSTANCES), 0.0

    def evaluate(network: QNetwork) -> float:
        nonlocal measuring
        began = time.process_time()
        mean = evaluate_policy(network.act, trial, INSTANCES, seed=20_000).mean()
        measuring += time.process_time() - began
        return mean

    with reproducible(seed):  # the first weights
        network = QNetwork(mlp_trunk(env.single_observation_space), int(env.single_action_space.n))
    began = time.process_time()
    settings = dict(updates=UPDATES[game], evaluate=evaluate, evaluate_every=EVERY, progress=False) | SETTINGS
    curve = train_dqn(env, network, seed=seed, **settings)
    return network, curve, time.process_time() - began - measuring


def play_at_random(game: str) -> float:
    """The mean return of actions drawn without looking."""
    rng, env = np.random.default_rng(0), GAMES[game](EPISODES)
    actions = env.single_action_space.n
    return float(evaluate_policy(lambda _: rng.integers(0, actions, EPISODES), env, EPISODES, seed=10_000).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    seeds, start = range(parser.parse_args().seeds), time.process_time()
    TEACHERS.mkdir(exist_ok=True)
    measured = ("return", "standard error", "seconds", "curve")
    games: dict = {game: {"random": play_at_random(game), **{name: [] for name in measured}} for game in GAMES}
    for seed, game in tqdm([(seed, game) for seed in seeds for game in GAMES]):
        network, curve, seconds = train_teacher(game, seed)
        returns = evaluate_policy(network.act, GAMES[game](EPISODES), EPISODES, seed=10_000)
        error = returns.std(ddof=1) / EPISODES**0.5
        row = dict(zip(measured, (returns.mean(), error, seconds, curve.returns), strict=True))
        for name, value in row.items():
            games[game][name].append(value)
        games[game] |= {"updates": curve.updates, "steps": curve.steps}
        if seed == 0:
            notes = dict(script="benchmarks/teachers.py", game=game, seed=seed, updates=UPDATES[game])
            notes |= {name: round(float(row[name]), 3) for name in measured[:3]}
            notes |= {"episodes": EPISODES, "random return": round(games[game]["random"], 3)}
            save_q_network(network, TEACHERS / f"{game}.safetensors", **notes)
        if game == list(GAMES)[-1]:
            results = {"settings": SETTINGS, "instances": INSTANCES, "episodes": EPISODES, "games": games}
            save_record("teachers", __file__, seeds[: seed + 1], results, seconds=time.process_time() - start)


if __name__ == "__main__":
    main()
