"""The client against the emulator: what goes out, what comes back, and what never does."""

from __future__ import annotations

import asyncio
import logging
import pickle

import pytest
from documentai_files import configuration, parse, pdf, place, processor, sent, sha

from docdask.core.routes import Place
from docdask.core.server import ServerSettings
from docdask.core.server.latency import Latency
from docdask.errors import UsageError
from docdask.model import PageRange
from docdask.service.documentai import DocumentAI, channels, requests
from docdask.service.emulator import EmulatorConfig
from docdask.service.errors import ServiceError


def send(content, mime_type="application/pdf", row=None, **more):
    row = row or processor()

    async def call(client, staging):
        return await client.process(row.places[0], row, content, mime_type, **more)

    return call


def test_an_answer_is_the_document_as_it_came(use, emulator):
    from google.cloud import documentai_v1 as documentai

    content = pdf(3)
    answer = use(send(content))
    raw = documentai.RawDocument(content=content, mime_type="application/pdf")
    theirs = emulator.documentai_client().process_document(
        documentai.ProcessRequest(name=place().processor, raw_document=raw, imageless_mode=True)
    )
    ours = parse(answer.document)
    assert [page.page_number for page in ours.pages] == [1, 2, 3]
    assert ours.text == theirs.document.text
    assert answer.request_bytes > len(content)
    assert answer.seconds > 0


def test_nothing_is_sent_twice(use, emulator):
    emulator.faults(unavailable=1.0)
    with pytest.raises(ServiceError, match="not available"):
        use(send(pdf()))
    assert len(emulator.calls(method="ProcessDocument")) == 1


def test_an_object_is_read_in_place(use, emulator):
    async def call(client, staging):
        content = pdf(2)
        uri = await staging.upload(sha(content), "application/pdf", content)
        return await client.process(place(), processor(), uri, "application/pdf")

    assert len(parse(use(call).document).pages) == 2


@pytest.mark.parametrize(
    ("pages", "selection"), [(PageRange(1, 2), "1-2"), (PageRange(3, 5), "3-5"), (PageRange(4, 4), "4-4")]
)
def test_pages_are_selected_and_keep_their_numbers(use, emulator, pages, selection):
    answer = use(send(pdf(6), pages=pages))
    numbers = [page.page_number for page in parse(answer.document).pages]
    assert numbers == list(range(pages.first, pages.last + 1))
    assert emulator.calls(method="ProcessDocument")[0]["selection"] == selection


def test_thirty_pages_pass_in_imageless_mode_and_fifteen_without(use):
    assert len(parse(use(send(pdf(30))).document).pages) == 30
    with pytest.raises(ServiceError) as caught:
        use(send(pdf(16), row=processor(imageless=False)))
    assert caught.value.kind == "page-limit-imageless"


class TestImages:
    @pytest.fixture
    def emulator_config(self):
        return EmulatorConfig(ocr="docdask.service.dummy:NothingEngine")

    def test_page_images_are_left_out_and_all_else_is_kept(self, use):
        row = processor(imageless=False)
        ours = parse(use(send(pdf(), row=row)).document)
        assert not ours.pages[0].HasField("image")
        everything = processor(imageless=False, field_mask="*")
        theirs = parse(use(send(pdf(), row=everything)).document)
        assert theirs.pages[0].HasField("image")
        theirs.pages[0].ClearField("image")
        theirs.ClearField("shard_info")
        theirs.ClearField("content")
        assert ours == theirs


def test_a_field_mask_is_the_users_where_there_is_one(use):
    document = parse(use(send(pdf(), row=processor(field_mask="text, pages.pageNumber"))).document)
    assert document.text
    assert document.pages[0].page_number == 1
    assert not document.pages[0].tokens
    assert not document.pages[0].HasField("layout")


@pytest.mark.parametrize("mask", ["txt", "pages.tokens.layout", "entities.type", "pages.nothing"])
def test_a_mask_that_google_would_refuse_is_refused_before(use, emulator, mask):
    with pytest.raises(UsageError, match="no field of a Document"):
        use(send(pdf(), row=processor(field_mask=mask)))
    assert emulator.calls(method="ProcessDocument") == []


def test_batch_masks_keep_what_shards_are_joined_by():
    assert "shard_info" in requests.default_mask(batch=True)
    assert "shard_info" not in requests.default_mask()
    assert requests.mask_of(processor(field_mask="text"), batch=True) == ("text", "shard_info")
    assert requests.mask_of(processor(field_mask="*"), batch=True) == ()
    assert not {"pages.image", "pages", "content"} & set(requests.default_mask(batch=True))


