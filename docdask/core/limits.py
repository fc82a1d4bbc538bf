"""What Document AI allows: limits and quotas per processor type as data, each with its source and date.

Rules: nothing here is hard-wired elsewhere; every number can be overridden (:meth:`LimitBook.override`), because quotas
differ between projects and Google changes them. Limits are properties of a processor type and can't be raised; quotas
are counted per project and can. The emulator's model of the service and the planner read this same book.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

from docdask.errors import UsageError

#: How a location is counted: the two multi-regions have quotas of their own, all other locations are single regions.
RegionKind = Literal["us", "eu", "single"]

MULTI_REGIONS = ("us", "eu")
SINGLE_REGIONS = (
    "asia-south1", "asia-southeast1", "australia-southeast1", "europe-west2", "europe-west3", "europe-west4",
    "northamerica-northeast1", "us-central1",
)  # fmt: skip
LOCATIONS = MULTI_REGIONS + SINGLE_REGIONS


def region_kind(location: str) -> RegionKind:
    """Whose quota a location is counted against."""
    if location == "us":
        return "us"
    return "eu" if location == "eu" else "single"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a number comes from, and the date of the copy that was read."""

    source: str
    dated: str


_LIMITS = Origin("https://cloud.google.com/document-ai/limits", "2026-09")
_QUOTAS = Origin("https://cloud.google.com/document-ai/quotas", "2025-10")
_QUOTAS_LEGACY = Origin("https://cloud.google.com/document-ai/quotas (row of v1beta2)", "2025-10")
_FILE_SIZE = Origin(
    "https://cloud.google.com/document-ai/docs/release-notes (20 MB became 40 MB)", "2025-06-19"
)
_IMAGELESS = Origin("https://cloud.google.com/document-ai/docs/release-notes (imageless mode)", "2025-04-02")
_SELECTION = Origin(
    "measured on a 316-page PDF: the limit holds for the selection, not for the file", "2026-09-02"
)
_IMAGE_SIDE = Origin("https://github.com/icereed/paperless-gpt issue 380 (undocumented side limit)", "2025")
_FILE_TYPES = Origin("https://cloud.google.com/document-ai/docs/file-types", "2026-07")
_SHARDS = Origin("https://github.com/googleapis/python-documentai issue 396; output of real batches", "2022")
_OPERATIONS = Origin("https://cloud.google.com/document-ai/docs/long-running-operations", "2026-07")
_LABELS = Origin("google.cloud.documentai.v1.ProcessRequest.labels", "2026-11")

IMAGE_TYPES = frozenset({"image/gif", "image/tiff", "image/jpeg", "image/png", "image/bmp", "image/webp"})
PAGE_TYPES = IMAGE_TYPES | {"application/pdf"}
#: Types that only the Layout Parser reads.
OFFICE_TYPES = frozenset(
    {
        "text/html",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/vnd.ms-excel.sheet.macroenabled.12",
    }
)


@dataclass(frozen=True, slots=True)
class ProcessorLimits:
    """System limits of one processor type; they can't be raised."""

    processor_type: str
    """Name as Google writes it, ``OCR_PROCESSOR``."""
    title: str
    online_pages: int
    """Pages of one online call, counted over the selection."""
    batch_pages: int
    """Pages of one document of a batch."""
    imageless_pages: int
    """Pages of one online call in imageless mode that selects pages from page 1 on."""
    mime_types: frozenset[str] = PAGE_TYPES
    takes_ocr_config: bool = False
    takes_layout_config: bool = False
    generative: bool = False
    """Its online calls are also metered in pages a minute."""
    per_page: bool = False
    """Results are per page, so that small documents can share a call."""
    origin: Origin = _LIMITS


def _limits(
    processor_type: str, title: str, online: int, batch: int, imageless: int, **more: object
) -> ProcessorLimits:
    return ProcessorLimits(processor_type, title, online, batch, imageless, **more)  # type: ignore[arg-type]


