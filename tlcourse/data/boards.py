"""Pictures of circuit boards as an inspection camera sees them, drawn by a program: five defects, and none.

Each picture is made in four steps: lay out a board, put one defect on it, draw it, photograph it. Lengths are in
millimetres of the board, with y downwards, until the drawing turns them into pixels; angles are in radians.
"""

import hashlib
import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from torch import Tensor

from ..runtime import cache_dir as default_cache_dir
from ..runtime import replacing

CLASSES = ("good", "missing", "misaligned", "bridge", "open", "scratch")
"""The classes, in the order of their labels:

0. good: nothing is wrong;
1. missing: the pads of a part are empty;
2. misaligned: a part lies askew or beside its pads, or stands on one of them (it is «tombstoned»);
3. bridge: solder joins two pins of a chip;
4. open: a trace is broken;
5. scratch: a scratch, a hair or a stain.
"""

CLASS_NAMES = {
    "good": ("no defect", "bez wad"),
    "missing": ("missing part", "brak elementu"),
    "misaligned": ("misaligned part", "krzywy element"),
    "bridge": ("solder bridge", "mostek lutowniczy"),
    "open": ("broken trace", "przerwana ścieżka"),
    "scratch": ("scratch or stain", "rysa lub plama"),
}
"""What a figure calls each class: (English, Polish)."""

Colour = tuple[int, int, int]  # red, green, blue, 0 to 255
Point = tuple[float, float]
Range = tuple[float, float]  # lowest, highest

GREEN, DARK_GREEN, LIGHT_GREEN = (18, 92, 48), (12, 70, 40), (30, 110, 60)
BLUE, RED, BLACK, PURPLE, TEAL = (18, 48, 118), (130, 24, 28), (30, 30, 33), (66, 28, 92), (10, 88, 96)

BOARD = 22.4  # side of a whole board, mm
VIEW = 7.2  # side of what the camera sees of it at zoom 1, mm
SIZES = (32, 512)  # pixels along a side: nothing can be told on fewer
SUPERSAMPLING = 3  # drawn pixels per pixel of the picture, along each side
TRAIN_IMAGES, TEST_IMAGES = 800, 400


@dataclass(frozen=True)
class Conditions:
    """Under what conditions the pictures are taken: the factory's boards, its light, its camera.

    Each pair (lowest, highest) is a range from which every picture draws its own value, uniformly.

    Raises:
        ValueError: a range is reversed or has a value that makes no sense; there is no mask colour, or one is not
            three numbers from 0 to 255.
    """

    mask_colours: tuple[Colour, ...] = (GREEN, DARK_GREEN, LIGHT_GREEN, BLUE, RED, BLACK, PURPLE, TEAL)
    """Colours of the solder mask, the lacquer that covers the board; each board varies its own a little."""
    brightness: Range = (0.825, 1.175)
    """Strength of the light, 1 being right for the camera."""
    tint: tuple[Range, Range, Range] = ((0.92, 1.08),) * 3
    """Gains of red, green and blue: the colour of the light."""
    unevenness: Range = (0.0, 0.35)
    """Change of brightness from one side of the picture to the other, as a fraction."""
    glare: Range = (0.0, 35.0)
    """Height of a soft bright spot, in grey levels of 255."""
    texture: Range = (0.014, 0.048)
    """Roughness of the surface: standard deviation of the brightness, as a fraction."""
    blur: Range = (0.17, 0.52)
    """Standard deviation of the lens blur, in pixels of a picture of 96 pixels; one picture in five is sharp."""
    noise: Range = (2.0, 5.8)
    """Standard deviation of the sensor's noise, in grey levels of 255."""
    zoom: Range = (1.0, 1.0)
    """Magnification; at 1 the picture shows 7.2 mm."""

    def __post_init__(self):
        ranges = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("mask_colours", "tint")}
        if len(self.tint) != 3:
            raise ValueError(f"tint has {len(self.tint)} ranges; give three, for red, green and blue")
        ranges |= dict(zip(("tint of red", "tint of green", "tint of blue"), self.tint, strict=True))
        for name, given in ranges.items():
            if not (isinstance(given, Sequence) and len(given) == 2 and all(map(math.isfinite, given))):
                raise ValueError(f"{name} is {given!r}; give two finite numbers (lowest, highest)")
            if not 0 <= given[0] <= given[1]:
                raise ValueError(f"{name} is {given}; give (lowest, highest), neither negative")
        if not 0.5 <= self.zoom[0] <= self.zoom[1] <= 4:
            raise ValueError(f"zoom is {self.zoom}; give values from 0.5 to 4")
        if not self.mask_colours:
            raise ValueError("mask_colours is empty; give at least one colour (red, green, blue)")
        for colour in self.mask_colours:
            if len(colour) != 3 or not all(0 <= channel <= 255 for channel in colour):
                raise ValueError(f"mask colour {colour!r} is not three numbers from 0 to 255")


STANDARD = Conditions()
"""The course's own factory."""

OTHER_FACTORY = Conditions(
    mask_colours=((150, 112, 36), (96, 98, 44), (120, 70, 38), (92, 96, 102), (128, 52, 84)),
    brightness=(0.5, 0.8),
    tint=((1.05, 1.2), (0.9, 1.0), (0.6, 0.78)),
    unevenness=(0.2, 0.7),
    glare=(20.0, 80.0),
    blur=(0.3, 0.8),
    noise=(6.0, 11.0),
    zoom=(0.9, 1.15),
)
"""Another factory: boards of other colours, dim and warm light with stronger glare, a worse camera."""


