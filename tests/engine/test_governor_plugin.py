"""The governor on a scheduler: handshake, death of workers, ledger, and what must not close a stream."""

from __future__ import annotations

import asyncio
import errno
import gzip
import pickle
import threading

import pytest
from distributed import Client, LocalCluster

from docdask import GovernorPlugin, QuotaSemaphore
from docdask.core import events as ev
from docdask.core.ledger import fold
from docdask.core.spec import BudgetSpec, EndpointSpec, SemaphoreSpec
from docdask.engine import agent as agent_module
from docdask.engine import ledgers
from docdask.engine.binding import agent_of
from docdask.engine.clock import Clock
from docdask.engine.governing import GovernorShell
from docdask.engine.protocol import ASK, PLUGIN, STREAM
from docdask.errors import ClusterError, PermitRefused, StorageError, UsageError
from docdask.sim.eventlog import replay
from docdask.store.ledger import LocalWriter, read_ledger, totals

SECOND = 10**9


def spec(*, ledger: bool = False, in_flight: int | None = None, requests: int | None = None) -> SemaphoreSpec:
    endpoint = EndpointSpec("us", requests=requests, in_flight=in_flight)
    return SemaphoreSpec((endpoint,), period_ns=SECOND, ledger=ledger)


def cluster(body, *, ledger: str | None = "", workers: int = 1, record: str = ""):
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
                await client.register_plugin(GovernorPlugin(ledger, record=record))
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


def test_a_minute_passes_in_a_view_while_nothing_happens():
    async def body(made, client):
        semaphore = QuotaSemaphore(name="s", spec=spec(requests=10))
        for _ in range(3):
            await semaphore.acquire()
        assert (await semaphore.view()).granted == 3

        async def forgotten():
            return (await semaphore.view()).meters[0].used == 0

        await until(forgotten)

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


def test_dask_keeps_no_permits_that_are_over():
    async def body(made, client):
        semaphore = QuotaSemaphore(name="s", spec=spec())
        for _ in range(20):
            await semaphore.release(await semaphore.acquire())
        await semaphore.agent.settled()
        for stream in (client.scheduler_comm, made.scheduler.client_comms[client.id]):
            assert stream.batch_count >= 20
            kept = [message for written in stream.recent_message_log for message in written]
            assert sum(message.get("op") == STREAM for message in kept) < 5

    cluster(body)


def test_a_closed_semaphore_is_registered_anew_by_whoever_used_it():
    async def body(made, client):
        shell = made.scheduler.extensions[PLUGIN]
        semaphore, other = (QuotaSemaphore(name="s", spec=spec()) for _ in range(2))
        for _ in range(2):
            for one in (semaphore, other):
                await one.release(await one.acquire())
            await semaphore.close()
            assert "s" not in shell.governor.pools

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
        committer, again = shell.ledgers.get("").committer, asyncio.Event()
        written = committer._durable
        committer._durable = lambda sequence: (written(sequence), again.set())
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


async def spend(semaphore, run, count, **wish):
    for number in range(count):
        async with semaphore.permit(run=run, unit=f"unit-{number}", **wish):
            pass


async def spent(semaphore):
    return {b.run: b.pages_spent for b in (await semaphore.view()).budgets}


def test_each_run_has_its_own_ledger_whole_by_itself(tmp_path):
    folders = {run: tmp_path / run for run in ("may", "june")}

    async def body(made, client):
        semaphore = QuotaSemaphore(name="s", spec=spec(ledger=True))
        for run, folder in folders.items():
            await semaphore.open_run(run, ledger=str(folder), budget=BudgetSpec(pages=9))
        await asyncio.gather(spend(semaphore, "may", 4), spend(semaphore, "june", 3, pages=2))
        with pytest.raises(PermitRefused, match="was not opened with one"):
            await semaphore.acquire(run="july")

    cluster(body)
    for run, pages in {"may": 4, "june": 6}.items():
        reading = read_ledger(str(folders[run]))
        assert reading.whole
        assert {record.run for record in reading.records} == {run}
        assert fold(reading.records).pages_billed == pages


