"""The reader's language: texts come in pairs (English, Polish) and are picked when they are shown."""

import difflib

from .catalogue import WORDS

LANGUAGES = ("en", "pl")

Text = str | tuple[str, str]
"""What a reader sees: a pair ("English", "polski"), or a string that is already in the reader's language."""

_current = "en"


def current_language() -> str:
    """The language in use: "en" or "pl"; English until a lesson says otherwise."""
    return _current


def use_language(lang: str) -> None:
    """Set the language that texts are shown in.

    Raises:
        ValueError: the course does not speak `lang`.
    """
    global _current
    if lang not in LANGUAGES:
        raise ValueError(f"the course speaks {' and '.join(LANGUAGES)}, not {lang!r}; give lang='en' or lang='pl'")
    _current = lang


def text(pair: Text) -> str:
    """The text in the language in use; a plain string is taken as it is.

    Raises:
        TypeError: neither a string nor a pair of strings.
    """
    if isinstance(pair, str):
        return pair
    if isinstance(pair, tuple) and len(pair) == 2 and all(isinstance(part, str) for part in pair):
        return pair[LANGUAGES.index(_current)]
    raise TypeError(f'a text is a string or a pair ("English", "polski"), not {pair!r}')


def t(english: str, polish: str | None = None) -> str:
    """`t("epoch")` looks a shared word up; `t("English", "polski")` picks the reader's language.

    Raises:
        LookupError: the one word given is not in the catalogue.
    """
    if polish is not None:
        return text((english, polish))
    if english not in WORDS:
        near = difflib.get_close_matches(english, WORDS, n=3, cutoff=0.5)
        hint = f" (nearest: {', '.join(map(repr, near))})" if near else ""
        raise LookupError(
            f"{english!r} is not in the course's catalogue{hint}; give both languages: t({english!r}, '…')"
        )
    return text(WORDS[english])