def make_boards(n: int, *, seed: int = 0, size: int = 96, conditions: Conditions = STANDARD) -> tuple[Tensor, Tensor]:
    """Pictures and labels of n boards, in random order, with equally many of each class (up to one).

    Picture i is `render_board(labels[i], (seed, i), size=size, conditions=conditions)`.

    Returns:
        images, uint8 (n, 3, size, size), and labels, int64 (n,), indices into `CLASSES`.

    Raises:
        TypeError, ValueError: n is not a whole number from 1, or see `render_board`.
    """
    from tqdm.auto import tqdm

    n, seed, size = _whole("n", n, 1, 2**32), _whole("seed", seed, 0, 2**32 - 1), _whole("size", size, *SIZES)
    labels = np.arange(n) % len(CLASSES)
    np.random.default_rng(seed).shuffle(labels)
    images = torch.empty(n, 3, size, size, dtype=torch.uint8)
    for i in tqdm(range(n), delay=2, leave=False):
        images[i] = render_board(labels[i], (seed, i), size=size, conditions=conditions)
    return images, torch.from_numpy(labels).long()


def load_boards(*, seed: int = 0, cache_dir: str | Path | None = None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The course's data set: 800 boards to train on and 400 to test on, of 96 × 96 pixels.

    They are drawn once (in about five seconds) and kept in `cache_dir`, by default `tlcourse.cache_dir()`. What is
    kept is used only by the program that would draw it again exactly.

    Returns:
        train images, uint8 (800, 3, 96, 96), train labels, int64 (800,), and the same of 400 for the test.

    Raises:
        TypeError, ValueError: the seed is not a whole number from 0 to 2³¹ - 1.
        RuntimeError: the kept file is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load, save_file

    seed = _whole("seed", seed, 0, 2**31 - 1)
    folder = default_cache_dir() if cache_dir is None else Path(cache_dir)
    file = folder / f"boards-{_digest(seed)}.safetensors"
    names = ("train_images", "train_labels", "test_images", "test_labels")
    if not file.exists():
        # Twice the seed, and the next: no two data sets share a board.
        made = (*make_boards(TRAIN_IMAGES, seed=2 * seed), *make_boards(TEST_IMAGES, seed=2 * seed + 1))
        with replacing(file) as unfinished:
            save_file(dict(zip(names, made, strict=True)), unfinished)
        return made
    try:
        kept = load(file.read_bytes())
        return tuple(kept[name] for name in names)
    except (SafetensorError, KeyError) as error:
        raise RuntimeError(f"the kept boards are damaged; delete {file} and they will be drawn again") from error


def render_board(label: int, seed: int | Sequence[int], *, size: int = 96, conditions: Conditions = STANDARD) -> Tensor:
    """One picture of a board with the defect of class `CLASSES[label]`, uint8 (3, size, size).

    The same seed (a number, or several) gives the same board with any label, size and conditions: what differs is
    its defect and where the camera looks, how many pixels there are, its light, camera and colours.

    Raises:
        TypeError: label, seed or size is not a whole number.
        ValueError: the label is none of the six; a seed is not from 0 to 2³² - 1; the size is not from 32 to 512.
    """
    label, size = _whole("label, an index into CLASSES,", label, 0, len(CLASSES) - 1), _whole("size", size, *SIZES)
    seeds = [_whole("seed", s, 0, 2**32 - 1) for s in (seed if isinstance(seed, tuple | list) else [seed])]
    if not seeds:
        raise ValueError("the seed has no number; give at least one")
    # Three streams, so that a defect does not change the board, nor a camera the defect.
    board_rng, defect_rng, camera_rng = (np.random.default_rng(s) for s in np.random.SeedSequence(seeds).spawn(3))
    board = _lay_out(board_rng, conditions.mask_colours)
    site = _damage(board, CLASSES[label], defect_rng)
    picture = _photograph(board, site, camera_rng, size, conditions)
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))


