import numpy as np
import pytest

from tlcourse.classroom.tables import mean_interval, mean_pm, number, table


def test_the_interval_is_student_s():
    mean, half = mean_interval([[1.0, 10.0], [2.0, 10.0], [3.0, 10.0]])
    np.testing.assert_allclose(mean, [2.0, 10.0])
    # t(0.975, 2 degrees of freedom) = 4.3027; the standard error of 1, 2, 3 is 1/sqrt(3)
    np.testing.assert_allclose(half, [4.30265 / np.sqrt(3), 0.0], rtol=1e-5)


def test_the_interval_covers_the_mean_in_95_of_100_experiments():
    samples = np.random.default_rng(0).normal(5.0, 2.0, size=(4, 20000))
    mean, half = mean_interval(samples)
    assert np.mean(np.abs(mean - 5.0) < half) == pytest.approx(0.95, abs=0.006)


@pytest.mark.parametrize("values", [[0.9], 0.9, [], [[1.0, 2.0]]])
def test_one_run_has_no_interval(values):
    with pytest.raises(ValueError, match="at least two runs"):
        mean_interval(values)


def test_mean_pm_reads_like_in_a_paper():
    assert mean_pm([0.956, 0.957, 0.958]) == "0.957 ± 0.002"
    assert mean_pm([10, 20], digits=0) == "15 ± 64"


@pytest.mark.parametrize(
    ("value", "shown"), [(0.5234, "0.523"), (0.3, "0.3"), (43.21, "43.2"), (1234.5, "1234"), (7, "7"), (-0.25, "-0.25")]
)
def test_numbers_have_three_digits(value, shown):
    assert number(value) == shown


def test_a_table_in_text_and_html(shown, polish):
    table(
        [[("probe", "sonda"), 0.7801, 5], ["**full**", 0.95, 55]],
        [("method", "metoda"), "x", "s"],
        ("Boards", "Płytki"),
    )
    (bundle,) = shown
    assert bundle.data["text/plain"].splitlines() == [
        "Płytki",
        "metoda        x   s",
        "--------  -----  --",
        "sonda     0.780   5",
        "**full**  0.950  55",
    ]
    markup = bundle.data["text/html"]
    assert "<b>full</b>" in markup and "sonda" in markup and "probe" not in markup
    assert markup.count("text-align: right") == 6 and "var(--jp-ui-font-color1" in markup


def test_a_column_with_words_stands_to_the_left(shown):
    table([["a", "0.957 ± 0.002", "1 of 2"], ["b", "–", "3"]], ["m", "n", "o"])
    markup = shown[0].data["text/html"]
    assert markup.count("text-align: right") == 3  # the middle column: its heading and two cells


def test_each_kind_of_cell_is_shown_plainly(shown):
    table([[None, True, np.int64(2000), np.float32(0.25), 12.345, 2345.6, float("nan")]], list("abcdefg"))
    assert repr(shown[0]).splitlines()[-1].split() == ["–", "✓", "2000", "0.250", "12.3", "2346", "nan"]


def test_a_ragged_or_empty_table_is_refused(shown):
    with pytest.raises(ValueError, match="row 1 has 1 cells, but there are 2 columns"):
        table([["a", 1], ["b"]], ["m", "n"])
    with pytest.raises(ValueError, match="no rows"):
        table([], ["m"])
    assert shown == []