def test_options_go_along_in_googles_names(use, emulator):
    row = processor(options={"ocrConfig": {"premiumFeatures": {"enableMathOcr": True}}})
    use(send(pdf(), row=row))
    assert emulator.stats()["cost_usd"] == pytest.approx(0.006)  # the page itself is among the free ones


@pytest.mark.parametrize("options", [{"ocr": {}}, {"ocrConfig": {"hints": 3}}, {"fromStart": 2}])
def test_options_that_can_not_be_right_are_refused_before(use, emulator, options):
    with pytest.raises(UsageError, match="options of processor 'ocr'"):
        use(send(pdf(), row=processor(options=options)))
    assert emulator.calls(method="ProcessDocument") == []


def test_labels_are_on_the_call(use, emulator):
    use(send(pdf(), labels={"run": "may-2026", "größe": "1"}))
    assert emulator.calls(method="ProcessDocument")[0]["labels"] == {"run": "may-2026", "größe": "1"}


@pytest.mark.parametrize(
    "labels",
    [{"Run": "x"}, {"run": "X"}, {"run": "a b"}, {"": "x"}, {"1run": "x"}, {"k" * 64: "x"}, {"k": "x" * 64},
     {f"k{n}": "x" for n in range(65)}],
)  # fmt: skip
def test_labels_that_google_refuses_are_refused_before(use, emulator, labels):
    with pytest.raises(UsageError, match="label"):
        use(send(pdf(), labels=labels))
    assert emulator.calls(method="ProcessDocument") == []


def test_labels_at_the_limit_pass(use):
    use(send(pdf(), labels={"k" * 63: "x" * 63, "empty": ""}))


