"""QuotaSemaphore on real clusters: limits held, the habits of distributed.Semaphore, and what it does better."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import pickle
import threading
import time

import pytest
from distributed import Client, LocalCluster, get_worker

from docdask import GovernorPlugin, QuotaSemaphore
from docdask.core.spec import BudgetSpec, EndpointSpec, SemaphoreSpec
from docdask.errors import ClusterError, PermitRefused, UsageError
from docdask.store.ledger import records
from tests.engine.test_governor_plugin import until, waiting

SECOND = 10**9


@pytest.fixture(scope="module")
def made():
    with LocalCluster(n_workers=2, threads_per_worker=4, dashboard_address=":0") as cluster:
        yield cluster


@pytest.fixture
def client(made):
    with Client(made) as client:
        client.register_plugin(GovernorPlugin())
        yield client


def most_in(moments: list[float], window_s: float) -> int:
    """Most moments in any window, half open."""
    moments = sorted(moments)
    return max(sum(1 for other in moments[i:] if other < one + window_s) for i, one in enumerate(moments))


def call(number, semaphore):
    with semaphore.permit(run="june"):
        return number


async def call_async(number, semaphore):
    async with semaphore.permit(run="june"):
        return number


@pytest.mark.parametrize("function", [call, call_async])
def test_tasks_of_two_workers_never_exceed_the_quota_in_any_window(client, function, tmp_path):
    """By the moments at which permits were granted: how late a busy machine then is says nothing about them."""
    semaphore = QuotaSemaphore(40, f"quota-{function.__name__}", period=1)
    semaphore.open_run("june", ledger=str(tmp_path))
    assert sorted(client.gather(client.map(function, range(100), semaphore=semaphore))) == list(range(100))
    assert semaphore.view().granted == 100
    moments = [record.at_utc_ns / 1e9 for record in records(str(tmp_path)) if record.kind == "intent"]
    assert len(moments) == 100
    assert most_in(moments, 1.0) <= 40


def test_calls_in_flight_are_limited_over_threads_and_workers(client):
    def hold(number, semaphore):
        with semaphore:
            seen = semaphore.get_value()
            return get_worker().address, seen

    semaphore = QuotaSemaphore(name="narrow", in_flight=2)
    found = client.gather(client.map(hold, range(40), semaphore=semaphore))
    assert {seen for _, seen in found} <= {1, 2}
    assert len({worker for worker, _ in found}) == 2


def test_one_name_is_one_semaphore_and_a_pickled_copy_is_the_same(client):
    one = QuotaSemaphore(name="same", in_flight=1)
    other = pickle.loads(pickle.dumps(one))
    assert one.acquire()
    assert other.acquire(timeout=0) is None
    one.release()
    assert other.acquire(timeout=10)
    other.release()


def test_a_second_registration_that_differs_is_told_what_differs(client):
    QuotaSemaphore(10, "agreed").register()
    with pytest.raises(UsageError, match=r"'agreed' is registered with.*requests=10.*use the same limits"):
        QuotaSemaphore(20, "agreed").register()


def test_who_comes_with_other_limits_can_change_those_in_force(made, client):
    first = QuotaSemaphore(10, "changed").register()
    with Client(made, set_as_default=False) as other:
        second = QuotaSemaphore(20, "changed", client=other)
        with pytest.raises(UsageError, match="change the limits of this one"):
            second.register()
        second.configure(requests=20)
        assert [seen.view().meters[0].limit for seen in (first, second)] == [20, 20]
        second.configure(requests=0)
        with pytest.raises(PermitRefused, match="a quota of 0"):
            first.acquire()


def test_acquire_gives_up_in_time_and_leaves_nothing_behind(client):
    semaphore = QuotaSemaphore(name="busy", in_flight=1)
    semaphore.acquire()
    assert semaphore.acquire(timeout="20ms") is None
    assert semaphore.acquire(timeout=0) is None
    assert sum(semaphore.view().waiting.values()) == 0
    semaphore.release()
    assert semaphore.get_value() == 0
    assert semaphore.acquire(timeout=0)
    semaphore.release()


def test_released_too_often_is_an_error(client):
    semaphore = QuotaSemaphore(name="often", in_flight=1)
    with pytest.raises(RuntimeError, match="too often"):
        semaphore.release()


def test_close_refuses_who_waits_and_the_name_can_be_used_anew(client):
    semaphore = QuotaSemaphore(name="closing", in_flight=1)
    semaphore.acquire()
    refused = []

    def wait():
        try:
            semaphore.acquire()
        except PermitRefused as error:
            refused.append(error.reason)

    thread = threading.Thread(target=wait)
    thread.start()
    while not sum(semaphore.view().waiting.values()):
        pass
    semaphore.close()
    thread.join(20)
    assert refused == ["closed"]
    QuotaSemaphore(name="closing", in_flight=7).register()


def test_quotas_change_while_somebody_waits_and_old_copies_go_on(client):
    semaphore = QuotaSemaphore(name="grows", in_flight=1)
    copy = pickle.dumps(semaphore)
    semaphore.acquire()
    got = []
    thread = threading.Thread(target=lambda: got.append(semaphore.acquire()))
    thread.start()
    while not sum(semaphore.view().waiting.values()):
        pass
    semaphore.configure(in_flight=3)
    thread.join(20)
    assert len(got) == 1
    assert client.submit(lambda s: s.get_value(), pickle.loads(copy), pure=False).result() == 2
    with pytest.raises(UsageError, match="can't be changed"):
        semaphore.configure(colour=3)


def test_a_quota_of_nothing_refuses_instead_of_hanging(client):
    semaphore = QuotaSemaphore(5, "stops")
    semaphore.register()
    semaphore.configure(requests=0)
    with pytest.raises(PermitRefused, match="stops") as refused:
        semaphore.acquire()
    assert refused.value.reason == "closed"


def test_what_can_never_be_granted_is_refused_with_a_reason(client):
    semaphore = QuotaSemaphore(name="reasons", pages=10)
    for wish, reason in (
        ({"pages": 11}, "too-large"),
        ({"lane": "express"}, "unknown-lane"),
        ({"endpoints": ["mars"]}, "unknown-endpoint"),
        ({"locations": ["mars"]}, "residency"),
    ):
        with pytest.raises(PermitRefused) as refused:
            semaphore.acquire(**wish)
        assert refused.value.reason == reason
        assert refused.value.remedy
    with pytest.raises(UsageError, match="-1"):
        QuotaSemaphore(-1)
    with pytest.raises(UsageError, match="soon"):
        semaphore.acquire(timeout="soon")


def test_a_permit_names_its_endpoint_and_its_fence_rises(client):
    spec = SemaphoreSpec((EndpointSpec("us", location="us"), EndpointSpec("eu", location="eu")))
    semaphore = QuotaSemaphore(name="regions", spec=spec)
    with semaphore.permit(locations=["eu"]) as one:
        assert one.endpoint == "eu"
    with semaphore.permit(endpoints=["us"], pages=3, lane="interactive") as other:
        assert other.endpoint == "us"
        assert [(p.pages, p.lane, p.endpoint) for p in semaphore.permits()] == [(3, "interactive", "us")]
    assert other.fence > one.fence


def test_a_quota_answer_slows_the_endpoint(client):
    semaphore = QuotaSemaphore(name="slows", requests=100, period=1)
    with semaphore.permit() as permit:
        permit.report("quota", after_s=0.3, limit="requests", code="429")
    begin = time.monotonic()
    with semaphore:
        assert time.monotonic() - begin >= 0.25
    assert semaphore.view().returned == {"quota": 1, "ok": 1}


def test_an_exception_gives_the_permit_back_and_counts_its_pages(client):
    semaphore = QuotaSemaphore(name="raises", in_flight=1)
    semaphore.open_run("june", budget=BudgetSpec(pages=5))
    with pytest.raises(KeyError), semaphore.permit(pages=2, run="june"):
        raise KeyError("x")
    view = semaphore.view()
    assert view.held == 0
    assert {b.run: b.pages_spent for b in view.budgets}["june"] == 2
    with pytest.raises(PermitRefused) as refused:
        semaphore.acquire(pages=4, run="june")
    assert refused.value.reason == "budget"


def test_more_waiters_than_a_worker_has_connections(client):
    async def many(semaphore):
        async def one():
            async with semaphore:
                return 1

        return sum(await asyncio.gather(*(one() for _ in range(1500))))

    semaphore = QuotaSemaphore(name="crowd", in_flight=5)
    assert client.submit(many, semaphore).result(timeout=60) == 1500


def test_thousands_who_wait_are_seen_and_go_when_told(client):
    semaphore = QuotaSemaphore(name="queue", in_flight=1)
    semaphore.acquire()

    async def wait_and_leave():
        waiters = [asyncio.ensure_future(semaphore.acquire(lane="bulk")) for _ in range(10_000)]
        await until(lambda: waiting(semaphore, 10_000, "bulk"))
        urgent = asyncio.ensure_future(semaphore.acquire(lane="interactive"))
        await until(lambda: waiting(semaphore, 1, "interactive"))
        await semaphore.release()
        permit = await urgent  # in front of ten thousand
        for waiter in waiters:
            waiter.cancel()
        await asyncio.gather(*waiters, return_exceptions=True)
        await semaphore.release(permit)
        return sum((await semaphore.view()).waiting.values())

    assert asyncio.run_coroutine_threadsafe(wait_and_leave(), client.loop.asyncio_loop).result(60) == 0
    assert semaphore.get_value() == 0


def test_with_on_the_loop_itself_is_told_not_hung(client):
    async def wrong(semaphore):
        with semaphore:
            pass

    with pytest.raises(UsageError, match="use 'async with'"):
        client.submit(wrong, QuotaSemaphore(name="loop", in_flight=1)).result()


def test_another_loop_than_dasks_can_wait_too(client):
    semaphore = QuotaSemaphore(name="elsewhere", in_flight=1)

    async def elsewhere():
        await semaphore
        async with semaphore as permit:
            return permit.endpoint

    assert asyncio.run(elsewhere()) == "elsewhere"


def test_a_thread_that_a_task_started_finds_its_worker(client):
    def start(semaphore):
        found = []

        def inside():
            with semaphore as permit:
                found.append(permit.endpoint)

        thread = threading.Thread(target=inside)
        thread.start()
        thread.join(20)
        return found

    assert client.submit(start, QuotaSemaphore(name="threads", in_flight=1)).result() == ["threads"]


def test_one_agent_serves_all_semaphores_of_a_worker(client):
    def use(number, semaphore):
        from docdask.engine import binding

        with semaphore:
            return get_worker().address, len(binding._agents)

    names = [QuotaSemaphore(name=f"one-{n}", in_flight=1) for n in range(20)]
    for semaphore in names:
        semaphore.register()
    found = client.gather(client.map(use, range(20), names))
    assert {count for _, count in found} == {1}


def test_without_a_client_it_says_what_to_do():
    with pytest.raises(ClusterError, match=r"create a distributed\.Client first"):
        QuotaSemaphore(name="nowhere").acquire()


def test_whoever_is_cancelled_on_another_loop_holds_nothing_whenever_it_comes(client):
    """Also when the permit is on its way from the agent's loop at that moment."""
    semaphore = QuotaSemaphore(name="crossing", client=client).register()

    async def waits() -> None:
        for round_ in range(40):
            waiters = [asyncio.ensure_future(semaphore.permit().__aenter__()) for _ in range(20)]
            for _ in range(round_ % 20):
                await asyncio.sleep(0.0005)  # no time is waited for: it is the moment that differs
            for waiter in waiters:
                waiter.cancel()
            await asyncio.wait(waiters)
            for waiter in waiters:
                if not waiter.cancelled():
                    waiter.result().report()
        await asyncio.sleep(0)

    asyncio.run(waits())
    assert semaphore.get_value() == 0


