"""DARLA: the vision is frozen while acting, the agent sees latents only, and a vision comes back as it was written."""

import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode

from tlcourse.beta_vae import BetaVAE
from tlcourse.darla import Latents, Vision, act, load_vision, save_vision, see, transfer
from tlcourse.rl.q_networks import QNetwork, mlp_trunk
from tlcourse.rl.support import evaluate_policy
from tlcourse.robots.colour_world import SIZE, ColourWorld, render, sample_factors

PICTURES = torch.from_numpy(render(sample_factors(300, "everything", np.random.default_rng(0))))


def seen(steps=20, **settings):
    return see(PICTURES, **(dict(beta=1.0, latents=4, steps=steps, progress=False) | settings))


def state(module):
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def vision():
    return seen()


# See.


def test_a_vision_says_standardized_means(vision):
    latents = vision(PICTURES)
    means, _ = vision.vae.encode(PICTURES)
    torch.testing.assert_close(latents.mean(0), torch.zeros(4), rtol=0, atol=1e-5)
    torch.testing.assert_close(latents.std(0), means.std(0) / (means.std(0) + 0.05))
    torch.testing.assert_close(vision.imagine(latents), vision.vae.decode(means))


def test_a_latent_that_says_nothing_is_not_blown_up():
    vae = BetaVAE((3, SIZE, SIZE), latents=2, units=8)
    with torch.no_grad():
        vae.posterior.weight[0] *= 1e-6
    assert Vision(vae, PICTURES)(PICTURES)[:, 0].abs().max() < 1e-3


def test_a_vision_stays_frozen(vision):
    vision.train()
    assert not vision.training and not vision.vae.training
    assert not any(weights.requires_grad for weights in vision.parameters())
    assert not vision(PICTURES).requires_grad


def test_the_same_seed_sees_the_same_and_leaves_the_global_random_numbers_alone(vision):
    numbers = torch.random.get_rng_state()
    assert same(state(seen()), state(vision)) and not same(state(seen(seed=1)), state(vision))
    assert torch.equal(torch.random.get_rng_state(), numbers)


# Act.


def test_the_agent_sees_what_the_vision_makes_of_the_pictures(vision):
    """Where an episode ends, too: both its last picture and the first one of the next."""
    plain, env = ColourWorld(5, episode_steps=4), Latents(ColourWorld(5, episode_steps=4), vision)
    rng, ends = np.random.default_rng(0), 0

    def shown(pictures):
        return vision(torch.from_numpy(pictures)).numpy()

    np.testing.assert_array_equal(env.reset(seed=3)[0], shown(plain.reset(seed=3)[0]))
    for _ in range(9):
        actions = rng.integers(0, 3, 5)
        pictures, *others, infos = plain.step(actions)
        latents, *same_others, latent_infos = env.step(actions)
        assert latents in env.observation_space
        np.testing.assert_array_equal(latents, shown(pictures))
        np.testing.assert_array_equal(same_others, others)
        assert latent_infos.keys() == infos.keys()
        if infos:
            ends += 1
            np.testing.assert_allclose(latent_infos["final_obs"], shown(infos["final_obs"]), rtol=1e-5, atol=1e-5)
    assert ends == 2 and env.single_observation_space.shape == (4,)


def test_acting_changes_nothing_in_the_vision(vision):
    before = state(vision)
    vision.zero_grad(set_to_none=True)  # what is left of its own training
    settings = dict(updates=40, hidden=(16,), progress=False)
    one, other = (act(vision, ColourWorld(64), **settings) for _ in range(2))
    assert same(state(vision), before) and all(weights.grad is None for weights in vision.parameters())
    assert same(state(one), state(other)), "the same seed gives the same agent"
    assert not same(state(act(vision, ColourWorld(64), seed=1, **settings)), state(one))


def test_an_environment_that_the_vision_cannot_see_is_refused(vision):
    with pytest.raises(ValueError, match="the vision sees"):
        Latents(Latents(ColourWorld(2), vision), vision)
    later = ColourWorld(2)
    later.metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP}
    with pytest.raises(ValueError, match="SAME_STEP"):
        Latents(later, vision)


# Transfer.


def test_transfer_is_what_the_agent_gets_in_the_target_with_nothing_changed(vision):
    env = Latents(ColourWorld(1), vision)
    network = QNetwork(mlp_trunk(env.single_observation_space, (16,)), 3)
    before = state(network), state(vision)
    returns = transfer(network, vision, ColourWorld(20, "target"), episodes=20, seed=4)
    by_hand = evaluate_policy(
        lambda pictures: network.act(vision(torch.from_numpy(pictures)).numpy()), ColourWorld(20, "target"), 20, seed=4
    )
    np.testing.assert_array_equal(returns, by_hand)
    assert same(state(network), before[0]) and same(state(vision), before[1])


# Files.


def test_a_vision_comes_back_as_it_was_written(vision, tmp_path):
    save_vision(vision, tmp_path / "v.safetensors", beta=1.0, seed=0)
    again = load_vision(tmp_path / "v.safetensors")
    assert same(state(again), state(vision)) and again.notes == {"beta": 1.0, "seed": 0}
    assert torch.equal(again(PICTURES), vision(PICTURES)) and not again.vae.training
    assert [file.name for file in tmp_path.iterdir()] == ["v.safetensors"]


def test_a_file_that_holds_no_vision_is_refused(vision, tmp_path):
    from safetensors.torch import save_file

    good, file = tmp_path / "good.safetensors", tmp_path / "v.safetensors"
    save_vision(vision, good)
    with pytest.raises(FileNotFoundError, match="save_vision"):
        load_vision(file)
    save_file({"weights": torch.zeros(3)}, file)
    with pytest.raises(ValueError, match="format"):
        load_vision(file)
    for damaged in (good.read_bytes()[:-100], b"", b"{}"):
        file.write_bytes(damaged)
        with pytest.raises(ValueError, match="damaged"):
            load_vision(file)
