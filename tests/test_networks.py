"""The small networks: shapes group by group, bytes and floats alike, and they learn."""

import re
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call, grad, vmap

from tlcourse.networks import conv4, digit_encoder, digit_network, group_outputs
from tlcourse.training import evaluate, fit, predict


def test_the_groups_have_the_shapes_that_the_docstring_says():
    x, shapes = torch.rand(2, 1, 28, 28), {}
    for name, group in digit_network(5, width=8).named_children():
        x = group(x)
        shapes[name] = tuple(x.shape[1:])
    assert shapes == {
        "conv1": (8, 14, 14), "conv2": (16, 7, 7), "conv3": (32, 4, 4), "dense1": (128,), "dense2": (64,), "head": (5,)
    }  # fmt: skip


def test_the_encoders_groups_have_the_shapes_that_the_docstring_says():
    x, shapes = torch.rand(2, 3, 28, 28), {}
    for name, group in digit_encoder(3, width=4).named_children():
        x = group(x)
        shapes[name] = tuple(x.shape[1:])
    assert shapes == {"conv1": (4, 12, 12), "conv2": (8, 4, 4), "dense": (100,)}
    assert x.min() >= 0


def test_the_encoder_takes_the_channels_it_was_made_for():
    images = torch.randint(256, (4, 3, 28, 28), dtype=torch.uint8)
    encoder = digit_encoder(3, width=2).eval()
    torch.testing.assert_close(encoder(images), encoder(images / 255))
    with pytest.raises(ValueError, match=r"shape \(4, 1, 28, 28\); a batch \(B, 3, 28, 28\)"):
        encoder(images[:, :1])
    with pytest.raises(ValueError, match="channels is 0"):
        digit_encoder(0)


def test_bytes_and_floats_are_the_same_image():
    network = digit_network(3).eval()
    images = torch.randint(256, (4, 1, 28, 28), dtype=torch.uint8)
    torch.testing.assert_close(network(images), network(images / 255))


@pytest.mark.parametrize(
    ("images", "error", "words"),
    [
        (torch.rand(1, 28, 28), ValueError, r"shape \(1, 28, 28\); a batch \(B, 1, 28, 28\)"),
        (torch.rand(2, 3, 28, 28), ValueError, r"shape \(2, 3, 28, 28\)"),
        (torch.rand(2, 1, 32, 32), ValueError, r"shape \(2, 1, 32, 32\)"),
        (torch.rand(0, 1, 28, 28), ValueError, r"shape \(0, 1, 28, 28\)"),
        (torch.zeros(2, 1, 28, 28).half(), TypeError, r"torch.float16; give uint8 .* or images.float\(\)"),
        (torch.zeros(2, 1, 28, 28).long(), TypeError, "torch.int64"),
        (torch.full((2, 1, 28, 28), 255.0), ValueError, "from 255 to 255; .* divide by 255"),
        (torch.full((2, 1, 28, 28), -0.5), ValueError, "from -0.5 to -0.5; .* do not normalise"),
        (torch.full((2, 1, 28, 28), float("nan")), ValueError, "from nan"),
    ],
)
def test_other_images_are_refused(images, error, words):
    with pytest.raises(error, match=words):
        digit_network(3, width=1)(images)


def test_a_network_in_double_precision_takes_doubles():
    assert digit_network(3, width=1).double()(torch.rand(2, 1, 28, 28).double()).dtype == torch.float64


def bars(count=40):
    """Upright and lying bars."""
    labels = torch.arange(count) % 2
    images = torch.zeros(count, 1, 28, 28, dtype=torch.uint8)
    for image, label, at in zip(images, labels, torch.arange(count) % 20 + 4, strict=True):
        image[(0, slice(None), at) if label else (0, at)] = 255
    return images, labels


def trained_on_bars(epochs, seed=0, momentum=None):
    torch.manual_seed(seed)
    network = digit_network(2)
    for layer in network.modules():
        if momentum and isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = momentum
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    fit(network, bars(), optimizer=optimizer, epochs=epochs, batch_size=20, device="cpu", progress=False)
    return network


def test_it_learns_to_tell_bars_apart():
    assert evaluate(trained_on_bars(15), bars(), device="cpu")["accuracy"] > 0.95


def test_after_ten_steps_the_running_averages_have_caught_up():
    """In training mode the network is perfect, with any momentum; in evaluation mode torch's 0.1 lags behind."""
    images, labels = bars()
    accuracy = {}
    for momentum in (None, 0.1):
        networks = [trained_on_bars(5, seed, momentum) for seed in range(4)]
        evaluated = [evaluate(network, (images, labels), device="cpu")["accuracy"] for network in networks]
        in_training = [(net.train()(images).argmax(1) == labels).float().mean().item() for net in networks]
        accuracy[momentum] = sum(evaluated) / 4, sum(in_training) / 4
    assert accuracy[None] == pytest.approx((1, 1), abs=0.03)
    assert accuracy[0.1][0] < 0.9 and accuracy[0.1][1] > 0.97


@pytest.mark.parametrize(
    ("pooling", "sides", "features"), [(True, [28, 14, 7, 3, 1, None], 6), (False, [28, 14, 7, 4, 2, None], 24)]
)
def test_the_four_blocks_have_the_shapes_that_the_docstring_says(pooling, sides, features):
    x, shapes = torch.rand(2, 3, 28, 28), {}
    for name, group in conv4(6, 3, pooling=pooling).named_children():
        x = group(x)
        shapes[name] = tuple(x.shape)
    widths = [3, 6, 6, 6, 6]
    names = ["images", "block1", "block2", "block3", "block4"]
    expected = {name: (2, w, side, side) for name, w, side in zip(names, widths, sides, strict=False)}
    assert shapes == expected | {"flatten": (2, features)}


