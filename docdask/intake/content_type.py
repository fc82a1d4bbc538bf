"""Tells a file's type from its content; the name is never asked.

Rules: signatures first, from the most to the least exact; containers (ZIP, OLE, XML) by what is in them; what is left
is text if it decodes and has no control characters. A PDF header may start up to 1,024 bytes into the file (ISO
32000-1, annex H), but then the file must also have something that only a PDF has, so that a letter about PDFs is a
letter.
"""

from __future__ import annotations

import io
import json
import re
import zipfile

PDF = "application/pdf"
#: Image types that engines take: those of Document AI.
IMAGES = frozenset({"image/bmp", "image/gif", "image/jpeg", "image/png", "image/tiff", "image/webp"})

#: Type → what a person calls it. Types that engines take come first.
NAMES = {
    PDF: "PDF",
    "image/bmp": "BMP image",
    "image/gif": "GIF image",
    "image/jpeg": "JPEG image",
    "image/png": "PNG image",
    "image/tiff": "TIFF image",
    "image/webp": "WebP image",
    "image/jp2": "JPEG 2000 image",
    "image/jxl": "JPEG XL image",
    "image/heic": "HEIC photo",
    "image/avif": "AVIF image",
    "image/vnd.adobe.photoshop": "Photoshop image",
    "image/vnd.djvu": "DjVu document",
    "image/x-icon": "icon",
    "image/x-portable-anymap": "Netpbm image",
    "image/svg+xml": "SVG drawing",
    "image/emf": "EMF drawing",
    "application/postscript": "PostScript file",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "Word document",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "Excel workbook",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "PowerPoint presentation",
    "application/vnd.oasis.opendocument.text": "OpenDocument text",
    "application/vnd.oasis.opendocument.spreadsheet": "OpenDocument spreadsheet",
    "application/vnd.oasis.opendocument.presentation": "OpenDocument presentation",
    "application/epub+zip": "EPUB book",
    "application/oxps": "XPS document",
    "application/msword": "Word document (old format)",
    "application/vnd.ms-excel": "Excel workbook (old format)",
    "application/vnd.ms-powerpoint": "PowerPoint presentation (old format)",
    "application/vnd.ms-outlook": "Outlook message",
    "application/x-ole-storage": "old Office file",
    "application/rtf": "RTF text",
    "message/rfc822": "e-mail",
    "application/mbox": "mailbox",
    "application/zip": "ZIP archive",
    "application/gzip": "gzip archive",
    "application/x-bzip2": "bzip2 archive",
    "application/x-xz": "xz archive",
    "application/zstd": "Zstandard archive",
    "application/x-7z-compressed": "7-Zip archive",
    "application/vnd.rar": "RAR archive",
    "application/x-tar": "tar archive",
    "application/vnd.apache.parquet": "Parquet table",
    "application/vnd.sqlite3": "SQLite database",
    "application/x-executable": "program",
    "video/mp4": "video",
    "audio/mpeg": "audio",
    "audio/x-wav": "audio",
    "text/html": "web page",
    "text/xml": "XML file",
    "application/json": "JSON file",
    "application/x-ndjson": "JSON lines file",
    "text/csv": "CSV table",
    "text/plain": "text file",
    "application/octet-stream": "unknown type",
    "inode/x-empty": "empty file",
}

#: Extensions that claim a type which engines take; another content is worth a note.
CLAIMS = {
    "pdf": PDF, "bmp": "image/bmp", "dib": "image/bmp", "gif": "image/gif", "jpg": "image/jpeg", "jpeg": "image/jpeg",
    "jpe": "image/jpeg", "png": "image/png", "tif": "image/tiff", "tiff": "image/tiff", "webp": "image/webp",
}  # fmt: skip

_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"II+\0", "image/tiff"),
    (b"MM\0+", "image/tiff"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "image/jp2"),
    (b"\xff\x4f\xff\x51", "image/jp2"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "image/jxl"),
    (b"8BPS", "image/vnd.adobe.photoshop"),
    (b"AT&TFORM", "image/vnd.djvu"),
    (b"\0\0\1\0", "image/x-icon"),
    (b"%!PS", "application/postscript"),
    (b"\xc5\xd0\xd3\xc6", "application/postscript"),
    (b"{\\rtf", "application/rtf"),
    (b"\x1f\x8b", "application/gzip"),
    (b"BZh", "application/x-bzip2"),
    (b"\xfd7zXZ\0", "application/x-xz"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"PAR1", "application/vnd.apache.parquet"),
    (b"SQLite format 3\0", "application/vnd.sqlite3"),
    (b"\x7fELF", "application/x-executable"),
    (b"MZ", "application/x-executable"),
    (b"ID3", "audio/mpeg"),
)

