"""Packs: every document once, nothing mixed that should not be, no limit passed, and hardly a page wasted."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docdask.core.limits import DEFAULT_BOOK, PROCESSOR_LIMITS
from docdask.core.packing import FAMILIES, Packable, family_of, fewest, joined_bytes, packs
from docdask.core.pages import whole_pages

MIB = 2**20


@st.composite
def loads(draw, most_items=60):
    """Documents and limits that each of them keeps."""
    pages_most = draw(st.integers(1, 40))
    bytes_most = draw(st.integers(1, 1000))
    rows = draw(
        st.lists(
            st.tuples(st.integers(1, pages_most), st.integers(0, bytes_most), st.sampled_from(FAMILIES)),
            max_size=most_items,
        )
    )
    indices = draw(st.permutations(range(0, 3 * len(rows), 3)))
    items = [Packable(index, *row) for index, row in zip(indices, rows, strict=True)]
    return items, {"pages_most": pages_most, "bytes_most": bytes_most}


@given(loads())
def test_every_document_is_in_one_pack_and_no_limit_is_passed(load):
    items, most = load
    found = packs(items, **most)
    assert sorted(index for pack in found for index in pack) == sorted(item.index for item in items)
    known = {item.index: item for item in items}
    for pack in found:
        members = [known[index] for index in pack]
        assert sum(item.pages for item in members) <= most["pages_most"]
        assert sum(item.size_bytes for item in members) <= most["bytes_most"]
        assert len({item.family for item in members}) == 1
        assert list(pack) == sorted(pack)


@given(loads(), st.randoms(use_true_random=False))
def test_packs_depend_on_the_documents_alone(load, random):
    items, most = load
    shuffled = list(items)
    random.shuffle(shuffled)
    assert packs(shuffled, **most) == packs(items, **most)


@given(loads())
def test_no_two_packs_could_have_been_one(load):
    items, most = load
    known = {item.index: item for item in items}
    for one, other in combinations(packs(items, **most), 2):
        members = [known[index] for index in (*one, *other)]
        assert (
            len({item.family for item in members}) > 1
            or sum(item.pages for item in members) > most["pages_most"]
            or sum(item.size_bytes for item in members) > most["bytes_most"]
        )


@given(loads())
def test_the_lower_bound_is_one(load):
    items, most = load
    assert fewest(items, **most) <= len(packs(items, **most))


@given(st.integers(0, 2000), st.sampled_from([15, 30]))
def test_one_page_documents_fill_every_pack_but_the_last(count, pages_most):
    items = [Packable(n, 1, 100, "text") for n in range(count)]
    most = {"pages_most": pages_most, "bytes_most": 40 * MIB}
    found = packs(items, **most)
    assert len(found) == fewest(items, **most) == -(-count // pages_most)
    assert sorted(map(len, found), reverse=True)[: count // pages_most] == [pages_most] * (
        count // pages_most
    )


def best(sizes, most):
    """Fewest bins for a handful of sizes, by trying everything."""
    least = len(sizes)

    def place(left, bins):
        nonlocal least
        if len(bins) >= least:
            return
        if not left:
            least = len(bins)
            return
        for index, filled in enumerate(bins):
            if filled + left[0] <= most:
                place(left[1:], [*bins[:index], filled + left[0], *bins[index + 1 :]])
        place(left[1:], [*bins, left[0]])

    place(sorted(sizes, reverse=True), [])
    return least


@settings(max_examples=50)
@given(
    st.integers(3, 12).flatmap(
        lambda most: st.tuples(st.just(most), st.lists(st.integers(1, most), max_size=9))
    )
)
def test_by_pages_alone_it_is_as_near_to_the_best_as_first_fit_decreasing(load):
    most, sizes = load
    found = packs(
        [Packable(n, pages, 0, "scan") for n, pages in enumerate(sizes)], pages_most=most, bytes_most=1
    )
    fewest_possible = best(sizes, most) if sizes else 0
    assert 9 * len(found) <= 11 * fewest_possible + 6


def test_heavy_and_light_documents_share_packs_instead_of_filling_them_apart():
    light = [Packable(n, 1, MIB // 10, "image") for n in range(1500)]
    heavy = [Packable(n, 1, 5 * MIB // 2, "image") for n in range(1500, 3000)]
    most = {"pages_most": 30, "bytes_most": 40 * MIB}
    found = packs(light + heavy, **most)
    assert len(found) <= 1.02 * fewest(light + heavy, **most)
    assert len(packs(light, **most)) + len(packs(heavy, **most)) > 1.3 * len(found)


def test_a_million_documents_waste_hardly_a_page():
    pages = (1, 1, 1, 2, 1, 3, 1, 2, 5, 1, 4, 7, 1, 9, 2, 14)
    items = [
        Packable(n, pages[n * 7 % 16], 20_000 + n * 7919 % 900_000, FAMILIES[n % 3]) for n in range(1_000_000)
    ]
    most = {"pages_most": 30, "bytes_most": 40 * MIB}
    found = packs(items, **most)
    assert sum(map(len, found)) == len(items)
    assert len(found) <= 1.001 * fewest(items, **most)


@pytest.mark.parametrize("kind", sorted(PROCESSOR_LIMITS))
@pytest.mark.parametrize("imageless", [True, False])
def test_no_pack_passes_a_limit_of_any_processor(kind, imageless):
    most = {
        "pages_most": whole_pages(PROCESSOR_LIMITS[kind], lane="online", imageless=imageless),
        "bytes_most": DEFAULT_BOOK.limit("online_bytes"),
    }
    items = [
        Packable(n, 1 + n % most["pages_most"], n * 999_983 % (8 * MIB), FAMILIES[n % 3]) for n in range(500)
    ]
    for pack in packs(items, **most):
        assert sum(items[index].pages for index in pack) <= most["pages_most"]
        assert sum(items[index].size_bytes for index in pack) <= most["bytes_most"]


@pytest.mark.parametrize(("pages", "size"), [(31, 10), (0, 10), (3, 101), (3, -1)])
def test_what_fits_no_pack_is_told_with_its_numbers(pages, size):
    with pytest.raises(ValueError, match=rf"document 7 \({pages} pages, {size} bytes\).*send it alone"):
        packs([Packable(7, pages, size, "text")], pages_most=30, bytes_most=100)


def test_families_keep_apart_what_a_service_may_treat_differently():
    assert family_of("application/pdf", 3, 3) == "text"
    assert family_of("application/pdf", 3, 2) == "scan"
    assert family_of("application/pdf", 0, 0) == "scan"
    assert family_of("image/tiff", 3, 0) == "image"
    assert {family_of(m, 1, t) for m in ("application/pdf", "image/png") for t in (0, 1)} == set(FAMILIES)


class TestBytes:
    """What a document adds to a joined file."""

    @pytest.mark.parametrize("kind", ["application/pdf", "image/jpeg", "image/bmp"])
    def test_what_goes_in_as_it_is_keeps_its_size(self, kind):
        assert 500_000 < joined_bytes(kind, 500_000, 2, 12_000_000) < 520_000

    def test_what_is_stored_anew_takes_three_bytes_a_pixel_at_most(self):
        assert joined_bytes("image/webp", 500_000, 1, 1_000_000) < 3_100_000
        assert joined_bytes("image/webp", 500_000, 1, 100_000_000) == joined_bytes("image/webp", 500_000, 1)
        assert joined_bytes("image/png", 9_000_000, 1, 10) > 9_000_000

    def test_a_fax_stays_small(self):
        assert joined_bytes("image/tiff", 60_000, 3, 3_900_000) < 1_000_000

    def test_frames_that_hold_differences_count_as_whole_pictures(self):
        assert joined_bytes("image/gif", 50_000, 20, 1_000_000) > 20 * 3_000_000

    def test_an_unknown_type_is_taken_for_the_worst(self):
        assert joined_bytes("image/new", 1000, 1) >= joined_bytes("image/webp", 1000, 1)
