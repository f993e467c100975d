"""Backbones: the bundled weights are real, and cutting a network into groups never changes what it computes."""

import pickle
import re

import pytest
import torch
from torch import nn
from torchvision import models

from tlcourse import backbones
from tlcourse.backbones import check_images, imagenet_categories, load_backbone, load_classifier
from tlcourse.data.photos import photo

FAMILIES = [
    "alexnet", "vgg11_bn", "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_v2_s", "googlenet",
    "inception_v3", "maxvit_t", "mnasnet0_5", "mobilenet_v2", "mobilenet_v3_small", "regnet_y_400mf", "resnet18",
    "shufflenet_v2_x0_5", "squeezenet1_1", "swin_t", "vit_b_16",
]  # fmt: skip


@pytest.fixture(scope="module")
def bundled():
    return load_backbone()


def test_a_cat_is_recognised_as_a_cat():
    network = load_classifier()
    image = network[0].preprocess(photo("cat")[None])
    best = network(image).softmax(1)[0].topk(3).indices.tolist()
    assert any("cat" in imagenet_categories()[category].split() or category in range(281, 286) for category in best)
    assert imagenet_categories()[281] == "tabby"


def test_the_bundled_weights_differ_from_random_ones_and_have_the_stated_shape(bundled):
    assert bundled(torch.rand(2, 3, 96, 96)).shape == (2, bundled.feature_dim) == (2, 1280)
    assert [*dict(bundled.groups.named_children())] == [
        "stem",
        *(f"block{i}" for i in range(1, 8)),
        "features",
    ]
    untrained = load_backbone(weights=None)
    assert backbones.fingerprint(untrained) != backbones.fingerprint(bundled)
    assert backbones.fingerprint(load_backbone()) == backbones.fingerprint(bundled)


def test_bytes_and_floats_give_the_same_features(bundled):
    images = torch.randint(256, (2, 3, 64, 64), dtype=torch.uint8)
    torch.testing.assert_close(bundled(images), bundled(images.float() / 255))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_other_floats_are_taken_as_images_too(bundled, dtype):
    images = torch.rand(1, 3, 64, 64).to(dtype)
    torch.testing.assert_close(bundled(images), bundled(images.float()))
    torch.testing.assert_close(bundled.preprocess(images), bundled.preprocess(images.float()))


def test_a_transformer_says_which_size_it_needs():
    with pytest.raises(ValueError, match="224×224 pixels, not 96×96.*preprocess"):
        load_backbone("vit_b_32", weights=None)(torch.rand(1, 3, 96, 96))


def test_preprocessing_is_that_of_the_weights():
    """Reference: torchvision's own transform of EfficientNetV2-S, which crops 384 pixels without a margin."""
    backbone = load_backbone("efficientnet_v2_s", weights=None)
    images = torch.rand(1, 3, 400, 500)
    transforms = models.EfficientNet_V2_S_Weights.DEFAULT.transforms()
    expected = transforms(images) * torch.tensor(transforms.std).view(3, 1, 1) + torch.tensor(transforms.mean).view(
        3, 1, 1
    )
    assert (backbone.preprocess(images) - expected).abs().max() < 1e-3


def test_the_classifier_is_torchvisions_own():
    torch.manual_seed(0)
    network = load_classifier("mobilenet_v3_small", weights=None)
    torch.manual_seed(0)
    reference = models.mobilenet_v3_small(weights=None).eval()
    images = torch.rand(2, 3, 96, 96)
    torch.testing.assert_close(network(images), reference(network[0].groups.stem[0](images)))


def test_normalisation_belongs_to_the_fingerprint(bundled):
    other = load_backbone()
    other.groups.stem[0].mean += 0.1
    assert backbones.fingerprint(other) != backbones.fingerprint(bundled)


def test_a_damaged_bundled_file_is_refused(tmp_path, monkeypatch):
    file = tmp_path / "weights.pth"
    file.write_bytes(backbones.bundled_weights().read_bytes()[:-1])
    monkeypatch.setattr(backbones, "bundled_weights", lambda: file)
    with pytest.raises(RuntimeError, match="damaged.*Reinstall"):
        load_backbone()


def test_inception_networks_transform_their_input_within_the_stem(monkeypatch):
    """Their pretrained weights come with an input transform; with it, too, the first group is one that trains."""
    real = models.get_model
    monkeypatch.setattr(models, "get_model", lambda name, **options: real(name, transform_input=True, **options))
    backbone = load_backbone("googlenet", weights=None)
    assert all(list(group.parameters()) for group in backbone.groups)
    images, stem = torch.rand(1, 3, 64, 64), backbone.groups.stem
    network = real("googlenet", weights=None, aux_logits=False, init_weights=False, transform_input=True)
    torch.testing.assert_close(stem[1](images), network._transform_input(images))


