"""Text of any script is set in order, joined and wrapped, and never as a box."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docdask.errors import UsageError
from docdask.reporting.baseline import Baseline
from docdask.reporting.bidi import base_level, levels, visual
from docdask.reporting.fontset import FontSet
from docdask.reporting.typeset import Span, Typesetter

WORDS = ["Žluťoučký", "Счёт-фактура", "فاتورة لا", "חשבונית", "क्षेत्र"]


@pytest.fixture(scope="module")
def typesetter():
    return Typesetter(FontSet([*WORDS, "aé中\U0010fffd"]))


def glyphs(line):
    return [glyph for run in line.runs for glyph in run.glyphs]


@pytest.mark.parametrize("word", WORDS)
def test_no_glyph_is_the_box_of_a_missing_character(typesetter, word):
    assert all(glyph.number != 0 for glyph in glyphs(typesetter.line(word)))


def test_arabic_letters_join(typesetter):
    alone, joined = glyphs(typesetter.line("ف")), glyphs(typesetter.line("فاتورة"))
    assert alone[0].number not in {glyph.number for glyph in joined}


def test_devanagari_makes_conjuncts(typesetter):
    assert len(glyphs(typesetter.line("क्षेत्र"))) < len("क्षेत्र")


def test_hebrew_runs_from_right_to_left(typesetter):
    assert "".join(glyph.text for glyph in glyphs(typesetter.line("חשבונית"))) == "חשבונית"[::-1]


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("abc אבג def", "abc גבא def"), ("אבג 12 דהו", "והד 12 גבא"), ("אבג (abc) ד", "ד (abc) גבא"),
        ("abc (אבג) d", "abc (גבא) d"), ("12-34 אב", "בא 12-34"), ("a 1,5 ב", "a 1,5 ב"), ("", ""), ("ascii", "ascii"),
    ],
)  # fmt: skip
def test_lines_are_ordered_by_the_bidirectional_algorithm(text, seen):
    assert "".join(text[i] for i in visual(list(levels(text)))).translate(
        str.maketrans("()", ")(") if base_level(text) and "(" in text else {}
    ) == seen  # fmt: skip


@given(st.text(alphabet="ab 1,.()אבגعف%-/"))
def test_order_is_a_permutation_and_levels_are_small(text):
    found = levels(text)
    assert sorted(visual(list(found))) == list(range(len(text)))
    assert set(found) <= {0, 1, 2}


@settings(deadline=None, max_examples=60)
@given(st.text(alphabet="ab é/-_.фкשאبत中 ", max_size=80), st.floats(20, 200))
def test_lines_keep_every_character_and_fit(typesetter, text, width):
    lines = typesetter.lines([Span(text)], 9, width)
    printed = typesetter.fonts.printable(text)
    kept = "".join(sorted("".join(run.text for line in lines for run in line.runs)))
    assert kept.replace(" ", "") == "".join(sorted(printed)).replace(" ", "")
    assert all(line.width(9) <= width + 0.01 or len(glyphs(line)) <= 2 for line in lines)


def test_a_word_wider_than_the_line_is_divided(typesetter):
    lines = typesetter.lines([Span("a" * 300)], 9, 100)
    assert len(lines) > 10
    assert all(line.width(9) <= 100 for line in lines)


def test_an_option_keeps_its_dashes(typesetter):
    for width in range(40, 120, 5):
        for line in typesetter.lines([Span("use --passwords FILE now")], 9, width):
            assert not "".join(run.text for run in line.runs).endswith("-")


def test_what_no_font_has_is_printed_as_its_code(typesetter):
    assert "".join(run.text for run in typesetter.line("a\U0010fffd").runs) == "a[U+10FFFD]"


@pytest.mark.parametrize(
    ("given_", "rate"),
    [(12, 12), ("12", 12), ("12/h", 12), ("300s", 12), ("5 min", 12), ("0.5/min", 30), ("2/day", 2 / 24)],
)
def test_a_baseline_is_read_as_a_rate(given_, rate):
    baseline = Baseline.parse(given_)
    assert baseline.rate(100) == pytest.approx(rate)
    assert baseline.estimated


def test_a_measured_baseline_is_no_estimate():
    baseline = Baseline.parse("total 40h")
    assert not baseline.estimated
    assert baseline.seconds(7) == 144_000
    assert baseline.rate(80) == pytest.approx(2)


@pytest.mark.parametrize(
    "wrong", ["", "fast", "0", "-3", "12/", "3 apples", "total 4", "nan", "inf", float("nan")]
)
def test_a_baseline_that_is_no_speed_is_refused(wrong):
    with pytest.raises(UsageError, match="baseline"):
        Baseline.parse(wrong)
