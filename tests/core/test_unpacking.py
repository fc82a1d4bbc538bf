"""Unpacking: what comes out is what a call of its own would have given, and what does not fit is told."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_merge import add_page, cut, documents, part

from docdask.core.merge import MergeError, merge, rebase, split
from docdask.core.unpacking import PackEntry, PackMap, PageImage, halves, renumber, unpack
from docdask.model import PageRange
from docdask.service.message import new, parse


def all_entities(document):
    return [found for entity in document.entities for found in (entity, *entity.properties)]


def as_alone(document):
    """The document as a call of its own gives it: pages from 1, ids counted from 0 in order, text of its pages only."""
    alone = parse(document.SerializeToString())
    alone.ClearField("docid")
    alone.uri = ""
    for number, page in enumerate(alone.pages, start=1):
        page.page_number = number
    named = {entity.id: str(number) for number, entity in enumerate(all_entities(alone))}
    for entity in all_entities(alone):
        entity.id = named[entity.id]
    for relation in alone.entity_relations:
        relation.subject_id, relation.object_id = named[relation.subject_id], named[relation.object_id]
    return alone


def in_one_answer(alones, mime_type="application/pdf"):
    """What a service says of all of them in one file: one text, pages and ids counted through."""
    whole = new()
    whole.mime_type, whole.uri = mime_type, ""
    ids = 0
    for alone in alones:
        copy = parse(alone.SerializeToString())
        for number, page in enumerate(copy.pages, start=len(whole.pages) + 1):
            page.page_number = number
        for entity in all_entities(copy):
            entity.id = str(ids + int(entity.id))
        for relation in copy.entity_relations:
            relation.subject_id = str(ids + int(relation.subject_id))
            relation.object_id = str(ids + int(relation.object_id))
        ids += len(all_entities(copy))
        rebase(copy, len(whole.text), len(whole.pages))
        whole.text += copy.text
        whole.pages.extend(copy.pages)
        whole.entities.extend(copy.entities)
        whole.entity_relations.extend(copy.entity_relations)
        whole.text_styles.extend(copy.text_styles)
    return whole


@st.composite
def starting_with_text(draw):
    """A document whose text begins on its first page: text before any page is the neighbour's in a pack."""
    document = draw(documents())
    first = document.pages[0]
    if document.text and not (
        first.layout.text_anchor.text_segments and first.layout.text_anchor.text_segments[0].start_index == 0
    ):
        del first.layout.text_anchor.text_segments[:]
        first.layout.text_anchor.text_segments.add(start_index=0, end_index=len(document.text))
        for page in list(document.pages)[1:]:
            page.layout.ClearField("text_anchor")
    return as_alone(document)


packed = st.lists(starting_with_text(), min_size=1, max_size=5)


def map_of(alones, images=None):
    rows = images or [[None] * len(alone.pages) for alone in alones]
    return PackMap.of([f"unit{n}" for n in range(len(alones))], rows)


@given(packed)
def test_what_was_packed_comes_out_as_calls_of_their_own(alones):
    whole = in_one_answer(alones)
    before = whole.SerializeToString(deterministic=True)
    assert list(unpack(whole, map_of(alones)).values()) == alones
    assert whole.SerializeToString(deterministic=True) == before


@given(packed)
def test_a_map_that_went_through_json_unpacks_the_same(alones):
    pages = map_of(alones)
    again = PackMap.from_json(json.loads(json.dumps(pages.to_json())))
    assert again == pages
    whole = in_one_answer(alones)
    assert unpack(whole, again) == unpack(whole, pages)


@given(packed)
def test_every_page_is_in_one_document(alones):
    found = unpack(in_one_answer(alones), map_of(alones))
    assert [len(document.pages) for document in found.values()] == [len(alone.pages) for alone in alones]
    assert "".join(document.text for document in found.values()) == "".join(alone.text for alone in alones)
    for document in found.values():
        assert [page.page_number for page in document.pages] == list(range(1, len(document.pages) + 1))
        assert all(
            reference.page < len(document.pages)
            for entity in all_entities(document)
            for reference in entity.page_anchor.page_refs
        )


