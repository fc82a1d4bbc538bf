"""Invents the people, companies and numbers that sample documents speak of.

Rules: nothing refers to anyone real (example domains, telephone numbers reserved for fiction); amounts are
``Decimal`` cents so that they add up on paper; the same seed, kind and copy always invent the same things.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

# Quotes around each word would read worse than the split.
FIRST = (  # noqa: SIM905
    "Ada Amir Anneke Beatrix Bruno Carla Cedric Chiara Daniel Delphine Edgar Elif Emil Esther Farid Fiona Gustav Hanna "
    "Henrik Imogen Ines Ivo Jasper Jolanta Kamal Katrin Lars Leonie Lucio Marta Matthias Nadia Niklas Olga Oskar "
    "Paulina Quentin Rosa Ruben Saskia Selim Tamar Theo Ursula Viktor Wanda Xaver Yara Zoltan"
).split()
LAST = (  # noqa: SIM905
    "Abernathy Albrecht Baumann Bellweather Castellan Cromarty Dahlberg Dunmore Eastwick Engström Fairweather Falk "
    "Garrick Grünwald Hallam Hartvig Ibarra Jankowski Jessop Kestrel Kowalczyk Lindqvist Lorenz Marchetti Merriweather "
    "Nakamura Norrby Oakhurst Ostrander Pellegrin Penrose Quade Ravenscroft Rosenthal Sandoval Schäfer Thackeray "
    "Tolland Underhill Vance Vasquez Wexford Whitlock Yarrow Zielinski"
).split()
TRADES = (
    "Instruments", "Logistics", "Paper Works", "Engineering", "Print & Bind", "Timber", "Optics", "Catering",
    "Cartography", "Bookshop", "Hardware", "Textiles", "Cycle Works", "Electrical", "Glazing", "Seeds",
)  # fmt: skip
STREETS = (
    "Mill Lane", "Harbour Road", "Station Street", "Orchard Close", "Kiln Row", "Market Square", "Chapel Hill",
    "Linden Avenue", "Bridge Street", "Foundry Way", "Quarry Road", "Weaver Street", "Abbey Walk", "North Parade",
)  # fmt: skip
TOWNS = (
    ("Aldermoor", "AM4 7QX"), ("Brackenford", "BF2 1LD"), ("Coldharbour", "CH9 3TP"), ("Dunwick", "DW1 8NA"),
    ("Eskdale Bridge", "EB6 2RW"), ("Fenmarket", "FM3 5GH"), ("Greyabbey", "GA7 9SE"), ("Holmgarth", "HG5 4UY"),
)  # fmt: skip
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
CENT = Decimal("0.01")


def cents(amount: Decimal) -> Decimal:
    """Round to cents, halves away from zero, as on invoices."""
    return amount.quantize(CENT, ROUND_HALF_UP)


def money(amount: Decimal) -> str:
    """``12,345.60``."""
    return f"{amount:,.2f}"


def long_date(day: date) -> str:
    """``4 March 2026``."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def american_date(day: date) -> str:
    """``March 4, 2026``."""
    return f"{MONTHS[day.month - 1]} {day.day}, {day.year}"


def short_date(day: date) -> str:
    """``04 Mar 2026``."""
    return f"{day.day:02d} {MONTHS[day.month - 1][:3]} {day.year}"


@dataclass(frozen=True, slots=True)
class Item:
    """One line of an invoice or receipt."""

    name: str
    quantity: int
    price: Decimal

    @property
    def amount(self) -> Decimal:
        """Quantity × price."""
        return cents(self.quantity * self.price)


@dataclass(frozen=True, slots=True)
class Company:
    """A made-up company with its address."""

    name: str
    street: str
    town: str
    postcode: str
    email: str
    phone: str

    @property
    def address(self) -> list[str]:
        """Lines of the address block."""
        return [self.name, self.street, f"{self.town} {self.postcode}"]


class World:
    """What one document speaks of, drawn from a generator of its own.

    Parameters
    ----------
    seed, kind, copy
        Together they decide everything.
    """

    def __init__(self, seed: int, kind: str, copy: int) -> None:
        self.random = random.Random(f"docdask/{seed}/{kind}/{copy}")
        self.seed = seed
        self.copy = copy

    def person(self) -> str:
        """First and last name."""
        return f"{self.random.choice(FIRST)} {self.random.choice(LAST)}"

    def company(self) -> Company:
        """Company with an address, e-mail and telephone number."""
        owner, trade = self.random.choice(LAST), self.random.choice(TRADES)
        town, postcode = self.random.choice(TOWNS)
        form = self.random.choice(("Ltd", "& Co", "Group", "Partners"))
        host = owner.lower().translate(str.maketrans("öäü", "oau"))
        return Company(
            name=f"{owner} {trade} {form}",
            street=f"{self.random.randint(2, 189)} {self.random.choice(STREETS)}",
            town=town,
            postcode=postcode,
            email=f"accounts@{host}.example.com",
            phone=f"01632 960{self.random.randint(100, 999)}",
        )

    def day(self) -> date:
        """Draw a working day of 2025 or 2026."""
        day = date(2025, 1, 6) + timedelta(days=self.random.randint(0, 640))
        return day - timedelta(days=max(0, day.weekday() - 4))

    def number(self, digits: int) -> str:
        """Digits without a leading zero."""
        return str(self.random.randint(10 ** (digits - 1), 10**digits - 1))

    def items(self, names: tuple[str, ...], count: int, low: int, high: int, most: int = 12) -> list[Item]:
        """``count`` different items, priced between ``low`` and ``high`` cents."""
        return [
            Item(name, self.random.randint(1, most), Decimal(self.random.randint(low, high)) / 100)
            for name in self.random.sample(names, count)
        ]
