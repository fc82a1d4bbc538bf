"""A reading of the governor as HTML: figures, endpoints with their quotas, runs with their budgets.

Rules: every name comes from outside and is escaped; a number stands beside its bar and a word beside its colour; what
is not known is a dash; what is not shown is counted. Styled by :mod:`docdask.monitor.dashboard_style`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape

from docdask.engine.telling import left
from docdask.monitor.dashboard_style import DASHES
from docdask.monitor.dashboard_watch import EndpointRow, Gauge, Reading, RunRow
from docdask.words import counted, duration

NOTHING = (
    '<p class="none">Nothing is registered yet: quotas show here as soon as a task or a client uses a '
    "<b>docdask.QuotaSemaphore</b> on this cluster.</p>"
)
#: States of a breaker, for people.
BREAKERS = {"closed": "closed", "open": "open: not called", "half-open": "half open: probing"}
_DASH = "–"
#: Characters of a name that are shown.
_LONGEST_NAME = 72


def figures(reading: Reading) -> str:
    """The numbers that matter most, side by side; a sentence while there are none."""
    if not reading.semaphores:
        return NOTHING
    held = sum(view.held for view in reading.semaphores)
    waiting = sum((reading.waiting or {}).values())
    verdicts: dict[str, int] = {}
    for view in reading.semaphores:
        for verdict, number in view.returned.items():
            verdicts[verdict] = verdicts.get(verdict, 0) + number
    micros = sum(row.budget.micros_spent for row in reading.totals)
    parts = [
        (_rate(reading.calls_per_minute), "calls/min"),
        (_rate(reading.pages_per_minute), "pages/min"),
        (f"{held:,}", "calls in flight"),
        (f"{waiting:,}", "waiting for a permit"),
        (f"{verdicts.get('ok', 0):,}", f"of {counted(sum(verdicts.values()), 'call')} went well"),
        (f"{verdicts.get('quota', 0):,}", "refused over quota"),
        *([(_dollars(micros), "spent")] if micros else []),
        *_left(reading),
    ]
    cards = "".join(
        f"<div><b>{escape(value)}</b><span>{escape(label)}</span></div>" for value, label in parts
    )
    note = f"<p>{_more(reading.more_semaphores, 'semaphore')}</p>" if reading.more_semaphores else ""
    return f'<div class="figures">{cards}</div>{note}'


def endpoints(reading: Reading) -> str:
    """One row an endpoint: breaker, quotas in use, calls in flight."""
    if not reading.endpoints:
        return heading("Endpoints", "") + NOTHING
    which = f"of {escape(reading.semaphores[0].name)}, " if len(reading.semaphores) == 1 else ""
    head = heading("Endpoints", f"{which}quota used in {_period(reading)}")
    rows = reading.endpoints
    gauges: dict[str, list[Gauge | None]] = {
        "Requests": [row.requests for row in rows],
        "Pages": [row.pages for row in rows],
        "Calls in flight": [row.in_flight for row in rows],
        "Batch operations": [row.batch for row in rows],
    }
    columns = {label: found for label, found in gauges.items() if any(found)}
    several = len(reading.semaphores) > 1
    body = [
        [
            ("name", "", _name(reading, row, several=several)),
            ("plain", "Breaker", f'<span class="state {row.breaker}">{BREAKERS[row.breaker]}</span>'),
            *(("", label, _gauge(found[i])) for label, found in columns.items()),
        ]
        for i, row in enumerate(rows)
    ]
    heads = ["Endpoint", "Breaker", *columns]
    users = "".join(
        f"<p>{escape(name)}: {used.used:,} of {used.limit:,} calls of any kind in {_period(reading)}, the user's own limit</p>"
        for name, used in reading.users
    )
    return head + _table(heads, body) + users + _rest(reading.more_endpoints, "endpoint")


def runs(reading: Reading) -> str:
    """One row a run: spent and budget, what is left, pace and time left; the sum of each semaphore first."""
    head = heading("Runs", "spent and budget")
    if not reading.runs:
        return head + NOTHING
    several = len(reading.semaphores) > 1
    paid = any(row.budget.micros_spent or row.budget.micros_most is not None for row in reading.runs)
    heads = ["Run", "Pages", *(["Cost"] if paid else []), "Calls to come", "Pages/min", "Time left"]
    body = [_run(row, several=several, paid=paid) for row in reading.runs]
    return head + _table(heads, body) + _rest(reading.more_runs, "run")


def _run(row: RunRow, *, several: bool, paid: bool) -> list[tuple[str, str, str]]:
    """Cells of a run's row."""
    b = row.budget
    name = named(b.run) if b.run else "<b>all together</b>"
    beside = f"<small>{escape(row.semaphore)}</small>" if several else ""
    pages = _budget((b.pages_spent, b.pages_reserved, b.pages_at_risk), b.pages_most, _pages)
    cost = _budget((b.micros_spent, b.micros_reserved, b.micros_at_risk), b.micros_most, _dollars)
    return [
        ("name", "", name + beside),
        ("", "Pages", pages),
        *([("", "Cost", cost)] if paid else []),
        ("plain", "Calls to come", f"{row.calls_left:,}"),
        ("plain", "Pages/min", _rate(row.pages_per_minute)),
        ("plain", "Time left", _DASH if row.eta_s is None else escape(_about(row.eta_s))),
    ]


def legend(names: Sequence[tuple[str, str]], kind: str) -> str:
    """Lines over time: key and name of each, ``kind`` is ``line`` or ``lane``."""
    keys = "".join(
        f"<span>{_key(kind, i)}{named(name)} <b>{escape(value)}</b></span>"
        for i, (name, value) in enumerate(names)
    )
    return f'<div class="legend">{keys}</div>'


