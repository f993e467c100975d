"""Circuit boards: what a picture shows, what it depends on, what is kept on the disk."""

import copy
import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tlcourse.data import boards
from tlcourse.data.boards import (
    CLASS_NAMES,
    CLASSES,
    OTHER_FACTORY,
    STANDARD,
    Conditions,
    load_boards,
    make_boards,
    render_board,
)

DEFECTS = CLASSES[1:]
QUIET = Conditions(
    brightness=(1, 1), tint=((1, 1),) * 3, unevenness=(0, 0), glare=(0, 0), texture=(0, 0), blur=(0, 0), noise=(0, 0)
)


def board_and_damaged(defect: str, seed: int):
    """A board without a defect, the same with one, and where the camera looks."""
    good = boards._lay_out(np.random.default_rng(seed), STANDARD.mask_colours)
    damaged = copy.deepcopy(good)
    return good, damaged, boards._damage(damaged, defect, np.random.default_rng(seed + 1000))


def difference(a, b) -> np.ndarray:
    """By how many grey levels two pictures differ, in the channel where they differ most."""
    return np.abs(np.asarray(a, dtype=int) - np.asarray(b, dtype=int)).max(2)


def test_the_classes_and_their_names():
    assert CLASSES == ("good", "missing", "misaligned", "bridge", "open", "scratch")
    assert tuple(CLASS_NAMES) == CLASSES
    names = [name for pair in CLASS_NAMES.values() for name in pair]
    assert all(names) and len(set(names)) == 2 * len(CLASSES)


@pytest.mark.parametrize("n", [1, 6, 20])
def test_as_many_of_each_class_up_to_one(n):
    images, labels = make_boards(n, size=32)
    assert images.shape == (n, 3, 32, 32) and images.dtype == torch.uint8 and images.is_contiguous()
    assert labels.shape == (n,) and labels.dtype == torch.int64
    counts = torch.bincount(labels, minlength=len(CLASSES))
    assert counts.max() - counts.min() <= 1
    images[0] = 0  # the caller's own to change


def test_labels_are_in_random_order():
    labels = make_boards(24, size=32)[1]
    assert (labels != torch.arange(24) % 6).any() and (labels != labels.sort().values).any()
    assert (labels != make_boards(24, size=32, seed=1)[1]).any()


def test_a_picture_depends_on_its_seed_and_number_only():
    images, labels = make_boards(8, seed=3, size=48, conditions=OTHER_FACTORY)
    for i in (5, 0):
        assert torch.equal(images[i], render_board(labels[i], (3, i), size=48, conditions=OTHER_FACTORY))
    assert not torch.equal(render_board(0, (3, 5)), render_board(0, (4, 5)))


@pytest.mark.parametrize("defect", DEFECTS)
def test_every_defect_can_be_seen(defect):
    for seed in range(25):
        *pair, site = board_and_damaged(defect, seed)
        pictures = [boards._photograph(board, site, np.random.default_rng(5), 96, QUIET) for board in pair]
        assert (difference(*pictures) > 15).sum() >= 30, f"seed {seed}"


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_changes_the_board_where_it_is_and_nowhere_else(defect):
    for seed in range(6):
        *pair, site = board_and_damaged(defect, seed)
        whole = difference(*(boards._draw(board, 0, 0, boards.BOARD, 448) for board in pair))
        rows, columns = np.nonzero(whole > 1)  # one grey level is rounding
        distance = np.hypot(columns / 20 - site[0], rows / 20 - site[1])  # 20 pixels per mm
        assert distance.min() < 1 and distance.max() < (10 if defect == "scratch" else 4.5)


def test_a_good_board_is_left_as_it_was():
    good, damaged, _ = board_and_damaged("good", 0)
    assert not difference(*(boards._draw(board, 0, 0, boards.BOARD, 240) for board in (good, damaged))).any()


