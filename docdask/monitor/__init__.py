"""Progress in a terminal, in a notebook and on the Dask dashboard."""