@pytest.mark.parametrize(
    ("wish", "named"),
    [
        ({"pages": "3"}, "pages is '3'"),
        ({"pages": 2.5}, "pages is 2.5"),
        ({"pages": -1}, "pages is -1"),
        ({"unit": 7}, "unit is 7"),
        ({"unit": "a\udcff"}, "can't be written as UTF-8"),
        ({"run": None}, "run is None"),
        ({"endpoints": "us"}, "endpoints is the text 'us'"),
        ({"timeout": float("inf")}, "timeout=inf"),
    ],
)
def test_what_could_not_be_sent_or_written_is_refused_where_it_is_said(client, wish, named):
    """On the stream it would end the connection, and in a ledger keep its run from going on."""
    semaphore = QuotaSemaphore(name="hostile", in_flight=5)
    with semaphore, pytest.raises(UsageError) as refused:
        semaphore.acquire(**wish)
    assert named in str(refused.value)
    assert client.status == "running"
    assert semaphore.get_value() == 0


def test_numbers_of_numpy_are_numbers(client):
    import numpy as np

    semaphore = QuotaSemaphore(name="numpy", in_flight=5)
    with semaphore.permit(pages=np.int64(3), micros=np.int32(7)):
        assert [permit.pages for permit in semaphore.permits()] == [3]


