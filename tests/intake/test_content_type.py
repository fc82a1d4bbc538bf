"""Types come from content: the name may say what it likes."""

from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from docdask.intake.content_type import IMAGES, NAMES, PDF, claimed, describe, sniff


def image(fmt: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (4, 4)).save(out, fmt)
    return out.getvalue()


def archive(*names: str, mimetype: str = "") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        if mimetype:
            file.writestr("mimetype", mimetype)
        for name in names:
            file.writestr(name, "x")
    return out.getvalue()


OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
MAIL = b"Received: from x\r\nFrom: a@b.c\r\nTo: d@e.f\r\nSubject: %PDF-1.4\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\n\r\nHello\r\n"
OOXML = "application/vnd.openxmlformats-officedocument."


@pytest.mark.parametrize("fmt", ["BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP"])
def test_images_that_engines_take(fmt):
    assert sniff(image(fmt)) == f"image/{fmt.lower()}"


@pytest.mark.parametrize(
    ("data", "mime"),
    [
        (b"", "inode/x-empty"),
        (b"%PDF-1.7\n%\xe2\xe3", PDF),
        (b"junk before\r\n" * 40 + b"%PDF-1.4\n1 0 obj\n<<>>\nendobj", PDF),
        (b"%PDF-1.4 is a file format that begins like this", PDF),
        (b"A letter about the header %PDF-1.4 and nothing else.\n", "text/plain"),
        (b"x" * 2000 + b"%PDF-1.4\n1 0 obj", "text/plain"),
        (archive("word/document.xml"), OOXML + "wordprocessingml.document"),
        (archive("xl/workbook.xml"), OOXML + "spreadsheetml.sheet"),
        (archive("ppt/presentation.xml"), OOXML + "presentationml.presentation"),
        (archive("content.xml", mimetype="application/vnd.oasis.opendocument.text"), "application/vnd.oasis.opendocument.text"),
        (archive("a.txt"), "application/zip"),
        (b"PK\3\4" + b"\xff" * 50, "application/zip"),
        (OLE + "__substg1.0_0037001F".encode("utf-16-le"), "application/vnd.ms-outlook"),
        (OLE + "WordDocument".encode("utf-16-le"), "application/msword"),
        (OLE, "application/x-ole-storage"),
        (MAIL, "message/rfc822"),
        (b"From a@b.c Mon Jan  1 00:00:00 2024\n" + MAIL, "application/mbox"),
        (b"<!DOCTYPE html><html><body>x", "text/html"),
        (b"\xef\xbb\xbf  <html lang='en'>", "text/html"),
        (b"<?xml version='1.0'?><a/>", "text/xml"),
        (b"<?xml version='1.0'?><svg xmlns='x'/>", "image/svg+xml"),
        (b'{"a": 1}', "application/json"),
        (b"[\n1,\n2\n]", "application/json"),
        (b'{"a": 1}\n{"a": 2}\n', "application/x-ndjson"),
        (b"a,b,c\n1,2,3\n4,5,6\n", "text/csv"),
        (b'name;x\n"semi;colon";1\nb;2\n', "text/csv"),
        (b"{\\rtf1 hello}", "application/rtf"),
        ("Grüße aus Köln".encode("latin-1"), "text/plain"),
        ("Grüße".encode("utf-16"), "text/plain"),
        (("é" * 40_000).encode(), "text/plain"),
        (b"BM is how many words begin in capitals, such as BMW", "text/plain"),
        (b"\x1f\x8b\x08\0", "application/gzip"),
        (b"\0\0\0\x18ftypheic", "image/heic"),
        (b"\0\0\0\x18ftypavif", "image/avif"),
        (b"\0\0\0\x18ftypisom", "video/mp4"),
        (b"P6\n4 4\n255\n", "image/x-portable-anymap"),
        (bytes(range(256)) * 4, "application/octet-stream"),
    ],
)  # fmt: skip
def test_types(data, mime):
    assert sniff(data) == mime


@given(st.binary(max_size=3000))
def test_any_bytes_have_a_type_with_a_name(data):
    assert sniff(data) in NAMES


@given(
    st.sampled_from([b"%PDF-", b"PK\3\4", b"<?xml", b"{", b"RIFF", b"BM", b"\0\0\0\x18ftyp", OLE[:8]]),
    st.binary(max_size=400),
)
def test_any_bytes_after_a_signature_have_a_type_too(head, rest):
    assert sniff(head + rest) in NAMES


def test_what_engines_take_is_what_names_can_claim():
    assert claimed("A.PDF") == PDF
    assert claimed("x.tiff") == "image/tiff"
    assert claimed("pdf") is None
    assert claimed("x.docx") is None
    assert {claimed(f"x.{e}") for e in ("bmp", "gif", "jpg", "png", "tif", "webp")} == IMAGES


def test_articles_agree_with_their_noun():
    assert describe("application/msword").startswith("a Word")
    assert describe("message/rfc822") == "an e-mail"
    assert describe("text/xml") == "an XML file"
    assert describe("application/epub+zip") == "an EPUB book"
