"""Draws a matplotlib figure on a reportlab canvas as true vectors, its text in the report's own embedded fonts.

A renderer of matplotlib's backend interface, at 72 dots an inch so that a unit is a point. Layout is measured with the
same shaper that draws, so labels of any script fit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.backend_bases import FigureCanvasBase, RendererBase
from matplotlib.path import Path

from docdask.reporting.glyphs import draw_line
from docdask.reporting.typeset import Typesetter

_CAPS = {"butt": 0, "round": 1, "projecting": 2}
_JOINS = {"miter": 0, "round": 1, "bevel": 2}


class CanvasRenderer(RendererBase):
    """matplotlib's drawing calls as operators of a PDF page; without a canvas it only measures.

    Parameters
    ----------
    width_pt, height_pt
        Size of the figure.
    typesetter
        Shapes the text.
    canvas
        reportlab's, its origin at the figure's lower left corner.
    """

    def __init__(self, width_pt: float, height_pt: float, typesetter: Typesetter, canvas: Any = None) -> None:
        super().__init__()
        self._size = (width_pt, height_pt)
        self._typesetter = typesetter
        self._canvas = canvas

    def flipy(self) -> bool:
        """PDF counts upwards."""
        return False

    def get_canvas_width_height(self) -> tuple[float, float]:
        """Size of the figure, in points."""
        return self._size

    def points_to_pixels(self, points: Any) -> Any:
        """A unit is a point."""
        return points

    def get_image_magnification(self) -> float:
        """Images are made with 200 dots an inch."""
        return 200 / 72

    def get_text_width_height_descent(self, s: str, prop: Any, ismath: Any) -> tuple[float, float, float]:  # noqa: ARG002 - matplotlib's interface; mathematics is not parsed
        """Measure ``s``, in points."""
        size = prop.get_size_in_points()
        width = self._typesetter.line(s, bold=_bold(prop)).width(size)
        return width, size * 0.96, size * 0.22

    def draw_text(
        self,
        gc: Any,
        x: float,
        y: float,
        s: str,
        prop: Any,
        angle: float,
        ismath: Any = False,  # noqa: ARG002 - matplotlib's interface
        mtext: Any = None,  # noqa: ARG002 - matplotlib's interface
    ) -> None:
        """Draw ``s`` with its baseline from (x, y), turned by ``angle`` degrees."""
        canvas = self._canvas
        if canvas is None or not s.strip():
            return
        from matplotlib.colors import to_hex

        canvas.saveState()
        canvas.translate(x, y)
        if angle:
            canvas.rotate(angle)
        line = self._typesetter.line(s, bold=_bold(prop))
        draw_line(canvas, line, 0, 0, prop.get_size_in_points(), to_hex(gc.get_rgb()[:3]))
        canvas.restoreState()

    def _outline(self, path: Any, transform: Any) -> Any:
        out = self._canvas.beginPath()
        at = (0.0, 0.0)
        for points, code in path.iter_segments(transform, simplify=False):
            if code == Path.MOVETO:
                out.moveTo(*points)
            elif code == Path.LINETO:
                out.lineTo(*points)
            elif code == Path.CURVE3:
                control, end = np.array(points[:2]), np.array(points[2:])
                out.curveTo(*(np.array(at) / 3 + control * 2 / 3), *(control * 2 / 3 + end / 3), *end)
            elif code == Path.CURVE4:
                out.curveTo(*points)
            elif code == Path.CLOSEPOLY:
                out.close()
                continue
            at = (float(points[-2]), float(points[-1]))
        return out

    def _clip(self, gc: Any) -> None:
        box = gc.get_clip_rectangle()
        if box is not None:
            frame = self._canvas.beginPath()
            frame.rect(box.x0, box.y0, box.width, box.height)
            self._canvas.clipPath(frame, stroke=0, fill=0)
        path, transform = gc.get_clip_path()
        if path is not None:
            self._canvas.clipPath(self._outline(path, transform), stroke=0, fill=0)

    def draw_path(self, gc: Any, path: Any, transform: Any, rgbFace: Any = None) -> None:  # noqa: N803 - matplotlib's interface
        """Fill and stroke ``path``, with its hatch."""
        canvas = self._canvas
        if canvas is None:
            return
        filled = rgbFace is not None and (len(rgbFace) < 4 or rgbFace[3] > 0)
        stroked = gc.get_linewidth() > 0 and gc.get_rgb()[3] > 0
        if not (filled or stroked or gc.get_hatch()):
            return
        canvas.saveState()
        self._clip(gc)
        forced = gc.get_alpha() if gc.get_forced_alpha() else None
        if filled:
            canvas.setFillColorRGB(*rgbFace[:3])
            canvas.setFillAlpha(forced if forced is not None else rgbFace[3] if len(rgbFace) > 3 else 1)
        if stroked:
            self._stroke(gc, forced)
        outline = self._outline(path, transform)
        if filled or stroked:
            canvas.drawPath(outline, stroke=int(stroked), fill=int(filled))
        if gc.get_hatch():
            self._hatch(gc, path, transform)
        canvas.restoreState()

    def _stroke(self, gc: Any, forced: float | None) -> None:
        canvas = self._canvas
        colour = gc.get_rgb()
        canvas.setStrokeColorRGB(*colour[:3])
        canvas.setStrokeAlpha(forced if forced is not None else colour[3])
        canvas.setLineWidth(gc.get_linewidth())
        canvas.setLineCap(_CAPS.get(gc.get_capstyle(), 0))
        canvas.setLineJoin(_JOINS.get(gc.get_joinstyle(), 0))
        offset, dashes = gc.get_dashes()
        canvas.setDash(list(dashes) if dashes is not None else [], offset or 0)

    def _hatch(self, gc: Any, path: Any, transform: Any) -> None:
        """Tile the hatch over the path's box, clipped to the path."""
        from matplotlib.transforms import Affine2D

        canvas, tile = self._canvas, 36.0
        box = path.get_extents(transform)
        canvas.saveState()
        canvas.clipPath(self._outline(path, transform), stroke=0, fill=0)
        canvas.setStrokeColorRGB(*gc.get_hatch_color()[:3])
        canvas.setLineWidth(gc.get_hatch_linewidth() * 0.8)
        lines = gc.get_hatch_path(3)
        for column in range(int(box.x0 // tile), int(box.x1 // tile) + 1):
            for row in range(int(box.y0 // tile), int(box.y1 // tile) + 1):
                move = Affine2D().scale(tile).translate(column * tile, row * tile)
                canvas.drawPath(self._outline(lines, move), stroke=1, fill=0)
        canvas.restoreState()

    def draw_quad_mesh(
        self,
        gc: Any,
        master_transform: Any,
        mesh_width: int,
        mesh_height: int,
        coordinates: Any,
        offsets: Any,  # noqa: ARG002 - matplotlib's interface
        offset_trans: Any,  # noqa: ARG002 - matplotlib's interface
        facecolors: Any,
        antialiased: Any,  # noqa: ARG002 - matplotlib's interface
        edgecolors: Any,  # noqa: ARG002 - matplotlib's interface
    ) -> None:
        """Fill each cell of a mesh, a hair over its edges so that no seams show."""
        canvas = self._canvas
        if canvas is None:
            return
        canvas.saveState()
        self._clip(gc)
        corners = master_transform.transform(np.asarray(coordinates).reshape(-1, 2)).reshape(
            mesh_height + 1, mesh_width + 1, 2
        )
        colours = np.asarray(facecolors).reshape(-1, 4)
        for i in range(mesh_height):
            for j in range(mesh_width):
                (x0, y0), (x1, y1) = corners[i, j], corners[i + 1, j + 1]
                canvas.setFillColorRGB(*colours[(i * mesh_width + j) % len(colours)][:3])
                canvas.rect(
                    min(x0, x1), min(y0, y1), abs(x1 - x0) + 0.15, abs(y1 - y0) + 0.15, stroke=0, fill=1
                )
        canvas.restoreState()

    def draw_image(self, gc: Any, x: float, y: float, im: Any, transform: Any = None) -> None:  # noqa: ARG002 - matplotlib's interface
        """Place an image (the shades of a heat map) at (x, y)."""
        if self._canvas is None:
            return
        from PIL import Image
        from reportlab.lib.utils import ImageReader

        picture = Image.fromarray(np.ascontiguousarray(im[::-1]))
        scale = self.get_image_magnification()
        self._canvas.saveState()
        self._clip(gc)
        self._canvas.drawImage(
            ImageReader(picture), x, y, im.shape[1] / scale, im.shape[0] / scale, mask="auto"
        )
        self._canvas.restoreState()


def _bold(prop: Any) -> bool:
    weight = prop.get_weight()
    return weight in {"bold", "semibold", "heavy", "black"} or (isinstance(weight, int) and weight >= 600)


class _Measuring(FigureCanvasBase):
    """Gives layout engines a renderer that measures with the report's fonts."""

    typesetter: Typesetter

    def get_renderer(self) -> CanvasRenderer:
        """Return a renderer that draws nothing."""
        width, height = self.figure.get_size_inches() * 72
        return CanvasRenderer(width, height, self.typesetter)


def draw_figure(figure: Any, canvas: Any, typesetter: Typesetter, x: float, y: float) -> None:
    """Draw ``figure`` on ``canvas`` with its lower left corner at (x, y), in points."""
    figure.set_dpi(72)
    _Measuring(figure).typesetter = typesetter  # a canvas attaches itself to its figure
    width, height = figure.get_size_inches() * 72
    canvas.saveState()
    canvas.translate(x, y)
    figure.draw(CanvasRenderer(width, height, typesetter, canvas))
    canvas.restoreState()


def texts(figure: Any) -> list[str]:
    """Every text that drawing ``figure`` will set (tick labels included), so that fonts can be cut for them."""
    from matplotlib.text import Text

    figure.draw_without_rendering()
    return [text.get_text() for text in figure.findobj(Text)]
