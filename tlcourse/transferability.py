"""Transferability scores: which source suits a target task, asked before anything is trained.

Each score looks once at what a source network makes of the labelled target examples: its class probabilities (LEEP),
or its features (LogME, H-score). Higher is better. The scores have different scales: compare sources on one target by
one score, never two scores, and two targets only with care.
"""

import math

import torch
from torch import Tensor


def leep(source_probabilities: Tensor, labels: Tensor) -> float:
    """LEEP, the log expected empirical prediction; higher is better.

        LEEP = 1/N sum_i log sum_z P(y_i | z) theta(x_i)_z,    P(y | z) = P(y, z) / sum_y P(y, z),
        P(y, z) = 1/N sum_{i: y_i = y} theta(x_i)_z

    theta(x)_z is the probability that the source network gives to its own class z for the target example x; y_i is
    the target label. It is the log-likelihood of a classifier that lets the source draw z from theta(x), and then draws
    y from the empirical P(y | z). From -H(Y), the entropy of the target labels, for a source whose theta is the
    same for all x, to 0 for one that gives no class z to examples of two labels.

    Args:
        source_probabilities: theta (N, Z), after the softmax.
        labels: class numbers (N,), 0 to C - 1, each class at least once.

    Raises:
        ValueError: shapes or labels that do not fit, rows that are not probabilities.

    Paper: Nguyen et al. 2020, arXiv 2002.12462.
    """
    _check("source_probabilities", source_probabilities, labels)
    theta = source_probabilities.detach().double()
    if theta.min() < 0 or (theta.sum(1) - 1).abs().max() > 1e-3:  # what half precision leaves of a sum of 1
        raise ValueError(
            f"source_probabilities lie from {theta.min():.3g} to {theta.max():.3g}, with sums from "
            f"{theta.sum(1).min():.3g} to {theta.sum(1).max():.3g}; each row must hold probabilities with sum 1: "
            "apply .softmax(1) to logits"
        )
    joint = _one_hot(labels).T @ theta / len(theta)
    marginal = joint.sum(0)
    conditional = joint / torch.where(marginal > 0, marginal, 1)  # a class z that never occurs has theta = 0
    return (conditional[labels.long()] * theta).sum(1).log().mean().item()


def log_me(features: Tensor, labels: Tensor) -> float:
    """LogME, the logarithm of the maximum evidence of a Bayesian linear model, per example; higher is better.

    For each class c, the target y is 1 for its examples and 0 for all others, and

        y = F w + noise,    w ~ N(0, I / alpha),    noise ~ N(0, I / beta)
        LogME = 1/C sum_c 1/N max_{alpha, beta} log p(y | F),    p(y | F) = N(y; 0, F F^T / alpha + I / beta)

    F are the features (N, D). w is integrated out, so that many features do not win by overfitting. With the
    singular value decomposition F = U S V^T, z = U^T y and lambda = alpha / beta, the best beta for a lambda is

        1 / beta = e(lambda) / N,    e(lambda) = sum_i z_i^2 lambda / (s_i^2 + lambda) + ||y - U z||^2

    and there, with m the mean of w given y and A = alpha I + beta F^T F, the evidence

        D/2 log alpha + N/2 log beta - 1/2 log|A| - beta/2 ||F m - y||^2 - alpha/2 ||m||^2 - N/2 log(2 pi)
            = N/2 (log(beta / (2 pi)) - 1) - 1/2 sum_i log(1 + s_i^2 / lambda)

    is a function of lambda alone, which is maximised on a grid that is refined twice. The paper iterates alpha and
    beta to a fixed point instead; that can end in a lower one of several maxima, and is slow where features are of
    little use.

    It does not change when all features are scaled by the same factor, or turned. There is no intercept, so a shift
    of the features does change it. Its unit is that of a log density: it may be positive.

    Args:
        features: F (N, D).
        labels: class numbers (N,), 0 to C - 1, each class at least once.

    Raises:
        ValueError: shapes or labels that do not fit; features that are all 0, or that tell the labels without any
            error although there are more examples than independent features: the evidence then grows without end.

    Paper: You et al. 2021, arXiv 2102.11005, and, on the fixed point, You et al. 2022, arXiv 2110.10545.
    """
    _check("features", features, labels)
    if not features.any():
        raise ValueError("all features are 0: there is nothing to score")
    f = features.detach().double()
    u, s = _left_singular(f, torch.float64, f.norm())
    targets = _one_hot(labels).T  # (C, N)
    return sum(_max_log_evidence(u, s.square(), y) for y in targets) / len(targets)


def _max_log_evidence(u: Tensor, s2: Tensor, y: Tensor) -> float:
    """max over alpha and beta of log p(y | F) / N, by the left singular vectors (N, R) and squared values (R,) of F."""
    n, z2 = len(y), (u.T @ y).square()
    outside = (y - u @ (u.T @ y)).square().sum() if len(s2) < n else 0.0  # what no w can explain
    if len(s2) < n and outside < 1e-24 * n:
        raise ValueError(
            f"the features (rank {len(s2)}) tell the labels of {n} examples without any error, so the evidence has no "
            "maximum; give more examples, and each only once"
        )
    low, high = s2.min().log() - 60, s2.max().log() + 25  # beyond, nothing changes: all is signal, or all is noise
    for _ in range(3):
        grid = torch.linspace(low, high, 400, dtype=s2.dtype, device=s2.device)
        ratio = s2 / grid.exp()[:, None]  # (400, R)
        beta = n / ((z2 / (1 + ratio)).sum(1) + outside)
        evidence = (beta / (2 * math.pi)).log() / 2 - 0.5 - ratio.log1p().sum(1) / (2 * n)
        best, step = grid[evidence.argmax()], grid[1] - grid[0]
        low, high = best - step, best + step
    return evidence.max().item()


