"""DARLA and agents that learn from pixels: returns in the source and, without further training, in the target domain.

    python benchmarks/darla.py [agents] [visions] [--seeds 10] [--visions 3]

`agents` trains agents on pixels (DQN on fully connected and on convolutional layers, A2C, episodic control) and on the
true factors. `visions` trains the eyes: beta-VAEs over beta, one with DARLA's perceptual loss, one that has seen
only pictures of the source domain, one that was never trained; measures how disentangled they are; and lets DQN agents
learn on each, A2C and episodic control on one. Those of seed 0 that lesson 12 needs are written to data/vision.
Written to data/recorded/darla.json after each seed, under its part: a stopped run goes on there. Seconds are of the
processor, not of the clock; one thread. Half an hour in all.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from gymnasium.spaces import Box
from gymnasium.vector import VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space
from tqdm.auto import tqdm

from tlcourse.beta_vae import BetaVAE, DenoisingAutoencoder, train_beta_vae, train_denoising_autoencoder
from tlcourse.classroom import recorded, save_record
from tlcourse.darla import Latents, Vision, act, save_vision
from tlcourse.disentanglement import beta_vae_metric, modularity, mutual_information, mutual_information_gap
from tlcourse.rl.a2c import PolicyValueNetwork, train_a2c
from tlcourse.rl.dqn import train_dqn
from tlcourse.rl.episodic_control import train_episodic_control
from tlcourse.rl.q_networks import QNetwork, conv_trunk, mlp_trunk
from tlcourse.rl.support import evaluate_policy, reproducible
from tlcourse.robots.colour_world import FACTORS, SIZE, STEP, ColourWorld, render, sample_factors

FOLDER = Path(__file__).parents[1] / "data" / "vision"
INSTANCES, EPISODES, PICTURES, STEPS_OF_VISION, LATENTS, UNITS = 64, 256, 20_000, 10_000, 6, 256
SHIPPED = {"beta 4": "beta_4", "beta 12": "beta_12"}
Act = Callable[[np.ndarray], np.ndarray]
See = Callable[[VectorEnv], VectorEnv]


class TrueFactors(VectorWrapper):
    """The colour world told in numbers: observations are its four factors, (n, 4)."""

    def __init__(self, env: ColourWorld):
        super().__init__(env)
        self.single_observation_space = Box(0, 1, (len(FACTORS),), np.float32)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)

    def reset(self, *, seed=None, options=None):
        self.env.reset(seed=seed, options=options)
        return self.env.factors.astype(np.float32), {}

    def step(self, actions):
        last = self.env.factors.copy()  # what they are at the end of an episode: only the rover has moved
        last[:, 0] = np.clip(last[:, 0] + STEP * np.array([0, -1, 1])[actions], 0, 1)
        _, rewards, terminations, truncations, infos = self.env.step(actions)
        infos = infos | {"final_obs": last.astype(np.float32)} if infos else infos
        return self.env.factors.astype(np.float32), rewards, terminations, truncations, infos


def network(env: VectorEnv, seed: int, convolutional: bool = False, hidden=(128, 64)) -> QNetwork:
    space = env.single_observation_space
    with reproducible(seed):
        trunk = conv_trunk(space, 64, (16, 32, 32)) if convolutional else mlp_trunk(space, hidden)
        return QNetwork(trunk, int(env.single_action_space.n))


def dqn(env: VectorEnv, seed: int, updates: int = 3_000, **layers) -> Act:
    agent = network(env, seed, **layers)
    train_dqn(env, agent, updates=updates, seed=seed, buffer_size=20_000, progress=False)
    return agent.act


def a2c(env: VectorEnv, seed: int) -> Act:
    with reproducible(seed):
        trunk = mlp_trunk(env.single_observation_space)
        agent = PolicyValueNetwork(trunk, int(env.single_action_space.n))
    train_a2c(env, agent, steps=300_000, seed=seed, lr=5e-3, progress=False)
    return agent.act


def episodic(env: VectorEnv, seed: int, embed=None) -> Act:
    agent, _ = train_episodic_control(env, steps=60_000, seed=seed, embed=embed, progress=False)
    return agent.act


def measured(learn: Callable[[VectorEnv, int], Act], see: See, seed: int, spread: float = 0.2) -> dict[str, float]:
    """Mean returns in both domains of an agent that has learned in the source, and the seconds of learning."""
    began = time.process_time()
    agent = learn(see(ColourWorld(INSTANCES, "source", spread=spread)), seed)
    row = {"seconds": time.process_time() - began}
    for domain in ("source", "target"):
        trial = see(ColourWorld(EPISODES, domain, spread=spread))
        row[domain] = float(evaluate_policy(agent, trial, EPISODES, seed=10_000).mean())
    return row


def as_it_is(env: VectorEnv) -> VectorEnv:
    return env


# name: how it learns, what it observes, the spread of the colours
AGENTS: dict[str, tuple[Callable, See, float]] = {
    "DQN, pixels": (dqn, as_it_is, 0.2),
    "DQN, pixels, convolutional": (lambda env, seed: dqn(env, seed, 1_500, convolutional=True), as_it_is, 0.2),
    "A2C, pixels": (a2c, as_it_is, 0.2),
    "episodic control, pixels": (episodic, as_it_is, 0.2),
    "DQN, true factors": (dqn, TrueFactors, 0.2),
    "DQN, true factors, spread 0": (dqn, TrueFactors, 0.0),
    "DQN, pixels, spread 0.4": (dqn, as_it_is, 0.4),
}


def pictures(domain: str, seed: int) -> tuple[np.ndarray, torch.Tensor]:
    factors = sample_factors(PICTURES, domain, np.random.default_rng(seed))
    return factors, torch.from_numpy(render(factors))


def train_vision(name: str, seed: int) -> Vision:
    """The eyes of that name; see VISIONS."""
    settings = dict(seed=seed, progress=False)
    _, images = pictures("source" if "source" in name else "everything", seed)
    with reproducible(seed):
        vae = BetaVAE((3, SIZE, SIZE), LATENTS, UNITS)
        guide = DenoisingAutoencoder((3, SIZE, SIZE))
        if name == "untrained":
            return Vision(vae, images)
        if "perceptual" in name:
            train_denoising_autoencoder(guide, images, steps=3_000, **settings)
            settings |= dict(perceive=guide.requires_grad_(False).features, variance=0.2)
        train_beta_vae(vae, images, beta=float(name.split()[1].rstrip(",")), steps=STEPS_OF_VISION, **settings)
    return Vision(vae, images)


VISIONS = (
    "beta 1",
    "beta 4",
    "beta 12",
    "beta 4, perceptual",
    "beta 4, source only",
    "untrained",
)


def measured_vision(name: str, seed: int, agents: int) -> dict:
    """How disentangled a vision is, and what agents' seeds return with it."""
    began = time.process_time()
    vision = train_vision(name, seed)
    seconds = time.process_time() - began

    def represent(factors: np.ndarray) -> np.ndarray:
        return vision(torch.from_numpy(render(factors))).numpy()

    factors, _ = pictures("everything", 1_000 + seed)
    shares = mutual_information(represent(factors), factors)
    row = {"seconds": seconds, "mutual information": shares.round(3).tolist()}
    row |= {"gap": mutual_information_gap(shares), "modularity": modularity(shares)}
    row["beta-VAE metric"] = beta_vae_metric(represent, len(FACTORS), seed=seed, examples=300, pairs=16)

    def see(env: VectorEnv) -> VectorEnv:
        return Latents(env, vision)

    def learn(env: VectorEnv, seed: int) -> Act:
        return act(vision, env.env, seed=seed, progress=False).act

    learners = {"DQN": learn}
    if name == "beta 4":
        learners |= {"A2C": a2c, "episodic control": lambda env, seed: episodic(env, seed, embed=lambda z: z)}
    for learner, how in learners.items():
        rows = [measured(how, see, seed) for seed in range(agents if learner == "DQN" else 3)]
        row[learner] = {key: [one[key] for one in rows] for key in rows[0]}
    if seed == 0 and name in SHIPPED:
        notes = dict(script="benchmarks/darla.py", seed=seed, beta=float(name.split()[1]), steps=STEPS_OF_VISION)
        notes |= {"pictures": PICTURES, "seconds": round(seconds, 1), "gap": round(row["gap"], 3)}
        notes |= {"agents": agents, "return in the source": round(float(np.mean(row["DQN"]["source"])), 2)}
        notes |= {"return in the target": round(float(np.mean(row["DQN"]["target"])), 2)}
        save_vision(vision, FOLDER / f"{SHIPPED[name]}.safetensors", **notes)
    return row


