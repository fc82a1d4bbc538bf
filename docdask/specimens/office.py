"""Draws the papers an office fills in and passes on: a form, stock tables, a fax of three pages."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from docdask.specimens import raster
from docdask.specimens.paper import A4, Paper, Sample, grid
from docdask.specimens.world import Item, World, long_date, money, short_date

_BLUE = (0.07, 0.14, 0.5)
_GREY = (0.4, 0.43, 0.48)
_FILLED, _EMPTY = "☒", "☐"
_PARTS = (
    "Ball bearing 6204", "Belt, toothed 480", "Bushing, bronze", "Chain link 08B", "Circlip 22 mm", "Coupling, rigid",
    "Dowel pin 6x30", "Encoder cable", "Flange gasket", "Gear wheel M2", "Grease nipple", "Hex bolt M8x40",
    "Key, parallel 6x6", "Limit switch", "Lock nut M10", "Motor mount", "O-ring 35x3", "Oil seal 25x47", "Pulley 60 mm",
    "Relay 24 V", "Rod end M12", "Shim 0.5 mm", "Solenoid valve", "Spring, compression", "Tie rod", "V-belt A36",
    "Washer M8", "Wiper ring", "Worm shaft", "Yoke, cast",
)  # fmt: skip


def form(world: World) -> Sample:
    """Draw an application form that somebody filled in, with boxes to tick."""
    company = world.company()
    person, day = world.person(), world.day()
    birth = day - timedelta(days=world.random.randint(24 * 365, 61 * 365))
    host = company.email.split("@")[1]
    values = {
        "Full name": person,
        "Date of birth": long_date(birth),
        "Street and number": company.street,
        "Town": company.town,
        "Postcode": company.postcode,
        "E-mail": f"{person.split()[0].lower()}.{world.number(2)}@{host}",
        "Telephone": company.phone,
        "Occupation": world.random.choice(
            ("Bookbinder", "Electrician", "Nurse", "Surveyor", "Teacher", "Translator")
        ),
        "Member number": world.number(7),
    }
    paper = Paper(A4, "Library membership form")
    paper.box(45, 40, 505, 46, fill=(0.16, 0.36, 0.30))
    paper.text(58, 69, "Application for library membership", size=18, font="Helvetica-Bold", color=(1, 1, 1))
    paper.text(
        50, 108, "Form LM-7 - please fill in block letters and return to the front desk", size=9, color=_GREY
    )
    paper.text(50, 140, "1. About you", size=12, font="Helvetica-Bold")
    y = 166.0
    for key, value in values.items():
        paper.text(54, y, f"{key}:", size=10, truth=False)
        paper.text(190, y, value, size=11, font="Courier", color=_BLUE, truth=False)
        paper.texts[-1].append(f"{key}: {value}")
        paper.rule(186, y + 4, 540, y + 4, width=0.5)
        y += 26
    ticks: dict[str, str] = {}
    y = _choices(
        paper,
        world,
        y + 8,
        "2. Kind of membership",
        ("Adult", "Student", "Family", "Institution"),
        ticks=ticks,
    )
    y = _choices(paper, world, y, "3. I agree to receive", ("Newsletter", "Due date reminders", "Event invitations"),
                 ticks=ticks, several=True)  # fmt: skip
    y = _choices(paper, world, y, "4. Proof of address shown", ("Yes", "No"), ticks=ticks)
    y = paper.paragraph(
        54, y + 4, 485,
        "I have read the rules of the library and will keep to them. I know that my data are stored for as long as "
        "my membership lasts and are deleted one year after it ends.", size=9.5,
    )  # fmt: skip
    paper.rule(54, y + 52, 250, y + 52)
    paper.rule(330, y + 52, 540, y + 52)
    paper.squiggle(70, y + 50, [(i * 5.0, world.random.uniform(-4, 16)) for i in range(28)])
    paper.text(335, y + 47, long_date(day), size=11, font="Courier", color=_BLUE)
    paper.row(y + 65, [(54, "Signature", "left"), (330, "Date", "left")], size=8.5, color=_GREY)
    data, texts = paper.finish()
    return Sample(
        data,
        "application/pdf",
        "form",
        texts,
        fields={"email": values["E-mail"], "date": day.isoformat()},
        form_fields={**values, **ticks},
    )


def _choices(
    paper: Paper,
    world: World,
    y: float,
    title: str,
    names: tuple[str, ...],
    *,
    ticks: dict[str, str],
    several: bool = False,
) -> float:
    """Draw a row of boxes, tick one of them (or any number) and note which; return the next baseline."""
    paper.text(50, y + 8, title, size=12, font="Helvetica-Bold")
    chosen = (
        {name for name in names if world.random.random() < 0.5} if several else {world.random.choice(names)}
    )
    x, line = 54.0, []
    for name in names:
        mark = _FILLED if name in chosen else _EMPTY
        ticks[name] = "filled_checkbox" if name in chosen else "unfilled_checkbox"
        end = paper.text(x, y + 32, mark, font="DejaVu", size=14, truth=False)
        x = paper.text(end + 5, y + 31, name, truth=False) + 26
        line.append(f"{mark} {name}")
    paper.texts[-1].append(" ".join(line))
    return y + 58


def stock_tables(world: World) -> Sample:
    """Draw a stock report of two landscape pages that are nearly all table."""
    company, day = world.company(), world.day()
    size = (A4[1], A4[0])
    paper = Paper(size, f"Stock report {day.isoformat()}")
    widths = (78.0, 172.0, 66.0, 70.0, 70.0, 70.0, 90.0, 126.0)
    head = ["Part no.", "Description", "Bin", "Opening", "Received", "Issued", "Closing", "Value (EUR)"]
    names = list(world.random.sample(_PARTS, 28))
    tables, total = [], Decimal(0)
    for page in (1, 2):
        if page == 2:
            paper.next_page()
        paper.text(50, 48, f"{company.name}: stock report", size=15, font="Helvetica-Bold")
        paper.text(50, 65, f"Warehouse {company.town}, counted {long_date(day)}", color=_GREY, size=9.5)
        rows = [head]
        for name in names[(page - 1) * 14 : page * 14]:
            opening, received = world.random.randint(40, 900), world.random.randint(0, 300)
            issued = world.random.randint(0, opening)
            closing = opening + received - issued
            value = closing * Decimal(world.random.randint(8, 2400)) / 100
            total += value
            rows.append(
                [
                    f"{world.random.choice('ABCK')}-{world.number(5)}", name,
                    f"{world.random.randint(1, 24):02d}-{world.random.choice('ABCDEF')}",
                    str(opening), str(received), str(issued), str(closing), money(value),
                ]
            )  # fmt: skip
        y = grid(
            paper, 50, 84, widths, rows, row_height=26, size=9.5,
            aligns=("left", "left", "center", "right", "right", "right", "right", "right"),
        )  # fmt: skip
        tables.append({"page_number": page, "rows": rows})
        if page == 2:
            parts = [(640.0, "Total stock value", "right"), (787.0, money(total), "right")]
            paper.row(y + 22, parts, font="Helvetica-Bold")  # type: ignore[arg-type]
        paper.row(
            568, [(50, f"Counted by {world.person()}", "left"), (792, f"Page {page} of 2", "right")], size=8.5
        )
    data, texts = paper.finish()
    return Sample(data, "application/pdf", "table", texts, fields={"date": day.isoformat()}, tables=tables)


def fax(world: World) -> Sample:
    """Draw a delivery note and send it by fax: a black-and-white TIFF of three pages."""
    sender, receiver, day = world.company(), world.company(), world.day()
    number = f"DN {world.number(6)}"
    items = [Item(name, world.random.randint(1, 40), Decimal(0)) for name in world.random.sample(_PARTS, 24)]
    paper = Paper(A4, "Delivery note")
    stamp = f"{short_date(day)} {world.random.randint(8, 17):02d}:{world.random.randint(10, 59)}"
    tables = []

    def header(page: int) -> None:
        line = f"{stamp}   FROM: {sender.name.upper()}   P. {page}/3"
        paper.text(40, 24, line, size=9, font="Courier-Bold")

    header(1)
    paper.text(60, 100, "Fax message", size=26, font="Helvetica-Bold")
    for top, text in (
        (150, f"To: {receiver.name}"),
        (174, f"From: {world.person()}, {sender.name}"),
        (198, f"Date: {long_date(day)}"),
        (222, f"Subject: delivery note {number}"),
        (246, "Pages: 3"),
    ):
        paper.text(60, top, text, size=13)
    paper.rule(60, 262, 535, 262, width=1.5)
    paper.paragraph(
        60, 292, 470,
        f"Please find the delivery note {number} on the next two pages. The goods leave our warehouse in "
        f"{sender.town} tomorrow morning and will be with you before noon. Kindly check the quantities against your "
        "order, sign the last page and send it back to us the same day.", size=13, leading=20,
    )  # fmt: skip
    for page, part in ((2, items[:12]), (3, items[12:])):
        paper.next_page()
        header(page)
        paper.text(60, 80, f"Delivery note {number}", size=18, font="Helvetica-Bold")
        rows = [["Pos.", "Article", "Quantity", "Unit"]]
        for position, item in enumerate(part, 1 + 12 * (page - 2)):
            unit = "pcs" if item.quantity > 5 else "box"
            rows.append([str(position), item.name, str(item.quantity), unit])
        y = grid(
            paper, 60, 104, (50, 265, 90, 70), rows, aligns=("right", "left", "right", "left"), row_height=30, size=13,
            head=(1, 1, 1),
        )  # fmt: skip
        tables.append({"page_number": page, "rows": rows})
    paper.text(
        60, y + 40, f"Total quantity: {sum(item.quantity for item in items)}", size=14, font="Helvetica-Bold"
    )
    paper.rule(60, y + 110, 280, y + 110)
    paper.text(60, y + 126, "Received, date and signature", size=11)
    pdf, texts = paper.finish()
    pages = [raster.faxed(page, world.random.getrandbits(32)) for page in raster.render(pdf, 200)]
    return Sample(
        raster.fax_tiff(pages, dpi=200),
        "image/tiff",
        "other",
        texts,
        fields={"date": day.isoformat()},
        tables=tables,
    )
