"""Which processors there are: one pre-made of each type in every project and location, and those that users create.

Rules: the pre-made ones need no setting up and have ids that read well; a processor is enabled or disabled, has
versions, and one of them is the default. Names carry the project's number, as the service writes them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from docdask.core.limits import LOCATIONS
from docdask.core.server.status import Status, invalid

#: Pre-made processors: id → type.
PREMADE: Mapping[str, str] = {
    "ocr": "OCR_PROCESSOR",
    "form": "FORM_PARSER_PROCESSOR",
    "layout": "LAYOUT_PARSER_PROCESSOR",
    "invoice": "INVOICE_PROCESSOR",
    "expense": "EXPENSE_PROCESSOR",
    "classifier": "CUSTOM_CLASSIFICATION_PROCESSOR",
    "splitter": "CUSTOM_SPLITTING_PROCESSOR",
    "custom-extractor": "CUSTOM_EXTRACTION_PROCESSOR",
}

#: Versions of each type: id, display name, milestone. The first is the default.
VERSIONS: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "OCR_PROCESSOR": (
        ("pretrained-ocr-v2.0-2023-06-02", "Google Stable", "stable"),
        ("pretrained-ocr-v2.1-2024-08-07", "Google Release Candidate", "rc"),
    ),
    "FORM_PARSER_PROCESSOR": (("pretrained-form-parser-v2.0-2022-11-10", "Google Stable", "stable"),),
    "LAYOUT_PARSER_PROCESSOR": (("pretrained-layout-parser-v1.0-2024-06-03", "Google Stable", "stable"),),
    "INVOICE_PROCESSOR": (("pretrained-invoice-v2.0-2023-12-06", "Google Release Candidate", "rc"),),
    "EXPENSE_PROCESSOR": (("pretrained-expense-v1.4.2-2024-09-12", "Google Stable", "stable"),),
    "CUSTOM_EXTRACTION_PROCESSOR": (
        ("pretrained-foundation-model-v1.5-2025-05-05", "Foundation model", "stable"),
    ),
    "CUSTOM_CLASSIFICATION_PROCESSOR": (
        ("pretrained-classifier-v1.5-2025-08-05", "Foundation model", "stable"),
    ),
    "CUSTOM_SPLITTING_PROCESSOR": (("pretrained-splitter-v1.5-2025-07-14", "Foundation model", "stable"),),
}
_ANY_VERSION = (("pretrained-v1.0", "Google Stable", "stable"),)
#: Versions that were announced to end: id → when, seconds since the epoch, and what to call instead. A processor has them
#: only if it was declared with them. Source: https://cloud.google.com/document-ai/docs/release-notes, 2026-02-17.
ENDING: Mapping[str, tuple[int, str]] = {
    "pretrained-ocr-v1.0-2020-09-23": (1_782_777_600, "pretrained-ocr-v2.0-2023-06-02"),
    "pretrained-form-parser-v1.0-2020-09-23": (1_782_777_600, "pretrained-form-parser-v2.0-2022-11-10"),
}
CREATED_AT_S = 1_700_000_000


def project_number(project: str) -> str:
    """Return the number of a project: itself if it is one already, else 12 digits that follow from its id."""
    if project.isdigit():
        return project
    digest = hashlib.blake2b(project.encode(), digest_size=8).digest()
    return str(100_000_000_000 + int.from_bytes(digest, "big") % 900_000_000_000)


@dataclass(slots=True)
class Processor:
    """One processor of one project and location."""

    project: str
    """Number."""
    location: str
    id: str
    type: str
    display_name: str
    enabled: bool = True
    default_version: str = ""
    created_ns: int = CREATED_AT_S * 10**9
    versions: tuple[tuple[str, str, str], ...] = field(default=())

    def __post_init__(self) -> None:
        self.versions = self.versions or VERSIONS.get(self.type, _ANY_VERSION)
        self.default_version = self.default_version or self.versions[0][0]

    @property
    def name(self) -> str:
        """Full resource name, with the project's number."""
        return f"projects/{self.project}/locations/{self.location}/processors/{self.id}"

    def version(self, asked: str) -> str | None:
        """Id of the version that ``asked`` means (an id, or an alias as ``stable``), None if there is none."""
        if not asked:
            return self.default_version
        aliases = {"pretrained": self.versions[0][0], "pretrained-next": self.versions[-1][0]}
        for version, _, milestone in self.versions:
            aliases.setdefault(milestone, version)
            aliases[version] = version
        return aliases.get(asked)


