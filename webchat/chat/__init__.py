"""Conversations: messages, their tree, and changes for a reader. Pure: no files, no threads, no time."""
