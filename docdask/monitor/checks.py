"""What the doctor says of one thing: its name, its state, what was found, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "missing", "problem"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    state: State
    """``missing`` is optional, ``problem`` keeps the main job from running."""
    found: str
    remedy: str = ""
