"""A policy that comes with the course plays as its file says."""

from pathlib import Path

import numpy as np
import pytest

from tlcourse.classroom import recorded
from tlcourse.rl.policies import load_policy
from tlcourse.rl.support import evaluate_policy
from tlcourse.robots.imperfections import Latency, SensorNoise
from tlcourse.robots.inverted_pendulum import InvertedPendulum
from tlcourse.robots.lifting_arm import LiftingArm

FILES = sorted((Path(__file__).parents[2] / "data" / "policies").glob("*.safetensors"))
ROBOTS = {"pendulum": InvertedPendulum, "arm": LiftingArm}


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_it_returns_what_was_recorded(file):
    task, policy = file.stem.split("_")[0], load_policy(file)
    for robot in ("simulator", "A"):
        env = SensorNoise(Latency(ROBOTS[task](32)))
        env.set_physics(**recorded("sim_to_real").results[task]["robots"][robot])
        returns = evaluate_policy(policy.act, env, 32, seed=0)
        # Other starts than those of the record.
        assert np.mean(returns) == pytest.approx(policy.notes[f"return on {robot}"], abs=15)


def test_there_are_some():
    assert [file.stem for file in FILES] == ["arm_nominal", "arm_randomized", "pendulum_nominal", "pendulum_randomized"]
