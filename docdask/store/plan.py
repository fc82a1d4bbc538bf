"""The plan as Arrow: which documents are in which partition, generation by generation.

Rules: a generation is written once and never changed; later inputs make a new one with partition numbers that follow
on. A document that a later generation names again (its file changed) belongs to that one from then on.
"""

from __future__ import annotations

import pyarrow as pa

#: One row per document and generation. The first columns are what the engine needs, the rest is what the tables say
#: about the document, copied from the catalog so that a branch reads one thing only.
PLAN = pa.schema(
    [
        pa.field("partition", pa.int32(), False),
        pa.field("document_id", pa.string(), False),
        pa.field("uri", pa.string(), False),
        pa.field("sha256", pa.string()),
        pa.field("mime_type", pa.string()),
        pa.field("group", pa.string()),  # worker group: pdf or image
        pa.field("action", pa.string()),  # what intake did and does again: repaired, decrypted; null if nothing
        pa.field("pages", pa.int32()),
        pa.field("ranges", pa.list_(pa.string())),  # "first-last" of each unit; empty: one unit, the whole document
        pa.field("unit_ids", pa.list_(pa.string())),  # in the order of ranges
        pa.field("expected_seconds", pa.float64()),
        pa.field("generation", pa.int32(), False),
        pa.field("name", pa.string()),
        pa.field("size_bytes", pa.int64()),
        pa.field("kind", pa.string()),
        pa.field("kind_confidence", pa.float32()),
        pa.field("problem", pa.string()),  # of a document that could be mended
        pa.field("reason", pa.string()),
        pa.field("remedy", pa.string()),
        pa.field("columns", pa.string()),  # JSON object: extra columns of the source list
        pa.field("route", pa.string()),  # name of its route; null: the run's one engine
        pa.field("lane", pa.string()),  # online, batch or offline
        pa.field("processor", pa.string()),  # alias; null where nothing is paid
        pa.field("pack", pa.int32()),  # number of the request it shares, within the partition; null: its units go alone
        pa.field("cost_micros", pa.int64()),  # micro-dollars planned for it: its share of its requests
        pa.field("unit_micros", pa.list_(pa.int64())),  # the same for each of its units, where it has several
    ]
)  # fmt: skip


def conform(partitions: pa.Table, generation: int) -> pa.Table:
    """``partitions`` with exactly the columns of :data:`PLAN`: missing ones null, others left out.

    Raises
    ------
    ValueError
        If a column that may not be null is missing.
    """
    arrays = []
    for field in PLAN:
        if field.name == "generation":
            arrays.append(pa.array([generation] * len(partitions), field.type))
        elif field.name in partitions.column_names:
            arrays.append(partitions[field.name].cast(field.type).combine_chunks())
        elif field.nullable:
            arrays.append(pa.nulls(len(partitions), field.type))
        else:
            msg = f"a plan needs the column {field.name!r}; there are {partitions.column_names}"
            raise ValueError(msg)
    return pa.Table.from_arrays(arrays, schema=PLAN)


def still_holds(plan: pa.Table, catalog: pa.Table) -> pa.Array:
    """Whether each row of ``plan`` is about the file as ``catalog`` knows it; one without a row there is.

    Parameters
    ----------
    plan
        Latest row of each document.
    catalog
        Latest row of each document: ``document_id``, ``state``, ``sha256``.
    """
    import pyarrow.compute as pc

    at = pc.index_in(plan["document_id"], catalog["document_id"].combine_chunks())
    state, sha256 = catalog["state"].take(at), catalog["sha256"].take(at)
    same = pc.and_(pc.equal(state, "ready"), pc.fill_null(pc.equal(sha256, plan["sha256"]), fill_value=True))
    return pc.or_(pc.is_null(at), pc.fill_null(same, fill_value=True))


def latest(table: pa.Table, key: str = "document_id") -> pa.Table:
    """Keep the last row of each ``key``, in the order in which the keys first appeared."""
    import numpy as np

    if len(table) == 0:
        return table
    codes = table[key].combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
    last = np.empty(codes.max() + 1, dtype=np.int64)
    last[codes] = np.arange(len(codes))  # of an index named twice, the last assignment holds
    return table if len(last) == len(table) else table.take(pa.array(last))
