"""Digits: as many as said, of the type said, and the right way up."""

import pytest
import torch

from tlcourse.data.digits import FACES, digit_domains, load_mnist, load_uci_digits, mnist_m, printed_digits
from tlcourse.data.photos import photo


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


# Printed digits


def test_printed_digits_are_as_many_of_each_and_framed_as_mnists_are():
    images, labels = printed_digits(500)
    assert images.shape == (500, 1, 28, 28) and images.dtype == torch.uint8 and labels.dtype == torch.int64
    assert torch.equal(labels.bincount(), torch.full((10,), 50)) and labels[:50].unique().numel() == 10
    ink = (images[:, 0] > 100).float()
    heights = ink.amax(2).sum(1)
    assert 17 <= heights.quantile(0.05) and heights.quantile(0.95) <= 25, "about 20 of 28 pixels, and jitter"
    assert ink[:, :2].mean() < 0.01 and ink[:, :, -2:].mean() < 0.01


def test_printed_and_handwritten_digits_agree_on_what_a_digit_looks_like():
    printed, (images, labels) = printed_digits(2000), load_mnist()
    upright = nearest_mean(*printed, images, labels)
    assert upright > 0.3
    for other in (images.flip(-1), images.flip(-2), images.transpose(-1, -2)):
        assert nearest_mean(*printed, other, labels) < upright - 0.08


def test_a_seed_gives_the_same_printed_digits_and_another_one_others():
    (images, labels), (again, same), (other, _) = printed_digits(40), printed_digits(40), printed_digits(40, seed=1)
    assert torch.equal(images, again) and torch.equal(labels, same) and not torch.equal(images, other)
    assert len(FACES) == len(set(FACES)) == 21


# MNIST-M


def test_mnist_m_is_the_distance_of_patch_and_digit_in_each_channel():
    """A digit of 0 leaves the patch as it is, and one of 255 turns it into its negative."""
    images = torch.zeros(6, 1, 28, 28, dtype=torch.uint8)
    patches = mnist_m(images, seed=3)
    assert patches.shape == (6, 3, 28, 28) and patches.dtype == torch.uint8
    assert torch.equal(mnist_m(images + 255, seed=3), 255 - patches)
    assert torch.equal(mnist_m(images + 100, seed=3).int(), (patches.int() - 100).abs())
    assert not torch.equal(mnist_m(images, seed=4), patches)


def test_the_patches_are_pieces_of_the_photographs():
    """The cat's photograph is small enough to be left as it is: each of its patches is found in it."""
    cat = photo("cat")
    pieces = cat[:, :-27, :-27].flatten(1)  # the first pixel of each
    patches = mnist_m(torch.zeros(60, 1, 28, 28, dtype=torch.uint8))
    found = [patch for patch in patches if any(
        torch.equal(cat[:, y : y + 28, x : x + 28], patch)
        for index in (pieces == patch[:, 0, :1]).all(0).nonzero()[:, 0].tolist()
        for y, x in [divmod(index, cat.shape[2] - 27)]
    )]  # fmt: skip
    assert cat.shape[1] <= 320 and found


@pytest.mark.parametrize(
    "images", [torch.zeros(2, 1, 28, 28), torch.zeros(2, 3, 28, 28).byte(), torch.zeros(2, 28, 28).byte()]
)
def test_only_grey_bytes_are_blended(images):
    with pytest.raises(ValueError, match="grey ones, uint8"):
        mnist_m(images)


# Domains


@pytest.mark.parametrize(
    ("name", "channels", "sizes"),
    [("MNIST to MNIST-M", 3, (2500, 1500, 1000)), ("printed to handwritten", 1, (4000, 4000, 1000))],
)
def test_domains_have_the_parts_they_promise(name, channels, sizes):
    domains = digit_domains(name, seed=1)
    assert list(domains) == ["source", "target", "test"]
    assert tuple(len(labels) for _, labels in domains.values()) == sizes
    assert all(images.shape[1:] == (channels, 28, 28) for images, _ in domains.values())
    assert all(len(labels.unique()) == 10 for _, labels in domains.values())


def test_no_handwritten_digit_is_in_two_parts():
    handwritten = digit_domains("printed to handwritten")
    rows = {part: {image.numpy().tobytes() for image in handwritten[part][0]} for part in ("target", "test")}
    assert not rows["target"] & rows["test"]
    blended = digit_domains("MNIST to MNIST-M")
    order = torch.randperm(5000, generator=torch.Generator().manual_seed(0))
    images, labels = load_mnist()
    assert torch.equal(blended["source"][0][:, 1], images[order[:2500], 0])
    assert torch.equal(blended["test"][1], labels[order[4000:]])


def test_unknown_domains_are_refused():
    with pytest.raises(ValueError, match="there are no domains 'SVHN'"):
        digit_domains("SVHN")


def test_the_full_mnist_says_what_to_do_without_internet(monkeypatch, tmp_path):
    from torchvision import datasets

    def offline(*arguments, **options):
        raise RuntimeError("no connection")

    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path))
    monkeypatch.setattr(datasets, "MNIST", offline)
    with pytest.raises(RuntimeError, match=r"could not be downloaded \(no connection\).*use load_mnist\(\)"):
        load_mnist(full=True)


def test_the_full_mnist_is_the_training_part_and_then_the_test_part(monkeypatch, tmp_path):
    from torchvision import datasets

    class Stored:
        def __init__(self, folder, train, download):
            assert folder == tmp_path / "mnist" and download
            self.data = torch.full((6 if train else 2, 28, 28), int(train), dtype=torch.uint8)
            self.targets = torch.full((6 if train else 2,), 3)

    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path))
    monkeypatch.setattr(datasets, "MNIST", Stored)
    images, labels = load_mnist(full=True)
    assert images.shape == (8, 1, 28, 28) and images[:6].all() and not images[6:].any() and labels.dtype == torch.int64
