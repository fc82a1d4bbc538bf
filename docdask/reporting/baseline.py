"""What a run is compared with: how fast the same documents are done without docdask, as the user states it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from docdask.errors import UsageError

_SECONDS = {"ms": 0.001, "s": 1.0, "sec": 1.0, "second": 1.0, "min": 60.0, "m": 60.0, "minute": 60.0, "h": 3600.0, "hour": 3600.0, "d": 86400.0, "day": 86400.0}  # fmt: skip
_REMEDY = "give documents per hour by hand (12/h or 12), seconds a document (300s, 5min), or a whole time (total 40h)"


@dataclass(frozen=True, slots=True)
class Baseline:
    """A speed to compare with: a rate, or the measured time of all these documents."""

    documents_per_hour: float | None = None
    """Rate by hand; the time for all documents is then an estimate."""
    total_s: float | None = None
    """Measured time for exactly these documents; the rate follows from it."""

    def __post_init__(self) -> None:
        values = [value for value in (self.documents_per_hour, self.total_s) if value is not None]
        if len(values) != 1 or not math.isfinite(values[0]) or values[0] <= 0:
            raise UsageError(
                f"baseline {self.documents_per_hour or self.total_s} is no speed to compare with", _REMEDY
            )

    @property
    def estimated(self) -> bool:
        """The time for all documents is the stated rate times their number, not a measurement."""
        return self.total_s is None

    def seconds(self, documents: int) -> float:
        """Time the baseline needs for so many documents."""
        if self.total_s is not None:
            return self.total_s
        assert self.documents_per_hour is not None
        return documents / self.documents_per_hour * 3600

    def rate(self, documents: int) -> float:
        """Documents an hour of the baseline."""
        return self.documents_per_hour or documents / self.seconds(documents) * 3600

    @classmethod
    def parse(cls, value: Baseline | str | float) -> Baseline:
        """Read ``12`` or ``12/h`` (documents an hour), ``300s`` or ``5min`` (a document), ``total 40h`` (all of them).

        Raises
        ------
        UsageError
            It is none of these, or not above zero.
        """
        if isinstance(value, Baseline):
            return value
        text = str(value).strip().lower()
        match = re.fullmatch(
            r"(total\s+)?(\d+(?:\.\d*)?|\.\d+|\d+(?:\.\d*)?e[+-]?\d+)\s*(/\s*)?([a-z]*)", text
        )
        if not match:
            raise UsageError(f"baseline {value!r} can't be read", _REMEDY)
        total, number, per, unit = bool(match[1]), float(match[2]), bool(match[3]), match[4]
        seconds = _SECONDS.get(unit, _SECONDS.get(unit.removesuffix("s")))
        if unit and seconds is None:
            raise UsageError(f"baseline {value!r} has the unknown unit {unit!r}", _REMEDY)
        if not number or (total and (per or seconds is None)) or (per and seconds is None):
            raise UsageError(f"baseline {value!r} is no speed to compare with", _REMEDY)
        if total:
            return cls(total_s=number * (seconds or 1.0))
        if seconds is None:
            return cls(documents_per_hour=number)
        return cls(documents_per_hour=number * 3600 / seconds if per else 3600 / (number * seconds))