@pytest.mark.parametrize(
    "said",
    [
        {"verdict": "success"},
        {"after_s": float("nan")},
        {"limit": "colour"},
        {"pages_billed": -1},
        {"code": 429},
    ],
)
def test_a_report_that_can_not_be_is_refused_and_the_permit_still_held(client, said):
    semaphore = QuotaSemaphore(name="reports", in_flight=1)
    with semaphore.permit() as permit:
        with pytest.raises(UsageError):
            permit.report(**said)
        assert semaphore.get_value() == 1
    assert semaphore.get_value() == 0
    assert semaphore.acquire(timeout=0)
    semaphore.release()


@pytest.mark.parametrize("after_s", [float("inf"), 1e300, -5.0])
def test_what_a_service_asks_to_wait_is_held_to_what_can_be_told(client, after_s):
    semaphore = QuotaSemaphore(name=f"wait {after_s}", in_flight=5)
    with semaphore.permit() as permit:
        permit.report("capacity", after_s=after_s)
    assert semaphore.view().returned == {"capacity": 1}


def test_release_gives_back_what_was_acquired_not_what_a_with_holds(client):
    semaphore = QuotaSemaphore(name="mixed", in_flight=2)
    with semaphore as inside:
        acquired = semaphore.acquire()
        semaphore.release()
        assert (inside.returned, acquired.returned) == (False, True)
        with pytest.raises(RuntimeError, match="too often"):
            semaphore.release()
    assert inside.returned


