"""A soak: people who do all that can be done, over a model server that fails in all ways, for as long as one likes."""
