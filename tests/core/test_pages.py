"""Page ranges: every page once, none over a limit of any processor type, each as the service would take it."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from docdask.core.limits import DEFAULT_BOOK, PROCESSOR_LIMITS
from docdask.core.pages import ranges, selects, whole_pages
from docdask.core.server.calls import BatchDocument, Call
from docdask.core.server.checks import check_batch_document, check_pages
from docdask.core.server.settings import Switches
from docdask.errors import DocumentError, UsageError
from docdask.model import PageRange

OCR = PROCESSOR_LIMITS["OCR_PROCESSOR"]
types = st.sampled_from(sorted(PROCESSOR_LIMITS)).map(PROCESSOR_LIMITS.__getitem__)
page_counts = st.integers(0, 3500)


def spans(*pairs):
    return tuple(PageRange(first, last) for first, last in pairs)


def sent(limits, pages, span, *, selected, imageless):
    """The call that a range becomes, as the model of the service sees it: selected in the whole file, or cut out."""
    own = pages if selected or span is None else len(span)
    call = Call("p", "us", limits.processor_type, own)
    call.imageless = imageless
    call.selection = range(span.first, span.last + 1) if selected and span else None
    return call


@given(page_counts, types, st.sampled_from(["online", "batch"]), st.booleans(), st.booleans())
def test_every_page_is_in_one_range_in_order(pages, limits, lane, imageless, cuttable):
    assume(lane == "online" or cuttable or pages <= limits.batch_pages)
    found = ranges(pages, limits, lane=lane, imageless=imageless, cuttable=cuttable)
    covered = [number for span in found for number in range(span.first, span.last + 1)]
    assert covered == (list(range(1, pages + 1)) if found else [])
    assert len(found) != 1, "one range would be the whole document under another id"


@given(page_counts, types)
def test_only_what_no_batch_takes_and_nobody_can_cut_is_told(pages, limits):
    assume(pages > limits.batch_pages)
    with pytest.raises(DocumentError) as caught:
        ranges(pages, limits, lane="batch", imageless=False, cuttable=False)
    assert caught.value.code == "too-many-pages"


@given(page_counts.filter(bool), types, st.booleans(), st.booleans())
def test_the_service_takes_every_online_range(pages, limits, imageless, cuttable):
    found = ranges(pages, limits, lane="online", imageless=imageless, cuttable=cuttable)
    for span in found or (None,):
        selected = selects(span, pages, limits, imageless)
        assert selected or cuttable, "what can't be cut must be selectable"
        call = sent(limits, pages, span, selected=selected, imageless=imageless)
        assert check_pages(call, limits, Switches()) is None


@given(page_counts.filter(bool), types)
def test_the_service_takes_every_range_of_a_batch(pages, limits):
    found = ranges(pages, limits, lane="batch", imageless=False, cuttable=True)
    for span in found or (PageRange(1, pages),):
        document = BatchDocument(len(span), 1000)
        assert check_batch_document(document, limits, DEFAULT_BOOK, Switches()) is None


@given(page_counts.filter(bool), types, st.booleans())
def test_no_division_has_fewer_requests(pages, limits, imageless):
    cut = ranges(pages, limits, lane="online", imageless=imageless, cuttable=True)
    most = whole_pages(limits, lane="online", imageless=imageless)
    assert max(1, len(cut)) == -(-pages // most)


@given(st.data(), types, st.booleans())
def test_a_selector_is_used_exactly_where_the_service_takes_it(data, limits, imageless):
    pages = data.draw(st.integers(1, 100))
    first = data.draw(st.integers(1, pages))
    span = PageRange(first, data.draw(st.integers(first, pages)))
    call = sent(limits, pages, span, selected=True, imageless=imageless)
    taken = check_pages(call, limits, Switches()) is None
    assert selects(span, pages, limits, imageless) == taken


class TestOcr:
    def test_a_document_that_one_call_takes_has_no_ranges(self):
        assert ranges(30, OCR, lane="online", imageless=True, cuttable=True) == ()
        assert ranges(15, OCR, lane="online", imageless=False, cuttable=True) == ()
        assert ranges(500, OCR, lane="batch", imageless=True, cuttable=False) == ()

    def test_a_pdf_is_cut_every_thirty_pages(self):
        found = ranges(316, OCR, lane="online", imageless=True, cuttable=True)
        assert found[:2] == spans((1, 30), (31, 60))
        assert found[-1] == PageRange(301, 316)
        assert len(found) == 11

    def test_what_is_selected_has_thirty_pages_once_then_fifteen(self):
        found = ranges(70, OCR, lane="online", imageless=True, cuttable=False)
        assert found == spans((1, 30), (31, 45), (46, 60), (61, 70))
        assert all(selects(span, 70, OCR, imageless=True) for span in found)

    def test_with_images_all_ranges_have_fifteen(self):
        for cuttable in (True, False):
            found = ranges(40, OCR, lane="online", imageless=False, cuttable=cuttable)
            assert found == spans((1, 15), (16, 30), (31, 40))

    def test_a_batch_is_cut_beyond_its_own_limit(self):
        assert ranges(1001, OCR, lane="batch", imageless=True, cuttable=True) == spans(
            (1, 500), (501, 1000), (1001, 1001)
        )

    def test_a_file_that_can_not_be_cut_is_told_before_it_is_sent(self):
        with pytest.raises(DocumentError, match=r"501 pages.*takes 500.*online") as caught:
            ranges(501, OCR, lane="batch", imageless=True, cuttable=False)
        assert caught.value.code == "too-many-pages"


def test_the_whole_document_is_selected_without_a_selector():
    assert selects(None, 30, OCR, imageless=True)
    assert not selects(None, 31, OCR, imageless=True)
    assert not selects(None, 16, OCR, imageless=False)
    assert not selects(PageRange(9, 10), 9, OCR, imageless=True)


def test_a_type_with_one_limit_has_it_in_every_mode():
    licence = PROCESSOR_LIMITS["US_DRIVER_LICENSE_PROCESSOR"]
    for cuttable in (True, False):
        assert ranges(5, licence, lane="online", imageless=True, cuttable=cuttable) == spans(
            (1, 2), (3, 4), (5, 5)
        )


def test_other_limits_than_the_defaults_are_kept():
    raised = DEFAULT_BOOK.override({"online_pages.OCR_PROCESSOR": 20}).processor("OCR_PROCESSOR")
    assert ranges(70, raised, lane="online", imageless=True, cuttable=False) == spans(
        (1, 30), (31, 50), (51, 70)
    )


def test_a_lane_without_requests_and_a_limit_of_nothing_are_refused():
    with pytest.raises(UsageError, match="offline"):
        ranges(3, OCR, lane="offline", imageless=True, cuttable=True)
    shut = DEFAULT_BOOK.override({"online_pages.OCR_PROCESSOR": 0}).processor("OCR_PROCESSOR")
    with pytest.raises(UsageError, match="takes 0 pages"):
        ranges(3, shut, lane="online", imageless=False, cuttable=True)