def h_score(features: Tensor, labels: Tensor, shrink: bool = False) -> float:
    """H-score: how much of the features' variance lies between the classes, in all directions alike; higher is better.

        H = tr(cov(f)^+ cov(E[f | y])),    ^+ the pseudoinverse

    cov(E[f | y]) is the covariance of the class means, each counted once per example. With the centred
    features U S V^T, each column of U is one direction with its variance made equal, and H = sum_k q_k, where
    q_k = sum_c N_c (mean of column k over class c)^2 is the share of its variance that lies between the classes.

    From 0 to the smaller of C - 1 and D. Any invertible linear map of the features leaves it as it is. Its flaw: labels
    that have nothing to do with the features still get (C - 1) D / (N - 1) on average, and with D >= N - 1
    independent features every source gets C - 1.

    With `shrink`, the covariance is drawn towards a multiple of the identity, which counts directions of little
    variance less:

        H_a = tr(cov_a^-1 (1 - a) cov(E[f | y])),    cov_a = (1 - a) cov(f) + a tr(cov(f)) / D I

    with the a of Ledoit and Wolf 2004, the estimate of what brings cov_a nearest to the true covariance. A cov(f) that
    is such a multiple already, as that of whitened features, needs no shrinkage: a = 0 and H_a = H.

    Args:
        features: f (N, D).
        labels: class numbers (N,), 0 to C - 1, each class at least once.
        shrink: see above.

    Raises:
        ValueError: shapes or labels that do not fit, or features that are the same for all examples.

    Paper: Bao et al. 2019, An information-theoretic approach to transferability in task transfer learning; Ibrahim et
    al. 2022, arXiv 2110.06893 (shrinkage).
    """
    _check("features", features, labels)
    f, classes = features.detach().double(), _one_hot(labels)
    x = f - f.mean(0)
    # All directions count alike, so those that are rounding errors of the features' own precision must be left out.
    u, s = _left_singular(x, features.dtype if features.is_floating_point() else f.dtype, f.norm())
    if len(s) == 0:
        raise ValueError("the features are the same for all examples (up to rounding); there is no variance to explain")
    between = ((classes.T @ u).square() / classes.sum(0)[:, None]).sum(0)  # q (R,)
    if shrink:
        variance, a = s.square() / len(x), _ledoit_wolf(x)
        between = between * (1 - a) * variance / ((1 - a) * variance + a * variance.sum() / x.shape[1])
    return between.sum().item()


def _ledoit_wolf(x: Tensor) -> float:
    """The shrinkage intensity of Ledoit and Wolf 2004 for centred x (N, D): the estimated squared error of cov(x), as a
    share of its squared distance from the multiple of the identity, at most 1; 0 for a cov(x) that is isotropic."""
    (n, d), second = x.shape, x.square().sum(1)
    squared = (x @ x.T if n < d else x.T @ x).square().sum() / n**2  # ||cov||_F^2
    distance = squared - second.mean().square() / d
    # Eigenvalues that differ by 0.1 % only were whitened, in single precision maybe: chance alone makes more of it.
    if distance <= 1e-6 * squared:
        return 0.0
    error = (second.square().mean() - squared) / n
    return (error / distance).clamp(0, 1).item()


def _left_singular(x: Tensor, precision: torch.dtype, size: Tensor) -> tuple[Tensor, Tensor]:
    """The left singular vectors (N, R) and singular values (R,) of x (N, D), without what may be rounding errors."""
    u, s, _ = torch.linalg.svd(x, full_matrices=False)
    # To round numbers of Frobenius norm `size` moves a singular value by eps * size at most; a network rounds often.
    real = s > 10 * torch.finfo(precision).eps * size
    return u[:, real], s[real]


def _one_hot(labels: Tensor) -> Tensor:
    return torch.nn.functional.one_hot(labels.long()).double()


def _check(name: str, values: Tensor, labels: Tensor) -> None:
    if values.ndim != 2 or labels.shape != values.shape[:1] or values.numel() == 0:
        raise ValueError(
            f"{name} have shape {tuple(values.shape)} and labels {tuple(labels.shape)}; (N, D) and (N,) are needed"
        )
    if not values.isfinite().all():
        raise ValueError(f"{name} hold NaN or infinite numbers; look at the examples that they come from")
    if labels.is_floating_point() or labels.min() < 0:
        raise ValueError(f"labels must be class numbers from 0 on (integers), not {labels.dtype} from {labels.min()}")
    last = int(labels.max())
    if last == 0:
        raise ValueError("all labels are of class 0; a score needs two classes or more")
    if missing := sorted(set(range(last)) - set(labels.tolist())):
        raise ValueError(f"no example of class {missing[0]}; number the classes from 0 to {last} without a gap")
