"""Where tasks run: a Dask cluster through a client, or this process. One sliding window for both.

Rules:

1. Only a window of tasks is known to the scheduler at a time: a million documents cost the memory of a few hundred.
2. A task whose worker died is made again by its maker, with the number of the try; it is the maker who gives up.
3. A scheduler that is gone ends the window with a :class:`~docdask.errors.ClusterError`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from docdask.engine import probing
from docdask.engine.clusters import local
from docdask.errors import ClusterError
from docdask.sandbox import SandboxClosed
from docdask.settings import Settings
from docdask.store.run import RunDirectory

T = TypeVar("T")

#: Tries of a task whose worker died.
TRIES = 4
_WAIT_S = 0.5


@dataclass(frozen=True, slots=True)
class Feed(Generic[T]):
    """What a window runs: items, and how one of them is run."""

    items: Iterable[T]
    """Consumed lazily."""
    submit: Callable[[T, int], Any]
    """``(item, try) -> Delayed``, for a cluster."""
    inline: Callable[[T], Any]
    """``item -> result``, for this process."""
    width: Callable[[], int]
    """Items in the window."""
    idle: Callable[[], None] = lambda: None
    """Called at least twice a second while waiting."""


class Pool(Protocol):
    """Runs tasks."""

    workers: int
    dashboard: str
    resources: frozenset[str]
    """Dask resources that the workers declare."""

    def window(self, feed: Feed[T]) -> Iterator[tuple[T, Any]]:
        """Run every item, a window of them at a time; yields each with its result as it ends."""
        ...

    def close(self) -> None:
        """Let go of the cluster; it is not stopped."""
        ...


class InProcess:
    """This process, one item after another (``--cluster none``)."""

    def __init__(self) -> None:
        self.workers, self.dashboard, self.resources = 1, "", frozenset[str]()

    def window(self, feed: Feed[T]) -> Iterator[tuple[T, Any]]:
        """See :class:`Pool`."""
        for item in feed.items:
            feed.idle()
            yield item, feed.inline(item)

    def close(self) -> None:
        """Nothing to let go of."""


class OnCluster:
    """A Dask cluster.

    Parameters
    ----------
    client
        Connected client.
    owned
        Close the client at the end.
    """

    def __init__(self, client: Any, *, owned: bool, dashboard: str = "") -> None:
        self.client, self.owned = client, owned
        self.dashboard = dashboard or str(client.dashboard_link or "")
        self.look()

    def look(self) -> None:
        """Look which workers there are now."""
        infos = self.client.scheduler_info(n_workers=-1)["workers"].values()
        self.names = [str(info["name"]) for info in infos]
        cpu = [info for info in infos if not any(name.startswith("call") for name in info["resources"])]
        self.workers = sum(info["nthreads"] for info in cpu) or 1
        self.resources = frozenset(name for info in infos for name in info["resources"])

    def check(self, run: RunDirectory | None) -> None:
        """Make sure that the cluster fits.

        Raises
        ------
        ClusterError
            As :func:`docdask.engine.probing.check` says.
        """
        probing.check(self.client, self.names, run)

    def window(self, feed: Feed[T]) -> Iterator[tuple[T, Any]]:
        """See :class:`Pool`.

        Raises
        ------
        ClusterError
            If the scheduler goes away, or a task's workers died :data:`TRIES` times.
        """
        from distributed import CancelledError, wait

        source = iter(feed.items)
        open_: dict[Any, tuple[T, int]] = {}

        def launch(item: T, tries: int) -> None:
            # Without fifo_timeout all that is submitted within a minute has one priority, and workers would read the
            # documents of every branch in the window before they end the first.
            future = self.client.compute(feed.submit(item, tries), optimize_graph=False, fifo_timeout=0)
            open_[future] = (item, tries)

        try:
            exhausted = False
            while True:
                while not exhausted and len(open_) < feed.width():
                    try:
                        launch(next(source), 1)
                    except StopIteration:
                        exhausted = True
                if not open_:
                    return
                # Futures are cancelled when the scheduler goes away, which is told below.
                with contextlib.suppress(TimeoutError, CancelledError), self.client.as_current():
                    wait(list(open_), timeout=_WAIT_S, return_when="FIRST_COMPLETED")
                feed.idle()
                self._alive()
                for future in [future for future in open_ if future.status != "pending"]:
                    item, tries = open_.pop(future)
                    result = self._result(future, tries)
                    future.release()
                    if result is _AGAIN:
                        launch(item, tries + 1)
                    else:
                        yield item, result
        finally:
            for future in open_:
                future.release()

    def _alive(self) -> None:
        if self.client.status != "running":
            raise ClusterError(
                "the connection to the scheduler was lost",
                "give the same command again: it goes on where it stopped",
            )

    def _result(self, future: Any, tries: int) -> Any:
        from distributed import KilledWorker

        if future.status == "finished":
            return future.result()
        if future.status == "error":
            error = future.exception()
            if not isinstance(error, (KilledWorker, SandboxClosed)):
                raise error
            if tries < TRIES:
                return _AGAIN
            raise ClusterError(
                f"workers died {tries} times on the task {getattr(error, 'task', future.key)}",
                "give workers more memory, or fewer of them (--workers), and run the same command again",
            )
        raise ClusterError(
            f"the scheduler forgot a task ({future.status})",
            "give the same command again: it goes on where it stopped",
        )

    def close(self) -> None:
        """See :class:`Pool`."""
        if self.owned:
            self.client.close()


_AGAIN = object()


def open_pool(cluster: str, settings: Settings, *, client: Any = None) -> Pool:
    """Pool for a cluster as the user names it.

    Parameters
    ----------
    cluster
        ``local``, ``none``, or a scheduler's address.
    settings
        Of the local cluster.
    client
        A client that the user has; then ``cluster`` does not matter.
    """
    if client is not None:
        return OnCluster(client, owned=False)
    if cluster == "none":
        return InProcess()
    if cluster == "local":
        try:
            return _open_local(settings)
        except ClusterError:
            return _open_local(settings)  # the one that was found was about to end, as nobody had used it
    return OnCluster(local.connect(cluster), owned=True)


def _open_local(settings: Settings) -> OnCluster:
    facts = local.find_or_start(settings)
    return OnCluster(local.connect(facts.address), owned=True, dashboard=facts.dashboard)
