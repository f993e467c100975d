"""What the toolkit's tests share."""

import pytest

from tlcourse.classroom import language, rendering


@pytest.fixture(autouse=True)
def _english(monkeypatch):
    """Every test starts in English and leaves the language as it found it."""
    monkeypatch.setattr(language, "_current", "en")


@pytest.fixture
def polish(monkeypatch):
    """A test in Polish."""
    monkeypatch.setattr(language, "_current", "pl")


@pytest.fixture
def shown(monkeypatch) -> list:
    """What is displayed during the test, in order: `Bundle`s."""
    bundles: list = []
    monkeypatch.setattr(rendering, "display", bundles.append)
    return bundles
