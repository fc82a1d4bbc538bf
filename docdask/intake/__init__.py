"""Finding documents and telling what they are."""

from docdask.intake.preparing import prepare

__all__ = ["prepare"]
