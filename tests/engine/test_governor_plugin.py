"""The governor on a scheduler: handshake, death of workers, ledger, and what must not close a stream."""

from __future__ import annotations

import asyncio
import errno

import pytest
from distributed import Client, LocalCluster

from docdask import GovernorPlugin, QuotaSemaphore
from docdask.core import events as ev
from docdask.core.ledger import fold
from docdask.core.spec import EndpointSpec, SemaphoreSpec
from docdask.engine import agent as agent_module
from docdask.engine.binding import agent_of
from docdask.engine.protocol import PLUGIN, STREAM
from docdask.errors import ClusterError, PermitRefused, StorageError
from docdask.store.ledger import LocalWriter, read_ledger

SECOND = 10**9


def spec(*, ledger: bool = False, in_flight: int | None = None, requests: int | None = None) -> SemaphoreSpec:
    endpoint = EndpointSpec("us", requests=requests, in_flight=in_flight)
    return SemaphoreSpec((endpoint,), period_ns=SECOND, ledger=ledger)


def cluster(body, *, ledger: str | None = "", workers: int = 1):
    """Run ``body(cluster, client)`` on a cluster in this process, with a governor unless ``ledger`` is None."""

    async def go():
        async with (
            LocalCluster(
                n_workers=workers, threads_per_worker=2, processes=False, asynchronous=True, dashboard_address=":0",
                protocol="tcp://",
            ) as made,
            Client(made, asynchronous=True) as client,
        ):  # fmt: skip
            if ledger is not None:
                await client.register_plugin(GovernorPlugin(ledger))
            await asyncio.wait_for(body(made, client), 60)

    asyncio.run(go())


async def until(condition):
    """Wait for what others do: ``condition`` is a coroutine function that says whether they have."""
    while not await condition():  # noqa: ASYNC110 - what is waited for has no event
        await asyncio.sleep(0.002)


async def waiting(semaphore, count, lane="normal"):
    return (await semaphore.view()).waiting[lane] == count


def test_a_plugin_registered_twice_keeps_its_state():
    async def body(made, client):
        semaphore = QuotaSemaphore(name="s", spec=spec(in_flight=1))
        await semaphore.acquire()
        await client.register_plugin(GovernorPlugin())
        assert await semaphore.get_value() == 1
        await semaphore.release()

    cluster(body)


def test_without_a_governor_a_worker_refuses_to_call():
    def call(semaphore):
        with semaphore:
            return "called"

    async def body(made, client):
        with pytest.raises(ClusterError, match=r"no docdask governor.*--preload docdask.engine.preload"):
            await client.submit(call, QuotaSemaphore(name="s", spec=spec()))
        assert len(made.scheduler.workers) == 1

    cluster(body, ledger=None)


def test_a_worker_of_another_version_gets_an_error_and_stays(monkeypatch):
    async def body(made, client):
        monkeypatch.setattr(agent_module, "__version__", "0.0.1")
        with pytest.raises(ClusterError, match=r"docdask 0\.0\.1 at .* meets docdask"):
            await QuotaSemaphore(name="s", spec=spec()).acquire()
        assert len(made.scheduler.workers) == 1
        assert client.status == "running"

    cluster(body)


def test_what_can_not_be_understood_closes_no_stream():
    async def body(made, client):
        shell = made.scheduler.extensions[PLUGIN]
        semaphore = QuotaSemaphore(name="s", spec=spec())
        await semaphore.register()
        stream = client.scheduler_comm
        stream.send(
            {
                "op": STREAM,
                "governor": shell.id,
                "wants": 7,
                "returns": [("s", [("too", "short", 1, 2, 3, 4, 5, 6, 7, 8, 9)])],
            }
        )
        stream.send({"op": STREAM, "nonsense": True})
        assert await semaphore.acquire()
        assert await semaphore.get_value() == 1
        assert client.id in made.scheduler.clients

    cluster(body)


def test_what_a_lost_worker_held_and_wanted_is_free_at_once():
    async def body(made, client):
        worker, other = made.workers.values()
        lost, kept = (QuotaSemaphore(name="s", spec=spec(in_flight=1), client=w) for w in (worker, other))
        await lost.acquire()
        lost_waiter = asyncio.ensure_future(lost.acquire())
        await until(lambda: waiting(kept, 1))
        waiter = asyncio.ensure_future(kept.acquire())
        await until(lambda: waiting(kept, 2))
        agent_of(worker)._flush = lambda: None  # what it would still say is lost with it
        await made.scheduler.remove_worker(worker.address, stimulus_id="test")
        assert await waiter
        lost_waiter.cancel()
        view = await kept.view()
        assert (view.held, view.waiting["normal"]) == (1, 0)
        assert [p.worker for p in await kept.permits()] == [other.address]

    cluster(body, workers=2)


