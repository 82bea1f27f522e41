"""Everything in memory, for one process. The shortest engine there is."""
