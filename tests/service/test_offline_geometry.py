"""Reading order, tables and form fields from nothing but where words stand."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from offline_making import line, ruled

from docdask.service.offline import columns, forms, grids
from docdask.service.offline.page import Box, Rule, line_of, union
from docdask.service.offline.quality import judge, usable
from docdask.service.offline.reading import is_rtl, read_in_order
from docdask.service.offline.textlayer import turned


def order(lines):
    return [item.text for block in read_in_order(lines) for part in block.paragraphs for item in part.lines]


TEXT = "some running text that fills the line"


def test_columns_are_read_one_after_the_other():
    left = [line(f"L{i} {TEXT}", 50, 100 + 12 * i) for i in range(8)]
    right = [line(f"R{i} {TEXT}", 300, 100 + 12 * i) for i in range(8)]
    title = line("A title across both of the two columns of this page", 100, 60, high=14, letter=7)
    shuffled = [item for pair in zip(left, right, strict=True) for item in pair]
    found = order([*shuffled, title])
    assert found[0].startswith("A title")
    assert [text[:2] for text in found[1:]] == [f"L{i}" for i in range(8)] + [f"R{i}" for i in range(8)]


def test_a_line_that_runs_over_two_columns_is_parted():
    left = [line(f"L{i} {TEXT}", 50, 100 + 12 * i) for i in range(12)]
    right = [line(f"R{i} {TEXT}", 270, 100 + 12 * i) for i in range(12)]
    both = line_of(left[3].words + right[3].words)
    found = order([*left[:3], both, *left[4:], *right[:3], *right[4:]])
    assert found == [item.text for item in left + right]


def test_a_table_is_read_row_by_row():
    rows = [
        [
            line(f"item {i}", 50, 100 + 14 * i),
            line(str(i), 200, 100 + 14 * i),
            line(f"{i}.00", 300, 100 + 14 * i),
        ]
        for i in range(6)
    ]
    flat = [item for row in rows for item in row]
    assert order(list(reversed(flat))) == [item.text for item in flat]


def test_lines_side_by_side_run_from_right_to_left_in_hebrew():
    right, left = line("שלום עולם", 300, 100), line("טקסט ארוך", 100, 100)
    assert order([left, right]) == [right.text, left.text]
    assert is_rtl("שלום a")
    assert not is_rtl("a plain text with one ש")


@given(
    st.lists(st.tuples(st.integers(0, 500), st.integers(0, 700), st.integers(1, 60)), min_size=1, max_size=40)
)
def test_reading_order_loses_and_invents_no_word(places):
    lines = [line("x" * length, x, y) for x, y, length in places]
    assert sorted("".join(order(lines))) == sorted("".join(item.text for item in lines))


@given(st.integers(0, 3), st.floats(0, 100), st.floats(0, 100), st.floats(1, 50), st.floats(1, 50))
def test_four_quarter_turns_are_none(turn, x, y, width, height):
    box = Box(x, y, x + width, y + height)
    once = turned(box, turn, 200, 300)
    size = (300, 200) if turn % 2 else (200, 300)
    again = turned(once, -turn % 4, *size)
    assert all(abs(a - b) < 1e-6 for a, b in zip(box, again, strict=True))


def test_a_ruled_table_has_its_rows_and_columns():
    words = [
        word
        for r in range(3)
        for c in range(2)
        for word in line(f"r{r}c{c}", 55 + 100 * c, 105 + 20 * r).words
    ]
    (grid,) = grids.find(words, ruled(50, 100, [100, 100], [20, 20, 20]), 595, 842)
    assert [[cell.text for cell in row] for row in grid.rows] == [
        ["r0c0", "r0c1"],
        ["r1c0", "r1c1"],
        ["r2c0", "r2c1"],
    ]
    assert grid.header_rows == 1
    assert grid.box == Box(50, 100, 250, 160)


def test_a_missing_line_makes_a_spanning_cell():
    rules = [rule for rule in ruled(50, 100, [100, 100], [20, 20, 20]) if rule.box != Box(150, 100, 150, 160)]
    rules.append(Rule(Box(150, 120, 150, 160)))
    words = [
        *line("both columns", 80, 105).words,
        *line("a", 60, 125).words,
        *line("b", 160, 125).words,
        *line("c", 60, 145).words,
    ]
    (grid,) = grids.find(words, rules, 595, 842)
    assert [[cell.column_span for cell in row] for row in grid.rows] == [[2], [1, 1], [1, 1]]


def test_a_frame_around_text_is_no_table():
    words = list(line("framed text", 60, 110).words)
    assert grids.find(words, ruled(50, 100, [300], [200]), 595, 842) == []


def test_short_pieces_in_columns_are_a_table():
    rows = [("Item", "Quantity", "Price")] + [(f"Thing {i}", str(i), f"{i}.50") for i in range(1, 5)]
    lines = [
        line(text, x, 100 + 16 * r)
        for r, row in enumerate(rows)
        for x, text in zip((50, 200, 320), row, strict=True)
    ]
    (grid,) = columns.find(lines, [])
    assert [[cell.text for cell in row] for row in grid.rows] == [list(row) for row in rows]
    assert columns.find(lines, [union(item.box for item in lines)]) == []


def test_a_cell_goes_on_in_the_lines_right_under_it():
    rows = [("Item", "Note", "Price"), ("Pen", "blue", "1.00"), ("Ink", "a very", "2.00")]
    lines = [
        line(text, x, 100 + 16 * r)
        for r, row in enumerate(rows)
        for x, text in zip((50, 150, 320), row, strict=True)
    ]
    (grid,) = columns.find([*lines, line("black one", 150, 143), line("Apart", 150, 190)], [])
    assert [cell.text for cell in grid.rows[-1]] == ["Ink", "a very black one", "2.00"]


def test_running_text_in_columns_is_no_table():
    long = "words of a text that runs on and on over the whole width of its column"
    lines = [line(long, x, 100 + 12 * r, letter=3) for r in range(10) for x in (40, 320)]
    assert columns.find(lines, []) == []


def pairs(lines, boxes=()):
    return [
        (" ".join(w.text for w in f.name), " ".join(w.text for w in f.value), f.value_type)
        for f in forms.find(lines, boxes, 595, 842)
    ]


def test_a_value_stands_behind_its_label_right_of_it_or_below():
    lines = [
        line("Name: Jane Doe", 50, 100),
        line("Address:", 50, 140), line("1 High Street", 150, 140),
        line("Remarks:", 50, 180), line("paid in cash", 52, 193),
        line("Signature:", 50, 400),
    ]  # fmt: skip
    assert pairs(lines) == [
        ("Name:", "Jane Doe", ""), ("Address:", "1 High Street", ""), ("Remarks:", "paid in cash", ""), ("Signature:", "", ""),
    ]  # fmt: skip


def test_two_labels_share_a_line():
    assert pairs([line("City: Ghent Zip: 9000", 50, 100)]) == [("City:", "Ghent", ""), ("Zip:", "9000", "")]


def test_a_time_and_a_sentence_are_no_labels():
    assert pairs([line("at 10: 30 it was", 50, 100)]) == []
    assert (
        pairs(
            [
                line(
                    "Of all that was said on that day one thing remains to be told: nothing",
                    50,
                    100,
                    letter=3,
                )
            ]
        )
        == []
    )


def test_boxes_to_tick_take_the_words_after_them():
    assert pairs([line("☒ yes ☐ no", 50, 100)]) == [
        ("yes", "☒", "filled_checkbox"),
        ("no", "☐", "unfilled_checkbox"),
    ]
    drawn = ((Box(50, 100, 60, 110), True), (Box(120, 100, 130, 110), False))
    lines = [line("Married", 64, 100), line("Single", 134, 100)]
    assert pairs(lines, drawn) == [("Married", "", "filled_checkbox"), ("Single", "", "unfilled_checkbox")]


def test_a_clean_text_layer_is_used_and_a_broken_one_is_not():
    good = judge(["The", "quick", "brown", "fox,", "and", "3", "more."] * 5)
    assert good.score > 0.95
    assert usable(good, 0.0, 0.7)
    assert usable(good, 1.0, 0.7), "the text layer of a searchable scan"
    assert not usable(judge(["\ue001\ue002\ue003"] * 30), 0.0, 0.7)
    assert not usable(judge(["a#$%&b", "{]x(y"] * 30), 0.0, 0.7)
    assert not usable(judge(list("abcdefghijklmnopqrstuvwxyz")), 0.0, 0.7), "letter by letter"
    assert not usable(judge([]), 0.0, 0.0)


def test_a_stamp_on_a_scan_is_no_text_layer():
    stamp = judge(["Scanned", "by", "App"])
    assert not usable(stamp, 0.9, 0.7)
    assert usable(stamp, 0.1, 0.7)


def test_chinese_letters_are_not_taken_for_a_broken_layer():
    assert judge(list("这是一个没有空格的句子它由很多单独的字组成没有问题")).score > 0.9
