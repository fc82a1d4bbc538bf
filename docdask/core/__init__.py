"""Pure policy: no clock, no I/O, no Dask, no pandas."""
