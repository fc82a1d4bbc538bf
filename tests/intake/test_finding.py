"""What a user names leads to exactly the files he means, in a fixed order, or to a sentence that says why not."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from docdask.errors import SourceError
from docdask.intake.finding import find
from docdask.intake.reading import is_url, local_path, read
from docdask.model import document_id

ODD = [
    "-dash.pdf", "100% (v2).pdf", "№7.pdf", "empty#hash.pdf", "請求書 2024年.PDF", "a b.pdf", "[x].pdf", "q?.pdf", "star*.pdf",
    "new\nline.pdf", "quote'\".pdf", "a%20b.pdf", "::.pdf", "no-extension",
]  # fmt: skip


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())


def uris(*sources, **options) -> list[str]:
    return [source.uri for source in find([str(s) for s in sources], **options)]


def test_a_folder_is_searched_to_the_bottom_in_order(tmp_path):
    touch(tmp_path, "b.pdf", "a/z.png", "a/b/c.tif")
    assert uris(tmp_path) == [str(tmp_path / name) for name in ("a/b/c.tif", "a/z.png", "b.pdf")]


def test_size_and_version_are_those_of_the_directory(tmp_path):
    touch(tmp_path, "a.pdf")
    os.utime(tmp_path / "a.pdf", ns=(1, 1_700_000_000_123_456_789))
    (source,) = find([str(tmp_path)])
    assert (source.size_bytes, source.version) == (5, "1700000000123456789")


def test_hidden_files_and_run_directories_are_left_out(tmp_path):
    touch(
        tmp_path, "a.pdf", ".hidden.pdf", ".git/x.pdf", "run/docdask.json", "run/results/x.pdf", "run2/a.pdf"
    )
    assert uris(tmp_path) == [str(tmp_path / "a.pdf"), str(tmp_path / "run2/a.pdf")]
    assert uris(f"{tmp_path}/**") == uris(tmp_path)


def test_a_hidden_file_that_is_named_is_meant(tmp_path):
    touch(tmp_path, ".hidden.pdf")
    assert uris(tmp_path / ".hidden.pdf") == [str(tmp_path / ".hidden.pdf")]


@pytest.mark.parametrize("name", ODD)
def test_odd_names_are_found_and_read_by_folder_and_by_name(tmp_path, name):
    touch(tmp_path, name)
    assert uris(tmp_path) == uris(tmp_path / name) == [str(tmp_path / name)]
    assert read(str(tmp_path / name)) == name.encode()


def test_a_leading_dash_in_a_relative_name_is_no_option(tmp_path, monkeypatch):
    touch(tmp_path, "-a.pdf")
    monkeypatch.chdir(tmp_path)
    assert uris("-a.pdf") == [str(tmp_path / "-a.pdf")]


def test_a_name_that_is_no_utf8_travels_as_a_url(tmp_path):
    raw = os.fsencode(tmp_path) + b"/caf\xe9 100%.pdf"
    Path(os.fsdecode(raw)).write_bytes(b"here")
    (uri,) = uris(tmp_path)
    assert uri == f"file://{tmp_path}/caf%E9%20100%25.pdf"
    assert document_id(uri)
    assert read(uri) == b"here"
    assert os.fsencode(local_path(uri)) == raw
    assert uris(uri) == [uri]


def test_globs_match_names_folders_and_depth(tmp_path):
    touch(tmp_path, "a.pdf", "b.png", "sub/c.pdf", "sub/deep/d.pdf")
    assert uris(f"{tmp_path}/*.pdf") == [str(tmp_path / "a.pdf")]
    assert uris(f"{tmp_path}/**/*.pdf") == [
        str(tmp_path / n) for n in ("a.pdf", "sub/c.pdf", "sub/deep/d.pdf")
    ]
    assert uris(f"{tmp_path}/su*") == [str(tmp_path / n) for n in ("sub/c.pdf", "sub/deep/d.pdf")]


def test_each_file_comes_once_whatever_names_it(tmp_path):
    touch(tmp_path, "a.pdf", "b.pdf")
    assert uris(tmp_path, tmp_path / "a.pdf", f"{tmp_path}/*.pdf", f"file://{tmp_path}/b.pdf") == uris(
        tmp_path
    )


def test_links_in_a_circle_end_and_links_elsewhere_are_followed(tmp_path):
    touch(tmp_path, "in/a.pdf", "elsewhere/b.pdf")
    (tmp_path / "in" / "circle").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "other").symlink_to(tmp_path / "elsewhere")
    assert uris(tmp_path / "in") == [str(tmp_path / "in/a.pdf"), str(tmp_path / "in/other/b.pdf")]


def test_a_dangling_link_is_kept_so_that_it_gets_a_reason(tmp_path):
    (tmp_path / "gone.pdf").symlink_to(tmp_path / "nowhere")
    assert uris(tmp_path) == [str(tmp_path / "gone.pdf")]


def test_pipes_and_sockets_are_no_documents(tmp_path):
    touch(tmp_path, "a.pdf")
    os.mkfifo(tmp_path / "pipe.pdf")
    assert uris(tmp_path) == uris(f"{tmp_path}/*") == [str(tmp_path / "a.pdf")]


def test_memory_and_zip_urls_are_listed_and_read(tmp_path, memory):
    memory.pipe("/in/a b.pdf", b"one")
    memory.pipe("/in/.hidden", b"no")
    memory.pipe("/in/run/docdask.json", b"{}")
    memory.pipe("/in/run/x.pdf", b"no")
    assert uris("memory://in") == ["memory:///in/a b.pdf"]
    assert uris("memory://in/*.pdf") == ["memory:///in/a b.pdf"]
    assert read("memory:///in/a b.pdf") == b"one"
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("sub/c.pdf", b"two")
    (uri,) = uris(f"zip://**::{tmp_path}/x.zip")
    assert uri == f"zip://sub/c.pdf::{tmp_path}/x.zip"
    assert read(uri) == b"two"


def test_a_remote_file_has_a_version(memory):
    memory.pipe("/in/a.pdf", b"one")
    (source,) = find(["memory://in/a.pdf"])
    assert source.size_bytes == 3
    assert source.version


def test_storage_options_reach_the_file_system(tmp_path):
    touch(tmp_path, "a.pdf")
    (uri,) = uris("dir://", storage_options={"path": str(tmp_path), "target_protocol": "file"})
    assert read(uri, {"path": str(tmp_path), "target_protocol": "file"}) == b"a.pdf"


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("{tmp}/missing", "no file or folder"),
        ("{tmp}/*.xyz", "nothing matches"),
        ("{tmp}", "no files in"),
        ("memory://nothing-here", "nothing at"),
        ("nosuchfs://x/y", "can't be listed"),
        ("@{tmp}/list.csv", "list"),
    ],
)
def test_a_source_without_files_is_one_sentence_with_a_remedy(tmp_path, memory, source, says):
    with pytest.raises(SourceError, match=says) as caught:
        uris(source.format(tmp=tmp_path))
    assert caught.value.remedy
    assert caught.value.exit_code == 3
    assert "\n" not in str(caught.value)


def test_no_sources_at_all_is_said(tmp_path):
    with pytest.raises(SourceError, match="empty list"):
        find([])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_folder_is_named(tmp_path):
    touch(tmp_path, "ok.pdf", "locked/a.pdf")
    (tmp_path / "locked").chmod(0)
    try:
        with pytest.raises(SourceError, match="locked"):
            uris(tmp_path)
    finally:
        (tmp_path / "locked").chmod(0o700)


def test_a_folder_that_fails_is_named(tmp_path, monkeypatch):
    touch(tmp_path, "locked/a.pdf")
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(SourceError, match=r"locked.*Permission denied"):
        uris(tmp_path)


@pytest.mark.parametrize(
    ("text", "url"),
    [("gs://b/x", True), ("memory://x", True), ("zip://a::b.zip", True), ("/a/b", False), ("a::b", True),
     ("C:\\x", False), ("/tmp/::x", False), ("-x", False)],
)  # fmt: skip
def test_urls_are_told_from_paths(text, url):
    assert is_url(text) is url
