"""Compare the course's PPO with that of stable-baselines3: same task, steps, settings and evaluation.

    python -m pip install stable-baselines3    # the course itself does without
    python benchmarks/ppo.py [--seeds 5]

Both train on the same batched simulators, with the same networks, rollouts, minibatches, learning rate that falls to 0,
discount and clipping, and with observations normalized by running statistics. What remains different is theirs: a
minibatch of stable-baselines3 clips the gradient and weighs the value's loss in its own way, and normalizes each
observation with the statistics of that moment; the first weights are drawn differently; it takes 63 whole iterations
of 4,800 steps where the course's takes 62, and its learning rate is one iteration further down. One thread; the machine
was also busy with other work, so the seconds are only roughly comparable. Written to data/recorded/ppo.json. Under
eight minutes.
"""

import argparse
import time
from collections.abc import Callable
from importlib.metadata import version

import numpy as np
import torch
from gymnasium.spaces import Box
from gymnasium.vector import VectorEnv
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecNormalize
from stable_baselines3_adapter import Adapter
from tqdm.auto import tqdm

from tlcourse.classroom import save_record
from tlcourse.rl.ppo import train_ppo
from tlcourse.rl.support import evaluate_policy
from tlcourse.robots.inverted_pendulum import InvertedPendulum
from tlcourse.robots.lifting_arm import LiftingArm

TASKS = {"pendulum": InvertedPendulum, "arm": LiftingArm}
INSTANCES, STEPS, EPISODES = 64, 300_000, 64
ROLLOUT, EPOCHS, MINIBATCHES, LR, GAMMA, LAM, CLIP, HIDDEN = 75, 4, 4, 3e-3, 0.98, 0.95, 0.2, 32

Act = Callable[[np.ndarray], np.ndarray]


class UnitActions(Adapter):
    """The agent's actions are from -1 to 1, whatever the environment's bounds."""

    def __init__(self, env: VectorEnv):
        self.space = env.single_action_space
        super().__init__(env, Box(-1, 1, self.space.shape, np.float32))

    def translate(self, actions: np.ndarray) -> np.ndarray:
        return self.space.low + (np.clip(actions, -1, 1) + 1) / 2 * (self.space.high - self.space.low)


def ours(task: str, seed: int) -> Act:
    settings = dict(rollout=ROLLOUT, epochs=EPOCHS, minibatches=MINIBATCHES, lr=LR, gamma=GAMMA, lam=LAM, clip=CLIP)
    policy, _ = train_ppo(TASKS[task](INSTANCES), steps=STEPS, seed=seed, hidden=HIDDEN, progress=False, **settings)
    return policy.act


def stable_baselines3(task: str, seed: int) -> Act:
    adapter = UnitActions(TASKS[task](INSTANCES))
    env = VecNormalize(adapter, norm_reward=False, clip_obs=8)
    model = PPO(
        "MlpPolicy",
        env,
        learning_rate=lambda left: LR * left,
        n_steps=ROLLOUT,
        batch_size=INSTANCES * ROLLOUT // MINIBATCHES,
        n_epochs=EPOCHS,
        gamma=GAMMA,
        gae_lambda=LAM,
        clip_range=CLIP,
        policy_kwargs={"net_arch": [HIDDEN, HIDDEN], "log_std_init": -0.5},
        seed=seed,
        device="cpu",
    )
    model.learn(STEPS)

    def act(observations: np.ndarray) -> np.ndarray:
        return adapter.translate(model.predict(env.normalize_obs(observations), deterministic=True)[0])

    return act


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    seeds, start = range(parser.parse_args().seeds), time.perf_counter()
    torch.set_num_threads(1)
    results: dict = {"stable-baselines3": version("stable-baselines3"), "steps": STEPS}
    for task in TASKS:
        results[task] = {library.__name__: {"return": [], "seconds": []} for library in (ours, stable_baselines3)}
        for seed in tqdm(seeds, desc=task):
            for library in (ours, stable_baselines3):
                began = time.perf_counter()
                act = library(task, seed)
                row = results[task][library.__name__]
                row["seconds"].append(time.perf_counter() - began)
                row["return"].append(evaluate_policy(act, TASKS[task](EPISODES), EPISODES, seed=10_000).mean())
        save_record("ppo", __file__, seeds, results, seconds=time.perf_counter() - start)


if __name__ == "__main__":
    main()
