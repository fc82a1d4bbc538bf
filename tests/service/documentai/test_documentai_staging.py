"""Inputs are uploaded once; results come out whole or not at all."""

from __future__ import annotations

import asyncio
import hashlib

import pytest
from documentai_files import ended, parse, pdf, place, processor, sha
from google.protobuf import json_format

from docdask.errors import UsageError
from docdask.service import shards
from docdask.service.documentai import FileStatus, Operation
from docdask.service.emulator import EmulatorConfig
from docdask.service.errors import ServiceError, make
from docdask.service.message import document_class
from docdask.service.staging import Staging

PDF = "application/pdf"


def operation(*files, error=None):
    return Operation("projects/1/locations/us/operations/1", "SUCCEEDED", True, tuple(files), error, 0.0)


async def results(staging, done, pages=None):
    return {uri: found async for uri, found in staging.collect(done, pages)}


class TestInputs:
    def test_they_are_named_by_their_content(self, use, emulator):
        async def call(client, staging):
            content = pdf()
            return content, await staging.upload(sha(content), PDF, content)

        content, uri = use(call)
        assert uri == f"gs://bucket/stage/inputs/{hashlib.sha256(content).hexdigest()}.pdf"
        blob = emulator.storage_client().bucket("bucket").get_blob(uri.removeprefix("gs://bucket/"))
        assert blob.download_as_bytes() == content
        assert blob.content_type == PDF

    def test_what_is_there_is_not_sent_again_and_what_is_cut_is(self, use, emulator):
        bucket = emulator.storage_client().bucket("bucket")

        async def call(client, staging):
            content, key = pdf(), sha(pdf())
            uri = await staging.upload(key, PDF, content)
            name = uri.removeprefix("gs://bucket/")
            first = bucket.get_blob(name).generation
            await staging.upload(key, PDF, content)
            assert bucket.get_blob(name).generation == first
            bucket.blob(name).upload_from_string(content[:50])
            assert not await staging.has(key, PDF, len(content))
            await staging.upload(key, PDF, content)
            assert await staging.has(key, PDF, len(content))
            assert not await staging.has(sha(b"other"), PDF)
            return bucket.get_blob(name).download_as_bytes() == content

        assert use(call)

    def test_many_who_upload_the_same_at_once_agree(self, use):
        async def call(client, staging):
            content = pdf(3)
            return set(await asyncio.gather(*(staging.upload(sha(content), PDF, content) for _ in range(20))))

        assert len(use(call)) == 1

    @pytest.mark.parametrize("url", ["", "bucket/x", "s3://bucket/x", "gs://", "gs:///x", "/tmp/x"])
    def test_a_place_that_is_none_is_refused(self, url):
        with pytest.raises(UsageError, match="no place in a bucket"):
            Staging(url)

    @pytest.mark.parametrize(
        ("url", "uri"),
        [("gs://b", "gs://b/inputs/1.png"), ("gs://b/", "gs://b/inputs/1.png"), ("gs://b/x/y//", "gs://b/x/y/inputs/1.png")],
    )  # fmt: skip
    def test_slashes_at_the_end_do_not_count(self, url, uri):
        assert Staging(url).input_uri("1", "image/png") == uri

    def test_the_emulator_of_the_environment_is_used(self, emulator, monkeypatch):
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", emulator.http_url)
        emulator.storage_client().create_bucket("bucket")

        async def call():
            staging = Staging("gs://bucket/x")
            try:
                return await staging.check()
            finally:
                await staging.close()

        assert asyncio.run(call()).ok

    def test_an_unwritable_bucket_is_told(self, use):
        async def call(client, staging):
            staging.bucket_name = "nowhere"
            await staging.upload("1" * 64, PDF, b"x")

        with pytest.raises(ServiceError) as caught:
            use(call)
        assert caught.value.kind == "bucket-not-found"


