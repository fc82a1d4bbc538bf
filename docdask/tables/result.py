"""What a run gave: its tables as frames, its Documents, and a function over all of them.

Rules: nothing is read before it is asked for; what is read is what is there now, also while the run goes on; a table
that is not written yet is an empty one with the right columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from docdask.errors import DocumentError, SourceError, UsageError
from docdask.store.run import RunDirectory
from docdask.store.spending import FollowedLedger
from docdask.tables import apply, money, schema, stored
from docdask.tables import summary as summaries
from docdask.tables.card import card
from docdask.tables.write import file_names, file_schema, fitted

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from matplotlib.figure import Figure


class Result:
    """The result of a run; ``docdask.open(RUN)`` makes one.

    Parameters
    ----------
    url
        Of the run directory.
    """

    def __init__(self, url: str) -> None:
        self.run = RunDirectory(url)
        #: Passwords for originals that are encrypted, for :meth:`source_bytes` and :meth:`show`.
        self.passwords: Sequence[str] = ()
        self._frames: dict[str, tuple[Any, pd.DataFrame]] = {}
        self._ledger = FollowedLedger(self.url)

    def __reduce__(self) -> tuple[type[Result], tuple[str]]:
        return type(self), (self.url,)

    @property
    def url(self) -> str:
        """Where the run is."""
        return self.run.url

    # Tables

    @property
    def documents(self) -> pd.DataFrame:
        """One row a document that is decided."""
        return self._cached("documents")

    @property
    def pages(self) -> pd.DataFrame:
        """One row a page of a stored document."""
        return self._cached("pages")

    @property
    def lines(self) -> pd.DataFrame:
        """One row a line of text."""
        return self._cached("lines")

    @property
    def tokens(self) -> pd.DataFrame:
        """One row a token; empty unless the run was made with ``tokens=True``."""
        return self._cached("tokens")

    @property
    def table_cells(self) -> pd.DataFrame:
        """One row a cell of a table."""
        return self._cached("table_cells")

    @property
    def form_fields(self) -> pd.DataFrame:
        """One row a key-value pair."""
        return self._cached("form_fields")

    @property
    def entities(self) -> pd.DataFrame:
        """One row a typed entity."""
        return self._cached("entities")

    @property
    def calls(self) -> pd.DataFrame:
        """One row a call to the engine."""
        return self._cached("calls")

    @property
    def invoices(self) -> pd.DataFrame:
        """One row an invoice or receipt."""
        return self._cached("invoices")

    @property
    def review(self) -> pd.DataFrame:
        """What a person should look at: quarantined documents, then the least sure ones, each with ``why``.

        See :func:`docdask.tables.review.review`.
        """
        from docdask.tables.review import review

        return review(
            self.frame("documents"),
            self.frame("pages", ["document_id", "page_number", "mean_confidence", "characters"]),
        )

    @property
    def requests(self) -> pd.DataFrame:
        """One row a request to a paid service, from the ledger; see :func:`docdask.tables.requests.requests`."""
        from docdask.tables.requests import requests

        return requests(self.run)

    def frame(self, name: str, columns: Sequence[str] | None = None, filters: Any = None) -> pd.DataFrame:
        """Table as a pandas DataFrame.

        Parameters
        ----------
        name
            Of the table, see docs/tables.md.
        columns
            Columns to read; None for all.
        filters
            Rows to read: ``[("kind", "==", "invoice")]`` as in ``pandas.read_parquet``, or a ``pyarrow.compute``
            expression.

        Raises
        ------
        UsageError
            If there is no such table or column.
        """
        frame: pd.DataFrame = self._table(name, columns, filters).to_pandas()
        return frame

    def arrow(self, name: str) -> Any:
        """Table as a ``pyarrow.dataset.Dataset``: larger than memory, and what DuckDB and Polars read."""
        import pyarrow.dataset as ds

        table = _find(name)
        paths = [self.run.path("tables", name, file) for file in self._files(name)]
        wanted = file_schema(table, self.run.columns())
        if not paths:
            return ds.dataset(wanted.empty_table())
        return ds.dataset(
            paths, schema=wanted, format="parquet", filesystem=None if self.run.local else self.run.fs
        )

    def to_dask(self, name: str, columns: Sequence[str] | None = None) -> Any:
        """Table as a Dask DataFrame, a partition a file, for tables larger than memory.

        Whole numbers and booleans have pandas' nullable dtypes (``Int32`` …), so that every partition has the same.
        """
        import dask.dataframe as dd

        wanted = file_schema(_find(name), self.run.columns())
        if columns is not None:
            _check_columns(name, columns, wanted)
            wanted = _pick(wanted, columns)
        meta = _nullable(wanted.empty_table())
        files = self._files(name)
        if not files:
            return dd.from_pandas(meta, npartitions=1)
        paths = [f"tables/{name}/{file}" for file in files]
        return dd.from_map(_read_part, paths, url=self.url, schema=wanted, meta=meta)

    # Documents

    def document(self, document_id: str) -> Any:
        """Stored Document of a document, its page ranges merged; of a duplicate, that of its original.

        A raw protobuf message; ``documentai.Document.wrap(message)`` gives the class of Google's client library.

        Raises
        ------
        UsageError
            If the run has no such document.
        DocumentError
            If nothing is stored for it; says why.
        """
        row = self._row(document_id)
        original = row.get("duplicate_of") or document_id
        for number, planned in self._planned(original).items():
            with self.run.results().mapping(number) as results:
                found = stored.of_units(results, planned[0].unit_ids)
                if found is not None:
                    return found
        if row.get("outcome") in {"quarantined", "skipped"}:
            raise DocumentError(
                row["problem"] or row["outcome"],
                f"{row['uri']} is {row['outcome']}: {row['reason']}",
                row["remedy"] or "",
            )
        raise DocumentError(
            "pending", f"{row['uri']} is not recognised yet", f"go on with: docdask run {self.url}"
        )

    def documents_iter(self) -> Iterator[tuple[str, Any]]:
        """Pairs of document id and stored Document, one at a time; a duplicate is not repeated."""
        for number, planned in self._planned().items():
            with self.run.results().mapping(number) as results:
                for document_id, unit_ids in planned:
                    document = stored.of_units(results, unit_ids)
                    if document is not None:
                        yield document_id, document

    def map(
        self, fn: Callable[[Any], Any], *, client: Any = None, meta: Mapping[str, Any] | None = None
    ) -> pd.DataFrame:
        """Call ``fn`` with each stored Document, on the cluster.

        Parameters
        ----------
        fn
            Takes a Document message; returns a dict (columns), a list of dicts (several rows) or a value.
        client
            ``distributed.Client`` to run on; None: the current one if there is one, else threads of this process.
        meta
            Column → dtype, for columns whose dtype pandas should not guess.

        Returns
        -------
        pandas.DataFrame
            ``document_id``, what ``fn`` returned (a plain value in ``value``), and ``error``: what ``fn`` raised for that
            document, null where it did not. Documents without a result are not in it; a duplicate is not repeated.
        """
        return apply.apply(self.url, self._planned(), fn, client=client, meta=meta)

    def source_bytes(self, document_id: str) -> bytes:
        """Original of a document, decrypted and repaired where the scan did that.

        Raises
        ------
        SourceError
            If it is not where it was.
        DocumentError
            If it can't be decrypted with :attr:`passwords`.
        """
        from docdask.intake.preparing import prepare
        from docdask.store import files

        row = self._row(document_id)
        fs, path = files.filesystem(row["uri"])
        try:
            data = files.read(fs, path)
        except FileNotFoundError as error:
            raise SourceError(
                f"{row['uri']} is not there any more", "put the original back where it was"
            ) from error
        return prepare(data, row.get("action"), tuple(self.passwords))

    def show(
        self, document_id: str, page: int = 1, *, what: Sequence[str] | None = None, dpi: float = 100
    ) -> Figure:
        """Draw a page of the original with what was found on it.

        Parameters
        ----------
        document_id
            Which document.
        page
            1-based.
        what
            Of ``blocks``, ``lines``, ``tokens``, ``tables``, ``form_fields``, ``entities``; None for all.
        dpi
            Resolution at which a PDF is drawn.

        Returns
        -------
        matplotlib.figure.Figure
        """
        from docdask.tables import render, show

        document = self.document(document_id)
        row = self._row(document_id)
        image = render.render_page(self.source_bytes(document_id), row["mime_type"], page, dpi)
        original = row.get("duplicate_of") or document_id
        own = [("document_id", "==", original), ("page_number", "==", page)]
        turns = self._table("pages", ["orientation_degrees"], own)["orientation_degrees"].to_pylist()
        return show.show(
            document, image, page, what=what or show.WHAT, turn_degrees=turns[0] if turns else None
        )

    # The run as a whole

    def summary(self) -> dict[str, Any]:
        """Inputs and what became of them, pages, money, time, speed-up: see :func:`docdask.tables.summary.summarise`."""
        documents, calls = (
            self._table("documents", summaries.DOCUMENTS),
            self._table("calls", summaries.CALLS),
        )
        return summaries.summarise(self.run, documents, calls, self._ledger)

    def __repr__(self) -> str:
        told = self.summary()
        outcomes = ", ".join(
            f"{told[name]:,} {name}" for name in ("stored", "quarantined", "skipped", "pending")
        )
        return (
            "; ".join(
                [f"<docdask result {self.url}: {told['inputs']:,} documents: {outcomes}", *money.lines(told)]
            )
            + ">"
        )

    def _repr_html_(self) -> str:
        return card(self.summary(), self.run.manifest().engine_id)

    # Reading

    def _cached(self, name: str) -> pd.DataFrame:
        """Read the whole table, again only if its files have changed since."""
        state = self._state(name)
        known = self._frames.get(name)
        if known is None or known[0] != state:
            known = self._frames[name] = (state, self.frame(name))
        return known[1]

    def _state(self, name: str) -> Any:
        """Compare two of these to know whether a table's files have changed."""
        infos = [self.run.fs.info(self.run.path("tables", name, file)) for file in self._files(name)]
        return [
            (
                info["name"],
                info.get("size"),
                str(info.get("ino") or ""),
                str(
                    info.get("mtime")
                    or info.get("generation")
                    or info.get("etag")
                    or info.get("created")
                    or ""
                ),
            )
            for info in infos
        ]

    def _files(self, name: str) -> list[str]:
        """Names of a table's files, those of partitions first."""
        return sorted(file_names(self.run, name), key=lambda file: (not file.startswith("part-"), file))

    def _table(self, name: str, columns: Sequence[str] | None = None, filters: Any = None) -> pa.Table:
        import pyarrow.parquet as pq

        dataset = self.arrow(name)
        if columns is not None:
            _check_columns(name, columns, dataset.schema)
        expression = pq.filters_to_expression(filters) if isinstance(filters, list) and filters else filters
        if isinstance(expression, list):
            expression = None  # an empty list of filters
        return dataset.to_table(columns=list(columns) if columns is not None else None, filter=expression)

    def _planned(self, document_id: str | None = None) -> dict[int, list[apply.Planned]]:
        """Where the results are, by partition: of one document, or of all that have a row."""
        import pyarrow.compute as pc

        plan = self.run.plan(current=True).select(["partition", "document_id", "unit_ids"])
        if document_id is not None:
            plan = plan.filter(pc.equal(plan["document_id"], document_id))
        found: dict[int, list[apply.Planned]] = {}
        for row in plan.sort_by("partition").to_pylist():
            found.setdefault(row["partition"], []).append(
                apply.Planned(row["document_id"], tuple(row["unit_ids"] or ()))
            )
        return found

    def _row(self, document_id: str) -> dict[str, Any]:
        """Row of a document in ``documents``, or in the catalog while it has none."""
        import pyarrow.compute as pc

        rows = self._table("documents", None, pc.field("document_id") == document_id).to_pylist()
        if not rows:
            rows = self.run.catalog(of=[document_id]).to_pylist()
        if not rows:
            raise UsageError(
                f"{self.url} has no document {document_id!r}",
                "ids are in the column document_id of documents",
            )
        return dict(rows[0])


def _find(name: str) -> schema.Table:
    try:
        return schema.BY_NAME[name]
    except KeyError:
        raise UsageError(
            f"there is no table {name!r}", f"tables: {', '.join(sorted(schema.BY_NAME))}"
        ) from None


def _check_columns(name: str, columns: Sequence[str], known: pa.Schema) -> None:
    unknown = [column for column in columns if column not in known.names]
    if unknown:
        raise UsageError(
            f"the table {name} has no column {', '.join(unknown)}", f"columns: {', '.join(known.names)}"
        )


def _pick(wanted: pa.Schema, columns: Sequence[str]) -> pa.Schema:
    import pyarrow as pa

    return pa.schema([wanted.field(column) for column in columns])


def _nullable(table: pa.Table) -> pd.DataFrame:
    import pandas as pd
    import pyarrow as pa

    types = {pa.int32(): pd.Int32Dtype(), pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    frame: pd.DataFrame = table.to_pandas(types_mapper=types.get)
    return frame


def _read_part(name: str, *, url: str, schema: pa.Schema) -> pd.DataFrame:
    """Read one file of a table, for :meth:`Result.to_dask`."""
    return _nullable(fitted(RunDirectory(url).read_parquet(name), schema))
