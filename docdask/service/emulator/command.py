"""The command ``docdask emulator``: reads options, runs the emulator until SIGTERM or Ctrl-C, prints one JSON line.

``docdask emulator env`` prints the exports that point clients at a running one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import shlex
import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from docdask.errors import SourceError

if TYPE_CHECKING:
    from docdask.service.emulator.config import EmulatorConfig

_PROJECT = "emulator"


def addresses_file() -> Path:
    """File in which the emulator that was started last tells where it listens."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    return Path(tempfile.gettempdir()) / f"docdask-emulator-{user}.json"


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--grpc-port", default=0, show_default="a free one", help="Port of the gRPC side.")
@click.option(
    "--http-port",
    default=0,
    show_default="a free one",
    help="Port of REST, Cloud Storage, tokens and the status page.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--profile",
    default="none",
    show_default=True,
    help="Fault profile: flaky, quota-storm, lost-reply, slow-tail …",
)
@click.option(
    "--quota",
    multiple=True,
    metavar="NAME=N",
    help="Change a quota or limit: 250, online_requests.us=250 … (repeatable)",
)
@click.option(
    "--used",
    multiple=True,
    metavar="TYPE=N",
    help="Pages billed already this month: OCR_PROCESSOR=1000 leaves none free. (repeatable)",
)
@click.option(
    "--window",
    default="sliding",
    show_default=True,
    help="How a minute is metered: fixed, sliding, sliding-count, bucket, bucket/4, bucket:30.",
)
@click.option(
    "--latency",
    default="none",
    show_default=True,
    help="none, google, or seconds: 1+0.75~0.3 (a call + a page ~ tail).",
)
@click.option(
    "--speed",
    default=1.0,
    show_default=True,
    help="Emulated seconds in a real one; 60 lets a minute's quota pass in a second.",
)
@click.option(
    "--ocr",
    default="offline",
    show_default=True,
    help="Engine that reads the pages, or fast: no recognition, for load tests.",
)
@click.option("--threads", default=0, show_default="a core each", help="Documents read at once.")
@click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder that keeps the state; without it, memory.",
)
@click.option("--bucket", multiple=True, help="Bucket that exists from the start. (repeatable)")
@click.option(
    "--processor",
    "processors",
    multiple=True,
    metavar="NAME=TYPE",
    help="Processor that exists besides the pre-made: projects/P/locations/L/processors/ID=OCR_PROCESSOR@VERSION. "
    "(repeatable)",
)
@click.option(
    "--switch",
    "switches",
    multiple=True,
    metavar="NAME=VALUE",
    help="What is not known publicly: quota_details=full … (repeatable)",
)
@click.option(
    "--deployment", default="", help="Serve this location only, as one of the service's own servers does."
)
@click.option("--deny", multiple=True, metavar="PERMISSION", help="Permission that nobody has. (repeatable)")
@click.option("--seed", default=0, show_default=True, help="Of faults and latency.")
@click.option("--grace", default=30.0, show_default=True, help="Seconds that calls get to end after SIGTERM.")
@click.option(
    "--attached",
    is_flag=True,
    help="End when standard input ends: for a program that starts one of its own.",
)
@click.option(
    "--proxy-port",
    type=int,
    help="Port of a CONNECT proxy that leads *.googleapis.com here; 0 for a free one. Needs TLS.",
)
@click.option(
    "--tls-cert",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Certificate (PEM) for both ports.",
)
@click.option(
    "--tls-key", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Its key (PEM)."
)
@click.pass_context
def emulator_command(context: click.Context, /, **options: Any) -> None:
    """Run Google Document AI on this machine: gRPC, REST, Cloud Storage, quotas, faults and books."""
    if context.invoked_subcommand is None:
        attached = options.pop("attached")
        asyncio.run(_run(_config(options), attached=attached))


