"""The emulator for tests of this folder."""

from docdask.testing import emulator, emulator_config  # noqa: F401
