"""Exports of other programs in the shapes that they really have, written by hand."""
