"""Cloud Storage as google-cloud-storage, gcsfs and raw readers use it."""

from __future__ import annotations

import os
import urllib.error
import urllib.request

import pytest
from google.api_core import exceptions

from docdask.service.emulator.checksum import by_table, crc32c
from docdask.service.emulator.objects import ObjectStore, StorageError


@pytest.fixture
def bucket(emulator):
    return emulator.storage_client().create_bucket("bucket-one")


def test_an_object_comes_back_as_it_was_written(bucket):
    content = os.urandom(300_000)
    blob = bucket.blob("dir with space/ü+%25 file.bin")
    blob.metadata = {"kind": "test"}
    blob.upload_from_string(content, "application/x-test")
    fresh = bucket.get_blob("dir with space/ü+%25 file.bin")
    assert fresh.download_as_bytes() == content
    assert fresh.download_as_bytes(start=10, end=19) == content[10:20]
    assert (fresh.size, fresh.content_type, fresh.metadata) == (
        300_000,
        "application/x-test",
        {"kind": "test"},
    )
    assert fresh.exists()


def test_a_resumable_upload_in_parts(bucket, tmp_path):
    content = os.urandom(700_000)
    path = tmp_path / "big.bin"
    path.write_bytes(content)
    blob = bucket.blob("big.bin", chunk_size=256 * 1024)
    blob.upload_from_filename(str(path))
    assert bucket.blob("big.bin").download_as_bytes() == content


def test_listing_by_prefix_and_delimiter_and_page(bucket):
    for name in ("a/1", "a/2", "a/b/3", "a/b/4", "c", "a.d/5"):
        bucket.blob(name).upload_from_string(name)
    client = bucket.client
    assert [blob.name for blob in client.list_blobs(bucket, prefix="a/")] == ["a/1", "a/2", "a/b/3", "a/b/4"]
    found = client.list_blobs(bucket, prefix="a/", delimiter="/")
    assert [blob.name for blob in found] == ["a/1", "a/2"]
    assert found.prefixes == {"a/b/"}
    paged = client.list_blobs(bucket, page_size=2)
    assert [[blob.name for blob in page] for page in paged.pages] == [
        ["a.d/5", "a/1"],
        ["a/2", "a/b/3"],
        ["a/b/4", "c"],
    ]
    grouped = client.list_blobs(bucket, delimiter="/", page_size=1)
    pages = [([blob.name for blob in page], sorted(page.prefixes)) for page in grouped.pages]
    assert pages == [([], ["a.d/"]), ([], ["a/"]), (["c"], [])]


def test_generations_and_preconditions(bucket):
    blob = bucket.blob("x")
    blob.upload_from_string("one", if_generation_match=0)
    first = blob.generation
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("x").upload_from_string("two", if_generation_match=0)
    blob.upload_from_string("two", if_generation_match=first)
    assert blob.generation > first
    assert bucket.blob("x").download_as_bytes(if_generation_match=blob.generation) == b"two"
    with pytest.raises(exceptions.NotFound):
        bucket.blob("x", generation=first).download_as_bytes()
    with pytest.raises(exceptions.PreconditionFailed):
        blob.delete(if_generation_match=first)


def test_copy_compose_patch_and_delete(bucket):
    one, two = bucket.blob("1"), bucket.blob("2")
    one.upload_from_string("a")
    two.upload_from_string("b")
    bucket.blob("both").compose([one, two])
    copied = bucket.copy_blob(bucket.blob("both"), bucket, "copy")
    assert copied.download_as_bytes() == b"ab"
    copied.metadata = {"k": "v"}
    copied.patch()
    assert bucket.get_blob("copy").metadata == {"k": "v"}
    with bucket.client.batch():
        one.delete()
        two.delete()
    assert sorted(blob.name for blob in bucket.client.list_blobs(bucket)) == ["both", "copy"]
    with pytest.raises(exceptions.Conflict):
        bucket.delete()
    bucket.delete(force=True)
    assert bucket.client.lookup_bucket("bucket-one") is None


def test_what_is_missing_is_404(bucket):
    with pytest.raises(exceptions.NotFound):
        bucket.blob("nothing").download_as_bytes()
    with pytest.raises(exceptions.NotFound):
        bucket.client.get_bucket("no-such-bucket")
    assert bucket.get_blob("nothing") is None