class Registry:
    """All processors. Keys are project number, location and id."""

    def __init__(self) -> None:
        self._changed: dict[tuple[str, str, str], Processor | None] = {}
        self._count = 0

    def get(self, project: str, location: str, processor_id: str) -> Processor | None:
        """Return the processor, None if there is none."""
        key = (project_number(project), location, processor_id)
        if key in self._changed:
            return self._changed[key]
        if processor_id in PREMADE and location in LOCATIONS:
            return Processor(*key, PREMADE[processor_id], processor_id)
        return None

    def list(self, project: str, location: str) -> list[Processor]:
        """Return the processors of a project and location, in the order of their ids."""
        number = project_number(project)
        ids = set(PREMADE) | {key[2] for key in self._changed if key[:2] == (number, location)}
        found = (self.get(number, location, processor_id) for processor_id in sorted(ids))
        return [processor for processor in found if processor is not None]

    def create(
        self,
        place: tuple[str, str],
        processor_type: str,
        display_name: str,
        at_ns: int,
        types: Mapping[str, Any],
    ) -> Processor | Status:
        """Create a processor; its id is 16 hexadecimal digits, as the service gives them."""
        project, location = place
        if location not in LOCATIONS:
            return invalid(f"Invalid location: '{location}'.")
        if processor_type not in types:
            return invalid(f"Processor type '{processor_type}' is not found.")
        number = project_number(project)
        if any(known.display_name == display_name for known in self.list(number, location)):
            return Status("ALREADY_EXISTS", f"Processor with display name '{display_name}' already exists.")
        self._count += 1
        seed = f"{number}/{location}/{processor_type}/{display_name}/{at_ns}/{self._count}"
        processor_id = hashlib.blake2b(seed.encode(), digest_size=8).hexdigest()
        processor = Processor(number, location, processor_id, processor_type, display_name, created_ns=at_ns)
        self.put(processor)
        return processor

    def declare(self, project: str, location: str, processor_id: str, kind: str, version: str = "") -> None:
        """See to it that a processor is there, of this type and with this version as its default.

        Parameters
        ----------
        project, location, processor_id
            Of its resource name.
        kind
            ``OCR_PROCESSOR`` …
        version
            Id of a version; empty for those that the type has.
        """
        found = self.get(project, location, processor_id)
        if found is None or found.type != kind:
            found = Processor(project_number(project), location, processor_id, kind, processor_id)
        if version and found.version(version) is None:
            found.versions = (*found.versions, (version, version, "custom"))
        if version:
            found.default_version = found.version(version) or version
        self.put(found)

    def put(self, processor: Processor) -> None:
        """Store a processor that was changed, created or read back."""
        self._changed[processor.project, processor.location, processor.id] = processor

    def delete(self, processor: Processor) -> None:
        """Forget a processor; a pre-made one is gone until the registry is cleared."""
        self._changed[processor.project, processor.location, processor.id] = None

    def set_enabled(self, processor: Processor, *, enabled: bool) -> Status | None:
        """Enable or disable; FAILED_PRECONDITION if it is that already."""
        if processor.enabled == enabled:
            word = "enabled" if enabled else "disabled"
            return Status("FAILED_PRECONDITION", f"Processor {processor.name} is already {word}.")
        processor.enabled = enabled
        self.put(processor)
        return None

    def set_default(self, processor: Processor, version: str) -> Status | None:
        """Make ``version`` the default; NOT_FOUND if the processor has no such version."""
        known = processor.version(version)
        if known is None:
            return Status(
                "NOT_FOUND", f"Processor version {processor.name}/processorVersions/{version} is not found."
            )
        processor.default_version = known
        self.put(processor)
        return None

    def changed(self) -> Iterator[tuple[tuple[str, str, str], Processor | None]]:
        """All that differs from the pre-made: what a state folder must keep; None for deleted."""
        yield from self._changed.items()

    def mark(self, key: tuple[str, str, str], processor: Processor | None) -> None:
        """Put back what :meth:`changed` gave."""
        self._changed[key] = processor

    def clear(self) -> None:
        """Back to the pre-made processors."""
        self._changed.clear()
