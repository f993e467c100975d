"""The losses are torch's own or a closed form, and training does what beta says."""

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from tlcourse.beta_vae import (
    BetaVAE,
    DenoisingAutoencoder,
    beta_vae_loss,
    hide_patches,
    kl_to_standard_normal,
    reconstruction_error,
    train_beta_vae,
    train_denoising_autoencoder,
)

SHAPE = (2, 4, 4)


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def images(n=256):
    """A bright column (first channel) or row (second channel) at each of four places: two factors."""
    across, down = torch.arange(n) % 4, torch.arange(n) // 4 % 4
    shown = torch.zeros(n, *SHAPE)
    shown[torch.arange(n), 0, :, across] = 1
    shown[torch.arange(n), 1, down] = 1
    return shown


def made(network=BetaVAE, seed=0, **settings):
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return network(SHAPE, units=32, **settings)


def train(vae, **settings):
    return train_beta_vae(vae, images(), **(dict(beta=1.0, steps=10, progress=False) | settings))


def mean_kl(vae):
    with torch.no_grad():
        return kl_to_standard_normal(*vae.encode(images())).mean().item()


def weights(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


# The losses.


def test_the_kl_term_is_torch_s_summed_over_latents():
    mean, log_variance = drawn(5, 3), drawn(5, 3, seed=1)
    posterior = Normal(mean, (0.5 * log_variance).exp())
    expected = kl_divergence(posterior, Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(kl_to_standard_normal(mean, log_variance), expected)


def test_the_kl_term_is_zero_for_the_prior_itself_only():
    assert kl_to_standard_normal(torch.zeros(2, 3), torch.zeros(2, 3)).tolist() == [0, 0]
    assert (kl_to_standard_normal(drawn(9, 3), drawn(9, 3, seed=1)) > 0).all()


def test_the_reconstruction_error_is_a_gaussian_log_likelihood_but_for_its_constant():
    output, wanted, variance = drawn(5, *SHAPE), drawn(5, *SHAPE, seed=1), 0.3
    likelihood = Normal(output, math.sqrt(variance)).log_prob(wanted).sum((1, 2, 3))
    constant = 0.5 * math.prod(SHAPE) * math.log(2 * math.pi * variance)
    torch.testing.assert_close(reconstruction_error(output, wanted, variance), -likelihood - constant)


def test_the_reconstruction_error_is_a_sum_over_pixels():
    """As the KL term is one over latents: four times as many pixels count four times as much."""
    output, wanted = drawn(3, *SHAPE), drawn(3, *SHAPE, seed=1)
    larger = [part.repeat(1, 1, 2, 2) for part in (output, wanted)]
    torch.testing.assert_close(reconstruction_error(*larger), 4 * reconstruction_error(output, wanted))


def test_with_beta_1_and_the_exact_posterior_the_loss_is_the_evidence():
    """z ~ N(0, 1), x|z ~ N(wz, s²). Then x ~ N(0, w² + s²) and z|x ~ N(wx/(w² + s²), s²/(w² + s²)), and the bound

        -log p(x) <= E[-log p(x|z)] + KL(q(z|x) || p(z))

    is an equality; with any other q it is not. The expectation is taken over 20,001 quantiles of q."""
    w, s2, x = 0.8, 0.5, torch.tensor(1.3)
    quantiles = (torch.arange(20_001) + 0.5) / 20_001
    constant = 0.5 * math.log(2 * math.pi * s2)

    def bound(mean, variance):
        z = Normal(mean, math.sqrt(variance)).icdf(quantiles)
        error = reconstruction_error(w * z[:, None], x.expand(len(z), 1), s2)
        kl = kl_to_standard_normal(torch.tensor([[mean]]), torch.tensor([[math.log(variance)]]))
        return beta_vae_loss(error, kl, beta=1).item() + constant

    evidence = -Normal(0.0, math.sqrt(w**2 + s2)).log_prob(x).item()
    mean, variance = w * x.item() / (w**2 + s2), s2 / (w**2 + s2)
    assert bound(mean, variance) == pytest.approx(evidence, abs=2e-3)
    assert bound(mean + 0.3, variance) > evidence + 0.01 and bound(mean, 2 * variance) > evidence + 0.01


def test_beta_weighs_the_kl_term_only():
    error, kl = torch.tensor([1.0, 3.0]), torch.tensor([10.0, 20.0])
    assert [beta_vae_loss(error, kl, beta).item() for beta in (0, 1, 4)] == [2, 17, 62]


def test_an_output_of_another_shape_is_refused():
    """It would be broadcast without a word."""
    with pytest.raises(ValueError, match="shape"):
        reconstruction_error(torch.zeros(3, 1), torch.zeros(3, 4))


# The networks.


def test_bytes_and_floats_are_the_same_images():
    vae, shown = made(), (255 * torch.rand(3, *SHAPE)).byte()
    for part, other in zip(vae.encode(shown), vae.encode(shown / 255), strict=True):
        torch.testing.assert_close(part, other)


def test_decoded_images_are_images():
    decoded = made(latents=3).decode(10 * drawn(5, 3))
    assert decoded.shape == (5, *SHAPE) and (decoded >= 0).all() and (decoded <= 1).all()


def test_z_is_drawn_from_the_posterior_and_lets_the_gradient_through():
    vae, shown = made(latents=3), images(1).expand(20_000, *SHAPE)
    seen = []
    vae.decode = lambda z: seen.append(z) or z
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        _, mean, log_variance = vae(shown)
    (z,) = seen
    deviation = (0.5 * log_variance[0]).exp()
    torch.testing.assert_close(z.mean(0), mean[0], rtol=0, atol=0.03)
    torch.testing.assert_close(z.std(0), deviation, rtol=0.02, atol=0)
    z.square().sum().backward()
    assert (vae.posterior.weight.grad.norm(dim=1) > 0).all(), "both mu and log sigma² learn"


@pytest.mark.parametrize(
    ("shown", "message"),
    [(torch.zeros(2, 2, 4, 5), "shape"), (torch.zeros(SHAPE), "shape"), (torch.zeros(2, *SHAPE).long(), "int64")],
)
def test_what_is_no_image_is_refused(shown, message):
    for network in (made(), made(DenoisingAutoencoder)):
        with pytest.raises(ValueError, match=message):
            network(shown)


def test_hidden_patches_are_black_and_nothing_else_changes():
    shown = 0.5 + 0.5 * torch.rand(6, 3, 10, 12)
    before = shown.clone()
    with torch.random.fork_rng([]):
        for seed in range(20):
            torch.manual_seed(seed)
            hidden = hide_patches(shown, share=0.3, patches=2)
            changed = hidden != shown
            assert (hidden[changed] == 0).all() and (changed == changed[:1, :1]).all()
            assert 3 * 4 <= changed[0, 0].sum() <= 2 * 3 * 4
    assert torch.equal(shown, before)


# Training.


def test_training_lowers_the_loss_and_the_same_seed_gives_the_same_weights():
    before, state = weights(made()), torch.random.get_rng_state()
    one, other = made(), made()
    losses = train(one, steps=80, lr=0.01, warmup=0)
    assert train(other, steps=80, lr=0.01, warmup=0) == losses and same(weights(one), weights(other))
    assert sum(losses[-10:]) < 0.75 * sum(losses[:10]) and not same(weights(one), before)
    assert torch.equal(torch.random.get_rng_state(), state), "the global random numbers are left alone"
    assert train(made(), seed=1) != train(made(), seed=2)


def test_a_larger_beta_leaves_less_in_the_latents_and_a_very_large_one_nothing():
    kl = []
    for beta in (0.1, 4, 1_000):
        train(vae := made(), beta=beta, steps=80, lr=0.01)
        kl.append(mean_kl(vae))
    assert kl[0] > 3 * kl[1] > 3 and kl[2] < 0.05


def test_beta_rises_from_0_in_the_warmup():
    """With features that are all alike, the loss is beta KL and nothing else."""
    settings = dict(beta=5.0, steps=10, lr=1e-12, perceive=lambda shown: torch.zeros(len(shown), 1))
    constant, rising = train(made(), warmup=0, **settings), train(made(), warmup=0.5, **settings)
    shares = [late / full for late, full in zip(rising, constant, strict=True)]
    assert shares == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1, 1, 1, 1, 1])


