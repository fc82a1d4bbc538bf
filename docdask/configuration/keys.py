"""Every key of ``docdask.toml`` about Document AI, with type, default, unit and meaning, and the check of a table.

Rules: what is read, what is refused and what docs/configuration.md shows come from these rows alone; a key that is not
here is an error that names the nearest; a value of another type is an error that shows both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from docdask.errors import UsageError
from docdask.settings import refuse_unknown

Kind = Literal["text", "whole", "number", "flag", "texts", "table", "rows", "options"]

_WORDS: Mapping[Kind, str] = {
    "text": "a text",
    "whole": "a whole number",
    "number": "a number",
    "flag": "true or false",
    "texts": "a list of texts",
    "table": "a table",
    "rows": "a list of tables",
    "options": "a table, or a text with JSON",
}
#: Prefix of the environment variable of a key.
PREFIX = "DOCDASK_"


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a table."""

    name: str
    kind: Kind
    meaning: str
    default: str = ""
    """As the documentation shows it; empty: none."""
    unit: str = ""
    environment: bool = False
    """Whether ``DOCDASK_<NAME>`` sets it too."""
    least: float | None = None
    """Smallest value that makes sense."""

    @property
    def variable(self) -> str:
        """Environment variable, empty if none is read."""
        return PREFIX + self.name.upper() if self.environment else ""


DOCUMENTAI = (
    Key("project", "text", "Google Cloud project: an id or a number. Calls are billed to it.", environment=True),
    Key(
        "location", "text",
        "Where documents are processed and stored: us, eu or a single region. A processor belongs to one location for ever, so "
        "there is no default.",
        environment=True,
    ),
    Key(
        "processor", "text", "Alias of the processor for documents that no route takes.", "the first one",
        environment=True,
    ),
    Key(
        "staging", "text", "`gs://bucket/prefix` for inputs and outputs of batches. Without it nothing goes by batch.",
        environment=True,
    ),
    Key(
        "quota_share", "number", "Part of each quota that is used; the rest is left to other programs of the project.",
        "0.9; emulated 1.0", "0-1", environment=True,
    ),
    Key(
        "residency", "texts", "Locations that documents may go to. A processor elsewhere is then an error.",
        "wherever processors are", environment=True,
    ),
    Key(
        "used_pages", "table", "Processor type = pages that were billed this month already: they decide the price tier.",
        "none", "pages", least=0,
    ),
    Key(
        "free_pages", "whole", "Free OCR pages of the month that are left: they belong to the billing account.",
        "what used_pages leaves", "pages", environment=True, least=0,
    ),
    Key("period_s", "number", "What a minute is; an emulator may run faster.", "60.0", "seconds", environment=True),
    Key(
        "assumed", "flag", "The limits are guessed, not read from the project: plans say so.",
        "true without limits, else false",
    ),
    Key(
        "emulated", "flag", "The file was written from an emulator: Google is never called with it.", "false",
    ),
    Key("limits", "table", "Quotas and limits of the project, see below.", "those of a new project"),
    Key(
        "prices", "table",
        "Processor type = dollars that you agreed on: for 1,000 pages, for ten pages or for a document, as the type is counted.",
        "Google's list", "US dollars", least=0,
    ),
    Key("processors", "table", "Alias = processor, see below."),
)  # fmt: skip

PROCESSOR = (
    Key("type", "text", "Type: `invoice` or `INVOICE_PROCESSOR`.", "the alias, if it is the name of a type"),
    Key("processor", "text", "Its id, or `projects/P/locations/L/processors/ID`."),
    Key("places", "rows", "Several processors of the same type and version, one a location, instead of `processor`."),
    Key("version", "text", "Version to call, pinned: results then never change unasked.", "looked up at the first call"),
    Key("options", "options", "`ProcessOptions` as Google's JSON has them, or in snake_case.", "none"),
    Key("pack", "flag", "Small documents share requests, true: as many as fit. Only where results are per page: `ocr`, `form`.", "for ocr, where it costs no time"),
    Key("imageless", "flag", "30 pages a call instead of 15, and no page images in the answer.", "true"),
    Key("field_mask", "text", "Fields of the answer, as `text,pages.layout`.", "everything but page images"),
)  # fmt: skip