def _config(options: dict[str, Any]) -> EmulatorConfig:
    from docdask.core.limits import DEFAULT_BOOK
    from docdask.core.server import ServerSettings, make_faults, make_window
    from docdask.errors import UsageError
    from docdask.service.emulator.config import (
        EmulatorConfig,
        parse_latency,
        parse_processors,
        parse_quotas,
        parse_switches,
        parse_used,
    )

    if not options["speed"] > 0:
        raise UsageError(f"--speed can't be {options['speed']:g}", "give a number above 0")
    make_window(options["window"], 1)
    server = ServerSettings(
        limits=DEFAULT_BOOK.override(parse_quotas(options["quota"])), window=options["window"],
        latency=parse_latency(options["latency"]), faults=make_faults(options["profile"]),
        used_units=parse_used(options["used"]), switches=parse_switches(options["switches"]), deployment=options["deployment"], denied=frozenset(options["deny"]),
    )  # fmt: skip
    config = EmulatorConfig(
        grpc_port=options["grpc_port"], http_port=options["http_port"], host=options["host"], proxy_port=options["proxy_port"], server=server,
        seed=options["seed"], speed=options["speed"], ocr=options["ocr"], state=options["state"], buckets=options["bucket"],
        processors=parse_processors(options["processors"]),
        tls_cert=options["tls_cert"], tls_key=options["tls_key"], grace_s=options["grace"],
    )  # fmt: skip
    return replace(config, threads=options["threads"]) if options["threads"] else config


async def _run(config: EmulatorConfig, *, attached: bool = False) -> None:
    from docdask.service.emulator import serve

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C ends asyncio.run
            loop.add_signal_handler(number, stop.set)
    if attached:
        _watch_input(lambda: loop.call_soon_threadsafe(stop.set))
    emulator = await serve(config)
    line = json.dumps(emulator.addresses())
    file = None if attached else addresses_file()  # `env` is for those that people start
    if file is not None:
        with contextlib.suppress(OSError):
            file.write_text(line)
    print(line, flush=True)
    try:
        await stop.wait()
    finally:
        await emulator.stop()
        with contextlib.suppress(OSError):
            if file is not None and file.read_text() == line:
                file.unlink()


def _watch_input(ended: Callable[[], Any]) -> None:
    """Call ``ended`` when standard input ends, as it does when whoever holds the other end goes, however that was.

    A process that the parent forked may hold that end too: the parent's own end counts as well.
    """
    parent = os.getppid()

    def watch() -> None:
        with contextlib.suppress(OSError, ValueError):
            while os.getppid() == parent:
                if select.select([0], [], [], 1.0)[0] and not os.read(0, 4096):
                    break
        with contextlib.suppress(RuntimeError):  # the loop has ended already
            ended()

    threading.Thread(target=watch, name="parent", daemon=True).start()


@emulator_command.command()
@click.option("--grpc-port", type=int, help="Port of the gRPC side, if it is not the emulator started last.")
@click.option("--http-port", type=int, help="Port of the HTTP side.")
@click.option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a service-account key file for it here.",
)
def env(grpc_port: int | None, http_port: int | None, key: Path | None) -> None:
    """Print exports for a shell: eval "$(docdask emulator env)"."""
    if grpc_port is not None and http_port is not None:
        where = {"grpc": f"127.0.0.1:{grpc_port}", "http": f"http://127.0.0.1:{http_port}"}
    else:
        try:
            where = json.loads(addresses_file().read_text())
        except (OSError, ValueError):
            raise SourceError(
                "no emulator of yours is running", "start one with `docdask emulator`, or give both ports"
            ) from None
    exports = {
        "DOCUMENTAI_EMULATOR_HOST": where["grpc"],
        "DOCUMENTAI_EMULATOR_URL": where["http"],
        "STORAGE_EMULATOR_HOST": where["http"],
        "GOOGLE_CLOUD_PROJECT": _PROJECT,
        # Otherwise gcsfs asks a gRPC service for each bucket's type, always over TLS, for a minute.
        "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
    }
    if where.get("proxy"):
        del exports["STORAGE_EMULATOR_HOST"]  # storage goes by its own name, too
        exports |= {
            # In both spellings: gRPC reads one, Go the other.
            "HTTPS_PROXY": where["proxy"],
            "https_proxy": where["proxy"],
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
            "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": where["tls_cert"],
            "SSL_CERT_FILE": where["tls_cert"],
            "REQUESTS_CA_BUNDLE": where["tls_cert"],
        }
    if key is not None:
        from docdask.service.emulator.keyfile import write_key

        # Behind the proxy Google's own name is led here, and the certificate is made for it.
        token_uri = "https://oauth2.googleapis.com/token" if where.get("proxy") else f"{where['http']}/token"
        write_key(key, token_uri)
        exports["GOOGLE_APPLICATION_CREDENTIALS"] = str(key.absolute())
    for name, value in exports.items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
