"""Writes shaped lines onto a reportlab canvas and embeds their fonts as PDF composite fonts (ISO 32000-1, 9.7).

Glyph numbers are written as they are (Identity-H), widths and a ToUnicode map are given for the glyphs that were used,
and text whose glyphs are not its characters in order carries its own text (ActualText), so that it can be searched.
"""

from __future__ import annotations

from typing import Any

from docdask.reporting.fontset import Cut
from docdask.reporting.typeset import Line, Run


def _number(value: float) -> str:
    text = f"{value:.3f}".rstrip("0").rstrip(".")
    return "0" if text in {"", "-0"} else text


def rgb(colour: str) -> tuple[float, float, float]:
    """``#rrggbb`` as three fractions."""
    return int(colour[1:3], 16) / 255, int(colour[3:5], 16) / 255, int(colour[5:7], 16) / 255


def _show(run: Run) -> list[str]:
    """Operators that show one run: ``TJ`` arrays, cut where a glyph rises."""
    scale = 1000 / run.font.upem
    out: list[str] = []
    pieces: list[str] = []
    rise = 0

    def flush() -> None:
        if pieces:
            out.append(f"[{''.join(pieces)}] TJ")
            pieces.clear()

    for glyph in run.glyphs:
        if glyph.text and glyph.number not in run.font.used:
            run.font.used[glyph.number] = glyph.text
        run.font.used.setdefault(glyph.number, "")
        if glyph.dy != rise:
            flush()
            rise = glyph.dy
            out.append(f"{_number(rise / run.font.upem)} RISE")
        if glyph.dx:
            pieces.append(f" {_number(-glyph.dx * scale)} ")
        pieces.append(f"<{glyph.number:04X}>")
        after = run.font.advances[glyph.number] - glyph.advance + glyph.dx
        if after:
            pieces.append(f" {_number(after * scale)} ")
    flush()
    if rise:
        out.append("0 RISE")
    return out


def draw_line(canvas: Any, line: Line, x: float, y: float, size: float, colour: str) -> None:
    """Draw ``line`` with its first baseline point at (x, y), ``size`` in points."""
    code = canvas._code  # noqa: SLF001 - the page's operators: reportlab offers no public way to show glyphs
    code.append("q")  # our colour ends with the line
    for run in line.runs:
        red, green, blue = rgb(run.colour or colour)
        operators = [
            f"{_number(float(op[:-5]) * size)} Ts" if op.endswith(" RISE") else op for op in _show(run)
        ]
        if not run.simple:
            actual = run.text.encode("utf-16-be").hex().upper()
            code.append(f"/Span <</ActualText <FEFF{actual}>>> BDC")
        code.append(
            f"BT {_number(red)} {_number(green)} {_number(blue)} rg /{run.font.name} {_number(size)} Tf "
            f"1 0 0 1 {_number(x)} {_number(y)} Tm {' '.join(operators)} ET"
        )
        if not run.simple:
            code.append("EMC")
        x += run.width(size)
    code.append("Q")


def _to_unicode(cut: Cut) -> bytes:
    rows = [
        f"<{n:04X}> <{text.encode('utf-16-be').hex().upper()}>"
        for n, text in sorted(cut.used.items())
        if text
    ]
    out = [
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap",
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def",
        "/CMapName /Adobe-Identity-UCS def /CMapType 2 def",
        "1 begincodespacerange <0000> <FFFF> endcodespacerange",
    ]
    for i in range(0, len(rows), 100):
        part = rows[i : i + 100]
        out += [f"{len(part)} beginbfchar", *part, "endbfchar"]
    out.append("endcmap CMapName currentdict /CMap defineresource pop end end")
    return "\n".join(out).encode()


def embed(document: Any, cuts: list[Cut]) -> None:
    """Add each used font to the PDF ``document`` (reportlab's) under the name that pages call it by."""
    from reportlab.pdfbase import pdfdoc

    def stream(data: bytes, name: str, **entries: int) -> Any:
        body = pdfdoc.PDFStream(content=data, filters=[pdfdoc.PDFZCompress])
        for key, value in entries.items():
            body.dictionary.dict[key] = value
        return document.Reference(body, name)

    def dictionary(**entries: Any) -> Any:
        return pdfdoc.PDFDictionary(entries)

    for number, cut in enumerate(cuts):
        scale = 1000 / cut.upem
        base = f"/{'ABCDEFGHIJ'[number // 10 % 10]}{'ABCDEFGHIJ'[number % 10]}DOCD+{cut.name}"
        descriptor = dictionary(
            Type="/FontDescriptor", FontName=base, Flags=4, ItalicAngle=0, StemV=80,
            FontBBox=pdfdoc.PDFArray([round(v * scale) for v in cut.bbox]), Ascent=round(cut.ascent * scale),
            Descent=round(cut.descent * scale), CapHeight=round(cut.ascent * scale * 0.7),
            FontFile2=stream(cut.data, f"fontfile:{cut.name}", Length1=len(cut.data)),
        )  # fmt: skip
        widths: list[Any] = []
        for glyph in sorted(cut.used):
            widths += [glyph, pdfdoc.PDFArray([round(cut.advances[glyph] * scale, 2)])]
        descendant = dictionary(
            Type="/Font", Subtype="/CIDFontType2", BaseFont=base, CIDToGIDMap="/Identity", DW=1000,
            CIDSystemInfo=dictionary(Registry=pdfdoc.PDFString("Adobe"), Ordering=pdfdoc.PDFString("Identity"), Supplement=0),
            FontDescriptor=document.Reference(descriptor, f"descriptor:{cut.name}"), W=pdfdoc.PDFArray(widths),
        )  # fmt: skip
        font = dictionary(
            Type="/Font", Subtype="/Type0", BaseFont=base, Encoding="/Identity-H",
            DescendantFonts=pdfdoc.PDFArray([document.Reference(descendant, f"descendant:{cut.name}")]),
            ToUnicode=stream(_to_unicode(cut), f"tounicode:{cut.name}"),
        )  # fmt: skip
        document.idToObject["BasicFonts"].dict[cut.name] = document.Reference(font, f"font:{cut.name}")
