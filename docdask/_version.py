"""The version, where everything below the top can read it."""

__version__ = "0.1.0"