class TestBatch:
    def test_every_file_comes_out_as_one_online_call_would_have_it(self, use):
        async def call(client, staging):
            contents = {n: pdf(n, f"Document {n}, page") for n in (1, 10, 11, 25)}
            uris = {n: await staging.upload(sha(one), PDF, one) for n, one in contents.items()}
            row = processor()
            name = await client.submit(
                place(), row, [(uri, PDF) for uri in uris.values()], staging.output_prefix("r")
            )
            found = await results(staging, await ended(client, name), {uri: n for n, uri in uris.items()})
            online = {n: await client.process(place(), row, one, PDF) for n, one in contents.items()}
            return {n: (parse(found[uris[n]]), parse(online[n].document)) for n in contents}

        for n, (batch, online) in use(call).items():
            assert [page.page_number for page in batch.pages] == list(range(1, n + 1))
            for document in (batch, online):
                document.ClearField("uri")  # a batch names its source
            assert batch == online

    def test_a_file_that_failed_has_its_own_reason(self, use):
        async def call(client, staging):
            good, bad = pdf(2), b"%PDF-1.4 x"
            uris = [await staging.upload(sha(one), PDF, one) for one in (good, bad)]
            name = await client.submit(
                place(), processor(), [(u, PDF) for u in uris], staging.output_prefix("r")
            )
            done = await ended(client, name)
            return done, await results(staging, done), uris

        done, found, uris = use(call)
        assert (done.state, done.error.kind) == ("FAILED", "files-failed")
        assert len(parse(found[uris[0]]).pages) == 2
        assert found[uris[1]].kind == "corrupt"

    def test_eleven_files_are_not_mixed_up(self, use):
        """The folder …/1 is not …/10, whatever their names begin with."""

        async def call(client, staging):
            contents = [pdf(1, f"File number {n}") for n in range(12)]
            uris = [await staging.upload(sha(one), PDF, one) for one in contents]
            name = await client.submit(
                place(), processor(), [(u, PDF) for u in uris], staging.output_prefix("r")
            )
            return uris, await results(staging, await ended(client, name))

        uris, found = use(call)
        for n, uri in enumerate(uris):
            assert parse(found[uri]).text.startswith(f"File number {n} ")

    def test_operations_are_found_by_their_prefix_and_no_other(self, use):
        async def call(client, staging):
            content = pdf()
            uri = await staging.upload(sha(content), PDF, content)
            names = {}
            for request in ("1", "10"):
                prefix = staging.output_prefix(request)
                names[request] = await client.submit(place(), processor(), [(uri, PDF)], prefix)
                await ended(client, names[request])
            for request, name in names.items():
                prefix = staging.output_prefix(request)
                assert await client.find_operations("us", prefix) == [name]
                assert await client.find_operations("eu", prefix) == []
                assert await staging.operation_ids(prefix) == [name.rpartition("/")[2]]
            return await staging.operation_ids(staging.output_prefix("2"))

        assert use(call) == []

    class TestHalfWritten:
        @pytest.fixture
        def emulator_config(self):
            return EmulatorConfig(ocr="fast").with_faults("half-written-shards")

        def test_a_shard_that_is_cut_is_told_and_the_others_are_taken(self, use, emulator):
            async def call(client, staging):
                contents = [pdf(2, f"File {n}") for n in range(20)]
                uris = [await staging.upload(sha(one), PDF, one) for one in contents]
                prefix = staging.output_prefix("r")
                name = await client.submit(place(), processor(), [(u, PDF) for u in uris], prefix)
                return await results(staging, await ended(client, name), dict.fromkeys(uris, 2))

            found = use(call)
            cut = {row["uri"] for row in emulator.calls(fault="half_written")}
            assert 0 < len(cut) < 20
            assert {uri for uri, one in found.items() if isinstance(one, ServiceError)} == cut
            assert {one.kind for one in found.values() if isinstance(one, ServiceError)} == {"shard-broken"}


class TestCollecting:
    def test_output_that_is_gone_is_missing(self, use):
        async def call(client, staging):
            return await results(
                staging, operation(FileStatus("gs://a/1.pdf", "gs://bucket/stage/outputs/r/1/0", None))
            )

        (error,) = use(call).values()
        assert error.kind == "shards-missing"
        assert "gs://a/1.pdf" in error.message

    def test_a_file_without_a_word_has_the_operations_reason(self, use):
        async def call(client, staging):
            silent = operation(FileStatus("gs://a/1.pdf", "", None))
            gave_up = operation(FileStatus("gs://a/1.pdf", "", None), error=make("operation-gave-up"))
            return [*(await results(staging, silent)).values(), *(await results(staging, gave_up)).values()]

        assert [error.kind for error in use(call)] == ["no-status", "operation-gave-up"]

    def test_a_file_that_is_there_twice_counts_once_and_as_good(self, use):
        async def call(client, staging):
            content = pdf()
            uri = await staging.upload(sha(content), PDF, content)
            inputs = [(uri, PDF), (uri, PDF)]
            name = await client.submit(place(), processor(), inputs, staging.output_prefix("r"))
            done = await ended(client, name)
            bad = FileStatus(uri, "", make("internal"))
            doubled = operation(bad, *done.files, bad)
            return [one async for one in staging.collect(doubled)]

        ((_, document),) = use(call)
        assert parse(document).pages

    def test_who_stops_listening_leaves_nothing_running(self, use):
        async def call(client, staging):
            files = [
                FileStatus(f"gs://a/{n}.pdf", f"gs://bucket/stage/outputs/r/1/{n}", None) for n in range(50)
            ]
            listening = staging.collect(operation(*files))
            await anext(listening)
            await listening.aclose()
            return [
                task
                for task in asyncio.all_tasks()
                if task is not asyncio.current_task() and not task.cancelling()
            ]

        assert use(call) == []


