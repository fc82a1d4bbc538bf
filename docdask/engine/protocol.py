"""What workers and the scheduler call each other's doors, and in which form things pass through.

Calls (``HELLO``, ``TELL``, ``ASK``) are Dask RPCs: an error goes back to the caller and harms nothing. The stream carries
the permits, both ways, in batches of plain tuples; only whoever was answered by ``HELLO`` may use it, because an unknown
word on a stream closes it, and with it the worker.
"""

from __future__ import annotations

from typing import Any

PLUGIN = "docdask-governor"

#: Handshake: version and name in, identity of the governor out.
HELLO = "docdask_governor_hello"
#: An event other than about permits (register, configure, close, runs, notes); answered with what was rejected.
TELL = "docdask_governor_tell"
#: A question; answered with frozen values of :mod:`docdask.core.views`.
ASK = "docdask_governor_ask"
#: Both ways on Dask's streams.
STREAM = "docdask-governor"

MISSING_MESSAGE = "the scheduler at {address} has no docdask governor"
MISSING_REMEDY = (
    "call client.register_plugin(docdask.GovernorPlugin()) first, "
    "or start the scheduler with --preload docdask.engine.preload"
)


def send_now(stream: Any, message: dict[str, Any]) -> None:
    """Send on one of Dask's batched streams without its pause of 2 to 5 ms: what comes here is a batch already.

    While a write is under way, messages gather as ever. Dask keeps the last thousand writes of a stream for debugging; with
    ours among them, a scheduler would hold some hundred MiB of permits that are long over.

    Raises
    ------
    OSError
        If the stream is closed.
    """
    written = stream.recent_message_log
    if written and isinstance(written[-1], list) and written[-1][-1].get("op") == STREAM:
        written.pop()
    stream.send(message)
    stream.next_deadline = None
    stream.waker.set()
