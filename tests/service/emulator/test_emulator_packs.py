"""Packs and ranges through a real emulator: field by field what single calls of whole documents give."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest
from emulator_requests import pages_of, request

from docdask.api import samples
from docdask.core.limits import DEFAULT_BOOK, PROCESSOR_LIMITS
from docdask.core.merge import merge
from docdask.core.packing import Packable, family_of, joined_bytes, packs
from docdask.core.pages import ranges, selects, whole_pages
from docdask.core.server import ServerSettings
from docdask.core.unpacking import PackMap, renumber, unpack
from docdask.intake import content_type
from docdask.intake.joining import cut, join
from docdask.service.emulator import EmulatorConfig
from docdask.specimens.make import MAKERS
from docdask.specimens.world import World
from docdask.testing import running_emulator
from tests.intake.image_making import cases, drawn, saved, turned

OCR = PROCESSOR_LIMITS["OCR_PROCESSOR"]
#: Samples with text layers: a letter, a filled form, tables on two pages, an invoice, two writing directions, a chart.
TEXT = ("letter", "form-filled", "stock-tables", "invoice-digital", "notice", "slide")
#: Samples that are recognised: a scan, a turned scan, a photo, a fax of three pages, a screenshot.
PICTURES = ("invoice-scanned", "report", "receipt", "fax", "note")


@pytest.fixture(scope="module")
def service():
    # More calls a minute than are made here: a test waits for no quota.
    server = ServerSettings(limits=DEFAULT_BOOK.override({"online_requests": 10_000}))
    with running_emulator(EmulatorConfig(ocr="offline", server=server)) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Samples that docdask makes, one of each kind."""
    path = tmp_path_factory.mktemp("samples")
    samples(path)
    return path


def files(folder, names):
    """Name → content and type."""
    found = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(names):
            content = path.read_bytes()
            found[path.name] = (content, content_type.sniff(content))
    return found


def answer(service, content, mime_type, processor="ocr", **more):
    """Raw Document of one online call in imageless mode."""
    asked = request(content, mime_type, processor=processor, **{"imageless_mode": True, **more})
    document = service.documentai_client().process_document(request=asked, timeout=300).document
    return type(document).pb(document)


def packed(service, parts, processor="ocr"):
    """Documents of a pack of all parts, one call."""
    content, pages = join(list(parts.values()))
    pack_map = PackMap.from_json(PackMap.of(list(parts), pages).to_json())
    assert pack_map.pages <= whole_pages(OCR, lane="online", imageless=True)
    return unpack(answer(service, content, "application/pdf", processor), pack_map)


def assert_same(found, service, parts, processor="ocr"):
    assert list(found) == list(parts)
    with ThreadPoolExecutor(2) as pool:  # an emulator reads as many at a time
        alone = pool.map(lambda part: answer(service, *part, processor), parts.values())
        for name, document in zip(parts, alone, strict=True):
            assert found[name] == document, name


@pytest.mark.parametrize("processor", ["ocr", "form"])
def test_documents_read_the_same_in_a_pack(service, folder, processor):
    before = service.stats()
    parts = {**files(folder, TEXT), "small.jpg": (turned(8), "image/jpeg")}
    found = packed(service, parts, processor)
    once = service.stats()
    assert once["calls_ok"] - before["calls_ok"] == 1
    assert_same(found, service, parts, processor)
    singly = service.stats()
    assert singly["calls_ok"] - once["calls_ok"] == len(parts)
    assert singly["pages_billed"] - once["pages_billed"] == once["pages_billed"] - before["pages_billed"]


@pytest.mark.slow
@pytest.mark.timeout(1200)  # much recognition, on whatever machine
def test_so_do_scans_and_photos(service, folder):
    parts = {**files(folder, PICTURES), **files(folder, TEXT)}
    assert_same(packed(service, parts), service, parts)


@pytest.mark.slow
@pytest.mark.timeout(1200)  # much recognition, on whatever machine
def test_so_do_images_of_every_kind(service):
    everything = [(name, (content, mime_type)) for name, content, mime_type, _ in cases()]
    for first in range(0, len(everything), 15):
        parts = dict(everything[first : first + 15])
        assert_same(packed(service, parts), service, parts)


@pytest.mark.slow
@pytest.mark.timeout(1200)  # much recognition, on whatever machine
def test_so_do_large_images(service):
    image = drawn((3300, 2800))
    parts = {
        "jpeg": (saved(image, "JPEG"), "image/jpeg"),
        "cmyk": (saved(image.convert("CMYK"), "JPEG"), "image/jpeg"),
        "bilevel": (saved(image.convert("1"), "TIFF", compression="group4"), "image/tiff"),
    }
    assert_same(packed(service, parts), service, parts)


@pytest.mark.parametrize("cuttable", [True, False])
@pytest.mark.parametrize("imageless", [True, False])
def test_a_long_document_in_ranges_is_the_whole_document(service, folder, cuttable, imageless):
    ((short, kind),) = files(folder, ("contract",)).values()
    content = join([(short, kind)] * 4)[0]
    spans = ranges(80, OCR, lane="online", imageless=imageless, cuttable=cuttable)
    mask = {
        "paths": [
            "text",
            "pages.page_number",
            "pages.dimension",
            "pages.layout",
            "pages.lines",
            "pages.tokens",
        ]
    }
    parts = []
    for span in spans:
        if cuttable:
            part = answer(service, cut(content, span), kind, imageless_mode=imageless, field_mask=mask)
            parts.append(renumber(part, span.first))
        else:
            assert selects(span, 80, OCR, imageless)
            pages = pages_of(*range(span.first, span.last + 1))
            parts.append(
                answer(
                    service, content, kind, imageless_mode=imageless, field_mask=mask, process_options=pages
                )
            )
    whole = merge(parts, spans)
    single = answer(service, short, kind)
    assert whole.text == single.text * 4
    assert [page.page_number for page in whole.pages] == list(range(1, 81))
    for number, page in enumerate(whole.pages):
        alone = single.pages[number % 20]
        assert [texts(whole, line) for line in page.lines] == [texts(single, line) for line in alone.lines]
        assert [t.layout.bounding_poly for t in page.tokens] == [t.layout.bounding_poly for t in alone.tokens]


def texts(document, element):
    return [document.text[s.start_index : s.end_index] for s in element.layout.text_anchor.text_segments]


@pytest.mark.slow
@pytest.mark.timeout(1200)  # much recognition, on whatever machine
def test_two_hundred_documents_read_the_same_in_packs(service):
    documents = []
    for copy, (stem, suffix, maker) in itertools.product(range(31), MAKERS):
        # Pages that are recognised take seconds each: of those, every tenth copy; all of the others.
        if stem.startswith(TEXT) or (stem.startswith(PICTURES) and copy % 10 == 1):
            content = maker(World(0, stem, copy)).data
            documents.append((f"{stem}-{copy}{suffix}", content, content_type.sniff(content)))
    documents = documents[:200]
    assert len(documents) == 200
    items = []
    for index, (_, content, kind) in enumerate(documents):
        (pages,) = join([(content, kind)])[1]
        pixels = max((page.width * page.height for page in pages if page), default=0)
        size = joined_bytes(kind, len(content), len(pages), pixels)
        items.append(Packable(index, len(pages), size, family_of(kind, len(pages), len(pages))))
    found = packs(items, pages_most=30, bytes_most=DEFAULT_BOOK.limit("online_bytes"))
    assert len(found) < len(documents) / 8
    for pack in found:
        parts = {documents[n][0]: documents[n][1:] for n in pack}
        assert_same(packed(service, parts), service, parts)
