"""What a run directory says about itself, ``docdask.json``, and when it is another run.

Rule: options that change results are compared, each with its name, before anything is written. The same RUN with other
options is refused rather than mixed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from docdask.errors import RunVersion, StorageError

#: Version of everything in a run directory; a reader of another version refuses.
FORMAT_VERSION = 1

#: Fields that say when and with what a run was made; they don't change results.
_CIRCUMSTANCES = frozenset({"format_version", "created_at", "docdask_version"})


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a run was made with."""

    engine: str
    """Name of the engine."""
    engine_version: str
    """Its version; changes whenever its results change."""
    engine_options: dict[str, Any] = field(default_factory=dict)
    """Options of the engine that change results; JSON values."""
    tokens: bool = False
    """Whether the table ``tokens`` is written."""
    options: dict[str, Any] = field(default_factory=dict)
    """Any further options that change results, such as a limit of pages; JSON values."""
    created_at: str = ""
    """ISO 8601, UTC."""
    docdask_version: str = ""
    format_version: int = FORMAT_VERSION

    @property
    def engine_id(self) -> str:
        """``name/version``, as units and tables name it."""
        return f"{self.engine}/{self.engine_version}"

    def to_json(self) -> dict[str, Any]:
        """JSON object of all fields."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Any, where: str) -> Manifest:
        """Manifest from what :meth:`to_json` made.

        Raises
        ------
        RunVersion
            If it was written by another format version.
        StorageError
            If it is no manifest at all.
        """
        if not isinstance(value, dict) or "format_version" not in value:
            raise StorageError(
                f"{where} is damaged: it states no format_version", "restore it, or start in a new folder"
            )
        found = value["format_version"]
        if found != FORMAT_VERSION:
            written_by = value.get("docdask_version") or "unknown"
            raise RunVersion(
                f"{where} has format version {found}, this docdask reads {FORMAT_VERSION}",
                f"use the docdask that wrote it ({written_by}), or start in a new folder",
            )
        known = {f.name for f in fields(cls)}
        try:
            return cls(**{key: item for key, item in value.items() if key in known})
        except TypeError as error:
            raise StorageError(
                f"{where} is damaged: {error}", "restore it, or start in a new folder"
            ) from error

    def differences(self, other: Manifest) -> list[str]:
        """Name what would change results, one phrase each: ``tokens: False there, True here``.

        ``self`` is what the run was made with (there), ``other`` what is asked for now (here).
        """
        if self.engine != other.engine:  # what else differs follows from that
            return [_phrase("engine", self.engine, other.engine)]
        found: list[str] = []
        for name in (f.name for f in fields(self) if f.name not in _CIRCUMSTANCES):
            there, here = getattr(self, name), getattr(other, name)
            if isinstance(there, dict):
                found.extend(_dict_differences(there, here))
            elif there != here:
                found.append(_phrase(name.replace("_", " "), there, here))
        return found


_ABSENT = object()


def _dict_differences(there: dict[str, Any], here: dict[str, Any], before: str = "") -> list[str]:
    """Each value that differs, by the keys that lead to it: ``processors ocr imageless: True there, False here``."""
    found: list[str] = []
    for key in sorted(there.keys() | here.keys()):
        old, new = (_numbered(side.get(key, _ABSENT)) for side in (there, here))
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            found.extend(_dict_differences(old, new, f"{before}{key} "))
        else:
            found.append(_phrase(f"{before}{key}", old, new))
    return found


def _numbered(value: Any) -> Any:
    """A list of tables, as routes are, by the place of each, counted from 1; anything else as it is."""
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        return {str(number): item for number, item in enumerate(value, 1)}
    return value


def _phrase(name: str, there: Any, here: Any) -> str:
    return f"{name}: {_shown(there)} there, {_shown(here)} here"


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return "not set"
    return "set" if isinstance(value, dict) else repr(value)
