"""Writes all tables as one Excel workbook, a sheet each.

Rules: text is never a formula, link or number; a table with more rows than a sheet takes is refused before anything is
written; a text longer than a cell takes is cut, ends in ``…`` and is listed on the sheet ``cut texts``; rows are
streamed, so memory does not grow; the same tables give the same file.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docdask.errors import UsageError
from docdask.tables import schema
from docdask.tables.export.writing import Exportable, Tell, batches, tables, whole

#: Limits of the format, from Excel's specifications: rows a sheet (the header is one), characters a cell.
MAX_ROWS, MAX_CHARACTERS = 1_048_576, 32_767
_WIDEST, _SAMPLE_ROWS = 60, 100


def write(result: Exportable, folder: Path, tell: Tell) -> list[Path]:
    """Write ``tables.xlsx``.

    Raises
    ------
    UsageError
        If a table has more rows than a sheet takes.
    """
    found = list(tables(result))
    for table, dataset in found:
        rows = dataset.count_rows()
        if rows >= MAX_ROWS:
            raise UsageError(
                f"table {table.name} has {rows:,} rows, an Excel sheet takes {MAX_ROWS - 1:,}",
                "export with --csv (or --duckdb), which have no such limit",
            )
    path = folder / "tables.xlsx"
    with whole(path) as part:
        cut = _write_workbook(found, part)
    if cut:
        tell(
            f"{cut:,} texts are longer than the {MAX_CHARACTERS:,} characters of an Excel cell and were cut; they are "
            "listed on the sheet 'cut texts', --csv has them whole"
        )
    return [path]


def _write_workbook(found: list[tuple[schema.Table, Any]], path: Path) -> int:
    from xlsxwriter import Workbook

    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    cut: list[tuple[str, int, str, int]] = []
    with Workbook(str(path), options) as book:
        book.set_properties({"title": "docdask tables", "created": dt.datetime(2000, 1, 1)})  # noqa: DTZ001
        sheets = _Sheets(book)
        for table, dataset in found:
            cut += sheets.add(table, dataset)
        if cut:
            sheet = book.add_worksheet("cut texts")
            sheet.set_column(0, 3, 16)
            sheet.freeze_panes(1, 0)
            for column, name in enumerate(("sheet", "row", "column", "characters")):
                sheet.write_string(0, column, name, sheets.header)
            for line, (name, row, column_name, length) in enumerate(cut[: MAX_ROWS - 1], 1):
                sheet.write_string(line, 0, name)
                sheet.write_number(line, 1, row)
                sheet.write_string(line, 2, column_name)
                sheet.write_number(line, 3, length)
    return len(cut)


class _Sheets:
    """Writes sheets of one workbook with its formats."""

    def __init__(self, book: Any) -> None:
        self._book = book
        self.header = book.add_format(
            {"bold": True, "font_color": "white", "bg_color": "#1F4E79", "valign": "top", "border": 0}
        )
        self._date = book.add_format({"num_format": "yyyy-mm-dd", "align": "left"})
        self._time = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss", "align": "left"})

    def add(self, table: schema.Table, dataset: Any) -> list[tuple[str, int, str, int]]:
        """Write one table; return where texts were cut: sheet, row as Excel counts, column, characters."""
        sheet = self._book.add_worksheet(table.name)
        names = list(dataset.schema.names)
        notes = {column.name: column for column in table.columns}
        for index, width in enumerate(_widths(names, dataset)):
            sheet.set_column(index, index, width)
        sheet.freeze_panes(1, 1)
        for index, name in enumerate(names):
            sheet.write_string(0, index, name, self.header)
            if name in notes:
                unit = f" [{notes[name].unit}]" if notes[name].unit else ""
                sheet.write_comment(0, index, notes[name].meaning + unit)
        cut, row = [], 0
        for row, values in enumerate(_rows(dataset), 1):
            for index, value in enumerate(values):
                length = self._write(sheet, row, index, value)
                if length:
                    cut.append((table.name, row + 1, names[index], length))
        if names:
            sheet.autofilter(0, 0, row, len(names) - 1)
        return cut

    def _write(self, sheet: Any, row: int, column: int, value: Any) -> int:
        """Write one value; return the length of a text that had to be cut, else 0."""
        if value is None:
            return 0
        if isinstance(value, str):
            # Excel counts UTF-16 units.
            length = len(value.encode("utf-16-le", "surrogatepass")) // 2
            if length > MAX_CHARACTERS:
                sheet.write_string(row, column, _shortened(value))
                return length
            sheet.write_string(row, column, value)
        elif isinstance(value, bool):
            sheet.write_boolean(row, column, value)
        elif isinstance(value, dt.datetime):
            sheet.write_datetime(row, column, value.replace(tzinfo=None), self._time)
        elif isinstance(value, dt.date):
            sheet.write_datetime(row, column, dt.datetime.combine(value, dt.time()), self._date)
        elif isinstance(value, int | float):
            if math.isfinite(value):
                sheet.write_number(row, column, value)
        else:
            return self._write(sheet, row, column, str(value))
        return 0


def _shortened(text: str) -> str:
    cut = text.encode("utf-16-le", "surrogatepass")[: 2 * (MAX_CHARACTERS - 1)].decode("utf-16-le", "ignore")
    return cut + "…"


def _rows(dataset: Any) -> Iterator[tuple[Any, ...]]:
    for batch in batches(dataset):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _widths(names: list[str], dataset: Any) -> list[float]:
    """Column widths in characters, from the headers and the first rows: a streamed sheet has to know them first."""
    head = dataset.head(_SAMPLE_ROWS).to_pydict()
    return [
        min(_WIDEST, 2 + max([len(name) + 2, *(len(str(value).split("\n")[0]) for value in head[name])]))
        for name in names
    ]
