"""What the doctor says about Document AI: configured, real or emulated, signed in, reachable.

Rules: nothing leaves this machine unless something is configured; what is asked then is not billed (five bytes that no
processor can read); nothing here keeps the offline engine from running, but a configuration that is wrong is a problem.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from docdask.configuration import emulator_host, load_configuration
from docdask.core.routes import Configuration
from docdask.errors import UsageError
from docdask.monitor.checks import Check, State
from docdask.settings import FILE, named_file, read_file

if TYPE_CHECKING:
    from docdask.service.documentai import Check as Answer

#: What an answer of the service is to the doctor.
_STATES: Mapping[str, State] = {"ok": "ok", "warning": "missing", "failed": "problem"}
#: Seconds for all questions together.
_PATIENCE_S = 45.0


def checks(environment: Mapping[str, str] | None = None) -> Iterator[Check]:
    """Everything about Document AI, in the order in which a person would look."""
    variables = os.environ if environment is None else environment
    try:
        host = emulator_host(variables)
        if not host and not _is_configured(variables):
            yield Check(
                "Document AI", "missing", "not configured; --engine offline and --engine emulator need nothing",
                "docdask init --project PROJECT --location LOCATION",
            )  # fmt: skip
            return
        configuration = load_configuration("documentai", environment=variables)
    except UsageError as error:
        yield Check("Document AI", "problem", error.message, error.remedy)
        return
    aliases = ", ".join(configuration.processors)
    yield Check("Document AI", "ok", f"processors: {aliases}")
    yield Check("money", "ok", f"{configuration.billing}{f' (emulator at {host})' if host else ''}")
    yield _quotas(configuration)
    yield _staging(configuration)
    yield from _answers(configuration, host)


def _is_configured(environment: Mapping[str, str]) -> bool:
    """Whether anybody named a processor."""
    table = read_file(named_file(environment)).get("documentai")
    return bool(table) or bool(environment.get("DOCDASK_PROCESSOR"))


def _quotas(configuration: Configuration) -> Check:
    if configuration.assumed:
        return Check(
            "quotas", "missing", "those of a new project are assumed",
            f"docdask init reads the project's own, or write them into {FILE}",
        )  # fmt: skip
    return Check("quotas", "ok", f"configured; {configuration.quota_share:.0%} of each is used")


def _staging(configuration: Configuration) -> Check:
    if not configuration.staging:
        return Check(
            "staging bucket", "missing", "none: nothing goes by batch", 'staging = "gs://bucket/prefix"'
        )
    return Check("staging bucket", "ok", configuration.staging)


def _answers(configuration: Configuration, host: str) -> Iterator[Check]:
    """What each processor answers."""
    try:
        answers = asyncio.run(asyncio.wait_for(_ask(configuration, host), _PATIENCE_S))
    except TimeoutError:
        yield Check(
            "Document AI answers",
            "problem",
            f"not within {_PATIENCE_S:g} s",
            "look at the network, a proxy, a firewall",
        )
        return
    for answer in answers:
        yield Check(answer.subject, _STATES[answer.status], answer.message, answer.remedy)


async def _ask(configuration: Configuration, host: str) -> list[Answer]:
    from docdask.service.documentai import DocumentAI

    client = DocumentAI(configuration, emulator_host=host)
    try:
        return await client.check()
    finally:
        await client.close()