def test_a_run_that_is_opened_again_goes_on_with_its_budget_and_its_minute(tmp_path):
    many = SemaphoreSpec((EndpointSpec("us", requests=8),), ledger=True)

    async def first(made, client):
        semaphore = QuotaSemaphore(name="s", spec=many)
        await semaphore.open_run("june", ledger=str(tmp_path), budget=BudgetSpec(pages=7))
        await spend(semaphore, "june", 3, pages=2)

    async def second(made, client):
        semaphore = QuotaSemaphore(name="s", spec=many)
        await semaphore.open_run("june", ledger=f"{tmp_path}/", budget=BudgetSpec(pages=7))
        assert await spent(semaphore) == {"": 6, "june": 6}
        assert (await semaphore.view()).meters[0].used == 3
        with pytest.raises(PermitRefused, match="budget"):
            await semaphore.acquire(run="june", pages=2)
        await spend(semaphore, "june", 1)

    cluster(first)
    cluster(second)
    reading = read_ledger(str(tmp_path))
    assert reading.whole
    assert {record.epoch for record in reading.records} == {1, 2}
    assert fold(reading.records).pages_billed == 7


def test_a_run_that_went_on_elsewhere_is_read_anew(tmp_path):
    """The first cluster lives on while the second one does a part of the run, and then goes on itself."""

    async def elsewhere(made, client):
        semaphore = QuotaSemaphore(name="s", spec=spec(ledger=True))
        await semaphore.open_run("june", ledger=str(tmp_path))
        await spend(semaphore, "june", 5)

    async def body(made, client):
        semaphore = QuotaSemaphore(name="s", spec=spec(ledger=True))
        await semaphore.open_run("june", ledger=str(tmp_path))
        held = await semaphore.acquire(run="june", pages=2)
        await semaphore.close_run("june")
        async with (
            LocalCluster(n_workers=0, processes=False, asynchronous=True, dashboard_address=":0", protocol="tcp://") as two,
            Client(two, asynchronous=True, set_as_default=False) as other,
        ):  # fmt: skip
            there = QuotaSemaphore(name="s", spec=spec(ledger=True), client=other)
            await there.open_run("june", ledger=str(tmp_path))
            await spend(there, "june", 5)
            assert await spent(there) == {"": 5, "june": 5}
        await semaphore.open_run("june", ledger=str(tmp_path))
        assert await spent(semaphore) == {"": 5, "june": 5}
        await semaphore.release(held)
        await spend(semaphore, "june", 1)
        assert await spent(semaphore) == {"": 8, "june": 8}

    cluster(body)
    reading = read_ledger(str(tmp_path))
    assert reading.whole
    assert fold(reading.records).pages_billed == 8
    assert fold(reading.records).at_risk == (0, 0)


def test_a_run_that_nobody_closed_and_that_went_on_elsewhere_is_read_anew(tmp_path, monkeypatch):
    """Its driver died; somebody else went on with it; and a new driver comes back while calls of the first one end."""
    reading, go_on = threading.Event(), threading.Event()
    real = ledgers.summed

    def slow(*arguments):
        reading.set()
        go_on.wait(20)
        return real(*arguments)

    async def body(made, client):
        semaphore = QuotaSemaphore(name="s", spec=spec(ledger=True))
        await semaphore.open_run("june", ledger=str(tmp_path))
        held = await semaphore.acquire(run="june", pages=2)
        async with (
            LocalCluster(n_workers=0, processes=False, asynchronous=True, dashboard_address=":0", protocol="tcp://") as two,
            Client(two, asynchronous=True, set_as_default=False) as other,
        ):  # fmt: skip
            there = QuotaSemaphore(name="s", spec=spec(ledger=True), client=other)
            await there.open_run("june", ledger=str(tmp_path))
            await spend(there, "june", 5)
            assert await spent(there) == {"": 5, "june": 5}
        monkeypatch.setattr(ledgers, "summed", slow)
        opening = asyncio.ensure_future(semaphore.open_run("june", ledger=str(tmp_path)))
        await asyncio.to_thread(reading.wait, 20)
        acquiring = asyncio.ensure_future(semaphore.acquire(run="june"))
        await semaphore.release(held)
        await semaphore.view()  # both are known there by now
        assert not acquiring.done()
        go_on.set()
        await opening
        await semaphore.release(await acquiring)
        await spend(semaphore, "june", 1)
        assert (await semaphore.view()).held == 0
        assert await spent(semaphore) == {"": 9, "june": 9}
        for budget in (await semaphore.view()).budgets:
            assert budget.pages_at_risk == budget.pages_reserved == 0

    cluster(body)
    found = read_ledger(str(tmp_path))
    assert found.whole
    assert fold(found.records).pages_billed == 9
    assert fold(found.records).at_risk == (0, 0)
    assert max(record.epoch for record in found.records) == 3


