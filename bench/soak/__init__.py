"""A soak test: people do everything that can be done, over a model server with all kinds of faults, for any time."""
