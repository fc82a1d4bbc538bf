"""The command ``docdask debug ledger``: arguments to :mod:`docdask.monitor.story`, which is imported when it is asked for."""

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

    from docdask.monitor import risk
    from docdask.monitor.story import stories, totals_dict, totals_of, totals_text

    if unit is None:
        found, calls = totals_of(run_), risk.open_calls(run_)
        if as_json:
            click.echo(json.dumps({**totals_dict(found), "at_risk": risk.to_json(calls)}))
        else:
            click.echo("\n\n".join(filter(None, (totals_text(run_, found), risk.text(calls)))))
        return
    told = stories(run_, unit)
    click.echo(
        json.dumps({"units": [one.to_dict() for one in told]}) if as_json else "\n\n".join(map(str, told))
    )
