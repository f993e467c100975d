"""The course's bilingual glossary: one term, one translation, in every lesson."""

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_suffix(".json")
ALPHABET = {letter: i for i, letter in enumerate("aąbcćdeęfghijklłmnńoópqrsśtuvwxyzźż")}
HEADS = {
    "en": ("English", "Polish", "Meaning", "Lesson"),
    "pl": ("Po polsku", "Po angielsku", "Znaczenie", "Lekcja"),
}
# What terms are not looked for in: code, the targets of links, and italics, where foreign names stand.
CODE = r"```.*?```|`[^`]*`"
TARGET = r"(?<=\])\([^)\s]*\)|<https?://[^>\s]*>"
ITALICS = r"(?<![\w*])\*(?![\s*])[^*]+(?<![\s*])\*(?![\w*])|(?<!\w)_(?!\s)[^_]+(?<!\s)_(?!\w)"
EXEMPT = re.compile(f"{CODE}|{TARGET}|{ITALICS}", re.DOTALL)


@dataclass(frozen=True)
class Term:
    """One term. `match` holds, per language, a regular expression of its forms; None: it is not checked."""

    en: str
    pl: str
    slug: str
    definition: dict[str, str]
    match: dict[str, str] | None
    lesson: str | None  # the slug of the lesson that explains it

    def found(self, text: str, lang: str) -> bool:
        """Whether the text, without code, links' targets and italics, uses the term."""
        return self.match is not None and bool(form(self.match[lang]).search(EXEMPT.sub(" ", text)))


@cache
def form(pattern: str) -> re.Pattern:
    """A term's pattern as it is looked for: whole words, in either case."""
    return re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE)


@cache
def load() -> list[Term]:
    """All terms, in the order of the file."""
    return [Term(**entry) for entry in json.loads(FILE.read_text(encoding="utf-8"))]


def missing_terms(en_text: str, pl_text: str) -> list[Term]:
    """The terms that an English text uses and its Polish twin does not say as the glossary does."""
    return [term for term in load() if term.found(en_text, "en") and not term.found(pl_text, "pl")]


def as_markdown(lang: str) -> str:
    """The glossary as a Markdown table, in the alphabetical order of a language: "en" or "pl"."""
    if lang not in HEADS:
        raise ValueError(f"unknown language {lang!r}; choose one of {', '.join(HEADS)}")
    other = {"en": "pl", "pl": "en"}[lang]
    rows = [HEADS[lang], ("---",) * 4]
    for term in sorted(load(), key=lambda term: collation(getattr(term, lang))):
        lesson = term.lesson[:2] if term.lesson else ""
        rows.append((f"**{getattr(term, lang)}**", getattr(term, other), term.definition[lang], lesson))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def collation(text: str) -> list[int]:
    """A sorting key by the Polish alphabet, which orders English words as the English one does."""
    return [ALPHABET.get(letter, -1) for letter in text.lower()]
