"""Everything that can be wrong with a file: one code, one sentence why, one what to do.

Rules: a code is written once, here; docs/problems.md is generated from :data:`PROBLEMS`; a sentence speaks to the
person who owns the file, not to a programmer.
"""

from __future__ import annotations

from dataclasses import dataclass

from docdask.errors import DocumentError


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that can be wrong with a file."""

    outcome: str
    """What usually becomes of the document: ``quarantined``, ``skipped`` or ``ready`` (noted, and done all the same)."""
    reason: str
    """Why, as a person understands it."""
    remedy: str
    """What its owner can do; empty where there is nothing to do."""


_REPRINT = "open it in another program and save or print it to a new PDF"

#: Code → problem. Order is that of docs/problems.md.
PROBLEMS: dict[str, Problem] = {
    # the file can't be had
    "vanished": Problem("quarantined", "the file is no longer there", "put it back, or take it off the list of sources"),
    "permission": Problem("quarantined", "reading it is not allowed", "give the account that runs docdask the right to read it"),
    "unreadable": Problem("quarantined", "the storage it is on does not hand it out", "check the storage and scan again"),
    "oversize-file": Problem("quarantined", "the file is larger than the limit", "split it, or raise the limit on file size"),
    # nothing in it
    "empty": Problem("quarantined", "the file is empty (0 bytes)", "copy it again from where it came from"),
    "no-pages": Problem("quarantined", "it has no page", "make it again with the program it came from"),
    # broken
    "corrupt": Problem("quarantined", "it is damaged and can't be repaired", "copy or scan it again from where it came from"),
    "damaged": Problem("ready", "it is damaged; what could be read was repaired", "check the result, or copy it again from where it came from"),
    "cut-short": Problem("ready", "it is cut short; the part that is there is used", "copy it again from where it came from"),
    "loop": Problem("quarantined", "its objects point back at themselves", _REPRINT),
    "deep-nesting": Problem("quarantined", "its objects are nested too deep to read", _REPRINT),
    "crash": Problem("quarantined", "the library that reads it crashed on this file", _REPRINT),
    "timeout": Problem("quarantined", "reading it took longer than the limit", "split it, or raise the limit with --timeout"),
    "memory": Problem("quarantined", "reading it needs more memory than the limit", "scan it at a lower resolution, split it, or raise the limit with --memory"),
    # too large
    "oversize-image": Problem("quarantined", "it declares more pixels than the limit", "scan it at a lower resolution"),
    "oversize-page": Problem("ready", "a page is declared far larger than any paper", "check its result: the page is recognised at a reduced size"),
    # locked
    "encrypted": Problem("quarantined", "it is encrypted and no password opened it", "give its password with --password, or several with --passwords FILE"),
    "certificate": Problem("quarantined", "it is encrypted for the holder of a certificate; no password can open it", "open it where the certificate is installed and save it without protection"),
    "password": Problem("ready", "it is encrypted; one of the given passwords opened it", ""),
    "owner-password": Problem("ready", "it is protected against changes, but opens without a password", ""),
    # not what it says, or more than it shows
    "unsupported-type": Problem("skipped", "no engine takes files of this type", "print or export it to PDF"),
    "wrong-type": Problem("ready", "its name says another type than its content; the content counts", "rename it"),
    "attachment": Problem("ready", "it carries other files inside, which are not recognised", "save them out of it and scan them too"),
    "active-content": Problem("ready", "it carries scripts, actions or an XFA form; none is run", "check its result: a viewer may show other content"),
}  # fmt: skip


def error(code: str, reason: str = "", remedy: str = "") -> DocumentError:
    """Make the error for ``code``, with a more exact reason or remedy where there is one."""
    problem = PROBLEMS[code]
    return DocumentError(code, reason or problem.reason, remedy or problem.remedy)


def markdown() -> str:
    """Write the page docs/problems.md."""
    lines = [
        "# What can be wrong with a file",
        "",
        "Each document that is not plainly fine has a `problem` in the catalog and in the table `documents`, with a",
        "`reason` and a `remedy`. *ready* means: noted, and recognised all the same. Reasons are often more exact than",
        "the sentence here. This page is generated from `docdask/intake/problems.py`.",
        "",
        "| problem | usually | reason | remedy |",
        "| --- | --- | --- | --- |",
    ]
    lines += [f"| `{code}` | {p.outcome} | {p.reason} | {p.remedy} |" for code, p in PROBLEMS.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    from pathlib import Path

    Path("docs/problems.md").write_text(markdown(), encoding="utf-8")
