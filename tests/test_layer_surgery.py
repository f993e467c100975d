"""Layer surgery: the first k groups are the source's, the others the target's, and what is frozen stays."""

import re
from collections import OrderedDict

import pytest
import torch
from torch import nn

from tlcourse.fine_tuning import is_frozen
from tlcourse.layer_surgery import transplant
from tlcourse.networks import digit_network
from tlcourse.training import fit

GROUPS = ("conv1", "conv2", "conv3", "dense1", "dense2", "head")


@pytest.fixture
def source():
    torch.manual_seed(1)
    network = digit_network(4, width=2)
    network(torch.rand(8, 1, 28, 28))  # running averages that differ from the initial ones
    return network


@pytest.fixture
def target():
    torch.manual_seed(2)
    return digit_network(3, width=2)


def train(network, epochs=2):
    data = torch.rand(12, 1, 28, 28), torch.arange(12) % 3
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], 0.1)
    fit(network, data, optimizer=optimizer, epochs=epochs, batch_size=4, device="cpu", progress=False)
    return network


def same(group, other):
    pairs = zip(group.state_dict().items(), other.state_dict().items(), strict=True)
    return all(name == there and torch.equal(tensor, value) for (name, tensor), (there, value) in pairs)


@pytest.mark.parametrize("k", range(6))
@pytest.mark.parametrize("frozen", [True, False])
def test_each_group_comes_from_where_it_should(source, target, k, frozen):
    network = transplant(source, target, k, frozen=frozen)
    assert tuple(name for name, _ in network.named_children()) == GROUPS
    for index, name in enumerate(GROUPS):
        assert same(getattr(network, name), getattr(source if index < k else target, name))
        assert is_frozen(getattr(network, name)) == (frozen and index < k)


def test_training_moves_neither_a_frozen_group_nor_the_networks_given(source, target):
    network = transplant(source, target, 3, frozen=True)
    first, last = source.conv1[1].weight.clone(), target.head.weight.clone()
    train(network)
    assert all(same(getattr(network, name), getattr(source, name)) for name in GROUPS[:3])
    assert torch.equal(source.conv1[1].weight, first) and torch.equal(target.head.weight, last)
    assert not torch.equal(network.head.weight, last)


def test_without_freezing_every_group_is_trained(source, target):
    source.requires_grad_(False)
    network = train(transplant(source, target, 3, frozen=False))
    assert not any(same(getattr(network, name), getattr(source, name)) for name in GROUPS[:3])


def test_none_transplanted_is_the_target_alone(source, target):
    images = torch.rand(3, 1, 28, 28)
    torch.testing.assert_close(transplant(source, target, 0, frozen=True).eval()(images), target.eval()(images))


def test_all_transplanted_is_the_source_alone(source):
    images, other = torch.rand(3, 1, 28, 28), digit_network(4, width=2)
    for frozen in (True, False):
        network = transplant(source, other, 6, frozen=frozen)
        assert [is_frozen(group) for group in network] == [frozen] * 6
        torch.testing.assert_close(network.eval()(images), source.eval()(images))


@pytest.mark.parametrize(
    "device", ["meta", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))]
)
def test_the_new_network_is_on_the_target_s_device(source, target, device):
    network = transplant(source, target.to(device), 3, frozen=True)
    assert {tensor.device.type for tensor in network.state_dict().values()} == {device}
    assert {tensor.device.type for tensor in source.state_dict().values()} == {"cpu"}


def test_a_group_without_tensors_can_be_transplanted():
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    images = torch.rand(3, 2, 2)
    torch.testing.assert_close(transplant(network, network, 2, frozen=True)(images), network(images))


def test_k_out_of_range_is_refused(source, target):
    for k in (-1, 7):
        with pytest.raises(ValueError, match=f"k is {k}; .* 6 groups .*conv1.*head.* 0 to 6"):
            transplant(source, target, k, frozen=True)


def test_a_group_that_does_not_fit_is_named(source, target):
    told = (
        "group 'head' does not fit: its weight has shape (4, 64) in the source and (3, 64) in the target; "
        "make both networks alike, or take fewer groups"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(told)}$"):
        transplant(source, target, 6, frozen=True)
    with pytest.raises(ValueError, match="'conv1' does not fit"):
        transplant(digit_network(3, width=3), target, 1, frozen=False)
    target.head = nn.Linear(64, 4, bias=False)
    with pytest.raises(ValueError, match=r"its bias has shape \(4,\) in the source and None in the target"):
        transplant(source, target, 6, frozen=True)


def test_groups_in_another_order_or_too_few_are_refused(source, target):
    names = ["conv2", "conv1", "conv3", "dense1", "dense2", "head"]
    shuffled = nn.Sequential(OrderedDict((name, getattr(source, name)) for name in names))
    told = "for k = 1 the source begins with conv2 and the target with conv1; give both the same groups"
    with pytest.raises(ValueError, match=told):
        transplant(shuffled, target, 1, frozen=True)
    with pytest.raises(ValueError, match="for k = 2 the source begins with conv1 and the target with conv1, conv2;"):
        transplant(source[:1], target, 2, frozen=True)
    with pytest.raises(ValueError, match="begins with nothing and"):
        transplant(source[:0], target, 1, frozen=True)