def test_the_camera_sees_what_is_at_the_edge_of_the_board():
    board, _, _ = board_and_damaged("good", 0)
    for site in ((0.0, 0.0), (boards.BOARD, boards.BOARD)):
        picture = boards._photograph(board, site, np.random.default_rng(0), 96, QUIET)
        assert (picture.reshape(-1, 3).max(1) > 0).all()


def test_other_conditions_show_the_same_board():
    colours = (STANDARD.mask_colours, OTHER_FACTORY.mask_colours)
    one, other = (boards._lay_out(np.random.default_rng(2), c) for c in colours)
    assert (one.chips, one.parts, one.traces, one.vias) == (other.chips, other.parts, other.traces, other.vias)
    assert one.mask != other.mask


def test_the_conditions_do_what_they_say():
    def mean(conditions, channel=slice(None)):
        return torch.stack([render_board(0, s, conditions=conditions)[channel] for s in range(6)]).float().mean().item()

    half = dataclasses.replace(QUIET, brightness=(0.5, 0.5))
    assert mean(half) == pytest.approx(mean(QUIET) / 2, rel=0.02)
    no_blue = dataclasses.replace(QUIET, tint=((1, 1), (1, 1), (0, 0)))
    assert mean(no_blue, 2) == 0 and mean(no_blue, 0) == mean(QUIET, 0)
    assert mean(dataclasses.replace(QUIET, glare=(40, 40))) > mean(QUIET) + 1
    noise = render_board(0, 1, conditions=dataclasses.replace(QUIET, brightness=(0.5, 0.5), noise=(4, 4))).float()
    assert (noise - render_board(0, 1, conditions=half)).std().item() == pytest.approx(4, rel=0.1)
    magnified = dataclasses.replace(QUIET, zoom=(2, 2))
    assert not torch.equal(render_board(1, 1, conditions=magnified), render_board(1, 1, conditions=QUIET))


def test_the_other_factory_is_darker_and_warmer():
    here, there = (make_boards(36, conditions=c)[0].float().mean((0, 2, 3)) for c in (STANDARD, OTHER_FACTORY))
    assert there[2] < 0.7 * here[2] and there[0] / there[2] > 1.5 * here[0] / here[2]


def test_a_larger_picture_shows_the_same():
    for label in range(6):
        small, large = (render_board(label, 4, size=size, conditions=QUIET).float() for size in (96, 192))
        reduced = torch.nn.functional.avg_pool2d(large, 2)
        assert torch.corrcoef(torch.stack([small.flatten(), reduced.flatten()]))[0, 1] > 0.97


@pytest.mark.parametrize(
    ("call", "error", "told"),
    [
        (lambda: make_boards(0), ValueError, "n is 0; give a whole number from 1"),
        (lambda: make_boards(2.5), TypeError, "n is 2.5"),
        (lambda: make_boards(2, seed=-1), ValueError, "seed is -1"),
        (lambda: render_board(6, 0), ValueError, "label, an index into CLASSES, is 6; give a whole number from 0 to 5"),
        (lambda: render_board(-1, 0), ValueError, "is -1"),
        (lambda: render_board("open", 0), TypeError, "label.*'open'"),
        (lambda: render_board(0, 0, size=31), ValueError, "size is 31; give a whole number from 32 to 512"),
        (lambda: render_board(0, 0, size=513), ValueError, "size is 513"),
        (lambda: render_board(0, (1, 2**32)), ValueError, "seed is 4294967296"),
        (lambda: render_board(0, ()), ValueError, "at least one"),
        (lambda: load_boards(seed=2**31), ValueError, "seed is 2147483648"),
        (lambda: Conditions(noise=(3, 1)), ValueError, "noise is .3, 1.; give .lowest, highest."),
        (lambda: Conditions(blur=(-1, 1)), ValueError, "blur is .-1, 1.;.*neither negative"),
        (lambda: Conditions(glare=(0, float("nan"))), ValueError, "glare.*two finite numbers"),
        (lambda: Conditions(brightness=1.0), ValueError, "brightness is 1.0; give two"),
        (lambda: Conditions(tint=((1, 1), (1, 1))), ValueError, "tint has 2 ranges; give three"),
        (lambda: Conditions(tint=((1, 1), (1, 0.5), (1, 1))), ValueError, "tint of green is"),
        (lambda: Conditions(zoom=(0.1, 1)), ValueError, "from 0.5 to 4"),
        (lambda: Conditions(mask_colours=()), ValueError, "mask_colours is empty"),
        (lambda: Conditions(mask_colours=((0, 0, 256),)), ValueError, "not three numbers from 0 to 255"),
    ],
)
def test_bad_input_is_refused(call, error, told):
    with pytest.raises(error, match=told):
        call()


