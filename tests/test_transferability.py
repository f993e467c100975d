"""Transferability scores: each against its definition computed another way, its closed forms and its limits."""

from collections import defaultdict
from math import log, pi

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.stats import Covariance, multivariate_normal
from sklearn.covariance import LedoitWolf
from sklearn.datasets import load_digits
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from torch.nn.functional import one_hot

from tlcourse.transferability import h_score, leep, log_me


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.double, generator=torch.Generator().manual_seed(seed))


def classes(n, count, seed=0):
    """Labels by chance, each class at least once."""
    drawn = torch.randint(count, (n,), generator=torch.Generator().manual_seed(seed))
    return torch.cat([torch.arange(count), drawn[count:]])


def clouds(n, d, count, spread=1.0, seed=0):
    """Features that tell something of their labels, with scales that differ."""
    labels = classes(n, count, seed)
    features = spread * random(count, d, seed=seed + 50)[labels] + random(n, d, seed=seed)
    return features * torch.logspace(-1, 1, d), labels


def entropy(labels):
    shares = np.bincount(labels) / len(labels)
    return -(shares * np.log(shares)).sum()


# LEEP


def leep_by_loops(theta, labels):
    joint, marginal = defaultdict(float), defaultdict(float)
    for row, y in zip(theta.tolist(), labels.tolist(), strict=True):
        for z, probability in enumerate(row):
            joint[y, z] += probability / len(labels)
            marginal[z] += probability / len(labels)
    logs = [
        log(sum(joint[y, z] / marginal[z] * probability for z, probability in enumerate(row) if probability))
        for row, y in zip(theta.tolist(), labels.tolist(), strict=True)
    ]
    return sum(logs) / len(logs)


@pytest.mark.parametrize("seed", range(5))
def test_leep_is_its_definition_and_keeps_its_bounds(seed):
    labels = classes(40, 4, seed)
    theta = (3 * random(40, 6, seed=seed)).softmax(1)
    theta = torch.cat([theta, theta.new_zeros(40, 1)], 1)  # a source class that never occurs
    assert leep(theta, labels) == pytest.approx(leep_by_loops(theta, labels), abs=1e-12)
    assert -entropy(labels) <= leep(theta, labels) <= 0


def test_leep_by_hand():
    """P(z) = 1/2 each; P(y=0 | z=0) = (1 + 1/2) / 2 = 3/4, P(y=0 | z=1) = (0 + 1/2) / 2 = 1/4."""
    theta = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0], [0.5, 0.5]])
    expected = (log(3 / 4) + log(1 / 2) + log(3 / 4) + log(1 / 2)) / 4
    assert leep(theta, torch.tensor([0, 0, 1, 1])) == pytest.approx(expected)


def test_leep_of_a_source_that_says_nothing_is_minus_the_entropy():
    labels = classes(50, 3)
    assert leep(torch.tensor([[0.2, 0.5, 0.3]]).expand(50, 3), labels) == pytest.approx(-entropy(labels))


def test_leep_of_a_source_that_names_each_class_is_zero():
    """Also where it has two names for a class, or names in another order."""
    labels = classes(50, 3)
    names = torch.tensor([[4, 2], [0, 0], [3, 1]])[labels, torch.arange(50) % 2]
    assert leep(one_hot(names), labels) == pytest.approx(0, abs=1e-12)


# LogME


def log_evidence(features, y, alpha, beta):
    """log p(y | F) / N by the definition: y is normal with covariance F F^T / alpha + I / beta."""
    covariance = features @ features.T / alpha + np.eye(len(y)) / beta
    factored = Covariance.from_cholesky(np.linalg.cholesky(covariance))
    return multivariate_normal(np.zeros(len(y)), factored).logpdf(y) / len(y)


def log_me_by_search(features, labels):
    """The maximum by scipy over log alpha and log beta, from several starts, for there may be several maxima."""
    features, labels = features.numpy(), labels.numpy()
    settings = {"method": "L-BFGS-B", "bounds": [(-9, 40), (-9, 9)], "options": {"ftol": 1e-13, "gtol": 1e-8}}
    best = []
    for c in range(labels.max() + 1):
        y = (labels == c).astype(float)

        def loss(logs, y=y):
            return -log_evidence(features, y, *np.exp(logs))

        best.append(-min(minimize(loss, (log_alpha, 2), **settings).fun for log_alpha in (-2, 3, 7, 12)))
    return np.mean(best)