PLACE = (
    Key("location", "text", "Location of this processor.", "that of [documentai]"),
    Key("id", "text", "Its id, or its full name."),
    Key("version", "text", "Its version; the same in all places.", "that of the processor"),
)

ROUTE = (
    Key("name", "text", "What plans and tables call it.", "route-1, route-2 …"),
    Key("engine", "text", "`documentai` or `offline`.", "documentai"),
    Key(
        "processor", "text",
        "Alias. With `offline`: where documents go that were read with too little confidence.", "the default processor",
    ),
    Key("lane", "text", "`online`, `batch`, or `auto`: the plan decides.", "auto"),
    Key("group", "text", "Worker group.", "the document's own"),
    Key("kind", "text", "Takes documents of that kind only, as `invoice` or `receipt`.", "any"),
    Key("path", "text", "Takes documents only whose whole URI matches this glob.", "any"),
    Key("type", "text", "Takes documents only of this MIME type, or glob: `image/*`.", "any"),
    Key("min_pages", "whole", "Takes documents only from so many pages.", "0", "pages", least=0),
    Key("max_pages", "whole", "Takes documents only up to so many pages; 0: no limit.", "0", "pages", least=0),
    Key("text_layer", "flag", "Takes documents only with (or without) a usable text layer on every page.", "any"),
    Key(
        "escalate_below", "number",
        "With `offline`: mean confidence below which the document goes to `processor` as well; 0: never.", "0", "0-1", least=0,
    ),
)  # fmt: skip

#: At the top of the file.
TOP = (
    Key(
        "escalate_below", "number",
        "The offline engine reads everything first; what it reads with less confidence goes to the default processor.",
        "0: never", "0-1", environment=True, least=0,
    ),
)  # fmt: skip


def checked(table: Any, keys: tuple[Key, ...], where: str) -> dict[str, Any]:
    """Return a table whose keys are known and whose values are of the right type.

    Raises
    ------
    UsageError
        If it is no table, has an unknown key, or a value of another type.
    """
    if not isinstance(table, Mapping):
        raise UsageError(f"{where} is {table!r}, no table", f"write it as a table: {where}")
    known = {key.name: key for key in keys}
    refuse_unknown(table, known, where)
    return {name: value_of(known[name], value, f"{where} {name}") for name, value in table.items()}


def value_of(key: Key, value: Any, where: str) -> Any:
    """Value of a key, checked; a text from the environment is converted.

    Raises
    ------
    UsageError
        If it is of another type, or too small.
    """
    good = _fits(key.kind, value)
    if not good:
        quotes = "write it in quotes; " if key.kind == "text" else ""
        raise UsageError(
            f"{where} = {value!r} is not {_WORDS[key.kind]}", f"{quotes}{key.name}: {key.meaning}"
        )
    found = float(value) if key.kind == "number" else value
    if key.least is not None and isinstance(found, int | float) and not found >= key.least:
        raise UsageError(f"{where} = {value!r} is below {key.least:g}", f"give {key.least:g} or more")
    return found


def _fits(kind: Kind, value: Any) -> bool:
    if isinstance(value, bool):
        return kind == "flag"
    match kind:
        case "text":
            return isinstance(value, str)
        case "whole":
            return isinstance(value, int)
        case "number":
            return isinstance(value, int | float)
        case "texts":
            return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
        case "table":
            return isinstance(value, Mapping)
        case "rows":
            return isinstance(value, list) and all(isinstance(item, Mapping) for item in value)
        case "options":
            return isinstance(value, Mapping | str)
    return False


def from_text(key: Key, text: str) -> Any:
    """Value that the text of an environment variable means; the text itself where it means none."""
    try:
        if key.kind == "whole":
            return int(text)
        if key.kind == "number":
            return float(text)
    except ValueError:
        return text
    if key.kind == "texts":
        return [item.strip() for item in text.split(",") if item.strip()]
    return text