class TestCleaning:
    def test_only_what_was_staged_here_is_deleted(self, use):
        async def call(client, staging):
            content = pdf(12)
            uri = await staging.upload(sha(content), PDF, content)
            for request in ("1", "10"):
                name = await client.submit(place(), processor(), [(uri, PDF)], staging.output_prefix(request))
                await ended(client, name)
            assert await staging.cleanup(staging.output_prefix("1"), [uri]) == 3  # two shards and the input
            assert await staging.cleanup(staging.output_prefix("1"), [uri]) == 0
            return await staging.names("gs://bucket/stage")

        assert all(name.startswith("stage/outputs/10/") for name in use(call))

    @pytest.mark.parametrize(
        "uri",
        [
            "gs://bucket/mine.pdf",
            "gs://bucket/stage2/inputs/x",
            "gs://other/stage/inputs/x",
            "gs://bucket/stage/x",
        ],
    )
    def test_what_is_someone_elses_is_refused(self, use, uri):
        async def call(client, staging):
            await staging.cleanup(inputs=[uri])

        with pytest.raises(UsageError, match="was not staged here"):
            use(call)


def shard(first, pages, index, count, text="x"):
    """One shard: pages with a text of their own, as the service writes them."""
    document = document_class()()
    for number in range(first, first + pages):
        begin = len(document.text)
        document.text += f"{text}{number}\n"
        anchor = document.pages.add(page_number=number).layout.text_anchor
        anchor.text_segments.add(start_index=begin, end_index=len(document.text))
    document.shard_info.shard_index, document.shard_info.shard_count = index, count
    return json_format.MessageToJson(document).encode()


class TestShards:
    URI = "gs://a/doc.pdf"

    def kind(self, texts, pages=None):
        with pytest.raises(ServiceError) as caught:
            shards.join(self.URI, texts, pages)
        assert self.URI in caught.value.message
        return caught.value.kind

    def test_their_own_order_counts_and_not_that_of_their_names(self):
        names = [f"doc-{n}.json" for n in range(12)]
        texts = {name: shard(10 * n + 1, 10, n, 12) for n, name in enumerate(names)}
        document = parse(shards.join(self.URI, {name: texts[name] for name in sorted(names)}, 120))
        assert [page.page_number for page in document.pages] == list(range(1, 121))
        assert not document.HasField("shard_info")
        segment = document.pages[104].layout.text_anchor.text_segments[0]
        assert document.text[segment.start_index : segment.end_index] == "x105\n"

    def test_shards_that_say_nothing_are_put_in_the_order_of_their_numbers(self):
        texts = {f"doc-{n}.json": shard(n + 1, 1, 0, 0) for n in range(12)}
        assert len(parse(shards.join(self.URI, dict(sorted(texts.items())), 12)).pages) == 12

    def test_one_that_is_missing_is_missed(self):
        texts = {f"doc-{n}.json": shard(10 * n + 1, 10, n, 3) for n in (0, 2)}
        assert self.kind(texts) == "shards-missing"

    def test_pages_that_are_missing_are_missed(self):
        assert self.kind({"doc-0.json": shard(1, 9, 0, 1)}, 10) == "shard-broken"

    def test_an_overlap_is_refused(self):
        assert self.kind({"a-0.json": shard(1, 10, 0, 2), "a-1.json": shard(9, 10, 1, 2)}) == "shard-broken"

    def test_pages_out_of_order_are_refused(self):
        assert self.kind({"a-0.json": shard(11, 10, 0, 2), "a-1.json": shard(1, 10, 1, 2)}) == "shard-broken"

    def test_shards_of_two_documents_are_refused(self):
        texts = {
            "a-0.json": shard(1, 10, 0, 2),
            "a-1.json": shard(11, 10, 1, 2),
            "b-0.json": shard(1, 5, 0, 1),
        }
        assert self.kind(texts) == "shard-broken"
        twice = {
            "a-0.json": shard(1, 10, 0, 2),
            "b-0.json": shard(1, 10, 0, 2),
            "a-1.json": shard(11, 1, 1, 2),
        }
        assert self.kind(twice) == "shard-broken"

    @pytest.mark.parametrize(
        "text", [b"", b"{", b"[]", b"\xff", b'{"text": 3}', b'"x"', b"{" * 100_000, shard(1, 3, 0, 1)[:-40]]
    )
    def test_what_is_no_document_is_refused(self, text):
        assert self.kind({"doc-0.json": text}) == "shard-broken"

    def test_fields_that_nobody_knows_yet_are_left_out(self):
        text = b'{"text": "abc", "novelty": {"x": [1]}, "pages": [{"pageNumber": 1, "aura": "blue"}]}'
        assert parse(shards.join(self.URI, {"doc-0.json": text}, 1)).text == "abc"

    def test_answers_without_pages_are_joined_in_their_order(self):
        def blocks(index, name):
            document = document_class()()
            document.document_layout.blocks.add(block_id="1").text_block.text = name
            document.shard_info.shard_index, document.shard_info.shard_count = index, 2
            return json_format.MessageToJson(document).encode()

        texts = {"d-0.json": blocks(0, "first"), "d-1.json": blocks(1, "second")}
        found = parse(shards.join(self.URI, texts, 40)).document_layout.blocks
        assert [block.text_block.text for block in found] == ["first", "second"]
        assert len({block.block_id for block in found}) == 2
