import json
import math

import pytest

from tlcourse.classroom.claims import ClaimFailed, claim


def test_a_claim_that_holds_shows_its_number(shown):
    claim(("Tuning wins by at least 0.30", "Dostrajanie wygrywa o 0,30"), 0.5234, at_least=0.3)
    (bundle,) = shown
    assert repr(bundle) == "✓ Tuning wins by at least 0.30: 0.523 (≥ 0.3)"
    record = {"text": "Tuning wins by at least 0.30", "value": 0.5234, "bound": 0.3, "holds": True}
    assert bundle.metadata == {"tlcourse": {"claim": {**record, "sign": "≥", "unit": ""}}}
    assert "var(--jp-success-color1" in bundle.data["text/html"]


def test_a_claim_that_fails_is_shown_and_then_raises(shown):
    with pytest.raises(ClaimFailed, match="does not show it: It is fast: 12.0004\\xa0s, needed ≤ 12\\xa0s"):
        claim("It is fast", 12.0004, at_most=12, unit="s")
    record = {"text": "It is fast", "value": 12.0004, "bound": 12.0, "holds": False}
    assert shown[0].metadata["tlcourse"]["claim"] == {**record, "sign": "≤", "unit": "s"}
    assert repr(shown[0]).startswith("✗ It is fast")
    assert issubclass(ClaimFailed, AssertionError)


@pytest.mark.parametrize("bound", [{"at_least": 0.0}, {"at_most": 1.0}, {"at_least": -math.inf}, {"at_most": math.inf}])
def test_nan_never_holds(shown, bound):
    with pytest.raises(ClaimFailed):
        claim("It is a number", float("nan"), **bound)
    assert shown[0].metadata["tlcourse"]["claim"]["value"] is None


def test_the_bound_itself_holds(shown):
    claim("equal", 0.3, at_least=0.3)
    claim("equal", 0.3, at_most=0.3)
    json.dumps([bundle.metadata for bundle in shown], allow_nan=False)


def test_a_claim_in_polish(shown, polish):
    with pytest.raises(ClaimFailed, match="nie potwierdza: Wygrywa"):
        claim(("It wins", "Wygrywa"), 0.1, at_least=0.3)


@pytest.mark.parametrize("bounds", [{}, {"at_least": 0, "at_most": 1}])
def test_a_claim_has_one_bound(shown, bounds):
    with pytest.raises(ValueError, match="one bound"):
        claim("It wins", 0.1, **bounds)
    assert shown == []
