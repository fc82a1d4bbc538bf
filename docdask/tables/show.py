"""Draws a page with what was found on it.

Rules: the original's picture lies under it, a little faded; each kind of finding has a colour of its own that
colour-blind people can tell from the others (Okabe and Ito's set), and a line of its own for those who print in grey;
the legend counts what was found.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from docdask.errors import UsageError
from docdask.tables import reader
from docdask.tables.export.layout import Quad, bounds, frame_turn_degrees, page_of, quad

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class _Mark:
    """A box to draw and the word beside it."""

    quad: Quad
    label: str = ""


@dataclass(frozen=True, slots=True)
class _Style:
    legend: str
    color: str
    width: float
    dash: str
    fill: float = 0.0
    margin: float = 0.0
    """Share of the page's width by which boxes are drawn larger, so that those of a block and its only line both show."""


#: What can be drawn, from the back to the front.
WHAT = ("blocks", "lines", "tokens", "tables", "form_fields", "entities")
_STYLES = {
    "blocks": _Style("blocks", "#56B4E9", 1.6, "--", margin=0.006),
    "lines": _Style("lines", "#0072B2", 0.8, "-", margin=0.002),
    "tokens": _Style("tokens", "#5A5A5A", 0.5, ":"),
    "tables": _Style("table cells", "#D55E00", 1.1, "-", 0.06),
    "form_fields": _Style("form fields", "#009E73", 1.4, "-.", 0.10),
    "entities": _Style("entities", "#CC79A7", 1.4, "-", 0.28),
}


def show(
    document: Any,
    image: Image,
    page_number: int,
    *,
    what: Sequence[str] = WHAT,
    turn_degrees: int | None = None,
) -> Figure:
    """Draw page ``page_number`` with what was found on it.

    Parameters
    ----------
    document
        ``Document`` message with the page.
    image
        The page as :func:`docdask.tables.render.render_page` gives it, not turned: a page that the engine turned is
        turned here.
    page_number
        1-based.
    what
        Of ``blocks``, ``lines``, ``tokens``, ``tables``, ``form_fields``, ``entities``.
    turn_degrees
        Clockwise turn that made the page upright, column ``orientation_degrees`` of the table ``pages``; None to take
        it from the message.

    Returns
    -------
    matplotlib.figure.Figure
        Shows itself in a notebook; ``figure.savefig(path)`` writes it.

    Raises
    ------
    UsageError
        If ``what`` names something else, or the result has no such page.
    """
    unknown = sorted(set(what) - set(WHAT))
    if unknown:
        raise UsageError(f"can't draw {', '.join(unknown)}", f"choose from {', '.join(WHAT)}")
    page = page_of(document, page_number)
    if page is None:
        numbers = [page.page_number for page in document.pages]
        has = f"pages {numbers[0]} to {numbers[-1]}" if numbers else "no pages"
        raise UsageError(f"no page {page_number} in this result", f"it has {has}")
    marks = {name: list(_FINDERS[name](document, page)) for name in WHAT if name in what}
    turn = frame_turn_degrees(page, turn_degrees)
    return _draw(_turned(image, turn), marks)


def _turned(image: Image, turn_degrees: int) -> Image:
    return image.rotate(-turn_degrees, expand=True) if turn_degrees else image


def _layouts(name: str) -> Callable[[Any, Any], Iterable[_Mark]]:
    def find(document: Any, page: Any) -> Iterable[_Mark]:  # noqa: ARG001 - one shape for all finders
        for element in getattr(page, name):
            corners = quad(element.layout, page)
            if corners:
                yield _Mark(corners)

    return find


def _table_cells(document: Any, page: Any) -> Iterable[_Mark]:  # noqa: ARG001
    for table in page.tables:
        for row in (*table.header_rows, *table.body_rows):
            for cell in row.cells:
                corners = quad(cell.layout, page)
                if corners:
                    yield _Mark(corners)


