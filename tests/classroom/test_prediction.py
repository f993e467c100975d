import numpy as np
import pytest
import torch

from tlcourse.classroom.prediction import Prediction

SPACE = "\N{NO-BREAK SPACE}"


def slider():
    return Prediction(("How accurate?", "Jaka dokładność?"), low=0, high=100, unit="%")


def choice():
    return Prediction("Which wins?", [("probe", "sonda"), ("scratch", "od zera")])


def test_a_guess_is_compared_with_what_was_measured(shown):
    prediction = slider()
    prediction.guess(60)
    prediction.compare(43)
    assert repr(shown[0]) == f"You guessed 60{SPACE}%; measured: 43{SPACE}%. Lower than you thought: why?"
    assert prediction.comparison(57.0) == (f"You guessed 60{SPACE}%; measured: 57{SPACE}%. That is close.", True)
    assert prediction.comparison(80)[0].endswith("Higher than you thought: why?")


def test_the_button_commits_to_what_the_slider_shows():
    prediction = slider()
    prediction.slider.value = 35
    assert prediction.committed is None
    prediction.buttons[0].click()
    assert prediction.committed == 35
    assert f"35{SPACE}%" in prediction.feedback.value


def test_a_click_on_a_choice_commits_to_it():
    prediction = choice()
    prediction.buttons[0].click()
    prediction.buttons[1].click()
    assert prediction.committed == 1
    assert [button.button_style for button in prediction.buttons] == ["", "info"]
    assert prediction.comparison(1) == ("You guessed B, “scratch”; measured: B, “scratch”. Well guessed.", True)
    assert prediction.comparison(0)[1] is False


def test_a_right_first_choice_is_not_taken_for_no_guess():
    prediction = choice()
    prediction.guess(0)
    assert prediction.comparison(0)[1] is True


def test_without_a_guess_one_is_invited_to_make_it():
    assert slider().comparison(43) == (
        f"Measured: 43{SPACE}%. You made no guess: make one before you look, it helps to remember.",
        False,
    )


@pytest.mark.parametrize(
    "measured",
    [
        float("nan"),
        float("inf"),
        None,
        "many",
        7,
        -1,
        np.float32(0.5),
        np.int64(1),
        torch.tensor(0.5),
        torch.ones(3),
        [],
    ],
)
@pytest.mark.parametrize("make", [slider, choice])
@pytest.mark.parametrize("guessed", [False, True])
def test_a_comparison_never_raises(shown, make, measured, guessed):
    prediction = make()
    if guessed:
        prediction.guess(1)
    prediction.compare(measured)
    assert len(shown) == 1 and repr(shown[0])


def test_numbers_of_torch_and_numpy_count_as_numbers():
    prediction = choice()
    prediction.guess(1)
    assert prediction.comparison(np.int64(1))[1] and prediction.comparison(torch.tensor(1))[1]


def test_a_prediction_speaks_polish(polish):
    prediction = slider()
    data, _ = prediction._repr_mimebundle_()
    assert data["text/markdown"].startswith("**Jaka dokładność?**")
    assert data["text/markdown"].endswith("*Uruchom tę komórkę, żeby zgadnąć.*")
    assert prediction.buttons[0].description == "Zgaduję"
    prediction.guess(60)
    assert prediction.comparison(43)[0].startswith(f"Twoja odpowiedź: 60{SPACE}%; zmierzono: 43{SPACE}%.")


def test_a_page_without_a_kernel_shows_the_question():
    data, _ = choice()._repr_mimebundle_()
    assert data["text/markdown"] == "**Which wins?**\n\n- A. probe\n- B. scratch\n\n*Run this cell to make your guess.*"
    assert "application/vnd.jupyter.widget-view+json" in data


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"choices": ["a", "b"], "low": 0, "high": 1},
        {"low": 0},
        {"high": 1},
        {"low": 1, "high": 1},
        {"choices": ["a"]},
    ],
)
def test_a_question_without_a_way_to_answer_is_refused(options):
    with pytest.raises(ValueError):
        Prediction("How much?", **options)


def test_a_guess_off_the_scale_is_refused():
    with pytest.raises(ValueError, match="between 0 and 100"):
        slider().guess(101)
    with pytest.raises(ValueError, match="choice 2 does not exist"):
        choice().guess(2)
