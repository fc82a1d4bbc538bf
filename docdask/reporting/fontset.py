"""Cuts the fonts of a report down to the characters it uses, each at the weight it uses.

A variable font becomes one of its instances, cubic outlines (CFF) become quadratic ones, so that every font is embedded
as TrueType. Cutting comes first: a collection of 16 MB costs what its few characters cost.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from docdask.charts.fonts import Face, faces, printable

#: Always there, whatever the data are: labels, figures, punctuation.
ALWAYS = "".join(chr(c) for c in (*range(0x20, 0x7F), *range(0xA0, 0x100))) + "–—‘’“”…•·×→≤≥−✓◆"
REGULAR, BOLD = 400, 650


@dataclass
class Cut:
    """One embedded font: its TrueType bytes, its shaper, its measures in font units."""

    name: str
    data: bytes
    upem: int
    ascent: int
    descent: int
    bbox: tuple[int, int, int, int]
    advances: list[int]
    shaper: Any
    used: dict[int, str] = field(default_factory=dict)
    """Glyph → text it stands for, filled while drawing."""


def _outlines(font: Any) -> None:
    """Replace CFF outlines by TrueType ones, in place (cu2qu, at most one unit in a thousand off)."""
    from fontTools.pens.cu2quPen import Cu2QuPen
    from fontTools.pens.ttGlyphPen import TTGlyphPen
    from fontTools.ttLib import newTable

    order, source = font.getGlyphOrder(), font.getGlyphSet()
    glyphs = {}
    for name in order:
        pen = TTGlyphPen(None)
        source[name].draw(Cu2QuPen(pen, font["head"].unitsPerEm / 1000, reverse_direction=True))
        glyphs[name] = pen.glyph()
    table = newTable("glyf")
    table.glyphOrder, table.glyphs = order, glyphs
    font["loca"], font["glyf"] = newTable("loca"), table
    maxp = font["maxp"]
    maxp.tableVersion = 0x00010000
    for name in (
        "maxTwilightPoints", "maxStorage", "maxFunctionDefs", "maxInstructionDefs", "maxStackElements",
        "maxSizeOfInstructions", "maxComponentElements", "maxPoints", "maxContours", "maxCompositePoints",
        "maxCompositeContours", "maxComponentDepth",
    ):  # fmt: skip
        setattr(maxp, name, 0)
    maxp.maxZones = 1
    font["post"].formatType = 3.0
    for tag in ("CFF ", "CFF2", "VORG"):
        if tag in font:
            del font[tag]
    font.sfntVersion = "\x00\x01\x00\x00"


def _scripts(characters: frozenset[int]) -> list[str]:
    """OpenType tags of the scripts of ``characters``: rules for any other script are not carried along."""
    from fontTools.unicodedata import ot_tags_from_script, script

    found = {tag for code in characters for tag in ot_tags_from_script(script(chr(code)))}
    return sorted(found | {"DFLT", "latn"})


@lru_cache(maxsize=32)
def _subset(face: Face, weight: int, characters: frozenset[int]) -> bytes:
    """TrueType font with these characters only, at that weight."""
    import logging

    from fontTools import subset
    from fontTools.ttLib import TTFont
    from fontTools.varLib import instancer

    logging.getLogger("fontTools").setLevel(logging.ERROR)
    options = subset.Options()
    options.layout_scripts = _scripts(characters)
    options.hinting, options.notdef_outline, options.glyph_names = False, True, False
    options.name_IDs, options.legacy_kern = [1, 2], True
    options.drop_tables = [*options.drop_tables, "vhea", "vmtx", "BASE", "DSIG", "meta", "MATH"]
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=sorted(characters))
    buffer = io.BytesIO()
    with TTFont(face.path, fontNumber=face.number, lazy=True, recalcTimestamp=False) as font:
        cutter.subset(font)
        if "fvar" in font:
            axes = {axis.axisTag: axis.defaultValue for axis in font["fvar"].axes}
            if "wght" in axes:
                axes["wght"] = weight
            instancer.instantiateVariableFont(font, axes, inplace=True)
        if "glyf" not in font:
            _outlines(font)
        font.save(buffer)
    return buffer.getvalue()


def _cut(face: Face, weight: int, characters: frozenset[int], name: str) -> Cut:
    import uharfbuzz as hb
    from fontTools.ttLib import TTFont

    data = _subset(face, weight, characters)
    clean = TTFont(io.BytesIO(data))
    head, hhea, metrics = clean["head"], clean["hhea"], clean["hmtx"]
    advances = [metrics[glyph][0] for glyph in clean.getGlyphOrder()]
    bbox = (head.xMin, head.yMin, head.xMax, head.yMax)
    shaper = hb.Font(hb.Face(data))
    return Cut(name, data, head.unitsPerEm, hhea.ascent, hhea.descent, bbox, advances, shaper)


class FontSet:
    """Fonts of one report.

    Parameters
    ----------
    texts
        Every text that will be set, at any weight.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        everything = [ALWAYS, *texts]
        self._faces = faces(everything)
        wanted = frozenset(ord(c) for text in everything for c in text)
        self._cuts: dict[tuple[int, int], Cut] = {}
        self._characters: list[frozenset[int]] = []
        seen: set[int] = set()
        for face in self._faces:
            # The first has Latin; the others give what it lacks, and the ASCII and joiners that stand between.
            between = {c for c in wanted if c < 0x80 or 0x200B <= c <= 0x200F}
            mine = face.coverage & wanted
            self._characters.append(frozenset((mine - seen) | (mine & between)))
            seen |= mine

    @property
    def cuts(self) -> list[Cut]:
        """Fonts that were used, in order of first use."""
        return list(self._cuts.values())

    def extra(self) -> list[bytes]:
        """Fonts for what the base has not, cut down: an HTML page carries them for readers who lack them."""
        base = 2  # Noto Sans and DejaVu Sans: their scripts are on every machine that has a browser
        return [
            _subset(face, REGULAR, wanted | {0x20, 0x25CC})
            for face, wanted in list(zip(self._faces, self._characters, strict=True))[base:]
        ]

    def printable(self, text: str) -> str:
        """``text`` with what no font has written as codes."""
        return printable(text, self._faces)

    def choose(self, character: str, before: int | None = None) -> int:
        """Number of the font that draws ``character``; ``before`` is kept where it can."""
        code = ord(character)
        if before is not None and not character.isalnum() and code in self._characters[before]:
            return before
        return next((i for i, has in enumerate(self._characters) if code in has), before or 0)

    def has(self, number: int, character: str) -> bool:
        """Whether the font of that number draws ``character``."""
        return ord(character) in self._characters[number]

    def cut(self, number: int, weight: int) -> Cut:
        """Embedded font of that number and weight, made when first asked for."""
        variable = "[" in self._faces[number].path.name
        key = (number, weight if variable else REGULAR)
        if key not in self._cuts:
            face = self._faces[number]
            characters = self._characters[number] | {0x20, 0x25CC}  # the dotted circle carries lone marks
            self._cuts[key] = _cut(face, key[1], characters, f"DK{len(self._cuts)}")
        return self._cuts[key]
