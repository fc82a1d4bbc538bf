"""What Google's own client gets from ProcessDocument, over gRPC and REST."""

from __future__ import annotations

import hashlib

import pytest
from emulator_requests import name, pages_of, pdf, png, request
from google.api_core import exceptions
from google.cloud import documentai_v1 as documentai
from google.protobuf import field_mask_pb2


@pytest.fixture(params=["grpc", "rest"])
def any_client(request, emulator):
    return emulator.documentai_client(request.param)


def text_of(document, layout):
    return "".join(document.text[s.start_index : s.end_index] for s in layout.text_anchor.text_segments)


def test_a_page_comes_back_with_its_text_and_every_part_that_readers_index(any_client):
    document = any_client.process_document(request=request(pdf())).document
    page = document.pages[0]
    assert "Total: $12.50" in document.text
    assert document.mime_type == "application/pdf"
    assert (page.page_number, page.dimension.unit) == (1, "pixels")
    for elements in (page.blocks, page.paragraphs, page.lines, page.tokens):
        for element in (elements[0], elements[-1]):
            corners = element.layout.bounding_poly.normalized_vertices
            assert len(corners) == 4
            assert corners[0].x <= corners[2].x
            assert corners[0].y <= corners[2].y
    assert text_of(document, page.lines[0].layout) == "Page 1\n"
    assert text_of(document, page.tokens[0].layout).strip() == "Page"


def test_a_page_selector_keeps_the_original_page_numbers(any_client):
    reply = any_client.process_document(request=request(pdf(40), process_options=pages_of(3, 31, 32)))
    assert [page.page_number for page in reply.document.pages] == [3, 31, 32]
    assert "Page 31" in reply.document.text


@pytest.mark.parametrize(("options", "numbers"), [({"from_start": 2}, [1, 2]), ({"from_end": 2}, [4, 5])])
def test_pages_from_the_start_and_the_end(client, options, numbers):
    reply = client.process_document(
        request=request(pdf(5), process_options=documentai.ProcessOptions(**options))
    )
    assert [page.page_number for page in reply.document.pages] == numbers


def test_a_field_mask_passes_through_repeated_fields(any_client):
    mask = field_mask_pb2.FieldMask(paths=["text", "pages.page_number"])
    document = any_client.process_document(request=request(pdf(), field_mask=mask)).document
    assert document.text
    assert documentai.Document.to_dict(document, always_print_fields_with_no_presence=False)["pages"] == [
        {"page_number": 1}
    ]


def test_a_field_mask_with_an_unknown_path_is_refused(client):
    mask = field_mask_pb2.FieldMask(paths=["pages.pagenumber"])
    with pytest.raises(exceptions.InvalidArgument):
        client.process_document(request=request(pdf(), field_mask=mask))


def test_unicode_text_is_counted_in_code_points(client, emulator):
    from google.cloud.documentai_v1 import Document

    content = "<html><body><h1>Grüße 😀</h1><p>Zwei</p></body></html>".encode()
    document = client.process_document(request=request(content, "text/html", "layout")).document
    assert isinstance(document, Document)
    assert document.document_layout.blocks[0].text_block.text == "Grüße 😀"
    assert document.document_layout.blocks[0].text_block.blocks[0].text_block.text == "Zwei"
    assert not document.pages
    assert document.chunked_document.chunks[0].content.startswith("# Grüße 😀")
    assert emulator.stats()["pages_billed"] == 1


@pytest.mark.parametrize(
    "processor", ["ocr", "form", "layout", "invoice", "expense", "classifier", "splitter", "custom-extractor"]
)
def test_every_premade_processor_answers_in_every_region_kind(client, processor):
    for location in ("us", "eu", "europe-west3"):
        place = f"projects/p/locations/{location}"
        reply = client.process_document(request=request(pdf(2), name=name(processor, place)))
        assert reply.document.ByteSize() if hasattr(reply.document, "ByteSize") else reply.document


