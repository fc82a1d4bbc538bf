"""The command ``docdask debug ledger``: its arguments; what it tells is imported when it is asked for."""

from __future__ import annotations

import click


@click.command("ledger")
@click.argument("run_", metavar="RUN")
@click.argument("unit", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def ledger_command(run_: str, unit: str | None, as_json: bool) -> None:
    """Tell what the ledger of RUN comes to, or the story of UNIT.

    UNIT is the beginning of a unit's id, or a document's name or id.
    """
    import json

    from docdask.monitor import ledger_totals, risk
    from docdask.monitor.story import stories

    if unit is None:
        found, calls = ledger_totals.of(run_), risk.open_calls(run_)
        if as_json:
            click.echo(json.dumps({**ledger_totals.to_json(found), "at_risk": risk.to_json(calls)}))
        else:
            click.echo("\n\n".join(filter(None, (ledger_totals.text(run_, found), risk.text(calls)))))
        return
    told = stories(run_, unit)
    click.echo(
        json.dumps({"units": [one.to_dict() for one in told]}) if as_json else "\n\n".join(map(str, told))
    )
