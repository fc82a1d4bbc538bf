"""What may still be spent, in pages and micro-dollars; never exceeded by a page, also when replies are lost.

A grant *reserves*; an answer *settles* what was billed; a call whose answer is lost stays charged as *at risk* until a
late answer settles it. Spent + reserved + at risk never exceed the budget, as long as nobody bills more than was asked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from docdask.core.spec import BudgetSpec

#: Periods without a word after which a run that holds nothing is taken for dead.
_SILENT_PERIODS = 5


class Purse:
    """One quantity of a budget."""

    __slots__ = ("at_risk", "most", "reserved", "spent")

    def __init__(self, most: int | None) -> None:
        self.most = most
        self.spent = self.reserved = self.at_risk = 0

    @property
    def left(self) -> int | None:
        """What nothing has a claim on; None without a limit."""
        return None if self.most is None else self.most - self.spent - self.reserved - self.at_risk

    def room(self, amount: int) -> Literal["fits", "later", "never"]:
        """Whether ``amount`` fits now, may fit when reservations settle, or never."""
        if self.most is None:
            return "fits"
        free = self.most - self.spent - self.at_risk
        if amount > free:
            return "never"
        return "fits" if amount <= free - self.reserved else "later"


class Budget:
    """Pages and money of a run or a project."""

    __slots__ = ("micros", "pages")

    def __init__(self, spec: BudgetSpec) -> None:
        self.pages = Purse(spec.pages)
        self.micros = Purse(spec.micros)

    def room(self, pages: int, micros: int) -> Literal["fits", "later", "never"]:
        """Whether both fit; the worse of the two answers."""
        if self.pages.most is None and self.micros.most is None:
            return "fits"
        first, second = self.pages.room(pages), self.micros.room(micros)
        if "never" in (first, second):
            return "never"
        return "fits" if first == second == "fits" else "later"

    def reserve(self, pages: int, micros: int) -> None:
        """Set aside for a call that goes out."""
        self.pages.reserved += pages
        self.micros.reserved += micros

    def settle(self, pages: int, micros: int, pages_billed: int, micros_billed: int) -> None:
        """Replace a reservation by what was billed."""
        self.pages.reserved -= pages
        self.micros.reserved -= micros
        self.pages.spent += pages_billed
        self.micros.spent += micros_billed

    def risk(self, pages: int, micros: int) -> None:
        """Keep charging for a call whose answer is lost."""
        self.pages.reserved -= pages
        self.micros.reserved -= micros
        self.pages.at_risk += pages
        self.micros.at_risk += micros

    def settle_risk(self, pages: int, micros: int, pages_billed: int, micros_billed: int) -> None:
        """Replace what was at risk by what a late answer says was billed."""
        self.pages.at_risk -= pages
        self.micros.at_risk -= micros
        self.pages.spent += pages_billed
        self.micros.spent += micros_billed

    def resume(self, pages: int, micros: int) -> tuple[int, int]:
        """Reserve again what is at risk, for a call whose end is waited for after all; returns what was, at most as much."""
        pages, micros = min(pages, self.pages.at_risk), min(micros, self.micros.at_risk)
        self.risk(-pages, -micros)
        return pages, micros

    def claims(self) -> tuple[int, int, int, int]:
        """Pages and micro-dollars spent, pages and micro-dollars that may be (reserved or at risk)."""
        pages, micros = self.pages, self.micros
        return pages.spent, micros.spent, pages.reserved + pages.at_risk, micros.reserved + micros.at_risk

    def add(self, pages: int, micros: int, pages_at_risk: int, micros_at_risk: int) -> None:
        """Count what somebody else spent, and may have spent, on the same budget."""
        self.pages.spent += pages
        self.micros.spent += micros
        self.pages.at_risk += pages_at_risk
        self.micros.at_risk += micros_at_risk

    def resize(self, spec: BudgetSpec) -> None:
        """Take other limits; what was spent stays spent."""
        self.pages.most = spec.pages
        self.micros.most = spec.micros


@dataclass(slots=True)
class Run:
    """What a run may spend, and what it has announced to want."""

    budget: Budget = field(default_factory=lambda: Budget(BudgetSpec()))
    calls: int = 0
    pages: int = 0
    closed: bool = False
    ledger: str = ""
    """Of the run's own; empty for the governor's."""
    heard_ns: int = 0
    """When it was opened, wanted something or gave something back last."""

    def lives(self, now_ns: int, period_ns: int) -> bool:
        """Whether what it has announced is still to be expected: who died without a word holds nothing and wants nothing.

        One that is only silent counts again as soon as it wants something.
        """
        pages, micros = self.budget.pages.reserved, self.budget.micros.reserved
        return bool(pages or micros) or now_ns - self.heard_ns <= _SILENT_PERIODS * period_ns
