"""Glyphs: what is drawn, by whom, again, and without the closest lookalikes; folders of characters and Omniglot."""

import urllib.error

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw

from tlcourse.data import glyphs as module
from tlcourse.data.glyphs import ALIKE, FACES, HELD_OUT, TRAINING, Characters, character_folder, glyphs, omniglot

SOME = ("Hebrew", "Ogham")


@pytest.fixture(scope="module")
def some():
    return glyphs(SOME)


@pytest.fixture
def undrawn(monkeypatch):
    """Letters without the time that it takes to draw them."""
    monkeypatch.setattr(module, "_strokes", lambda face, letter: torch.ones(1, 64, 64))
    monkeypatch.setattr(module, "_draw", lambda strokes, *_: torch.ones(len(strokes), 1, 28, 28, dtype=torch.uint8))


# Drawing


def test_images_are_bytes_and_labels_rise(some):
    characters = len(some.names)
    assert characters == len(some.scripts) > 40
    assert some.images.shape == (20 * characters, 1, 28, 28) and some.images.dtype == torch.uint8
    assert some.labels.dtype == torch.int64
    assert torch.equal(some.labels, torch.arange(characters).repeat_interleave(20)), "20 drawers, each draws all"
    assert len(glyphs(["Hebrew"], 3).images) == 3 * some.scripts.count("Hebrew")


def test_the_scripts_are_those_asked_for(some):
    assert set(some.scripts) == set(SOME) and len(set(some.names)) == len(some.names)
    assert all("\u0590" <= name <= "\u05ff" for name in glyphs(["Hebrew"], 1).names)
    assert all("\u1680" <= name <= "\u169f" for name in glyphs(["Ogham"], 1).names)
    assert glyphs(["Hebrew"], 1).names + glyphs(["Ogham"], 1).names == some.names


def test_every_image_has_its_scripts_number(some):
    first = some.scripts.index("Ogham")
    assert some.scripts == ("Hebrew",) * first + ("Ogham",) * (len(some.names) - first)
    assert some.script_labels.dtype == torch.int64
    assert torch.equal(some.script_labels, (some.labels >= first).long())


def test_script_labels_follow_the_order_in_which_scripts_come():
    scripts = ("b", "a", "b", "c")
    data = Characters(torch.zeros(5, 1, 28, 28), torch.tensor([0, 1, 2, 2, 3]), tuple("wxyz"), scripts)
    assert data.script_labels.tolist() == [0, 1, 0, 0, 2]


def test_a_seed_draws_the_same_and_another_seed_the_same_letters_by_other_hands(some):
    again, other = glyphs(SOME), glyphs(SOME, seed=1)
    assert torch.equal(again.images, some.images)
    assert other.names == some.names and other.scripts == some.scripts and torch.equal(other.labels, some.labels)
    assert (other.images != some.images).flatten(1).any(1).all(), "no image twice"


def test_no_two_drawings_are_alike(some):
    assert len(some.images.flatten(1).unique(dim=0)) == len(some.images)


def test_every_drawing_has_ink_and_ground_and_stays_within_the_image(some):
    images = torch.cat([some.images, glyphs(["Coptic", "Lisu", "Old Italic"], 10).images])[:, 0]
    ink = images.float().mean((1, 2)) / 255
    assert ink.min() > 0.005 and ink.max() < 0.6
    assert (images.amax((1, 2)) > 200).all() and (images.amin((1, 2)) == 0).all(), "white on black"
    touched = torch.stack([images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]], 1).amax(2) > 0
    assert (touched.sum(1) < 4).all() and touched.any(1).float().mean() < 0.2


def test_a_drawing_shows_the_letter_that_it_is_called(some):
    """The mean of a character's drawings is most like the printed letter of its name."""
    means = torch.stack([some.images[some.labels == label].float().mean(0) for label in some.labels.unique()])
    printed = torch.stack([torch.from_numpy(module._picture("DejaVuSans", name))[None].float() for name in some.names])
    blurred = [F.avg_pool2d(F.interpolate(part, (28, 28), mode="area"), 5, 2).flatten(1) for part in (means, printed)]
    correlation = torch.corrcoef(torch.cat(blurred))[: len(means), len(means) :]
    assert (correlation.argmax(1) == torch.arange(len(means))).float().mean() > 0.8


