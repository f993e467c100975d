"""CKA: the formula by centring matrices and by sums over pairs; what it does and does not see; its bias."""

import numpy as np
import pytest
import torch

from tlcourse.similarity import cka_matrix, linear_cka


def gaussian(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.double, generator=torch.Generator().manual_seed(seed))


def related(n, d1, d2, seed):
    """Two layers that see the same three things."""
    shared = gaussian(n, 3, seed=seed)
    x = shared @ gaussian(3, d1, seed=seed + 100) + gaussian(n, d1, seed=seed + 200)
    return x + 5, shared @ gaussian(3, d2, seed=seed + 300) + gaussian(n, d2, seed=seed + 400)


def by_centring_matrices(x, y):
    """CKA from HSIC(K, L) = tr(K H L H) / (N - 1)^2, H = I - 1 1^T / N."""
    x, y, n = x.flatten(1).numpy(), y.flatten(1).numpy(), len(x)
    h = np.eye(n) - np.ones((n, n)) / n

    def hsic(k, m):
        return np.trace(k @ h @ m @ h) / (n - 1) ** 2

    k, m = x @ x.T, y @ y.T
    return hsic(k, m) / np.sqrt(hsic(k, k) * hsic(m, m))


def by_unbiased_hsic(x, y):
    """CKA from equation (5) of Song et al. 2012, term by term."""
    x, y, n = x.flatten(1).numpy(), y.flatten(1).numpy(), len(x)
    one = np.ones(n)

    def hsic(k, m):
        k, m = k - np.diag(np.diag(k)), m - np.diag(np.diag(m))
        pairs = one @ k @ one * (one @ m @ one) / ((n - 1) * (n - 2))
        return (np.trace(k @ m) + pairs - 2 / (n - 2) * (one @ k @ m @ one)) / (n * (n - 3))

    k, m = x @ x.T, y @ y.T
    return hsic(k, m) / np.sqrt(hsic(k, k) * hsic(m, m))


SIZES = [(30, 4, 7), (30, 40, 7), (12, 40, 50), (5, 2, 2)]  # more examples than features, fewer, few


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("n", "d1", "d2"), SIZES)
@pytest.mark.parametrize(("debiased", "reference"), [(False, by_centring_matrices), (True, by_unbiased_hsic)])
def test_it_is_the_ratio_of_hsic(n, d1, d2, seed, debiased, reference):
    x, y = related(n, d1, d2, seed)
    assert linear_cka(x, y, debiased) == pytest.approx(reference(x, y), abs=1e-12)


def test_two_features_have_the_squared_correlation():
    x, y = gaussian(20, 1), gaussian(20, 1, seed=1) + gaussian(20, 1)
    assert linear_cka(x, y) == pytest.approx(np.corrcoef(x[:, 0], y[:, 0])[0, 1] ** 2)


@pytest.mark.parametrize("debiased", [False, True])
@pytest.mark.parametrize(("n", "d1", "d2"), SIZES)
def test_turns_shifts_and_one_scale_are_not_seen(n, d1, d2, debiased):
    x, y = related(n, d1, d2, seed=0)
    turn = torch.linalg.qr(gaussian(d1, d1, seed=9))[0]
    assert linear_cka(x, x, debiased) == pytest.approx(1)
    assert linear_cka(x, -3 * x @ turn + 2, debiased) == pytest.approx(1)
    assert linear_cka(x @ turn * 7 - 1, y, debiased) == pytest.approx(linear_cka(x, y, debiased))
    assert linear_cka(y, x, debiased) == pytest.approx(linear_cka(x, y, debiased))
    order = torch.randperm(n, generator=torch.Generator().manual_seed(1))
    assert linear_cka(x[order], y[order], debiased) == pytest.approx(linear_cka(x, y, debiased))


def test_other_invertible_maps_are_seen():
    """Independent features of variances v, scaled to equal ones: CKA = sum v / sqrt(D sum v^2), up to sampling."""
    variances = torch.tensor([100.0, 1, 1, 1], dtype=torch.double)
    x = gaussian(20_000, 4)
    expected = variances.sum() / (4 * variances.square().sum()).sqrt()
    assert linear_cka(x * variances.sqrt(), x) == pytest.approx(expected.item(), abs=0.02)
    assert expected < 0.6


