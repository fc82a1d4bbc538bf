"""Draws what else lies in such folders: a notice in two languages, a screenshot, a scan that lies on its side, a slide."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from docdask.specimens import raster
from docdask.specimens.paper import A4, Paper, Sample
from docdask.specimens.world import MONTHS, World, long_date

_GREY = (0.42, 0.45, 0.5)
#: Second language of the notice by copy: code, font, title, text, months.
_LANGUAGES: tuple[tuple[str, str, str, tuple[str, ...], tuple[str, ...]], ...] = (
    (
        "de", "Noto", "Hinweis für Besucherinnen und Besucher",
        (
            ("Der Lesesaal bleibt vom {a} bis zum {b} geschlossen, weil die Fenster erneuert werden. Bestellungen nehmen "
            "wir weiterhin entgegen; sie werden nach der Öffnung in der Reihenfolge ihres Eingangs bearbeitet."),
            ("Größere Taschen und nasse Mäntel geben Sie bitte an der Garderobe ab. Fotografieren ohne Blitz ist erlaubt. "
            "Für Führungen mit mehr als {n} Personen brauchen wir eine Anmeldung bis spätestens eine Woche vorher."),
            "Rückfragen beantwortet {p} unter der Telefonnummer {t}.",
        ),
        ("Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember"),
    ),
    (
        "el", "Noto", "Ανακοίνωση για τους επισκέπτες",
        (
            ("Το αναγνωστήριο θα παραμείνει κλειστό από {a} έως {b}, επειδή αντικαθίστανται τα παράθυρα. Συνεχίζουμε να "
            "δεχόμαστε παραγγελίες, οι οποίες θα εξυπηρετηθούν με τη σειρά που έφτασαν."),
            ("Παρακαλούμε αφήστε μεγάλες τσάντες και βρεγμένα παλτά στην γκαρνταρόμπα. Η φωτογράφηση χωρίς φλας "
            "επιτρέπεται. Για ξεναγήσεις με περισσότερα από {n} άτομα χρειάζεται δήλωση μία εβδομάδα νωρίτερα."),
            "Για ερωτήσεις τηλεφωνήστε στο {t} ({p}).",
        ),
        ("Ιανουαρίου", "Φεβρουαρίου", "Μαρτίου", "Απριλίου", "Μαΐου", "Ιουνίου", "Ιουλίου", "Αυγούστου", "Σεπτεμβρίου", "Οκτωβρίου", "Νοεμβρίου", "Δεκεμβρίου"),
    ),
    (
        "uk", "Noto", "Оголошення для відвідувачів",
        (
            ("Читальний зал буде зачинено з {a} до {b}, тому що замінюють вікна. Ми й далі приймаємо замовлення; після "
            "відкриття їх буде виконано в порядку надходження."),
            ("Великі сумки та мокрі пальта залишайте, будь ласка, в гардеробі. Фотографувати без спалаху дозволено. Для "
            "екскурсій, у яких понад {n} осіб, потрібна заявка щонайменше за тиждень."),
            "Запитання можна поставити за телефоном {t} ({p}).",
        ),
        ("січня", "лютого", "березня", "квітня", "травня", "червня", "липня", "серпня", "вересня", "жовтня", "листопада", "грудня"),
    ),
)  # fmt: skip


def two_languages(world: World) -> Sample:
    """Draw a notice in English and, by copy, German, Greek or Ukrainian."""
    house = world.company()
    code, font, title, paragraphs, months = _LANGUAGES[world.copy % len(_LANGUAGES)]
    first = world.day()
    last = first + timedelta(days=world.random.randint(9, 24))
    values: dict[str, Any] = {"n": world.random.randint(8, 15), "p": world.person(), "t": house.phone}
    dot = "." if code == "de" else ""
    foreign = {
        "a": f"{first.day}{dot} {months[first.month - 1]} {first.year}",
        "b": f"{last.day}{dot} {months[last.month - 1]} {last.year}",
    }
    english = (
        (
            "The reading room will be closed from {a} to {b} while the windows are replaced. Orders are still taken and "
            "will be dealt with after the opening, in the order in which they came in."
        ),
        (
            "Please leave large bags and wet coats in the cloakroom. Photographs without flash are allowed. Guided tours "
            "with more than {n} people have to be booked at least one week before."
        ),
        "Questions are answered by {p}, telephone {t}.",
    )
    paper = Paper(A4, "Notice to visitors", font="Noto")
    paper.box(60, 60, 475, 4, fill=(0.62, 0.18, 0.16))
    paper.text(60, 92, f"Municipal archive of {house.town}", size=12, color=_GREY)
    y = 140.0
    for heading, texts, dates in (
        ("Notice to visitors", english, {"a": long_date(first), "b": long_date(last)}),
        (title, paragraphs, foreign),
    ):
        paper.text(60, y, heading, size=20, font=font)
        y += 34
        for text in texts:
            y = (
                paper.paragraph(60, y, 470, text.format(**values, **dates), size=12, font=font, leading=19)
                + 10
            )
        y += 36
    paper.rule(60, 770, 535, 770, width=0.5, color=_GREY)
    paper.text(60, 786, f"{house.street}, {house.town} {house.postcode}", size=9, color=_GREY)
    data, pages = paper.finish()
    return Sample(data, "application/pdf", "other", pages, languages=["en", code])


def screenshot(world: World) -> Sample:
    """Draw a window of a notes program, as a PNG screenshot."""
    people = [world.person().split()[0] for _ in range(3)]
    day = world.day()
    paper = Paper((640, 430), "Note", font="DejaVu")
    paper.box(0, 0, 640, 430, fill=(0.96, 0.96, 0.97))
    paper.box(0, 0, 640, 34, fill=(0.24, 0.27, 0.33))
    for x, color in ((18, (0.93, 0.36, 0.33)), (36, (0.96, 0.75, 0.31)), (54, (0.39, 0.78, 0.35))):
        paper.box(x, 12, 10, 10, fill=color, radius=5)
    paper.text(320, 22, "Notes", size=11, align="center", color=(1, 1, 1))
    paper.box(0, 34, 170, 396, fill=(0.90, 0.91, 0.93))
    others = (
        "Packing list",
        "Reading list",
        "Garden",
        "Kitchen",
        "Birthday",
        "Gift ideas",
        "Recipes",
        "Travel",
    )
    paper.box(8, 46, 154, 26, fill=(0.99, 0.86, 0.45), radius=4)
    names = ["Moving house", *world.random.sample(others, 4)]
    for index, name in enumerate(names):
        paper.text(18, 63 + 32 * index, name, size=11)
    paper.text(196, 72, "Moving house", size=19, font="DejaVu-Bold")
    paper.text(196, 92, f"Edited {long_date(day)}", size=9.5, color=_GREY)
    tasks = (
        f"Call the removal firm, {world.number(2)} boxes",
        f"Read the meters: gas {world.number(5)}",
        f"Give the spare key to {people[0]}",
        f"Return {world.random.randint(3, 9)} library books",
        f"Lend the ladder to {people[1]}",
        f"Dinner with {people[2]} on the {world.random.randint(4, 28)}th",
        f"Order {world.random.randint(2, 12)} litres of white paint",
    )
    ticks = {}
    for index, task in enumerate(tasks):
        y = 126 + index * 36
        done = world.random.random() < 0.4
        paper.box(
            197,
            y - 13,
            16,
            16,
            fill=(0.2, 0.5, 0.8) if done else (1, 1, 1),
            stroke=(0.45, 0.5, 0.58),
            radius=3,
        )
        if done:
            paper.rule(200, y - 5, 204, y - 1, width=1.8, color=(1, 1, 1))
            paper.rule(204, y - 1, 210, y - 10, width=1.8, color=(1, 1, 1))
        ticks[task] = "filled_checkbox" if done else "unfilled_checkbox"
        paper.text(224, y, task, size=12.5)
    paper.text(196, 408, f"{sum(v.startswith('filled') for v in ticks.values())} of {len(tasks)} done", size=10,
               color=_GREY)  # fmt: skip
    pdf, texts = paper.finish()
    return Sample(
        raster.png(raster.render(pdf, 144)[0]), "image/png", "other", texts,
        fields={"date": day.isoformat()}, form_fields=ticks,
    )  # fmt: skip


def rotated_scan(world: World) -> Sample:
    """Scan a printed report page that lay on its side: a picture-only PDF turned by 90°."""
    town, day = world.company().town, world.day()
    visitors = [world.random.randint(900, 7800) for _ in range(3)]
    change = (visitors[2] - visitors[1]) / visitors[1]
    verb = "rose" if change > 0 else "fell"
    paper = Paper(A4, "Annual report", font="Times-Roman")
    paper.text(
        75, 74, f"Museum of {town}: annual report {day.year}", size=9.5, font="Times-Italic", color=_GREY
    )
    paper.text(75, 120, "3. Visitors and opening hours", size=18, font="Times-Bold")
    y = 152.0
    for text in (
        (
            f"In {day.year} the museum was open on {world.random.randint(240, 309)} days. The number of visitors {verb} by "
            f"{abs(change):.1%} to {visitors[2]:,}, after {visitors[1]:,} in the year before and {visitors[0]:,} in the "
            f"year before that. The busiest month was {world.random.choice(MONTHS)}, the quietest, as always, February."
        ),
        (
            f"Nearly half of all visitors came in groups. {world.random.randint(38, 120)} school classes took part in the "
            "programme that our volunteers have built over the last three winters, and most of them came from the three "
            "districts along the river. Families made up a quarter; the rest were single visitors, who stay the longest."
        ),
        (
            f"The new opening hours on Thursday evening were used by {world.random.randint(9, 40)} people a week on "
            "average. That is fewer than we had hoped for, but those who came were new to the house, and every second one "
            "of them returned within the year. We propose to keep the evening for another season."
        ),
        (
            f"The shop took {world.random.randint(11, 48)},{world.number(3)} pounds, most of it for the reprinted map of "
            f"{world.random.randint(1720, 1890)} and the small guide to the collection. The café was let to a new tenant, "
            f"{world.person()}, who opened on the first of {world.random.choice(MONTHS)}."
        ),
    ):
        y = paper.paragraph(75, y, 445, text, size=13, leading=19.5) + 10
    paper.text(75, y + 16, "3.1 Tickets", size=14, font="Times-Bold")
    y += 42
    for name in ("Full price", "Reduced", "Groups", "Free entry"):
        paper.row(y, [(90, name, "left"), (330, f"{world.random.randint(120, 2900):,}", "right")], size=13)
        y += 20
    paper.text(297, 806, "14", size=10, align="center")
    pdf, texts = paper.finish()
    page = raster.render(pdf, 150)[0]
    scan = raster.scanned(page, world.random.getrandbits(32), skew_degrees=world.random.uniform(-0.6, 0.6))
    turned = raster.turned(scan, clockwise=world.copy % 2 == 1)
    return Sample(raster.image_pdf([turned], dpi=150, quality=55), "application/pdf", "report", texts)


def slide(world: World) -> Sample:
    """Draw a slide with a bar chart and three findings."""
    company, year = world.company(), world.day().year
    values = [world.random.randint(24, 96) for _ in range(4)]
    paper = Paper((720, 405), "Quarterly review")
    paper.box(0, 0, 720, 405, fill=(0.99, 0.99, 0.98))
    paper.box(0, 0, 10, 405, fill=(0.0, 0.35, 0.55))
    paper.text(44, 58, f"Pages scanned in {year}", size=25, font="Helvetica-Bold", color=(0.0, 0.25, 0.42))
    paper.text(44, 80, "Million pages a quarter", size=12.5, color=_GREY)
    base, left, top = 318.0, 62.0, max(values)
    for tick in (0, 25, 50, 75, 100):
        y = base - tick * 2.05
        paper.rule(left, y, 390, y, width=0.4, color=(0.8, 0.82, 0.85))
        paper.text(left - 7, y + 3.5, str(tick), size=9, align="right", color=_GREY, truth=False)
    for index, value in enumerate(values):
        x = left + 24 + index * 78
        color = (0.84, 0.37, 0.0) if value == top else (0.0, 0.45, 0.70)
        paper.box(x, base - value * 2.05, 46, value * 2.05, fill=color)
        paper.text(x + 23, base - value * 2.05 - 6, str(value), size=11, align="center", truth=False)
    paper.texts[-1].append("100 75 50 25 0 " + " ".join(map(str, values)))
    quarters: list[Any] = [(left + 47 + 78 * i, f"Q{i + 1}", "center") for i in range(4)]
    paper.row(base + 17, quarters, size=11)
    y = 140.0
    for text in (
        f"Best quarter: Q{values.index(top) + 1} with {top} million pages",
        f"Whole year: {sum(values)} million pages",
        f"{world.random.randint(3, 19)} new sites were connected, the last one in {company.town}",
    ):
        paper.box(424, y - 8, 6, 6, fill=(0.0, 0.35, 0.55))
        y = paper.paragraph(442, y, 240, text, size=15, leading=20) + 16
    parts: list[Any] = [(44, f"{company.name}, quarterly review", "left"), (690, world.number(2), "right")]
    paper.row(388, parts, size=9, color=_GREY)
    data, texts = paper.finish()
    return Sample(data, "application/pdf", "slide", texts)