@pytest.fixture
def few(monkeypatch):
    """Small data sets, so that a test is fast."""
    monkeypatch.setattr(boards, "TRAIN_IMAGES", 7)
    monkeypatch.setattr(boards, "TEST_IMAGES", 6)


def test_the_course_has_800_boards_to_train_on_and_400_to_test_on():
    assert (boards.TRAIN_IMAGES, boards.TEST_IMAGES) == (800, 400)


def test_boards_are_drawn_once_and_kept(few, tmp_path, monkeypatch):
    drawn = load_boards(cache_dir=tmp_path / "new")
    assert [tuple(part.shape) for part in drawn] == [(7, 3, 96, 96), (7,), (6, 3, 96, 96), (6,)]
    assert len(list((tmp_path / "new").iterdir())) == 1
    monkeypatch.setattr(boards, "make_boards", lambda *args, **kwargs: pytest.fail("drawn again"))
    kept = load_boards(cache_dir=tmp_path / "new")
    assert all(torch.equal(a, b) and a.dtype == b.dtype for a, b in zip(drawn, kept, strict=True))
    kept[0][0] = 0  # the caller's own to change


def test_what_is_drawn_otherwise_is_not_read_from_an_old_file(few, tmp_path, monkeypatch):
    load_boards(cache_dir=tmp_path)
    load_boards(cache_dir=tmp_path, seed=1)
    monkeypatch.setattr(boards, "version", lambda name: "99")
    load_boards(cache_dir=tmp_path)
    changed = tmp_path / "boards.py"
    changed.write_bytes(Path(boards.__file__).read_bytes() + b"# changed\n")
    monkeypatch.setattr(boards, "__file__", str(changed))
    load_boards(cache_dir=tmp_path)
    assert len(list(tmp_path.glob("*.safetensors"))) == 4


def test_no_board_is_in_both_sets(few, tmp_path):
    everything = [image for seed in (0, 1) for image in torch.cat(load_boards(seed=seed, cache_dir=tmp_path)[::2])]
    assert len({image.numpy().tobytes() for image in everything}) == 26


def test_the_usual_cache_is_used(few, tmp_path, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path))
    load_boards()
    assert len(list(tmp_path.glob("boards-*.safetensors"))) == 1


@pytest.mark.parametrize("damage", [lambda data: data[:1000], lambda data: b"", lambda data: b"x" * len(data)])
def test_a_damaged_file_is_named(few, tmp_path, damage):
    load_boards(cache_dir=tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(RuntimeError, match="damaged; delete .*boards-"):
        load_boards(cache_dir=tmp_path)
    file.unlink()
    load_boards(cache_dir=tmp_path)


def test_importing_it_imports_nothing_heavy():
    code = "import sys, tlcourse.data.boards\nprint(*{name.split('.')[0] for name in sys.modules})"
    root = Path(__file__).resolve().parents[2]
    loaded = subprocess.run([sys.executable, "-c", code], cwd=root, check=True, capture_output=True, encoding="utf-8")
    assert not {"matplotlib", "skimage", "torchvision", "timm", "sklearn"} & set(loaded.stdout.split())
