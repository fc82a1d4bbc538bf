"""Turns pages that were read into the answer of one processor type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from docdask.service.emulator.shapes import classes, entities, extras, fields, layout

#: Types that extract entities; each starts from what the engine found.
_PARSERS: dict[str, Callable[[Any, list[Any]], None]] = {
    "INVOICE_PROCESSOR": entities.add_invoice,
    "UTILITY_PROCESSOR": entities.add_invoice,
    "EXPENSE_PROCESSOR": entities.add_expense,
}
#: Google's page images are about 200 dpi, and a page's dimension is its image's.
_PIXELS_PER_POINT = 200 / 72


def shape(document: Any, processor_type: str, options: Any, office: list[Any] | None = None) -> None:
    """Shape ``document`` in place.

    Parameters
    ----------
    document
        Raw ``Document`` message with pages.
    processor_type
        ``OCR_PROCESSOR`` …
    options
        ``ProcessOptions`` of the call.
    office
        Blocks of an office document, which has no pages.
    """
    _to_pixels(document)
    _languages(document)
    if processor_type == "LAYOUT_PARSER_PROCESSOR":
        blocks = layout.office_blocks(office) if office is not None else layout.blocks_of(document)
        layout.fill(document, blocks, options.layout_config)
        return
    found = list(document.entities)
    document.ClearField("entities")
    if processor_type in _PARSERS:
        _PARSERS[processor_type](document, found)
    elif processor_type == "CUSTOM_EXTRACTION_PROCESSOR":
        schema = options.schema_override if options.HasField("schema_override") else None
        entities.add_custom(document, schema)
    elif processor_type == "CUSTOM_CLASSIFICATION_PROCESSOR":
        classes.add_classes(document)
    elif processor_type == "CUSTOM_SPLITTING_PROCESSOR":
        classes.add_splits(document)
    _parts(document, processor_type)
    if processor_type in ("OCR_PROCESSOR", "FORM_PARSER_PROCESSOR"):
        _options(document, options.ocr_config)
    _vertices(document)
    if processor_type == "CUSTOM_SPLITTING_PROCESSOR":
        classes.bare_pages(document)


def _parts(document: Any, processor_type: str) -> None:
    """Leave of each page what the type fills."""
    if processor_type in ("FORM_PARSER_PROCESSOR", "INVOICE_PROCESSOR"):
        fields.add_form_fields(document)
        return
    for page in document.pages:
        page.ClearField("form_fields")
        page.ClearField("tables")


def _options(document: Any, config: Any) -> None:
    if config.enable_symbol:
        extras.add_symbols(document)
    else:
        for page in document.pages:
            page.ClearField("symbols")
    if config.enable_image_quality_scores:
        extras.add_quality(document)
    else:
        for page in document.pages:
            page.ClearField("image_quality_scores")
    if config.compute_style_info or config.premium_features.compute_style_info:
        extras.add_style(document)


def _languages(document: Any) -> None:
    """Give lines and tokens the language of their page, as Google does, where the engine told none."""
    for page in document.pages:
        if not page.detected_languages:
            continue
        first = page.detected_languages[0]
        for elements in (page.lines, page.tokens):
            for element in elements:
                if not element.detected_languages:
                    element.detected_languages.add(
                        language_code=first.language_code, confidence=first.confidence
                    )


def _to_pixels(document: Any) -> None:
    """Write dimensions in pixels, as Google does."""
    for page in document.pages:
        if page.dimension.unit == "points":
            page.dimension.width = round(page.dimension.width * _PIXELS_PER_POINT)
            page.dimension.height = round(page.dimension.height * _PIXELS_PER_POINT)
            page.dimension.unit = "pixels"


def _vertices(document: Any) -> None:
    """Fill the pixel vertices that Google has beside the normalised ones, form fields aside."""
    for page in document.pages:
        width, height = page.dimension.width, page.dimension.height
        cells = [
            cell
            for table in page.tables
            for row in (*table.header_rows, *table.body_rows)
            for cell in row.cells
        ]
        for elements in (
            (page,), page.blocks, page.paragraphs, page.lines, page.tokens, page.symbols, page.tables, cells,
        ):  # fmt: skip
            for element in elements:
                polygon = element.layout.bounding_poly
                if polygon.normalized_vertices and not polygon.vertices:
                    for point in polygon.normalized_vertices:
                        polygon.vertices.add(x=round(point.x * width), y=round(point.y * height))
