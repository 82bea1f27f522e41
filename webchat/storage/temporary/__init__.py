"""Temporary sessions beside any engine: only in the memory of this process, never written."""