def test_records_that_come_while_a_ledger_is_read_follow_what_was_read(tmp_path, monkeypatch):
    reading, go_on = threading.Event(), threading.Event()

    async def body(made, client):
        semaphore = QuotaSemaphore(name="s", spec=spec(ledger=True))
        await semaphore.open_run("june", ledger=str(tmp_path))
        held = await semaphore.acquire(run="june", pages=2)
        await semaphore.close_run("june")
        real = ledgers.summed

        def slow(*arguments):
            reading.set()
            go_on.wait(20)
            return real(*arguments)

        monkeypatch.setattr(ledgers, "summed", slow)
        opening = asyncio.ensure_future(semaphore.open_run("june", ledger=str(tmp_path)))
        await asyncio.to_thread(reading.wait, 20)
        await semaphore.release(held)
        await until(lambda: waiting(semaphore, 0))
        go_on.set()
        await opening
        assert await spent(semaphore) == {"": 2, "june": 2}
        (project, _) = (await semaphore.view()).budgets
        assert project.pages_at_risk == project.pages_reserved == 0

    cluster(body)
    found = read_ledger(str(tmp_path))
    assert found.whole
    assert [(r.sequence, r.epoch, r.kind) for r in found.records] == [(1, 1, "intent"), (2, 2, "answered")]


def test_a_run_whose_ledger_can_not_be_written_is_refused_and_others_go_on(tmp_path, monkeypatch):
    real = LocalWriter.append

    def full(self, records):
        if "full" in self.path:
            raise StorageError("can't use the ledger: there is no space left on the disk")
        real(self, records)

    async def body(made, client):
        semaphore = QuotaSemaphore(name="s", spec=spec(ledger=True))
        for run in ("full", "june"):
            await semaphore.open_run(run, ledger=str(tmp_path / run))
        monkeypatch.setattr(LocalWriter, "append", full)
        with pytest.raises(PermitRefused, match="no space left"):
            await semaphore.acquire(run="full")
        await spend(semaphore, "june", 2)

    cluster(body)
    assert fold(read_ledger(str(tmp_path / "june")).records).pages_billed == 2


def test_a_ledger_that_can_not_be_opened_is_an_error_of_its_run_alone(tmp_path):
    (tmp_path / "file").write_text("no folder")

    async def body(made, client):
        semaphore = QuotaSemaphore(name="s", spec=spec(ledger=True))
        with pytest.raises(StorageError, match="is a file, not a folder"):
            await semaphore.open_run("june", ledger=str(tmp_path / "file"))
        await semaphore.open_run("june", ledger=str(tmp_path / "folder"))
        with pytest.raises(UsageError, match="is open with ledger"):
            await semaphore.open_run("june", ledger=str(tmp_path / "other"))
        await spend(semaphore, "june", 1)

    cluster(body)


def test_two_semaphores_of_one_run_share_its_ledger(tmp_path):
    async def body(made, client):
        for name in ("s", "t"):
            semaphore = QuotaSemaphore(name=name, spec=spec(ledger=True))
            await semaphore.open_run("june", ledger=str(tmp_path))
            await spend(semaphore, "june", 2)

    cluster(body)
    reading = read_ledger(str(tmp_path))
    assert reading.whole
    assert {(record.semaphore, record.epoch) for record in reading.records} == {("s", 1), ("t", 1)}