def named(name: str) -> str:
    """A name that may be broken behind each slash; of a long one both ends, the rest is told to who points at it."""
    if len(name) <= _LONGEST_NAME:
        return escape(name).replace("/", "/<wbr>")
    ends = f"{name[: _LONGEST_NAME // 3]}…{name[-_LONGEST_NAME * 2 // 3 :]}"
    return f'<span title="{escape(name)}">{escape(ends).replace("/", "/<wbr>")}</span>'


def label(reading: Reading, key: tuple[str, str]) -> str:
    """Name of an endpoint, with its semaphore's where there are several."""
    semaphore, name = key
    return f"{semaphore}: {name}" if len(reading.semaphores) > 1 and semaphore != name else name


def _left(reading: Reading) -> Iterable[tuple[str, str]]:
    """Time left of all that is known; nothing where nothing is left."""
    calls = sum(row.calls_left for row in reading.totals)
    if not calls:
        return
    etas = [row.eta_s for row in reading.totals if row.calls_left]
    known = [eta for eta in etas if eta is not None]
    words = _about(max(known)) if len(known) == len(etas) else _DASH
    yield words, f"left, for {counted(calls, 'call')} to come"


def _about(seconds: float) -> str:
    """Rounded to what is known, so that it does not jump."""
    return left({"state": "running", "eta_s": max(seconds, 1.0)}).removesuffix(" left").removeprefix("about ")


def _rate(rate: float | None) -> str:
    return _DASH if rate is None else f"{rate:,.0f}" if rate >= 9.95 or not rate else f"{rate:.1f}"


def _period(reading: Reading) -> str:
    """``the last minute``, or however long the quotas' period is."""
    periods = {view.period_ns for view in reading.semaphores}
    if periods == {60_000_000_000}:
        return "the last minute"
    return f"the last {duration(periods.pop() / 1e9)}" if len(periods) == 1 else "the last period"


def _name(reading: Reading, row: EndpointRow, *, several: bool) -> str:
    key = _key("line", reading.lines.index(row.key)) if row.key in reading.lines else ""
    place = row.location if row.location and not row.name.startswith(row.location) else ""
    beside = " · ".join(part for part in (row.semaphore if several else "", place) if part)
    return key + named(row.name) + (f"<small>{escape(beside)}</small>" if beside else "")


def _key(kind: str, number: int) -> str:
    """A stroke as the line over time has it."""
    dashes = " ".join(map(str, DASHES[number]))
    return (
        f'<svg class="key" viewBox="0 0 26 8" style="stroke:var(--dd-{kind}{number})">'
        f'<path d="M0 4H26" stroke-dasharray="{dashes or "none"}"/></svg>'
    )


def _gauge(gauge: Gauge | None) -> str:
    """``104 of 120`` below a bar."""
    if gauge is None:
        return _DASH
    used, limit = gauge.used, gauge.limit
    if limit is None:
        return f"{used:,}<small>no limit</small>"
    if not limit:
        return f"{used:,}<small>closed: the limit is 0</small>"
    ours = gauge.share_ppm / 1e4
    others = f'<u style="width:{100 - ours:.1f}%"></u>' if ours < 99.95 else ""
    notes = [f"others leave {ours:.0f}%"] if others else []
    if gauge.shared > 1:
        notes.append(f"shared by {gauge.shared} endpoints")
    note = f"<small>{', '.join(notes)}</small>" if notes else ""
    return f"{_bar([('', 100 * used / limit)], others)}{used:,} of {limit:,}{note}"


def _budget(parts: tuple[int, int, int], most: int | None, told: Callable[[int], str]) -> str:
    """Spent, in flight and at risk, of the most that may be spent."""
    spent, held, risk = parts
    more = [f"{told(held)} in flight"] if held else []
    more += [f"{told(risk)} at risk"] if risk else []
    note = f"<small>{', '.join(more)}</small>" if more else ""
    if most is None:
        return f"{told(spent)}{note}"
    whole = max(most, 1)
    bar = _bar([("", 100 * spent / whole), ("risk", 100 * risk / whole), ("held", 100 * held / whole)])
    return f"{bar}{told(spent)} of {told(most)}{note}"


def _pages(pages: int) -> str:
    return f"{pages:,}"


def _dollars(micros: int) -> str:
    return f"${micros / 1e6:,.2f}"


def _bar(parts: Sequence[tuple[str, float]], above: str = "") -> str:
    inner, room = "", 100.0
    for kind, percent in parts:
        width = min(percent, room)
        room -= width
        if width > 0:
            inner += f'<i class="{kind}" style="width:{width:.1f}%"></i>'
    return f'<div class="bar">{inner}{above}</div>'


def _table(heads: Sequence[str], body: Sequence[Sequence[tuple[str, str, str]]]) -> str:
    """Table whose rows become blocks on a narrow screen, each value below its label."""
    head = "".join(f"<th>{head}</th>" for head in heads)
    rows = "".join(f"<tr>{''.join(_cell(*cell) for cell in row)}</tr>" for row in body)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _cell(kind: str, label: str, value: str) -> str:
    named = f' data-label="{label}"' if label else ""
    return f'<td class="{kind}"{named}>{value}</td>'


def heading(title: str, beside: str) -> str:
    """Title of a part, and what it is about in small type."""
    return f"<h2>{title}<small>{beside}</small></h2>"


def _rest(number: int, noun: str) -> str:
    return f"<p>{_more(number, noun)}</p>" if number > 0 else ""


def _more(number: int, noun: str) -> str:
    return f"{counted(number, noun)} with less to do {'is' if number == 1 else 'are'} not shown."