class TestManyCalls:
    @pytest.fixture
    def emulator_config(self):
        second = 10**9
        latency = Latency(base_ns=second // 5)
        book = ServerSettings().limits.override({"online_requests": 100_000, "user_requests": 100_000})
        return EmulatorConfig(ocr="fast", server=ServerSettings(limits=book, latency=latency))

    def test_a_thousand_in_flight_take_several_connections(self, use, emulator):
        content, row = pdf(), processor()

        async def call(client, staging):
            calls = [client.process(place(), row, content, "application/pdf") for _ in range(1000)]
            answers = await asyncio.gather(*calls)
            return len({answer.document for answer in answers}), len(client._channels["us"])

        assert use(call) == (1, -(-1000 // channels.CALLS_A_CHANNEL))
        assert emulator.stats()["pages_billed"] == 1000

    def test_one_after_another_takes_one_connection(self, use):
        async def call(client, staging):
            for _ in range(3):
                await client.process(place(), processor(), pdf(), "application/pdf")
            return len(client._channels["us"])

        assert use(call) == 1

    def test_a_deadline_ends_the_call_and_nobody_knows_whether_it_was_billed(self, use):
        with pytest.raises(ServiceError) as caught:
            use(send(pdf(), deadline_s=0.02))
        assert (caught.value.kind, caught.value.verdict, caught.value.retry) == ("deadline", "lost", True)

    def test_closing_ends_calls_in_flight_as_lost(self, use):
        async def call(client, staging):
            calling = asyncio.ensure_future(client.process(place(), processor(), pdf(), "application/pdf"))
            await sent(client)
            await client.close()
            return await calling

        with pytest.raises((ServiceError, asyncio.CancelledError)) as caught:
            use(call)
        if isinstance(caught.value, ServiceError):
            assert caught.value.verdict == "lost"

    def test_a_cancelled_task_is_cancelled_and_leaves_its_connection(self, use):
        async def call(client, staging):
            calling = asyncio.ensure_future(client.process(place(), processor(), pdf(), "application/pdf"))
            await sent(client)
            calling.cancel()
            with pytest.raises(asyncio.CancelledError):
                await calling
            return client._channels["us"]._open[0].in_flight

        assert use(call) == 0


def test_a_closed_client_says_so(use):
    async def call(client, staging):
        await client.close()
        return await client.process(place(), processor(), pdf(), "application/pdf")

    with pytest.raises(ServiceError, match="closed") as caught:
        use(call)
    assert caught.value.verdict == "unused"


def test_a_client_does_not_pickle():
    with pytest.raises(TypeError, match="make one where it is used"):
        pickle.dumps(DocumentAI(configuration()))


def test_making_a_client_connects_nowhere_and_imports_nothing_heavy():
    import subprocess
    import sys

    code = (
        "import sys; from docdask.service.documentai import DocumentAI;"
        "print([name for name in ('grpc', 'google.auth', 'google.protobuf') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_the_first_call_would_import_can_be_imported_before_it():
    import subprocess
    import sys

    code = (
        "import sys; from docdask.core.routes import Configuration, Place, Processor, Route;"
        "from docdask.service.documentai import DocumentAI;"
        "ocr = Processor('ocr', 'OCR_PROCESSOR', (Place('us', 'projects/p/locations/us/processors/ocr'),));"
        "DocumentAI(Configuration('p', 'us', {'ocr': ocr}, (Route('all', processor='ocr'),))).load();"
        "print([name for name in ('grpc', 'google.cloud.documentai_v1') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['grpc', 'google.cloud.documentai_v1']"


class TestVersions:
    def test_the_default_version_is_resolved(self, use):
        async def call(client, staging):
            version = await client.resolve_version(place())
            pinned = Place("us", place().processor, version)
            answer = await client.process(pinned, processor(where=pinned), pdf(), "application/pdf")
            return version, parse(answer.document).text

        version, text = use(call)
        assert version == "pretrained-ocr-v2.0-2023-06-02"
        assert text

    def test_a_processor_of_another_type_is_told(self, use):
        async def call(client, staging):
            with pytest.raises(
                ServiceError, match="is a OCR_PROCESSOR, not a FORM_PARSER_PROCESSOR"
            ) as caught:
                await client.resolve_version(place(), "FORM_PARSER_PROCESSOR")
            return caught.value.remedy

        assert 'type = "OCR_PROCESSOR"' in use(call)

    def test_a_plan_is_not_made_with_another_type(self, emulator, monkeypatch):
        from docdask.engine.configuring import configured

        monkeypatch.setenv("DOCUMENTAI_EMULATOR_HOST", emulator.grpc_address)
        given = {"project": "my-project", "location": "us"}
        with pytest.raises(UsageError, match=r"processor 'form': .* is a OCR_PROCESSOR"):
            configured("documentai", {}, {**given, "processor": "form=ocr"})
        configuration, _ = configured("documentai", {}, {**given, "processor": "ocr=ocr"})
        assert configuration.processors["ocr"].version

    def test_the_end_of_a_version_is_told(self, use, monkeypatch, caplog):
        from docdask.service.documentai import processors

        async def described(client, where):
            return processors.ProcessorFacts(
                where.processor, "OCR_PROCESSOR", True, "ENABLED", "v1", "v1", 1_782_777_600.0, "v2"
            )

        monkeypatch.setattr(processors, "describe", described)

        async def call(client, staging):
            version = await client.resolve_version(place())
            return version, await client.check(configuration(processor()))

        with caplog.at_level(logging.WARNING):
            version, checks = use(call)
        assert version == "v1"
        assert "on 2026-06-30; Google names v2 instead" in caplog.text
        assert [check.status for check in checks] == ["ok", "warning"]


class TestAnswersThatAreNone:
    @pytest.mark.parametrize("response", [b"\x0a", b"\x0a\x05abc", b"\x0b\x00", b"\x0a\xff", b"\xff" * 12])
    def test_what_is_no_message_is_refused(self, response):
        with pytest.raises(ValueError, match=r"answer|ProcessResponse"):
            requests.document_of(response)

    def test_a_document_is_found_among_other_fields_and_in_pieces(self):
        from google.cloud import documentai_v1 as documentai

        kind = documentai.ProcessResponse.pb()
        one = kind(document={"text": "one", "uri": "u"})
        one.human_review_status.state_message = "none"
        two = kind(document={"text": "two"})
        whole = one.SerializeToString() + two.SerializeToString()
        assert parse(requests.document_of(whole)) == kind.FromString(whole).document
        assert requests.document_of(b"") == b""


class TestRequests:
    @pytest.mark.parametrize("size", [0, 1, 127, 128, 16_383, 16_384, 3_000_000])
    def test_the_bytes_that_are_put_together_are_googles_own_message(self, size):
        from google.cloud import documentai_v1 as documentai

        row = processor(options={"ocrConfig": {"enableSymbol": True}}, imageless=False)
        template = requests.process_template(row)
        found = documentai.ProcessRequest.pb().FromString(
            requests.process_request(
                place(version="v1"), template, b"x" * size, "image/png", PageRange(2, 3), {"run": "a"}
            )
        )
        wanted = documentai.ProcessRequest(
            name=f"{place().processor}/processorVersions/v1",
            raw_document={"content": b"x" * size, "mime_type": "image/png"},
            field_mask={"paths": requests.default_mask()},
            process_options={
                "ocr_config": {"enable_symbol": True},
                "individual_page_selector": {"pages": [2, 3]},
            },
            labels={"run": "a"},
        )
        wanted = documentai.ProcessRequest.pb(wanted)
        wanted.raw_document.content = b"x" * size
        assert found.raw_document == wanted.raw_document
        assert found == wanted
        assert template.name == ""