def test_a_client_that_goes_gives_back_what_it_held():
    async def body(made, client):
        here = QuotaSemaphore(name="s", spec=spec(in_flight=1), client=client)
        async with Client(made.scheduler.address, asynchronous=True, set_as_default=False) as other:
            await QuotaSemaphore(name="s", spec=spec(in_flight=1), client=other).acquire()
            assert await here.acquire(timeout=0) is None
        assert await here.acquire(timeout=20)

    cluster(body)


def test_the_intent_is_on_the_disk_before_the_grant_and_the_outcome_after(tmp_path):
    async def body(made, client):
        semaphore = QuotaSemaphore(name="s", spec=spec(ledger=True))
        async with semaphore.permit(pages=3, unit="invoice", run="june"):
            assert [r.kind for r in read_ledger(str(tmp_path)).records] == ["intent"]
        async with semaphore.permit(unit="other", run="june"):
            pass

    cluster(body, ledger=str(tmp_path))
    reading = read_ledger(str(tmp_path))
    assert reading.whole
    state = fold(reading.records)
    assert state.counts() == {"answered": 2}
    assert state.pages_billed == 4


def test_a_new_governor_goes_on_where_the_ledger_of_the_last_one_ended(tmp_path):
    many = SemaphoreSpec((EndpointSpec("us", requests=4),), ledger=True)

    async def first(made, client):
        semaphore = QuotaSemaphore(name="s", spec=many)
        await semaphore.open_run("june", calls=3, pages=6)
        for _ in range(3):
            async with semaphore.permit(pages=2, run="june"):
                pass

    async def second(made, client):
        semaphore = QuotaSemaphore(name="s", spec=many)
        await semaphore.open_run("june")
        view = await semaphore.view()
        assert {b.run: b.pages_spent for b in view.budgets} == {"": 6, "june": 6}
        assert view.meters[0].used == 3  # the minute is still the same
        shell = made.scheduler.extensions[PLUGIN]
        assert shell.governor._journal.books[""].epoch == 2

    cluster(first, ledger=str(tmp_path))
    cluster(second, ledger=str(tmp_path))
    assert read_ledger(str(tmp_path)).whole


def test_a_full_disk_refuses_who_waits_and_goes_on_when_there_is_space(tmp_path, monkeypatch):
    real = LocalWriter.append

    def full(self, records):
        raise StorageError("can't use the ledger: there is no space left on the disk") from OSError(
            errno.ENOSPC, "full"
        )

    async def body(made, client):
        semaphore = QuotaSemaphore(name="s", spec=spec(ledger=True))
        monkeypatch.setattr(LocalWriter, "append", full)
        with pytest.raises(PermitRefused, match="no space left") as refused:
            await semaphore.acquire()
        assert refused.value.reason == "ledger"
        monkeypatch.setattr(LocalWriter, "append", real)
        shell = made.scheduler.extensions[PLUGIN]
        written, again = shell._written, asyncio.Event()
        shell._committer._durable = lambda sequence: (written(sequence), again.set())
        await again.wait()
        assert await semaphore.acquire()

    cluster(body, ledger=str(tmp_path))
    assert read_ledger(str(tmp_path)).whole


def test_a_ledger_that_nobody_gave_is_told():
    async def body(made, client):
        with pytest.raises(PermitRefused, match="--ledger URL"):
            await QuotaSemaphore(name="s", spec=spec(ledger=True)).acquire()

    cluster(body)


def test_a_timer_that_fires_early_is_set_again():
    async def body(made, client):
        shell = made.scheduler.extensions[PLUGIN]
        semaphore = QuotaSemaphore(name="s", spec=spec(requests=10))
        await semaphore.register()
        seen = []
        shell.governor.handle, real = (lambda event: seen.append(event) or real(event)), shell.governor.handle
        permits = [await semaphore.acquire() for _ in range(15)]
        timers = [event for event in seen if isinstance(event, ev.Timer)]
        assert len(permits) == 15
        assert len(timers) <= 20  # one for each that waits, not a busy loop

    cluster(body)