def test_a_with_may_end_in_another_context_than_it_began(client):
    semaphore = QuotaSemaphore(name="stacked", in_flight=2)

    async def stacked():
        with contextlib.ExitStack() as stack:
            await asyncio.to_thread(stack.enter_context, semaphore)  # what it sets is not seen out here

    asyncio.run(stacked())
    assert semaphore.get_value() == 0


def test_limits_are_told_in_one_way_only():
    spec = SemaphoreSpec((EndpointSpec("us"),))
    for more in ({"requests": 5}, {"period": 5}, {"endpoints": [EndpointSpec("eu")]}):
        with pytest.raises(UsageError, match="beside it"):
            QuotaSemaphore(name="both", spec=spec, **more)
    with pytest.raises(UsageError, match="beside them"):
        QuotaSemaphore(5, "both", endpoints=[EndpointSpec("eu")])


@pytest.mark.parametrize(
    "limits", [{"requests": "60"}, {"requests": 60.5}, {"pages": float("inf")}, {"in_flight": "2"}]
)
def test_a_limit_that_is_no_whole_number_is_refused(limits):
    with pytest.raises(UsageError, match="whole number"):
        QuotaSemaphore(name="odd", **limits)


def test_a_semaphore_finds_the_client_that_came_after_the_one_that_was_closed(made):
    semaphore = QuotaSemaphore(name="reconnected", in_flight=1)
    with Client(made) as first:
        first.register_plugin(GovernorPlugin())
        kept = semaphore.acquire()
    with pytest.raises(ClusterError):
        semaphore.get_value()
    kept.report()  # nobody is left to be told
    with Client(made), semaphore:
        assert semaphore.get_value() == 1


def test_who_is_interrupted_while_it_waits_holds_nothing_whenever_it_comes(client, monkeypatch):
    """Ctrl-C, also when the permit is on its way from the other loop at that moment."""
    semaphore = QuotaSemaphore(name="interrupted", client=client).register()
    real = concurrent.futures.Future.result

    def interrupted(future, timeout=None):
        real(future, timeout)
        monkeypatch.setattr(concurrent.futures.Future, "result", real)
        raise KeyboardInterrupt

    monkeypatch.setattr(concurrent.futures.Future, "result", interrupted)
    with pytest.raises(KeyboardInterrupt):
        semaphore.acquire()
    assert semaphore.get_value() == 0
