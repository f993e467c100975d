"""The digit network: shapes group by group, bytes and floats alike, and it learns."""

import pytest
import torch

from tlcourse.networks import digit_network, group_outputs
from tlcourse.training import evaluate, fit, predict


def test_the_groups_have_the_shapes_that_the_docstring_says():
    x, shapes = torch.rand(2, 1, 28, 28), {}
    for name, group in digit_network(5, width=8).named_children():
        x = group(x)
        shapes[name] = tuple(x.shape[1:])
    assert shapes == {
        "conv1": (8, 14, 14), "conv2": (16, 7, 7), "conv3": (32, 4, 4), "dense1": (128,), "dense2": (64,), "head": (5,)
    }  # fmt: skip


def test_bytes_and_floats_are_the_same_image():
    network = digit_network(3).eval()
    images = torch.randint(256, (4, 1, 28, 28), dtype=torch.uint8)
    torch.testing.assert_close(network(images), network(images / 255))


def test_it_learns_to_tell_bars_apart():
    labels = torch.arange(40) % 2
    images = torch.zeros(40, 1, 28, 28, dtype=torch.uint8)
    for image, label, at in zip(images, labels, torch.arange(40) % 20 + 4, strict=True):
        image[(0, slice(None), at) if label else (0, at)] = 255
    torch.manual_seed(0)
    network = digit_network(2)
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    fit(network, (images, labels), optimizer=optimizer, epochs=15, batch_size=20, device="cpu", progress=False)
    assert evaluate(network, (images, labels), device="cpu")["accuracy"] > 0.95


@pytest.mark.parametrize("settings", [{"num_classes": 1}, {"num_classes": 5, "width": 0}])
def test_impossible_settings_are_refused(settings):
    with pytest.raises(ValueError, match="are needed"):
        digit_network(**settings)


def test_the_last_groups_output_is_the_networks():
    network, images = digit_network(4, width=2), torch.rand(7, 1, 28, 28)
    outputs = group_outputs(network, images, batch_size=3)
    assert [tuple(output.shape) for output in outputs[-3:]] == [(7, 128), (7, 64), (7, 4)]
    torch.testing.assert_close(outputs[-1], predict(network, images, device="cpu"))
