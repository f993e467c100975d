"""Characters of many scripts, drawn as if by hand: small, without a download, and made like Omniglot.

Omniglot (Lake et al. 2015, Science 350) has 1,623 characters of 50 alphabets, each drawn by 20 people. Here the
characters are letters of the DejaVu fonts that matplotlib ships, reduced to the middle line of their strokes and drawn
again with a pen. `omniglot` loads the real one where it is present or may be downloaded, `character_folder` any other.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from tqdm.auto import tqdm

from ..runtime import cache_dir

TRAINING = "Latin", "Greek", "Coptic", "Cyrillic", "Canadian"
HELD_OUT = "Armenian", "Hebrew", "Arabic", "Nko", "Lao", "Georgian", "Ogham", "Tifinagh", "Lisu", "Old Italic"
"""Scripts, by the first words of their letters' names in Unicode; Canadian are the syllabics of Cree and others."""

FACES = "DejaVuSans", "DejaVuSans-Bold", "DejaVuSansMono", "DejaVuSerif", "DejaVuSerif-Italic"
"""The first of them has every letter, the others have many."""

ALIKE = 0.95
"""Two letters are one character when their pictures correlate more than this, as Latin A, Greek Α and Cyrillic А do.

The pictures are those of the first face. Other versions of FreeType or Pillow may draw them a little otherwise, and so
move a letter across the threshold.
"""


@dataclass(frozen=True, eq=False)
class Characters:
    """Images of C characters.

    images: uint8 (N, 1, 28, 28), white ink on black.
    labels: which character an image shows, int64 (N,), 0 to C - 1, in rising order.
    names: what each of the characters is called, C of them; for `glyphs`, the letter itself.
    scripts: the script of each, C of them. Omniglot calls it alphabet.
    """

    images: Tensor
    labels: Tensor
    names: tuple[str, ...]
    scripts: tuple[str, ...]

    @property
    def script_labels(self) -> Tensor:
        """The script of each image as a number, int64 (N,), in the order in which the scripts come."""
        number = {script: i for i, script in enumerate(dict.fromkeys(self.scripts))}
        return torch.tensor([number[script] for script in self.scripts])[self.labels]


def glyphs(scripts: Sequence[str] = TRAINING, drawers: int = 20, *, seed: int = 0) -> Characters:
    """Letters of the scripts, each drawn once by every drawer.

    A drawer has a pen, a slant and a face of `FACES` as a model. A letter that is not in all of them is drawn after
    those that have it; most held-out scripts are in two or three. Each drawing is turned by up to 15 degrees,
    stretched, shifted and bent a little besides. Of letters that look alike only the first is kept, `TRAINING` before
    `HELD_OUT`: no two correlate above `ALIKE` in the first face, so the closest lookalikes are left out, within a
    script and across scripts. Letters that are similar remain.

    Args:
        scripts: `TRAINING`, `HELD_OUT`, or a list of some of them, in any order.
        drawers: how many there are.
        seed: of the drawers and of what they draw. Which letters there are does not depend on it. How a letter is drawn
            depends on the letters before it too, and so on the scripts asked for.

    Raises:
        ValueError: an unknown script, none, or no drawer.
    """
    if drawers < 1:
        raise ValueError(f"drawers is {drawers}; give 1 or more")
    if isinstance(scripts, str) or not scripts or not set(scripts) <= {*TRAINING, *HELD_OUT}:
        raise ValueError(f"scripts is {scripts!r}; give TRAINING, HELD_OUT, or a list of some of their names")
    letters = {letter: script for letter, script in _letters().items() if script in scripts}
    generator = torch.Generator().manual_seed(seed)
    radius, slant = _uniform(drawers, 0.7, 1.5, generator), _uniform(drawers, -0.2, 0.2, generator)
    faces = torch.randint(len(FACES), (drawers,), generator=generator).tolist()
    images = []
    for letter in tqdm(letters, desc="glyphs", leave=False, delay=1):
        models = [_strokes(face, letter) for face in _faces_with(letter)]
        images.append(_draw(torch.stack([models[face % len(models)] for face in faces]), radius, slant, generator))
    labels = torch.arange(len(letters)).repeat_interleave(drawers)
    return Characters(torch.cat(images), labels, tuple(letters), tuple(letters.values()))


def omniglot(part: str = "background", *, download: bool = False, folder: str | Path | None = None) -> Characters:
    """The real Omniglot, 28 × 28, by torchvision.

    Args:
        part: `"background"`, 964 characters of 30 alphabets to train on, or `"evaluation"`, 659 of 20 others.
        download: let torchvision fetch it (about 10 MB, checked against its digests) where it is not there yet.
        folder: where torchvision keeps it, by default in `runtime.cache_dir()`.

    Raises:
        ValueError: another part.
        RuntimeError: it is not there, or cannot be downloaded.
    """
    if part not in ("background", "evaluation"):
        raise ValueError(f"part is {part!r}; give 'background' or 'evaluation'")
    from torchvision.datasets import Omniglot

    folder = Path(folder) if folder else cache_dir()
    try:
        data = Omniglot(str(folder), background=part == "background", download=download)
    except (OSError, RuntimeError) as error:
        advice = "check the internet connection" if download else "give download=True"
        raise RuntimeError(
            f"Omniglot is not in {folder} ({error}); {advice}, or use glyphs(), which needs no download"
        ) from error
    return character_folder(data.target_folder)


