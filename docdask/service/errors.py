"""What a failed call to Google means: one error with a kind, a verdict, and what to do.

Rules: whatever a library raises becomes a :class:`ServiceError` at the border of this package, with one sentence and a
remedy; the rules that tell failures apart are data (:mod:`docdask.service.refusals`), the first that matches wins, and
docs/errors.md is generated from them; nobody outside looks at a status code or at Google's words.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from docdask.core.retry import Verdict
from docdask.errors import DocdaskError, EngineError
from docdask.service import refusals
from docdask.service.refusals import LimitName, Scope


class ServiceError(DocdaskError):
    """A call to Google that failed.

    Parameters
    ----------
    message
        What happened, in one sentence.
    remedy
        What the user can do; empty where docdask does it.
    code
        Canonical status name, ``RESOURCE_EXHAUSTED`` …
    kind
        Which row of docs/errors.md it is: ``quota-requests``, ``page-limit`` …
    verdict
        What it says about the endpoint, for the governor.
    retry
        Whether the same request may succeed later.
    scope
        Whom it concerns.
    after_s
        Seconds that the service asked to wait; 0 if it did not.
    limit
        Quota that is spent.
    said
        The service's own words.
    """

    exit_code: ClassVar[int] = 6

    def __init__(
        self,
        message: str,
        remedy: str = "",
        *,
        code: str = "UNKNOWN",
        kind: str = "unknown",
        verdict: Verdict = "transient",
        retry: bool = True,
        scope: Scope = "call",
        after_s: float = 0.0,
        limit: LimitName = "",
        said: str = "",
    ) -> None:
        super().__init__(message, remedy)
        self.code = code
        self.kind = kind
        self.verdict = verdict
        self.retry = retry
        self.scope = scope
        self.after_s = after_s
        self.limit = limit
        self.said = said

    def __reduce__(self) -> Any:
        fields = ("code", "kind", "verdict", "retry", "scope", "after_s", "limit", "said")
        return _rebuild, (
            type(self),
            self.message,
            self.remedy,
            {name: getattr(self, name) for name in fields},
        )


class CredentialsError(ServiceError, EngineError):
    """Nobody is signed in, or whoever is can't call Document AI at all: no call will succeed."""


def _rebuild(cls: type[ServiceError], message: str, remedy: str, fields: dict[str, Any]) -> ServiceError:
    return cls(message, remedy, **fields)


def make(kind: str, *, code: str = "", said: str = "", after_s: float = 0.0, **found: Any) -> ServiceError:
    """Error of a kind that docs/errors.md lists.

    Parameters
    ----------
    kind
        As listed.
    code
        Status name; empty for the kind's own.
    said
        The service's words.
    **found
        What the kind's sentence has braces for.
    """
    rule = refusals.rule(kind)
    values = _Values({"words": said or "it does not say why", **found})
    cls = CredentialsError if rule.scope == "credentials" else ServiceError
    return cls(
        rule.says.format_map(values),
        rule.remedy.format_map(values),
        code=code or (rule.codes[0] if rule.codes else "UNKNOWN"),
        kind=kind,
        verdict=rule.verdict,
        retry=rule.retry,
        scope=rule.scope,
        after_s=after_s,
        limit=rule.limit,
        said=said,
    )


def classify(error: BaseException, *, source: Literal["call", "credentials"] = "call") -> ServiceError:
    """What an exception of gRPC, api-core, google-auth, the storage client or the network means.

    Parameters
    ----------
    error
        Anything; one of ours is returned as it is.
    source
        What was tried. Looking for credentials raises plain ``ValueError`` and ``OSError`` too.
    """
    if isinstance(error, ServiceError):
        return error
    from docdask.service import saying

    said = saying.of_exception(error)
    if source == "credentials":
        said = saying.about_credentials(said)
    return _judge(said)


def of_status(status: Any) -> ServiceError | None:
    """What a ``google.rpc.Status`` means, as batch operations have them; None if it is OK."""
    from docdask.service import saying

    return _judge(saying.of_status(status)) if status.code else None


def _judge(said: Any) -> ServiceError:
    rule, found = refusals.find(said.code, said.words)
    return make(rule.kind, code=said.code, said=said.text, after_s=said.after_s, **found)


class _Values(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "?"


def markdown() -> str:
    """Write the page docs/errors.md."""
    lines = [
        "# What Google says, and what docdask does",
        "",
        "Each failed call has a *kind*; the table `calls` and the reasons of documents name it. This page is generated from",
        "`docdask/service/refusals.py` by `python -m docdask.service.errors`; texts are Google's own where a public copy exists.",
        "",
        "*verdict* is what the [governor](governor.md) is told about the endpoint; *concerns* is what else would fail: this call",
        "alone, every call with the document, with the processor, with these credentials, or from this machine.",
    ]
    for title, kinds in _sections():
        lines += [
            "",
            f"## {title}",
            "",
            "| kind | Google says | docdask says | what to do | what docdask does | verdict | concerns |",
            "| --- | --- | --- | --- | --- | --- | --- |",
            *(_row(rule) for rule in kinds),
        ]
    return "\n".join(lines) + "\n"


def _sections() -> list[tuple[str, list[refusals.Rule]]]:
    titles = {
        "call": "One call",
        "document": "One document",
        "processor": "A processor",
        "credentials": "Credentials and project",
        "client": "This machine and its network",
    }
    return [(title, [r for r in refusals.RULES if r.scope == scope]) for scope, title in titles.items()]


def _row(rule: refusals.Rule) -> str:
    codes = ", ".join(f"`{code}`" for code in rule.codes[:1])
    google = f"{codes} {rule.google}" if rule.google else "(docdask finds it)"
    shown = example(rule)
    cells = (
        f"`{rule.kind}`", google, shown.message, shown.remedy or "nothing", rule.does, rule.verdict, rule.scope,
    )  # fmt: skip
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def example(rule: refusals.Rule) -> ServiceError:
    """What docdask makes of the rule's own example."""
    from docdask.service.saying import Said

    if not rule.google:
        place = "projects/p/locations/us"
        return make(
            rule.kind, uri="gs://bucket/name.pdf", operation=f"{place}/operations/1", processor=f"{place}/processors/1",
            location="us", said="why", found="FORM_PARSER_PROCESSOR", wanted="OCR_PROCESSOR",
        )  # fmt: skip
    return _judge(Said(rule.codes[0], rule.google, rule.google))


if __name__ == "__main__":
    from pathlib import Path

    Path("docs/errors.md").write_text(markdown(), encoding="utf-8")