def test_drawings_of_a_character_are_more_alike_than_those_of_others(some):
    pixels = some.images[some.script_labels == 0].flatten(1).float()
    drawers = pixels.view(-1, 20, 784)
    prototypes = drawers[:, :10].mean(1)
    nearest = torch.cdist(drawers[:, 10:], prototypes).argmin(2)
    right = (nearest == torch.arange(len(drawers))[:, None]).float().mean()
    assert right > 0.5, "24 letters; chance is below .05"


def test_a_drawer_has_a_pen_of_his_own(some):
    """Who draws Hebrew thickly draws Ogham thickly."""
    ink = [some.images[some.script_labels == script].float().view(-1, 20, 784).mean((0, 2)) for script in (0, 1)]
    assert torch.corrcoef(torch.stack(ink))[0, 1] > 0.8 and ink[0].max() > 1.4 * ink[0].min()


def test_a_drawer_has_one_face_for_all_letters_that_it_has(monkeypatch):
    drawn = []

    def draw(strokes, *_):
        drawn.append(strokes[:, 0, 0, 0].long())
        return torch.zeros(len(strokes), 1, 28, 28, dtype=torch.uint8)

    monkeypatch.setattr(module, "_strokes", lambda face, _: torch.full((1, 64, 64), float(FACES.index(face))))
    monkeypatch.setattr(module, "_draw", draw)
    names = glyphs(["Greek", "Hebrew"], 40).names
    in_all_faces = [faces for name, faces in zip(names, drawn, strict=True) if len(module._faces_with(name)) == 5]
    assert 20 < len(in_all_faces) < len(names), "Hebrew is in two of them"
    assert len(in_all_faces[0].unique()) == 5
    assert all(torch.equal(faces, in_all_faces[0]) for faces in in_all_faces)


# Which letters


def test_held_out_scripts_are_others_than_those_of_training():
    assert not set(TRAINING) & set(HELD_OUT)


@pytest.mark.usefixtures("undrawn")
def test_there_are_about_as_many_characters_as_in_omniglot():
    training, held_out = glyphs(drawers=1), glyphs(HELD_OUT, 1)
    assert set(training.scripts) == set(TRAINING) and set(held_out.scripts) == set(HELD_OUT)
    assert abs(len(training.names) - 949) < 20 and abs(len(held_out.names) - 446) < 20, "more or less, see ALIKE"
    assert all(held_out.scripts.count(script) >= 5 for script in HELD_OUT), "enough for 5 ways within a script"
    assert not set(training.names) & set(held_out.names)


@pytest.mark.usefixtures("undrawn")
def test_most_held_out_scripts_are_in_two_or_three_faces():
    held_out = glyphs(HELD_OUT, 1)
    faces = {script: set() for script in HELD_OUT}
    for name, script in zip(held_out.names, held_out.scripts, strict=True):
        faces[script].add(len(module._faces_with(name)))
    assert sum(numbers <= {2, 3} for numbers in faces.values()) > len(HELD_OUT) / 2, faces
    assert faces["Hebrew"] == {2}


def test_the_order_of_the_scripts_does_not_matter(some):
    other = glyphs(SOME[::-1])
    assert other.names == some.names and torch.equal(other.images, some.images)


def test_how_a_letter_is_drawn_depends_on_those_before_it(some):
    hebrew, ogham = glyphs(["Hebrew"]), glyphs(["Ogham"])
    assert torch.equal(hebrew.images, some.images[: len(hebrew.images)])
    assert not torch.equal(ogham.images, some.images[len(hebrew.images) :])


def test_characters_may_be_compared_and_be_keys(some):
    other = Characters(some.images, some.labels, some.names, some.scripts)
    assert some == some and some != other and len({some, other}) == 2


