"""Temporary sessions beside any engine: kept in the memory of this process alone, and never written."""
