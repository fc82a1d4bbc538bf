"""Draws a service contract of exactly twenty pages: cover, seventeen articles of a page each, prices, signatures."""

from __future__ import annotations

from decimal import Decimal

from docdask.specimens.paper import A4, Paper, Sample, grid
from docdask.specimens.world import World, cents, long_date, money

PAGES = 20
#: Heading, the matter the article is about, what the supplier does about it, what the customer does about it.
_ARTICLES = (
    ("Subject of the contract", "the scope", "scan and index the holdings listed in Annex A", "provide the holdings in the order agreed"),
    ("Term", "the term", "begin work on the start date", "give access to its premises from that day"),
    ("Preparation of the holdings", "preparation", "remove staples, clips and covers by hand", "mark volumes that must stay bound"),
    ("Scanning", "scanning", "scan at 300 dpi in colour, both sides", "accept pages that are blank as evidence of completeness"),
    ("Text recognition", "recognition", "recognise the text of every page and report its confidence", "name the languages that occur"),
    ("Index", "the index", "index each file by year, department and subject", "supply the list of departments"),
    ("Quality control", "quality control", "inspect one page in twenty by eye", "report defects that it finds"),
    ("Delivery", "delivery", "deliver each batch within ten working days", "confirm receipt of each batch in writing"),
    ("Acceptance", "acceptance", "correct defects without charge", "inspect every batch within the period stated"),
    ("Prices and payment", "payment", "invoice each batch after acceptance", "pay within thirty days of the invoice date"),
    ("Duties of the customer", "cooperation", "say in good time what it needs", "name a contact who can take decisions"),
    ("Confidentiality", "confidential matter", "keep secret what it learns from the holdings", "label files that are restricted"),
    ("Protection of personal data", "personal data", "process personal data only on instruction", "ensure that the processing is lawful"),
    ("Security", "security", "lock the work rooms and log who enters them", "provide keys and alarm codes"),
    ("Liability", "liability", "insure the holdings against fire, water and theft", "state the value of items above the usual"),
    ("Termination", "termination", "return all holdings within two weeks", "pay for the work done until then"),
    ("Final provisions", "this contract", "keep a copy of this contract", "keep a copy of this contract"),
)  # fmt: skip
_CLAUSES = (
    (
        "The Supplier shall {supplier}. It shall do so with the care of a prudent merchant, with staff who are trained for "
        "the task, and in line with the written procedures that the parties have agreed for {matter}."
    ),
    (
        "The Customer shall {customer}. Where it is late in doing so, the dates agreed in this contract move by the same "
        "number of working days, and the Supplier shall say within {days} days which dates are affected."
    ),
    (
        "Each party shall name a person responsible for {matter}. On the side of the Supplier this is {person}. A change is "
        "valid once the other party has received it in writing."
    ),
    (
        "Questions concerning {matter} are to be answered within {days} working days. If no answer is given, the party that "
        "asked may proceed as it thinks best, provided that nothing is lost or damaged by it."
    ),
    (
        "Up to {percent} per cent of the quantity stated in Annex A may be added or withdrawn by the Customer without a "
        "change of the unit prices. Beyond that the parties shall agree on new prices before the work goes on."
    ),
    (
        "Records of {matter} are kept for {years} years after the end of this contract and handed over on request, in an "
        "open format and without charge, within {weeks} weeks of the request."
    ),
    (
        "If one party does not meet a duty under this article, the other shall set a period of at least {weeks} weeks. When "
        "that period has passed in vain, a reduction of up to {percent} per cent of the price of the batch may be claimed."
    ),
)


