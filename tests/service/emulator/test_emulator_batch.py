"""Batches through Google's own clients: shards in storage, states, partial failure, cancel, faults."""

from __future__ import annotations

import json

import pytest
from emulator_requests import name, pdf
from google.api_core import exceptions
from google.cloud import documentai_v1 as documentai

from docdask.core.limits import DEFAULT_BOOK
from docdask.core.server import Latency, ServerSettings, Switches, make_faults
from docdask.service.emulator import EmulatorConfig
from docdask.testing import running_emulator

HOUR_NS = 3600 * 10**9


def batch(files, processor="ocr", **output):
    documents = [{"gcs_uri": f"gs://input/{file}", "mime_type": "application/pdf"} for file in files]
    return documentai.BatchProcessRequest(
        name=name(processor),
        input_documents={"gcs_documents": {"documents": documents}},
        document_output_config={"gcs_output_config": {"gcs_uri": "gs://output/results/", **output}},
    )


def fill(emulator, **files):
    client = emulator.storage_client()
    client.create_bucket("output")
    bucket = client.create_bucket("input")
    for file, content in files.items():
        bucket.blob(f"{file}.pdf").upload_from_string(content, "application/pdf")
    return client


def shards(storage, status):
    bucket, _, prefix = status.output_gcs_destination.removeprefix("gs://").partition("/")
    blobs = storage.list_blobs(bucket, prefix=prefix + "/")
    return {blob.name.removeprefix(prefix + "/"): json.loads(blob.download_as_bytes()) for blob in blobs}


def test_a_batch_writes_shards_of_ten_pages_as_the_service_does(emulator):
    storage = fill(emulator, long=pdf(23), short=pdf(1))
    operation = emulator.documentai_client().batch_process_documents(request=batch(["long.pdf", "short.pdf"]))
    operation.result(timeout=60)
    metadata = operation.metadata
    assert metadata.state == documentai.BatchProcessMetadata.State.SUCCEEDED
    first, second = metadata.individual_process_statuses
    identity = operation.operation.name.rsplit("/", 1)[-1]
    assert first.output_gcs_destination == f"gs://output/results/{identity}/0"
    assert first.input_gcs_source == "gs://input/long.pdf"
    found = shards(storage, first)
    assert list(found) == ["long-0.json", "long-1.json", "long-2.json"]
    assert [len(shard["pages"]) for shard in found.values()] == [10, 10, 3]
    assert found["long-2.json"]["pages"][0]["pageNumber"] == 21
    assert [shard["shardInfo"].get("shardIndex") for shard in found.values()] == [None, "1", "2"]
    assert {shard["shardInfo"]["shardCount"] for shard in found.values()} == {"3"}
    offset = len(found["long-0.json"]["text"])
    assert found["long-1.json"]["shardInfo"]["textOffset"] == str(offset)
    assert (
        found["long-1.json"]["pages"][0]["layout"]["textAnchor"]["textSegments"][0].get("startIndex") is None
    )
    assert list(shards(storage, second)) == ["short-0.json"]
    assert emulator.stats()["pages_billed"] == 24
    assert [row["billed_pages"] for row in emulator.calls(method="BatchDocument")] == [23, 1]


def test_shards_are_cut_as_asked_and_overlap_repeats_pages(emulator):
    storage = fill(emulator, long=pdf(7))
    sharding = {"pages_per_shard": 3, "pages_overlap": 1}
    operation = emulator.documentai_client().batch_process_documents(
        request=batch(["long.pdf"], sharding_config=sharding)
    )
    operation.result(timeout=60)
    found = shards(storage, operation.metadata.individual_process_statuses[0])
    assert [[page["pageNumber"] for page in shard["pages"]] for shard in found.values()] == [
        [1, 2, 3],
        [3, 4, 5],
        [5, 6, 7],
    ]
    two_pages = len("Page 1\nTotal: $12.50\n") * 2
    assert [shard["shardInfo"].get("textOffset", "0") for shard in found.values()] == [
        "0",
        str(two_pages),
        str(2 * two_pages),
    ]


def test_a_mask_without_shard_info_drops_it(emulator):
    storage = fill(emulator, a=pdf(2))
    operation = emulator.documentai_client().batch_process_documents(
        request=batch(["a.pdf"], field_mask={"paths": ["text"]})
    )
    operation.result(timeout=60)
    (shard,) = shards(storage, operation.metadata.individual_process_statuses[0]).values()
    assert set(shard) == {"text"}


def test_a_prefix_takes_all_files_below_it(emulator):
    fill(emulator, a=pdf(1), b=pdf(2))
    asked = batch([])
    asked.input_documents = documentai.BatchDocumentsInputConfig(gcs_prefix={"gcs_uri_prefix": "gs://input/"})
    operation = emulator.documentai_client().batch_process_documents(request=asked)
    operation.result(timeout=60)
    assert [status.input_gcs_source for status in operation.metadata.individual_process_statuses] == [
        "gs://input/a.pdf",
        "gs://input/b.pdf",
    ]


@pytest.mark.parametrize("reading", ["failed", "succeeded"])
def test_a_batch_of_which_some_fail(reading):
    switches = Switches(partial_failure=reading)
    with running_emulator(EmulatorConfig(ocr="fast", server=ServerSettings(switches=switches))) as emulator:
        fill(emulator, good=pdf(2), bad=b"%PDF-no")
        operation = emulator.documentai_client().batch_process_documents(
            request=batch(["good.pdf", "bad.pdf", "missing.pdf"])
        )
        if reading == "failed":
            with pytest.raises(exceptions.InvalidArgument):
                operation.result(timeout=60)
        else:
            operation.result(timeout=60)
        good, bad, missing = operation.metadata.individual_process_statuses
        assert (good.status.code, bad.status.code, missing.status.code) == (0, 3, 5)
        assert good.output_gcs_destination
        assert not bad.output_gcs_destination
        assert emulator.stats()["pages_billed"] == 2


