"""What a project used lately outlives its governor."""

from __future__ import annotations

import asyncio
import json
import stat

import pytest
from distributed import Client, LocalCluster

from docdask import GovernorPlugin, QuotaSemaphore
from docdask.core.spec import EndpointSpec, SemaphoreSpec
from docdask.engine.clusters import local
from docdask.engine.protocol import PLUGIN
from docdask.engine.usage import FOLDER, Saved, UsageFiles
from docdask.settings import load
from tests.engine.test_governor_plugin import until

SECOND = 10**9
NOW = 1_800_000_000 * SECOND
SPEC = SemaphoreSpec((EndpointSpec("us", requests=8),), period_ns=60 * SECOND)
LEDGER = SemaphoreSpec(SPEC.endpoints, period_ns=60 * SECOND, ledger=True)


def saved(semaphore="s", governor="g", at=NOW, used=((NOW, 5),), epochs=()):
    meters = {"requests/us": {"used": [list(u) for u in used], "share_ppm": 900_000, "bursts": False}}
    return Saved(semaphore, governor, at, 60 * SECOND, meters, epochs)


def cluster(body, state, *, ledger=""):
    """Run ``body(client)`` on a cluster in this process whose governor keeps its use in ``state``."""

    async def go():
        async with (
            LocalCluster(n_workers=0, processes=False, asynchronous=True, dashboard_address=":0", protocol="tcp://") as made,
            Client(made, asynchronous=True) as client,
        ):  # fmt: skip
            await client.register_plugin(GovernorPlugin(ledger, state=str(state)))
            await asyncio.wait_for(body(made.scheduler.extensions[PLUGIN]), 60)

    asyncio.run(go())


async def calls(count, spec=SPEC, **wish):
    semaphore = QuotaSemaphore(name="s", spec=spec)
    for _ in range(count):
        async with semaphore.permit(**wish):
            pass


async def used():
    return (await QuotaSemaphore(name="s", spec=SPEC).view()).meters[0].used


def test_what_is_saved_is_read_back_by_others(tmp_path):
    files = UsageFiles(tmp_path)
    state = saved(epochs=(("/runs/june", 3),))
    files.save([state, saved("t")])
    assert files.load("s", "another", NOW) == [state]
    assert files.load("s", "g", NOW) == []  # its own
    assert files.load("u", "another", NOW) == []


def test_only_its_owner_may_read_it(tmp_path):
    folder = load(state=str(tmp_path / "state")).state_folder
    UsageFiles(folder).save([saved()])
    (file,) = (folder / FOLDER).iterdir()
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / FOLDER, file)]
    assert [oct(mode) for mode in modes] == ["0o700", "0o700", "0o600"]


def test_what_is_older_than_three_periods_is_removed(tmp_path):
    files = UsageFiles(tmp_path)
    files.save([saved()])
    assert len(files.load("s", "another", NOW + 180 * SECOND)) == 1
    assert files.load("s", "another", NOW + 181 * SECOND) == []
    assert list((tmp_path / FOLDER).iterdir()) == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[:-20],
        lambda text: text.replace('"format":1', '"format":2'),
        lambda text: text.replace(f"[{NOW},5]", f"[{NOW},-5]"),
        lambda text: text.replace(f"[[{NOW},5]]", "7"),
        lambda text: "[]",
    ],
)
def test_a_damaged_file_is_left_out_and_the_log_says_why(tmp_path, caplog, damage):
    files = UsageFiles(tmp_path)
    files.save([saved(), saved(governor="whole")])
    path = next(p for p in (tmp_path / FOLDER).iterdir() if ".g." in p.name)
    path.write_text(damage(path.read_text()))
    assert [state.governor for state in files.load("s", "another", NOW)] == ["whole"]
    assert "is left out, it can't be read: " in caplog.text


