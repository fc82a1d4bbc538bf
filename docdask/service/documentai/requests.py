"""Requests to Document AI as raw protobuf, from the values that are configured.

Rules: raw messages, built once a processor and copied; a field mask has only paths that the service takes (``{field}`` or
``pages.{field}``), and unless one is configured it is everything but page images; what is wrong with options or labels
is said before anything is sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from docdask.core.limits import SYSTEM_LIMITS
from docdask.core.routes import Place, Processor
from docdask.errors import UsageError
from docdask.model import PageRange

_KEY = re.compile(r"[^\W\d_][\w-]*")
_VALUE = re.compile(r"[\w-]*")
_FIELD_1 = 0x0A


@cache
def _classes() -> Any:
    """Google's module of types, imported when the first request is built."""
    from google.cloud import documentai_v1

    return documentai_v1


@cache
def default_mask(*, batch: bool = False) -> tuple[str, ...]:
    """Everything a Document has but page images (and its input, which we have).

    Parameters
    ----------
    batch
        Keep ``shard_info`` too, without which shards can't be put together.
    """
    types = _classes()
    document = types.Document.pb().DESCRIPTOR
    page = document.fields_by_name["pages"].message_type
    left_out = {"pages", "content"} if batch else {"pages", "content", "shard_info"}
    fields = [field.name for field in document.fields if field.name not in left_out]
    return (*fields, *(f"pages.{field.name}" for field in page.fields if field.name != "image"))


def mask_of(processor: Processor, *, batch: bool = False) -> tuple[str, ...]:
    """Paths of the processor's field mask.

    Raises
    ------
    UsageError
        If it has a path that the service would refuse.
    """
    if not processor.field_mask:
        return default_mask(batch=batch)
    paths = [path.strip() for path in processor.field_mask.split(",") if path.strip()]
    if paths == ["*"]:
        return ()
    document = _classes().Document.pb().DESCRIPTOR
    page = document.fields_by_name["pages"].message_type
    found = []
    for path in paths:
        head, _, rest = path.partition(".")
        field = _field(document, head)
        part = _field(page, rest) if field and field.name == "pages" and rest else None
        if field is None or (rest and part is None):
            raise UsageError(
                f"field_mask of processor {processor.alias!r} has {path!r}, which is no field of a Document",
                "name fields as text, entities, or as pages.layout; nothing deeper",
            )
        found.append(f"pages.{part.name}" if part else field.name)
    if batch and "shard_info" not in found:
        found.append("shard_info")
    return tuple(dict.fromkeys(found))


def _field(descriptor: Any, name: str) -> Any:
    return descriptor.fields_by_name.get(name) or descriptor.fields_by_camelcase_name.get(name)


def options_of(processor: Processor) -> Any:
    """Raw ``ProcessOptions`` of the processor.

    Raises
    ------
    UsageError
        If there is an option that Document AI does not know, or a page range, which is docdask's business.
    """
    from google.protobuf import json_format

    options = _classes().ProcessOptions.pb()()
    try:
        json_format.ParseDict(dict(processor.options), options)
    except json_format.ParseError as error:
        raise UsageError(
            f"options of processor {processor.alias!r} can't be read: {error}",
            "write them as in Google's ProcessOptions: ocrConfig, layoutConfig, schemaOverride",
        ) from error
    if options.WhichOneof("page_range"):
        raise UsageError(
            f"options of processor {processor.alias!r} select pages",
            "leave the page range away: docdask chooses the pages of each call",
        )
    return options


