"""Merging page ranges: nothing is lost, nothing is added, and what does not fit is told."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docdask.core.merge import MergeError, merge, rebase, split
from docdask.model import PageRange
from docdask.service.message import new, parse


def anchor(layout, start, end):
    layout.text_anchor.text_segments.add(start_index=start, end_index=end)


def add_page(document, number, words):
    """Add a page whose words are lines, tokens, a table and a form field at once."""
    start = len(document.text)
    page = document.pages.add(page_number=number)
    page.dimension.width, page.dimension.height = 600, 800
    for word in words:
        begin, end = len(document.text), len(document.text) + len(word)
        document.text += word
        for element in (page.lines.add(), page.tokens.add(), page.symbols.add()):
            anchor(element.layout, begin, end)
        anchor(page.tables.add().body_rows.add().cells.add().layout, begin, end)
        field = page.form_fields.add()
        anchor(field.field_name, begin, end)
        anchor(field.field_value, begin, end)
    if words:
        anchor(page.layout, start, len(document.text))
    return page


word = st.text(min_size=1, max_size=4)


@st.composite
def documents(draw, first=None):
    """A Document with all that refers to text, pages or ids."""
    document = new()
    document.uri, document.mime_type = "gs://b/x.pdf", "application/pdf"
    document.text = draw(st.sampled_from(["", "head"]))
    number = first or draw(st.integers(1, 40))
    pages = draw(st.lists(st.lists(word, max_size=3), min_size=1, max_size=6))
    ids = iter(draw(st.permutations([str(n) for n in range(40)])))
    subjects = []
    for index, words in enumerate(pages):
        page = add_page(document, number + index, words)
        document.text += draw(st.sampled_from(["", "\n", "between"]))
        own = [s for line in page.lines for s in line.layout.text_anchor.text_segments]
        for _ in range(draw(st.integers(0, 2))):
            entity = document.entities.add(id=next(ids), type_="total_amount", confidence=0.5)
            last = draw(st.integers(index, len(pages) - 1))
            for on in range(index, last + 1):
                entity.page_anchor.page_refs.add(page=on)
            part = entity.properties.add(id=next(ids))
            part.page_anchor.page_refs.add(page=index)
            if own:
                part.text_anchor.text_segments.add(start_index=own[0].start_index, end_index=own[0].end_index)
            subjects.append(entity.id)
        for segment in own[:1]:
            style = document.text_styles.add()
            style.text_anchor.text_segments.add(start_index=segment.start_index, end_index=segment.end_index)
    for subject, thing in pairwise(subjects):
        document.entity_relations.add(subject_id=subject, object_id=thing, relation="next")
    return document


@st.composite
def cut(draw, document):
    """Ranges that together are the document's pages."""
    numbers = [page.page_number for page in document.pages]
    cuts = draw(st.sets(st.sampled_from(numbers[1:]))) if len(numbers) > 1 else set()
    starts = [numbers[0], *sorted(cuts)]
    ends = [start - 1 for start in starts[1:]] + [numbers[-1]]
    return [PageRange(a, b) for a, b in zip(starts, ends, strict=True)]


@given(st.data())
def test_merging_what_was_split_is_the_document(data):
    document = data.draw(documents())
    ranges = data.draw(cut(document))
    before = document.SerializeToString(deterministic=True)
    parts = split(document, ranges)
    shuffled = data.draw(st.permutations(list(zip(parts, ranges, strict=True))))
    assert merge([p for p, _ in shuffled], [r for _, r in shuffled]) == document
    assert merge([p for p, _ in shuffled]) == document
    assert document.SerializeToString(deterministic=True) == before


@given(st.data())
def test_each_part_is_a_sound_document_of_its_pages(data):
    document = data.draw(documents())
    ranges = data.draw(cut(document))
    texts = {p.page_number: text_of(document, p) for p in document.pages}
    for part, span in zip(split(document, ranges), ranges, strict=True):
        assert [p.page_number for p in part.pages] == list(range(span.first, span.last + 1))
        assert {p.page_number: text_of(part, p) for p in part.pages}.items() <= texts.items()
        assert all(e.page_anchor.page_refs[0].page in range(len(part.pages)) for e in part.entities)


@given(st.data())
def test_merging_does_not_change_the_parts(data):
    document = data.draw(documents())
    parts = split(document, data.draw(cut(document)))
    before = [part.SerializeToString(deterministic=True) for part in parts]
    merge(parts)
    assert [part.SerializeToString(deterministic=True) for part in parts] == before


@given(documents(first=1), documents(first=1))
def test_texts_are_joined_and_anchors_follow(one, two):
    pages = len(one.pages)
    for page in two.pages:
        page.page_number += pages
    both = merge([two, one])
    assert both.text == one.text + two.text
    assert [text_of(both, p) for p in both.pages] == [text_of(d, p) for d in (one, two) for p in d.pages]
    ids = [e.id for e in entities_of(both)]
    assert len(ids) == len(set(ids))
    assert len(ids) == len(entities_of(one)) + len(entities_of(two))
    named = dict(zip([e.id for e in entities_of(two)], ids[len(entities_of(one)) :], strict=True))
    relations = [(r.subject_id, r.object_id) for r in both.entity_relations[len(one.entity_relations) :]]
    assert relations == [(named[r.subject_id], named[r.object_id]) for r in two.entity_relations]


@given(documents(), st.integers(0, 1000), st.integers(0, 50))
def test_moving_there_and_back_changes_nothing(document, characters, pages):
    moved = parse(document.SerializeToString())
    rebase(moved, characters, pages)
    rebase(moved, -characters, -pages)
    assert moved == document