def log_me_by_iteration(features, labels, steps=5000):
    """The paper's fixed point, with A, m and the residual as matrices, and the evidence at their last values."""
    f, scores = features.numpy(), []
    (n, d), gram = f.shape, f.T @ f
    for c in range(int(labels.max()) + 1):
        y, alpha, beta = (labels == c).double().numpy(), 1.0, 1.0
        for _ in range(steps):
            precision = alpha * np.eye(d) + beta * gram
            m = beta * np.linalg.solve(precision, f.T @ y)
            gamma = d - alpha * np.trace(np.linalg.inv(precision))
            before = alpha, beta
            alpha, beta = gamma / (m @ m), (n - gamma) / ((y - f @ m) @ (y - f @ m))
            if np.allclose(before, (alpha, beta), rtol=1e-10, atol=0):
                break
        precision = alpha * np.eye(d) + beta * gram
        m = beta * np.linalg.solve(precision, f.T @ y)
        fit = -beta / 2 * ((y - f @ m) @ (y - f @ m)) - alpha / 2 * (m @ m)
        volume = d / 2 * log(alpha) + n / 2 * log(beta) - np.linalg.slogdet(precision)[1] / 2
        scores.append((fit + volume - n / 2 * log(2 * pi)) / n)
    return np.mean(scores)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("n", "d"), [(20, 4), (10, 15)])  # more examples than features, and fewer
def test_log_me_is_the_maximum_over_alpha_and_beta(n, d, seed):
    features, labels = clouds(n, d, 2, spread=2, seed=seed)
    assert log_me(features, labels) == pytest.approx(log_me_by_search(features, labels), abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("d", [6, 60])
def test_log_me_is_where_the_papers_iteration_ends(d, seed):
    features, labels = clouds(50, d, 3, spread=2, seed=seed)
    assert log_me(features, labels) == pytest.approx(log_me_by_iteration(features, labels), abs=1e-8)


def test_log_me_takes_the_highest_of_several_maxima():
    """Some features are large and useless, one is small and useful: the iteration from alpha = beta = 1 is caught."""
    labels = torch.arange(20) % 2
    useful = 2.0 * labels[:, None] - 1 + 0.1 * random(20, 1)
    features = torch.cat([10 * random(20, 3, seed=1), 0.01 * useful], 1)
    assert log_me(features, labels) == pytest.approx(log_me_by_search(features, labels), abs=1e-6)
    assert log_me(features, labels) > log_me_by_iteration(features, labels) + 0.1


def test_log_me_of_useless_features_is_that_of_noise():
    """The features are orthogonal to y, so alpha is infinite and 1 / beta = mean(y^2)."""
    features = torch.tensor([[1.0], [-1.0], [1.0], [-1.0]])
    assert log_me(features, torch.tensor([0, 0, 1, 1])) == pytest.approx(-(log(2 * pi * 0.5) + 1) / 2, abs=1e-9)


def test_log_me_with_independent_features_for_each_example_needs_no_noise():
    """F F^T = I: y has variance 1 / alpha + 1 / beta in each direction, mean(y^2) at its best."""
    labels = torch.tensor([0, 1, 1, 1])
    expected = -sum(log(2 * pi * share) + 1 for share in (0.25, 0.75)) / 4
    assert log_me(torch.eye(4), labels) == pytest.approx(expected, abs=1e-9)


def test_log_me_of_nearly_perfect_features_grows_with_the_log_of_their_error():
    """Of N directions R are explained; in each other one, an error 10 times smaller adds log 10 to the log density."""
    labels = classes(20, 2)
    small, smaller = (log_me(one_hot(labels) + error * random(20, 2), labels) for error in (1e-8, 1e-9))
    assert smaller - small == pytest.approx((20 - 2) / 20 * log(10), abs=1e-5)


@pytest.mark.parametrize("d", [5, 60])
def test_log_me_does_not_see_scale_and_turns(d):
    features, labels = clouds(40, d, 3)
    turn = torch.linalg.qr(random(d, d, seed=7))[0]
    for changed in (1e4 * features, 1e-4 * features, features @ turn, torch.cat([features, 0 * features], 1)):
        assert log_me(changed, labels) == pytest.approx(log_me(features, labels), abs=1e-8)


# H-score


def h_by_traces(features, labels):
    f, labels = features.double().numpy(), labels.numpy()
    means = np.stack([f[labels == c].mean(0) for c in range(labels.max() + 1)])[labels]
    return np.trace(np.linalg.pinv(np.cov(f.T), rcond=1e-10) @ np.cov(means.T))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("n", "d"), [(60, 5), (20, 15)])