def check_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Labels of a request, checked by Google's rules.

    Raises
    ------
    UsageError
        If there are too many, or one is too long or has other characters than lower-case letters, digits, ``_`` and ``-``.
    """
    most, longest = SYSTEM_LIMITS["labels"].value, SYSTEM_LIMITS["label_characters"].value
    if len(labels) > most:
        raise UsageError(f"{len(labels)} labels on a request", f"give {most} at most")
    for key, value in labels.items():
        for what, text, pattern in (("key", key, _KEY), ("value", value, _VALUE)):
            if len(text) > longest or text != text.lower() or not pattern.fullmatch(text):
                start = ", and a key begins with a letter" if what == "key" else ""
                raise UsageError(
                    f"label {key!r}: {value!r} has a {what} that Google refuses",
                    f"use lower-case letters, digits, _ and -, {longest} characters at most{start}",
                )
    return dict(labels)


def process_request(
    place: Place,
    template: Any,
    content: bytes | str,
    mime_type: str,
    pages: PageRange | None,
    labels: Mapping[str, str],
) -> bytes:
    """Serialise a ``ProcessRequest``.

    Parameters
    ----------
    place
        Where it goes.
    template
        From :func:`process_template`; not changed.
    content
        The file, or a ``gs://`` URI that the service reads by itself.
    pages
        Selected pages; None for all.
    """
    request = type(template)()
    request.CopyFrom(template)
    request.name = place.target
    if pages is not None and pages.first == 1:
        request.process_options.from_start = pages.last
    elif pages is not None:
        request.process_options.individual_page_selector.pages.extend(range(pages.first, pages.last + 1))
    for key, value in labels.items():
        request.labels[key] = value
    if isinstance(content, str):
        request.gcs_document.gcs_uri = content
        request.gcs_document.mime_type = mime_type
        data: bytes = request.SerializeToString()
        return data
    return b"".join((request.SerializeToString(), *_raw_document(content, mime_type)))


def _raw_document(content: bytes, mime_type: str) -> Sequence[bytes]:
    """Field ``raw_document`` of a serialised request, in pieces that are copied once: a file may have 40 MB."""
    tail = _classes().RawDocument.pb()(mime_type=mime_type).SerializeToString()
    head = b"\x0a" + _encoded(len(content))  # content is its field 1
    size = len(head) + len(content) + len(tail)
    return b"\x2a" + _encoded(size), head, content, tail  # and it is field 5 of the request


def _encoded(number: int) -> bytes:
    """A varint."""
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def process_template(processor: Processor) -> Any:
    """What all online requests to a processor have in common: mask, options, imageless mode.

    Raises
    ------
    UsageError
        If mask or options can't be right.
    """
    request = _classes().ProcessRequest.pb()()
    request.field_mask.paths.extend(mask_of(processor))
    options = options_of(processor)
    if processor.options:
        request.process_options.CopyFrom(options)
    request.imageless_mode = processor.imageless
    return request


def batch_request(
    place: Place,
    processor: Processor,
    inputs: Sequence[tuple[str, str]],
    output: str,
    labels: Mapping[str, str],
) -> bytes:
    """Serialise a ``BatchProcessRequest`` over ``inputs``, pairs of ``gs://`` URI and MIME type."""
    request = _classes().BatchProcessRequest.pb()(name=place.target)
    documents = request.input_documents.gcs_documents.documents
    for uri, mime_type in inputs:
        documents.add(gcs_uri=uri, mime_type=mime_type)
    config = request.document_output_config.gcs_output_config
    config.gcs_uri = output
    config.field_mask.paths.extend(mask_of(processor, batch=True))
    if processor.options:
        request.process_options.CopyFrom(options_of(processor))
    for key, value in labels.items():
        request.labels[key] = value
    data: bytes = request.SerializeToString()
    return data


def document_of(response: bytes) -> bytes:
    """Serialised ``Document`` within a serialised ``ProcessResponse``, without parsing it.

    Field 1 of the response is the document; pieces of one that comes more than once are joined, which is what parsing them
    would come to.

    Raises
    ------
    ValueError
        If the bytes are no message.
    """
    parts: list[bytes] = []
    at, end = 0, len(response)
    while at < end:
        tag, at = _varint(response, at)
        if tag & 7 != 2:
            msg = f"a ProcessResponse has no field of wire type {tag & 7}"
            raise ValueError(msg)
        size, at = _varint(response, at)
        if at + size > end:
            msg = f"the answer ends {at + size - end} bytes too early"
            raise ValueError(msg)
        if tag == _FIELD_1:
            parts.append(response[at : at + size])
        at += size
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Value of the varint at ``at``, and where it ends."""
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            msg = "the answer is cut in the middle of a number"
            raise ValueError(msg)
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