@given(packed)
def test_a_halved_pack_gives_the_same_documents(alones):
    def asked(pack_map):
        """Answers of packs that are halved until each document stands alone."""
        wanted = [alones[int(unit_id.removeprefix("unit"))] for unit_id in pack_map.unit_ids]
        found = unpack(in_one_answer(wanted), pack_map)
        for half in halves(pack_map):
            assert {unit_id: found[unit_id] for unit_id in half.unit_ids} == asked(half)
        return found

    asked(map_of(alones))


@given(st.data())
def test_cut_files_numbered_again_merge_to_the_document(data):
    document = data.draw(documents(first=1))
    spans = data.draw(cut(document))
    answers = split(document, spans)
    for answer in answers:
        for number, page in enumerate(answer.pages, start=1):
            page.page_number = number
    numbered = [renumber(answer, span.first) for answer, span in zip(answers, spans, strict=True)]
    assert merge(numbered, spans) == document


class TestImages:
    PNG = PageImage(800, 600, "image/png")

    @staticmethod
    def answer(*sizes):
        document = new()
        document.mime_type = "application/pdf"
        for number, (width, height) in enumerate(sizes, start=1):
            page = add_page(document, number, ["word"])
            page.dimension.width, page.dimension.height, page.dimension.unit = width, height, "pixels"
            vertex = page.lines[0].layout.bounding_poly.vertices.add()
            vertex.x, vertex.y = width // 2, height // 4
        return document

    def test_an_image_has_its_type_and_its_pixels_again(self):
        found = unpack(self.answer((801, 599), (612, 792)), PackMap.of(["a", "b"], [[self.PNG], [None]]))
        size = found["a"].pages[0].dimension
        assert (size.width, size.height, size.unit) == (800, 600, "pixels")
        assert (found["a"].mime_type, found["b"].mime_type) == ("image/png", "application/pdf")
        assert found["b"].pages[0].dimension.width == 612

    def test_pixel_coordinates_follow_the_size(self):
        page = unpack(self.answer((1600, 1200)), PackMap.of(["a"], [[self.PNG]]))["a"].pages[0]
        vertex = page.lines[0].layout.bounding_poly.vertices[0]
        assert (vertex.x, vertex.y) == (400, 150)

    def test_a_page_that_the_service_turned_stays_turned(self):
        size = unpack(self.answer((601, 801)), PackMap.of(["a"], [[self.PNG]]))["a"].pages[0].dimension
        assert (size.width, size.height) == (600, 800)

    def test_frames_of_different_sizes_are_restored_each(self):
        frames = [PageImage(100, 200, "image/tiff"), PageImage(300, 50, "image/tiff")]
        found = unpack(self.answer((10, 20), (30, 5)), PackMap.of(["a"], [frames]))["a"]
        assert [(p.dimension.width, p.dimension.height) for p in found.pages] == [(100, 200), (300, 50)]

    def test_sizes_that_the_field_mask_left_out_stay_out(self):
        document = self.answer((801, 599))
        document.pages[0].ClearField("dimension")
        document.ClearField("mime_type")
        found = unpack(document, PackMap.of(["a"], [[self.PNG]]))["a"]
        assert not found.pages[0].HasField("dimension")
        assert found.mime_type == ""


class TestEntities:
    def test_one_over_two_documents_goes_with_its_first_page_and_is_cut_there(self):
        document = part(1, 2, "text ")
        entity = document.entities.add(id="0", type_="generic_entities")
        inner = entity.properties.add(id="1")
        for target in (entity, inner):
            for page in (0, 1):
                target.page_anchor.page_refs.add(page=page)
                target.text_anchor.text_segments.add(start_index=5 * page, end_index=5 * page + 4)
        found = unpack(document, PackMap.of(["a", "b"], [[None], [None]]))
        assert len(found["b"].entities) == 0
        for target in (found["a"].entities[0], found["a"].entities[0].properties[0]):
            assert [reference.page for reference in target.page_anchor.page_refs] == [0]
            assert [s.end_index for s in target.text_anchor.text_segments] == [4]

    def test_ids_that_are_no_numbers_stay(self):
        document = part(1, 2)
        for page, name in enumerate(("a1", "7")):
            document.entities.add(id=name).page_anchor.page_refs.add(page=page)
        document.entity_relations.add(subject_id="a1", object_id="7")
        found = unpack(document, PackMap.of(["a", "b"], [[None], [None]]))
        assert [e.id for d in found.values() for e in d.entities] == ["a1", "7"]

    def test_ids_count_from_where_the_service_counts(self):
        document = part(1, 2)
        for page, name in ((0, "1"), (0, "2"), (1, "3"), (1, "10"), (1, "9")):
            document.entities.add(id=name).page_anchor.page_refs.add(page=page)
        found = unpack(document, PackMap.of(["a", "b"], [[None], [None]]))
        assert [e.id for e in found["b"].entities] == ["1", "3", "2"]


