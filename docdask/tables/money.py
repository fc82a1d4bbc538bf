"""What a paid run says about money: from its ledger, in numbers and in the few words that every place uses.

Rules:

1. Paid is what the ledger says was billed, calls that were made twice included; the table ``calls`` has what the stored
   results cost. They differ by what was paid for nothing.
2. At risk is what calls without a known end may have cost. While a run goes on that is what is in flight.
3. No amount without the phrase that says whether it is real money.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from docdask.store import paidrun
from docdask.store.spending import FollowedLedger
from docdask.words import counted

if TYPE_CHECKING:
    import pyarrow as pa

    from docdask.store.run import RunDirectory

#: States of a run in which calls are in flight.
_GOING_ON = frozenset({"starting", "running", "stopping"})
MICRO_USD = 1_000_000


def budget(run: RunDirectory) -> dict[str, Any] | None:
    """``pages`` and ``usd``, the most that may be spent, each None without a limit; None where nothing was accepted."""
    accepted = paidrun.budget(run)
    if accepted is None:
        return None
    usd = None if accepted.micros is None else accepted.micros / MICRO_USD
    return {"pages": accepted.pages, "usd": usd}


def summarise(run: RunDirectory, ledger: FollowedLedger, calls: pa.Table | None = None) -> dict[str, Any]:
    """What a run has cost.

    Parameters
    ----------
    run
        The run directory.
    ledger
        Its ledger; whoever asks again passes the same one, which reads on.
    calls
        Columns ``cost_usd``, ``pages``, ``engine``, ``code`` of the table ``calls``, for a run without a ledger.

    Returns
    -------
    dict
        ``billing`` (phrase; empty for a run that is not paid), ``pages_paid``, ``cost_usd``, ``pages_at_risk``,
        ``cost_at_risk_usd``, ``budget`` (see :func:`budget`).
    """
    configured = paidrun.configuration(run)
    sizes = ledger.sizes() if configured else {}
    if configured and sizes:
        spent = ledger.spent(sizes)
        told = {
            "pages_paid": spent.pages,
            "cost_usd": spent.micros / MICRO_USD,
            "pages_at_risk": spent.pages_at_risk,
            "cost_at_risk_usd": spent.micros_at_risk / MICRO_USD,
        }
    else:
        pages, cost_usd = (0, 0.0) if calls is None else _of_calls(calls)
        told = {
            "pages_paid": pages if configured else 0,
            "cost_usd": cost_usd,
            "pages_at_risk": 0,
            "cost_at_risk_usd": 0.0,
        }
    return {
        "billing": configured.billing if configured else "",
        **told,
        "budget": budget(run) if configured else None,
    }


def _of_calls(calls: pa.Table) -> tuple[int, float]:
    """Pages that Document AI has recognised, and what all calls cost."""
    import pyarrow.compute as pc

    ours = pc.and_(pc.equal(calls["code"], "OK"), pc.starts_with(calls["engine"], "documentai."))
    pages = pc.sum(calls["pages"].filter(ours).cast("int64")).as_py() or 0
    return pages, pc.sum(calls["cost_usd"]).as_py() or 0.0


def dollars(usd: float) -> str:
    """``$1,234.50``; less than half a cent with as many places as it takes to see it: ``$0.0015``."""
    if 0 < usd < 0.005:
        return f"${usd:.4f}" if usd >= 0.00005 else "under $0.0001"
    return f"${usd:,.2f}"


def paid(told: Mapping[str, Any]) -> str:
    """``1,234 pages paid, $1.85 (EMULATED: nothing billed)``; empty for a run that is not paid."""
    if not told.get("billing"):
        return ""
    return f"{counted(told['pages_paid'], 'page')} paid, {dollars(told['cost_usd'])} ({told['billing']})"


def at_risk(told: Mapping[str, Any]) -> str:
    """What calls without a known end may have cost, and who tells which they are; empty if there are none."""
    if not told.get("pages_at_risk"):
        return ""
    amount = f"{counted(told['pages_at_risk'], 'page')}, {dollars(told['cost_at_risk_usd'])}"
    if told.get("state") in _GOING_ON:
        return f"in flight: {amount}"
    return f"at risk: {amount} (calls without a known end; docdask debug ledger {told.get('run', 'RUN')} names them)"


def lines(told: Mapping[str, Any]) -> list[str]:
    """What a run says about money, a sentence a line; none if it is not paid."""
    return [line for line in (paid(told), at_risk(told)) if line]
