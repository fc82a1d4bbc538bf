"""Turns pages that were read into the answer of one processor type."""

from __future__ import annotations

from typing import Any

from docdask.service.emulator.shapes import classes, entities, extras, fields, layout


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
    _full_polygons(document)
    if processor_type == "LAYOUT_PARSER_PROCESSOR":
        blocks = layout.office_blocks(office) if office is not None else layout.blocks_of(document)
        layout.fill(document, blocks, options.layout_config)
        return
    if processor_type in _ENTITIES:
        document.ClearField("entities")
        _ENTITIES[processor_type](document)
    elif processor_type == "CUSTOM_EXTRACTION_PROCESSOR":
        document.ClearField("entities")
        entities.add_custom(
            document, options.schema_override if options.HasField("schema_override") else None
        )
    else:
        document.ClearField("entities")
    _parts(document, processor_type)
    if processor_type in ("OCR_PROCESSOR", "FORM_PARSER_PROCESSOR"):
        _options(document, options.ocr_config)


_ENTITIES = {
    "INVOICE_PROCESSOR": entities.add_invoice,
    "UTILITY_PROCESSOR": entities.add_invoice,
    "EXPENSE_PROCESSOR": entities.add_expense,
    "CUSTOM_CLASSIFICATION_PROCESSOR": classes.add_classes,
    "CUSTOM_SPLITTING_PROCESSOR": classes.add_splits,
}


def _parts(document: Any, processor_type: str) -> None:
    """Leave of each page what the type fills."""
    if processor_type in ("FORM_PARSER_PROCESSOR", "INVOICE_PROCESSOR"):
        fields.add_form_fields(document)
        return
    if processor_type == "CUSTOM_SPLITTING_PROCESSOR":
        classes.bare_pages(document)
    for page in document.pages:
        page.ClearField("form_fields")
        page.ClearField("tables")


def _options(document: Any, config: Any) -> None:
    if config.enable_symbol:
        extras.add_symbols(document)
    if config.enable_image_quality_scores:
        extras.add_quality(document)
    if config.compute_style_info or config.premium_features.compute_style_info:
        extras.add_style(document)


def _full_polygons(document: Any) -> None:
    """Give layouts of pages the pixel vertices that Google fills beside the normalised ones."""
    for page in document.pages:
        width, height = page.dimension.width, page.dimension.height
        if page.dimension.unit != "pixels":
            continue
        for elements in ((page,), page.blocks, page.paragraphs, page.lines, page.tokens):
            for element in elements:
                polygon = element.layout.bounding_poly
                if polygon.normalized_vertices and not polygon.vertices:
                    for point in polygon.normalized_vertices:
                        polygon.vertices.add(x=round(point.x * width), y=round(point.y * height))
