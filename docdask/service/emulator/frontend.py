"""The one door both transports go through: a method's name and its message in, the reply out."""

from __future__ import annotations

from typing import Any

from docdask.service.emulator.backend import Backend
from docdask.service.emulator.batches import Batches
from docdask.service.emulator.methods import Methods
from docdask.service.emulator.processing import Caller, Processing


class Frontend:
    """All methods of the emulated service."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.process = Processing(backend)
        self.batches = Batches(backend, self.process)
        self._methods = Methods(backend, self.batches)

    async def call(self, method: str, request: Any, caller: Caller) -> Any:
        """Answer any method but ``ProcessDocument`` with its reply message.

        Raises
        ------
        Refused
            With the status to answer.
        ReplyLost
            When the connection is to be cut.
        """
        if method == "BatchProcessDocuments":
            return self._methods.operation_message(await self.batches.submit(request, caller))
        return await self._methods.call(method, request, caller)