def character_folder(folder: str | Path, *, dark_ink: bool = True) -> Characters:
    """Images laid out as Omniglot's are, `alphabet/character/image.png`, made grey and 28 × 28.

    Args:
        folder: it holds a folder for each alphabet, and nothing else (hidden files aside).
        dark_ink: the images have dark ink on a light ground, as Omniglot's; False, if it is the other way round.

    Raises:
        FileNotFoundError: no folder, or no image where one should be.
        ValueError: a file that is no image, or a folder in its place.
    """
    folder = Path(folder)
    images, labels, names, scripts = [], [], [], []
    characters = sorted(path for path in folder.glob("[!.]*/[!.]*") if path.is_dir())
    for character in tqdm(characters, desc=folder.name, leave=False, delay=1):
        files = sorted(file for file in character.iterdir() if not file.name.startswith("."))
        if not files:
            raise FileNotFoundError(f"{character} is empty; put the images of the character there, or delete it")
        images += [_read(file, dark_ink) for file in files]
        labels += [len(names)] * len(files)
        names.append(character.name)
        scripts.append(character.parent.name)
    if not images:
        raise FileNotFoundError(f"{folder} has no images; they are needed as {folder / 'alphabet/character/image.png'}")
    return Characters(torch.stack(images), torch.tensor(labels), tuple(names), tuple(scripts))


def _read(file: Path, dark_ink: bool) -> Tensor:
    if file.is_dir():
        raise ValueError(f"{file} is a folder where an image should be; give the folder that holds the alphabets")
    try:
        with Image.open(file) as opened:
            picture = opened.convert("L").resize((28, 28), Image.Resampling.BOX)
    except (OSError, SyntaxError) as error:  # Pillow's, for what is no image, or only the beginning of one
        raise ValueError(f"{file} is not an image that can be read; delete it, or save it as PNG") from error
    image = torch.from_numpy(np.array(picture))[None]
    return 255 - image if dark_ink else image


def _uniform(count: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(count, generator=generator)


def _draw(strokes: Tensor, radius: Tensor, slant: Tensor, generator: torch.Generator) -> Tensor:
    """Draw lines with a pen.

    strokes: distances from the lines, (n, 1, 64, 64), see `_strokes`.
    radius: of the pens (n,), in pixels of the drawing.
    slant: pixels sideways for each pixel of height (n,).

    Returns uint8 (n, 1, 28, 28).
    """
    n = len(strokes)
    angle = _uniform(n, -torch.pi / 12, torch.pi / 12, generator)
    width, height = (_uniform(n, 0.88, 1.12, generator) for _ in range(2))
    right, down = (_uniform(n, -0.06, 0.06, generator) for _ in range(2))
    rows = [
        torch.stack([angle.cos() / width, slant - angle.sin() / width, right], 1),
        torch.stack([angle.sin() / height, angle.cos() / height, down], 1),
    ]
    grid = F.affine_grid(torch.stack(rows, 1), [n, 1, 28, 28], align_corners=False)
    bends = 0.05 * torch.randn(n, 2, 5, 5, generator=generator)
    grid = grid + F.interpolate(bends, (28, 28), mode="bicubic", align_corners=True).permute(0, 2, 3, 1)
    distance = F.grid_sample(strokes, grid, padding_mode="border", align_corners=False) * (28 / 64)
    ink = (radius.view(-1, 1, 1, 1) + 0.5 - distance).clamp(0, 1)  # grey within half a pixel of the edge
    return (255 * ink).round().to(torch.uint8)


@cache
def _strokes(face: str, letter: str) -> Tensor:
    """How far each pixel is from the middle of the letter's strokes, (1, 64, 64), in pixels."""
    from scipy.ndimage import distance_transform_edt
    from skimage.morphology import skeletonize

    middle = skeletonize(_picture(face, letter) > 100)
    return torch.from_numpy(distance_transform_edt(~middle)).float()[None]


def _picture(face: str, letter: str) -> np.ndarray:
    """The letter in white on black, uint8 (64, 64): its longer side is 44 pixels, its ink in the middle."""
    font = _font(face)
    left, top, right, bottom = font.getbbox(letter)
    picture = Image.new("L", (right - left + 2, bottom - top + 2))
    ImageDraw.Draw(picture).text((1 - left, 1 - top), letter, fill=255, font=font)
    picture = picture.crop(picture.getbbox())
    scale = 44 / max(picture.size)
    picture = picture.resize([max(1, round(scale * side)) for side in picture.size], Image.Resampling.LANCZOS)
    canvas = Image.new("L", (64, 64))
    canvas.paste(picture, ((64 - picture.width) // 2, (64 - picture.height) // 2))
    return np.array(canvas)


@cache
def _letters() -> dict[str, str]:
    """All letters and their scripts, those that look like an earlier one left out."""
    found = {}
    for script in TRAINING + HELD_OUT:
        for letter in map(chr, sorted(_charmap(FACES[0]))):
            # Letters without case too, but no modifiers, and none that is made of others, such as é.
            is_letter = unicodedata.category(letter) in ("Lu", "Ll", "Lo") and not unicodedata.decomposition(letter)
            if is_letter and unicodedata.name(letter, "").startswith(f"{script.upper()} "):
                found[letter] = script
    pictures = torch.stack([torch.from_numpy(_picture(FACES[0], letter)) for letter in found]).float()
    correlation = torch.corrcoef(F.avg_pool2d(pictures, 4).flatten(1))
    kept = []
    for i in range(len(found)):
        if not kept or correlation[i, kept].max() <= ALIKE:
            kept.append(i)
    letters = list(found)
    return {letters[i]: found[letters[i]] for i in kept}


def _faces_with(letter: str) -> list[str]:
    return [face for face in FACES if ord(letter) in _charmap(face)]


def _file(face: str) -> Path:
    import matplotlib

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{face}.ttf"


@cache
def _font(face: str) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(_file(face), 72)


@cache
def _charmap(face: str) -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    return frozenset(FT2Font(str(_file(face))).get_charmap())
