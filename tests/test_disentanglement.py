"""Measures of disentanglement on latent variables whose answer is known."""

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from tlcourse.disentanglement import beta_vae_metric, modularity, mutual_information, mutual_information_gap

FACTORS = np.random.default_rng(0).random((20_000, 2))
TURN = np.array([[1, -1], [1, 1]]) / np.sqrt(2)  # by 45°


def noise(columns, n=20_000):
    return np.random.default_rng(1).standard_normal((n, columns))


# Mutual information.


def test_mutual_information_is_scikit_learn_s():
    rng = np.random.default_rng(0)
    factor = rng.integers(0, 5, 3_000)
    latent = (factor + rng.integers(0, 3, 3_000)) % 7
    (share,) = mutual_information(latent[:, None], factor[:, None]).ravel()
    assert share == pytest.approx(mutual_info_score(latent, factor) / mutual_info_score(factor, factor))


def test_a_latent_that_says_all_has_1_and_one_that_says_nothing_has_0():
    shares = mutual_information(np.hstack([FACTORS, noise(1)]), FACTORS, bins=20)
    bias = 19**2 / (2 * len(FACTORS) * np.log(20))
    np.testing.assert_allclose(shares[:2].diagonal(), 1)
    np.testing.assert_allclose([shares[0, 1], shares[1, 0], *shares[2]], bias, rtol=0.3)


def test_only_the_order_of_a_latent_s_values_counts():
    """And so neither its scale nor its sign."""
    latents = FACTORS @ TURN
    changed = np.stack([np.exp(3 * latents[:, 0]), -latents[:, 1]], axis=1)
    shares, again = mutual_information(latents, FACTORS), mutual_information(changed, FACTORS)
    np.testing.assert_allclose(shares, again, atol=0.002)


# The gap and modularity.


@pytest.mark.parametrize(
    ("latents", "gap", "modular"),
    [
        pytest.param(FACTORS, 1, 1, id="axes"),
        pytest.param(np.hstack([noise(1), -2 * FACTORS[:, ::-1]]), 1, 1, id="axes in another order beside noise"),
        pytest.param(FACTORS @ TURN, 0, 0.5, id="turned by 45°"),
        pytest.param(np.hstack([FACTORS, FACTORS]), 0, 1, id="each twice"),
        pytest.param(np.hstack([FACTORS, FACTORS[:, :1]]), 0.5, 1, id="one twice"),
        pytest.param(np.stack([FACTORS[:, 0], FACTORS[:, 0]], axis=1), 0, 1, id="one twice, the other not at all"),
    ],
)
def test_the_gap_and_modularity_of_known_latents(latents, gap, modular):
    shares = mutual_information(latents, FACTORS)
    assert mutual_information_gap(shares) == pytest.approx(gap, abs=0.02)
    assert modularity(shares) == pytest.approx(modular, abs=0.03)


def test_the_gap_by_hand():
    shares = np.array([[0.9, 0.1], [0.2, 0.5], [0.3, 0.4]])
    assert mutual_information_gap(shares) == pytest.approx(((0.9 - 0.3) + (0.5 - 0.4)) / 2)
    assert modularity(shares) == pytest.approx((0.9 + 0.5 + 0.4) / 2.4)


# The metric of the beta-VAE paper.


@pytest.mark.parametrize(
    ("represent", "low", "high"),
    [
        pytest.param(lambda factors: factors, 1, 1, id="axes"),
        pytest.param(lambda factors: np.hstack([factors**3, -factors]), 1, 1, id="each twice"),
        pytest.param(lambda factors: factors @ TURN, 0.4, 0.6, id="turned by 45°"),
        pytest.param(lambda factors: noise(2, len(factors)), 0.4, 0.6, id="noise"),
    ],
)
def test_the_metric_of_known_latents(represent, low, high):
    """Where nothing tells the factors apart, half of two answers are right, give or take 4 standard errors of .025."""
    assert low <= beta_vae_metric(represent, 2) <= high
    assert beta_vae_metric(represent, 2) == beta_vae_metric(represent, 2)


def test_the_metric_s_pairs_agree_in_one_factor():
    seen = []

    def represent(factors):
        seen.append(factors)
        return factors

    beta_vae_metric(represent, 3, examples=20, pairs=4)
    alike = (seen[0] == seen[1]).reshape(40, 4, 3)
    assert (alike.sum(2) == 1).all() and (alike == alike[:, :1]).all()
    assert alike[:, 0].any(0).all(), "each factor has its turn"


# What makes no sense.


@pytest.mark.parametrize(
    ("latents", "factors", "message"),
    [
        (FACTORS[:-1], FACTORS, "shapes"),
        (FACTORS[:, 0], FACTORS, "shapes"),
        (FACTORS[:399], FACTORS[:399], "too few"),
        (np.where(FACTORS < 0.1, np.nan, FACTORS), FACTORS, "not finite"),
        (FACTORS, np.ones_like(FACTORS), "factor 0 never changes"),
    ],
)
def test_unusable_latents_or_factors_are_refused(latents, factors, message):
    with pytest.raises(ValueError, match=message):
        mutual_information(latents, factors)


def test_a_gap_needs_two_latents():
    with pytest.raises(ValueError, match="two latent variables"):
        mutual_information_gap(np.ones((1, 4)))
