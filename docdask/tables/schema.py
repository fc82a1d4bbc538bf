"""Every table, column, dtype and unit. docs/tables.md is generated from this file, and writers validate against it.

Rules: ``document_id`` is in each table; ``page_number`` is 1-based in each page table; geometry is normalised to the
upright page, 0-1, x to the right and y down; text offsets count code points in the page's text. One Parquet file a
partition a table, written atomically under a name that depends on the partition only, so that a retry replaces and
never adds.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Column:
    """One column: name, Arrow type, unit (or empty) and meaning."""

    name: str
    type: pa.DataType
    unit: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Table:
    """One table: name, what a row is, its columns."""

    name: str
    row: str
    columns: tuple[Column, ...]

    @property
    def schema(self) -> pa.Schema:
        """Arrow schema with unit and meaning in the field metadata."""
        return pa.schema(
            [
                pa.field(c.name, c.type, metadata={"unit": c.unit, "description": c.meaning})
                for c in self.columns
            ],
            metadata={"table": self.name, "row": self.row},
        )


_s, _i32, _i64, _f32, _f64, _b = pa.string(), pa.int32(), pa.int64(), pa.float32(), pa.float64(), pa.bool_()
_ts = pa.timestamp("us", tz="UTC")

_ID = Column("document_id", _s, "", "the document, 16 hexadecimal digits of a hash of its URI")
_PAGE = Column("page_number", _i32, "", "1-based page of the document")
_CONF = Column("confidence", _f32, "0-1", "the engine's own confidence; null where it gives none")
_BOX = (
    Column("x0", _f32, "0-1 of page width", "left"),
    Column("y0", _f32, "0-1 of page height", "top"),
    Column("x1", _f32, "0-1 of page width", "right"),
    Column("y1", _f32, "0-1 of page height", "bottom"),
)

DOCUMENTS = Table(
    "documents",
    "one input file that is decided: stored, quarantined or skipped",
    (
        _ID,
        Column("uri", _s, "", "where it was read"),
        Column("name", _s, "", "last part of the URI"),
        Column("sha256", _s, "", "hash of its bytes, hexadecimal; null where it could not be read"),
        Column("size_bytes", _i64, "bytes", "size of the file"),
        Column("mime_type", _s, "", "type told from the content, not from the name"),
        Column("kind", _s, "", "guess: invoice, receipt, form, letter, contract, table, report, …, other"),
        Column("kind_confidence", _f32, "0-1", "confidence of that guess"),
        Column("pages", _i32, "pages", "pages or frames; null where they could not be counted"),
        Column("outcome", _s, "", "stored, quarantined or skipped"),
        Column("problem", _s, "", "short code of what was wrong (kebab-case), also when it could be mended; null if nothing"),
        Column("reason", _s, "", "the same for a person"),
        Column("remedy", _s, "", "what can be done about it"),
        Column("action", _s, "", "what docdask did about it: repaired, decrypted, … ; null if nothing"),
        Column("engine", _s, "", "engine with version; null if never recognised"),
        Column("processor", _s, "", "processor type, offline: offline"),
        Column("processor_version", _s, "", "pinned version of the processor or engine"),
        Column("cost_usd", _f64, "USD", "paid for this document; 0 offline"),
        Column("mean_confidence", _f32, "0-1", "mean of its tokens' confidences, weighted by characters"),
        Column("languages", _s, "", "language codes by share, comma-separated"),
        Column("characters", _i64, "code points", "length of its text"),
        Column("duplicate_of", _s, "", "document_id of the document with the same bytes that was done instead; null if none"),
        Column("seconds", _f64, "s", "sum of its calls' durations"),
        Column("partition", _i32, "", "branch of the graph that did it"),
        Column("finished_at", _ts, "UTC", "when its last call ended"),
    ),
)  # fmt: skip

PAGES = Table(
    "pages",
    "one page of a stored document",
    (
        _ID,
        _PAGE,
        Column("width", _f32, "see unit", "width of the upright page"),
        Column("height", _f32, "see unit", "height of the upright page"),
        Column("unit", _s, "", "unit of width and height: pixels or points"),
        Column("text", _s, "", "text of the page in reading order"),
        Column("characters", _i32, "code points", "length of text"),
        Column("source", _s, "", "text-layer or ocr; null if the engine does not tell"),
        Column(
            "orientation_degrees",
            _i32,
            "degrees",
            "clockwise turn that made the page upright: 0, 90, 180, 270",
        ),
        Column("languages", _s, "", "language codes by share, comma-separated"),
        Column("mean_confidence", _f32, "0-1", "mean of its tokens' confidences, weighted by characters"),
        Column("lines", _i32, "lines", "number of lines"),
        Column("tokens", _i32, "tokens", "number of tokens"),
        Column("tables", _i32, "tables", "number of tables"),
        Column("form_fields", _i32, "fields", "number of key-value pairs"),
    ),
)

LINES = Table(
    "lines",
    "one line of text",
    (_ID, _PAGE, Column("line_number", _i32, "", "0-based in reading order on its page"), Column("text", _s, "", "the line"), _CONF, *_BOX),
)  # fmt: skip

TOKENS = Table(
    "tokens",
    "one token (word); written only with --tokens",
    (
        _ID, _PAGE,
        Column("token_number", _i32, "", "0-based in reading order on its page"),
        Column("text", _s, "", "the token without the white space after it"), _CONF, *_BOX,
    ),
)  # fmt: skip

TABLE_CELLS = Table(
    "table_cells",
    "one cell of a table",
    (
        _ID, _PAGE,
        Column("table_number", _i32, "", "0-based on its page"),
        Column("row", _i32, "", "0-based, header rows first"),
        Column("column", _i32, "", "0-based"),
        Column("row_span", _i32, "rows", "rows it covers"),
        Column("column_span", _i32, "columns", "columns it covers"),
        Column("header", _b, "", "in a header row"),
        Column("text", _s, "", "the cell"), _CONF, *_BOX,
    ),
)  # fmt: skip

FORM_FIELDS = Table(
    "form_fields",
    "one key-value pair",
    (
        _ID, _PAGE,
        Column("name", _s, "", "the key as printed, without a colon at its end"),
        Column("value", _s, "", "the value as printed; empty if blank"),
        Column("value_type", _s, "", "empty (text), filled_checkbox or unfilled_checkbox, as in Document AI"),
        Column("name_confidence", _f32, "0-1", "confidence of the key"), _CONF, *_BOX,
    ),
)  # fmt: skip

ENTITIES = Table(
    "entities",
    "one typed entity; nested ones name their parent",
    (
        _ID,
        Column("page_number", _i32, "", "1-based page of its first mention; null for entities of the whole document"),
        Column("entity_id", _s, "", "id within the document"),
        Column("parent_id", _s, "", "entity it is part of; null at the top"),
        Column("type", _s, "", "as in Document AI: invoice_id, invoice_date, total_amount, supplier_name, line_item/amount, email, date, …"),
        Column("text", _s, "", "as it stands in the document"),
        Column("normalized", _s, "", "normalised as text: 2024-05-31, 1234.50 EUR; null if it could not be"),
        Column("value", _f64, "", "amount or number; null for other types"),
        Column("currency", _s, "", "ISO 4217 code of an amount; null if not told"),
        Column("date", pa.date32(), "", "the date of a date entity"),
        _CONF, *_BOX,
    ),
)  # fmt: skip

CALLS = Table(
    "calls",
    "one recognition: a call to the engine for one unit",
    (
        _ID,
        Column("unit_id", _s, "", "content × page range × engine × options"),
        Column("first_page", _i32, "", "1-based first page of the range"),
        Column("pages", _i32, "pages", "pages in the range"),
        Column("mime_type", _s, "", "type of the document"),
        Column("kind", _s, "", "guessed kind of the document"),
        Column("group", _s, "", "worker group: pdf or image"),
        Column("engine", _s, "", "name/version"),
        Column("processor", _s, "", "processor type"),
        Column("processor_version", _s, "", "its version"),
        Column("worker", _s, "", "who did it"),
        Column("partition", _i32, "", "branch of the graph"),
        Column("attempt", _i32, "", "1 for the first"),
        Column("queued_at", _ts, "UTC", "when its task began"),
        Column("started_at", _ts, "UTC", "when the engine began"),
        Column("ended_at", _ts, "UTC", "when the engine ended"),
        Column("seconds", _f64, "s", "duration of the call; of a shared request, its share"),
        Column("request_bytes", _i64, "bytes", "bytes sent to the engine; of a shared request, its share"),
        Column("response_bytes", _i64, "bytes", "bytes of the answer, uncompressed"),
        Column("code", _s, "", "OK or the code of the error"),
        Column("cost_usd", _f64, "USD", "price of its pages; 0 offline"),
        Column("endpoint", _s, "", "location/alias of the processor that was called; null offline"),
        Column("lane", _s, "", "online or batch; null offline"),
        Column("packed", _i32, "units", "units that shared the request, this one included; 1 if it had its own; null offline"),
    ),
)  # fmt: skip

INVOICES = Table(
    "invoices",
    "one stored document that is an invoice or receipt (wide form)",
    (
        _ID,
        Column("uri", _s, "", "where it was read"),
        Column("kind", _s, "", "invoice or receipt"),
        Column("supplier", _s, "", "who sent it"),
        Column("receiver", _s, "", "who owes it"),
        Column("invoice_number", _s, "", "its number"),
        Column("invoice_date", pa.date32(), "", "its date"),
        Column("due_date", pa.date32(), "", "when it is due"),
        Column("net", _f64, "currency", "sum without tax"),
        Column("tax", _f64, "currency", "tax"),
        Column("total", _f64, "currency", "sum to pay"),
        Column("currency", _s, "", "ISO 4217; null if not told"),
        Column("pages", _i32, "pages", "its pages"),
        _CONF,
    ),
)

#: Written by every branch, in this order; ``documents`` last, so that a row there means its other rows are there.
STORED = (PAGES, LINES, TOKENS, TABLE_CELLS, FORM_FIELDS, ENTITIES, CALLS, INVOICES, DOCUMENTS)
BY_NAME = {table.name: table for table in STORED}
