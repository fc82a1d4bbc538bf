"""The command ``docdask init``: options to a wish, its outcome to text or JSON."""

from __future__ import annotations

import json
from pathlib import Path

import click

from docdask.settings import FILE


@click.command("init")
@click.option("--project", default="", help="Google Cloud project: id or number.")
@click.option("--location", default="", help="us, eu or a single region: where documents are processed.")
@click.option(
    "--processor",
    "processors",
    multiple=True,
    metavar="TYPE|ID",
    help="Processor to use, made if missing: ocr, form, invoice …; may be repeated.",
)
@click.option("--staging", default=None, metavar="gs://…", help="Bucket and prefix for batches; '' for none.")
@click.option(
    "--file",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path(FILE),
    show_default=True,
    envvar="DOCDASK_FILE",
    help="File to write; name another than docdask.toml to later commands in DOCDASK_FILE.",
)
@click.option("--yes", is_flag=True, help="Agree to everything: make what is named, write the file.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout, everything else on stderr.")
def init_command(
    *,
    project: str,
    location: str,
    processors: tuple[str, ...],
    staging: str | None,
    path: Path,
    yes: bool,
    as_json: bool,
) -> None:
    """Look at what your project has at Document AI, and write docdask.toml. Nothing of it is billed.

    With DOCUMENTAI_EMULATOR_HOST it looks at an emulator instead.
    """
    from docdask.initialising.steps import Wish, initialise
    from docdask.initialising.talk import Talk

    found = initialise(Wish(path, project, location, staging, processors), Talk(yes=yes))
    if as_json:
        click.echo(json.dumps(found.to_json(), ensure_ascii=False))
        return
    lines = [
        f"{'wrote' if found.written else 'kept'} {found.path}: {found.configuration.billing}",
        *(f"  {one.alias:18} {one.found.processor_type}, version {one.version}" for one in found.chosen),
        "next: docdask plan SOURCE --to RUN --engine documentai",
    ]
    click.echo("\n".join(lines))
