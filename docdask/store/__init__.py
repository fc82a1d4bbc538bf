"""The run directory: everything durable."""
