"""Reads a whole document, page by page, in a child process: the offline engine's real work.

Rules: pages are read one at a time, so that memory does not grow with their number; page numbers are the document's
own; a page that can't be read fails the document with its number in the reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from docdask.errors import DocumentError
from docdask.service.offline import columns, entities, forms, grids, lineitems, marks, ocr
from docdask.service.offline.build import Builder
from docdask.service.offline.entities import Entity, PlacedLine, placed
from docdask.service.offline.orientation import straightened, upright
from docdask.service.offline.page import Line, Page
from docdask.service.offline.pdf import Drawing, loaded, opened
from docdask.service.offline.quality import judge, usable
from docdask.service.offline.raster import Picture, frames, render
from docdask.service.offline.reading import read_in_order
from docdask.service.offline.scans import scanned
from docdask.service.offline.tables import Grid
from docdask.service.offline.textlayer import Layer, read_layer, turned


@dataclass(frozen=True, slots=True)
class Options:
    """What the engine can be told; all of it changes results."""

    dpi: int = 150
    """Resolution at which PDF pages without a good text layer are rendered."""
    min_text_quality: float = 0.7
    """0-1; text layers that score less are not trusted."""
    ocr: Literal["auto", "always", "never"] = "auto"
    languages: tuple[str, ...] = ()
    """ISO 639-1 codes to choose from when a page's language is told."""
    tables: bool = True
    forms: bool = True
    entities: bool = True

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {**asdict(self), "languages": list(self.languages)}


def recognise_document(
    content: bytes,
    mime_type: str,
    first: int,
    last: int | None,
    password: str | None,
    options: dict[str, Any],
) -> tuple[bytes, dict[str, Any]]:
    """Recognise pages ``first`` to ``last`` (None: to the end) of a document.

    Returns
    -------
    message
        Binary protobuf ``Document``.
    notes
        ``sources``: ``text-layer`` or ``ocr`` by page number; ``turns`` and ``skews``: degrees, where not 0.

    Raises
    ------
    DocumentError
        If the document can't be read.
    """
    settings = Options(**{**options, "languages": tuple(options.get("languages", ()))})
    collected = Collected(mime_type, settings)
    sources: dict[str, str] = {}
    notes: dict[str, Any] = {"sources": sources}
    if mime_type == "application/pdf":
        pages = _pdf_pages(content, password, first, last, settings)
    else:
        pages = _image_pages(content, first, last)
    for page in pages:
        sources[str(page.number)] = page.source
        if page.turn:
            notes.setdefault("turns", {})[str(page.number)] = 90 * page.turn
        if page.skew_degrees:
            notes.setdefault("skews", {})[str(page.number)] = round(page.skew_degrees, 2)
        collected.add(page)
    return collected.finish(), notes


class Collected:
    """The message so far, and what the entities need of the pages."""

    def __init__(self, mime_type: str, options: Options) -> None:
        self._builder = Builder(mime_type, options.languages)
        self._options = options
        self._lines: list[PlacedLine] = []
        self._items: list[Entity] = []
        self._pages: list[Page] = []
        self._languages: Counter[str] = Counter()

    def add(self, page: Page) -> None:
        """Order a page, look for its tables and fields, and add it."""
        blocks = read_in_order(page.lines)
        ordered = [line for block in blocks for paragraph in block.paragraphs for line in paragraph.lines]
        out, spans = self._builder.add_page(page, blocks)
        if self._options.tables:
            for grid in _grids(page, ordered):
                self._builder.add_table(out, page, grid, spans)
                self._items += lineitems.find(grid, spans.words, page.number)
        if self._options.forms:
            for item in forms.find(ordered, page.checkboxes, page.width, page.height):
                self._builder.add_field(out, page, item, spans)
        for language in out.detected_languages:
            self._languages[language.language_code] += spans.page[1] - spans.page[0]
        self._lines += [
            placed(line, page.number, spans.lines[id(line)][0], page.width, page.height) for line in ordered
        ]
        # The drawn lines are done with; what is kept of a page is its size.
        self._pages.append(replace(page, lines=(), rules=(), checkboxes=()))

    def finish(self) -> bytes:
        """Find the entities of the whole document and serialise it."""
        if self._options.entities and self._lines:
            language = self._languages.most_common(1)[0][0] if self._languages else "und"
            found = entities.find(self._lines, language)
            items = self._items if any(item.type == "total_amount" for item in found) else []
            inside = [(item.start, item.end) for item in items]
            kept = [
                item
                for item in found
                if item.type != "amount"
                or not any(start <= item.start and item.end <= end for start, end in inside)
            ]
            self._builder.add_entities(sorted([*kept, *items], key=lambda item: item.start), self._pages)
        return self._builder.finish()