def test_h_score_is_its_definition(n, d, seed):
    features, labels = clouds(n, d, 4, seed=seed)
    assert h_score(features + 3, labels) == pytest.approx(h_by_traces(features, labels), abs=1e-9)


def test_h_score_is_what_linear_discriminant_analysis_finds():
    """H is the sum of the shares of variance between classes, 1 - within / total, in the discriminant directions."""
    features, labels = clouds(80, 6, 4, seed=3)
    lda = LinearDiscriminantAnalysis(solver="eigen").fit(features.numpy(), labels.numpy())
    means = torch.from_numpy(lda.transform(features.numpy()))
    within = torch.stack([(means[labels == c] - means[labels == c].mean(0)).square().sum(0) for c in range(4)]).sum(0)
    total = (means - means.mean(0)).square().sum(0)
    assert h_score(features, labels) == pytest.approx((1 - within / total)[:3].sum().item())


def test_h_score_of_separated_classes_is_their_number_less_one():
    labels = classes(30, 4)
    features = one_hot(labels).float()
    assert h_score(features, labels) == pytest.approx(3)
    assert h_score(features[:, :2], labels) == pytest.approx(2)


@pytest.mark.parametrize("seed", range(3))
def test_h_score_does_not_see_invertible_maps(seed):
    features, labels = clouds(60, 5, 3, seed=seed)
    assert h_score(features @ random(5, 5, seed=seed + 20) - 2, labels) == pytest.approx(h_score(features, labels))


def test_h_score_of_unrelated_labels_rises_with_the_number_of_features():
    """(C - 1) D / (N - 1) on average over all orders of the labels, and C - 1 from D = N - 1 on."""
    labels, n = classes(40, 4), 40
    orders = [torch.randperm(n, generator=torch.Generator().manual_seed(s)) for s in range(100)]
    for d in (5, 20):
        scores = [h_score(random(n, d), labels[order]) for order in orders]
        assert np.mean(scores) == pytest.approx(3 * d / (n - 1), abs=3 * np.std(scores) / len(scores) ** 0.5)
    assert h_score(random(n, n - 1), labels) == pytest.approx(3)
    assert h_score(random(n, 3 * n), labels) == pytest.approx(3)


def test_h_score_leaves_rounding_errors_out():
    """A copy of all features, in single precision and mixed by a matrix, adds nothing."""
    features, labels = clouds(60, 5, 3)
    mixed = features.float() @ random(5, 40, seed=4).float()
    assert h_score(mixed, labels) == pytest.approx(h_score(features, labels), abs=1e-3)
    assert h_score((100 * features).round().long(), labels) == pytest.approx(h_score(features, labels), abs=0.1)


@pytest.mark.parametrize(("n", "d"), [(60, 5), (20, 50)])
def test_shrunk_h_score_uses_the_covariance_of_ledoit_and_wolf(n, d):
    features, labels = clouds(n, d, 4, seed=5)
    reference = LedoitWolf().fit(features.numpy())
    means = torch.stack([features[labels == c].mean(0) for c in range(4)])[labels].numpy()
    between = np.cov(means.T, bias=True)
    expected = (1 - reference.shrinkage_) * np.trace(np.linalg.inv(reference.covariance_) @ between)
    assert 0 < reference.shrinkage_ < 1
    assert h_score(features, labels, shrink=True) == pytest.approx(expected)
    assert h_score(features, labels, shrink=True) < h_score(features, labels)


def test_shrinking_does_not_see_scale_and_turns():
    features, labels = clouds(20, 30, 3)
    turned = 50 * features @ torch.linalg.qr(random(30, 30, seed=7))[0]
    assert h_score(turned, labels, shrink=True) == pytest.approx(h_score(features, labels, shrink=True))