def test_the_perceptual_loss_compares_features_and_does_not_train_what_gives_them():
    eyes = made(DenoisingAutoencoder)
    train_denoising_autoencoder(eyes, images(), steps=5, progress=False)
    before = weights(eyes)
    perceived, plain = made(), made()
    assert train(perceived, perceive=eyes.features) != train(plain)
    assert same(weights(eyes), before) and not same(weights(perceived), weights(plain))
    assert train(made(), perceive=lambda shown: shown) == train(made()), "pixels are the features otherwise"


def test_the_denoising_autoencoder_learns_to_fill_in():
    network = made(DenoisingAutoencoder)
    losses = train_denoising_autoencoder(network, images(), steps=80, lr=0.01, progress=False)
    assert sum(losses[-10:]) < 0.7 * sum(losses[:10])
    assert network.features(images()).shape == (256, 64)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(beta=-1), "beta is -1"),
        (dict(beta=math.nan), "beta is nan"),
        (dict(variance=0), "variance is 0"),
        (dict(warmup=-0.1), "warmup is -0.1"),
        (dict(steps=0), "steps is 0"),
        (dict(batch_size=0), "batch_size is 0"),
    ],
)
def test_unusable_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        train(made(), **settings)


def test_a_loss_that_is_no_longer_finite_stops_the_training():
    with pytest.raises(FloatingPointError, match="learning rate"):
        train(made(), perceive=lambda shown: shown * math.inf)
