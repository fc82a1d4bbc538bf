"""Finds key-value pairs on a page by where their words stand."""

from __future__ import annotations

from dataclasses import dataclass

from docdask.service.offline.page import Box, Word


@dataclass(frozen=True, slots=True)
class Field:
    """One key-value pair; a blank value has no words and the box where it would stand."""

    name: tuple[Word, ...]
    name_box: Box
    value: tuple[Word, ...]
    value_box: Box
    confidence: float
    value_type: str = ""
    """Empty, ``filled_checkbox`` or ``unfilled_checkbox``."""
