"""Whether an endpoint is worth calling: closed (yes), open (no), half-open (one probe at a time).

Failures in a row, half of the recent outcomes, or silence with calls in flight open the breaker; after a pause one
probe goes out, and as many successes as the settings ask close it again. A failed probe doubles the pause. Answers to
calls from before the breaker opened tell nothing new, except that silence is over. A refusal for quota is no failure.
"""

from __future__ import annotations

from collections import deque
from typing import Literal, cast

from docdask.core.machine import Table, step
from docdask.core.meter import NEVER_NS
from docdask.core.spec import FULL_PPM, BreakerSpec

State = Literal["closed", "open", "half-open"]

BREAKER: Table = {
    ("closed", "failures"): "open",
    ("closed", "silence"): "open",
    ("open", "pause over"): "half-open",
    ("open", "answer after silence"): "closed",
    ("half-open", "probe failed"): "open",
    ("half-open", "probes succeeded"): "closed",
}


class Breaker:
    """Breaker of one endpoint."""

    __slots__ = (
        "_failed",
        "_opened_ns",
        "_pause_ns",
        "_probing",
        "_recent",
        "_row",
        "_silent",
        "_spec",
        "_succeeded",
        "state",
    )

    def __init__(self, spec: BreakerSpec) -> None:
        self._spec = spec
        self.state: State = "closed"
        self._recent: deque[bool] = deque(maxlen=spec.window)
        self._failed = self._row = 0
        self._opened_ns = -NEVER_NS
        self._pause_ns = 0
        self._probing = self._succeeded = 0
        self._silent = False

    def change(self, spec: BreakerSpec) -> None:
        """Take other settings; what was seen counts on."""
        self._spec = spec
        self._recent = deque(self._recent, maxlen=spec.window)
        self._failed = sum(self._recent)

    def ready_ns(self, now_ns: int) -> int:
        """Earliest moment at which a call may go; ``NEVER_NS`` while a probe is out."""
        if self.state == "closed":
            return now_ns
        if self.state == "open":
            return max(now_ns, self._opened_ns + self._pause_ns)
        return NEVER_NS if self._probing else now_ns

    def granted(self) -> None:
        """Tell the breaker that a call goes out now, which :meth:`ready_ns` allowed."""
        if self.state == "closed":
            return
        if self.state == "open":
            self._step("pause over")
            self._succeeded = 0
            self._probing = 0
        self._probing += 1

    def success(self, granted_ns: int) -> bool:
        """Tell it that the endpoint answered a call which was granted at ``granted_ns``; whether that closed it."""
        if self.state == "closed":
            self._row = 0
            self._note(failed=False)
        elif self._silent and granted_ns < self._opened_ns and self.state == "open":
            self._step("answer after silence")
            self._reset()
        elif self._is_probe(granted_ns):
            self._probing = max(0, self._probing - 1)
            self._succeeded += 1
            if self._succeeded >= self._spec.probes:
                self._step("probes succeeded")
                self._reset()
                return True
        return False

    def failure(self, granted_ns: int, now_ns: int, *, usual_ppm: int = 0, crowd: int = 0) -> None:
        """Tell it that the endpoint failed a call.

        Parameters
        ----------
        granted_ns, now_ns
            When the call was granted, and now.
        usual_ppm
            Rate of failures that is usual here: it takes more of them to open.
        crowd
            Failures in a row that it takes at least, because the endpoint may be full and not down; 0: as the settings say.
        """
        if self.state == "closed":
            self._row += 1
            self._note(failed=True)
            row_ppm = self._spec.failures * (FULL_PPM + 4 * usual_ppm)
            share_ppm = len(self._recent) * (FULL_PPM // 2 + usual_ppm)
            full = len(self._recent) == self._recent.maxlen
            in_a_row = self._row >= crowd and self._row * FULL_PPM >= row_ppm
            if in_a_row or (not crowd and full and self._failed * FULL_PPM >= share_ppm):
                self._open("failures", now_ns)
        elif self._is_probe(granted_ns):
            self._open("probe failed", now_ns)

    def unused(self, granted_ns: int) -> None:
        """Tell it that a permit came back without a call: a probe that told nothing."""
        if self._is_probe(granted_ns):
            self._probing = max(0, self._probing - 1)

    def silence(self, now_ns: int) -> None:
        """Tell it that calls are in flight and none has been answered for too long."""
        if self.state == "closed":
            self._open("silence", now_ns)
            self._silent = True

    def _is_probe(self, granted_ns: int) -> bool:
        return self.state == "half-open" and granted_ns >= self._opened_ns + self._pause_ns

    def _note(self, *, failed: bool) -> None:
        if len(self._recent) == self._recent.maxlen:
            self._failed -= self._recent[0]
        self._recent.append(failed)
        self._failed += failed

    def _open(self, cause: str, now_ns: int) -> None:
        again = self.state == "half-open"
        self._step(cause)
        spec = self._spec
        self._pause_ns = (
            min(2 * self._pause_ns, max(spec.open_most_ns, spec.open_ns)) if again else spec.open_ns
        )
        self._opened_ns = now_ns
        self._silent = False

    def _reset(self) -> None:
        self._recent.clear()
        self._failed = self._row = 0
        self._silent = False

    def _step(self, cause: str) -> None:
        self.state = cast("State", step("breaker", BREAKER, self.state, cause))
