"""Feature extraction: features in order, encoded once; the probe is what scikit-learn's logistic regression is."""

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from torch import nn

from tlcourse import feature_extraction
from tlcourse.backbones import load_backbone
from tlcourse.feature_extraction import FeatureExtractor, group_features, knn_predict, linear_probe


def clouds(n=90, d=12, classes=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % classes
    centres = 2 * torch.randn(classes, d, generator=torch.Generator().manual_seed(99))
    scales = torch.logspace(-1, 2, d)
    return (centres[labels] + torch.randn(n, d, generator=generator)) * scales + 5, labels


@pytest.fixture(scope="module")
def extractor():
    return FeatureExtractor(device="cpu", batch_size=3)


def images(n=7):
    return torch.randint(256, (n, 3, 48, 48), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def test_resnet50_gives_2048_features_for_each_of_ten_images():
    extractor = FeatureExtractor("resnet50", weights=None, device="cpu")
    assert extractor.extract_features(torch.rand(10, 3, 224, 224), progress=False).shape == (10, 2048)
    assert extractor.feature_dim == 2048


def test_batches_keep_the_order_and_the_modes(extractor):
    batch = images()
    extractor.backbone.groups.block7.train()
    try:
        features = extractor.extract_features(batch, progress=False)
        assert extractor.backbone.groups.block7.training and not extractor.backbone.groups.stem.training
    finally:
        extractor.backbone.eval()
    one_by_one = torch.cat([extractor.backbone(batch[i : i + 1]) for i in range(len(batch))])
    torch.testing.assert_close(features, one_by_one.detach(), rtol=1e-4, atol=1e-4)


def test_resize_is_the_backbones_own_preprocessing(extractor):
    batch = images(2)
    resized = FeatureExtractor(extractor.backbone, resize=True, device="cpu").extract_features(batch, progress=False)
    expected = extractor.extract_features(extractor.backbone.preprocess(batch), progress=False)
    torch.testing.assert_close(resized, expected, rtol=1e-4, atol=1e-4)


def test_what_was_encoded_once_is_read_the_next_time(tmp_path, monkeypatch):
    backbone = load_backbone(weights=None)
    extractor = FeatureExtractor(backbone, cache_dir=tmp_path / "new folder", device="cpu")
    first = extractor.extract_features(images(), progress=False)

    def refuse(*_, **__):
        raise AssertionError("encoded again")

    monkeypatch.setattr(feature_extraction, "predict", refuse)
    assert torch.equal(extractor.extract_features(images(), progress=False), first)
    with pytest.raises(AssertionError, match="encoded again"):
        extractor.extract_features(images().flip(0), progress=False)  # other images
    with pytest.raises(AssertionError, match="encoded again"):
        FeatureExtractor(backbone, resize=True, cache_dir=extractor.cache_dir).extract_features(
            images(), progress=False
        )
    nn.init.zeros_(backbone.groups.stem[2].bias)
    nn.init.ones_(backbone.groups.stem[2].weight.data[:1])
    backbone.groups.stem[2].running_mean += 1  # other weights
    with pytest.raises(AssertionError, match="encoded again"):
        extractor.extract_features(images(), progress=False)


def test_features_by_group_end_in_the_features(extractor):
    by_group = group_features(extractor.backbone, images(), batch_size=4, device="cpu", progress=False)
    assert [*by_group] == [name for name, _ in extractor.backbone.groups.named_children()]
    torch.testing.assert_close(by_group["features"], extractor.extract_features(images(), progress=False))
    stem = extractor.backbone.groups.stem(images()).detach().mean((2, 3))
    torch.testing.assert_close(by_group["stem"], stem)
    assert not any(group._forward_hooks for group in extractor.backbone.groups)


def test_tokens_are_averaged():
    vit = load_backbone("vit_b_32", weights=None)
    by_group = group_features(vit, torch.rand(2, 3, 224, 224), device="cpu", progress=False)
    assert {tuple(features.shape) for features in by_group.values()} == {(2, 768)}


def test_swin_transformers_keep_their_channels_last():
    swin = load_backbone("swin_t", weights=None)
    by_group = group_features(swin, torch.rand(2, 3, 96, 96), device="cpu", progress=False)
    assert [features.shape[1] for features in by_group.values()] == [96, 96, 192, 192, 384, 384, 768, 768, 768]


def test_a_damaged_cache_is_named(tmp_path, extractor):
    cached = FeatureExtractor(extractor.backbone, cache_dir=tmp_path, device="cpu")
    cached.extract_features(images(2), progress=False)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:50])
    with pytest.raises(RuntimeError, match=f"{file.name} is damaged; delete it"):
        cached.extract_features(images(2), progress=False)


