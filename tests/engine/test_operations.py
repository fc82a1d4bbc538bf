"""One batch operation against the emulator: what comes out, what it costs, and what becomes of it when we are killed."""

from __future__ import annotations

import asyncio
import hashlib
import io
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from distributed import Client

from docdask import QuotaSemaphore
from docdask.core.routes import Configuration, Place, Processor, Route
from docdask.core.server import ServerSettings, Switches
from docdask.core.server.latency import Latency
from docdask.core.spec import BreakerSpec, EndpointSpec, SemaphoreSpec
from docdask.engine import lostandfound, operations
from docdask.engine.operations import Adjourned, BatchFile, BatchRequest, Earlier, run_batch
from docdask.errors import DocumentError, UsageError
from docdask.service.documentai import DocumentAI
from docdask.service.emulator import EmulatorConfig
from docdask.service.errors import ServiceError, make
from docdask.service.message import parse
from docdask.service.staging import Staging
from docdask.testing import emulator, emulator_config

__all__ = ["emulator", "emulator_config"]

SECOND_NS = 10**9
PDF = "application/pdf"
PERIOD_S = 0.3
"""A minute, so that a poll waits for 50 ms."""


def pdf(pages=1, text="Page"):
    from reportlab.pdfgen.canvas import Canvas

    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(612, 792), invariant=True)
    for number in range(1, pages + 1):
        canvas.drawString(72, 700, f"{text} {number}")
        canvas.showPage()
    canvas.save()
    return out.getvalue()


BAD = b"%PDF-1.4 nothing in it"
CONTENTS = {"one": pdf(1, "Alone"), "twelve": pdf(12, "Of twelve"), "bad": BAD}
PAGES = {"one": 1, "twelve": 12, "bad": 1}


def staged(unit, content=None, pages=None):
    content = CONTENTS[unit] if content is None else content

    async def load():
        return content

    digest = hashlib.sha256(content).hexdigest()
    return BatchFile(
        unit, digest, PDF, pages or PAGES[unit], load=load, cost_micros=1500 * (pages or PAGES[unit])
    )


def configuration():
    places = tuple(Place(at, f"projects/my-project/locations/{at}/processors/ocr") for at in ("us", "eu"))
    row = Processor("ocr", "OCR_PROCESSOR", places)
    return Configuration(
        "my-project", "us", {"ocr": row}, (Route("all", processor="ocr"),), staging="gs://bucket/stage", period_s=PERIOD_S,
        emulated=True,
    )  # fmt: skip


class Bench:
    """A client, a bucket, a governor of its own, and what was noted."""

    def __init__(self, emulator, client, semaphore):
        self.emulator, self.semaphore = emulator, semaphore
        self.configuration = configuration()
        self.client = DocumentAI(self.configuration, emulator_host=emulator.grpc_address)
        self.staging = Staging("gs://bucket/stage", endpoint=emulator.http_url)
        self.noted: list[tuple[str, bool]] = []
        self.polls: list[int] = []
        """Times that an operation had been asked after when its name was noted."""
        self.stop = asyncio.Event()

    def request(self, *files, locations=("us",), request_id="request-1", **more):
        row = self.configuration.processors["ocr"]
        places = {f"{place.location}/ocr": place for place in row.places if place.location in locations}
        return BatchRequest(request_id, files, row, places, **more)

    async def note(self, name, permit, adopted):
        assert not permit.returned
        self.polls.append(len(self.emulator.calls(method="GetOperation")))
        self.noted.append((name, adopted))
        kind = "adopted" if adopted else "operation"
        pages, micros = self.cost if adopted else (0, 0)
        await self.semaphore.note("", "request-1", permit.fence, kind, code=name, pages=pages, micros=micros)

    def listen(self, request, **more):
        more.setdefault("noted", self.note)
        self.cost = request.pages, request.cost_micros
        return run_batch(
            request, client=self.client, staging=self.staging, semaphore=self.semaphore, stop=self.stop, **more
        )  # fmt: skip

    async def run(self, request, **more):
        return [item async for item in self.listen(request, **more)]

    async def stranger(self):
        """Begin an operation of somebody else's; its name."""
        uri = await self.staging.upload(staged("twelve").sha256, PDF, CONTENTS["twelve"])
        place, row = self.request().places["us/ocr"], self.configuration.processors["ocr"]
        return await self.client.submit(place, row, [(uri, PDF)], "gs://bucket/elsewhere")

    async def run_beside(self, stranger, earlier):
        """What is found of one document, and whether the stranger's had ended when it was handed in."""
        listening = self.listen(self.request(staged("one")), earlier=earlier)
        asked = asyncio.ensure_future(anext(listening))
        while len(self.submissions()) < 2:  # noqa: ASYNC110 - the emulator's books are asked
            await asyncio.sleep(0.01)
        done = (await self.client.operation(stranger)).done
        return [await asked, *[item async for item in listening]], done

    def submissions(self):
        return self.emulator.calls(method="BatchProcessDocuments", code="OK")

    async def money(self):
        budget = (await self.semaphore.view()).budgets[0]
        return budget.pages_spent, budget.pages_at_risk

    async def close(self):
        await self.client.close()
        await self.staging.close()