@pytest.mark.usefixtures("undrawn")
def test_no_two_letters_correlate_above_the_threshold_in_the_first_face():
    letters = glyphs([*TRAINING, *HELD_OUT], 1)
    pictures = np.stack([module._picture("DejaVuSans", letter) for letter in letters.names])
    coarse = pictures.reshape(-1, 16, 4, 16, 4).mean((2, 4)).reshape(-1, 256)
    correlation = np.corrcoef(coarse) - 2 * np.eye(len(coarse))
    training = np.isin(letters.scripts, TRAINING)
    assert correlation.max() < ALIKE + 1e-4, "the closest lookalikes are left out"
    assert correlation[training][:, ~training].max() > 0.8, "similar letters remain, of other scripts too"


@pytest.mark.usefixtures("undrawn")
def test_of_letters_that_look_alike_the_first_is_kept():
    names = glyphs(drawers=1).names
    assert "A" in names and "\N{GREEK CAPITAL LETTER ALPHA}" not in names
    assert "\N{CYRILLIC CAPITAL LETTER A}" not in names and "\N{CYRILLIC CAPITAL LETTER ZHE}" in names
    assert "é" not in names, "it is made of others"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((["Klingon"],), r"scripts is \['Klingon'\]; give TRAINING, HELD_OUT, or a list"),
        (("Hebrew",), "scripts is 'Hebrew'; give .* a list"),
        (((),), r"scripts is \(\)"),
        ((SOME, 0), "drawers is 0; give 1 or more"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        glyphs(*arguments)


# Folders


def save(file, box, *, dark_ink=True, size=56, mode="L"):
    """An image with a filled box of ink."""
    file.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("L", (size, size), 255 if dark_ink else 0)
    ImageDraw.Draw(image).rectangle(box, fill=0 if dark_ink else 255)
    image.convert(mode).save(file)


def small_folder(folder, **settings):
    """Two alphabets, of one and of two characters, with 2, 1 and 3 images: the n-th box begins at row 10 n."""
    for n, file in enumerate(
        ["Beta/c1/2.png", "Beta/c2/1.png", "Alpha/c9/a.png", "Beta/c1/1.png", "Alpha/c9/b.png", "Alpha/c9/c.png"]
    ):
        save(folder / file, (0, 8 * n, 27, 8 * n + 3), **settings)
    return folder


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path):
    data = character_folder(small_folder(tmp_path))
    assert data.names == ("c9", "c1", "c2") and data.scripts == ("Alpha", "Beta", "Beta")
    assert data.labels.tolist() == [0, 0, 0, 1, 1, 2] and data.labels.dtype == torch.int64
    assert data.script_labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.images.shape == (6, 1, 28, 28) and data.images.dtype == torch.uint8
    expected = torch.zeros(6, 1, 28, 28, dtype=torch.uint8)
    for image, n in zip(expected, [2, 4, 5, 3, 0, 1], strict=True):
        image[0, 4 * n : 4 * n + 2, :14] = 255
    assert torch.equal(data.images, expected), "white ink on black, half as large"


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "P"])
@pytest.mark.parametrize("dark_ink", [True, False])
def test_ink_is_white_in_the_end_whatever_it_was(tmp_path, mode, dark_ink):
    expected = character_folder(small_folder(tmp_path / "plain"))
    data = character_folder(small_folder(tmp_path / "other", mode=mode, dark_ink=dark_ink), dark_ink=dark_ink)
    assert torch.equal(data.images, expected.images)


def test_other_sizes_become_28_pixels_with_grey_edges(tmp_path):
    save(tmp_path / "alphabet" / "character" / "1.png", (21, 0, 34, 104), size=105)
    (image,) = character_folder(tmp_path).images[:, 0]
    assert image.shape == (28, 28) and len(image.unique()) > 2
    assert image.float().mean() == pytest.approx(255 * 14 / 105, abs=1), "as much ink as there was"


