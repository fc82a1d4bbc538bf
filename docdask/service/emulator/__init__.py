"""Google Document AI on your own machine: gRPC, REST, Cloud Storage and OAuth on two loopback ports.

The model of the service is :mod:`docdask.core.server`; this package is the shell that speaks the protocols, reads the
documents and keeps the books. ``docs/emulator.md`` is its manual.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docdask.service.emulator.config import EmulatorConfig
    from docdask.service.emulator.running import Emulator

__all__ = ["Emulator", "EmulatorConfig", "serve"]


async def serve(config: EmulatorConfig | None = None) -> Emulator:
    """Start an emulator and return it, listening.

    Raises
    ------
    EngineError
        If a port is taken, the engine can't be loaded, or an optional dependency is missing.
    """
    from docdask.errors import EngineError

    try:
        from docdask.service.emulator.config import EmulatorConfig as Config
        from docdask.service.emulator.running import Emulator as Running
    except ImportError as error:
        raise EngineError(f"the emulator needs {error.name}", "pip install docdask[emulator]") from error
    emulator = Running(config or Config())
    await emulator.start()
    return emulator


def __getattr__(name: str) -> Any:
    """The two classes are imported when asked for: children of this package must start fast."""
    if name == "EmulatorConfig":
        from docdask.service.emulator.config import EmulatorConfig

        return EmulatorConfig
    if name == "Emulator":
        from docdask.service.emulator.running import Emulator

        return Emulator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