def test_facts_about_units_are_noted(tmp_path):
    async def body(made, client):
        semaphore = QuotaSemaphore(name="s", spec=spec(ledger=True))
        await semaphore.open_run("june", ledger=str(tmp_path))
        async with semaphore.permit(run="june", unit="invoice", kind="batch") as permit:
            await semaphore.note("june", "invoice", permit.fence, "operation", code="operations/7")
            permit.report()
        await semaphore.note("june", "invoice", permit.fence, "stored")
        with pytest.raises(UsageError, match="'eaten' is nothing to note"):
            semaphore.note("june", "invoice", permit.fence, "eaten")

    cluster(body)
    unit = fold(read_ledger(str(tmp_path)).records).units["invoice"]
    assert [record.kind for record in unit.story] == ["intent", "operation", "answered", "stored"]
    assert (unit.state, unit.operation) == ("stored", "operations/7")


def test_a_ledger_on_object_storage_is_kept_in_numbered_objects():
    async def body(made, client):
        semaphore = QuotaSemaphore(name="s", spec=spec(ledger=True))
        await semaphore.open_run("june", ledger="memory://bucket/run")
        await spend(semaphore, "june", 3)
        await semaphore.close_run("june")
        await semaphore.open_run("june", ledger="memory://bucket/run/")
        await spend(semaphore, "june", 1)
        assert await spent(semaphore) == {"": 4, "june": 4}

    cluster(body)
    reading = read_ledger("memory://bucket/run")
    assert reading.whole
    assert fold(reading.records).pages_billed == 4
    assert totals("memory://bucket/run").pages_billed == 4


def test_what_is_recorded_on_a_real_scheduler_replays_to_the_same_instructions(tmp_path):
    log = tmp_path / "events.jsonl.gz"

    async def body(made, client):
        semaphore = QuotaSemaphore(name="s", spec=spec(ledger=True, requests=20, in_flight=4))
        await semaphore.open_run("june", ledger=str(tmp_path / "run"), budget=BudgetSpec(pages=60))
        await asyncio.gather(*(spend(semaphore, "june", 5) for _ in range(5)))
        await semaphore.note("june", "unit-1", 1, "operation", code="operations/1")
        async with semaphore.permit(run="june") as permit:
            permit.report("quota", after_s=0.05)
        await semaphore.configure(requests=30, in_flight=4)
        await spend(semaphore, "june", 2)
        with pytest.raises(PermitRefused, match="budget"):
            await semaphore.acquire(run="june", pages=50)
        await semaphore.close_run("june")

    for _ in range(2):  # the second governor goes on with the ledger of the first, in a log of its own
        cluster(body, record=str(log))
    for path in (log, tmp_path / "events-2.jsonl.gz"):
        with gzip.open(path, "rt") as lines:
            found = replay(lines)
        assert found.difference is None, str(found.difference)
        assert not found.torn
        assert found.events > 60
        assert found.instructions > 80


def test_a_log_that_can_not_be_written_keeps_nobody_from_a_permit(tmp_path, caplog):
    (tmp_path / "file").write_text("no folder")

    async def body(made, client):
        semaphore = QuotaSemaphore(name="s", spec=spec())
        await spend(semaphore, "", 3)

    cluster(body, record=str(tmp_path / "file" / "events.jsonl"))
    assert "can't be written, and ends here" in caplog.text


def restarted(body):
    """Run ``body(old, changed)`` on a fresh scheduler, with copies of a semaphore from before and after its quota was changed."""
    kept = {}

    async def first(made, client):
        semaphore = QuotaSemaphore(name="s", spec=spec(requests=10))
        await semaphore.register()
        kept["old"] = pickle.dumps(semaphore)
        await semaphore.configure(requests=20)
        await pickle.loads(kept["old"]).register()
        kept["changed"] = pickle.dumps(semaphore)

    async def second(made, client):
        await body(pickle.loads(kept["old"]), pickle.loads(kept["changed"]))

    cluster(first)
    cluster(second)


async def limit(semaphore):
    return (await semaphore.view()).meters[0].limit


def test_a_changed_quota_is_back_when_an_old_copy_registers_first_with_the_next_governor():
    async def body(old, changed):
        await old.register()
        assert await limit(old) == 10
        await changed.register()
        assert await limit(old) == 20
        await old.register()
        assert await limit(changed) == 20

    restarted(body)


