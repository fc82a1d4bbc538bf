"""Rows from a Document without pages: what Google's layout parser gives, a tree of blocks with page spans.

Rule: the blocks are walked in order; each text goes to the page where its block begins, one line a text; tables become
cells. There are no boxes and no confidence, so those stay null.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from docdask.tables import reader

if TYPE_CHECKING:
    from docdask.tables.rows import DocumentRows


def read_layout(document: Any, rows: DocumentRows) -> None:
    """Add the rows of pages, lines and table cells from ``document.document_layout``."""
    pages: dict[int, list[str]] = {}
    tables: dict[int, int] = {}
    for page, block in walk(document.document_layout.blocks):
        if block.text_block.text:
            pages.setdefault(page, []).append(block.text_block.text)
        if block.table_block.body_rows or block.table_block.header_rows:
            number = tables.get(page, 0)
            tables[page] = number + 1
            texts = _read_table(block.table_block, page, number, rows)
            pages.setdefault(page, []).extend(texts)
    last = max((block.page_span.page_end for _, block in walk(document.document_layout.blocks)), default=0)
    for page in range(1, max(last, *pages, 0) + 1 if pages else last + 1):
        _add_page(page, pages.get(page, []), tables.get(page, 0), rows)


def walk(blocks: Any, page: int = 1) -> Iterator[tuple[int, Any]]:
    """Page and message of each block, in reading order; a block without a page is on the one before."""
    for block in blocks:
        page = block.page_span.page_start or page
        yield page, block
        if block.text_block.blocks:
            yield from walk(block.text_block.blocks, page)
        for entry in block.list_block.list_entries:
            yield from walk(entry.blocks, page)


def block_text(blocks: Any) -> str:
    """Text of blocks, one line each."""
    return "\n".join(block.text_block.text for _, block in walk(blocks) if block.text_block.text)


def _read_table(table: Any, page: int, number: int, rows: DocumentRows) -> list[str]:
    texts = []
    for row, column, header, cell in reader.cells(table):
        text = block_text(cell.blocks)
        texts.append(text)
        spans = reader.span(cell.row_span), reader.span(cell.col_span)
        rows.add("table_cells", (page, number, row, column, *spans, header, text, None, *reader.NO_BOX))
    return [text for text in texts if text]


def _add_page(page: int, texts: list[str], tables: int, rows: DocumentRows) -> None:
    text = "\n".join(texts)
    for index, line in enumerate(texts):
        rows.add("lines", (page, index, line, None, *reader.NO_BOX))
    rows.add("pages", (page, None, None, None, text, len(text), None, 0, "", None, len(texts), 0, tables, 0))
    rows.pages += 1
    rows.characters += len(text)
    rows.tell(f"{text}\n")
