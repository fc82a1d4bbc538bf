"""The model of the service: refusals in Google's words, faults, books that add up."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docdask.core.limits import DEFAULT_BOOK
from docdask.core.server import (
    GOOGLE,
    PROFILES,
    BatchDocument,
    Call,
    Latency,
    ServerSettings,
    Service,
    Switches,
    make_faults,
    project_number,
)
from docdask.core.server.operations import GIVE_UP_NS, TRANSITIONS
from docdask.core.server.windows import MINUTE_NS
from docdask.errors import UsageError

SECOND_NS = 10**9


def service(seed=1, **options):
    return Service(ServerSettings(**options), random.Random(seed).random)


def ocr(**options):
    return Call(**{"project": "p", "location": "us", "processor": "ocr", "user": "u", **options})


def refusal(call, **options):
    return service(**options).process(call, 0).status


def metadata(status):
    return dict(status.details[0].metadata)


# ---------------------------------------------------------------- the selection of pages

FROM_31 = range(31, 61)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (ocr(pages=316), "Document pages exceed the limit: 30 got 316"),
        (ocr(pages=316, selection=range(31, 62)), "Document pages exceed the limit: 30 got 31"),
        (
            ocr(pages=316, selection=FROM_31),
            (
                "Document pages in non-imageless mode exceed the limit: 15 got 30. "
                "Try using imageless mode to increase the limit to 30."
            ),
        ),
        (ocr(pages=316, selection=FROM_31, imageless=True), "At most 15 pages in one call please."),
    ],
)
def test_a_selection_over_the_limit_is_refused_in_googles_words(call, text):
    status = refusal(call)
    assert (status.code, status.message) == ("INVALID_ARGUMENT", text)


@pytest.mark.parametrize(
    "call",
    [
        ocr(pages=316, selection=range(31, 46)),
        ocr(pages=316, selection=range(1, 16)),
        ocr(pages=316, selection=range(1, 31), imageless=True),
        ocr(pages=30, imageless=True),
        ocr(pages=15),
        ocr(pages=316, selection=[3, 200, 316]),
    ],
)
def test_a_selection_within_the_limit_is_served_and_billed_by_its_pages(call):
    verdict = service().process(call, 0)
    assert verdict.ok
    assert verdict.pages == call.selected()


def test_the_page_limit_in_the_metadata_is_the_best_that_could_be_had():
    assert metadata(refusal(ocr(pages=316))) == {"page_limit": "30", "pages": "316"}
    assert metadata(refusal(ocr(pages=316, selection=FROM_31))) == {"page_limit": "30", "pages": "30"}
    assert refusal(ocr(pages=316, selection=FROM_31, imageless=True)).details == ()
    assert refusal(ocr(pages=316)).details[0].reason == "PAGE_LIMIT_EXCEEDED"


def test_each_type_has_its_own_page_limit():
    assert refusal(ocr(processor="expense", pages=11)).message == "Document pages exceed the limit: 10 got 11"
    assert refusal(ocr(processor="expense", pages=11, imageless=True)).message.endswith("10 got 11")


@given(st.integers(1, 80), st.integers(1, 80), st.booleans())
def test_thirty_from_page_one_else_fifteen(first, count, imageless):
    selection = range(first, first + count)
    served = refusal(ocr(pages=200, selection=selection, imageless=imageless)) is None
    assert served == (count <= 15 or (count <= 30 and imageless and first == 1))


# ---------------------------------------------------------------- what is in a file


@pytest.mark.parametrize(
    ("call", "message", "violation"),
    [
        (
            ocr(size_bytes=41_943_041),
            "Request contains an invalid argument.",
            ("raw_document.content", "Document size (41943041) exceeds the limit: 41943040."),
        ),
        (
            ocr(mime_type="text/plain"),
            "Request contains an invalid argument.",
            ("raw_document.mime_type", "Unsupported input file format."),
        ),
        (
            ocr(mime_type="image/png", width=10_001, height=5),
            "Image width or height exceeds the 10k pixel limit",
            None,
        ),
        (ocr(mime_type="image/png", width=9000, height=9000), "Input Document too large", None),
        (ocr(mime_type="image/png", problem="corrupt-image"), "Invalid image content", None),
    ],
)
def test_a_bad_file_is_refused_in_googles_words(call, message, violation):
    status = refusal(call)
    assert (status.code, status.message) == ("INVALID_ARGUMENT", message)
    if violation:
        assert violation in status.details[0].violations


@pytest.mark.parametrize("problem", ["corrupt-pdf", "encrypted"])
def test_a_pdf_that_does_not_open_is_refused(problem):
    assert refusal(ocr(problem=problem)).message.startswith(
        "PDF document could not be opened or is corrupted"
    )


def test_office_types_are_the_layout_parsers():
    assert refusal(ocr(mime_type="text/html")).code == "INVALID_ARGUMENT"
    assert refusal(ocr(processor="layout", mime_type="text/html")) is None


def test_options_of_another_type_are_refused():
    assert refusal(ocr(processor="invoice", ocr_config=True)).code == "INVALID_ARGUMENT"
    assert refusal(ocr(layout_config=True)).code == "INVALID_ARGUMENT"
    assert refusal(ocr(processor="form", ocr_config=True)) is None


def test_the_file_limit_of_a_gcs_document_is_a_switch():
    call = ocr(source="gcs_document", size_bytes=41_943_041)
    assert refusal(call).details[0].violations[0][0] == "gcs_document.gcs_uri"
    assert refusal(call, switches=Switches(gcs_document_limited=False)) is None


# ---------------------------------------------------------------- where and who


def test_another_deployment_refuses_by_location():
    status = refusal(ocr(location="eu"), deployment="us")
    assert status.message == "Invalid location: 'eu' must match the server deployment 'us'"
    assert refusal(ocr(location="mars")).code == "INVALID_ARGUMENT"
    assert refusal(ocr(location="europe-west2")) is None


def test_an_unknown_processor_or_version_is_not_found():
    assert refusal(ocr(processor="nothing")).code == "NOT_FOUND"
    assert refusal(ocr(version="pretrained-ocr-v0")).code == "NOT_FOUND"
    assert refusal(ocr(version="rc")) is None


def test_a_denied_permission_is_refused_in_googles_words():
    status = refusal(ocr(), denied=frozenset({"documentai.processors.processOnline"}))
    assert status.code == "PERMISSION_DENIED"
    assert status.message.startswith("Permission 'documentai.processors.processOnline' denied on resource")


def test_a_disabled_processor_does_not_process():
    model = service()
    processor = model.registry.get("p", "us", "ocr")
    assert model.registry.set_enabled(processor, enabled=False) is None
    assert model.registry.set_enabled(processor, enabled=False).code == "FAILED_PRECONDITION"
    model.changed()
    assert model.process(ocr(), 0).status.code == "FAILED_PRECONDITION"


def test_a_projects_id_and_number_are_the_same_project():
    model = service(limits=DEFAULT_BOOK.override({"online_requests": 1}))
    assert model.process(ocr(project="my-project"), 0).ok
    assert not model.process(ocr(project=project_number("my-project")), 1).ok


# ---------------------------------------------------------------- quotas


@pytest.mark.parametrize("window", ["fixed", "sliding", "sliding-count", "bucket"])
def test_120_calls_a_minute_are_served_and_the_121st_refused(window):
    model = service(window=window)
    start = 10 * MINUTE_NS
    codes = [model.process(ocr(), start + n * 1_000_000).status for n in range(121)]
    assert codes[:120] == [None] * 120
    assert codes[120].code == "RESOURCE_EXHAUSTED"
    assert codes[120].message.startswith(
        "Quota exceeded for quota metric 'Number of online process document requests using document processor' and limit"
    )
    assert f"consumer 'project_number:{project_number('p')}'" in codes[120].message


def test_quotas_are_per_project_type_and_region():
    model = service(limits=DEFAULT_BOOK.override({"online_requests": 1}))
    calls = [ocr(), ocr(processor="form"), ocr(location="eu"), ocr(project="q")]
    assert all(model.process(call, 0).ok for call in calls)
    assert not any(model.process(call, 1).ok for call in calls)


def test_single_regions_share_six_calls_a_minute_unless_told_otherwise():
    def served(**options):
        model = service(**options)
        places = ["europe-west2", "asia-south1"] * 6
        return sum(model.process(ocr(location=place), n).ok for n, place in enumerate(places))

    assert served() == 6
    assert served(switches=Switches(single_regions_shared=False)) == 12


def test_a_user_has_1800_calls_a_minute_over_all_methods():
    model = service()
    for n in range(1799):
        assert model.other("GetOperation", "p", "us", "u", n).ok
    assert model.process(ocr(), 2000).ok
    assert model.process(ocr(), 2001).status.code == "RESOURCE_EXHAUSTED"
    assert model.process(ocr(user="someone-else"), 2002).ok


def test_generative_types_are_metered_in_pages_too():
    model = service()
    verdicts = [model.process(ocr(processor="custom-extractor", pages=15), n) for n in range(9)]
    assert [verdict.ok for verdict in verdicts] == [True] * 8 + [False]
    assert "Number of online process document pages (US)" in verdicts[8].status.message


@pytest.mark.parametrize(("refused_count", "later_ok"), [(True, False), (False, True)])
def test_whether_refused_attempts_count_is_a_switch(refused_count, later_ok):
    model = service(
        limits=DEFAULT_BOOK.override({"online_requests": 1}), switches=Switches(refused_count=refused_count)
    )
    model.process(ocr(), 0)
    assert not model.process(ocr(), MINUTE_NS - 1).ok
    assert model.process(ocr(), MINUTE_NS).ok == later_ok


@pytest.mark.parametrize(("invalid_count", "then_ok"), [(True, False), (False, True)])
def test_whether_invalid_calls_count_is_a_switch(invalid_count, then_ok):
    model = service(
        limits=DEFAULT_BOOK.override({"online_requests": 1}), switches=Switches(invalid_count=invalid_count)
    )
    model.process(ocr(pages=99), 0)
    assert model.process(ocr(), 1).ok == then_ok


@pytest.mark.parametrize(
    ("switches", "kinds"),
    [
        (Switches(), []),
        (Switches(quota_details="error-info"), ["ErrorInfo"]),
        (Switches(quota_details="full", retry_info=True), ["ErrorInfo", "QuotaFailure", "RetryInfo"]),
    ],
)
def test_details_of_a_quota_refusal_are_a_switch(switches, kinds):
    model = service(limits=DEFAULT_BOOK.override({"online_requests": 0}), switches=switches)
    details = model.process(ocr(), 0).status.details
    assert [type(detail).__name__ for detail in details] == kinds


# ---------------------------------------------------------------- time


def test_a_busy_region_makes_calls_wait():
    model = service(latency=Latency(base_ns=SECOND_NS, capacity=2))
    ends = [model.process(ocr(), 0).finish_ns for _ in range(5)]
    assert ends == [1 * SECOND_NS, 1 * SECOND_NS, 2 * SECOND_NS, 2 * SECOND_NS, 3 * SECOND_NS]


def test_fifteen_pages_take_as_long_as_users_saw_with_a_long_tail():
    rng = random.Random(3).random
    seconds = sorted(GOOGLE.call_ns(15, rng) / SECOND_NS for _ in range(2000))
    assert 10 < seconds[1000] < 19
    assert seconds[-1] > 30


# ---------------------------------------------------------------- faults and books


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_books_add_up_to_the_verdicts_under_every_profile(profile):
    model = service(
        faults=make_faults(profile),
        limits=DEFAULT_BOOK.override({"online_requests": 10_000_000}),
        latency=GOOGLE,
    )
    verdicts = [model.process(ocr(pages=n % 15 + 1), n * SECOND_NS) for n in range(3000)]
    ok = [verdict for verdict in verdicts if verdict.ok]
    books = model.books
    assert books.calls_ok == sum(verdict.copies for verdict in ok)
    assert books.calls_refused == len(verdicts) - len(ok)
    assert books.pages_billed == sum(verdict.pages * verdict.copies for verdict in verdicts)
    assert books.cost_nano_usd == sum(verdict.cost_nano_usd for verdict in verdicts)
    assert books.replies_lost == sum(verdict.reply_lost for verdict in verdicts)
    assert sum(books.codes.values()) == books.calls_ok + books.calls_refused


def test_a_lost_reply_is_billed_and_a_503_is_not():
    lost = service(faults=make_faults(changes={"lost": 1.0})).process(ocr(pages=3), 0)
    assert (lost.ok, lost.reply_lost, lost.pages) == (True, True, 3)
    failed = service(faults=make_faults(changes={"unavailable": 1.0})).process(ocr(pages=3), 0)
    assert (failed.status.code, failed.pages) == ("UNAVAILABLE", 0)


def test_a_duplicate_is_billed_twice_and_counts_twice():
    model = service(
        faults=make_faults(changes={"duplicate": 1.0}), limits=DEFAULT_BOOK.override({"online_requests": 2})
    )
    assert model.process(ocr(pages=3), 0).copies == 2
    assert model.books.pages_billed == 6
    assert not model.process(ocr(), 1).ok


def test_a_region_that_is_down_answers_503_until_the_fault_is_taken_back():
    model = service(faults=make_faults("region-down"))
    assert model.process(ocr(), 0).status.code == "UNAVAILABLE"
    assert model.process(ocr(location="eu"), 1).ok
    model.faults = make_faults()
    assert model.process(ocr(), 2).ok


@pytest.mark.parametrize(
    ("profile", "changes"),
    [("nothing", {}), ("none", {"nope": 1}), ("none", {"lost": 2}), ("none", {"lost": "x"}), ("flaky", {"lost": 0.99}),
     ("none", {"regions_down": "us"})],
)  # fmt: skip
def test_faults_that_make_no_sense_are_refused(profile, changes):
    with pytest.raises(UsageError):
        make_faults(profile, changes)


def test_the_same_seed_gives_the_same_run():
    def run():
        model = service(seed=9, faults=make_faults("hostile"), latency=GOOGLE)
        return [model.process(ocr(), n * SECOND_NS) for n in range(200)]

    assert run() == run()


# ---------------------------------------------------------------- batches


def submit(model, files=1, at_ns=0, **options):
    return model.submit(ocr(**options), files, at_ns)


def test_five_batches_run_and_the_sixth_is_refused():
    model = service()
    answers = [submit(model, at_ns=n)[0].status for n in range(6)]
    assert answers[:5] == [None] * 5
    assert answers[5].code == "RESOURCE_EXHAUSTED"


@pytest.mark.parametrize(("premium", "nano_usd"), [(False, 0), (True, 10 * 6_000_000)])
def test_a_batch_with_add_ons_is_billed_for_them(premium, nano_usd):
    model = service()
    _, operation = submit(model, ocr_config=premium, premium=premium)
    model.schedule(operation, [BatchDocument(10)], 10)
    model.finish(operation, operation.finish_ns)
    assert (model.books.pages_billed, model.books.cost_nano_usd) == (10, nano_usd)


def test_the_sixth_batch_waits_where_the_service_queues():
    model = service(switches=Switches(batch_excess="wait"))
    operations = [submit(model, at_ns=n)[1] for n in range(6)]
    assert [operation.state for operation in operations] == ["RUNNING"] * 5 + ["WAITING"]
    model.schedule(operations[0], [BatchDocument(2)], 10)
    assert model.finish(operations[0], 20) == [operations[5]]
    assert operations[5].state == "RUNNING"


def test_slots_of_single_regions_are_per_processor():
    model = service()
    for n in range(5):
        assert submit(model, at_ns=n, location="europe-west2")[0].ok
    assert not submit(model, at_ns=6, location="europe-west2")[0].ok
    assert submit(model, at_ns=7, location="europe-west2", processor="form")[0].ok


def test_a_batch_bills_its_good_documents_and_says_what_failed():
    model = service(switches=Switches(partial_failure="succeeded"))
    _, operation = submit(model, 3)
    model.schedule(
        operation, [BatchDocument(20), BatchDocument(501), BatchDocument(5, problem="corrupt-pdf")], 0
    )
    model.finish(operation, 1)
    assert operation.state == "SUCCEEDED"
    assert operation.message == "Processed 1 document(s) successfully"
    assert [document.status is None for document in operation.documents] == [True, False, False]
    assert model.books.pages_billed == operation.pages_billed == 20


def test_a_batch_with_one_bad_document_fails_by_the_hostile_reading():
    model = service()
    _, operation = submit(model, 2)
    model.schedule(operation, [BatchDocument(2), BatchDocument(2, problem="corrupt-pdf")], 0)
    model.finish(operation, 1)
    assert operation.state == "FAILED"
    assert model.books.pages_billed == 2


def test_a_batch_of_which_nothing_is_readable_fails_in_googles_words():
    model = service(switches=Switches(partial_failure="succeeded"))
    _, operation = submit(model)
    model.schedule(operation, [BatchDocument(1, problem="corrupt-pdf")], 0)
    model.finish(operation, 1)
    assert operation.error.message == "Failed to process all documents. 3: Failed to process all documents."


def test_a_cancelled_batch_gives_its_slot_back_and_bills_nothing():
    model = service()
    operations = [submit(model, at_ns=n)[1] for n in range(5)]
    model.cancel(operations[0], 10)
    assert operations[0].state == "CANCELLED"
    assert submit(model, at_ns=11)[0].ok
    assert model.books.pages_billed == 0
    assert model.finish(operations[0], 12) == []


def test_a_stuck_operation_is_given_up_after_a_day():
    model = service(faults=make_faults(changes={"stuck": 1.0}))
    _, operation = submit(model)
    model.schedule(operation, [BatchDocument(1)], 0)
    assert operation.finish_ns == GIVE_UP_NS
    model.finish(operation, GIVE_UP_NS)
    assert (operation.state, model.books.pages_billed) == ("CANCELLED", 0)


def test_more_files_than_a_batch_takes_are_refused():
    assert submit(service(), 5001)[0].status.code == "INVALID_ARGUMENT"


def test_finished_operations_are_forgotten_after_thirty_days():
    model = service()
    _, first = submit(model)
    model.schedule(first, [BatchDocument(1)], 0)
    model.finish(first, 1)
    submit(model, at_ns=31 * 24 * 60 * MINUTE_NS)
    assert first.id not in model.operations


def test_an_adopted_operation_takes_its_slot_again():
    first = service()
    operations = [submit(first, at_ns=n)[1] for n in range(5)]
    second = service()
    for operation in operations:
        second.adopt(replace(operation))
    assert not submit(second)[0].ok


def test_only_transitions_of_the_table_are_possible():
    _, operation = submit(service())
    assert "WAITING" not in TRANSITIONS[operation.state]
    with pytest.raises(ValueError, match="can't go from RUNNING to WAITING"):
        operation.turn("WAITING", 5)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["submit", "finish", "cancel"]), st.integers(0, 7)), max_size=60),
    st.booleans(),
)
def test_no_more_batches_run_than_there_are_slots(steps, wait):
    model = service(switches=Switches(batch_excess="wait" if wait else "refuse"))
    operations, billed = [], 0
    for at_ns, (step, index) in enumerate(steps):
        if step == "submit":
            _, operation = submit(model, at_ns=at_ns)
            operations += [operation] if operation else []
        elif operations:
            operation = operations[index % len(operations)]
            if step == "cancel":
                model.cancel(operation, at_ns)
            elif operation.state == "RUNNING":
                model.schedule(operation, [BatchDocument(2)], at_ns)
                model.finish(operation, at_ns)
                billed += 2
        running = sum(operation.state == "RUNNING" for operation in operations)
        waiting = sum(operation.state == "WAITING" for operation in operations)
        assert running <= 5
        assert not waiting or running == 5
        assert model.books.pages_billed == billed


def test_a_call_that_fails_at_the_work_itself_is_taken_back():
    model = service()
    verdict = model.process(ocr(pages=4), 0)
    model.failed("OCR_PROCESSOR", verdict, "INTERNAL")
    assert (model.books.calls_ok, model.books.calls_refused, model.books.pages_billed) == (0, 1, 0)
    assert model.books.codes == {"OK": 0, "INTERNAL": 1}
    again = model.process(ocr(), 1)
    model.reset()
    model.failed("OCR_PROCESSOR", again, "INTERNAL")
    assert model.books.pages_billed == 0


def test_remembered_calls_count_against_the_quota_again():
    model = service(limits=DEFAULT_BOOK.override({"online_requests": 2, "online_pages": 3}))
    model.remember(ocr(), "ProcessDocument", 0)
    model.remember(ocr(processor="custom-extractor", pages=3), "ProcessDocument", 0)
    assert model.process(ocr(), 1).ok
    assert not model.process(ocr(), 2).ok
    assert not model.process(ocr(processor="custom-extractor"), 3).ok