PROCESSOR_LIMITS: Mapping[str, ProcessorLimits] = MappingProxyType(
    {
        row.processor_type: row
        for row in (
            _limits("OCR_PROCESSOR", "Document OCR", 15, 500, 30, takes_ocr_config=True, per_page=True),
            _limits(
                "FORM_PARSER_PROCESSOR", "Form Parser", 15, 100, 30, takes_ocr_config=True, per_page=True
            ),
            _limits(
                "LAYOUT_PARSER_PROCESSOR",
                "Layout Parser",
                15,
                500,
                30,
                takes_layout_config=True,
                mime_types=PAGE_TYPES | OFFICE_TYPES,
            ),
            _limits("CUSTOM_EXTRACTION_PROCESSOR", "Custom Extractor", 15, 200, 30, generative=True),
            _limits("CUSTOM_CLASSIFICATION_PROCESSOR", "Custom Classifier", 15, 200, 30),
            _limits("CUSTOM_SPLITTING_PROCESSOR", "Custom Splitter", 15, 1000, 30),
            _limits("INVOICE_PROCESSOR", "Invoice Parser", 15, 200, 30),
            _limits("EXPENSE_PROCESSOR", "Expense Parser", 10, 10, 10),
            _limits("UTILITY_PROCESSOR", "Utility Parser", 10, 200, 30),
            _limits("PAYSTUB_PROCESSOR", "Pay Slip Parser", 15, 50, 30),
            _limits("BANK_STATEMENT_PROCESSOR", "Bank Statement Parser", 15, 30, 30),
            _limits("FORM_W2_PROCESSOR", "W2 Parser", 15, 15, 15),
            _limits("US_DRIVER_LICENSE_PROCESSOR", "US Driver License Parser", 2, 2, 2),
            _limits("US_PASSPORT_PROCESSOR", "US Passport Parser", 2, 2, 2),
            _limits("ID_PROOFING_PROCESSOR", "Identity Document Proofing", 2, 2, 2),
        )
    }
)


@dataclass(frozen=True, slots=True)
class Limit:
    """One number of the service, with its unit and origin."""

    name: str
    value: int
    unit: str
    origin: Origin


#: Limits that hold for every processor type.
SYSTEM_LIMITS: Mapping[str, Limit] = MappingProxyType(
    {
        row.name: row
        for row in (
            Limit("online_bytes", 40 * 2**20, "bytes", _FILE_SIZE),
            Limit("batch_bytes", 2**30, "bytes", _LIMITS),
            Limit("batch_files", 5000, "files", _LIMITS),
            Limit("image_pixels", 40_000_000, "pixels a page, images only", _LIMITS),
            Limit("image_side", 10_000, "pixels, images only", _IMAGE_SIDE),
            Limit("pages_per_shard", 10, "pages, default", _SHARDS),
            Limit("operation_days", 30, "days a finished operation is kept", _OPERATIONS),
            Limit("labels", 64, "labels a request", _LABELS),
            Limit("label_characters", 63, "characters", _LABELS),
        )
    }
)

#: The rule that decides which page limit holds (three answers: 30, 15, or the type's own).
SELECTION_RULE = Limit(
    "imageless_from_page", 1, "first page of a selection that may use the imageless limit", _SELECTION
)


@dataclass(frozen=True, slots=True)
class Quota:
    """One quota with the defaults of a new project."""

    name: str
    unit: str
    us: int
    eu: int
    single: int
    metric: str
    """Metric as Cloud Quotas and Monitoring name it; ``{region}`` is ``us``, ``eu`` or ``single_region``."""
    label: str
    """The metric in words, as the 429's text has it."""
    origin: Origin


