"""docs/tables.md, written from the schema: ``python -m docdask.tables.reference > docs/tables.md``.

Rule: what can be read off :mod:`docdask.tables.schema` is never written by hand; a test compares.
"""

from __future__ import annotations

import sys

import pyarrow as pa

from docdask.tables import schema

_HEAD = """\
# Tables

<!-- Written by `python -m docdask.tables.reference > docs/tables.md` from docdask/tables/schema.py. -->

A run's tables are Parquet files in `RUN/tables/<table>/`, one a partition, and can be read with anything:

```python
import docdask

result = docdask.open("runs/june")
result.documents                      # pandas, one row a document
result.frame("lines", ["text"], filters=[("confidence", "<", 0.5)])
result.to_dask("tokens")              # larger than memory
result.arrow("pages")                 # pyarrow dataset; DuckDB and Polars take it as it is
```

```python
import pandas, duckdb

pandas.read_parquet("runs/june/tables/pages")
duckdb.sql("SELECT kind, count(*) FROM 'runs/june/tables/documents/*.parquet' GROUP BY kind")
```

Both are right at any moment, also while the run goes on and after retries: a file is replaced whole, under a name that
depends on its partition only. A row in `documents` means that the document's rows in the other tables are there.
`document_id` is in each table; pages count from 1, everything else on a page from 0; boxes are normalised to the upright
page (0-1, x to the right, y down). Every column may be null where nothing is known.

A file with the same bytes as another (`duplicate_of`) has its row in `documents` and shares the rows of its original in
the other tables.
"""

_USER_COLUMNS = """\
## Your own columns

When the source is a CSV or Parquet list, its extra columns become columns of `documents` and `invoices`, at the end. Their
dtype is the same in every file of a run: the narrowest of `bool`, `int64`, `double`, `string` that takes every value seen
in the run so far; lists and objects become JSON text. A dtype may widen when a later scan brings other values, and the
older files are then rewritten. A column whose name the table has already is called `source_<name>`. `RUN/columns.json`
lists them.
"""

_REVIEW = """\
## review

`result.review` is made from `documents` and `pages`: quarantined documents first, then stored ones, the least sure page
first. Columns: `document_id`, `name`, `kind`, `outcome`, `confidence` (mean confidence of the least sure page),
`page_number`, `why` (empty where there is nothing to look for), `remedy`, `uri`.
"""

_REQUESTS = """\
## requests

`result.requests` is made from the ledger of a paid run (and is empty for any other): a row a request that was let out, those that were refused,
lost or made twice included, in the order in which they were sent. Polls of batch operations, which cost nothing, are left out.

| column | dtype | unit | meaning |
|---|---|---|---|
| `request_id` | string |  | unit that was sent, or the pack or batch of several |
| `attempt` | Int64 |  | 1 for the first |
| `endpoint` | string |  | location/alias of the processor |
| `lane` | string |  | online or batch |
| `worker` | string |  | who sent it |
| `pages` | Int64 | pages | billed; where the end is not known, those that were sent |
| `cost_usd` | float64 | USD | price of these pages |
| `outcome` | string |  | answered, refused, failed, withdrawn (never sent), lost (nobody knows), open (in flight, or nobody knows), adopted (a batch operation that a later request went on with) |
| `code` | string |  | OK or the code of the error |
| `sent_at` | datetime64[ns, UTC] | UTC | when it was let out |
| `ended_at` | datetime64[ns, UTC] | UTC | when its end was written down; null if open |
| `quota_group` | string |  | region and processor type that the quota is counted for; null for batch |
| `quota` | Int64 | requests | allowed in `period_s` |
| `period_s` | float64 | s | the minute of the quota; an emulator's may be shorter |
"""

_NOTES = {
    "form_fields": "The box is that of the value; of the key where the value has none.",
    "invoices": (
        "From the entities of the document, by the type names of Document AI's invoice and expense parsers; of several "
        "candidates the most confident wins. `confidence` is that of the least sure value in the row."
    ),
    "calls": (
        "Also those of documents that failed or are pending. Units that shared a request have a row each, and their `seconds` and "
        "`request_bytes` add up to those of the request: the number of online requests is the sum of `1 / packed`; files of a batch operation count as one each. What was paid twice, or "
        "for an answer that nobody got, is not here but in the run's ledger: `docdask status RUN --json` has the sum."
    ),
}


def markdown() -> str:
    """Text of docs/tables.md."""
    return (
        "\n".join(
            [_HEAD, *(_table(table) for table in reversed(schema.STORED)), _REVIEW, _REQUESTS, _USER_COLUMNS]
        ).rstrip()
        + "\n"
    )


def _table(table: schema.Table) -> str:
    lines = [f"## {table.name}", "", f"One row: {table.row}.", ""]
    if table.name in _NOTES:
        lines += [_NOTES[table.name], ""]
    lines += ["| column | dtype | unit | meaning |", "|---|---|---|---|"]
    lines += [
        f"| `{c.name}` | {_dtype(c.type)} | {_cell(c.unit)} | {_cell(c.meaning)} |" for c in table.columns
    ]
    return "\n".join([*lines, ""])


def _dtype(kind: pa.DataType) -> str:
    return str(kind).replace("[day]", "")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(markdown())
