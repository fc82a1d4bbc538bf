"""The short way to a plan's time against the simulator, and what is told to be faster."""

from __future__ import annotations

from collections import Counter

import pytest

from docdask.core.advising import Case, Situation, advise
from docdask.core.capacity import capacity
from docdask.core.limits import DEFAULT_BOOK
from docdask.core.requesting import Sender
from docdask.core.routes import Configuration
from docdask.core.server import GOOGLE
from docdask.core.server.calls import BatchDocument, Call
from docdask.core.server.latency import SECOND_NS
from docdask.core.server.service import Service
from docdask.core.server.settings import ServerSettings
from docdask.core.spreading import calls_of
from docdask.core.traffic import Traffic, batch_s, online_bounds, online_s
from docdask.engine.forecasting import simulated_s
from tests.engine.catalogs import configuration, processor


def traffic(
    configured: Configuration, alias: str, calls: dict[int, int], operations: tuple[int, ...] = ()
) -> Traffic:
    return Traffic(capacity([configured.processors[alias]], configured), Counter(calls), operations)


@pytest.mark.parametrize(
    ("alias", "locations", "calls", "decides"),
    [
        ("ocr", ("us",), {1: 3000}, "requests"),
        ("ocr", ("us",), {30: 1500}, "requests"),
        ("ocr", ("us", "eu"), {1: 1000, 2: 1000, 15: 1000, 30: 1000}, "requests"),
        ("invoice", ("europe-west3",), {1: 200}, "requests"),
        ("extractor", ("us",), {1: 500, 5: 500}, "pages"),
    ],
)
def test_the_short_way_is_that_of_the_simulator_within_a_tenth(alias, locations, calls, decides):
    configured = configuration(processors=[processor(alias, *locations)])
    what = traffic(configured, alias, calls)
    exact = simulated_s(what, configured, [configured.processors[alias]], GOOGLE, 256)
    assert online_s(what, GOOGLE) == pytest.approx(exact, rel=0.1)
    assert max(online_bounds(what, GOOGLE), key=lambda bound: bound.seconds).name == decides


def test_a_large_quota_leaves_calls_in_flight_to_decide():
    configured = configuration(limits={"online_requests": 6000, "user_requests": 100_000})
    what = traffic(configured, "ocr", {15: 6000})
    exact = simulated_s(what, configured, [configured.processors["ocr"]], GOOGLE, 256)
    assert online_s(what, GOOGLE) == pytest.approx(exact, rel=0.15)
    assert max(online_bounds(what, GOOGLE), key=lambda bound: bound.seconds).name == "in flight"


def test_a_faster_minute_shortens_everything():
    slow, fast = configuration(), configuration(period_s=6.0)
    own = [slow.processors["ocr"]]
    hours = simulated_s(traffic(slow, "ocr", {1: 1000}), slow, own, GOOGLE, 256)
    tenth = simulated_s(traffic(fast, "ocr", {1: 1000}), fast, own, GOOGLE.stretched(0.1), 256)
    assert tenth == pytest.approx(hours / 10)


def test_batches_take_as_long_as_the_service_takes_for_them():
    """Operations run through the model of the service itself, five at a time."""
    pages = [3000, 120, 5000, 40, 900, 2500, 700, 60, 4100]
    service = Service(ServerSettings(latency=GOOGLE), lambda: 0.5)
    call = Call("100000000000", "us", "ocr")
    left, running, now_ns = list(pages), [], 0
    while left or running:
        while left and len(running) < 5:
            verdict, operation = service.submit(call, 1, now_ns)
            assert verdict.status is None
            size = left.pop(0)
            files = [400] * (size // 400) + ([size % 400] if size % 400 else [])
            documents = [BatchDocument(count) for count in files]
            service.schedule(operation, documents, now_ns)
            running.append(operation)
        first = min(running, key=lambda operation: operation.finish_ns)
        now_ns = first.finish_ns
        service.finish(first, now_ns)
        running.remove(first)
    assert batch_s(pages, 5, GOOGLE) == pytest.approx(now_ns / SECOND_NS, abs=1e-6)


def test_calls_of_documents_are_packed_or_cut():
    sender = Sender(processor("ocr"), DEFAULT_BOOK, staged=False)
    assert calls_of({1: 65, 40: 2, 30: 1}, sender, packed=True) == {30: 2 + 2 + 1, 5: 1, 10: 2}
    assert calls_of({1: 65, 40: 2, 30: 1}, sender, packed=False) == {1: 65, 30: 3, 10: 2}


def situation(configured: Configuration, alias: str, documents: dict[int, int], *, packed: bool) -> Situation:
    sender = Sender(configured.processors[alias], configured.book, staged=bool(configured.staging))
    calls = calls_of(documents, sender, packed=packed)
    return Situation(
        [Case(sender, traffic(configured, alias, dict(calls)), documents, calls)], configured, GOOGLE
    )


def test_single_forms_are_told_to_be_packed_batched_doubled_and_asked_for():
    found = advise(situation(configuration(), "form", {1: 20_000}, packed=False))
    assert {advice.name for advice in found} == {"pack", "batch", "quota", "region"}
    assert [advice.seconds for advice in found] == sorted(advice.seconds for advice in found)
    pack = next(advice for advice in found if advice.name == "pack")
    assert not pack.done
    assert pack.what == "pack = true for form"
    assert pack.instead_s / pack.seconds > 20
    assert "bucket" in next(advice for advice in found if advice.name == "batch").what


def test_what_packing_saves_is_told_where_it_is_on():
    found = advise(situation(configuration(), "ocr", {1: 20_000}, packed=True))
    kept = [advice for advice in found if advice.done]
    assert [advice.what for advice in kept] == ["packing"]
    assert kept[0].instead_s > 20 * kept[0].seconds


def test_a_few_documents_are_told_to_go_singly_because_they_need_not_wait():
    found = advise(situation(configuration(), "ocr", {1: 60}, packed=True))
    (advice,) = [one for one in found if one.name == "pack"]
    assert (advice.what, advice.done) == ("pack = false for ocr", False)
    assert advice.seconds < 0.9 * advice.instead_s


def test_plain_calls_are_told_to_be_imageless():
    plain = configuration(processors=[processor("invoice", imageless=False)])
    found = advise(situation(plain, "invoice", {60: 20_000}, packed=False))
    imageless = next(advice for advice in found if advice.name == "imageless")
    assert imageless.instead_s / imageless.seconds == pytest.approx(2, rel=0.15)


def test_no_second_region_where_data_may_not_go():
    kept = configuration(residency=("us",))
    names = [advice.name for advice in advise(situation(kept, "form", {1: 20_000}, packed=False))]
    assert "region" not in names


def test_a_plan_that_work_decides_needs_no_advice():
    one = situation(configuration(), "form", {1: 200}, packed=False)
    slow = Situation(one.cases, one.configuration, GOOGLE, others_s=1e6)
    assert advise(slow) == []
    assert advise(Situation([], one.configuration, GOOGLE)) == []
