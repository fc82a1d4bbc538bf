"""Results to export, made from real files: samples whose text layer is read with pdfium, and a stand-in for a run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pypdfium2 as pdfium
from google.cloud.documentai_v1.types import Document

from docdask.model import document_id
from docdask.tables import schema

Message = Document.pb()


def place(layout, start: int, end: int, box: Iterable[float], orientation: int = 1) -> None:
    layout.text_anchor.text_segments.add(start_index=start, end_index=end)
    layout.confidence = 0.93
    layout.orientation = orientation
    x0, y0, x1, y1 = box
    for x, y in ((x0, y0), (x1, y0), (x1, y1), (x0, y1)):
        layout.bounding_poly.normalized_vertices.add(x=x, y=y)


def around(boxes: Iterable[tuple[float, float, float, float]]) -> tuple[float, float, float, float]:
    boxes = list(boxes)
    x0s, y0s, x1s, y1s = zip(*boxes, strict=True)
    return min(x0s), min(y0s), max(x1s), max(y1s)


def read_pdf(data: bytes, *, mime_type: str = "application/pdf", orientation: int = 1):
    """Document message of a PDF with a text layer: a block, paragraph and line a line, tokens by white space."""
    message = Message(mime_type=mime_type)
    with pdfium.PdfDocument(data) as pdf:
        for number, leaf in enumerate(pdf, 1):
            width, height = leaf.get_size()
            page = message.pages.add(page_number=number)
            page.dimension.width, page.dimension.height, page.dimension.unit = width, height, "points"
            page.detected_languages.add(language_code="en", confidence=1)
            text_page = leaf.get_textpage()
            text = text_page.get_text_range()
            first = len(message.text)
            place_lines(message, page, text, text_page, (width, height), orientation)
            place(page.layout, first, len(message.text), (0, 0, 1, 1), orientation)
    return message


def place_lines(message, page, text, text_page, size, orientation) -> None:
    width, height = size
    at = 0
    for line in text.split("\r\n"):
        spans, place_in_line = [], 0
        for word in line.split():
            place_in_line = line.index(word, place_in_line)
            chars = [text_page.get_charbox(at + place_in_line + i) for i in range(len(word))]
            box = around((c[0] / width, 1 - c[3] / height, c[2] / width, 1 - c[1] / height) for c in chars)
            spans.append((word, box))
            place_in_line += len(word)
        at += len(line) + 2
        if not spans:
            continue
        start = len(message.text)
        for word, box in spans:
            begin = len(message.text)
            message.text += word + " "
            token = page.tokens.add()
            token.detected_break.type_ = 1
            place(token.layout, begin, len(message.text), box, orientation)
        message.text = message.text[:-1] + "\n"
        outer = around(box for _, box in spans)
        for elements in (page.lines, page.paragraphs, page.blocks):
            place(elements.add().layout, start, len(message.text), outer, orientation)


def locate(message, text: str, page_number: int = 1, after: int = 0):
    """Offsets and box of the first occurrence of ``text`` on a page, from offset ``after`` on."""
    page = message.pages[page_number - 1]
    segment = page.layout.text_anchor.text_segments[0]
    start = message.text.index(text, max(segment.start_index, after))
    boxes = []
    for token in page.tokens:
        at = token.layout.text_anchor.text_segments[0]
        if at.start_index < start + len(text) and start < at.end_index:
            v = token.layout.bounding_poly.normalized_vertices
            boxes.append((v[0].x, v[0].y, v[2].x, v[2].y))
    return start, start + len(text), around(boxes)


def add_form_field(message, name: str, value: str) -> None:
    field = message.pages[0].form_fields.add()
    for layout, text in ((field.field_name, name), (field.field_value, value)):
        place(layout, *locate(message, text))
        layout.text_anchor.content = text


def add_table(message, rows: list[list[str]], page_number: int = 1) -> None:
    table = message.pages[page_number - 1].tables.add()
    for index, row in enumerate(rows):
        target = (table.body_rows if index else table.header_rows).add()
        at = locate(message, " ".join(row), page_number)[0]
        for text in row:
            cell = target.cells.add(row_span=1, col_span=1)
            spot = locate(message, text, page_number, at)
            place(cell.layout, *spot)
            at = spot[1]
    place(table.layout, *locate(message, " ".join(rows[0]), page_number))


def add_entity(message, kind: str, text: str, normalized: str = "") -> None:
    start, end, box = locate(message, text)
    entity = message.entities.add(
        type_=kind, mention_text=text, confidence=0.8, id=str(len(message.entities))
    )
    entity.text_anchor.text_segments.add(start_index=start, end_index=end)
    entity.normalized_value.text = normalized
    reference = entity.page_anchor.page_refs.add(page=0)
    x0, y0, x1, y1 = box
    for x, y in ((x0, y0), (x1, y0), (x1, y1), (x0, y1)):
        reference.bounding_poly.normalized_vertices.add(x=x, y=y)


class FakeResult:
    """What an export needs of a run, held in memory: tables by schema, messages, originals."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict]] = {table.name: [] for table in schema.STORED}
        self.messages: dict[str, object] = {}
        self.originals: dict[str, bytes] = {}

    def add(self, name: str, data: bytes, message, *, mime_type: str = "application/pdf", **columns) -> str:
        uri = f"/in/{name}"
        identity = document_id(uri)
        row = {"document_id": identity, "uri": uri, "name": name, "mime_type": mime_type, "outcome": "stored"}
        own = {key: columns.pop(key) for key in ("source", "orientation_degrees") if key in columns}
        self.rows["documents"].append({**row, **columns})
        for page in message.pages if message is not None else ():
            text = message.text
            self.rows["pages"].append(
                {
                    "document_id": identity,
                    "page_number": page.page_number,
                    "text": text,
                    "source": "ocr",
                    **own,
                }
            )
        self.originals[identity] = data
        if message is not None:
            self.messages[identity] = message
        return identity

    def arrow(self, name: str):
        return ds.dataset(pa.Table.from_pylist(self.rows[name], schema=schema.BY_NAME[name].schema))

    def frame(self, name: str, columns: list[str] | None = None) -> pd.DataFrame:
        return self.arrow(name).to_table(columns=columns).to_pandas()

    def document(self, identity: str):
        return self.messages[identity]

    def documents_iter(self):
        yield from self.messages.items()

    def source_bytes(self, identity: str) -> bytes:
        return self.originals[identity]


def sample(name: str, copy: int = 0):
    """Sample by its stem, with its truth, without writing a folder."""
    from docdask.specimens.make import MAKERS
    from docdask.specimens.world import World

    stem, _, maker = next(entry for entry in MAKERS if entry[0] == name)
    return maker(World(0, stem, copy))


def invoice_message():
    """Digital invoice with a table, form fields and entities placed on it."""
    invoice = sample("invoice-digital")
    message = read_pdf(invoice.data)
    add_table(message, invoice.tables[0]["rows"])
    for name in ("Invoice number:", "Due date:"):
        line = next(line for line in message.text.splitlines() if line.startswith(name))
        add_form_field(message, name, line.removeprefix(name).strip())
    add_entity(message, "invoice_id", invoice.fields["invoice_id"])
    add_entity(message, "supplier_name", invoice.fields["supplier_name"])
    total = f"{invoice.fields['total_amount']:,.2f}"
    add_entity(message, "total_amount", f"EUR {total}", f"{invoice.fields['total_amount']:.2f} EUR")
    return invoice, message


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
