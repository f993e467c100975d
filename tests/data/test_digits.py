"""Digits: as many as said, of the type said, and the right way up."""

import pytest
import torch

from tlcourse.data.digits import load_mnist, load_uci_digits


def nearest_mean(train, train_labels, test, test_labels):
    """Accuracy of the nearest class mean in pixels."""
    train, test = train.flatten(1).float(), test.flatten(1).float()
    means = torch.stack([train[train_labels == digit].mean(0) for digit in range(10)])
    return (torch.cdist(test, means).argmin(1) == test_labels).float().mean().item()


def test_mnist_has_500_bytes_images_of_each_digit():
    images, labels = load_mnist()
    assert images.shape == (5000, 1, 28, 28) and images.dtype == torch.uint8 and labels.dtype == torch.int64
    assert torch.equal(labels.bincount(), torch.full((10,), 500))
    assert images.max() == 255 and images[..., 0, :].max() == 0, "white ink on black, with a margin"


def test_what_a_caller_does_to_the_images_stays_with_the_caller():
    load_mnist()[0].zero_()
    assert load_mnist()[0].any()


def test_uci_digits_are_bytes_with_a_margin():
    images, labels = load_uci_digits()
    assert images.shape == (1797, 1, 28, 28) and images.dtype == torch.uint8 and labels.dtype == torch.int64
    assert len(labels.unique()) == 10 and images.max() == 255
    assert not images[..., :4, :].any() and not images[..., -4:].any()


def test_at_8_pixels_uci_digits_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    original = torch.from_numpy(load_digits().images)
    assert torch.equal((load_uci_digits(8)[0][:, 0].double() * 16 / 255).round(), original)


def test_the_two_collections_agree_on_what_a_digit_looks_like():
    """MNIST's class means recognise UCI's digits best as they are: labels fit, nothing is turned or mirrored."""
    mnist, (images, labels) = load_mnist(), load_uci_digits()
    changed = [images.flip(-1), images.flip(-2), images.transpose(-1, -2)]
    assert nearest_mean(*mnist, images, labels) > 0.15 + max(nearest_mean(*mnist, other, labels) for other in changed)


def test_a_size_too_small_is_refused():
    with pytest.raises(ValueError, match="size is 7"):
        load_uci_digits(7)
