"""Replies have the structure of Google's own for the same processor type; what they fill and we don't is a short list."""

from __future__ import annotations

import json
import re

import pytest
from emulator_requests import request
from google.protobuf import json_format

from docdask.core.limits import DEFAULT_BOOK
from docdask.core.server import ServerSettings
from docdask.service.emulator import EmulatorConfig
from docdask.testing import running_emulator

#: Paths that Google's replies hold and ours don't, each with its reason in docs/emulator-differences.md.
DIFFERENCES = {
    "pages[].tokens[].styleInfo.bold": "not measured",
    "pages[].tokens[].styleInfo.textColor.red": "not measured: black",
    "pages[].tokens[].styleInfo.textColor.green": "not measured: black",
    "pages[].tokens[].styleInfo.textColor.blue": "not measured: black",
}
#: Reply of Google → processor that made it, the document it was made from, and options.
PAIRS = (
    ("toolbox_invoice_test-0.json", "invoice", "toolbox_invoice_test.pdf", {}),
    ("form_with_tables.json", "form", "form_with_tables.pdf", {}),
    ("a. Form fields.json", "form", "a. Form fields.png", {}),
    ("b. Enrichments.json", "expense", "b. Enrichments.jpg", {}),
    ("toolbox_invoice_test-with-symbols.json", "ocr", "toolbox_invoice_test.pdf", {
        "process_options": {"ocr_config": {
            "enable_symbol": True, "enable_image_quality_scores": True, "premium_features": {"compute_style_info": True},
        }}}),
    ("procurement_splitter_output.json", "splitter", "Winnie_the_Pooh_3_Pages.pdf", {}),
    ("custom_classifier_output.json", "classifier", "toolbox_invoice_test.pdf", {}),
    ("layout_parser.json", "layout", "Winnie_the_Pooh_3_Pages.pdf", {}),
)  # fmt: skip
TYPES = {"pdf": "application/pdf", "png": "image/png", "jpg": "image/jpeg"}
#: Alternatives of one value, and paths whose presence depends on what the document says.
ALTERNATIVES = re.compile(r"normalizedValue\.|startIndex|^uri|shardInfo")


def camel(name: str) -> str:
    head, *rest = name.rstrip("_").split("_")
    return head + "".join(part.capitalize() for part in rest)


def paths(value, prefix="") -> set[str]:
    """Every path of a JSON value, lists as ``[]``, names in camelCase."""
    found = set()
    if isinstance(value, dict):
        for name, part in value.items():
            found |= paths(part, f"{prefix}.{camel(name)}" if prefix else camel(name))
    elif isinstance(value, list):
        for item in value:
            found |= paths(item, f"{prefix}[]")
    elif value or value is None:  # tools that print defaults say no more than those that leave them out
        found.add(prefix)
    return found


@pytest.fixture(scope="module")
def reader():
    server = ServerSettings(limits=DEFAULT_BOOK.override({"online_requests": 1000}))
    with running_emulator(EmulatorConfig(ocr="offline", server=server)) as emulator:
        yield emulator.documentai_client()


def missing(client, folder, google, processor, source, options) -> set[str]:
    """Paths of Google's reply that ours lacks, alternatives and older tools aside."""
    theirs = json.loads((folder / google).read_text())
    content = (folder / source).read_bytes()
    reply = client.process_document(
        request=request(content, TYPES[source[-3:]], processor, **options), timeout=120
    )
    ours = paths(json.loads(json_format.MessageToJson(type(reply).pb(reply).document)))
    return {path for path in paths(theirs) - ours if path and not ALTERNATIVES.search(path)}


@pytest.mark.corpus
@pytest.mark.slow
@pytest.mark.parametrize(("google", "processor", "source", "options"), PAIRS, ids=[pair[0] for pair in PAIRS])
def test_a_reply_has_what_googles_has(corpus, reader, google, processor, source, options):
    lacking = missing(reader, corpus / "documentai-json", google, processor, source, options)
    if google.endswith("with-symbols.json"):
        lacking = {path for path in lacking if not path.startswith("entities")}
    assert lacking <= set(DIFFERENCES)


@pytest.mark.corpus
@pytest.mark.slow
def test_the_invoice_parser_finds_what_googles_finds(corpus, reader):
    folder = corpus / "documentai-json"
    content = (folder / "toolbox_invoice_test.pdf").read_bytes()
    document = reader.process_document(request=request(content, processor="invoice"), timeout=120).document
    theirs = json.loads((folder / "toolbox_invoice_test-0.json").read_text())
    wanted = {
        (item["type"], item["mentionText"].replace("$", ""))
        for item in theirs["entities"]
        if item["type"].endswith(("_date", "_name", "_email"))
    }
    found = {(entity.type_, entity.mention_text.replace("$", "")) for entity in document.entities}
    assert wanted <= found
    items = [
        [part.mention_text for part in entity.properties]
        for entity in document.entities
        if entity.type_ == "line_item"
    ]
    assert items[0] == ["Tool A", "500", "$1.00", "$500.00"]
    assert len(items) == 3