QUOTAS: Mapping[str, Quota] = MappingProxyType(
    {
        row.name: row
        for row in (
            Quota(
                "user_requests", "requests/min per user, all methods", 1800, 1800, 1800,
                "documentai.googleapis.com/default_requests", "All requests", _QUOTAS,
            ),
            Quota(
                "online_requests", "online process requests/min per project and processor type", 120, 120, 6,
                "documentai.googleapis.com/processor_online_process_document_requests_{region}",
                "Number of online process document requests using document processor", _QUOTAS,
            ),
            Quota(
                "online_pages", "online pages/min per project, generative processor types", 120, 120, 120,
                "documentai.googleapis.com/processor_online_process_document_pages_{region}",
                "Number of online process document pages ({REGION})", _QUOTAS,
            ),
            Quota(
                "batch_operations", "batch operations at once per project (single region: per processor)", 5, 5, 5,
                "documentai.googleapis.com/processor_batch_process_document_concurrent_requests_{region}",
                "Number of concurrent batch process requests", _QUOTAS,
            ),
        )
    }
)  # fmt: skip

#: Numbers still found all over the web; only the retired v1beta2 had them.
LEGACY = (
    Limit("online_requests", 600, "requests/min per project", _QUOTAS_LEGACY),
    Limit("active_pages", 10_000, "pages in processing", _QUOTAS_LEGACY),
)

#: ``application/pdf`` and friends, with where the list comes from.
MIME_ORIGIN = _FILE_TYPES
IMAGELESS_ORIGIN = _IMAGELESS


@dataclass(frozen=True, slots=True)
class LimitBook:
    """All limits and quotas, with overrides.

    Override keys are ``name``, ``name.region`` or ``name.region.PROCESSOR_TYPE`` for quotas (region ``us``, ``eu``,
    ``single`` or ``*``), ``name`` for system limits, and ``field.PROCESSOR_TYPE`` for page limits. The most specific
    key wins.
    """

    quotas: Mapping[str, Quota] = field(default_factory=lambda: QUOTAS)
    system: Mapping[str, Limit] = field(default_factory=lambda: SYSTEM_LIMITS)
    processors: Mapping[str, ProcessorLimits] = field(default_factory=lambda: PROCESSOR_LIMITS)
    overrides: Mapping[str, int] = field(default_factory=dict)

    def quota(self, name: str, region: RegionKind, processor_type: str = "*") -> int:
        """Limit of quota ``name`` there, in its own unit."""
        for key in (
            f"{name}.{region}.{processor_type}",
            f"{name}.*.{processor_type}",
            f"{name}.{region}",
            name,
        ):
            if key in self.overrides:
                return self.overrides[key]
        return int(getattr(self.quotas[name], region))

    def limit(self, name: str) -> int:
        """Value of the system limit ``name``."""
        return self.overrides.get(name, self.system[name].value)

    def processor(self, processor_type: str) -> ProcessorLimits:
        """Page limits of a processor type, overrides applied; an unknown type has those of the custom extractor."""
        row = self.processors.get(processor_type)
        if row is None:
            row = replace(self.processors["CUSTOM_EXTRACTION_PROCESSOR"], processor_type=processor_type)
        changes = {
            name: self.overrides[f"{name}.{processor_type}"]
            for name in ("online_pages", "batch_pages", "imageless_pages")
            if f"{name}.{processor_type}" in self.overrides
        }
        return replace(row, **changes) if changes else row  # type: ignore[arg-type]

    def override(self, changes: Mapping[str, int]) -> LimitBook:
        """Return the book with some numbers changed.

        Raises
        ------
        UsageError
            If a key names nothing in the book, or a value is below 0.
        """
        for key, value in changes.items():
            self._check(key, value)
        return replace(self, overrides={**self.overrides, **changes})

    def _check(self, key: str, value: int) -> None:
        name, _, rest = key.partition(".")
        region, _, _ = rest.partition(".")
        known = (
            (name in self.quotas and region in ("", "*", "us", "eu", "single"))
            or (name in self.system and not rest)
            or (name in ("online_pages", "batch_pages", "imageless_pages") and rest in self.processors)
        )
        if not known:
            raise UsageError(
                f"no limit or quota named {key!r}",
                f"quotas: {', '.join(self.quotas)} (then .us, .eu, .single or .*, then .PROCESSOR_TYPE); "
                f"limits: {', '.join(self.system)}",
            )
        if value < 0:
            raise UsageError(f"{key} can't be {value}", "give 0 or more")


#: The book of a new project with nothing changed.
DEFAULT_BOOK = LimitBook()