def test_a_batch_of_which_all_fail_says_so_in_googles_words(emulator):
    fill(emulator, bad=b"%PDF-no")
    operation = emulator.documentai_client().batch_process_documents(request=batch(["bad.pdf"]))
    with pytest.raises(exceptions.InvalidArgument) as caught:
        operation.result(timeout=60)
    assert "400 Failed to process all documents. 3: Failed to process all documents." in str(caught.value)
    assert operation.metadata.state == documentai.BatchProcessMetadata.State.FAILED


def test_an_output_bucket_that_is_missing_fails_the_documents(emulator):
    storage = fill(emulator, a=pdf(1))
    storage.get_bucket("output").delete()
    operation = emulator.documentai_client().batch_process_documents(request=batch(["a.pdf"]))
    with pytest.raises(exceptions.InvalidArgument):
        operation.result(timeout=60)
    assert operation.metadata.individual_process_statuses[0].status.code == 7
    assert emulator.stats()["pages_billed"] == 0


def test_operations_are_got_listed_waited_for_and_cancelled():
    latency = Latency(batch_base_ns=HOUR_NS)
    with running_emulator(EmulatorConfig(ocr="fast", server=ServerSettings(latency=latency))) as emulator:
        fill(emulator, a=pdf(1))
        client = emulator.documentai_client()
        operation = client.batch_process_documents(request=batch(["a.pdf"]))
        full = operation.operation.name
        assert not client.get_operation({"name": full}).done
        place = full.rsplit("/", 2)[0]
        assert [item.name for item in client.list_operations({"name": f"{place}/operations"}).operations] == [
            full
        ]
        client.cancel_operation({"name": full})
        ended = client.get_operation({"name": full})
        assert (ended.done, ended.error.code) == (True, 1)
        metadata = documentai.BatchProcessMetadata.deserialize(ended.metadata.value)
        assert metadata.state == documentai.BatchProcessMetadata.State.CANCELLED
        assert (
            ended.metadata.type_url == "type.googleapis.com/google.cloud.documentai.v1.BatchProcessMetadata"
        )
        assert emulator.stats()["pages_billed"] == 0
        with pytest.raises(exceptions.NotFound):
            client.get_operation({"name": f"{place}/operations/1"})


def test_wait_operation_answers_when_it_has_ended(emulator):
    import grpc
    from google.longrunning import operations_pb2

    fill(emulator, a=pdf(1))
    operation = emulator.documentai_client().batch_process_documents(request=batch(["a.pdf"]))
    with grpc.insecure_channel(emulator.grpc_address) as channel:
        wait = channel.unary_unary(
            "/google.longrunning.Operations/WaitOperation",
            request_serializer=operations_pb2.WaitOperationRequest.SerializeToString,
            response_deserializer=operations_pb2.Operation.FromString,
        )
        assert wait(operations_pb2.WaitOperationRequest(name=operation.operation.name)).done


def test_the_sixth_batch_is_refused_or_waits():
    latency = Latency(batch_base_ns=HOUR_NS)
    for excess in ("refuse", "wait"):
        server = ServerSettings(latency=latency, switches=Switches(batch_excess=excess))
        with running_emulator(EmulatorConfig(ocr="fast", server=server)) as emulator:
            fill(emulator, a=pdf(1))
            client = emulator.documentai_client()
            operations = [client.batch_process_documents(request=batch(["a.pdf"])) for _ in range(5)]
            if excess == "refuse":
                with pytest.raises(exceptions.ResourceExhausted):
                    client.batch_process_documents(request=batch(["a.pdf"]), retry=None)
                continue
            sixth = client.batch_process_documents(request=batch(["a.pdf"]))
            states = documentai.BatchProcessMetadata.State
            assert sixth.metadata.state == states.WAITING
            client.cancel_operation({"name": operations[0].operation.name})
            found = client.get_operation({"name": sixth.operation.name})
            assert documentai.BatchProcessMetadata.deserialize(found.metadata.value).state == states.RUNNING


def test_a_half_written_shard_is_cut(emulator):
    storage = fill(emulator, a=pdf(1))
    emulator.faults(half_written=1.0)
    operation = emulator.documentai_client().batch_process_documents(request=batch(["a.pdf"]))
    operation.result(timeout=60)
    with pytest.raises(json.JSONDecodeError):
        shards(storage, operation.metadata.individual_process_statuses[0])


def test_a_stuck_operation_stays_running_until_the_service_gives_up():
    config = EmulatorConfig(
        ocr="fast", speed=1e6, server=ServerSettings(faults=make_faults(changes={"stuck": 1.0}))
    )
    with running_emulator(config) as emulator:
        fill(emulator, a=pdf(1))
        operation = emulator.documentai_client().batch_process_documents(request=batch(["a.pdf"]))
        with pytest.raises(exceptions.Cancelled):
            operation.result(timeout=60)
        assert emulator.stats()["pages_billed"] == 0


def test_more_files_than_a_batch_takes():
    limits = DEFAULT_BOOK.override({"batch_files": 1})
    config = EmulatorConfig(ocr="fast", server=ServerSettings(limits=limits))
    with (
        running_emulator(config) as emulator,
        pytest.raises(exceptions.InvalidArgument, match="exceeds the limit: 1"),
    ):
        emulator.documentai_client().batch_process_documents(request=batch(["a.pdf", "b.pdf"]))


def test_a_batch_without_output_is_refused(emulator):
    asked = batch(["a.pdf"])
    asked.document_output_config = None
    with pytest.raises(exceptions.InvalidArgument):
        emulator.documentai_client().batch_process_documents(request=asked)
