"""Interprets the rows of coding agents' logs, for the live list and for imports. Reads no file."""