def save(part: str, rows: dict, seeds: range, seconds: float) -> None:
    try:
        before = recorded("darla")
        results, seconds = before.results, seconds + before.seconds
    except FileNotFoundError:
        results = {"episodes": EPISODES, "steps": STEPS_OF_VISION, "factors": list(FACTORS)}
    save_record("darla", __file__, seeds, results | {part: rows}, seconds=seconds)


def done(part: str) -> dict:
    try:
        return recorded("darla").results.get(part, {})
    except FileNotFoundError:
        return {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("parts", nargs="*", default=["agents", "visions"])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--visions", type=int, default=3)
    given = parser.parse_args()
    seeds = range(given.seeds)
    torch.set_num_threads(1)
    for part in given.parts:
        rows = done(part)
        if part == "agents":
            for seed, name in tqdm([(seed, name) for seed in seeds for name in AGENTS]):
                row = rows.setdefault(name, {"source": [], "target": [], "seconds": []})
                if len(row["source"]) > seed:
                    continue
                began = time.process_time()
                learn, see, spread = AGENTS[name]
                for key, value in measured(learn, see, seed, spread).items():
                    row[key].append(value)
                save(part, rows, seeds, time.process_time() - began)
        else:
            for seed, name in tqdm([(seed, name) for seed in range(given.visions) for name in VISIONS]):
                if len(rows.setdefault(name, [])) > seed:
                    continue
                began = time.process_time()
                rows[name].append(measured_vision(name, seed, given.seeds if (name, seed) == ("beta 4", 0) else 3))
                save(part, rows, seeds, time.process_time() - began)


if __name__ == "__main__":
    main()