class TestWhatDoesNotFit:
    def test_missing_pages_are_named(self):
        with pytest.raises(MergeError, match=r"pack of 4 pages lacks pages 3-4") as caught:
            unpack(part(1, 2), PackMap.of(["a", "b"], [[None, None], [None, None]]))
        assert caught.value.pages == (3, 4)

    def test_pages_too_many_are_named(self):
        with pytest.raises(MergeError, match=r"has pages 2 out of place") as caught:
            unpack(part(1, 2), PackMap.of(["a"], [[None]]))
        assert caught.value.pages == (2,)

    def test_pages_in_another_order_are_told(self):
        document = part(1, 2)
        document.pages.reverse()
        with pytest.raises(MergeError, match="has pages 2, 1 out of place"):
            unpack(document, PackMap.of(["a", "b"], [[None], [None]]))

    def test_an_answer_of_blocks_is_not_unpacked(self):
        document = part(1, 2)
        document.document_layout.blocks.add(block_id="1")
        with pytest.raises(MergeError, match="document_layout is not per page"):
            unpack(document, PackMap.of(["a", "b"], [[None], [None]]))

    def test_text_that_no_page_owns_is_not_given_to_the_first(self):
        document = part(1, 2)
        for page in document.pages:
            page.ClearField("layout")
        with pytest.raises(MergeError, match=r"lacks pages\.layout"):
            unpack(document, PackMap.of(["a", "b"], [[None], [None]]))

    def test_a_cut_file_with_pages_of_its_own_numbering_is_told(self):
        with pytest.raises(MergeError, match="pages 3-4") as caught:
            renumber(part(3, 4), 31)
        assert caught.value.pages == (3, 4)


def test_what_concerns_the_whole_answer_is_told_to_every_document():
    document = part(1, 2)
    document.error.code, document.error.message = 13, "half of it failed"
    found = unpack(document, PackMap.of(["a", "b"], [[None], [None]]))
    assert [d.error.message for d in found.values()] == ["half of it failed"] * 2


class TestMap:
    def test_pages_follow_each_other_without_a_gap(self):
        pages = PackMap.of(["a", "b"], [[None, None], [PageImage(8, 6, "image/png")]])
        assert [entry.span for entry in pages.entries] == [PageRange(1, 2), PageRange(3, 3)]
        assert (pages.pages, pages.unit_ids) == (3, ("a", "b"))
        assert pages.entries[0].images == ()
        with pytest.raises(ValueError, match="begins at page 3 of the pack instead of 2"):
            PackMap((PackEntry("a", 1, 1), PackEntry("b", 3, 1)))

    def test_a_unit_is_there_once(self):
        with pytest.raises(ValueError, match="twice"):
            PackMap.of(["a", "a"], [[None], [None]])

    def test_an_entry_has_pages_and_as_many_images(self):
        with pytest.raises(ValueError, match="0 pages"):
            PackMap.of(["a"], [[]])
        with pytest.raises(ValueError, match="2 pages and 1 images"):
            PackEntry("a", 1, 2, (None,))


@given(st.integers(1, 200))
def test_halving_ends_at_each_unit_alone_in_few_steps(count):
    def alone(units, depth):
        parts = halves(units)
        if not parts:
            return [(units[0], depth)]
        assert [unit for half in parts for unit in half] == list(units)
        return [found for half in parts for found in alone(half, depth + 1)]

    found = alone(range(count), 0)
    assert [unit for unit, _ in found] == list(range(count))
    assert max(depth for _, depth in found) == (count - 1).bit_length()