def test_a_version_is_asked_for_by_name_or_alias(client):
    for version in ("pretrained-ocr-v2.0-2023-06-02", "rc", "pretrained"):
        asked = f"{name()}/processorVersions/{version}"
        assert client.process_document(request=request(pdf(), name=asked)).document.text
    with pytest.raises(exceptions.NotFound):
        client.process_document(request=request(pdf(), name=f"{name()}/processorVersions/none"))


def test_a_document_in_storage_is_read_from_there(client, emulator):
    emulator.storage_client().create_bucket("input").blob("a b/ü.pdf").upload_from_string(
        pdf(), "application/pdf"
    )
    document = documentai.GcsDocument(gcs_uri="gs://input/a b/ü.pdf", mime_type="application/pdf")
    reply = client.process_document(request=documentai.ProcessRequest(name=name(), gcs_document=document))
    assert reply.document.uri == "gs://input/a b/ü.pdf"
    assert "Page 1" in reply.document.text


def test_ocr_options_add_what_they_ask_for(client):
    config = documentai.OcrConfig(
        enable_symbol=True,
        enable_image_quality_scores=True,
        premium_features=documentai.OcrConfig.PremiumFeatures(compute_style_info=True),
    )
    options = documentai.ProcessOptions(ocr_config=config)
    page = client.process_document(request=request(pdf(), process_options=options)).document.pages[0]
    assert len(page.symbols) > 10
    assert 0 <= page.image_quality_scores.quality_score <= 1
    assert page.image_quality_scores.detected_defects[0].type_.startswith("quality/defect_")
    assert page.tokens[0].style_info.font_size > 0


def test_the_books_have_a_row_a_call(client, emulator):
    content = pdf(3)
    client.process_document(request=request(content, labels={"team": "a"}))
    with pytest.raises(exceptions.InvalidArgument):
        client.process_document(request=request(b"%PDF-broken"), retry=None)
    good, bad = emulator.calls()
    assert good["content_hash"] == hashlib.sha256(content).hexdigest()
    assert {key: good[key] for key in ("method", "processor", "location", "user", "pages", "bytes", "code", "billed_pages", "labels")} == {
        "method": "ProcessDocument", "processor": "ocr", "location": "us", "user": "anonymous", "pages": 3,
        "bytes": len(content), "code": "OK", "billed_pages": 3, "labels": {"team": "a"},
    }  # fmt: skip
    assert (bad["code"], bad["billed_pages"]) == ("INVALID_ARGUMENT", 0)
    stats = emulator.stats()
    assert (stats["calls_ok"], stats["calls_refused"], stats["pages_billed"]) == (1, 1, 3)


def test_the_second_call_comes_from_the_cache_and_is_billed_again(client, emulator):
    first = client.process_document(request=request(pdf(2)))
    assert client.process_document(request=request(pdf(2))) == first
    assert emulator.stats()["pages_billed"] == 4


def test_images_of_every_frame_are_pages(client):
    document = client.process_document(request=request(png(300, 400), "image/png")).document
    assert (document.pages[0].dimension.width, document.pages[0].dimension.height) == (300, 400)


def test_rest_gives_enums_as_names_or_numbers_as_asked(emulator):
    import base64
    import json
    import urllib.request

    body = json.dumps(
        {"rawDocument": {"content": base64.b64encode(pdf()).decode(), "mimeType": "application/pdf"}}
    )
    for query, enum in (
        ("", "PAGE_UP"),
        ("?%24alt=json%3Benum-encoding%3Dint", 1),
        ("?$alt=json;enum-encoding=int&prettyPrint=false", 1),
    ):
        url = f"{emulator.http_url}/v1/{name()}:process{query}"
        with urllib.request.urlopen(urllib.request.Request(url, body.encode())) as reply:
            page = json.load(reply)["document"]["pages"][0]
        assert page["layout"]["orientation"] == enum
        assert page["layout"]["textAnchor"]["textSegments"][0]["endIndex"] == "21"