def test_runs_with_processors_of_their_own_share_a_semaphore_also_on_the_next_scheduler():
    def shared(name):
        endpoint = EndpointSpec(name, requests=10)
        made = SemaphoreSpec((endpoint,), period_ns=SECOND, shared=True)
        return QuotaSemaphore(name="s", spec=made)

    async def body(one, other):
        for semaphore, name in ((one, "us/ocr"), (other, "us/form"), (one, "us/ocr")):
            permit = await semaphore.acquire(endpoints=(name,))
            assert permit.endpoint == name
            await semaphore.release(permit)

    async def go(made, client):
        one, other = shared("us/ocr"), shared("us/form")
        await body(one, other)
        agent = agent_of(client)
        told = []
        tell = agent._call

        async def listen(what, **more):
            told.append(more.get("event", ""))
            return await tell(what, **more)

        agent._call = listen
        await body(one, other)
        assert told == [], "nobody registers for each permit"
        agent._comm = None  # as when the scheduler is another one
        await body(one, other)
        assert sum("us/ocr" in event for event in told) == sum("us/form" in event for event in told) == 1

    cluster(go)


def test_an_old_copy_is_known_when_the_changed_one_registers_first():
    async def body(old, changed):
        await changed.register()
        await old.register()
        assert await limit(old) == 20
        with pytest.raises(UsageError, match="is registered with"):
            await QuotaSemaphore(name="s", spec=spec(requests=30)).register()

    restarted(body)


async def replaced(made, client, **known):
    """Another governor on the same scheduler, as after a restart: what the client is told of it are ``known`` semaphores' limits."""
    await made.scheduler.extensions[PLUGIN].close()
    shell = made.scheduler.extensions[PLUGIN] = GovernorShell(made.scheduler, Clock())
    await shell.open("")
    (worker,) = made.workers.values()
    held = [QuotaSemaphore(name=name, spec=limits, client=worker) for name, limits in known.items()]
    permits = [await semaphore.acquire() for semaphore in held]
    agent_of(client)._comm = None
    return permits


def test_nobody_is_granted_anything_by_a_new_governor_before_it_knows_the_run(monkeypatch):
    async def body(made, client):
        semaphore, agent, came = QuotaSemaphore(name="s", spec=spec()), agent_of(client), []
        await semaphore.open_run("june", budget=BudgetSpec(pages=3))
        await replaced(made, client)

        async def told(event, *more, real=agent.tell, **options):
            if isinstance(event, ev.OpenRun):
                came.append(asyncio.ensure_future(semaphore.acquire(run="june", pages=5)))
                for _ in range(5):
                    await agent._call(ASK, semaphore="s", what="view")
            await real(event, *more, **options)

        monkeypatch.setattr(agent, "tell", told)
        await semaphore.register()
        with pytest.raises(PermitRefused, match="budget of the run 'june', of which 3 pages"):
            await came[0]

    cluster(body)


def test_who_only_opened_a_run_opens_it_again_with_the_next_governor(monkeypatch):
    monkeypatch.setattr(agent_module, "_TICK_S", 0.01)

    async def body(made, client):
        semaphore = QuotaSemaphore(name="s", spec=spec())
        await semaphore.open_run("june", calls=7)
        await replaced(made, client)
        pools = made.scheduler.extensions[PLUGIN].governor.pools

        async def known():
            return "s" in pools and "june" in pools["s"].runs

        await until(known)
        assert pools["s"].runs["june"].calls == 7

    cluster(body)


def test_what_a_new_governor_rejects_ends_for_those_who_use_it_alone():
    async def body(made, client):
        narrow = spec(in_flight=1)
        one, two = (QuotaSemaphore(name=name, spec=narrow) for name in ("one", "two"))
        held = [await semaphore.acquire() for semaphore in (one, two)]
        waiters = [asyncio.ensure_future(semaphore.acquire()) for semaphore in (one, two)]
        await until(lambda: waiting(two, 1))
        permits = await replaced(made, client, one=spec(in_flight=2), two=narrow)
        await two.register()
        with pytest.raises(UsageError, match="'one' is registered with"):
            await waiters[0]
        await until(lambda: waiting(two, 1))
        assert not waiters[1].done()
        permits[1].report()
        assert await waiters[1]
        with pytest.raises(UsageError, match="'one' is registered with"):
            await one.acquire()
        assert len(held) == 2

    cluster(body)


