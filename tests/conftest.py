"""What tests of several folders share."""

from collections.abc import Callable

import pytest


@pytest.fixture
def set_locale(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Call it with the variables that are to say the system's language, all others being unset."""

    def set_variables(**variables: str) -> None:
        for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return set_variables
