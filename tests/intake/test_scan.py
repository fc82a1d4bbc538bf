"""A batch gives a row a file, whatever happens; what is unchanged is not read again."""

from __future__ import annotations

import os

import pytest

from docdask import sandbox
from docdask.errors import DocumentError
from docdask.intake.finding import find
from docdask.intake.inspection import inspect, name_of
from docdask.intake.limits import Limits
from docdask.intake.reading import read
from docdask.intake.scan import LIMITED, scan_batch, to_inspect
from docdask.model import Source
from docdask.store.catalog import CATALOG


def row(source: Source, **changes) -> dict:
    base = {"version": source.version, "size_bytes": source.size_bytes, "state": "ready", "problem": None}
    return {source.document_id: {**base, **changes}}


SOURCE = Source("/in/a.pdf", 10, "v1")


def test_a_new_file_is_read():
    assert to_inspect([SOURCE], {}) == [SOURCE]


def test_an_unchanged_file_is_not_read_again():
    assert to_inspect([SOURCE], row(SOURCE)) == []


@pytest.mark.parametrize("change", [{"version": "v0"}, {"size_bytes": 11}])
def test_a_changed_file_is_read_again(change):
    assert to_inspect([SOURCE], row(SOURCE, **change)) == [SOURCE]


def test_a_file_without_a_version_is_always_read():
    unknown = Source("http://x/a.pdf", 10, "")
    assert to_inspect([unknown], row(unknown)) == [unknown]


def test_a_size_that_the_listing_does_not_tell_is_no_change():
    unknown = Source("http://x/a.pdf", 0, "etag")
    assert to_inspect([unknown], row(unknown, size_bytes=99)) == []


@pytest.mark.parametrize(
    ("problem", "options", "again"),
    [
        ("encrypted", {}, False),
        ("encrypted", {"has_passwords": True}, True),
        ("corrupt", {"has_passwords": True}, False),
        ("permission", {}, True),
        ("vanished", {}, True),
        ("unreadable", {}, True),
        ("timeout", {}, False),
        ("timeout", {"rescan": LIMITED}, True),
    ],
)
def test_which_problems_are_worth_another_look(problem, options, again):
    catalog = row(SOURCE, state="quarantined", problem=problem)
    assert to_inspect([SOURCE], catalog, **options) == ([SOURCE] if again else [])


def test_a_batch_has_a_full_row_a_file_in_order(tmp_path, make_pdf):
    (tmp_path / "a.pdf").write_bytes(make_pdf("Invoice number 17\nAmount due: 5.00"))
    (tmp_path / "b.txt").write_text("hello")
    (tmp_path / "c.pdf").write_bytes(b"")
    sources = [*find([str(tmp_path)]), Source(str(tmp_path / "gone.pdf"), 5, "1")]
    rows = scan_batch(sources)
    assert [r["uri"] for r in rows] == [s.uri for s in sources]
    assert all(r.keys() == set(CATALOG.names) for r in rows)
    assert [(r["state"], r["problem"]) for r in rows] == [
        ("ready", None),
        ("skipped", "unsupported-type"),
        ("quarantined", "empty"),
        ("quarantined", "vanished"),
    ]


