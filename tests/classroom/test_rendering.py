import pytest

from tlcourse.classroom.rendering import Bundle, inline_html, readout_format


@pytest.mark.parametrize(
    ("source", "markup"),
    [
        ("plain & <simple>", "plain &amp; &lt;simple&gt;"),
        ("**bold** and *italic*", "<b>bold</b> and <i>italic</i>"),
        ("`a * b * c < d`", "<code>a * b * c &lt; d</code>"),
        (r"$a*b*c < \theta_1$ wins", r"$a*b*c &lt; \theta_1$ wins"),
        ("2 * 3", "2 * 3"),
    ],
)
def test_inline_markdown_becomes_html_and_formulas_stay(source, markup):
    assert inline_html(source) == markup


def test_a_bundle_prints_its_plain_text_outside_a_notebook():
    bundle = Bundle({"text/html": "<b>x</b>", "text/plain": "x"}, {"key": 1})
    assert repr(bundle) == "x"
    assert bundle._repr_mimebundle_() == ({"text/html": "<b>x</b>", "text/plain": "x"}, {"key": 1})


@pytest.mark.parametrize(("step", "shown"), [(1, ".0f"), (0.5, ".1f"), (0.25, ".2f"), (0.001, ".3f"), (5, ".0f")])
def test_a_slider_shows_as_many_decimals_as_its_step(step, shown):
    assert readout_format(step) == shown
