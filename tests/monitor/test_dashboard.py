"""What the dashboard knows and says, without a browser: figures that are right, bounded, escaped, and shared by all who look."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import math
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from distributed import Client, LocalCluster

from docdask import GovernorPlugin, QuotaSemaphore
from docdask.core import events as ev
from docdask.core.breaker import BREAKER
from docdask.core.governor import Governor
from docdask.core.instructions import Grant
from docdask.core.spec import BreakerSpec, BudgetSpec, EndpointSpec, SemaphoreSpec
from docdask.engine import companions
from docdask.engine.protocol import PLUGIN
from docdask.monitor import dashboard
from docdask.monitor import dashboard_html as html
from docdask.monitor.dashboard_plots import Lines, QuotaOverTime, WaitingOverTime
from docdask.monitor.dashboard_style import DASHES, line_colours
from docdask.monitor.dashboard_watch import (
    LEAST_RATE_NS,
    MOST_ENDPOINTS,
    MOST_LINES,
    MOST_POINTS,
    MOST_RUNS,
    MOST_SEMAPHORES,
    Watch,
)

ROOT = Path(__file__).parents[2]
SECOND = 10**9
PARTS = [name for name, _ in dashboard.LAYOUT]


class Stage:
    """A governor, a clock that is set by hand, and somebody who looks."""

    utc_offset_ns = 1_700_000_000 * SECOND

    def __init__(self):
        self.governor, self.at_ns, self.count = Governor(), 0, 0
        self.watch = Watch(lambda: self.governor, self)

    def now_ns(self):
        return self.at_ns

    def tell(self, event):
        return [i for i in self.governor.handle(event) if isinstance(i, Grant)]

    def register(self, name="s", *endpoints, **more):
        spec = SemaphoreSpec(endpoints or (EndpointSpec("us", location="us", requests=60),), **more)
        self.tell(ev.Register(self.at_ns, name, spec))
        return self

    def want(self, count=1, name="s", pages=1, **more):
        ids = [f"p{self.count + n}" for n in range(count)]
        self.count += count
        waiters = tuple(ev.Waiter(id_, pages, more.pop("micros", 0)) for id_ in ids)
        return self.tell(ev.Want(self.at_ns, name, "w", waiters, **more))

    def answer(self, grants, verdict="ok", name="s"):
        outcomes = tuple(ev.Outcome(g.permit, g.fence, verdict, SECOND // 10) for g in grants)
        return self.tell(ev.Return(self.at_ns, name, "w", outcomes))

    def look(self, at_s=None):
        if at_s is not None:
            self.at_ns = round(at_s * SECOND)
        return self.watch.look()


# -- what is known ----------------------------------------------------------------------------------------------------


def test_nothing_is_known_while_nothing_is_registered_or_nobody_governs():
    stage = Stage()
    assert stage.look().semaphores == ()
    stage.governor = None
    assert stage.look(1).semaphores == ()
    assert not stage.watch.points


def test_quota_in_use_is_that_of_the_last_minute_also_when_nothing_happens():
    stage = Stage().register()
    stage.want(20)
    (row,) = stage.look(1).endpoints
    assert (row.requests.used, row.requests.limit, row.in_flight.used) == (20, 60, 20)
    assert row.quota_percent == pytest.approx(100 / 3)
    assert stage.look(70).endpoints[0].requests.used == 0


def test_all_who_look_at_one_moment_share_one_look():
    stage = Stage().register()
    first = stage.look(1)
    stage.want(5)
    assert stage.look(1.2) is first
    assert stage.look(1.5).endpoints[0].in_flight.used == 5


def test_endpoints_that_share_a_quota_show_the_same_one_and_say_so():
    stage = Stage().register(
        "s", EndpointSpec("us/a", requests=60, requests_group="us"), EndpointSpec("us/b", requests=60, requests_group="us")
    )  # fmt: skip
    stage.want(6)
    seen = [row.requests for row in stage.look().endpoints]
    assert [(g.used, g.limit, g.shared) for g in seen] == [(6, 60, 2), (6, 60, 2)]
    assert "shared by 2 endpoints" in html.endpoints(stage.look())


def test_a_rate_is_unknown_at_the_first_look_and_right_afterwards():
    stage = Stage().register()
    assert stage.look().pages_per_minute is None
    for at_s in range(1, 41):
        stage.at_ns = at_s * SECOND
        stage.answer(stage.want(pages=3))
        stage.look()
    reading = stage.look(40.9)
    assert reading.calls_per_minute == pytest.approx(60, rel=0.05)
    assert reading.pages_per_minute == pytest.approx(180, rel=0.05)


def test_what_was_seen_long_ago_makes_no_rate():
    stage = Stage().register()
    stage.look()
    stage.answer(stage.want(10))
    assert stage.look(3600).calls_per_minute is None
    assert stage.look(3600 + LEAST_RATE_NS / SECOND).calls_per_minute == 0


def test_time_left_is_what_was_announced_waits_and_is_in_flight_at_the_present_rate():
    stage = Stage().register("s", EndpointSpec("us", requests=6000))
    stage.tell(ev.OpenRun(0, "s", "june", calls=100, pages=200))
    stage.look()
    for at_s in range(1, 11):
        stage.at_ns = at_s * SECOND
        stage.answer(stage.want(pages=2, run="june"))
        stage.look()
    held = stage.want(pages=2, run="june")
    project, june = stage.look(10.9).runs
    assert (len(held), june.calls_left, june.budget.pages_reserved) == (1, 89, 2)
    assert june.eta_s == pytest.approx(180 / 2 * 10.9 / 10, rel=0.01)
    assert project.eta_s == pytest.approx(june.eta_s)


def test_of_what_nobody_announced_the_time_left_is_not_invented():
    stage = Stage().register()
    stage.look()
    stage.at_ns = 5 * SECOND
    stage.answer(stage.want(3))
    (project,) = stage.look(6).runs
    assert (project.calls_left, project.eta_s) == (0, None)
    assert "left, for" not in html.figures(stage.look())


def test_many_semaphores_endpoints_and_runs_are_bounded_and_the_rest_is_counted():
    stage = Stage()
    for n in range(MOST_SEMAPHORES + 5):
        stage.register(f"s{n:02d}", *(EndpointSpec(f"e{i}", requests=9) for i in range(3)))
    for n in range(40):
        stage.tell(ev.OpenRun(0, "s07", f"run-{n}", calls=n))
    stage.want(50, "s07", run="run-39")
    reading = stage.look()
    assert len(reading.semaphores) == MOST_SEMAPHORES
    assert reading.more_semaphores == 5
    assert len(reading.endpoints) == MOST_ENDPOINTS
    assert reading.more_endpoints == 3 * MOST_SEMAPHORES - MOST_ENDPOINTS
    runs = [row.budget.run for row in reading.runs if row.budget.run]
    assert len(runs) == MOST_RUNS == 40 - reading.more_runs
    assert "run-39" in runs
    assert {row.semaphore for row in reading.endpoints} >= {"s07"}
    said = "".join(draw(reading) for draw in (html.figures, html.endpoints, html.runs))
    for words in ("5 semaphores with", "12 endpoints with", "30 runs with"):
        assert words in said


def test_the_history_is_bounded_and_has_a_point_a_second():
    stage = Stage().register()
    for half_s in range(3 * MOST_POINTS):
        stage.look(half_s / 2)
    assert len(stage.watch.points) == MOST_POINTS
    assert stage.watch.taken == 3 * MOST_POINTS / 2


def test_lines_keep_their_place_until_others_work_and_they_do_not():
    stage = Stage().register("s", *(EndpointSpec(f"e{n}", requests=9) for n in range(MOST_LINES + 2)))
    before = stage.look().lines
    assert len(before) == MOST_LINES
    (unseen, *_) = [row.name for row in stage.watch.look().endpoints if row.key not in before]
    stage.want(endpoints=(unseen,))
    after = stage.look(2).lines
    assert ("s", unseen) in after
    assert sum(a != b for a, b in zip(before, after, strict=True)) == 1
    assert stage.look(3).lines == after


# -- what is said -----------------------------------------------------------------------------------------------------


def test_with_nothing_registered_every_part_that_stands_alone_says_so():
    stage = Stage()
    for part in PARTS:
        made = dashboard.make(part, stage.watch, alone=True)
        made.show(stage.look())
        text = made.head.text if isinstance(made, Lines) else made.root.text
        assert "Nothing is registered yet" in text, part
        assert made.root.visible


def test_with_nothing_registered_the_page_says_so_once():
    stage = Stage()
    made = [dashboard.make(part, stage.watch, alone=False) for part in PARTS]
    for part in made:
        part.show(stage.look())
    assert [part.root.name for part in made if part.root.visible] == ["figures"]


def test_names_from_outside_are_text():
    bad = "<script>alert(1)</script>&\"'"
    stage = Stage().register(bad, EndpointSpec(bad + "e", requests=9), user_requests=9)
    stage.register(bad + "2", EndpointSpec("e", requests=9))
    stage.tell(ev.OpenRun(0, bad, bad + "r", calls=3))
    reading = stage.look()
    lines = QuotaOverTime(stage.watch, alone=False)
    lines.show(reading)
    said = html.figures(reading) + html.endpoints(reading) + html.runs(reading) + lines.head.text
    assert "<script" not in said
    assert "&lt;script&gt;alert(1)" in said


def test_a_long_name_is_shown_by_its_ends_and_told_in_full():
    name = "projects/acme/locations/eu/processors/0123456789abcdef/processorVersions/pretrained-ocr-v2.1-2024-08-07"
    stage = Stage().register("s", EndpointSpec(name, requests=9))
    stage.tell(ev.OpenRun(0, "s", f"/{name}", calls=3))
    lines = QuotaOverTime(stage.watch, alone=False)
    lines.show(stage.look())
    for said, full in (
        (html.endpoints(stage.look()), name),
        (html.runs(stage.look()), f"/{name}"),
        (lines.head.text, name),
    ):
        assert f'title="{full}"' in said
        (shown,) = re.findall(rf'title="{full}">(.*?)</span>', said)
        assert re.fullmatch(r"/?projects/acme.*….*-v2.1-2024-08-07", shown.replace("<wbr>", ""))
        assert len(shown.replace("<wbr>", "")) <= 73


def test_money_and_pages_stand_beside_their_budget():
    stage = Stage().register()
    stage.tell(ev.OpenRun(0, "s", "june", budget=BudgetSpec(pages=10, micros=30_000)))
    grants = stage.want(4, pages=2, run="june", micros=3_000)
    stage.answer(grants[:2])
    stage.answer(grants[2:3], "lost")
    said = html.runs(stage.look(2))
    assert "4 of 10" in said
    assert "2 in flight, 2 at risk" in said
    assert "of $0.03" in said


def test_breakers_quotas_of_others_closed_and_missing_limits_are_said_in_words():
    stage = Stage().register(
        "s", EndpointSpec("down", requests=600), EndpointSpec("shut", requests=0), EndpointSpec("free"),
        breaker=BreakerSpec(failures=2), burst=False, adaptive=False,
    )  # fmt: skip
    stage.answer(stage.want(endpoints=("down",)))
    for at_s in (1, 2, 3):
        stage.at_ns = at_s * SECOND
        stage.answer(stage.want(endpoints=("down",)), "quota")
    assert "others leave" in html.endpoints(stage.look(4))
    for at_s in (30, 31):
        stage.at_ns = at_s * SECOND
        stage.answer(stage.want(endpoints=("down",)), "transient")
    said = html.endpoints(stage.look(32))
    assert "open: not called" in said
    stage.at_ns = 60 * SECOND
    stage.want(endpoints=("down",))
    assert "half open: probing" in html.endpoints(stage.look(61))
    assert "closed: the limit is 0" in said
    assert "no limit" in said


def test_every_state_of_a_breaker_has_its_words():
    states = {state for transition in BREAKER.items() for state in (transition[0][0], transition[1])}
    assert states == set(html.BREAKERS)


def test_a_period_that_is_no_minute_is_named():
    assert "quota used in the last 2 s" in html.endpoints(Stage().register(period_ns=2 * SECOND).look())
    assert "quota used in the last minute" in html.endpoints(Stage().register().look())


def test_every_line_has_a_colour_and_a_dash_of_its_own():
    from docdask.charts.theme import DARK, LIGHT

    assert len(DASHES) == len(set(DASHES)) == MOST_LINES
    for theme in (LIGHT, DARK):
        assert len(set(line_colours(theme))) == MOST_LINES


def test_lines_grow_by_new_points_and_have_a_gap_where_nobody_looked():
    stage = Stage().register()
    lines = WaitingOverTime(stage.watch, alone=False)
    sent = []
    for at_s in (0, 1, 2, 3, 60, 61):
        lines.show(stage.look(at_s))
        sent.append(len(lines.source.data["x"]))
    assert sent == [1, 2, 3, 4, 6, 7]
    shown = lines.source.data["y0"]
    assert [math.isnan(value) for value in shown] == [False] * 4 + [True] + [False] * 2
    times_s = [x / 1000 - 1_700_000_000 for x in lines.source.data["x"]]
    assert times_s == pytest.approx([0, 1, 2, 3, 3, 60, 61])


def test_a_line_shows_the_same_whoever_began_to_look_when():
    stage = Stage().register()
    early = QuotaOverTime(stage.watch, alone=False)
    for at_s in range(20):
        stage.at_ns = at_s * SECOND
        stage.want()
        early.show(stage.look())
    late = QuotaOverTime(stage.watch, alone=True)
    late.show(stage.look())
    for name in ("x", "y0"):
        assert list(early.source.data[name]) == list(late.source.data[name])
    assert late.source.data["y0"][-1] == pytest.approx(100 * 20 / 60)


# -- on a scheduler ---------------------------------------------------------------------------------------------------


def cluster(body, **options):
    """Run ``body(cluster, client)`` on a cluster in this process."""

    async def go():
        async with (
            LocalCluster(
                n_workers=0, processes=False, asynchronous=True, protocol="tcp://", **{"dashboard_address": ":0", **options}
            ) as made,
            Client(made, asynchronous=True) as client,
        ):  # fmt: skip
            await asyncio.wait_for(body(made, client), 60)

    asyncio.run(go())


async def fetch(made, path):
    def get():
        with urllib.request.urlopen(f"http://127.0.0.1:{made.scheduler.http_server.port}{path}") as reply:
            return reply.read().decode()

    return await asyncio.to_thread(get)


def test_the_page_comes_with_the_plugin_into_every_navigation_bar():
    async def body(made, client):
        await client.register_plugin(GovernorPlugin())
        await client.register_plugin(GovernorPlugin())
        assert (await fetch(made, "/status")).count('href="docdask"') == 1
        assert 'href="docdask"' in await fetch(made, "/docdask")
        listed = json.loads(await fetch(made, "/individual-plots.json"))
        mine = {url for url in listed.values() if "docdask" in url}
        assert mine == {f"/individual-docdask-{name}" for name in dashboard.PLOTS}
        for url in mine:
            assert "Bokeh" in await fetch(made, url)

    cluster(body)


def test_behind_a_prefix_it_has_the_prefix_too():
    async def body(made, client):
        await client.register_plugin(GovernorPlugin())
        assert 'href="docdask"' in await fetch(made, "/here/docdask")

    cluster(body, scheduler_kwargs={"http_prefix": "/here"})


def test_a_scheduler_without_a_dashboard_has_a_governor_all_the_same():
    async def body(made, client):
        await client.register_plugin(GovernorPlugin())
        assert await QuotaSemaphore(60, "s").acquire()
        assert dashboard.WATCH not in made.scheduler.extensions

    cluster(body, dashboard_address=None, scheduler_kwargs={"dashboard": False})


def test_nothing_is_read_while_nobody_looks_and_little_while_many_do(monkeypatch):
    def page(made):
        from bokeh.client import pull_session

        url = f"http://127.0.0.1:{made.scheduler.http_server.port}/docdask"
        sessions = [pull_session(url=url) for _ in range(2)]
        roots = {root.name: root for root in sessions[1].document.roots}
        for session in sessions:
            session.close()
        return roots

    async def body(made, client):
        await client.register_plugin(GovernorPlugin())
        semaphore = QuotaSemaphore(60, "s")
        looks = []
        watch = made.scheduler.extensions[dashboard.WATCH]
        monkeypatch.setattr(
            watch, "_read", lambda at_ns, real=watch._read: looks.append(at_ns) or real(at_ns)
        )
        for _ in range(5):
            await semaphore.acquire()
        assert looks == []
        roots = await asyncio.to_thread(page, made)
        assert "5 of 60" in roots["endpoints"].text
        assert all(later - earlier >= 0.4 * SECOND for earlier, later in itertools.pairwise(looks))

    cluster(body)


def test_who_can_not_come_along_is_logged_and_left_out(monkeypatch, caplog):
    class Point:
        value = "their.module:install"

        def load(self):
            raise ImportError("no module named their")

    came = []

    class Other:
        value = "other.module:install"

        def load(self):
            return came.append

    monkeypatch.setattr(companions.metadata, "entry_points", lambda group: [Point(), Other()])
    with caplog.at_level(logging.WARNING):
        companions.invite("scheduler")
    assert came == ["scheduler"]
    assert "their.module:install could not be put on the scheduler" in caplog.text


def test_the_entry_point_imports_no_bokeh():
    code = "import sys, docdask.monitor.dashboard; print([m for m in ('bokeh', 'pandas', 'matplotlib') if m in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_the_example_of_its_page_works():
    page = (ROOT / "docs" / "dashboard.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    asked = []

    class Client:
        def run_on_scheduler(self, function):
            asked.append(function)

    exec(compile(example, "dashboard.md", "exec"), names := {"client": Client()})
    stage = Stage().register(period_ns=SECOND)
    granted = stage.want(70, lane="bulk")
    shell = type("Shell", (), {"governor": stage.governor})
    scheduler = type("Scheduler", (), {"extensions": {PLUGIN: shell}})
    assert names["waiting"](scheduler)["s"]["bulk"] == 70 - len(granted) > 0
    assert asked == [names["waiting"]]
