"""Layer surgery: the first k groups are the source's, the others the target's, and what is frozen stays."""

import pytest
import torch

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


def test_k_out_of_range_is_refused(source, target):
    for k in (-1, 7):
        with pytest.raises(ValueError, match=f"k is {k}; .* 6 groups .*conv1.*head.* 0 to 6"):
            transplant(source, target, k, frozen=True)


def test_a_group_that_does_not_fit_is_named(source, target):
    with pytest.raises(ValueError, match="'head'.*(4, 64).*(3, 64)|'head'.*(4,).*(3,)"):
        transplant(source, target, 6, frozen=True)
    with pytest.raises(ValueError, match="'conv1' does not fit"):
        transplant(digit_network(3, width=3), target, 1, frozen=False)
    with pytest.raises(ValueError, match="no group 'conv2'; it has conv1"):
        transplant(source[:1], target, 2, frozen=True)