def contract(world: World) -> Sample:
    """Draw the contract with a text layer and page numbers."""
    supplier, customer = world.company(), world.company()
    day = world.day()
    number = f"SC-{day.year}/{world.number(4)}"
    signers = (world.person(), world.person())
    paper = Paper(A4, f"Service contract {number}", font="Times-Roman")
    _cover(paper, number, long_date(day), supplier.address, customer.address)
    for index, article in enumerate(_ARTICLES, 1):
        _footer(paper, number)
        paper.next_page()
        _article(paper, world, index, article)
    _footer(paper, number)
    paper.next_page()
    rows, total = _prices(world)
    paper.text(75, 80, "Annex A: quantities and prices", size=15, font="Times-Bold")
    y = grid(
        paper,
        75,
        104,
        (185, 80, 85, 95),
        rows,
        aligns=("left", "right", "right", "right"),
        row_height=24,
        size=11,
    )
    paper.row(
        y + 24, [(400, "Sum in euros, without tax", "right"), (515, money(total), "right")], font="Times-Bold"
    )
    _footer(paper, number)
    paper.next_page()
    paper.text(75, 80, "Signatures", size=15, font="Times-Bold")
    for y, name, company in ((180, signers[0], supplier), (330, signers[1], customer)):
        paper.squiggle(90, y - 3, [(i * 5.0, world.random.uniform(-5, 17)) for i in range(28)])
        paper.rule(75, y, 330, y)
        paper.text(75, y + 16, name, size=11)
        paper.text(75, y + 31, f"for {company.name}", size=11)
        paper.text(75, y + 46, f"{company.town}, {long_date(day)}", size=11)
    _footer(paper, number)
    data, texts = paper.finish()
    assert len(texts) == PAGES
    return Sample(
        data,
        "application/pdf",
        "contract",
        texts,
        fields={"date": day.isoformat()},
        tables=[{"page_number": 19, "rows": rows}],
    )


def _cover(paper: Paper, number: str, day: str, supplier: list[str], customer: list[str]) -> None:
    paper.text(297, 190, "SERVICE CONTRACT", size=26, font="Times-Bold", align="center")
    paper.text(297, 220, f"No. {number}", size=14, align="center")
    paper.text(297, 240, f"of {day}", size=14, align="center")
    paper.text(297, 320, "between", size=12, align="center")
    y = 350.0
    for party, name in ((supplier, "the Supplier"), (customer, "the Customer")):
        for line in party:
            paper.text(297, y, line, size=13, align="center")
            y += 18
        paper.text(297, y + 4, f"- {name} -", size=12, font="Times-Italic", align="center")
        y += 44
        if name == "the Supplier":
            paper.text(297, y - 12, "and", size=12, align="center")
            y += 14


def _article(paper: Paper, world: World, index: int, article: tuple[str, str, str, str]) -> None:
    heading, matter, supplier, customer = article
    paper.text(75, 80, f"Article {index}", size=11, font="Times-Italic")
    paper.text(75, 100, heading, size=15, font="Times-Bold")
    y = 130.0
    clauses = [*_CLAUSES[:2], *world.random.sample(_CLAUSES[2:], 5)]
    for number, clause in enumerate(clauses, 1):
        text = clause.format(
            supplier=supplier,
            customer=customer,
            matter=matter,
            person=world.person(),
            days=world.random.randint(3, 15),
            weeks=world.random.randint(2, 8),
            years=world.random.randint(2, 10),
            percent=world.random.randint(5, 25),
        )
        y = paper.paragraph(75, y, 445, f"({number}) {text}", size=11.5, leading=17) + 9


def _prices(world: World) -> tuple[list[list[str]], Decimal]:
    rows, total = [["Item", "Quantity", "Unit price", "Amount"]], Decimal(0)
    for item in (
        "Pages, loose",
        "Pages, bound",
        "Large formats",
        "Index entries",
        "Boxes relabelled",
        "Inspection hours",
    ):
        quantity = world.random.randint(40, 60000)
        price = Decimal(world.random.randint(4, 480)) / 100
        amount = cents(quantity * price)
        total += amount
        rows.append([item, f"{quantity:,}", money(price), money(amount)])
    return rows, total


def _footer(paper: Paper, number: str) -> None:
    page = len(paper.texts)
    paper.rule(75, 788, 520, 788, width=0.4)
    paper.row(
        802, [(75, f"Service contract {number}", "left"), (520, f"Page {page} of {PAGES}", "right")], size=9
    )