_PDF_HEADER = re.compile(rb"%PDF-\d")
_PDF_BODY = re.compile(rb"\d+\s+\d+\s+obj\b|startxref|%%EOF|/Type\s*/(?:Catalog|Page)")
_MAIL_HEADER = re.compile(
    rb"^(?:From|To|Subject|Date|Received|Return-Path|Delivered-To|Message-ID|MIME-Version|Content-Type):\s",
    re.IGNORECASE | re.MULTILINE,
)
_ZIP_PARTS = (
    ("word/", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xl/", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("ppt/", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ("Documents/1/", "application/oxps"),
)
_OLE_STREAMS = (
    ("__substg1.0_", "application/vnd.ms-outlook"),
    ("WordDocument", "application/msword"),
    ("Workbook", "application/vnd.ms-excel"),
    ("PowerPoint Document", "application/vnd.ms-powerpoint"),
)


def sniff(data: bytes) -> str:
    """MIME type of the file with these bytes; ``application/octet-stream`` when nothing fits.

    >>> sniff(b"%PDF-1.7 ...")
    'application/pdf'
    """
    if not data:
        return "inode/x-empty"
    if data.startswith(b"%PDF-"):
        return PDF
    for signature, mime in _SIGNATURES:
        if data.startswith(signature):
            return mime
    found = _riff(data) or _iso_media(data) or _container(data)
    if found:
        return found
    if _PDF_HEADER.search(data, 0, 1029) and _PDF_BODY.search(data):
        return PDF
    if data[:1] == b"P" and re.match(rb"P[1-7][\s#]", data):
        return "image/x-portable-anymap"
    if data[257:262] == b"ustar":
        return "application/x-tar"
    return _text(data)


def claimed(name: str) -> str | None:
    """Type that the file's name claims, among those that engines take."""
    _, dot, extension = name.rpartition(".")
    return CLAIMS.get(extension.lower()) if dot else None


def describe(mime: str) -> str:
    """Say what a person calls files of this type, with the article: ``a Word document``."""
    name = NAMES.get(mime, mime)
    return f"a{'n' if name[0] in 'aeiouAEIO' or name.startswith(('RTF', 'XML', 'XPS', 'SVG')) else ''} {name}"


def _riff(data: bytes) -> str | None:
    if data[:4] == b"RIFF":
        return {b"WEBP": "image/webp", b"WAVE": "audio/x-wav", b"AVI ": "video/mp4"}.get(data[8:12])
    # BM alone begins many texts: the header's own size must be one that exists.
    if (
        data[:2] == b"BM"
        and len(data) > 18
        and int.from_bytes(data[14:18], "little") in {12, 16, 40, 52, 56, 64, 108, 124}
    ):
        return "image/bmp"
    if data[:4] == b"\1\0\0\0" and data[40:44] == b" EMF":
        return "image/emf"
    return None


def _iso_media(data: bytes) -> str | None:
    if data[4:8] != b"ftyp":
        return None
    brand = data[8:12]
    if brand in {b"avif", b"avis"}:
        return "image/avif"
    if brand in {b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"}:
        return "image/heic"
    return "video/mp4"


def _container(data: bytes) -> str | None:
    if data[:4] in {b"PK\3\4", b"PK\5\6", b"PK\7\x08"}:
        return _zip(data)
    if data[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        for stream, mime in _OLE_STREAMS:
            # Names of streams stand in the directory as UTF-16.
            if stream.encode("utf-16-le") in data:
                return mime
        return "application/x-ole-storage"
    return None


def _zip(data: bytes) -> str:
    if data[30:38] == b"mimetype":
        stated = data[38 : 38 + int.from_bytes(data[18:22], "little")].decode("ascii", "replace").strip()
        if stated in NAMES:
            return stated
    try:
        names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        names = []
    for prefix, mime in _ZIP_PARTS:
        if any(name.startswith(prefix) for name in names):
            return mime
    return "application/zip"


def _text(data: bytes) -> str:
    head = data[: 64 * 1024]
    text = _decode(head)
    if text is None:
        return "application/octet-stream"
    start = text.lstrip("\ufeff \t\r\n")[:4096]
    lowered = start.lower()
    if lowered.startswith(("<!doctype html", "<html", "<head", "<body")):
        return "text/html"
    if lowered.startswith(("<?xml", "<svg")):
        if "<svg" in lowered:
            return "image/svg+xml"
        return "text/html" if "<html" in lowered else "text/xml"
    if start.startswith("From ") and _MAIL_HEADER.search(head):
        return "application/mbox"
    top = re.split(rb"\r?\n\r?\n", head.lstrip(), maxsplit=1)[0]
    if re.match(rb"[A-Za-z][A-Za-z-]*:\s", top) and len(_MAIL_HEADER.findall(top)) >= 3:
        return "message/rfc822"
    if start[:1] in {"{", "["}:
        return _json(data, start)
    return "text/csv" if _is_csv(start) else "text/plain"


def _decode(head: bytes) -> str | None:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head[: len(head) // 2 * 2].decode("utf-16", "replace")
    if b"\0" in head or sum(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in head[:4096]) > 2:
        return None
    try:
        return head.decode()
    except UnicodeDecodeError as error:
        if error.start > len(head) - 4:  # a character cut in two by the end of what we look at
            return head[: error.start].decode()
    # One of the 8-bit encodings: mostly letters, or it is no text.
    high = sum(byte >= 128 for byte in head[:4096])
    return head.decode("latin-1") if high < 0.3 * min(len(head), 4096) else None


def _json(data: bytes, start: str) -> str:
    first, _, rest = start.partition("\n")
    try:
        json.loads(first)
    except ValueError:
        pass
    else:
        return "application/x-ndjson" if rest.strip() else "application/json"
    # Long files are not parsed to be told apart: one that begins like an object and ends like one will do.
    return "application/json" if data.rstrip()[-1:] in b"}]" else "text/plain"


def _is_csv(start: str) -> bool:
    lines = [line for line in start.splitlines()[:-1] or start.splitlines() if line.strip()][:20]
    if len(lines) < 2:
        return False
    for separator in (",", ";", "\t"):
        counts = {re.sub(r'"[^"]*"', "", line).count(separator) for line in lines}
        if len(counts) == 1 and counts.pop() >= 1:
            return True
    return False