@pytest.mark.parametrize("name", FAMILIES)
def test_the_groups_compute_what_the_whole_network_computes(name):
    """Reference: what torchvision's own forward pass feeds into its last linear layer."""
    options = {"aux_logits": False, "init_weights": False} if name in ("googlenet", "inception_v3") else {}
    torch.manual_seed(0)
    reference = models.get_model(name, weights=None, **options).eval()
    torch.manual_seed(0)
    backbone = load_backbone(name, weights=None)
    last = [m for m in reference.modules() if isinstance(m, nn.Linear)] or [reference.classifier[1]]
    seen = []
    last[-1].register_forward_pre_hook(lambda module, arguments: seen.append(arguments[0]))

    images = torch.rand(1, 3, 224, 224)
    normalize = backbone.groups.stem[0]
    with torch.no_grad():
        reference(normalize(images))
        features = backbone(images)
    expected = seen[0].mean((2, 3)) if seen[0].ndim == 4 else seen[0]
    assert features.shape == (1, backbone.feature_dim)
    assert (features - expected).norm() <= 1e-4 * expected.norm() + 1e-12
    parameters = sum(p.numel() for p in backbone.parameters()) + sum(p.numel() for p in last[-1].parameters())
    assert parameters == sum(p.numel() for p in reference.parameters())
    assert all(any(True for _ in group.parameters()) for group in backbone.groups), "a group without weights"


def test_every_weights_file_of_torchvision_names_its_digest():
    for name in models.list_models(module=models):
        for weights in models.get_model_weights(name):
            assert re.search(r"-([0-9a-f]{8,})\.", weights.url.rsplit("/", 1)[-1]), weights


def offline(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))

    def refuse(*_, **__):
        raise OSError("network is unreachable")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)


def test_missing_weights_are_explained(monkeypatch, tmp_path):
    offline(monkeypatch, tmp_path)
    with pytest.raises(RuntimeError) as caught:
        load_backbone("resnet50")
    for word in ("resnet50", "98 MB", str(tmp_path), "efficientnet_lite0", "weights=None"):
        assert word in str(caught.value)


def test_a_half_finished_download_is_never_taken_for_weights(monkeypatch, tmp_path):
    offline(monkeypatch, tmp_path)
    weights = models.ResNet18_Weights.DEFAULT
    file = tmp_path / "checkpoints" / weights.url.rsplit("/", 1)[-1]
    file.parent.mkdir()
    file.write_bytes(b"the first half")
    with pytest.raises(RuntimeError, match="damaged.*delete it"):
        load_backbone("resnet18")
    assert file.exists(), "what the user has is not deleted"


class Code:
    def __reduce__(self):
        return print, ("this code ran",)


def test_cached_weights_are_loaded_without_pickle(monkeypatch, tmp_path, capsys):
    """A file with the right digest, but with code in it, is refused and its code is not run."""
    file = tmp_path / "checkpoints" / "weights.pth"
    file.parent.mkdir()
    torch.save({"fc.weight": Code()}, file)
    named = file.rename(file.with_name(f"resnet18-{backbones.sha256(file)[:8]}.pth"))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(models.ResNet18_Weights.DEFAULT.value, "url", f"https://example.org/{named.name}")
    with pytest.raises(pickle.UnpicklingError):
        load_backbone("resnet18")
    assert "this code ran" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "weights", "words"),
    [
        ("resnet5", "DEFAULT", ["resnet5", "resnet50"]),
        ("fasterrcnn_resnet50_fpn", None, ["no network"]),
        ("resnet18", "IMAGENET1K_V9", ["IMAGENET1K_V1"]),
        ("efficientnet_lite0", "IMAGENET1K_V1", ["DEFAULT"]),
    ],
)
def test_unknown_names_are_refused_with_the_known_ones(name, weights, words):
    with pytest.raises(ValueError) as caught:
        load_backbone(name, weights)
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize(
    ("images", "error", "advice"),
    [
        ([[0.5]], TypeError, "torch.Tensor"),
        (torch.rand(3, 8, 8), ValueError, r"images\[None\]"),
        (torch.rand(8, 8), ValueError, r"\(B, 3, H, W\)"),
        (torch.rand(2, 8, 8, 3), ValueError, "permute"),
        (torch.rand(2, 1, 8, 8), ValueError, "expand"),
        (torch.rand(2, 4, 8, 8), ValueError, "three colour channels"),
        (torch.rand(0, 3, 8, 8), ValueError, "nothing in them"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.int64), TypeError, "uint8"),
        (torch.full((1, 3, 8, 8), 200.0), ValueError, "divide by 255"),
        (torch.randn(2, 3, 8, 8), ValueError, "do not normalise"),
        (torch.full((1, 3, 8, 8), float("nan")), ValueError, "nan"),
    ],
)
def test_bad_images_are_refused_with_advice(images, error, advice):
    with pytest.raises(error, match=advice):
        check_images(images)


def test_preprocess_crops_the_centre(bundled):
    images = torch.zeros(1, 3, 300, 600)
    images[..., 200:400] = 1.0  # the middle third is white; the crop shows it and the same black on both sides
    cropped = bundled.preprocess(images)
    assert cropped.shape == (1, 3, 224, 224)
    torch.testing.assert_close(cropped, cropped.flip(-1))
    assert cropped[0, 0, 112, 112] > 0.999 and cropped[0, 0, 112, 0] < 0.001


def test_squeezenet_has_no_linear_classifier():
    with pytest.raises(ValueError, match="load_backbone"):
        load_classifier("squeezenet1_1", weights=None)