def test_labels_may_be_of_any_integer_type():
    x, y = clouds()
    torch.testing.assert_close(linear_probe(x, y.int()).weight, linear_probe(x, y).weight)
    assert torch.equal(knn_predict(x, y.to(torch.uint8), x), knn_predict(x, y, x))


def test_wrong_images_are_refused(extractor):
    with pytest.raises(ValueError, match="divide by 255"):
        extractor.extract_features(images().float())


@pytest.mark.parametrize("penalty", [1.0, 100.0])
def test_the_probe_is_logistic_regression(penalty):
    """Reference: scikit-learn's logistic regression on standardised features, with C = 1 / penalty."""
    (x, y), (x_test, _) = clouds(), clouds(seed=1)
    scaler = StandardScaler().fit(x)
    reference = LogisticRegression(C=1 / penalty, tol=1e-8, max_iter=10_000).fit(scaler.transform(x), y)
    expected = torch.from_numpy(reference.predict_log_proba(scaler.transform(x_test))).float()
    torch.testing.assert_close(linear_probe(x, y, penalty)(x_test).log_softmax(1), expected, rtol=1e-3, atol=1e-3)


def test_a_constant_feature_changes_nothing():
    x, y = clouds()
    with_constant = torch.cat([x, torch.full((len(x), 1), 3.0)], 1)
    torch.testing.assert_close(
        linear_probe(with_constant, y)(with_constant), linear_probe(x, y)(x), rtol=1e-3, atol=1e-3
    )


def test_nearest_neighbours_agree_with_scikit_learn():
    (x, y), (x_test, _) = clouds(), clouds(seed=1)
    reference = KNeighborsClassifier(1, metric="cosine").fit(x, y)
    assert knn_predict(x, y, x_test, k=1).tolist() == reference.predict(x_test).tolist()
    reference = KNeighborsClassifier(5, metric="cosine").fit(x, y % 2)  # two classes, odd k: no ties
    assert knn_predict(x, y % 2, x_test, k=5).tolist() == reference.predict(x_test).tolist()


def test_a_tie_goes_to_the_more_similar_class():
    train = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [-0.6, 0.8]])
    labels = torch.tensor([1, 1, 0, 0])
    assert knn_predict(train, labels, torch.tensor([[1.0, 0.1], [0.1, 1.0]]), k=4).tolist() == [1, 0]


X, Y = clouds(12)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: linear_probe(X[0], Y), r"\(N, D\)"),
        (lambda: linear_probe(X, Y[:3]), r"labels \(3,\)"),
        (lambda: linear_probe(X, Y.float()), "class numbers"),
        (lambda: linear_probe(X, Y - 1), "class numbers from 0"),
        (lambda: linear_probe(X, 2 * Y), "no example of class 1"),
        (lambda: linear_probe(X, Y, penalty=-1), "negative"),
        (lambda: linear_probe(X, Y, penalty=float("nan")), "negative"),
        (lambda: linear_probe(X, 0 * Y), "two classes or more"),
        (lambda: linear_probe(X * float("nan"), Y), "NaN"),
        (lambda: knn_predict(X / 0, Y, X), "infinite"),
        (lambda: knn_predict(X, Y, X[:, :2]), r"\(M, 12\)"),
        (lambda: knn_predict(X, Y, X, k=0), "between 1 and"),
        (lambda: knn_predict(X, Y, X, k=13), "training examples, 12"),
    ],
)
def test_bad_input_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