def test_shrinking_one_feature_changes_nothing():
    features, labels = clouds(20, 1, 3)
    assert h_score(features, labels, shrink=True) == pytest.approx(h_score(features, labels))


@pytest.mark.parametrize("precision", [torch.float, torch.double])
@pytest.mark.parametrize("seed", range(3))
def test_shrinking_whitened_features_changes_nothing(precision, seed):
    """Their covariance is a multiple of the identity, so there is nothing to draw it towards."""
    features, labels = clouds(200, 30, 3, seed=seed)
    x = (features - features.mean(0)).to(precision)
    variance, axes = torch.linalg.eigh(x.T @ x)
    for white in (torch.linalg.svd(x, full_matrices=False)[0], x @ axes / variance.sqrt()):
        for scale in (1e-3, 1, 1e3):
            assert h_score(scale * white, labels, shrink=True) == pytest.approx(h_score(features, labels), rel=1e-3)


def test_shrinking_tells_good_features_from_chance_where_examples_are_few():
    x, y = clouds(30, 60, 3, spread=3)
    chance = random(30, 60, seed=1)
    assert [h_score(x, y), h_score(chance, y)] == pytest.approx([2, 2])
    assert h_score(x, y, shrink=True) > h_score(chance, y, shrink=True) + 0.5


# All


def scores(x, y):
    return leep(x.softmax(1), y), log_me(x, y), h_score(x, y), h_score(x, y, shrink=True)


def test_higher_is_better():
    """Pixels of real digits, ever more of which are put in another digit's place."""
    pixels, labels = (torch.from_numpy(part[:300]) for part in load_digits(return_X_y=True))
    order = torch.randperm(300, generator=torch.Generator().manual_seed(0))
    by_share = []
    for wrong in (0, 100, 200, 300):
        mixed = pixels.clone()
        mixed[order[:wrong]] = pixels[order[:wrong].roll(1)]
        by_share.append(scores(mixed, labels))
    for better, worse in zip(by_share, by_share[1:], strict=False):
        assert all(a > b for a, b in zip(better, worse, strict=True))


@pytest.mark.parametrize("integer", [torch.uint8, torch.int32])
def test_inputs_may_be_of_other_types(integer):
    x, y = clouds(30, 4, 3)
    assert scores(x.float(), y.to(integer)) == pytest.approx(scores(x, y), rel=1e-5)


X, Y = clouds(12, 3, 3)
P = X.softmax(1)


@pytest.mark.parametrize("score", [leep, log_me, h_score])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x, y: (x[0], y), r"have shape \(3,\) and labels \(12,\); \(N, D\) and \(N,\) are needed"),
        (lambda x, y: (x, y[:5]), r"labels \(5,\)"),
        (lambda x, y: (x[:0], y[:0]), r"shape \(0, 3\)"),
        (lambda x, y: (x, y.float()), "class numbers"),
        (lambda x, y: (x, y - 1), "from 0 on"),
        (lambda x, y: (x, 2 * y), "no example of class 1; number the classes from 0 to 4"),
        (lambda x, y: (x, 0 * y), "two classes or more"),
        (lambda x, y: (x[:1], 0 * y[:1]), "two classes or more"),
        (lambda x, y: (x * float("nan"), y), "hold NaN"),
    ],
)
def test_bad_input_is_refused(score, change, words):
    with pytest.raises(ValueError, match=words):
        score(*change(P, Y))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: leep(X, Y), r"apply .softmax\(1\) to logits"),
        (lambda: leep(P / 2, Y), "sums from 0.5 to 0.5"),
        (lambda: leep(2 * P - 1 / 3, Y), "must hold probabilities"),
        (lambda: log_me(0 * X, Y), "all features are 0"),
        (lambda: log_me(one_hot(Y), Y), r"\(rank 3\) tell the labels of 12 examples without any error"),
        (lambda: h_score(0 * X + 0.1, Y), "same for all examples"),
        (lambda: h_score((0 * X + 0.1).float(), Y, shrink=True), "same for all examples"),
    ],
)
def test_what_a_score_cannot_take_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
