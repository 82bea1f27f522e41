"""Exports of other programs in their real formats, written by hand."""
