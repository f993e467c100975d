"""Fine-tuning: what is frozen stays as it is, to the last bit, and the rates are those of the paper."""

import pytest
import torch
from torch import nn

from tlcourse.backbones import fingerprint, load_backbone
from tlcourse.fine_tuning import (
    TransferLearningModel,
    dihedral,
    discriminative_rates,
    freeze,
    is_frozen,
    random_view,
    unfreeze,
)
from tlcourse.training import fit, predict


@pytest.fixture
def model():
    torch.manual_seed(0)
    return TransferLearningModel(4, backbone=load_backbone(weights=None))


IMAGES = torch.randint(256, (8, 3, 64, 64), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
LABELS = torch.arange(8) % 4


def trained(model):
    optimizer = torch.optim.SGD(model.parameter_groups(lr=0.1))
    fit(model, (IMAGES, LABELS), optimizer=optimizer, epochs=1, batch_size=4, progress=False, device="cpu")


@pytest.mark.parametrize("unfrozen", [0, 2, 9])
def test_training_moves_what_is_unfrozen_and_nothing_else(model, unfrozen):
    model.unfreeze_layers(unfrozen)
    before = [fingerprint(group) for group in model.layers]
    trained(model)
    moved = [fingerprint(group) != old for group, old in zip(model.layers, before, strict=True)]
    assert moved == [False] * (9 - unfrozen) + [True] * (unfrozen + 1)


def test_requires_grad_alone_lets_batch_norm_drift():
    """The trap that `freeze` avoids: the same network, frozen by requires_grad_(False) only."""
    backbone = load_backbone(weights=None)
    freeze(backbone)
    backbone.train()
    before = fingerprint(backbone)
    backbone(IMAGES)
    assert fingerprint(backbone) != before


def test_frozen_groups_stay_in_evaluation_mode(model):
    model.unfreeze_layers(3)
    model.train()
    assert [group.training for group in model.layers] == [False] * 6 + [True] * 4
    assert not any(module.training for module in model.layers.block5.modules())
    assert all(module.training for module in model.layers.block6.modules())
    model.eval()
    assert not any(module.training for module in model.modules())
    freeze(model.layers.block7[0].bn1)  # a single frozen layer inside a trained group
    model.train()
    assert not model.layers.block7[0].bn1.training and model.layers.block7[0].conv_pw.training


def test_unfreezing_can_go_back_and_forth(model):
    for unfrozen in (0, 9, 3, 0):
        model.unfreeze_layers(unfrozen)
        assert [is_frozen(group) for group in model.layers] == [True] * (9 - unfrozen) + [False] * (unfrozen + 1)
    model.unfreeze_layers(5)
    model.freeze_layers()
    assert all(is_frozen(group) for group in model.layers[:-1])
    unfreeze(model)
    assert not any(is_frozen(group) for group in model.layers)


def test_the_two_parts_make_the_whole(model):
    model.unfreeze_layers(3)
    frozen, rest = model.split()
    assert len(frozen) == 6
    with torch.no_grad():
        model.eval()
        torch.testing.assert_close(rest(frozen(IMAGES)), model(IMAGES))
    before = fingerprint(model)
    optimizer = torch.optim.SGD(model.parameter_groups(lr=0.1))
    fit(rest, (predict(frozen, IMAGES), LABELS), optimizer=optimizer, epochs=1, progress=False)
    assert fingerprint(model) != before, "the parts share their weights with the model"
    model.train()
    frozen.train()
    assert not any(group.training for group in frozen)


def test_training_on_cached_activations_is_training_the_whole(model):
    """Same seed, same batches: with and without the cache the trained weights agree."""
    model.unfreeze_layers(2)
    twin = TransferLearningModel(4, backbone=load_backbone(weights=None))
    twin.load_state_dict(model.state_dict())
    twin.unfreeze_layers(2)
    trained(model)
    frozen, rest = twin.split()
    optimizer = torch.optim.SGD(twin.parameter_groups(lr=0.1))
    fit(
        rest,
        (predict(frozen, IMAGES), LABELS),
        optimizer=optimizer,
        epochs=1,
        batch_size=4,
        progress=False,
        device="cpu",
    )
    for (name, a), b in zip(model.state_dict().items(), twin.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4, msg=name)


def test_rates_fall_by_the_decay_from_the_head_down(model):
    assert discriminative_rates(1.0, 4) == pytest.approx([1 / 2.6**3, 1 / 2.6**2, 1 / 2.6, 1.0])
    assert discriminative_rates(0.5, 3, decay=1) == [0.5] * 3
    model.unfreeze_layers(2)
    groups = model.parameter_groups(lr=1.0, decay=2)
    assert [(group["name"], group["lr"]) for group in groups] == [
        ("block7", 0.25),
        ("features", 0.5),
        ("head", 1.0),
    ]
    assert sum(len(group["params"]) for group in groups) == sum(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize("name", ["resnet18", "vit_b_32", "vgg11", "squeezenet1_1"])
def test_every_architecture_gets_a_new_head(name):
    model = TransferLearningModel(7, backbone=load_backbone(name, weights=None)).eval()
    images = torch.rand(1, 3, 224, 224)
    assert model(images).shape == (1, 7)
    model.replace_head(3)
    assert model(images).shape == (1, 3) and not is_frozen(model.layers.head)
    model.unfreeze_layers(1)
    assert sum(not is_frozen(group) for group in model.layers) == 2


def test_views_are_the_eight_symmetries_of_the_square():
    image = torch.rand(1, 3, 5, 5)
    views = dihedral(image)[0]
    assert torch.equal(views[0], image[0])
    assert len({tuple(view.flatten().tolist()) for view in views}) == 8
    torch.testing.assert_close(torch.rot90(views[3], 1, (-2, -1)), views[0])
    closed = dihedral(views[5:6])[0]
    assert {tuple(v.flatten().tolist()) for v in closed} == {tuple(v.flatten().tolist()) for v in views}


def test_a_random_view_is_one_of_the_views():
    views = torch.arange(24.0).view(4, 6, 1)
    drawn = torch.stack([random_view(views) for _ in range(200)])
    assert drawn.shape == (200, 4, 1)
    assert {v.item() for v in drawn[:, 2]} == {12.0, 13, 14, 15, 16, 17}


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m: m.unfreeze_layers(10), "0 to 9 groups.*stem.*block7"),
        (lambda m: m.unfreeze_layers(-1), "num_layers is -1"),
        (lambda m: m.replace_head(1), "2 or more"),
        (lambda m: m.parameter_groups(lr=0), "positive"),
        (lambda m: m.parameter_groups(lr=1, decay=-2), "positive"),
        (lambda m: dihedral(torch.rand(1, 3, 4, 5)), "square"),
        (lambda m: dihedral(torch.rand(1, 3, 4, 4), [0, 9]), "0 to 7"),
    ],
)
def test_bad_input_is_refused(model, call, words):
    with pytest.raises(ValueError, match=words):
        call(model)


def test_with_all_frozen_the_head_is_what_is_trained(model):
    model.unfreeze_layers(0)
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == 1280 * 4 + 4
    assert isinstance(model.layers.head[0], nn.Dropout)


def test_a_model_in_evaluation_mode_stays_there(model):
    model.eval()
    model.unfreeze_layers(2)
    model.replace_head(3)
    assert not any(module.training for module in model.modules())
    assert torch.equal(model(IMAGES), model(IMAGES))