def _form_fields(document: Any, page: Any) -> Iterable[_Mark]:
    for field in page.form_fields:
        name, value = quad(field.field_name, page), quad(field.field_value, page)
        label = " ".join(reader.anchored(document.text, field.field_name.text_anchor).split()).rstrip(" :")
        if value:
            yield _Mark(value, label)
        elif name:
            yield _Mark(name, label)


def _entities(document: Any, page: Any) -> Iterable[_Mark]:
    index = next(i for i, other in enumerate(document.pages) if other is page or other == page)

    def walk(entities: Iterable[Any], *, named: bool) -> Iterable[_Mark]:
        for entity in entities:
            if entity.properties:
                # The parts of a line item cover it, and a name on each would hide what they say.
                yield from walk(entity.properties, named=False)
                continue
            for reference in entity.page_anchor.page_refs:
                # Google's page references count from 0 over the pages of the message.
                if int(reference.page) == index:
                    corners = quad(reference, page)
                    if corners:
                        yield _Mark(corners, entity.type_ if named else "")

    return walk(document.entities, named=True)


_FINDERS: dict[str, Callable[[Any, Any], Iterable[_Mark]]] = {
    "blocks": _layouts("blocks"),
    "lines": _layouts("lines"),
    "tokens": _layouts("tokens"),
    "tables": _table_cells,
    "form_fields": _form_fields,
    "entities": _entities,
}


def _draw(image: Image, marks: dict[str, list[_Mark]]) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.lines import Line2D

    width, height = image.size
    long_side_inches = 9.0
    scale = long_side_inches / max(width, height, 1)
    legend_inches = 0.45
    size = (max(width * scale, 4.5), height * scale + legend_inches)
    figure = _figure_class()(figsize=size, dpi=110, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1 - legend_inches / size[1]))
    axes.imshow(image, extent=(0, width, height, 0), alpha=0.8, interpolation="antialiased")
    axes.set_axis_off()
    handles = []
    for name, found in marks.items():
        style = _STYLES[name]
        _draw_marks(axes, found, style, (width, height))
        handles.append(
            Line2D(
                [],
                [],
                color=style.color,
                linestyle=style.dash,
                linewidth=2.2,
                label=f"{style.legend} ({len(found)})",
            )
        )
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    figure.legend(
        handles=handles, loc="upper center", ncols=len(handles) if size[0] > 6.5 else 3, fontsize=8, frameon=False,
        labelcolor="black",
    )  # fmt: skip
    return figure


def _draw_marks(axes: Any, marks: list[_Mark], style: _Style, size: tuple[int, int]) -> None:
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import to_rgba

    width, height = size
    # Corners come clockwise from the top left, so each is moved outwards by its own signs.
    out = [
        (sx * style.margin * width, sy * style.margin * width)
        for sx, sy in ((-1, -1), (1, -1), (1, 1), (-1, 1))
    ]
    polygons = [
        [(x * width + dx, y * height + dy) for (x, y), (dx, dy) in zip(mark.quad, out, strict=True)]
        for mark in marks
    ]
    if not polygons:
        return
    axes.add_collection(
        PolyCollection(
            polygons,
            closed=True,
            facecolors=[to_rgba(style.color, style.fill)],
            edgecolors=[style.color],
            linewidths=style.width,
            linestyles=style.dash,
        )
    )
    for mark in marks:
        if mark.label:
            left, top, _, _ = bounds(mark.quad)
            # Dollars would start a formula.
            label = mark.label[:28].replace("$", r"\$")
            axes.annotate(
                label,
                (left * width, top * height),
                fontsize=5.5,
                color="black",
                va="bottom",
                ha="left",
                bbox={
                    "boxstyle": "round,pad=0.15",
                    "facecolor": style.color,
                    "edgecolor": "none",
                    "alpha": 0.9,
                },
                annotation_clip=True,
            )


def _figure_class() -> type[Figure]:
    """Figure that a notebook shows as a picture, also if nobody imported pyplot."""
    from matplotlib.figure import Figure

    class PageFigure(Figure):  # type: ignore[misc, unused-ignore]
        def _repr_png_(self) -> bytes:
            buffer = io.BytesIO()
            self.savefig(buffer, format="png")
            return buffer.getvalue()

    return PageFigure
