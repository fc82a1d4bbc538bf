"""Draws the papers that pass between companies: invoices, a receipt, a letter."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from docdask.specimens import raster
from docdask.specimens.paper import A4, LETTER, Paper, Part, Sample, grid
from docdask.specimens.world import LAST, Item, World, american_date, cents, long_date, money, short_date

_GREY = (0.42, 0.45, 0.5)
_GOODS = (
    "Adjustable shelf bracket", "Bench vice, 125 mm", "Brass hinge, pair", "Calibration service", "Cable drum, 50 m",
    "Carriage and packing", "Desk lamp, swivel arm", "Drawer runner, 450 mm", "Filing trolley", "Label printer ribbon",
    "Linen tape, 25 m roll", "Magnifier, 8x", "Maintenance visit", "Packing bench, oak", "Safety gloves, size 9",
    "Spare blade set", "Tool chest, 7 drawers", "Torque wrench", "Workshop stool", "Zinc screws, box of 500",
)  # fmt: skip
_SERVICES = (
    "Archive box relabelling", "Courier, same day", "Data entry, per hour", "Document scanning, per box",
    "Large format scanning", "Microfilm conversion", "Off-site storage, month", "Paper repair", "Project set-up",
    "Quality check, per batch", "Secure shredding", "Staff training, half day",
)  # fmt: skip
_FOOD = (
    "Apple juice 1 l", "Basmati rice 500 g", "Butter salted", "Carrots loose", "Cheddar mature", "Coffee ground",
    "Crackers rye", "Dark chocolate", "Eggs free range 6", "Lemons x4", "Milk whole 2 pt", "Mushrooms 250 g",
    "Oats rolled 1 kg", "Olive oil 500 ml", "Pasta penne", "Sourdough loaf", "Spinach 200 g", "Tomatoes vine",
)  # fmt: skip


def digital_invoice(world: World) -> Sample:
    """Draw a PDF invoice with a text layer: A4, euros, VAT."""
    supplier, receiver = world.company(), world.company()
    number = f"INV-{world.day().year}-{world.number(5)}"
    day = world.day()
    due = day + timedelta(days=30)
    items = world.items(_GOODS, world.random.randint(5, 9), 390, 41500)
    net = sum((item.amount for item in items), Decimal(0))
    tax = cents(net * Decimal("0.19"))
    paper = Paper(A4, f"Invoice {number}")
    paper.box(0, 0, A4[0], 8, fill=(0.10, 0.32, 0.47))
    paper.text(50, 62, supplier.name, size=19, font="Helvetica-Bold", color=(0.10, 0.32, 0.47))
    paper.lines(
        50,
        79,
        [
            f"{supplier.street}, {supplier.town} {supplier.postcode}",
            f"{supplier.email}   Tel. {supplier.phone}",
        ],
        size=8.5,
        color=_GREY,
        leading=11.5,
    )
    paper.text(50, 140, "INVOICE", size=24, font="Helvetica-Bold")
    paper.text(50, 172, "Bill to", size=8.5, color=_GREY)
    paper.lines(50, 187, receiver.address)
    for top, key, value in (
        (172, "Invoice number", number),
        (187, "Invoice date", long_date(day)),
        (202, "Due date", long_date(due)),
        (217, "Customer no.", world.number(6)),
    ):
        paper.row(top, [(360, f"{key}:", "left"), (545, value, "right")])
    rows = [["Description", "Qty", "Unit price", "Amount"], *_item_rows(items)]
    y = grid(
        paper, 50, 252, (255, 50, 90, 100), rows, aligns=("left", "right", "right", "right"), row_height=20
    )
    for label, amount, font in (
        ("Subtotal", net, ""),
        ("VAT 19%", tax, ""),
        ("Total due", net + tax, "Helvetica-Bold"),
    ):
        y += 18
        paper.row(y, [(400, label, "left"), (540, f"EUR {money(amount)}", "right")], font=font)
    paper.rule(395, y + 5, 545, y + 5, width=1.2)
    paper.paragraph(
        50,
        y + 48,
        495,
        f"Please pay within 30 days of the invoice date and quote {number}. Questions are answered by "
        f"{world.person()} at {supplier.email}. Goods stay our property until they are paid for in full.",
        size=9,
    )
    paper.rule(50, 795, 545, 795, color=_GREY, width=0.4)
    paper.text(297.6, 808, f"{supplier.name} - Example Bank - IBAN XX00 EXAM 0000 {world.number(4)} {world.number(4)}",
               size=7.5, color=_GREY, align="center")  # fmt: skip
    data, texts = paper.finish()
    return Sample(
        data,
        "application/pdf",
        "invoice",
        texts,
        fields={
            "invoice_id": number,
            "invoice_date": day.isoformat(),
            "due_date": due.isoformat(),
            "supplier_name": supplier.name,
            "receiver_name": receiver.name,
            "supplier_email": supplier.email,
            "net_amount": float(net),
            "total_tax_amount": float(tax),
            "total_amount": float(net + tax),
            "currency": "EUR",
        },
        tables=[{"page_number": 1, "rows": rows}],
    )


def _item_rows(items: list[Item]) -> list[list[str]]:
    return [[item.name, str(item.quantity), money(item.price), money(item.amount)] for item in items]


def scanned_invoice(world: World) -> Sample:
    """Draw an invoice as a scanner keeps it: a picture only, letter format, dollars."""
    supplier, receiver = world.company(), world.company()
    number = f"{world.number(4)}-{world.number(3)}"
    day = world.day()
    items = world.items(_SERVICES, world.random.randint(4, 6), 1200, 29000, most=8)
    net = sum((item.amount for item in items), Decimal(0))
    tax = cents(net * Decimal("0.0725"))
    paper = Paper(LETTER, f"Invoice {number}", font="Times-Roman")
    paper.text(306, 66, supplier.name.upper(), size=18, font="Times-Bold", align="center")
    paper.text(306, 84, f"{supplier.street}, {supplier.town} {supplier.postcode}", align="center")
    paper.text(306, 98, f"Phone {supplier.phone}   {supplier.email}", align="center")
    paper.rule(60, 112, 552, 112, width=1.6)
    paper.text(60, 146, f"Invoice No. {number}", size=13, font="Times-Bold")
    paper.text(60, 164, f"Date: {american_date(day)}", size=11)
    paper.text(60, 200, "Sold to:", size=11, font="Times-Bold")
    y = paper.lines(60, 216, receiver.address, size=11, leading=15)
    rows = [["Service", "Qty", "Rate", "Amount"], *_item_rows(items)]
    y = grid(
        paper,
        60,
        y + 14,
        (262, 60, 80, 90),
        rows,
        aligns=("left", "right", "right", "right"),
        row_height=23,
        size=11,
    )
    for label, amount in (("Subtotal", net), ("Sales tax 7.25%", tax), ("TOTAL", net + tax)):
        y += 21
        bold = "Times-Bold" if label == "TOTAL" else ""
        paper.row(y, [(390, label, "left"), (547, f"${money(amount)}", "right")], size=12, font=bold)
    y = paper.paragraph(
        60,
        y + 50,
        480,
        f"Terms: net 14 days. Make checks payable to {supplier.name}. Thank you for your business!",
        size=11,
    )
    paper.text(60, y + 34, "Received by", size=10)
    paper.squiggle(130, y + 32, _signature(world))
    paper.rule(125, y + 37, 300, y + 37)
    pdf, texts = paper.finish()
    page = raster.render(pdf, 170)[0]
    skew = world.random.choice((-1, 1)) * world.random.uniform(0.5, 1.1)
    scan = raster.scanned(page, world.random.getrandbits(32), skew_degrees=skew)
    return Sample(
        raster.image_pdf([scan], dpi=170, quality=58),
        "application/pdf",
        "invoice",
        texts,
        fields={
            "invoice_id": number,
            "invoice_date": day.isoformat(),
            "supplier_name": supplier.name,
            "receiver_name": receiver.name,
            "supplier_email": supplier.email,
            "net_amount": float(net),
            "total_tax_amount": float(tax),
            "total_amount": float(net + tax),
            "currency": "USD",
        },
        tables=[{"page_number": 1, "rows": rows}],
    )


def _signature(world: World) -> list[tuple[float, float]]:
    """Points of a scribble about 130 points wide."""
    uniform = world.random.uniform
    return [(0.0, 0.0), *((step * 4.6 + uniform(-5, 3), uniform(-6, 17)) for step in range(1, 28))]


def receipt_photo(world: World) -> Sample:
    """Photograph a till receipt on a table; the picture is stored turned, as the EXIF tag says."""
    shop, owner = world.company(), world.random.choice(LAST)
    name = f"{owner} {world.random.choice(('Foods', 'Grocers', 'Market', 'Corner Shop'))}".upper()
    day = world.day()
    items = world.items(_FOOD, world.random.randint(6, 9), 55, 689, most=3)
    total = sum((item.amount for item in items), Decimal(0))
    given = Decimal((int(total) // 10 + 1) * 10)
    height = 330.0 + 17 * len(items)
    paper = Paper((250, height), "Receipt", font="DejaVu-Mono")
    bold, mid = "DejaVu-Mono-Bold", 125.0
    paper.text(mid, 34, name, size=13, font=bold, align="center")
    paper.text(mid, 50, shop.street, size=9, align="center")
    paper.text(mid, 63, f"{shop.town} {shop.postcode}", size=9, align="center")
    paper.text(mid, 76, f"Tel {shop.phone}", size=9, align="center")
    number = world.number(6)
    clock = f"{world.random.randint(8, 20):02d}:{world.random.randint(0, 59):02d}"
    paper.row(
        98, [(16, f"Receipt {number}", "left"), (234, f"Till {world.random.randint(1, 9)}", "right")], size=9
    )
    paper.row(112, [(16, short_date(day), "left"), (234, clock, "right")], size=9)
    paper.rule(16, 119, 234, 119, dash=(3, 2))
    y = 135.0
    for item in items:
        label = f"{item.quantity} x {item.name}" if item.quantity > 1 else item.name
        paper.row(y, [(16, label, "left"), (234, money(item.amount), "right")], size=9.5)
        y += 17
    paper.rule(16, y - 8, 234, y - 8, dash=(3, 2))
    paper.row(y + 10, [(16, "TOTAL", "left"), (234, f"£{money(total)}", "right")], size=14, font=bold)
    paper.row(y + 30, [(16, "Cash", "left"), (234, f"£{money(given)}", "right")], size=9.5)
    paper.row(y + 46, [(16, "Change", "left"), (234, f"£{money(given - total)}", "right")], size=9.5)
    paper.rule(16, y + 54, 234, y + 54, dash=(3, 2))
    paper.text(mid, y + 74, f"You were served by {world.person().split()[0]}", size=9, align="center")
    paper.text(mid, y + 90, "Thank you and goodbye", size=9, align="center")
    x = 50.0
    while x < 200:
        bar = world.random.choice((0.8, 1.2, 2.0, 2.8))
        paper.box(x, y + 104, bar, 34, fill=(0.1, 0.1, 0.1))
        x += bar + world.random.choice((0.9, 1.4, 2.2))
    paper.text(mid, y + 150, f"{world.number(6)} {world.number(6)}", size=8, align="center")
    pdf, texts = paper.finish()
    photo = raster.photographed(raster.render(pdf, 230)[0], world.random.getrandbits(32))
    # Orientation 6: the reader has to turn it 90° clockwise, so it is stored turned 90° the other way.
    stored = raster.turned(photo, clockwise=False)
    return Sample(
        raster.jpeg(stored, quality=72, dpi=72, orientation=6),
        "image/jpeg",
        "receipt",
        texts,
        fields={
            "receipt_date": day.isoformat(),
            "total_amount": float(total),
            "supplier_name": name,
            "currency": "GBP",
        },
    )


def letter(world: World) -> Sample:
    """Draw a business letter of one page with a text layer."""
    sender, receiver = world.company(), world.company()
    writer, reader = world.person(), world.person()
    day = world.day()
    meeting = day + timedelta(days=world.random.randint(12, 20))
    boxes, weeks = world.random.randint(120, 890), world.random.randint(3, 9)
    price = Decimal(world.random.randint(90000, 480000)) / 100
    paper = Paper(A4, f"Letter to {reader}", font="Times-Roman")
    paper.text(520, 70, sender.name, size=15, font="Times-Bold", align="right")
    for top, text in ((86, sender.street), (99, f"{sender.town} {sender.postcode}"), (112, sender.email)):
        paper.text(520, top, text, size=9.5, align="right", color=_GREY)
    paper.lines(75, 160, [reader, *receiver.address], size=11, leading=14.5)
    paper.text(75, 244, long_date(day), size=11)
    paper.text(75, 276, f"Our offer for the archive at {receiver.street}", size=11.5, font="Times-Bold")
    paper.text(75, 304, f"Dear {reader},", size=11)
    y = 326.0
    for text in (
        (
            f"thank you for showing us the archive in {receiver.town} last week. We counted {boxes} boxes in the two "
            "basement rooms, most of them with loose sheets of ordinary size and perhaps one in ten with bound volumes "
            "that must not be taken apart."
        ),
        (
            f"We can scan all of it in {weeks} weeks, on your premises, with two people and without moving a box out of "
            f"the building. The price is {money(price)} euros and covers preparation, scanning at 300 dpi, a check of "
            "every page and an index by year and department. Staples are removed and not put back; whatever is torn "
            "will be photographed instead of being fed through the machine."
        ),
        (
            "Two points need a decision from your side. The first is what should happen to the paper afterwards: we "
            "would keep it for ninety days and then have it shredded by a certified company, unless you want it back. "
            "The second is the personal files in room 2, which we will touch only after your data protection officer "
            "has agreed in writing."
        ),
        (
            f"If the date suits you, I would like to meet on {long_date(meeting)} at ten o'clock and bring the contract "
            f"with me. Until then you can reach me at {sender.phone} on any working day."
        ),
    ):
        y = paper.paragraph(75, y, 445, text, size=11, leading=15.5) + 9
    paper.text(75, y + 8, "Yours sincerely,", size=11)
    paper.squiggle(78, y + 48, _signature(world))
    paper.text(75, y + 74, writer, size=11)
    paper.text(75, y + 89, f"Head of projects, {sender.name}", size=11)
    parts: list[Part] = [(75, f"Enclosed: price list {day.year}", "left"), (520, "Page 1 of 1", "right")]
    paper.row(800, parts, size=8.5, color=_GREY)
    data, texts = paper.finish()
    return Sample(
        data, "application/pdf", "letter", texts, fields={"date": day.isoformat(), "email": sender.email}
    )
