"""The whole error tree, with exit codes.

::

    DocdaskError                         1
    ├── UsageError (ValueError)          2   the arguments can't be right
    ├── SourceError (FileNotFoundError)  3   nothing to read where the user pointed
    ├── RunError                         4   the run directory can't be used
    │   ├── RunNotFound (FileNotFoundError)
    │   ├── RunMismatch                      same RUN, other options
    │   ├── RunVersion                       written by another format version
    │   ├── RunLocked                        another driver works on it
    │   └── StorageError (OSError)           unwritable, full, gone
    ├── ClusterError (ConnectionError)   5   the scheduler can't be reached or doesn't fit
    ├── EngineError                      6   the engine can't be loaded or refuses all work
    │   ├── PermitRefused                    the governor will never grant the call
    │   └── NotAccepted                      a paid run whose price nobody accepted
    ├── DocumentError                    7   one document can't be done; never ends a run
    ├── RunFailed                        8   a run ended with work left that it could not do
    └── docdask.service.errors.ServiceError  6   a call to Google that failed

Rules: an error says what was wrong, with the value, and what to do next (`remedy`). It travels between
processes: fields go to ``super().__init__`` so that pickling rebuilds it. The command line prints
``error: <message>`` and ``  → <remedy>`` on stderr and exits with ``exit_code``; a stack trace is shown only with
``DOCDASK_DEBUG=1``.
"""

from __future__ import annotations

from typing import Any, ClassVar


class DocdaskError(Exception):
    """Base of every error that docdask raises on purpose.

    Parameters
    ----------
    message
        What was wrong, with the value.
    remedy
        What to do next; empty where there is nothing to do.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}; {self.remedy}" if self.remedy else self.message


class UsageError(DocdaskError, ValueError):
    """The arguments can't be right."""

    exit_code = 2


class SourceError(DocdaskError, FileNotFoundError):
    """Nothing to read where the user pointed."""

    exit_code = 3


class RunError(DocdaskError):
    """The run directory can't be used."""

    exit_code = 4


class RunNotFound(RunError, FileNotFoundError):  # noqa: N818 - reads as a sentence, as in the tree above
    """There is no run at that URL."""


class RunMismatch(RunError, ValueError):  # noqa: N818
    """The RUN was made with other options that change results."""


class RunVersion(RunError):  # noqa: N818
    """The RUN was written by another format version."""


class RunLocked(RunError):  # noqa: N818
    """Another driver works on this RUN."""


class StorageError(RunError, OSError):
    """The storage behind a RUN refuses: read-only, full or gone."""


class ClusterError(DocdaskError, ConnectionError):
    """The scheduler can't be reached, or its workers don't fit."""

    exit_code = 5


class EngineError(DocdaskError):
    """The engine can't be loaded, or refuses all work."""

    exit_code = 6


class PermitRefused(EngineError):  # noqa: N818
    """The governor will not grant this call, however long it waits.

    Parameters
    ----------
    reason
        One of :data:`docdask.core.instructions.Reason`: ``budget``, ``closed``, ``too-large`` …
    message, remedy
        As for every error.
    """

    def __init__(self, reason: str, message: str, remedy: str = "") -> None:
        DocdaskError.__init__(self, message, remedy)
        self.args = (reason, message, remedy)
        self.reason = reason


class NotAccepted(EngineError):  # noqa: N818 - reads as a sentence
    """A run costs money, and nobody has accepted its price."""


class DocumentError(DocdaskError):
    """One document can't be done: it is quarantined with this reason, the run goes on.

    Parameters
    ----------
    code
        Short machine-readable reason, ``kebab-case``: ``encrypted``, ``corrupt``, ``timeout`` …
    message
        The reason as a person understands it.
    remedy
        What the user can do about it.
    """

    exit_code = 7

    def __init__(self, code: str, message: str, remedy: str = "") -> None:
        DocdaskError.__init__(self, message, remedy)
        self.args = (code, message, remedy)
        self.code = code


class RunFailed(DocdaskError):  # noqa: N818
    """A run ended with work left that it could not do."""

    exit_code = 8


def sentence(error: BaseException) -> str:
    """One line for a person from any exception: ours as they are, others named by type."""
    if isinstance(error, DocdaskError):
        return str(error)
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def to_json(error: BaseException) -> dict[str, Any]:
    """Error as a JSON object, for another process to raise; :func:`from_json` is the way back."""
    if not isinstance(error, DocdaskError):
        return {"type": type(error).__name__, "message": sentence(error), "remedy": "", "exit_code": 1}
    told = {
        "type": type(error).__name__,
        "message": error.message,
        "remedy": error.remedy,
        "exit_code": error.exit_code,
    }
    return {**told, "reason": error.reason} if isinstance(error, PermitRefused) else told


def from_json(told: dict[str, Any]) -> DocdaskError:
    """Error of its own class from what :func:`to_json` made; one that is not ours, or of a document, is a :class:`RunFailed`."""
    message, remedy = told.get("message", "the run failed"), told.get("remedy", "")
    kind = {cls.__name__: cls for cls in _below(DocdaskError)}.get(told.get("type", ""), RunFailed)
    if issubclass(kind, PermitRefused):
        return PermitRefused(told.get("reason", ""), message, remedy)
    return (RunFailed if issubclass(kind, DocumentError) else kind)(message, remedy)


def tree() -> list[type[DocdaskError]]:
    """Every error class of this module, base first (drives the exit-code page of the docs and the pickle test)."""
    # Elsewhere there are only special cases of these, and which of them are there depends on what was imported.
    return [cls for cls in _below(DocdaskError) if cls.__module__ == __name__]


def _below(cls: type[Any]) -> list[type[Any]]:
    """A class and all that inherit from it."""
    return [cls, *(found for sub in cls.__subclasses__() for found in _below(sub))]
