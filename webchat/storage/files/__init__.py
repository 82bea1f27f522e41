"""Conversations in plain files: transcripts, logs of replies, the order of sessions, the search index."""
