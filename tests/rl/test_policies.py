"""Policies: what they compute, and that a saved one comes back whole or not at all."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tlcourse.rl.policies import ActorCritic, load_policy, save_policy


@pytest.fixture
def policy():
    torch.manual_seed(0)
    policy = ActorCritic(3, torch.tensor([-2.0, 0.0]), torch.tensor([2.0, 1.0]), hidden=8)
    policy.watch(np.random.default_rng(0).normal(5, 2, (100, 3)))
    with torch.no_grad():
        policy.actor[-1].weight.normal_(0, 2)
    return policy


def observations(n=50, scale=3.0):
    return np.random.default_rng(1).normal(5, scale, (n, 3))


def test_the_running_statistics_are_those_of_all_that_was_seen():
    policy, parts = ActorCritic(3, -torch.ones(1), torch.ones(1)), np.split(observations(60), [10, 11, 45])
    for part in parts:
        policy.watch(part)
    whole = np.concatenate(parts)
    np.testing.assert_allclose(policy.mean, whole.mean(0), rtol=1e-4)
    np.testing.assert_allclose(policy.variance, whole.var(0), rtol=1e-4)
    x = policy.normalize(whole)
    np.testing.assert_allclose(x.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(x.std(0, unbiased=False), 1, rtol=1e-3)


def test_actions_keep_their_bounds_and_use_them(policy):
    actions = policy.act(observations())
    assert actions.shape == (50, 2)
    assert (actions >= [-2, 0]).all() and (actions <= [2, 1]).all()
    np.testing.assert_allclose(actions.min(0), [-2, 0])
    np.testing.assert_allclose(actions.max(0), [2, 1])
    mapped = policy.to_bounds(torch.tensor([[-1.0, -1.0], [0.0, 0.5], [7.0, -9.0]]))
    torch.testing.assert_close(mapped, torch.tensor([[-2.0, 0.0], [0.0, 0.75], [2.0, 0.0]]))


def test_the_log_probability_is_that_of_torch_s_normal(policy):
    x, actions = policy.normalize(observations()), torch.randn(50, 2)
    reference = torch.distributions.Normal(policy.actor(x), policy.log_std.exp()).log_prob(actions).sum(-1)
    torch.testing.assert_close(policy.log_prob(x, actions), reference)


def test_a_new_policy_hardly_acts():
    policy = ActorCritic(3, -torch.ones(1), torch.ones(1))
    assert np.abs(policy.act(observations())).max() < 0.1


def test_a_saved_policy_comes_back_the_same(policy, tmp_path):
    file = tmp_path / "folder" / "policy.safetensors"
    save_policy(policy, file, seed=3, script="benchmarks/x.py")
    loaded = load_policy(file)
    assert (loaded.act(observations()) == policy.act(observations())).all()
    assert loaded.notes == {"seed": 3, "script": "benchmarks/x.py"} and loaded.hidden == 8
    assert [path.name for path in file.parent.iterdir()] == ["policy.safetensors"], "nothing is left beside it"


def test_what_is_no_policy_is_refused(policy, tmp_path):
    file = tmp_path / "policy.safetensors"
    with pytest.raises(FileNotFoundError, match="no file.*save_policy"):
        load_policy(file)
    save_policy(policy, file)
    whole = file.read_bytes()
    for damaged in (b"", whole[:100], whole[:-10], b"\x80\x04pickle" + whole):
        file.write_bytes(damaged)
        with pytest.raises(ValueError, match="not a policy of save_policy, or damaged"):
            load_policy(file)
    save_file({"mean": torch.zeros(3)}, file)
    with pytest.raises(ValueError, match="its format is None"):
        load_policy(file)
    state = policy.state_dict()
    del state["critic.0.bias"]
    save_file(state, file, {"format": "tlcourse ActorCritic 1", "hidden": "8", "notes": "{}"})
    with pytest.raises(ValueError, match="critic.0.bias"):
        load_policy(file)


def test_a_failed_write_leaves_the_old_policy(policy, tmp_path):
    file = tmp_path / "policy.safetensors"
    save_policy(policy, file)
    before = file.read_bytes()
    with pytest.raises(TypeError):
        save_policy(policy, file, seed=object())
    assert file.read_bytes() == before
