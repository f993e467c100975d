"""Compare the course's A2C with that of stable-baselines3: same games, steps, settings and evaluation.

    python -m pip install stable-baselines3    # the course itself does without
    python benchmarks/a2c.py [--seeds 5]

Both play 64 games at once and learn from rollouts of five steps, with the same network, optimizer, loss, clipping,
discount and a learning rate that falls to 0. What remains different: the learning rate of stable-baselines3 is one
update further down, and the first weights and the actions are other draws. One thread; seconds of the processor, not
of the clock. Written to data/recorded/a2c.json after each seed. Two minutes.
"""

import argparse
import time
from collections.abc import Callable
from importlib.metadata import version

import numpy as np
import torch
from stable_baselines3 import A2C
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3_adapter import Adapter
from tqdm.auto import tqdm

from tlcourse.classroom import save_record
from tlcourse.rl.a2c import PolicyValueNetwork, train_a2c
from tlcourse.rl.q_networks import mlp_trunk
from tlcourse.rl.support import evaluate_policy, reproducible
from tlcourse.robots.games import GAMES

TASKS = ("catch", "breakout")
INSTANCES, UPDATES, EPISODES = 64, 320, 256
HIDDEN, ROLLOUT, LR, GAMMA, ENTROPY = (128, 64), 5, 5e-3, 0.9, 0.01
STEPS = UPDATES * ROLLOUT * INSTANCES  # of single games

Act = Callable[[np.ndarray], np.ndarray]


class Trunk(BaseFeaturesExtractor):
    """The course's trunk, so that policy and value share it there as well."""

    def __init__(self, observation_space):
        super().__init__(observation_space, HIDDEN[-1])
        self.trunk = mlp_trunk(observation_space, HIDDEN)

    def forward(self, observations):
        return self.trunk(observations)


def ours(task: str, seed: int) -> Act:
    env = GAMES[task](INSTANCES)
    with reproducible(seed):
        trunk = mlp_trunk(env.single_observation_space, HIDDEN)
        network = PolicyValueNetwork(trunk, int(env.single_action_space.n))
    settings = dict(rollout=ROLLOUT, lr=LR, gamma=GAMMA, entropy_weight=ENTROPY)
    train_a2c(env, network, steps=STEPS, seed=seed, progress=False, **settings)
    return network.act


def stable_baselines3(task: str, seed: int) -> Act:
    model = A2C(
        "MlpPolicy",
        Adapter(GAMES[task](INSTANCES)),
        learning_rate=lambda left: LR * left,
        n_steps=ROLLOUT,
        gamma=GAMMA,
        gae_lambda=1.0,
        ent_coef=ENTROPY,
        vf_coef=0.5,
        max_grad_norm=0.5,
        rms_prop_eps=1e-5,
        policy_kwargs={"features_extractor_class": Trunk, "net_arch": [], "ortho_init": False},
        seed=seed,
        device="cpu",
    )
    model.learn(STEPS)
    assert (model.num_timesteps, model._n_updates) == (STEPS, UPDATES)
    return lambda observations: model.predict(observations, deterministic=True)[0]


def random(task: str, seed: int) -> Act:
    rng, actions = np.random.default_rng(seed), int(GAMES[task](1).single_action_space.n)
    return lambda observations: rng.integers(0, actions, len(observations))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    seeds, start = range(parser.parse_args().seeds), time.process_time()
    torch.set_num_threads(1)
    players = (ours, stable_baselines3, random)
    results: dict = {"stable-baselines3": version("stable-baselines3"), "steps": STEPS, "updates": UPDATES}
    results |= {task: {player.__name__: {"return": [], "seconds": []} for player in players} for task in TASKS}
    for seed in tqdm(seeds):
        for task in TASKS:
            for player in players:
                began = time.process_time()
                act = player(task, seed)
                row = results[task][player.__name__]
                row["seconds"].append(time.process_time() - began)
                row["return"].append(evaluate_policy(act, GAMES[task](EPISODES), EPISODES, seed=10_000).mean())
        save_record("a2c", __file__, seeds[: seed + 1], results, seconds=time.process_time() - start)


if __name__ == "__main__":
    main()