def test_hidden_files_and_folders_are_no_characters(tmp_path):
    expected = character_folder(small_folder(tmp_path))
    for file in (".DS_Store", "Beta/.DS_Store", "Beta/c1/.DS_Store", ".git/objects/x", "Beta/.thumbs/x"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("not an image", encoding="utf-8")
    data = character_folder(str(tmp_path))
    assert torch.equal(data.images, expected.images) and data.names == expected.names


def test_a_text_beside_the_alphabets_or_characters_is_left_alone(tmp_path):
    expected = character_folder(small_folder(tmp_path))
    for file in ("readme.txt", "Beta/readme.txt"):
        (tmp_path / file).write_text("about the images", encoding="utf-8")
    assert torch.equal(character_folder(tmp_path).images, expected.images)


def test_a_folder_without_images_says_what_is_needed(tmp_path):
    words = r"has no images; they are needed as .*alphabet.character.image\.png"
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(FileNotFoundError, match=words):
            character_folder(folder)
    save(tmp_path / "alphabet" / "1.png", (0, 0, 5, 5))
    with pytest.raises(FileNotFoundError, match=words):
        character_folder(tmp_path)


def test_a_character_without_images_is_named(tmp_path):
    (small_folder(tmp_path) / "Beta" / "c3").mkdir()
    with pytest.raises(FileNotFoundError, match="c3 is empty; put the images .* there, or delete it"):
        character_folder(tmp_path)


def test_a_file_that_is_no_image_is_named(tmp_path):
    (small_folder(tmp_path) / "Beta" / "c1" / "notes.txt").write_text("not an image", encoding="utf-8")
    with pytest.raises(ValueError, match=r"notes\.txt is not an image that can be read; delete it, or save it as PNG"):
        character_folder(tmp_path)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_the_beginning_of_an_image_is_no_image(tmp_path, share):
    file = tmp_path / "alphabet" / "character" / "1.png"
    file.parent.mkdir(parents=True)
    noise = np.random.default_rng(0).integers(256, size=(40, 40), dtype=np.uint8)
    Image.fromarray(noise).save(file)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match=r"1\.png is not an image that can be read"):
        character_folder(tmp_path)


def test_the_folder_above_the_alphabets_is_told_from_them(tmp_path):
    small_folder(tmp_path / "images_background")
    with pytest.raises(ValueError, match="c9 is a folder where an image should be; give the folder that holds"):
        character_folder(tmp_path)


# Omniglot


@pytest.fixture
def downloads(monkeypatch):
    """What torchvision asks the network for; nothing comes."""
    asked = []

    def refuse(url, *_, **__):
        asked.append(url)
        raise urllib.error.URLError("no network")

    monkeypatch.setattr("torchvision.datasets.omniglot.download_and_extract_archive", refuse)
    return asked


def test_without_omniglot_there_is_advice_and_no_download(tmp_path, monkeypatch, downloads):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path / "cache"))
    with pytest.raises(RuntimeError, match=r"not in .*cache .*give download=True, or use glyphs\(\), which needs no"):
        omniglot()
    with pytest.raises(RuntimeError, match=r"not in .*elsewhere"):
        omniglot("evaluation", folder=tmp_path / "elsewhere")
    assert downloads == []


def test_a_failed_download_is_told(tmp_path, downloads):
    with pytest.raises(RuntimeError, match=r"no network.*check the internet connection, or use glyphs\(\)"):
        omniglot(download=True, folder=tmp_path)
    assert len(downloads) == 1 and downloads[0].endswith("images_background.zip")


@pytest.mark.parametrize("part", ["background", "evaluation"])
def test_omniglot_is_read_where_torchvision_keeps_it(tmp_path, monkeypatch, downloads, part):
    expected = character_folder(small_folder(tmp_path / "omniglot-py" / f"images_{part}", mode="1"))
    monkeypatch.setattr("torchvision.datasets.Omniglot._check_integrity", lambda self: True)
    data = omniglot(part, folder=tmp_path)
    assert data.names == ("c9", "c1", "c2") and data.scripts == expected.scripts
    assert torch.equal(data.images, expected.images) and data.images.float().mean() < 128, "white ink on black"
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path))
    assert torch.equal(omniglot(part, download=True).labels, expected.labels)
    assert downloads == []


def test_another_part_of_omniglot_is_refused():
    with pytest.raises(ValueError, match="part is 'training'; give 'background' or 'evaluation'"):
        omniglot("training")
