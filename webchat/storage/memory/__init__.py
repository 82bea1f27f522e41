"""The storage engine in memory, for one process: the shortest one."""
