"""A plan on Dask: the delayed graph, its driver, its clusters."""
