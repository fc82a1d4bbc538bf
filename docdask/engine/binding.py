"""Finds the agent of this process: the worker's in a task, the client's elsewhere; made once, kept with its owner.

One agent a worker is what keeps a thousand semaphores from holding a thousand connections and timers.
"""

from __future__ import annotations

import threading
import weakref
from typing import Any

from docdask.engine.agent import Agent
from docdask.errors import ClusterError

_agents: weakref.WeakKeyDictionary[Any, Agent] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def agent_of(client: Any = None) -> Agent:
    """Agent for whoever calls.

    Parameters
    ----------
    client
        Speak through this client, wherever the caller is.

    Raises
    ------
    ClusterError
        If there is neither a worker nor a client.
    """
    node = client if client is not None else _node()
    with _lock:
        agent = _agents.get(node)
        if agent is None:
            agent = _agents[node] = Agent(node)
        return agent


def _node() -> Any:
    from distributed import Worker, get_worker
    from distributed.client import default_client

    try:
        return get_worker()
    except ValueError:
        pass
    try:
        return default_client()
    except ValueError:
        pass
    # A thread that a task has started does not know its worker; a worker process has but one.
    workers = list(Worker._instances)  # noqa: SLF001 - no public way
    # A worker that has ended in this process may still be known.
    workers = [worker for worker in workers if not worker.loop.asyncio_loop.is_closed()]
    if len(workers) == 1:
        return workers[0]
    raise ClusterError(
        "a QuotaSemaphore is used where there is neither a Dask worker nor a client",
        "create a distributed.Client first, or pass client=",
    )