def test_a_wrong_checksum_is_refused(bucket):
    blob = bucket.blob("sum")
    blob.md5_hash = "AAAAAAAAAAAAAAAAAAAAAA=="
    with pytest.raises(exceptions.BadRequest):
        blob.upload_from_string("content")
    assert bucket.get_blob("sum") is None


def test_gcsfs_reads_writes_lists_and_removes(emulator):
    # The plain class: the other one asks a gRPC service for the bucket's type first, always over TLS.
    gcsfs = pytest.importorskip("gcsfs.core")
    fs = gcsfs.GCSFileSystem(
        endpoint_url=emulator.http_url, token="anon", skip_instance_cache=True, project="emulator"
    )
    fs.mkdir("bucket-two")
    for name in ("a.txt", "d/b.txt", "d/ü c.txt"):
        fs.pipe(f"bucket-two/{name}", name.encode())
    assert sorted(fs.find("bucket-two")) == ["bucket-two/a.txt", "bucket-two/d/b.txt", "bucket-two/d/ü c.txt"]
    assert sorted(fs.ls("bucket-two", detail=False)) == ["bucket-two/a.txt", "bucket-two/d"]
    assert fs.cat("bucket-two/d/ü c.txt") == "d/ü c.txt".encode()
    assert fs.cat_file("bucket-two/d/b.txt", start=2, end=5) == b"b.t"
    assert fs.info("bucket-two/a.txt")["size"] == 5
    assert fs.exists("bucket-two/a.txt")
    assert not fs.exists("bucket-two/none")
    big = os.urandom(600_000)
    with fs.open("bucket-two/big", "wb", block_size=2**18) as file:
        file.write(big)
    assert fs.cat("bucket-two/big") == big
    fs.rm("bucket-two/d", recursive=True)
    assert sorted(fs.find("bucket-two")) == ["bucket-two/a.txt", "bucket-two/big"]
    with pytest.raises(FileNotFoundError):
        fs.cat("bucket-two/none")


def test_the_xml_path_and_the_path_without_its_prefix(bucket, emulator):
    bucket.blob("dir with space/ü+%25 file.bin").upload_from_string(b"0123456789")
    path = "bucket-one/dir%20with%20space%2F%C3%BC%2B%2525%20file.bin"
    with urllib.request.urlopen(f"{emulator.http_url}/{path}") as reply:
        assert reply.read() == b"0123456789"
        assert reply.headers["X-Goog-Generation"].isdigit()
        assert "crc32c=" in reply.headers["X-Goog-Hash"]
    ranged = urllib.request.Request(f"{emulator.http_url}/{path}", headers={"Range": "bytes=-3"})
    with urllib.request.urlopen(ranged) as reply:
        assert (reply.status, reply.read(), reply.headers["Content-Range"]) == (206, b"789", "bytes 7-9/10")
    with urllib.request.urlopen(f"{emulator.http_url}/b/bucket-one/o") as reply:
        assert b'"kind": "storage#objects"' in reply.read()
    with urllib.request.urlopen(
        urllib.request.Request(f"{emulator.http_url}/{path}", method="HEAD")
    ) as reply:
        assert reply.headers["Content-Length"] == "10"
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        urllib.request.urlopen(f"{emulator.http_url}/bucket-one/none")
    caught.value.close()


def test_a_store_in_a_folder_is_read_back_and_swept(tmp_path):
    store = ObjectStore(tmp_path)
    store.create_bucket("bucket", {}, 1)
    store.put("bucket", "kept", b"two", 5)
    store.put("bucket", "kept", b"three", 6)
    store.put("bucket", "gone", b"x", 7)
    store.delete("bucket", "gone")
    (tmp_path / "contents" / "cut-short").write_bytes(b"never acknowledged")
    store.close()
    again = ObjectStore(tmp_path)
    assert list(again.names("bucket")) == ["kept"]
    blob = again.get("bucket", "kept")
    assert again.content(blob) == b"three"
    assert [path.name for path in (tmp_path / "contents").iterdir()] == [blob.file]
    assert again.put("bucket", "kept", b"4", 6).generation > blob.generation
    again.close()


def test_a_bucket_with_objects_is_not_deleted():
    store = ObjectStore(None)
    store.create_bucket("bucket", {}, 1)
    store.put("bucket", "a", b"", 2)
    with pytest.raises(StorageError) as caught:
        store.delete_bucket("bucket")
    assert caught.value.http == 409


def test_both_checksums_agree_with_the_published_value():
    assert by_table(b"123456789") == crc32c(b"123456789") == 0xE3069283