def test_a_run_whose_ledger_can_not_be_read_again_is_closed_not_free(tmp_path):
    async def body(made, client):
        semaphore = QuotaSemaphore(name="s", spec=spec())
        await semaphore.open_run("june", budget=BudgetSpec(pages=3), ledger=str(tmp_path / "run"))
        await spend(semaphore, "june", 1)
        await made.scheduler.extensions[PLUGIN].close()
        (tmp_path / "run").rename(tmp_path / "moved")
        (tmp_path / "run").write_text("no folder")
        await replaced(made, client)
        with pytest.raises(PermitRefused, match="run 'june' has ended"):
            await semaphore.acquire(run="june")
        await spend(semaphore, "", 1)

    cluster(body)


def test_who_wants_a_permit_only_if_it_is_free_waits_for_no_new_governor():
    async def body(made, client):
        semaphore = QuotaSemaphore(name="s", spec=spec(in_flight=1))
        await semaphore.register()
        made.scheduler.stream_handlers[STREAM] = lambda **_: None  # the old one dies before it has answered
        wanted = asyncio.ensure_future(semaphore.acquire(timeout=0))
        asked = asyncio.ensure_future(semaphore.view())

        async def asking():
            return agent_of(client)._waiting and agent_of(client)._echoes

        await until(asking)
        await replaced(made, client, s=spec(in_flight=1))
        await semaphore.register()
        assert await wanted is None
        assert (await asked).held == 1

    cluster(body)


def test_a_free_permit_whose_intent_is_on_its_way_to_the_disk_is_free(tmp_path):
    async def body(made, client):
        semaphore = QuotaSemaphore(name="s", spec=spec(ledger=True, in_flight=1))
        assert await semaphore.acquire(timeout=0)
        assert await semaphore.acquire(timeout=0) is None

    cluster(body, ledger=str(tmp_path))


def test_a_governor_that_can_not_start_is_told_and_another_may(tmp_path):
    (tmp_path / "file").write_text("no folder")

    def call(semaphore):
        with semaphore:
            return "called"

    async def body(made, client):
        with pytest.raises(StorageError, match="is a file, not a folder"):
            await client.register_plugin(GovernorPlugin(str(tmp_path / "file")))
        semaphore = QuotaSemaphore(name="s", spec=spec())
        with pytest.raises(ClusterError, match=r"could not start.*is a file, not a folder"):
            await client.submit(call, semaphore, pure=False)
        await client.register_plugin(GovernorPlugin())
        assert await client.submit(call, semaphore, pure=False) == "called"

    cluster(body, ledger=None)


def test_a_fact_that_no_ledger_takes_is_an_error():
    async def body(made, client):
        with pytest.raises(StorageError, match="operation of unit invoice is not in the ledger"):
            await QuotaSemaphore(name="s", spec=spec(ledger=True)).note(
                "june", "invoice", 1, "operation", code="operations/7"
            )

    cluster(body)


def test_a_semaphore_that_was_closed_by_somebody_else_can_be_registered_anew():
    async def body(made, client):
        (worker,) = made.workers.values()
        here, there = (QuotaSemaphore(name="s", spec=spec(in_flight=1), client=c) for c in (client, worker))
        await there.register()
        await here.close()
        with pytest.raises(PermitRefused, match="register it first"):
            await there.acquire()
        await there.register()
        assert await there.acquire()

    cluster(body)


def test_a_short_lease_is_kept_by_who_waits():
    async def body(made, client):
        short = SemaphoreSpec((EndpointSpec("us", in_flight=1),), adaptive=False, lease_ns=SECOND // 4)
        (worker,) = made.workers.values()
        holder, waiter = (QuotaSemaphore(name="s", spec=short, client=c) for c in (worker, client))
        held = await holder.acquire()
        waits = asyncio.ensure_future(waiter.acquire())
        shell, signs = made.scheduler.extensions[PLUGIN], []

        def handle(event, real=shell.governor.handle):
            if isinstance(event, ev.Refresh) and event.worker == client.id:
                signs.append(event.at_ns)
            return real(event)

        shell.governor.handle = handle

        async def twice_its_length():
            return len(signs) > 1 and signs[-1] - signs[0] > SECOND // 2

        await until(twice_its_length)
        assert not waits.done()
        assert not held.revoked
        held.report()
        assert await waits

    cluster(body)