def _grids(page: Page, lines: Sequence[Line]) -> list[Grid]:
    """Ruled tables, then tables by white space in what they leave."""
    words = [word for line in lines if line.turn == 0 for word in line.words]
    ruled = grids.find(words, page.rules, page.width, page.height)
    return sorted([*ruled, *columns.find(lines, [grid.box for grid in ruled])], key=lambda grid: grid.box.y0)


def _image_pages(content: bytes, first: int, last: int | None) -> Iterator[Page]:
    for number, picture in frames(content, first, last):
        yield read_picture(picture, number, "pixels")


def _pdf_pages(
    content: bytes, password: str | None, first: int, last: int | None, options: Options
) -> Iterator[Page]:
    with opened(content, password) as document:
        count = len(document)
        if first > count:
            raise DocumentError(
                "empty-range",
                f"pages from {first} were asked for, the PDF has {count}",
                "ask for pages that are there",
            )
        for number in range(first, min(last or count, count) + 1):
            with loaded(document, number) as page:
                yield _pdf_page(page, number, options)


def _pdf_page(page: Any, number: int, options: Options) -> Page:
    width, height = page.get_size()
    if not (1.0 <= width <= 200_000 and 1.0 <= height <= 200_000):
        raise DocumentError(
            "oversize-page",
            f"page {number} is declared {width:g} x {height:g} points",
            "print it to a new PDF",
        )
    drawing = Drawing(page)
    layer = read_layer(page)
    words = [word.text for line in layer.lines for word in line.words]
    quality = judge(words, layer.unmapped)
    good = usable(quality, drawing.picture_coverage, options.min_text_quality)
    blank = not drawing.objects and not words
    if options.ocr == "never" or blank or (good and options.ocr == "auto"):
        return _text_page(layer, drawing, number)
    picture = scanned(page, options.dpi) if drawing.objects == 1 else None
    if picture is None:
        return read_picture(render(page, options.dpi), number, "points")
    read = read_picture(picture, number, "pixels")
    return replace(read, points=(height, width) if read.turn % 2 else (width, height))


def _text_page(layer: Layer, drawing: Drawing, number: int) -> Page:
    stored_width, stored_height = (
        (layer.height, layer.width) if layer.turn % 2 else (layer.width, layer.height)
    )
    rules = tuple(
        replace(rule, box=turned(rule.box, layer.turn, stored_width, stored_height)) for rule in drawing.rules
    )
    return Page(
        number, layer.width, layer.height, "points", layer.lines, "text-layer", layer.turn, rules=rules
    )


def read_picture(picture: Picture, number: int, unit: Literal["points", "pixels"]) -> Page:
    """Read a page from its picture."""
    found = upright(picture.pixels)
    pixel_height, pixel_width = found.pixels.shape[:2]
    width, height = picture.width, picture.height
    if found.turn % 2:
        width, height = height, width
    regions = [
        _scaled(
            straightened(region, found.skew_degrees, pixel_width, pixel_height),
            width / pixel_width,
            height / pixel_height,
        )
        for region in found.regions
    ]
    lines = tuple(ocr.read(regions))
    grey = marks.straight(found.pixels, found.skew_degrees)
    rules, checkboxes = marks.find(grey, width / pixel_width, height / pixel_height)
    return Page(
        number,
        width,
        height,
        unit,
        lines,
        "ocr",
        found.turn,
        found.skew_degrees,
        tuple(rules),
        tuple(checkboxes),
    )


def _scaled(region: ocr.Region, x: float, y: float) -> ocr.Region:
    import numpy as np

    return replace(region, corners=region.corners * np.array([x, y], dtype=np.float32))
