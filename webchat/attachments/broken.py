"""What is wrong with a file."""

from __future__ import annotations


class Broken(Exception):
    """A file cannot be taken; its text says why, and follows the file's name: "ends too early"."""


ENDS_EARLY = "ends too early: it is damaged, or was not copied to its end"
