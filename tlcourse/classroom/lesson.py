"""The first cell of every lesson."""

import re

from ..runtime import seed_everything
from .language import use_language
from .plots import style

_slug: str | None = None


def start_lesson(slug: str, lang: str, seed: int = 0) -> None:
    """Prepare a lesson: its language, the look of its figures, its seeds; and remember which one it is.

    Args:
        slug: the lesson's file name without its ending, `"02_fine_tuning"`.
        lang: `"en"` or `"pl"`.
        seed: for Python's, NumPy's and torch's random numbers.

    Raises:
        ValueError: `slug` is not of the form `NN_name`, or the course does not speak `lang`.
    """
    global _slug
    if not re.fullmatch(r"\d\d_[a-z0-9_]+", slug):
        raise ValueError(f"a lesson is named like '02_fine_tuning' (two digits, then its name), not {slug!r}")
    use_language(lang)
    style()
    seed_everything(seed)
    _slug = slug


def current_lesson() -> str:
    """The slug of the lesson that was started last.

    Raises:
        RuntimeError: none was.
    """
    if _slug is None:
        raise RuntimeError('no lesson was started; run its first cell: start_lesson("02_fine_tuning", lang="en")')
    return _slug
