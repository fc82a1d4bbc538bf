"""What ``ocr_config`` asks for on top: symbols, image quality scores, style."""

from __future__ import annotations

from typing import Any

from docdask.service.emulator.documents import box, set_box, text_of

_DEFECTS = (
    "quality/defect_blurry", "quality/defect_noisy", "quality/defect_dark", "quality/defect_faint",
    "quality/defect_text_too_small", "quality/defect_document_cutoff", "quality/defect_text_cutoff",
    "quality/defect_glare",
)  # fmt: skip


def add_symbols(document: Any) -> None:
    """One symbol a character of each token; a token's box is shared out evenly."""
    for page in document.pages:
        if page.symbols:
            continue
        for token in page.tokens:
            segments = token.layout.text_anchor.text_segments
            text = text_of(document, token.layout.text_anchor)
            shown = text.rstrip()
            left, top, right, bottom = box(token.layout)
            width = (right - left) / max(1, len(shown))
            for index, _ in enumerate(shown):
                layout = page.symbols.add().layout
                start = segments[0].start_index + index
                layout.text_anchor.text_segments.add(start_index=start, end_index=start + 1)
                layout.confidence, layout.orientation = token.layout.confidence, token.layout.orientation
                set_box(layout.bounding_poly, (left + index * width, top, left + (index + 1) * width, bottom))


def add_quality(document: Any) -> None:
    """Quality of each page from the confidence of what was read on it."""
    for page in document.pages:
        read = [token.layout.confidence for token in page.tokens] or [page.layout.confidence]
        score = min(1.0, max(0.0, sum(read) / len(read)))
        page.image_quality_scores.quality_score = score
        for kind in _DEFECTS[:3] if score > 0.5 else _DEFECTS:
            page.image_quality_scores.detected_defects.add(
                type_=kind, confidence=max(0.01, (1.0 - score) / 2)
            )


def add_style(document: Any) -> None:
    """Font size of each token from its height; weight by default."""
    for page in document.pages:
        for token in page.tokens:
            _, top, _, bottom = box(token.layout)
            pixels = (bottom - top) * page.dimension.height
            style = token.style_info
            style.pixel_font_size = pixels
            style.font_size = max(1, round(pixels * 72 / 200))
            style.font_type, style.font_weight = "Sans-serif", 400
            style.text_color.SetInParent()
            style.background_color.red = style.background_color.green = style.background_color.blue = 1.0
