"""What workers and the scheduler call each other's doors, and in which form things pass through.

Calls (``HELLO``, ``TELL``, ``ASK``) are Dask RPCs: an error goes back to the caller and harms nothing. The stream carries
the permits, both ways, in batches of plain tuples; only whoever was answered by ``HELLO`` may use it, because an unknown
word on a stream closes it, and with it the worker.
"""

from __future__ import annotations

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
