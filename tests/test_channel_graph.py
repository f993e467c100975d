import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tlcourse.channel_graph import activation_after, channel_group, find_layer, replace_module


class Stream(nn.Module):
    """A stem, two residual blocks whose sums lie on one stream of channels, and a head."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.a1, self.a2 = nn.Conv2d(4, 6, 3, padding=1), nn.Conv2d(6, 4, 3, padding=1)
        self.b1, self.b2 = nn.Conv2d(4, 5, 1), nn.Conv2d(5, 4, 1)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4 * 9, 2)

    def forward(self, x):
        x = self.stem(x)
        x = x + self.a2(torch.relu(self.a1(x)))
        x = self.norm(x).relu() + self.b2(self.b1(x))
        return self.head(x.flatten(1))


def test_what_is_added_belongs_together():
    group = channel_group(Stream(), "a2")
    assert group.width == 4
    assert set(group.makers) == {"stem.0", "a2", "b2"}
    assert set(group.norms) == {"stem.1", "norm"}
    assert set(group.readers) == {"a1", "b1", "head"}
    assert group.makers[0] == "a2"


def test_a_branch_has_channels_of_its_own():
    group = channel_group(Stream(), "a1")
    assert (group.makers, group.norms, group.readers) == (("a1",), (), ("a2",))


class Elementwise(nn.Module):
    elementwise = True

    def __init__(self):
        super().__init__()
        self.activation = nn.Tanh()

    def forward(self, x):
        return x * self.activation(x)


class Gate(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.head = nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.layer(x) if x.sum() > 0 else x)


class Skip(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def forward(self, x):
        return x + self.layer(x)


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.relu, self.head = nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 2)

    def forward(self, x):
        return self.head(self.relu(self.layer(self.relu(self.layer(x)))))


class Sum(nn.Module):
    """Two layers of the same inputs, added up."""

    def __init__(self, first, second):
        super().__init__()
        self.first, self.second, self.head = first, second, nn.Linear(8, 2)

    def forward(self, x):
        return self.head(torch.relu(self.first(x) + self.second(x)))


class Pooled(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.head = nn.Linear(4, 9), nn.Linear(9, 2)

    def forward(self, x):
        return self.head(F.avg_pool2d(self.layer(x), (1, 3), 1, (0, 1)))


class Unread(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 4)

    def forward(self, x):
        self.layer(x)
        return x


class Sized(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 4)

    def forward(self, x):
        return self.layer(x) / len(x)


def test_own_modules_pass_channels_on_where_they_say_so():
    rows = nn.Sequential(nn.Linear(3, 4), Elementwise(), nn.Linear(4, 2))
    assert channel_group(rows, "0").readers == ("2",)
    assert activation_after(rows, "0") == ("1", None)


def test_own_modules_elsewhere_are_taken_as_they_are():
    rows = nn.Sequential(Gate(), nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    assert channel_group(rows, "1").readers == ("3",)


def row(*between: nn.Module, read: nn.Module | None = None) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), *between, read or nn.Conv2d(4, 2, 3))


@pytest.mark.parametrize(
    ("network", "layer", "told"),
    [
        (row(), "9", "no linear layer or convolution '9' inside; there are: 0, 1"),
        (nn.Linear(2, 2), "", "no linear layer or convolution '' inside; there are: none"),
        (row(nn.GroupNorm(2, 4)), "0", "layer '0' cannot change: they meet GroupNorm '1'"),
        (row(nn.PReLU(4)), "0", "they meet PReLU '1'"),
        (row(nn.Flatten(2), read=nn.Linear(16, 2)), "0", "they meet Flatten '1'"),
        (row(Gate()), "0", "they meet Gate '1'"),
        (row(read=nn.Conv2d(4, 2, 3, groups=2)), "0", "convolution '1' has 2 groups"),
        (row(read=nn.Linear(4, 2)), "0", "layer '1' has 4 inputs, which are not the 4 channels of '0'"),
        (row(nn.Flatten(), read=nn.Linear(7, 2)), "0", "layer '2' has 7 inputs"),
        (Skip(), "layer", "they meet the network's input|they meet the network's output"),
        (Twice(), "layer", "module 'layer' is called 2 times"),
        (Branching(), "layer", "layer 'layer' cannot be changed: the network's path cannot be traced"),
        (Sized(), "layer", "the network's path cannot be traced .*'len' is not supported"),
        (Sum(nn.Linear(4, 8), nn.Linear(4, 1)), "first", "'second' has 1 outputs and is added to the 8 of 'first'"),
        (
            Sum(nn.Sequential(nn.Conv2d(1, 4, 1), nn.Flatten()), nn.Linear(4, 16)),
            "first.0",
            "'second' has 16 outputs and is added to the 4 of 'first.0'",
        ),
        (nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(7), nn.Linear(8, 2)), "0", "'1' has 7 features, not the 8"),
        (nn.Sequential(nn.Linear(4, 9), nn.AvgPool1d(3, 1, 1), nn.Linear(9, 2)), "0", "AvgPool1d '1' pools over the"),
        (Pooled(), "layer", "function 'avg_pool2d' pools over the units of layer 'layer'"),
        (row(read=nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 2, 3))), "0", "weights of layer '1' are computed"),
    ],
)
def test_channels_that_cannot_be_followed_are_refused(network, layer, told):
    with pytest.raises(ValueError, match=told):
        channel_group(network, layer)


def test_the_activation_is_found_behind_normalisation_and_pooling():
    network = row(nn.MaxPool2d(2), nn.BatchNorm2d(4), nn.Identity(), nn.ReLU())
    assert activation_after(network, "0") == ("4", "2")


@pytest.mark.parametrize(
    ("network", "layer", "told"),
    [
        (Stream(), "a2", "layer 'a2' is followed by function 'add'; an activation that is a module"),
        (Stream(), "a1", "followed by function 'relu'"),
        (row(), "0", "followed by Conv2d '1'"),
        (row(), "1", "followed by the network's output"),
        (row(nn.Flatten(), read=nn.Linear(16, 2)), "0", "followed by Flatten '1'"),
        (Unread(), "layer", "followed by nothing"),
    ],
)
def test_a_layer_without_an_activation_of_its_own_is_refused(network, layer, told):
    with pytest.raises(ValueError, match=told):
        activation_after(network, layer)


def test_an_activation_of_two_places_is_refused():
    class Shared(Twice):
        def __init__(self):
            super().__init__()
            self.second = nn.Linear(3, 3)

        def forward(self, x):
            return self.head(self.relu(self.second(self.relu(self.layer(x)))))

    with pytest.raises(ValueError, match="module 'relu' is called 2 times"):
        activation_after(Shared(), "layer")


def test_layers_are_found_and_replaced_by_name():
    network, new = Stream(), nn.Identity()
    assert find_layer(network, "stem.0") is network.stem[0]
    replace_module(network, "stem.2", new)
    replace_module(network, "norm", new)
    assert network.stem[2] is new and network.norm is new