def _whole(name: str, value: int, low: int, high: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is {value!r}; give a whole number from {low} to {high}") from None
    if not low <= number <= high:
        raise ValueError(f"{name} is {number}; give a whole number from {low} to {high}")
    return number


def _digest(seed: int) -> str:
    """A name for what `load_boards` returns: its parameters, this file, and what draws, writes and textures."""
    drawn_with = [f"{name} {version(name)}" for name in ("numpy", "pillow", "matplotlib", "scikit-image")]
    key = f"{seed} {TRAIN_IMAGES} {TEST_IMAGES} {' '.join(drawn_with)} ".encode()
    return hashlib.sha256(key + Path(__file__).read_bytes()).hexdigest()[:16]


# ---- The layout of a board


@dataclass
class _Part:
    """A part with two terminals, such as a resistor, and the two pads that are meant for it."""

    x: float
    y: float
    length: float
    width: float
    angle: float  # of its length
    kind: str
    outlined: bool
    pad: float  # length of a pad
    shade: float  # gain of the body's colour
    name: str = ""  # printed above or below it, where there is room
    name_below: float = 0.0  # how far below (x, y)
    # How it was placed on its pads: offset across, turn, or the tilt at which it stands on one end.
    mounted: bool = True
    offset: float = 0.0
    turn: float = 0.0
    tilt: float = 0.0
    stands_on: int = 1  # the pad, -1 or 1

    @property
    def reach(self) -> float:
        """All of it, shadow and print included, is within this distance of (x, y)."""
        return self.length + 1.0


@dataclass
class _Chip:
    """An integrated circuit with a row of pins on either side; at angle 0 the pins point left and right."""

    x: float
    y: float
    width: float  # of the body, between the rows
    length: float  # of the body, along a row
    angle: float
    pins: int  # in a row
    pitch: float  # from one pin to the next
    pin_width: float
    lead: float  # length of a pin
    colour: Colour
    code: str
    code_height: float
    outlined: bool

    @property
    def reach(self) -> float:
        return math.hypot(self.width / 2 + self.lead, self.length / 2) + 0.5


@dataclass
class _Bridge:
    """A blob of solder; its outline is around (x, y), before the turn by the angle."""

    x: float
    y: float
    angle: float
    outline: list[Point]


@dataclass
class _Break:
    """A gap in a trace, cut askew; the ends of the trace are bare or still under the lacquer."""

    x: float
    y: float
    angle: float  # of the trace
    skew: float
    gap: float
    end: Colour


@dataclass
class _Mark:
    """What lies on top of everything: a line (a scratch, a hair) or soft blobs (x, y, radii) of dirt."""

    colour: Colour
    opacity: float
    line: list[Point] = field(default_factory=list)
    width: float = 0.0
    blobs: list[tuple[float, float, float, float]] = field(default_factory=list)
    softness: float = 0.0  # standard deviation of the blur


@dataclass
class _Board:
    """A board, and what is wrong with it."""

    mask: Colour
    copper: Colour  # as it shows through the lacquer
    metal: Colour  # of pads and pins: tin or gold
    traces: list[list[Point]]
    trace_width: float
    vias: list[tuple[float, float, float, bool]]  # x, y, radius, drilled or a test pad
    chips: list[_Chip]  # one
    parts: list[_Part]
    spots: np.ndarray  # (n, 3): places on a trace with nothing around, x, y and the trace's angle
    bridges: list[_Bridge] = field(default_factory=list)
    breaks: list[_Break] = field(default_factory=list)
    marks: list[_Mark] = field(default_factory=list)


_BODIES = {
    "resistor": (30, 30, 32),
    "capacitor": (176, 140, 96),
    "lamp": (226, 220, 200),
    "tantalum": (214, 150, 40),
}
_LETTERS = {"resistor": "R", "capacitor": "C", "lamp": "D", "tantalum": "C"}
_SILK, _DARK_SILK = (225, 225, 215), (38, 38, 40)  # the print
_NAME_HEIGHT = 1.25
_BARE_COPPER = (196, 120, 66)


def _shade(colour: Sequence[float], gain: float = 1.0, offset: float = 0.0) -> Colour:
    return tuple(min(255, max(0, int(channel * gain + offset))) for channel in colour)


def _turn(points: Sequence[Point], x: float, y: float, angle: float) -> list[Point]:
    """Turn points by an angle around the origin, then move them to (x, y)."""
    c, s = math.cos(angle), math.sin(angle)
    return [(x + px * c - py * s, y + px * s + py * c) for px, py in points]


def _lay_out(rng: np.random.Generator, mask_colours: Sequence[Colour]) -> _Board:
    """A board without defects. Layouts without a part or a free stretch of trace are thrown away."""
    while True:
        board = _try_layout(rng, mask_colours)
        if board.parts and len(board.spots):
            return board


def _try_layout(rng: np.random.Generator, mask_colours: Sequence[Colour]) -> _Board:
    mask = mask_colours[rng.integers(len(mask_colours))]
    mask = _shade([min(235, max(5, c * rng.uniform(0.8, 1.2) + rng.uniform(-8, 8))) for c in mask])
    copper = _shade(mask, rng.uniform(1.25, 1.5), rng.uniform(8, 20))
    tin = _shade((190, 192, 190), rng.uniform(0.85, 1.15))
    metal = tin if rng.random() < 0.7 else (205, 170, 90)
    chip, box = _place_chip(rng)
    parts, boxes = _place_parts(rng, [box])
    traces, width = _route(rng)
    vias = []
    for _ in range(rng.integers(1, 6)):
        x, y, r = rng.uniform(0.8, BOARD - 0.8), rng.uniform(0.8, BOARD - 0.8), rng.uniform(0.36, 0.64)
        if not _inside(boxes, x, y, r):
            vias.append((x, y, r, rng.random() < 0.7))
    return _Board(mask, copper, metal, traces, width, vias, [chip], parts, _free_spots(traces, boxes))


def _place_chip(rng: np.random.Generator) -> tuple[_Chip, tuple]:
    """A chip somewhere on the board, and the box (left, top, right, bottom) that it needs."""
    pitch, pins = rng.uniform(1.1, 1.4), int(rng.integers(3, 6))
    width, length = rng.uniform(3.2, 5.2), (pins - 1) * pitch + rng.uniform(1.0, 1.4)
    lead, quarter = rng.uniform(0.9, 1.2), int(rng.integers(4))
    w, h = width + 2 * lead + 0.8, length + 0.4
    w, h = (w, h) if quarter % 2 == 0 else (h, w)
    x = rng.uniform(w / 2 + 0.6, BOARD - w / 2 - 0.6)
    y = rng.uniform(h / 2 + 0.6, BOARD - h / 2 - 0.6)
    code = "".join(rng.choice(list("ABCLMNT0123456789"), rng.integers(3, 5))) if rng.random() < 0.8 else ""
    chip = _Chip(
        x, y, width, length, quarter * math.pi / 2, pins, pitch, rng.uniform(0.48, 0.6), lead,
        colour=_shade((34, 34, 36), rng.uniform(0.7, 1.6)), code=code, code_height=rng.uniform(1.2, 1.6),
        outlined=rng.random() < 0.5,
    )  # fmt: skip
    return chip, (x - w / 2, y - h / 2, x + w / 2, y + h / 2)


def _place_parts(rng: np.random.Generator, boxes: list[tuple]) -> tuple[list[_Part], list[tuple]]:
    """Two to four parts where there is room beside the boxes, and all boxes."""
    parts, boxes, wanted = [], list(boxes), rng.integers(2, 5)
    for _ in range(60):
        if len(parts) == wanted:
            break
        length, width, upright = rng.uniform(2.2, 3.2), rng.uniform(1.2, 1.7), bool(rng.integers(2))
        w, h = (width + 0.6, length + 1.4) if upright else (length + 1.4, width + 0.6)
        x = rng.uniform(w / 2 + 0.8, BOARD - w / 2 - 0.8)
        y = rng.uniform(h / 2 + 0.8, BOARD - h / 2 - 0.8)
        box = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
        if any(_overlap(box, other, 0.5) for other in boxes):
            continue
        boxes.append(box)
        kind = list(_BODIES)[rng.integers(len(_BODIES))]
        part = _Part(
            x, y, length, width, upright * math.pi / 2, kind, rng.random() < 0.4,
            pad=rng.uniform(1.0, 1.2), shade=rng.uniform(0.85, 1.15), turn=rng.uniform(-0.06, 0.06),
        )  # fmt: skip
        parts.append(part)
    _name_parts(parts, boxes, rng)
    return parts, boxes


def _name_parts(parts: list[_Part], boxes: list[tuple], rng: np.random.Generator) -> None:
    """Give about half of the parts a name, where it covers nothing."""
    taken = list(boxes)
    for part in parts:
        name, wanted = f"{_LETTERS[part.kind]}{rng.integers(1, 99)}", rng.random() < 0.6
        away = (part.length + 1.4 if part.angle else part.width + 0.6) / 2 + _NAME_HEIGHT / 2
        for below in (away, -away):
            box = (part.x - 1.1, part.y + below - 0.45, part.x + 1.1, part.y + below + 0.45)
            if wanted and not any(_overlap(box, other, 0) for other in taken):
                part.name, part.name_below = name, below
                taken.append(box)
                break


def _route(rng: np.random.Generator) -> tuple[list[list[Point]], float]:
    """Two or three buses of parallel traces from side to side, each with a step at 45 degrees; and their width."""
    width, traces = rng.uniform(0.44, 0.68), []
    spacing = width + rng.uniform(0.64, 1.2)
    for _ in range(rng.integers(2, 4)):
        vertical, start, number = rng.random() < 0.5, rng.uniform(1.6, 20.8), int(rng.integers(2, 5))
        bend, step = rng.uniform(4, 16), rng.uniform(-5.6, 5.6)
        for k in range(number):
            off = (k - number / 2) * spacing
            # tan(22.5°), about 0.4, keeps parallel traces at their distance through the bend.
            a = bend - math.copysign(0.4, step) * off
            points = [(-1.0, start + off), (a, start + off)]
            points += [(a + abs(step), start + off + step), (BOARD + 1, start + off + step)]
            traces.append([(y, x) for x, y in points] if vertical else points)
    return traces, width


def _free_spots(traces: list[list[Point]], boxes: list[tuple]) -> np.ndarray:
    """Points along the traces, away from the edge and from all boxes: (n, 3) of x, y and the trace's angle."""
    ends = np.array([[*a, *b] for trace in traces for a, b in zip(trace, trace[1:], strict=False)])
    step = ends[:, 2:] - ends[:, :2]
    xy = (ends[:, None, :2] + np.linspace(0.05, 0.95, 12)[:, None] * step[:, None]).reshape(-1, 2)
    angles = np.repeat(np.arctan2(step[:, 1], step[:, 0]), 12)
    low, high = np.array(boxes)[:, :2] - 0.8, np.array(boxes)[:, 2:] + 0.8
    blocked = ((xy[:, None] > low) & (xy[:, None] < high)).all(2).any(1)
    free = ((xy > 1.8) & (xy < BOARD - 1.8)).all(1) & ~blocked
    return np.column_stack([xy, angles])[free]


def _overlap(a: tuple, b: tuple, margin: float) -> bool:
    return a[0] < b[2] + margin and b[0] < a[2] + margin and a[1] < b[3] + margin and b[1] < a[3] + margin


def _inside(boxes: list[tuple], x: float, y: float, margin: float) -> bool:
    return any(_overlap((x, y, x, y), box, margin) for box in boxes)


# ---- The defect


def _damage(board: _Board, defect: str, rng: np.random.Generator) -> Point:
    """Put the defect on the board; returns the place to inspect, where the defect is if there is one."""
    part, chip = board.parts[rng.integers(len(board.parts))], board.chips[0]
    between_pins = _between_pins(chip, rng)
    x, y, angle = (float(v) for v in board.spots[rng.integers(len(board.spots))])
    if defect == "missing":
        part.mounted = False
        return part.x, part.y
    if defect == "misaligned":
        _misplace(part, rng)
        return part.x, part.y
    if defect == "bridge":
        width, height = rng.uniform(0.63, 0.99), chip.pitch * rng.uniform(0.95, 1.35)
        board.bridges.append(_Bridge(*between_pins, chip.angle, _blob(width, height, rng)))
        return between_pins
    if defect == "open":
        bare = rng.random() < 0.65
        end = _shade(_BARE_COPPER, rng.uniform(0.75, 1.1)) if bare else _shade(board.copper, rng.uniform(0.9, 1.15))
        board.breaks.append(_Break(x, y, angle, rng.uniform(-0.35, 0.35), rng.uniform(0.92, 1.72), end))
        board.vias = [via for via in board.vias if math.dist(via[:2], (x, y)) > 2]
        return x, y
    chance = rng.random()
    site = (part.x, part.y) if chance < 0.5 else between_pins if chance < 0.75 else (x, y)
    if defect == "scratch":
        reach = VIEW * 0.2
        site = (site[0] + rng.uniform(-reach, reach), site[1] + rng.uniform(-reach, reach))
        board.marks.append(_mark(board, *site, rng))
    return site


def _between_pins(chip: _Chip, rng: np.random.Generator) -> Point:
    """The middle between two neighbouring pins, where solder may join them."""
    side, pin = rng.choice([-1, 1]), rng.integers(chip.pins - 1)
    along = side * (chip.width / 2 + chip.lead * rng.uniform(0.45, 0.9))
    across = (pin + 0.5 - (chip.pins - 1) / 2) * chip.pitch
    return _turn([(float(along), float(across))], chip.x, chip.y, chip.angle)[0]


def _blob(width: float, height: float, rng: np.random.Generator) -> list[Point]:
    """A smooth irregular closed curve around the origin."""
    # Two low harmonics make it uneven, no higher ones: surface tension irons these out.
    (size2, phase2), (size3, phase3) = ((rng.uniform(0, 0.09), rng.uniform(0, 2 * math.pi)) for _ in range(2))
    points = []
    for k in range(28):
        t = 2 * math.pi * k / 28
        r = 1 + size2 * math.cos(2 * t + phase2) + size3 * math.cos(3 * t + phase3)
        points.append((r * width / 2 * math.cos(t), r * height / 2 * math.sin(t)))
    return points


def _misplace(part: _Part, rng: np.random.Generator) -> None:
    chance, sign = rng.random(), int(rng.choice([-1, 1]))
    if chance < 0.3:
        # Solder that melts on one side first pulls the part upright.
        part.tilt, part.stands_on = rng.uniform(1.15, 1.35), sign
    elif chance < 0.7:
        part.turn = sign * rng.uniform(0.28, 0.75)
    else:
        part.turn, part.offset = rng.uniform(-0.2, 0.2), sign * rng.uniform(0.76, 1.26)


def _mark(board: _Board, x: float, y: float, rng: np.random.Generator) -> _Mark:
    """A scratch (45 %), a stain (30 %) or a hair (25 %) at (x, y)."""
    chance, angle = rng.random(), rng.uniform(0, 2 * math.pi)
    if chance < 0.45:
        stride = rng.uniform(0.5, 1.0)
        start = (x - 4 * stride * math.cos(angle), y - 4 * stride * math.sin(angle))
        line = _wander(start, angle, stride, rng.uniform(-0.14, 0.14, 8))
        copper = _shade((215, 170, 130), rng.uniform(0.9, 1.15))
        colour = copper if rng.random() < 0.5 else (205, 205, 195)
        return _Mark(colour, rng.uniform(0.71, 0.96), line, rng.uniform(0.2, 0.38))
    if chance < 0.75:
        blobs = [
            (x + rng.uniform(-1.2, 1.2), y + rng.uniform(-1.2, 1.2), rng.uniform(0.8, 1.8), rng.uniform(0.8, 1.8))
            for _ in range(5)
        ]
        colour = ((110, 80, 35), (215, 215, 205), (60, 50, 30))[rng.integers(3)]
        return _Mark(colour, rng.uniform(0.42, 0.72), blobs=blobs, softness=rng.uniform(0.16, 0.4))
    line = _wander((x, y), angle, 0.64, rng.uniform(-0.35, 0.35) + rng.uniform(-0.15, 0.15, 14))
    colour = (20, 18, 16) if sum(board.mask) > 150 else (200, 195, 180)
    return _Mark(colour, 0.9, line, rng.uniform(0.16, 0.3))


def _wander(start: Point, angle: float, stride: float, turns: np.ndarray) -> list[Point]:
    """Walk from the start with equal strides, changing the direction by each of the turns."""
    points, (x, y) = [start], start
    for turn in turns.tolist():
        angle += turn
        x, y = x + stride * math.cos(angle), y + stride * math.sin(angle)
        points.append((x, y))
    return points


# ---- The drawing

_SHADOW = 0.36  # the light falls from the upper left: what is 1 mm high throws a shadow of this many mm to each side


class _Pen:
    """Draws on an image in millimetres of the board."""

    def __init__(self, image: Image.Image, left: float, top: float, scale: float):
        self.draw, self.left, self.top, self.scale = ImageDraw.Draw(image), left, top, scale

    def sees(self, x: float, y: float, reach: float) -> bool:
        """Whether anything within this distance of (x, y) may be on the image."""
        width, height = (pixels / self.scale for pixels in self.draw.im.size)
        return -reach < x - self.left < width + reach and -reach < y - self.top < height + reach

    def pixels(self, points: Sequence[Point]) -> list[Point]:
        return [((x - self.left) * self.scale, (y - self.top) * self.scale) for x, y in points]

    def polygon(self, points: Sequence[Point], colour: Colour | int) -> None:
        self.draw.polygon(self.pixels(points), fill=colour)

    def rectangle(self, frame: tuple[float, float, float], box: tuple[float, ...], colour: Colour | int) -> None:
        """A box (centre along, centre across, length, width) in a frame (x, y, angle)."""
        self.polygon(_turn(_corners(*box), *frame), colour)

    def ellipse(self, x: float, y: float, rx: float, ry: float, colour: Colour | int) -> None:
        (left, top), (right, bottom) = self.pixels([(x - rx, y - ry), (x + rx, y + ry)])
        self.draw.ellipse((left, top, right, bottom), fill=colour)

    def disc(self, x: float, y: float, r: float, colour: Colour | int) -> None:
        self.ellipse(x, y, r, r, colour)

    def line(self, points: Sequence[Point], width: float, colour: Colour | int) -> None:
        xy, half = self.pixels(points), width * self.scale / 2
        for axis, end in zip(zip(*xy, strict=True), self.draw.im.size, strict=True):
            if max(axis) < -half or min(axis) > end + half:
                return
        self.draw.line(xy, fill=colour, width=max(1, round(2 * half)))
        # Round the bends. Pillow's own joints take five times as long.
        for x, y in points[1:-1]:
            self.disc(x, y, width / 2, colour)

    def text(self, x: float, y: float, text: str, height: float, colour: Colour) -> None:
        font = _font(max(4, int(height * self.scale)))
        self.draw.text(self.pixels([(x, y)])[0], text, font=font, fill=colour, anchor="mm")


def _corners(along: float, across: float, length: float, width: float) -> list[Point]:
    l2, w2 = length / 2, width / 2
    return [(along - l2, across - w2), (along + l2, across - w2), (along + l2, across + w2), (along - l2, across + w2)]


@lru_cache(maxsize=64)
def _font(pixels: int) -> ImageFont.FreeTypeFont:
    import matplotlib

    file = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSansMono-Bold.ttf"
    # The basic layout is built into Pillow; the other one depends on a library of the machine.
    return ImageFont.truetype(str(file), pixels, layout_engine=ImageFont.Layout.BASIC)


def _draw(board: _Board, left: float, top: float, view: float, pixels: int) -> Image.Image:
    """The square of `view` mm at (left, top), as pixels × pixels, layer upon layer as the board is made."""
    image = Image.new("RGB", (pixels, pixels), board.mask)
    pen = _Pen(image, left, top, pixels / view)
    parts = [part for part in board.parts if pen.sees(part.x, part.y, part.reach)]
    chips = [chip for chip in board.chips if pen.sees(chip.x, chip.y, chip.reach)]
    _draw_copper(pen, board)
    _draw_print(pen, parts, chips, _SILK if sum(board.mask) < 420 else _DARK_SILK)
    for part in parts:
        _draw_pads(pen, part, board.metal)
    for chip in chips:
        _draw_pins(pen, chip, board.metal)
    for bridge in board.bridges:
        _draw_bridge(pen, bridge, board.metal)
    _draw_shadows(image, pen, parts, chips)
    for chip in chips:
        _draw_chip(pen, chip)
    for part in parts:
        if part.mounted:
            _draw_part(pen, part)
    for mark in board.marks:
        _draw_mark(image, pen, mark)
    return image


def _draw_copper(pen: _Pen, board: _Board) -> None:
    # The lacquer is thinner on the shoulders of a trace: a darker rim.
    rim = _shade(board.mask, 0.88)
    for colour, width in ((rim, board.trace_width + 0.1), (board.copper, board.trace_width)):
        for trace in board.traces:
            pen.line(trace, width, colour)
    for cut in board.breaks:
        frame = (cut.x, cut.y, cut.angle + cut.skew)
        pen.rectangle(frame, (0, 0, cut.gap, board.trace_width * 1.5), _shade(board.mask, 0.96))
        for end in _turn([(-cut.gap / 2, 0), (cut.gap / 2, 0)], cut.x, cut.y, cut.angle):
            pen.disc(*end, board.trace_width * 0.62, cut.end)
    for x, y, r, drilled in board.vias:
        if not pen.sees(x, y, r):
            continue
        pen.disc(x, y, r + 0.08, rim)
        pen.disc(x, y, r, board.metal)
        if drilled:
            pen.disc(x, y, r * 0.5, (18, 16, 14))


def _draw_print(pen: _Pen, parts: list[_Part], chips: list[_Chip], ink: Colour) -> None:
    outlines = [(part, part.length + 1.3, part.width + 0.5) for part in parts if part.outlined]
    outlines += [(chip, chip.width + 2 * chip.lead + 0.4, chip.length + 0.4) for chip in chips if chip.outlined]
    for thing, length, width in outlines:
        corners = _turn(_corners(0, 0, length, width), thing.x, thing.y, thing.angle)
        pen.line([*corners, *corners[:2]], 0.13, ink)
    for part in parts:
        if part.name:
            pen.text(part.x, part.y + part.name_below, part.name, _NAME_HEIGHT, ink)


def _draw_pads(pen: _Pen, part: _Part, metal: Colour) -> None:
    frame = (part.x, part.y, part.angle)
    for side in (-1, 1):
        at = side * part.length / 2
        pen.rectangle(frame, (at, 0, part.pad, part.width * 1.05), _shade(metal, 0.78))
        pen.rectangle(frame, (at, 0, part.pad - 0.1, part.width * 1.05 - 0.1), _shade(metal, 0.92))
        x, y = _turn([(at, 0)], *frame)[0]
        # The solder: a dome where it is free, a bright strip beyond the terminal that it wets.
        if part.mounted:
            pen.rectangle(frame, (at + side * part.pad * 0.36, 0, 0.16, part.width * 0.8), _shade(metal, 1.15))
        else:
            pen.disc(x, y, 0.32, _shade(metal, 1.12))
            pen.disc(x - 0.08, y - 0.08, 0.13, _shade(metal, 1.3))


def _draw_pins(pen: _Pen, chip: _Chip, metal: Colour) -> None:
    frame = (chip.x, chip.y, chip.angle)
    for side in (-1, 1):
        for pin in range(chip.pins):
            along, across = side * (chip.width + chip.lead) / 2, (pin - (chip.pins - 1) / 2) * chip.pitch
            pad = (along + side * 0.2, across, chip.lead + 0.4, chip.pin_width * 1.15)
            pen.rectangle(frame, pad, _shade(metal, 0.8))
            pen.rectangle(frame, (along, across, chip.lead, chip.pin_width * 0.7), _shade(metal, 1.1))
            glint = (along + side * chip.lead * 0.2, across, chip.lead * 0.3, chip.pin_width * 0.5)
            pen.rectangle(frame, glint, (245, 245, 245))


def _draw_bridge(pen: _Pen, bridge: _Bridge, metal: Colour) -> None:
    # Molten metal: dark where it curves down at the rim, and a glint where it faces the light.
    for scale, gain in ((1.0, 0.78), (0.84, 0.95), (0.6, 1.08)):
        outline = [(x * scale, y * scale) for x, y in bridge.outline]
        pen.polygon(_turn(outline, bridge.x, bridge.y, bridge.angle), _shade(metal, gain))
    glint = [(x * 0.3, y * 0.36) for x, y in bridge.outline]
    pen.polygon(_turn(glint, bridge.x - 0.05, bridge.y - 0.05, bridge.angle), (250, 250, 250))


def _draw_shadows(image: Image.Image, pen: _Pen, parts: list[_Part], chips: list[_Chip]) -> None:
    things = [((chip.x, chip.y, chip.angle), (0, 0, chip.width, chip.length), 0.5) for chip in chips]
    for part in parts:
        if part.tilt:
            foot = (part.stands_on * part.length / 2, 0, 0.4 * part.width, part.width)
            things.append(((part.x, part.y, part.angle), foot, part.length * math.sin(part.tilt)))
        elif part.mounted:
            things.append((_body_frame(part), (0, 0, part.length, part.width), 0.5))
    # Shadows are soft: a third of the resolution will do.
    shadow = Image.new("L", tuple(pixels // SUPERSAMPLING for pixels in image.size))
    shadow_pen = _Pen(shadow, pen.left, pen.top, pen.scale / SUPERSAMPLING)
    for frame, box, height in things:
        corners = _turn(_corners(*box), *frame)
        # The shadow of a prism is swept by its base; a few copies of the base on the way are close enough.
        copies = 1 + round(height)
        for copy in range(1, copies + 1):
            shift = height * _SHADOW * copy / copies
            shadow_pen.polygon([(x + shift, y + shift) for x, y in corners], 165)
    shadow = shadow.filter(ImageFilter.GaussianBlur(0.06 * shadow_pen.scale))
    if box := shadow.getbbox():
        # With a margin of one pixel, into which the interpolation reaches.
        left, top = (max(0, edge - 1) for edge in box[:2])
        right, bottom = (min(end, edge + 1) for end, edge in zip(shadow.size, box[2:], strict=True))
        size = ((right - left) * SUPERSAMPLING, (bottom - top) * SUPERSAMPLING)
        cover = shadow.resize(size, Image.Resampling.BILINEAR, box=(left, top, right, bottom))
        image.paste((0, 0, 0), (left * SUPERSAMPLING, top * SUPERSAMPLING), cover)


def _draw_chip(pen: _Pen, chip: _Chip) -> None:
    frame = (chip.x, chip.y, chip.angle)
    pen.rectangle(frame, (0, 0, chip.width, chip.length), chip.colour)
    pen.rectangle(frame, (0, 0, chip.width * 0.93, chip.length * 0.93), _shade(chip.colour, 1.15, 4))
    x, y = _turn([(-chip.width * 0.3, -chip.length * 0.32)], *frame)[0]
    pen.disc(x, y, 0.32, _shade(chip.colour, 0.6))
    if chip.code:
        pen.text(chip.x, chip.y, chip.code, chip.code_height, _shade(chip.colour, 1.6, 90))


def _body_frame(part: _Part) -> tuple[float, float, float]:
    """Where the body of a lying part is: x, y and angle."""
    x, y = _turn([(0, part.offset)], part.x, part.y, part.angle)[0]
    return x, y, part.angle + part.turn


def _draw_part(pen: _Pen, part: _Part) -> None:
    body, length, width = _shade(_BODIES[part.kind], part.shade), part.length, part.width
    terminal, bright = _shade((200, 200, 200), (1 + part.shade) / 2), _shade((228, 228, 226), (1 + part.shade) / 2)
    if part.tilt:
        _draw_standing(pen, part, body, terminal, bright)
        return
    frame = _body_frame(part)
    pen.rectangle(frame, (0, 0, length, width), body)
    for side in (-1, 1):
        pen.rectangle(frame, (side * length * 0.4, 0, length * 0.2, width), terminal)
        pen.rectangle(frame, (side * length * 0.42, 0, length * 0.1, width * 0.84), bright)
    if part.kind == "tantalum":
        pen.rectangle(frame, (length * 0.2, 0, length * 0.1, width), _shade(body, 0.6))
    elif part.kind == "lamp":
        pen.rectangle(frame, (0, 0, length * 0.34, width * 0.56), _shade(body, 0.9))
        pen.rectangle(frame, (0, 0, length * 0.28, width * 0.46), (250, 245, 190))
    else:
        pen.rectangle(frame, (0, -width * 0.27, length * 0.52, width * 0.16), _shade(body, 1.25, 12))


def _draw_standing(pen: _Pen, part: _Part, body: Colour, terminal: Colour, bright: Colour) -> None:
    """A part on one end, seen from above: its other end, and its upper face much shortened."""
    # In this frame «along» points from the other pad to the pad below the part.
    frame = (part.x, part.y, part.angle + (0 if part.stands_on > 0 else math.pi))
    face, thickness, width = part.length * math.cos(part.tilt), 0.45 * part.width, part.width
    inner = part.length / 2 - (face + thickness) / 2
    for start, stop, colour in ((0, 0.25, terminal), (0.25, 0.8, body), (0.8, 1, _shade(terminal, 0.75))):
        middle = inner + thickness + face * (start + stop) / 2
        pen.rectangle(frame, (middle, 0, face * (stop - start), width), colour)
    # The upper end is nearer to the camera, and larger.
    pen.rectangle(frame, (inner + thickness / 2, 0, thickness, width * 1.1), terminal)
    pen.rectangle(frame, (inner + thickness / 2, 0, thickness * 0.7, width * 0.92), bright)


def _draw_mark(image: Image.Image, pen: _Pen, mark: _Mark) -> None:
    cover, strength = Image.new("L", image.size), round(255 * mark.opacity)
    on_cover = _Pen(cover, pen.left, pen.top, pen.scale)
    if mark.line:
        on_cover.line(mark.line, mark.width, strength)
    for x, y, rx, ry in mark.blobs:
        on_cover.ellipse(x, y, rx, ry, strength)
    if mark.softness:
        cover = cover.filter(ImageFilter.GaussianBlur(mark.softness * pen.scale))
    image.paste(mark.colour, (0, 0), cover)


# ---- The camera


@lru_cache(maxsize=1)
def _textures() -> list[np.ndarray]:
    """Three real surfaces, 512 × 512, with mean 0 and variance 1. scikit-image ships them."""
    from skimage import data

    photos = [getattr(data, name)().astype(np.float32) for name in ("brick", "grass", "gravel")]
    return [(photo - photo.mean()) / photo.std() for photo in photos]


@lru_cache(maxsize=4)
def _grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of the pixels, from -0.5 to 0.5, as a row and a column."""
    axis = np.arange(size, dtype=np.float32) / size - 0.5
    return axis[None], axis[:, None]


def _photograph(board: _Board, site: Point, rng: np.random.Generator, size: int, conditions: Conditions) -> np.ndarray:
    """A picture with the site somewhere near its middle, uint8 (size, size, 3)."""
    view = VIEW / rng.uniform(*conditions.zoom)
    left, top = (min(BOARD - view, max(0.0, at + rng.uniform(-0.2, 0.2) * view - view / 2)) for at in site)
    image = _draw(board, left, top, view, size * SUPERSAMPLING).reduce(SUPERSAMPLING)
    blur = rng.uniform(*conditions.blur) * size / 96
    if rng.random() < 0.8:
        image = image.filter(ImageFilter.GaussianBlur(blur))

    x, y = _grid(size)
    angle = rng.uniform(0, 2 * math.pi)
    light = 1 + rng.uniform(*conditions.unevenness) * (x * math.cos(angle) + y * math.sin(angle))
    light = light * (rng.uniform(*conditions.brightness) * _surface(rng, size, rng.uniform(*conditions.texture)))
    tint = np.array([rng.uniform(*gain) for gain in conditions.tint], np.float32)
    spot_x, spot_y = rng.uniform(-0.5, 0.5, 2).tolist()
    width = rng.uniform(0.01, 0.08)
    # The product of two bells, in x and in y, is the round one.
    bell = np.exp(-((x - spot_x) ** 2) / width) * np.exp(-((y - spot_y) ** 2) / width)

    picture = np.asarray(image, np.float32) * (light[..., None] * tint)
    picture += (rng.uniform(*conditions.glare) * bell)[..., None]
    picture += rng.uniform(*conditions.noise) * rng.standard_normal(picture.shape, dtype=np.float32)
    # Boards lie in any orientation, light and shadows with them.
    return np.rot90(np.clip(picture, 0, 255, out=picture).astype(np.uint8), rng.integers(4))


def _surface(rng: np.random.Generator, size: int, roughness: float) -> np.ndarray:
    """How much light each pixel of a rough surface returns, around 1: (size, size)."""
    texture = _textures()[rng.integers(3)]
    # A crop of 96 pixels whatever the size, so that the grain is as coarse on a larger picture.
    row, column = rng.integers(0, len(texture) - 96, 2)
    crop = texture[row : row + 96, column : column + 96]
    if size != 96:
        crop = np.asarray(Image.fromarray(crop).resize((size, size), Image.Resampling.BILINEAR))
    return 1 + roughness * crop