def test_extra_columns_are_kept_as_json(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    assert (
        inspect(Source(str(tmp_path / "a.txt"), 1, "1", {"k": "ü", "n": 1}))["columns"]
        == '{"k": "ü", "n": 1}'
    )


def test_passwords_reach_the_pdf(tmp_path, make_pdf):
    (tmp_path / "a.pdf").write_bytes(make_pdf("text", encrypt="secret"))
    sources = list(find([str(tmp_path)]))
    assert scan_batch(sources)[0]["problem"] == "encrypted"
    assert scan_batch(sources, ["secret"])[0]["action"] == "decrypted"


def test_a_file_over_the_limit_is_not_read(tmp_path):
    (tmp_path / "a.pdf").write_bytes(b"%PDF-" + bytes(3000))
    (source,) = find([str(tmp_path)])
    result = inspect(source, limits=Limits(file_bytes=2000))
    assert (result["problem"], result["sha256"], result["size_bytes"]) == ("oversize-file", None, 3005)
    with pytest.raises(DocumentError) as caught:
        read(source.uri, limit_bytes=2000)
    assert caught.value.code == "oversize-file"


@pytest.mark.parametrize("code", ["timeout", "memory", "crash"])
def test_whatever_ends_the_child_becomes_a_row(tmp_path, make_pdf, monkeypatch, code):
    (tmp_path / "a.pdf").write_bytes(make_pdf("text"))

    def fall(*_, **__):
        raise DocumentError(code, "why", "what to do")

    monkeypatch.setattr(sandbox, "call", fall)
    (result,) = scan_batch(list(find([str(tmp_path)])))
    assert (result["state"], result["problem"], result["reason"], result["remedy"]) == (
        "quarantined", code, "why", "what to do",
    )  # fmt: skip
    assert (result["mime_type"], result["group"]) == ("application/pdf", "pdf")


def test_a_pdf_that_crashes_the_renderer_gets_a_second_chance_rebuilt(tmp_path, make_pdf, monkeypatch):
    (tmp_path / "a.pdf").write_bytes(make_pdf("text"))
    call = sandbox.call

    def crash_on_the_original(*args, rebuild, **kwargs):
        if not rebuild:
            raise DocumentError("crash", "why", "what to do")
        return call(*args, rebuild=rebuild, **kwargs)

    monkeypatch.setattr(sandbox, "call", crash_on_the_original)
    (result,) = scan_batch(list(find([str(tmp_path)])))
    assert (result["state"], result["problem"], result["action"], result["pages"]) == (
        "ready", "damaged", "repaired", 1,
    )  # fmt: skip


def test_the_time_limit_holds_for_a_real_file(tmp_path, make_pdf):
    (tmp_path / "a.pdf").write_bytes(make_pdf(*["text"] * 50))
    sandbox.close_all()  # a fresh child needs longer than this for its imports alone
    (result,) = scan_batch(list(find([str(tmp_path)])), limits=Limits(timeout_s=0.01))
    assert (result["state"], result["problem"]) == ("quarantined", "timeout")


def test_what_nobody_foresaw_is_the_files_fault_and_not_the_end(tmp_path, make_pdf, monkeypatch):
    (tmp_path / "a.pdf").write_bytes(make_pdf("text"))

    def fall(*_, **__):
        raise RuntimeError("KeyError: '/Root'")

    monkeypatch.setattr(sandbox, "call", fall)
    (result,) = scan_batch(list(find([str(tmp_path)])))
    assert (result["state"], result["problem"]) == ("quarantined", "corrupt")


def test_a_worker_that_closes_blames_no_file(tmp_path, make_pdf, monkeypatch):
    (tmp_path / "a.pdf").write_bytes(make_pdf("text"))

    def fall(*_, **__):
        raise sandbox.SandboxClosed("closed")

    monkeypatch.setattr(sandbox, "call", fall)
    with pytest.raises(sandbox.SandboxClosed):
        scan_batch(list(find([str(tmp_path)])))


@pytest.mark.parametrize(
    ("raised", "code"), [(FileNotFoundError(2, "x"), "vanished"), (PermissionError(13, "x"), "permission"), (OSError(5, "I/O error"), "unreadable"), (ValueError("odd"), "unreadable")]
)  # fmt: skip
def test_what_a_storage_raises_becomes_a_reason(memory, monkeypatch, raised, code):
    def fall(*_, **__):
        raise raised

    monkeypatch.setattr(type(memory), "_open", fall)
    with pytest.raises(DocumentError) as caught:
        read("memory://a.pdf")
    assert caught.value.code == code
    assert "memory://a.pdf" in caught.value.message


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(DocumentError) as caught:
        read(str(tmp_path))
    assert caught.value.code == "unreadable"


@pytest.mark.parametrize(
    ("uri", "name"),
    [("/a/b c.pdf", "b c.pdf"), ("/a/100%25.pdf", "100%25.pdf"), ("file:///a/caf%E9.pdf", "caf\ufffd.pdf"), ("gs://b/x/y.pdf", "y.pdf"),
     ("zip://sub/c.pdf::/tmp/x.zip", "c.pdf")],
)  # fmt: skip
def test_names_are_what_a_person_reads(uri, name):
    assert name_of(uri) == name


def test_the_sandbox_is_used_again_between_files(tmp_path, make_pdf):
    for number in range(3):
        (tmp_path / f"{number}.pdf").write_bytes(make_pdf(str(number)))
    scan_batch(list(find([str(tmp_path)])))
    before = sandbox.children()
    scan_batch(list(find([str(tmp_path)])))
    assert sandbox.children() == before
    assert os.getpid() not in before
