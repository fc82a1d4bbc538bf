"""A user's function over the stored documents, a task a partition.

Rules: the function gets one Document message and returns a dict (columns), a list of dicts (several rows) or anything
else (column ``value``); what it raises becomes the text in ``error`` of that document's row and stops nothing; Documents
are read where the task runs and never travel.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from docdask.errors import sentence
from docdask.tables import stored

if TYPE_CHECKING:
    import pandas as pd

Row = tuple[str, dict[str, Any], str | None]


class Planned(NamedTuple):
    """Where a document's results are."""

    document_id: str
    unit_ids: tuple[str, ...]


def apply(
    url: str,
    partitions: Mapping[int, Sequence[Planned]],
    function: Callable[[Any], Any],
    *,
    client: Any = None,
    meta: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Call ``function`` for every document and collect what it returns.

    Parameters
    ----------
    url
        Of the run directory.
    partitions
        Documents to read, by partition.
    function
        Takes a Document message.
    client
        ``distributed.Client`` to run on; None: the current one if there is one, else threads of this process.
    meta
        Column → dtype of what the function returns, for columns whose dtype pandas should not guess.

    Returns
    -------
    pandas.DataFrame
        ``document_id``, what the function returned, ``error`` (null where there was none).
    """
    import dask

    name = getattr(function, "__name__", type(function).__name__)
    run = uuid.uuid4().hex[:8]
    call = dask.delayed(apply_partition, pure=False)
    tasks = [
        call(url, number, tuple(planned), function, dask_key_name=f"map-{name}-{run}-{number}")
        for number, planned in partitions.items()
    ]
    client = client or _current_client()
    collected = client.gather(client.compute(tasks)) if client else dask.compute(*tasks, scheduler="threads")
    return _frame([row for rows in collected for row in rows], meta or {})


def apply_partition(
    url: str, partition: int, planned: Iterable[Planned], function: Callable[[Any], Any]
) -> list[Row]:
    """Body of one task: rows of (document id, values, error)."""
    from docdask.store.results import Results

    rows: list[Row] = []
    with Results(url).mapping(partition) as results:
        for document_id, unit_ids in planned:
            try:
                document = stored.of_units(results, unit_ids)
                if document is not None:
                    rows.extend((document_id, values, None) for values in _values(function(document)))
            except Exception as error:  # noqa: BLE001 - the user's function; reported in its row
                rows.append((document_id, {}, sentence(error)))
    return rows


def _values(returned: Any) -> list[dict[str, Any]]:
    if isinstance(returned, Mapping):
        return [dict(returned)]
    if isinstance(returned, list) and returned and all(isinstance(item, Mapping) for item in returned):
        return [dict(item) for item in returned]
    return [{"value": returned}]


def _frame(rows: list[Row], meta: Mapping[str, Any]) -> pd.DataFrame:
    import pandas as pd

    names = list(dict.fromkeys([*meta, *(name for _, values, _ in rows for name in values)])) or ["value"]
    names = [name for name in names if name not in {"document_id", "error"}]
    columns: dict[str, Any] = {"document_id": pd.Series([row[0] for row in rows], dtype="object")}
    for name in names:
        columns[name] = pd.Series([values.get(name) for _, values, _ in rows], dtype=meta.get(name))
    columns["error"] = pd.Series([error for _, _, error in rows], dtype="object")
    return pd.DataFrame(columns)


def _current_client() -> Any:
    """Return the client that this process uses now, None if it uses none; never starts a cluster."""
    import sys

    if "distributed" not in sys.modules:
        return None
    from distributed import get_client

    try:
        return get_client()
    except ValueError:
        return None
