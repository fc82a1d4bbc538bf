"""A Dask cluster toolkit for documents."""

__version__ = "0.1.0"