def text_of(document, page):
    return [
        document.text[s.start_index : s.end_index]
        for layout in (
            page.layout,
            *(t.layout for t in page.tokens),
            *(f.field_value for f in page.form_fields),
        )
        for s in layout.text_anchor.text_segments
    ]


def entities_of(document):
    return [found for entity in document.entities for found in (entity, *entity.properties)]


def part(first, last, text="x\n"):
    document = new()
    for number in range(first, last + 1):
        add_page(document, number, [text])
    return document


class TestWhatDoesNotFit:
    def test_a_gap_names_the_missing_pages(self):
        with pytest.raises(MergeError, match="pages 4-5 are missing between 1-3 and 6-7") as caught:
            merge([part(6, 7), part(1, 3)])
        assert caught.value.pages == (4, 5)
        assert isinstance(caught.value, ValueError)

    def test_an_overlap_names_the_pages_that_are_twice_there(self):
        with pytest.raises(MergeError, match="pages 3 are in both") as caught:
            merge([part(1, 3), part(3, 5)])
        assert caught.value.pages == (3,)

    def test_a_part_that_lacks_a_page_of_its_range_is_told(self):
        with pytest.raises(MergeError, match="for pages 4-6 lacks pages 6") as caught:
            merge([part(1, 3), part(4, 5)], [PageRange(1, 3), PageRange(4, 6)])
        assert caught.value.pages == (6,)

    def test_a_part_with_pages_of_another_range_is_told(self):
        with pytest.raises(MergeError, match="lacks pages 4-6"):
            merge([part(1, 3), part(1, 3)], [PageRange(1, 3), PageRange(4, 6)])

    def test_pages_out_of_order_are_told(self):
        document = part(1, 2)
        document.pages.reverse()
        with pytest.raises(MergeError):
            merge([document, part(3, 3)])

    def test_nothing_is_told(self):
        with pytest.raises(MergeError, match="nothing"):
            merge([])

    def test_a_part_without_pages_needs_its_range(self):
        with pytest.raises(MergeError, match="no pages"):
            merge([new(), part(1, 1)])

    def test_ranges_that_are_not_the_pages_can_not_be_cut(self):
        with pytest.raises(MergeError, match="not the document's pages 1-3") as caught:
            split(part(1, 3), [PageRange(1, 2)])
        assert caught.value.pages == (3,)

    def test_text_that_does_not_follow_the_pages_can_not_be_cut(self):
        document = part(1, 2)
        first, second = (page.layout.text_anchor.text_segments[0] for page in document.pages)
        first.start_index, first.end_index, second.start_index, second.end_index = 2, 4, 0, 2
        with pytest.raises(MergeError, match="does not follow"):
            split(document, [PageRange(1, 1), PageRange(2, 2)])


class TestOddities:
    def test_pages_without_numbers_take_those_of_their_range(self):
        bare = part(1, 2)
        for page in bare.pages:
            page.ClearField("page_number")
        both = merge([part(1, 3), bare], [PageRange(1, 3), PageRange(4, 5)])
        assert [page.page_number for page in both.pages] == [1, 2, 3, 4, 5]

    def test_blocks_of_a_layout_parser_are_joined_and_stay_distinct(self):
        halves = []
        for number in (1, 2):
            half = new()
            block = half.document_layout.blocks.add(block_id="1")
            block.text_block.text = f"half {number}"
            chunk = half.chunked_document.chunks.add(chunk_id="c1")
            chunk.source_block_ids.append("1")
            halves.append(half)
        both = merge(halves, [PageRange(1, 8), PageRange(9, 15)])
        assert [b.text_block.text for b in both.document_layout.blocks] == ["half 1", "half 2"]
        assert [b.block_id for b in both.document_layout.blocks] == ["1", "9/1"]
        assert [list(c.source_block_ids) for c in both.chunked_document.chunks] == [["1"], ["9/1"]]
        assert [c.chunk_id for c in both.chunked_document.chunks] == ["c1", "9/c1"]

    def test_one_part_loses_its_shard_info_only(self):
        document = part(1, 2)
        document.shard_info.shard_count = 1
        whole = merge([document])
        document.ClearField("shard_info")
        assert whole == document


@pytest.mark.corpus
def test_the_shards_of_a_long_document_become_one(corpus):
    """Five shards of Google's, whose file names are not in the order of their pages."""
    from google.protobuf import json_format

    parts = []
    for path in sorted((corpus / "documentai-json").glob("Winnie_the_Pooh_50_Pages-*.json")):
        shard = new()
        json_format.ParseDict(json.loads(path.read_text()), shard)
        parts.append(shard)
    whole = merge(parts)
    assert [page.page_number for page in whole.pages] == list(range(1, 51))
    ordered = sorted(parts, key=lambda p: p.shard_info.shard_index)
    assert whole.text == "".join(p.text for p in ordered)
    for shard in ordered[1:]:
        assert whole.text[shard.shard_info.text_offset :].startswith(shard.text)
    pages = [text_of(shard, page) for shard in ordered for page in shard.pages]
    assert [text_of(whole, page) for page in whole.pages] == pages
    assert not whole.HasField("shard_info")


@pytest.mark.corpus
@pytest.mark.parametrize("name", ["a. Energy invoice (stained).json"])
def test_a_real_answer_survives_cutting(corpus, name):
    from google.protobuf import json_format

    document = new()
    json_format.ParseDict(json.loads((corpus / "documentai-json" / name).read_text()), document)
    parts = split(document, [PageRange(1, 1), PageRange(2, 2)])
    again = merge(parts)
    assert again.pages == document.pages
    assert again.text == document.text
    assert sorted(e.id for e in again.entities) == sorted(e.id for e in document.entities)
    by_id = {e.id: e for e in document.entities}
    assert all(by_id[e.id] == e for e in again.entities)
