"""What is configured for Document AI: file, environment and arguments become one frozen value, read once.

Order, later wins: defaults, ``docdask.toml``, ``DOCDASK_<NAME>`` in the environment, arguments. Nothing here calls a
service, and nothing needs credentials. docs/configuration.md lists every key.
"""

from docdask.configuration.loading import EMULATED_PROJECT, ENGINES, emulator_host, load_configuration
from docdask.configuration.options import EMULATOR_OPTIONS, split_options
from docdask.configuration.types import FRIENDLY, friendly, processor_type

__all__ = [
    "EMULATED_PROJECT",
    "EMULATOR_OPTIONS",
    "ENGINES",
    "FRIENDLY",
    "emulator_host",
    "friendly",
    "load_configuration",
    "processor_type",
    "split_options",
]