def spec(batch=5):
    endpoints = tuple(
        EndpointSpec(f"{at}/ocr", location=at, requests=120, batch=batch) for at in ("us", "eu")
    )
    return SemaphoreSpec(
        endpoints,
        period_ns=int(PERIOD_S * SECOND_NS),
        user_requests=1800,
        adaptive=False,
        breaker=BreakerSpec(silence_ns=SECOND_NS // 50),
    )


@pytest.fixture
def bench(emulator, request):
    """Run a coroutine function with a bench."""
    emulator.storage_client().create_bucket("bucket")
    operations._NOTED.clear()

    def run(function, **limits):
        async def inside():
            async with Client(
                processes=False, asynchronous=True, dashboard_address=None, n_workers=1
            ) as client:
                semaphore = QuotaSemaphore(
                    name=f"documentai/{request.node.name}", spec=spec(**limits), client=client
                )
                await semaphore.register()
                made = Bench(emulator, client, semaphore)
                try:
                    return await function(made)
                finally:
                    await made.close()

        return asyncio.run(inside())

    return run


def pages_of(found):
    return {unit: len(parse(one).pages) for unit, one in found if isinstance(one, bytes)}


def kinds_of(found):
    return {unit: getattr(one, "kind", None) or one.code for unit, one in found if not isinstance(one, bytes)}


class TestOneOperation:
    def test_every_file_once_whatever_it_comes_from(self, bench, emulator):
        bucket = emulator.storage_client().bucket

        async def function(b):
            bucket("bucket").blob("theirs/three.pdf").upload_from_string(pdf(3), content_type=PDF)

            async def gone():
                raise DocumentError("vanished", "the file is no longer there", "put it back")

            files = (
                staged("one"),
                replace(staged("one"), unit_id="the same again"),
                staged("twelve"),
                BatchFile("in place", "0" * 64, PDF, 3, uri="gs://bucket/theirs/three.pdf"),
                BatchFile("gone", "1" * 64, PDF, 1, load=gone),
            )
            found = await b.run(b.request(*files, labels={"run": "may"}))
            assert b.polls == [0], "nobody waits before the name is noted"
            return found, b.noted, await b.money(), (await b.semaphore.view()).held

        found, noted, money, held = bench(function)
        assert len(found) == 5
        assert pages_of(found) == {"one": 1, "the same again": 1, "twelve": 12, "in place": 3}
        assert kinds_of(found) == {"gone": "vanished"}
        assert [adopted for _, adopted in noted] == [False]
        assert (money, held) == ((16, 0), 0)
        assert emulator.stats()["pages_billed"] == 16  # what is there twice is read once

    def test_what_failed_has_its_own_reason_and_costs_nothing(self, bench, emulator):
        async def function(b):
            return await b.run(b.request(*map(staged, CONTENTS))), await b.money()

        found, money = bench(function)
        assert pages_of(found) == {"one": 1, "twelve": 12}
        assert kinds_of(found) == {"bad": "corrupt"}
        assert money == (13, 0)
        assert emulator.stats()["pages_billed"] == 13

    def test_all_failed(self, bench, emulator):
        async def function(b):
            return await b.run(b.request(staged("bad"), staged("worse", BAD + b"!", 2))), await b.money()

        found, money = bench(function)
        assert kinds_of(found) == {"bad": "corrupt", "worse": "corrupt"}
        assert money == (0, 0)

    def test_nothing_to_send_is_not_sent(self, bench, emulator):
        async def function(b):
            async def gone():
                raise DocumentError("vanished", "the file is no longer there", "put it back")

            return await b.run(b.request(BatchFile("gone", "1" * 64, PDF, 1, load=gone)))

        assert kinds_of(bench(function)) == {"gone": "vanished"}
        assert emulator.calls(method="BatchProcessDocuments") == []

    def test_a_file_that_is_staged_is_not_loaded_again(self, bench):
        async def function(b):
            first = staged("one")
            await b.staging.upload(first.sha256, PDF, CONTENTS["one"])

            async def load():
                raise AssertionError

            return await b.run(b.request(replace(first, load=load)))

        assert pages_of(bench(function)) == {"one": 1}

    def test_options_that_can_not_be_right_cost_nothing(self, bench, emulator):
        async def function(b):
            request = b.request(staged("one"))
            wrong = replace(request, processor=replace(request.processor, options={"nothing": 1}))
            with pytest.raises(UsageError, match="options of processor"):
                await b.run(wrong)
            return await b.money(), (await b.semaphore.view()).held

        assert bench(function) == ((0, 0), 0)

    def test_a_refusal_of_all_ends_it_and_costs_nothing(self, bench, emulator):
        emulator.documentai_client().disable_processor(
            request={"name": "projects/my-project/locations/us/processors/ocr"}
        ).result(timeout=10)

        async def function(b):
            with pytest.raises(ServiceError, match="is disabled") as caught:
                await b.run(b.request(staged("one")))
            return caught.value.scope, await b.money()

        assert bench(function) == ("processor", (0, 0))


class TestPartialSuccess:
    @pytest.fixture
    def emulator_config(self):
        return EmulatorConfig(
            ocr="fast", server=ServerSettings(switches=Switches(partial_failure="succeeded"))
        )

    def test_an_operation_that_succeeded_may_have_files_that_did_not(self, bench):
        async def function(b):
            return await b.run(b.request(*map(staged, CONTENTS)))

        found = bench(function)
        assert (pages_of(found), kinds_of(found)) == ({"one": 1, "twelve": 12}, {"bad": "corrupt"})


SLOW = Latency(batch_base_ns=SECOND_NS // 2)


class TestSlots:
    @pytest.fixture
    def emulator_config(self):
        limits = ServerSettings().limits.override({"batch_operations": 1})
        return EmulatorConfig(ocr="fast", server=ServerSettings(latency=SLOW, limits=limits))

    def test_operations_wait_for_each_other_and_none_is_refused(self, bench, emulator):
        async def function(b):
            requests = [b.request(staged("one"), request_id=f"request-{n}") for n in range(3)]
            return await asyncio.gather(*(b.run(request, noted=_quiet) for request in requests))

        assert [pages_of(found) for found in bench(function, batch=1)] == [{"one": 1}] * 3
        assert {row["code"] for row in emulator.calls(method="BatchProcessDocuments")} == {"OK"}

    def test_a_slot_that_others_hold_is_waited_for(self, bench, emulator):
        async def function(b):
            first = asyncio.ensure_future(b.run(b.request(staged("one"), request_id="1"), noted=_quiet))
            second = asyncio.ensure_future(b.run(b.request(staged("twelve"), request_id="2"), noted=_quiet))
            return await first, await second

        found = bench(function, batch=2)  # the governor believes in a slot that is not there
        assert [pages_of(one) for one in found] == [{"one": 1}, {"twelve": 12}]
        codes = [row["code"] for row in emulator.calls(method="BatchProcessDocuments")]
        assert codes.count("OK") == 2
        assert "RESOURCE_EXHAUSTED" in codes

    def test_two_regions_have_slots_of_their_own(self, bench, emulator):
        async def function(b):
            requests = [b.request(staged("one"), locations=("us", "eu"), request_id=str(n)) for n in range(2)]
            return await asyncio.gather(*(b.run(request, noted=_quiet) for request in requests))

        bench(function, batch=1)
        assert {row["location"] for row in emulator.calls(method="BatchProcessDocuments")} == {"us", "eu"}


async def _quiet(name, permit, adopted):
    """Note nothing."""


class TestComingBack:
    @pytest.fixture
    def emulator_config(self):
        return EmulatorConfig(ocr="fast", server=ServerSettings(latency=SLOW))

    def test_a_stopped_run_leaves_the_operation_and_the_next_adopts_it(self, bench, emulator):
        async def function(b):
            request = b.request(*map(staged, CONTENTS))
            listening = asyncio.ensure_future(b.run(request))
            while not b.noted:  # noqa: ASYNC110 - the callback tells by appending
                await asyncio.sleep(0.01)
            b.stop.set()
            with pytest.raises(Adjourned) as left:
                await listening
            money = await b.money()
            b.stop.clear()
            found = await b.run(request, earlier=Earlier(left.value.name))
            assert await b.money() == (13, 0), "now somebody knows"
            return money, found, b.noted

        money, found, noted = bench(function)
        assert money == (0, 14)  # all of it at risk, until somebody knows
        assert pages_of(found) == {"one": 1, "twelve": 12}
        assert [adopted for _, adopted in noted] == [False, True]
        assert noted[0][0] == noted[1][0]
        assert len(emulator.calls(method="BatchProcessDocuments")) == 1
        assert emulator.stats()["pages_billed"] == 13

    def test_a_stop_before_anything_was_sent_sends_nothing(self, bench, emulator):
        async def function(b):
            b.stop.set()
            with pytest.raises(Adjourned) as left:
                await b.run(b.request(staged("one")))
            return left.value.name

        assert bench(function) == ""
        assert emulator.calls(method="BatchProcessDocuments") == []

    def test_killed_between_submission_and_note_it_is_found_and_not_sent_again(self, bench, emulator):
        since_s = time.time()
        code = KILLED.format(grpc=emulator.grpc_address, http=emulator.http_url)
        child = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
        )
        assert child.returncode == -signal.SIGKILL, child.stderr[-2000:]

        async def function(b):
            assert len(b.submissions()) == 1
            found = await b.run(b.request(*map(staged, CONTENTS)), earlier=Earlier(since_s=since_s))
            return found, b.noted

        found, noted = bench(function)
        assert pages_of(found) == {"one": 1, "twelve": 12}
        assert kinds_of(found) == {"bad": "corrupt"}
        assert [adopted for _, adopted in noted] == [True]
        assert len(emulator.calls(method="BatchProcessDocuments")) == 1
        assert emulator.stats()["pages_billed"] == 13

    def test_killed_before_the_submission_it_is_sent(self, bench, emulator):
        async def function(b):
            found = await b.run(b.request(staged("one")), earlier=Earlier(since_s=time.time() - 5))
            return found, b.noted

        found, noted = bench(function)
        assert pages_of(found) == {"one": 1}
        assert [adopted for _, adopted in noted] == [False]

    def test_one_that_failed_for_all_files_is_found_by_its_files(self, bench, emulator):
        async def function(b):
            await b.run(b.request(staged("bad")))
            operations._NOTED.clear()  # as another process would
            b.noted.clear()
            found = await b.run(b.request(staged("bad")), earlier=Earlier(since_s=time.time() - 60))
            return found, b.noted

        found, noted = bench(function)
        assert kinds_of(found) == {"bad": "corrupt"}
        assert [adopted for _, adopted in noted] == [True]
        assert len(emulator.calls(method="BatchProcessDocuments")) == 1

    def test_a_stranger_that_could_be_it_is_waited_for(self, bench, emulator, caplog):
        async def function(b):
            stranger = await b.stranger()
            found = await b.run(b.request(staged("one")), earlier=Earlier(since_s=time.time() - 60))
            return found, (await b.client.operation(stranger)).done

        found, done = bench(function)
        assert pages_of(found) == {"one": 1}
        assert done, "nothing was sent before it had ended"
        assert "nothing is sent again before they end" in caplog.text

    def test_a_stranger_that_is_known_is_not_waited_for(self, bench, emulator):
        async def function(b):
            stranger = await b.stranger()
            return await b.run_beside(stranger, Earlier(since_s=time.time() - 60, others={stranger}))

        found, done = bench(function)
        assert pages_of(found) == {"one": 1}
        assert not done

    def test_a_stranger_that_began_too_late_to_be_it_is_not_waited_for(self, bench, emulator):
        """Others may begin one operation after another: whoever waited for all of them would wait for ever."""

        async def function(b):
            stranger = await b.stranger()
            tried_s = time.time() - 2 * operations.SUBMIT_S
            return await b.run_beside(stranger, Earlier(since_s=tried_s - 60, tried_s=tried_s))

        found, done = bench(function)
        assert pages_of(found) == {"one": 1}
        assert not done

    def test_what_is_about_to_be_handed_in_is_written_down_before(self, bench):
        order = []

        async def function(b):
            send = b.client.submit

            async def submit(*asked, **more):
                order.append("submit")
                return await send(*asked, **more)

            async def trying():
                order.append("trying")

            b.client.submit = submit
            return await b.run(b.request(staged("one")), trying=trying)

        assert pages_of(bench(function)) == {"one": 1}
        assert order == ["trying", "submit"]

    def test_an_operation_elsewhere_is_told(self, bench):
        async def function(b):
            name = "projects/my-project/locations/asia-south1/operations/1"
            with pytest.raises(ServiceError, match="runs in asia-south1") as caught:
                await b.run(b.request(staged("one")), earlier=Earlier(name))
            return caught.value.kind

        assert bench(function) == "operation-elsewhere"


# What a driver does that dies between the submission and the note.
KILLED = """
import asyncio, os, signal
from distributed import Client
from docdask import QuotaSemaphore
from tests.engine.test_operations import CONTENTS, BatchRequest, DocumentAI, Staging, configuration, run_batch, spec, staged

async def die(name, permit, adopted):
    os.kill(os.getpid(), signal.SIGKILL)

async def main():
    async with Client(processes=False, asynchronous=True, dashboard_address=None, n_workers=1) as client:
        semaphore = QuotaSemaphore(name="documentai/killed", spec=spec(), client=client)
        known = configuration()
        row = known.processors["ocr"]
        request = BatchRequest("request-1", tuple(map(staged, CONTENTS)), row, {{"us/ocr": row.places[0]}})
        made = DocumentAI(known, emulator_host="{grpc}")
        staging = Staging("gs://bucket/stage", endpoint="{http}")
        async for _ in run_batch(request, client=made, staging=staging, semaphore=semaphore, noted=die):
            pass

asyncio.run(main())
"""


class TestLost:
    @pytest.fixture
    def emulator_config(self):
        return EmulatorConfig(ocr="fast", server=ServerSettings(latency=SLOW))

    def test_an_answer_that_was_lost_is_looked_for_and_not_sent_again(self, bench, emulator):
        emulator.faults(lost=1.0)

        async def function(b):
            return await b.run(b.request(*map(staged, CONTENTS))), b.noted, await b.money()

        found, noted, money = bench(function)
        assert pages_of(found) == {"one": 1, "twelve": 12}
        assert len(noted) == 1
        assert money == (13, 0)
        assert len(emulator.calls(method="BatchProcessDocuments")) == 1
        assert emulator.stats()["pages_billed"] == 13

    def test_an_operation_that_shows_itself_late_is_not_sent_again(self, bench, emulator):
        emulator.faults(lost=1.0)

        async def function(b):
            ask, looks = b.client.operations, [0]

            async def slow(location, **more):
                looks[0] += 1
                return await ask(location, **more) if looks[0] > 2 else []

            b.client.operations = slow
            return await b.run(b.request(staged("one")))

        assert pages_of(bench(function)) == {"one": 1}
        assert len(emulator.calls(method="BatchProcessDocuments")) == 1

    def test_what_never_arrived_is_sent_again(self, bench, emulator):
        async def function(b):
            send, tries = b.client.submit, [0]

            async def weak(*asked, **more):
                tries[0] += 1
                if tries[0] == 1:
                    raise make("deadline")
                return await send(*asked, **more)

            b.client.submit = weak
            return await b.run(b.request(staged("one"))), await b.money()

        found, money = bench(function)
        assert pages_of(found) == {"one": 1}
        assert money == (1, 0)
        assert len(emulator.calls(method="ListOperations")) == operations.LOOKS

    def test_what_the_service_has_forgotten_is_taken_from_the_bucket(self, bench, emulator):
        async def function(b):
            request = b.request(*map(staged, CONTENTS))
            await b.run(request)
            emulator.reset()  # operations are gone, objects stay
            found = await b.run(request, earlier=Earlier(b.noted[0][0]))
            return found, await b.money()

        found, _ = bench(function)
        assert pages_of(found) == {"one": 1, "twelve": 12}
        assert kinds_of(found) == {"bad": "no-status"}
        assert emulator.calls(method="BatchProcessDocuments") == []

    def test_a_name_that_was_lost_and_forgotten_is_found_in_the_bucket(self, bench, emulator):
        """What is under our prefix is ours and paid, although the service has forgotten who wrote it."""

        async def function(b):
            await b.run(b.request(*map(staged, CONTENTS)))
            operations._NOTED.clear()  # as another process would
            emulator.reset()  # operations are gone, objects stay
            return await b.run(b.request(*map(staged, CONTENTS)), earlier=Earlier(since_s=time.time() - 60))

        found = bench(function)
        assert pages_of(found) == {"one": 1, "twelve": 12}
        assert emulator.calls(method="BatchProcessDocuments") == []

    def test_an_operation_is_looked_for_in_the_project_of_its_processor(self, bench, emulator):
        async def function(b):
            await b.run(b.request(staged("bad")))
            operations._NOTED.clear()
            b.client.configuration = replace(b.configuration, project="another")
            await b.run(b.request(staged("bad")), earlier=Earlier(since_s=time.time() - 60))

        bench(function)
        assert len(emulator.calls(method="BatchProcessDocuments")) == 1

    @pytest.mark.parametrize(
        ("inputs", "written", "places"),
        [
            (["x", "x", "y"], {1: "x", 2: "y"}, {1: 1, 2: 2}),  # the first x failed
            (["left-out", "x", "y"], {0: "x", 1: "y"}, {1: 0, 2: 1}),
            (["left-out", "x", "x", "y"], {1: "x", 2: "y"}, {3: 2}),  # which x it is, nobody knows
            (["x"], {0: "stranger"}, {}),
        ],
    )
    def test_a_result_is_taken_only_where_it_is_certain_whose_it_is(self, inputs, written, places):
        assert lostandfound._places(inputs, written) == places

    def test_what_is_nowhere_is_told_and_not_paid_again(self, bench, emulator):
        async def function(b):
            name = "projects/my-project/locations/us/operations/4711"
            with pytest.raises(ServiceError) as caught:
                await b.run(b.request(staged("one")), earlier=Earlier(name))
            return caught.value

        error = bench(function)
        assert (error.kind, error.retry) == ("operation-lost", False)
        assert "4711" in error.message
        assert emulator.calls(method="BatchProcessDocuments") == []

    def test_a_note_that_can_not_be_written_leaves_its_money_at_risk(self, bench, emulator):
        async def function(b):
            async def full(name, permit, adopted):
                raise OSError(28, "No space left on device")

            with pytest.raises(OSError, match="No space"):
                await b.run(b.request(staged("one")), noted=full)
            return await b.money(), (await b.semaphore.view()).held

        assert bench(function) == ((0, 1), 0)

    def test_polls_that_fail_are_repeated(self, bench, emulator):
        async def function(b):
            ask, failures = b.client.operation, [0]

            async def weak(name, **more):
                failures[0] += 1
                if failures[0] <= 3:
                    raise make("unavailable")
                return await ask(name, **more)

            b.client.operation = weak
            return await b.run(b.request(staged("one"))), failures[0]

        found, asked = bench(function)
        assert pages_of(found) == {"one": 1}
        assert asked > 3


class TestStuck:
    @pytest.fixture
    def emulator_config(self):
        return replace(EmulatorConfig(ocr="fast").with_faults("none"), speed=200_000.0)

    def test_what_the_service_gave_up_is_told_file_by_file(self, bench, emulator):
        emulator.faults(stuck=1.0)

        async def function(b):
            return await b.run(b.request(staged("one"), staged("twelve"))), await b.money()

        found, money = bench(function)
        assert kinds_of(found) == {"one": "operation-gave-up", "twelve": "operation-gave-up"}
        assert money == (0, 0)


def test_polls_are_ten_seconds_of_a_minute_apart_and_grow_rarer(bench, emulator, monkeypatch):
    waits: list[float] = []

    async def function(b):
        request = b.request(staged("one"))
        batch = operations._Batch(request, b.client, b.staging, b.semaphore, b.note, None, b.stop)

        async def pause(seconds):
            waits.append(seconds)

        batch._pause = pause
        wait_s = operations.POLL_S
        for _ in range(20):
            wait_s = await batch._pace(wait_s)

    bench(function)
    second = PERIOD_S / 60
    assert all(10 * second <= wait <= 60 * 1.25 * second for wait in waits)
    assert waits[0] < 12.6 * second
    assert min(waits[-5:]) >= 60 * second
    assert len(set(waits)) == 20