@pytest.mark.parametrize("pooling", [True, False])
def test_a_block_is_convolution_normalisation_relu_and_halving(pooling):
    encoder, images = conv4(4, pooling=pooling), torch.rand(5, 1, 28, 28)
    x = images
    for block in list(encoder)[1:5]:
        convolution, norm = block[0], block[1]
        x = F.conv2d(x, convolution.weight, convolution.bias, padding=1, stride=1 if pooling else 2)
        x = F.batch_norm(x, None, None, norm.weight, norm.bias, training=True).relu()
        if pooling:
            x = x.unfold(2, 2, 2).unfold(3, 2, 2).amax((4, 5))
    torch.testing.assert_close(encoder(images), x.flatten(1), rtol=1e-4, atol=1e-4)
    convolutions = [layer for layer in encoder.modules() if isinstance(layer, nn.Conv2d)]
    assert [layer.kernel_size for layer in convolutions] == [(3, 3)] * 4


def test_conv4_has_64_channels_for_grey_images():
    assert conv4()(torch.rand(2, 1, 28, 28)).shape == (2, 64)
    # The convolutions' weights, the first one's and three more, their biases, and the normalisations' parameters.
    assert sum(p.numel() for p in conv4().parameters()) == 9 * 64 + 3 * 9 * 64**2 + 4 * 64 + 4 * 2 * 64


@pytest.mark.parametrize("pooling", [True, False])
def test_bytes_and_floats_are_the_same_image_to_conv4(pooling):
    encoder = conv4(4, pooling=pooling).eval()
    images = torch.randint(256, (4, 1, 28, 28), dtype=torch.uint8)
    torch.testing.assert_close(encoder(images), encoder(images / 255))
    assert conv4(2).double()(torch.rand(2, 1, 28, 28).double()).dtype == torch.float64


def test_conv4_takes_another_normalisation():
    encoder = conv4(8, normalization=partial(nn.GroupNorm, 2))
    norms = [layer for layer in encoder.modules() if isinstance(layer, nn.GroupNorm | nn.BatchNorm2d)]
    assert [(type(layer), layer.num_groups, layer.num_channels) for layer in norms] == [(nn.GroupNorm, 2, 8)] * 4
    images = torch.rand(6, 1, 28, 28)
    torch.testing.assert_close(encoder(images)[:2], encoder(images[:2]))  # an image's features are its own
    assert not any(True for _ in encoder.buffers())


def test_functions_of_torch_pass_through_conv4():
    """MAML's gradients of many tasks by vmap are those of one after the other; a look at values would forbid vmap."""
    encoder = conv4(4, pooling=False, normalization=partial(nn.GroupNorm, 2))
    params = {name: p.detach() for name, p in encoder.named_parameters()}
    tasks = torch.randint(256, (3, 5, 1, 28, 28), dtype=torch.uint8)

    def loss(params, images):
        return functional_call(encoder, params, (images,)).square().sum()

    batched = vmap(grad(loss), (None, 0))(params, tasks)
    for i, task in enumerate(tasks):
        alone = grad(loss)(params, task)
        for name in params:
            torch.testing.assert_close(batched[name][i], alone[name], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 28, 28), (2, 3, 28, 28), (2, 1, 32, 32), (2, 784)])
def test_conv4_refuses_images_of_another_shape(shape):
    with pytest.raises(ValueError, match=re.escape(f"shape {shape}; a batch (B, 1, 28, 28) is needed")):
        conv4(2)(torch.rand(shape))


@pytest.mark.parametrize("dtype", [torch.int64, torch.int8, torch.bool, torch.complex64])
def test_conv4_refuses_images_that_are_neither_bytes_nor_floats(dtype):
    with pytest.raises(TypeError, match=f"images are of type {dtype}; give uint8"):
        conv4(2)(torch.ones(2, 1, 28, 28).to(dtype))


def test_conv4_tells_apart_the_channels_it_was_made_for():
    with pytest.raises(ValueError, match=r"shape \(2, 1, 28, 28\); a batch \(B, 3, 28, 28\)"):
        conv4(2, 3)(torch.rand(2, 1, 28, 28))


@pytest.mark.parametrize("settings", [{"width": 0}, {"channels": 0}])
def test_conv4_without_channels_is_refused(settings):
    with pytest.raises(ValueError, match="channels is .* and width .*; 1 or more of both are needed"):
        conv4(**settings)


@pytest.mark.parametrize("settings", [{"num_classes": 1}, {"num_classes": 5, "width": 0}])
def test_impossible_settings_are_refused(settings):
    with pytest.raises(ValueError, match="are needed"):
        digit_network(**settings)


def test_the_last_groups_output_is_the_networks():
    network, images = digit_network(4, width=2), torch.rand(7, 1, 28, 28)
    outputs = group_outputs(network, images, batch_size=3)
    assert [tuple(output.shape) for output in outputs[-3:]] == [(7, 128), (7, 64), (7, 4)]
    torch.testing.assert_close(outputs[-1], predict(network, images, device="cpu"))