def test_many_calls_are_few_numbers_none_of_them_earlier_than_it_was(tmp_path):
    files = UsageFiles(tmp_path)
    sent = [(NOW + n * SECOND // 100, 1) for n in range(6000)]
    files.save([saved(used=sent)])
    (state,) = files.load("s", "another", NOW)
    kept = state.meters["requests/us"]["used"]
    assert len(kept) <= 260
    assert sum(amount for _, amount in kept) == 6000
    for upto in (NOW + 7 * SECOND, NOW + 33 * SECOND):
        assert sum(n for at, n in kept if at <= upto) <= sum(n for at, n in sent if at <= upto)


def test_a_new_governor_does_not_burst_into_a_minute_that_is_spent(tmp_path):
    async def first(shell):
        await calls(6)

    async def second(shell):
        semaphore = QuotaSemaphore(name="s", spec=SPEC)
        await semaphore.register()
        assert await used() == 6
        waiting = [asyncio.ensure_future(semaphore.acquire()) for _ in range(4)]
        while not sum((await semaphore.view()).waiting.values()):
            pass
        assert sum(one.done() for one in waiting) <= 2
        for one in waiting:
            one.cancel()

    cluster(first, tmp_path)
    cluster(second, tmp_path)


def test_it_is_saved_while_the_governor_lives_not_only_when_it_ends(tmp_path):
    async def there():
        return list(tmp_path.glob(f"{FOLDER}/*.json"))

    async def body(shell):
        await calls(3)
        await until(there)
        (path,) = tmp_path.glob(f"{FOLDER}/*.json")
        assert json.loads(path.read_text())["semaphore"] == "s"

    cluster(body, tmp_path)


def test_semaphores_without_a_name_of_their_own_leave_nothing_behind(tmp_path):
    async def body(shell):
        async with QuotaSemaphore(5):
            pass

    cluster(body, tmp_path)
    assert not list(tmp_path.glob(f"{FOLDER}/*"))


def test_what_is_in_the_ledger_and_in_the_saved_state_counts_once(tmp_path):
    run = str(tmp_path / "run")

    async def first(shell):
        await QuotaSemaphore(name="s", spec=LEDGER).open_run("june", ledger=run)
        await calls(3, LEDGER, run="june")

    async def second(shell):
        semaphore = QuotaSemaphore(name="s", spec=LEDGER)
        await semaphore.register()
        assert (await semaphore.view()).meters[0].used == expected[0]
        await semaphore.open_run("june", ledger=run)
        assert (await semaphore.view()).meters[0].used == 3

    expected = [3]
    cluster(first, tmp_path)
    cluster(second, tmp_path)
    # The saved state is lost: all of it comes from the ledger.
    for path in tmp_path.glob(f"{FOLDER}/*"):
        path.unlink()
    expected = [0]
    cluster(second, tmp_path)


def test_intents_after_the_last_saving_come_from_the_ledger(tmp_path):
    run = str(tmp_path / "run")

    async def first(shell):
        await QuotaSemaphore(name="s", spec=LEDGER).open_run("june", ledger=run)
        await calls(2, LEDGER, run="june")
        state = shell._export("s")
        await calls(3, LEDGER, run="june")
        await QuotaSemaphore(name="s", spec=LEDGER).view()
        UsageFiles(tmp_path / "state").save([state])

    async def second(shell):
        semaphore = QuotaSemaphore(name="s", spec=LEDGER)
        await semaphore.register()
        assert (await semaphore.view()).meters[0].used == 2
        await semaphore.open_run("june", ledger=run)
        assert (await semaphore.view()).meters[0].used == 5

    cluster(first, tmp_path / "elsewhere")
    cluster(second, tmp_path / "state")


def test_a_folder_that_can_not_be_written_keeps_nobody_from_a_permit(tmp_path, caplog):
    (tmp_path / "state").write_text("no folder")

    async def told():
        return "can't be kept" in caplog.text

    async def body(shell):
        await calls(2)
        await until(told)
        await calls(2)

    cluster(body, tmp_path / "state")


def test_the_local_cluster_has_a_governor_and_keeps_what_was_used(tmp_path):
    mine = load(state=str(tmp_path), workers=1, idle_s=20, dashboard_port=0)
    try:
        with Client(local.find_or_start(mine).address) as client:
            assert client.run_on_scheduler(lambda dask_scheduler: PLUGIN in dask_scheduler.extensions)
            with QuotaSemaphore(60, "weather"):
                pass
    finally:
        local.stop(mine)
    assert list(tmp_path.glob(f"{FOLDER}/*.json"))
