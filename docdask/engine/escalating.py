"""Which documents the offline engine has read badly, and how many of those that are still to be read it will.

Rules: only documents whose newest plan is offline count, so that nothing is escalated twice; a confidence that is not
known is no reason to pay; a share is told only where enough documents were read to know it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from docdask.core.routes import Configuration, Route
from docdask.store.run import RunDirectory

#: Documents of a route that must have been read before their share says anything.
_ENOUGH = 20


def routes(configuration: Configuration) -> dict[str, Route]:
    """Routes, by name, whose documents go on to a processor when they are read badly."""
    return {
        route.name: route for route in configuration.routes if route.escalate_below > 0 and route.processor
    }


def badly_read(run: RunDirectory, configuration: Configuration) -> dict[str, str]:
    """Document id → route, of stored documents that were read with less confidence than their route asks for."""
    known = routes(configuration)
    return {
        identity: name
        for identity, name, confidence in _read(run, known)
        if confidence < known[name].escalate_below
    }


def shares(run: RunDirectory, configuration: Configuration) -> dict[str, float]:
    """Route → share of its documents that a pilot has read badly; those of which too few were read are left out."""
    known = routes(configuration)
    counts: dict[str, list[int]] = {}
    for _, name, confidence in _read(run, known):
        counts.setdefault(name, []).append(confidence < known[name].escalate_below)
    return {name: sum(bad) / len(bad) for name, bad in counts.items() if len(bad) >= _ENOUGH}


def _read(run: RunDirectory, known: Mapping[str, Route]) -> Iterator[tuple[str, str, float]]:
    """Document id, route and mean confidence of what was read offline on one of these routes."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from docdask.tables.result import Result

    if not known or not run.generations():
        return
    plan = run.plan(current=True).select(["document_id", "route", "lane"])
    there = pc.is_in(plan["route"], pa.array(sorted(known), pa.string()))
    offline = plan.filter(pc.and_(pc.equal(plan["lane"], "offline"), there))
    names = dict(zip(offline["document_id"].to_pylist(), offline["route"].to_pylist(), strict=True))
    if not names:
        return
    frame = Result(run.url).frame(
        "documents", ["document_id", "mean_confidence"], filters=[("outcome", "==", "stored")]
    )
    for identity, confidence in frame.dropna().itertuples(index=False):
        if identity in names:
            yield identity, names[identity], float(confidence)