@pytest.mark.parametrize(("n", "d1", "d2"), [(50, 200, 200), (50, 200, 400), (400, 200, 200)])
def test_unrelated_features_look_alike_where_examples_are_few(n, d1, d2):
    """E||Y^T X||^2 = m D1 D2 and E||X^T X||^2 = m D (m + D + 1) for centred Gaussian features, with m = N - 1."""
    m = n - 1
    expected = (d1 * d2 / ((m + d1 + 1) * (m + d2 + 1))) ** 0.5
    biased = [linear_cka(gaussian(n, d1, seed=s), gaussian(n, d2, seed=50 + s)) for s in range(5)]
    debiased = [linear_cka(gaussian(n, d1, seed=s), gaussian(n, d2, seed=50 + s), debiased=True) for s in range(5)]
    assert np.mean(biased) == pytest.approx(expected, abs=0.01)
    assert np.mean(debiased) == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("debiased", [False, True])
def test_the_matrix_holds_each_pair(debiased):
    a, b = related(15, 6, 40, seed=1)
    maps = gaussian(15, 3, 4, 5, seed=2)
    matrix = cka_matrix([a, b], [maps, b, a], debiased)
    expected = [[linear_cka(x, y, debiased) for y in (maps, b, a)] for x in (a, b)]
    assert matrix.numpy() == pytest.approx(np.array(expected))
    assert matrix[0, 2] == pytest.approx(1) and matrix[1, 1] == pytest.approx(1)


def test_each_place_of_a_map_is_a_feature_of_its_own():
    maps = gaussian(15, 3, 4, 5)
    assert linear_cka(maps, maps.reshape(15, 60)) == pytest.approx(1)
    same_shift = maps.roll(2, dims=3)  # all examples alike: the same features in another order
    assert linear_cka(maps, same_shift) == pytest.approx(1)
    moved = torch.stack([example.roll(i % 5, dims=2) for i, example in enumerate(maps)])
    assert linear_cka(maps, moved) < 0.9
    assert linear_cka(maps.mean((2, 3)), moved.mean((2, 3))) == pytest.approx(1)


def test_single_precision_with_a_large_mean_is_computed_in_double():
    x, y = related(40, 6, 6, seed=3)
    shifted = (x + 1000).float()
    assert linear_cka(shifted, y.float()) == pytest.approx(by_centring_matrices(shifted.double() - 1000, y), abs=1e-6)
    assert cka_matrix([shifted], [y.float()]).dtype == torch.double


def test_no_gradient_is_kept_and_the_features_stay():
    x, y = related(8, 20, 3, seed=0)
    x.requires_grad_()
    before = x.detach().clone()
    assert not cka_matrix([x], [y], debiased=True).requires_grad
    assert torch.equal(x.detach(), before)


X, Y = related(6, 3, 4, seed=0)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: linear_cka(X, Y[:5]), r"shapes \(6, 3\), \(5, 4\); \(N, D\) or \(N, C, H, W\) of the same N"),
        (lambda: linear_cka(X[:, 0], Y), r"shapes \(6,\), \(6, 4\)"),
        (lambda: cka_matrix([X, X], [Y, Y[:5]]), "the same N examples"),
        (lambda: cka_matrix([], [Y]), "0 layers to compare with 1"),
        (lambda: linear_cka(X[:1], Y[:1]), "examples is 1; .* give 2 or more"),
        (lambda: linear_cka(X[:3], Y[:3], debiased=True), "3 examples; the debiased estimate needs 4"),
        (lambda: linear_cka(X, 0 * Y + 0.1), "same for all examples"),
        (lambda: cka_matrix([X], [0 * Y + 0.1]), "zero variance"),
        (lambda: linear_cka(X * float("nan"), Y), "NaN"),
        (lambda: linear_cka(X, Y / 0), "infinite"),
        (lambda: linear_cka(torch.eye(6), Y, debiased=True), "equally alike"),
    ],
)
def test_bad_input_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
