"""How far each latent variable of a representation stands for one factor of the world; the factors must be known.

The mutual information gap of Chen et al. 2018, arXiv 1802.04942, and the metric of the beta-VAE paper, Higgins et al.
2017. Both want factors that were drawn independently of each other.
"""

from collections.abc import Callable

import numpy as np


def mutual_information(latents: np.ndarray, factors: np.ndarray, bins: int = 20) -> np.ndarray:
    """How much each latent variable tells about each factor, as a share of all there is to know of it: (Z, K).

        I(z_j; v_k) / H(v_k),   0: nothing, 1: everything

    Both are cut into `bins` intervals with equally many examples; a factor with fewer values keeps these. Estimated so,
    independent variables have about (bins - 1)² / (2 N log bins) instead of 0: take examples enough. (Chen et al. take
    draws of z; given the means of a posterior, what its noise would drown counts, too.)

    Args:
        latents: (N, Z).
        factors: (N, K).

    Raises:
        ValueError: there are more or fewer examples of one than of the other, fewer than bins², numbers that are not
            finite, or a factor that never changes.
    """
    latents, factors = np.asarray(latents, float), np.asarray(factors, float)
    if latents.ndim != 2 or factors.ndim != 2 or len(latents) != len(factors):
        raise ValueError(f"latents and factors have shapes {latents.shape}, {factors.shape}; give (N, Z) and (N, K)")
    if len(latents) < bins**2:
        raise ValueError(f"{len(latents)} examples are too few for {bins} × {bins} cells; give {bins**2} or more")
    if not (np.isfinite(latents).all() and np.isfinite(factors).all()):
        raise ValueError("a latent variable or a factor is not finite")
    z, v = (np.stack([_cut(column, bins) for column in part.T]) for part in (latents, factors))
    shares = np.zeros((len(z), len(v)))
    for k, factor in enumerate(v):
        if (entropy := _entropy(np.bincount(factor))) == 0:
            raise ValueError(f"factor {k} never changes; nothing can be known of it")
        for j, latent in enumerate(z):
            joint = np.zeros((latent.max() + 1, factor.max() + 1))
            np.add.at(joint, (latent, factor), 1)
            shares[j, k] = (_entropy(joint.sum(1)) + entropy - _entropy(joint)) / entropy
    return shares


def mutual_information_gap(shares: np.ndarray) -> float:
    """The mutual information gap (MIG) of `mutual_information` (Z, K), 0 to 1:

        MIG = 1/K sum_k (I(z_j1; v_k) - I(z_j2; v_k)) / H(v_k)

    with j1 and j2 the two latent variables that tell most about v_k. It is 1 where each factor has one latent variable
    that says all about it, and no other says anything. A factor that two latent variables share brings it down, even
    if none of them tells about another factor.
    """
    if shares.ndim != 2 or len(shares) < 2:
        raise ValueError(f"the shares have shape {shares.shape}; give (Z, K) with two latent variables or more")
    second, first = np.sort(shares, axis=0)[-2:]
    return float((first - second).mean())


def modularity(shares: np.ndarray) -> float:
    """How far each latent variable tells about one factor only, of the shares S of `mutual_information` (Z, K):

        sum_j max_k S_jk / sum_jk S_jk,   1/K: each tells equally about all factors, 1: each about one

    Unlike the gap, it does not mind a factor that several latent variables share. (Simpler than the modularity of
    Ridgeway & Mozer 2018, arXiv 1802.05312.)
    """
    if shares.ndim != 2 or shares.sum() <= 0:
        raise ValueError(f"the shares have shape {shares.shape} and sum {shares.sum()}; give (Z, K), not all 0")
    return float(shares.max(1).sum() / shares.sum())


def beta_vae_metric(
    represent: Callable[[np.ndarray], np.ndarray],
    factors: int,
    *,
    seed: int = 0,
    examples: int = 400,
    pairs: int = 32,
) -> float:
    """Whether a linear classifier can tell which factor two groups of pictures have in common; its accuracy, 0 to 1.

    For each example a factor k is drawn, and `pairs` pairs of factors that agree in k and in nothing else; then

        x = 1/L sum_l |z(v_l) - z(v'_l)|,   y = k

    Where a latent variable stands for the factor k, it is the one that differs least. Chance is 1 / factors.

    Args:
        represent: factors (n, K), uniform in [0, 1], to latent variables (n, Z).
        factors: how many, K.
        examples: how many train the classifier; as many test it.
        pairs: L.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(seed)
    common = rng.integers(0, factors, 2 * examples)
    first, second = rng.random((2, 2 * examples, pairs, factors))
    rows = np.arange(2 * examples)
    second[rows, :, common] = first[rows, :, common]
    z, other = (represent(part.reshape(-1, factors)).reshape(2 * examples, pairs, -1) for part in (first, second))
    x = np.abs(z - other).mean(1)
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1_000))
    return float(classifier.fit(x[:examples], common[:examples]).score(x[examples:], common[examples:]))


def _cut(column: np.ndarray, bins: int) -> np.ndarray:
    """Which interval each value is in, whole numbers from 0 on."""
    if len(values := np.unique(column)) <= bins:
        return np.searchsorted(values, column)
    return np.searchsorted(np.quantile(column, np.linspace(0, 1, bins + 1)[1:-1]), column, side="right")


def _entropy(counts: np.ndarray) -> float:
    p = counts[counts > 0] / counts.sum()
    return float(-(p * np.log(p)).sum())
