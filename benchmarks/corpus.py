"""Every file of the corpus through the offline engine: outcomes, time, and the largest worker with its children.

Usage: python -m benchmarks.corpus [FOLDER] (default: DOCDASK_CORPUS, else ../shared/corpus)
"""

from __future__ import annotations

import os
import sys
import threading
from collections import Counter
from pathlib import Path

import psutil

from benchmarks._common import machine, table


def _largest(pids: list[int], stop: threading.Event, found: list[float]) -> None:
    """Keep the largest resident size of one of these processes with its children, MiB."""
    while not stop.wait(0.2):
        for pid in pids:
            total = 0
            try:
                parent = psutil.Process(pid)
                for process in (parent, *parent.children(recursive=True)):
                    total += process.memory_info().rss
            except psutil.Error:
                continue
            found[0] = max(found[0], total / 2**20)


def main(corpus: Path) -> str:
    """Run it; returns the tables."""
    import docdask
    from docdask.engine.clusters import local

    with machine() as (made, folder):
        plan = docdask.plan(corpus, to=folder / "run")
        with local.connect(local.find_or_start(made).address) as client:
            pids = list(client.run(os.getpid).values())
        stop, largest = threading.Event(), [0.0]
        watch = threading.Thread(target=_largest, args=(pids, stop, largest))
        watch.start()
        try:
            result = docdask.run(plan)
        finally:
            stop.set()
            watch.join()
        told, documents = result.summary(), result.documents
        aside = documents[documents["outcome"] != "stored"]
        reasons = Counter(zip(aside["outcome"], aside["problem"], strict=True))
        slowest = result.calls.merge(documents[["document_id", "name"]]).nlargest(5, "seconds")
    rows: list[tuple[str, ...]] = [
        (
            "inputs",
            "stored",
            "quarantined",
            "skipped",
            "pending",
            "pages",
            "planned s",
            "s",
            "worker + child MiB",
        )
    ]
    numbers = [str(told[k]) for k in ("inputs", "stored", "quarantined", "skipped", "pending", "pages")]
    rows.append((*numbers, f"{plan.summary['expected_s']:.0f}", f"{told['wall_s']:.0f}", f"{largest[0]:.0f}"))
    why: list[tuple[str, ...]] = [("outcome", "problem", "documents")]
    why += [(o, str(p), str(n)) for (o, p), n in reasons.most_common()]
    slow: list[tuple[str, ...]] = [("slowest calls", "pages", "s")]
    slow += [(c["name"], str(c["pages"]), f"{c['seconds']:.1f}") for c in slowest.to_dict("records")]
    return (
        "\n\n".join(map(table, (rows, why, slow)))
        + "\n\nGoal: a worker with its children stays below 1,500 MB."
    )


if __name__ == "__main__":
    default = os.environ.get("DOCDASK_CORPUS", str(Path(__file__).parents[1] / ".." / "shared" / "corpus"))
    print(main(Path(sys.argv[1] if len(sys.argv) > 1 else default).resolve()))
