"""Compare the course's DQN with that of stable-baselines3: same games, steps, settings and evaluation.

    python -m pip install stable-baselines3    # the course itself does without
    python benchmarks/dqn.py [--seeds 3]

Both play 64 games at once and learn twice after each step of them, with the same network, replay buffer, batches,
optimizer, loss, clipping, discount and target network; neither takes the double estimate, which stable-baselines3 does
not have. What remains different: stable-baselines3 draws once whether all games explore in a step, the course for each
game; its exploration falls with the steps, the course's with the updates, which begin 32 steps later; the first weights
are other draws. One thread; seconds of the processor, not of the clock. Written to data/recorded/dqn.json.
"""

import argparse
import time
from collections.abc import Callable
from importlib.metadata import version

import numpy as np
import torch
from stable_baselines3 import DQN
from stable_baselines3_adapter import Adapter
from tqdm.auto import tqdm

from tlcourse.classroom import save_record
from tlcourse.rl.dqn import train_dqn
from tlcourse.rl.q_networks import QNetwork, mlp_trunk
from tlcourse.rl.support import evaluate_policy, reproducible
from tlcourse.robots.games import GAMES

TASKS = ("catch", "invaders")
INSTANCES, UPDATES, EPISODES = 64, 4_000, 256
HIDDEN, BUFFER, BATCH, WARMUP, LR, GAMMA = (128, 64), 50_000, 128, 2_000, 1e-3, 0.9
UPDATES_PER_STEP, TARGET_EVERY = 2, 300  # both in updates; a step is one of all games
FIRST, LAST, SHARE = 1.0, 0.03, 0.4  # exploration
STEPS = (-(-WARMUP // INSTANCES) - 1 + UPDATES // UPDATES_PER_STEP) * INSTANCES  # of single games

Act = Callable[[np.ndarray], np.ndarray]


def ours(task: str, seed: int) -> Act:
    env = GAMES[task](INSTANCES)
    with reproducible(seed):
        network = QNetwork(mlp_trunk(env.single_observation_space, HIDDEN), env.single_action_space.n)
    curve = train_dqn(
        env,
        network,
        updates=UPDATES,
        seed=seed,
        double=False,
        gamma=GAMMA,
        lr=LR,
        batch_size=BATCH,
        buffer_size=BUFFER,
        warmup=WARMUP,
        updates_per_step=UPDATES_PER_STEP,
        target_every=TARGET_EVERY,
        exploration=(FIRST, LAST),
        exploration_share=SHARE,
        evaluate=lambda _: 0.0,
        evaluate_every=UPDATES,
        progress=False,
    )
    assert curve.steps[-1] == STEPS
    return network.act


def stable_baselines3(task: str, seed: int) -> Act:
    model = DQN(
        "MlpPolicy",
        Adapter(GAMES[task](INSTANCES)),
        learning_rate=LR,
        buffer_size=BUFFER,
        learning_starts=WARMUP,
        batch_size=BATCH,
        gamma=GAMMA,
        train_freq=1,
        gradient_steps=UPDATES_PER_STEP,
        target_update_interval=TARGET_EVERY // UPDATES_PER_STEP * INSTANCES,
        exploration_initial_eps=FIRST,
        exploration_final_eps=LAST,
        exploration_fraction=SHARE,
        policy_kwargs={"net_arch": list(HIDDEN)},
        seed=seed,
        device="cpu",
    )
    model.learn(STEPS)
    assert (model.num_timesteps, model._n_updates) == (STEPS, UPDATES)
    return lambda observations: model.predict(observations, deterministic=True)[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    seeds, start = range(parser.parse_args().seeds), time.process_time()
    torch.set_num_threads(1)
    libraries = (ours, stable_baselines3)
    results: dict = {"stable-baselines3": version("stable-baselines3"), "steps": STEPS, "updates": UPDATES}
    results |= {task: {library.__name__: {"return": [], "seconds": []} for library in libraries} for task in TASKS}
    for seed in tqdm(seeds):
        for task in TASKS:
            for library in libraries:
                began = time.process_time()
                act = library(task, seed)
                row = results[task][library.__name__]
                row["seconds"].append(time.process_time() - began)
                row["return"].append(evaluate_policy(act, GAMES[task](EPISODES), EPISODES, seed=10_000).mean())
        save_record("dqn", __file__, seeds[: seed + 1], results, seconds=time.process_time() - start)


if __name__ == "__main__":
    main()
