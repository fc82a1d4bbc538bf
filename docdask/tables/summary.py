"""What became of every input, and how fast: the numbers that a run ends with.

Rule: stored + quarantined + skipped + pending = inputs. The sum is not assumed: outcomes are counted in ``documents``,
pending ones in the catalog, so that a row too many or too few shows.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from docdask.tables import money

if TYPE_CHECKING:
    import pyarrow as pa

    from docdask.store.run import RunDirectory
    from docdask.store.spending import FollowedLedger

#: Columns of ``documents`` and ``calls`` that a summary is made from.
DOCUMENTS = ("document_id", "outcome", "pages", "duplicate_of")
CALLS = ("seconds", "cost_usd", "queued_at", "ended_at", "pages", "engine", "code")


def summarise(
    run: RunDirectory, documents: pa.Table, calls: pa.Table, ledger: FollowedLedger
) -> dict[str, Any]:
    """Summary of a run as it is now.

    Parameters
    ----------
    run
        The run directory.
    documents, calls
        Columns :data:`DOCUMENTS` and :data:`CALLS` of these tables.
    ledger
        Of the run, which whoever asks again passes again.

    Returns
    -------
    dict
        ``run``; ``inputs``, ``stored``, ``quarantined``, ``skipped``, ``pending``, ``duplicates`` (documents; duplicates
        are among the others); ``pages`` (recognised and stored, duplicates not counted again); ``calls``;
        ``billing``, ``pages_paid``, ``cost_usd``, ``pages_at_risk``, ``cost_at_risk_usd``, ``budget``
        (:func:`docdask.tables.money.summarise`); ``call_s`` (sum of the calls' durations: one after another); ``wall_s``; ``documents_per_hour`` and
        ``pages_per_hour`` (recognised and stored ÷ wall_s); ``speedup`` (call_s ÷ wall_s). The last five are None
        before the first call has ended.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    found = run.catalog(["state"])
    undecided = found.filter(
        pc.invert(pc.is_in(found["document_id"], documents["document_id"].combine_chunks()))
    )
    outcomes = _count(documents["outcome"]) + _count(undecided["state"])
    own = documents.filter(
        pc.and_(pc.equal(documents["outcome"], "stored"), pc.is_null(documents["duplicate_of"]))
    )
    call_s = pc.sum(calls["seconds"]).as_py()
    wall_s = _wall_s(run, calls) if len(calls) else None
    pages = pc.sum(own["pages"].cast(pa.int64())).as_py() or 0
    return {
        "run": run.url,
        "inputs": len(found),
        "stored": outcomes["stored"],
        "quarantined": outcomes["quarantined"],
        "skipped": outcomes["skipped"],
        "pending": outcomes["ready"],
        "duplicates": len(documents) - documents["duplicate_of"].null_count,
        "pages": pages,
        "calls": len(calls),
        **money.summarise(run, ledger, calls),
        "call_s": call_s,
        "wall_s": wall_s,
        "documents_per_hour": 3600 * len(own) / wall_s if wall_s else None,
        "pages_per_hour": 3600 * pages / wall_s if wall_s else None,
        "speedup": call_s / wall_s if wall_s and call_s is not None else None,
    }


def _count(column: pa.ChunkedArray) -> Counter[str]:
    return Counter({item["values"]: item["counts"] for item in column.value_counts().to_pylist()})


def _wall_s(run: RunDirectory, calls: pa.Table) -> float | None:
    """Time in which a driver worked, from its sessions; without any, from the first call's start to the last one's end."""
    import pyarrow.compute as pc

    sessions = (run.read_json("status.json") or {}).get("sessions") or []
    seconds = sum(float(session.get("seconds") or 0.0) for session in sessions)
    if seconds > 0:
        return seconds
    begun, ended = pc.min(calls["queued_at"]).as_py(), pc.max(calls["ended_at"]).as_py()
    return (ended - begun).total_seconds() or None if begun and ended else None
