"""What somebody wants a permit for: looked at where it is said, so that nothing goes out that could not."""

from __future__ import annotations

from collections.abc import Sequence

from docdask.core.spec import Kind
from docdask.engine.checking import text, texts, whole
from docdask.errors import UsageError


class Wish:
    """As it goes on the wire; takes what :meth:`docdask.QuotaSemaphore.acquire` takes.

    Raises
    ------
    UsageError
        If it could not go there.
    """

    __slots__ = ("group", "timeout_s", "weight")

    def __init__(
        self,
        timeout: float | str | None = None,
        pages: int = 1,
        micros: int = 0,
        unit: str = "",
        attempt: int = 1,
        lane: str = "normal",
        run: str = "",
        kind: Kind = "online",
        endpoints: Sequence[str] = (),
        locations: Sequence[str] = (),
    ) -> None:
        self.timeout_s = None if timeout is None else nanoseconds("timeout", timeout) / 1e9
        self.weight = (
            whole("pages", pages),
            whole("micros", micros),
            text("unit", unit),
            whole("attempt", attempt),
        )
        self.group = (
            text("lane", lane), text("run", run), text("kind", kind), texts("endpoints", endpoints), texts("locations", locations)
        )  # fmt: skip


def nanoseconds(what: str, value: float | str) -> int:
    """Duration in nanoseconds, given as Dask takes durations.

    Raises
    ------
    UsageError
        If it is none.
    """
    from dask.utils import parse_timedelta

    try:
        return int(parse_timedelta(value, default="s") * 1e9)
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise UsageError(
            f"{what}={value!r} is no duration", "give seconds, or text such as '200ms'"
        ) from error
