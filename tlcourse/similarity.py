"""How alike two layers are: centred kernel alignment (CKA) of their features on the same examples.

Two layers are alike when they find the same pairs of examples alike. That is a question about the Gram matrices
K = X X^T, not about single features, so layers of different widths and of different networks can be compared.
Kornblith et al. 2019, arXiv 1905.00414.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def linear_cka(x: Tensor, y: Tensor, debiased: bool = False) -> float:
    """Linear CKA of two layers' features of the same N examples, in the same order.

        CKA(X, Y) = ||Y^T X||_F^2 / (||X^T X||_F ||Y^T Y||_F) = <K, L> / (||K||_F ||L||_F)

    with the columns of X and Y centred, K = X X^T and L = Y Y^T: the cosine of the angle between two Gram matrices,
    from 0 to 1. The first form is computed where there are more examples than features, else the second; in double.

    It does not change when features are shifted, turned or mirrored (an orthogonal map), or scaled all by the same
    factor. It does change when each feature is scaled by its own factor, or by any other linear map, even if that
    can be undone: directions of large variance count most.

    With few examples in many dimensions all layers look alike: independent Gaussian features of dimension D have a CKA
    of about D / (N + D). The debiased estimate is about 0 there; it lies between -1 and 1.

    Args:
        x: (N, D1), or maps (N, C, H, W), which are flattened; see `cka_matrix`.
        y: (N, D2), likewise.
        debiased: replace <K, L> by the unbiased estimate of the Hilbert-Schmidt independence criterion (HSIC) of Song
            et al. 2012, as Nguyen et al. 2021, arXiv 2010.15327, do.

    Raises:
        ValueError: different numbers of examples, fewer than 2 (debiased: 4), features that are not finite or are the
            same for all examples; debiased: no two examples more alike than any others.
    """
    _check_same_examples([x, y])
    if debiased or len(x) < max(x[0].numel(), y[0].numel()):
        return cka_matrix([x], [y], debiased).item()
    x, y = _centred(x), _centred(y)
    return ((y.T @ x).square().sum() / ((x.T @ x).norm() * (y.T @ y).norm())).item()


def cka_matrix(xs: Sequence[Tensor], ys: Sequence[Tensor], debiased: bool = False) -> Tensor:
    """Linear CKA of each of some layers with each of others, on the same N examples (see `linear_cka`).

    Maps (N, C, H, W) are flattened to (N, C * H * W): a channel at another place is another feature, so a layer that
    sees the same things elsewhere in the image counts as different. Average over the places first,
    `maps.mean((2, 3))`, to ask only what is seen.

    Each layer's Gram matrix is computed once and takes 8 N^2 bytes; some hundred examples do.

    Args:
        xs: A layers' features, each (N, D) or (N, C, H, W).
        ys: B layers' features; the same list again compares a network with itself.
        debiased: as in `linear_cka`.

    Returns:
        (A, B), in double.

    Raises:
        ValueError: as `linear_cka`, or no layers.
    """
    if not (len(xs) and len(ys)):
        raise ValueError(f"there are {len(xs)} layers to compare with {len(ys)}; one or more of each are needed")
    _check_same_examples([*xs, *ys])
    left, right = (torch.stack([_unit_gram(features, debiased) for features in layers]) for layers in (xs, ys))
    return left.flatten(1) @ right.flatten(1).T


def _unit_gram(features: Tensor, debiased: bool) -> Tensor:
    """The centred Gram matrix (N, N) of one layer, divided by its Frobenius norm."""
    x = _centred(features)
    gram = x @ x.T
    size, n = gram.norm(), len(gram)
    if debiased:
        if n < 4:
            raise ValueError(f"there are {n} examples; the debiased estimate needs 4 or more")
        # An example is always most like itself: that is the bias. Leave the diagonal out and centre the rest; inner
        # products of such matrices are n (n - 3) times the unbiased HSIC (Szekely and Rizzo 2014, U-centring).
        gram.fill_diagonal_(0)
        rows = gram.sum(1) / (n - 2)
        gram = (gram - rows - rows[:, None] + rows.sum() / (n - 1)).fill_diagonal_(0)
        if gram.norm() <= 1e-12 * size:
            raise ValueError("all pairs of examples are equally alike, so a debiased CKA is not defined; give others")
    return gram / gram.norm()


def _centred(features: Tensor) -> Tensor:
    x = features.detach().flatten(1).double()
    if not x.isfinite().all():
        raise ValueError("features hold NaN or infinite numbers; look at the layer that they come from")
    if (x == x[0]).all():
        raise ValueError("the features are the same for all examples (zero variance), so CKA is not defined for them")
    return x - x.mean(0)


def _check_same_examples(layers: Sequence[Tensor]) -> None:
    for features in layers:
        if features.ndim < 2 or features.shape[0] != layers[0].shape[0]:
            shapes = ", ".join(str(tuple(layer.shape)) for layer in layers)
            raise ValueError(f"features have shapes {shapes}; (N, D) or (N, C, H, W) of the same N examples are needed")
    if len(layers[0]) < 2:
        raise ValueError(f"the number of examples is {len(layers[0])}; CKA compares pairs of them, give 2 or more")
