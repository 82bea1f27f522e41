"""The protocols of a storage engine. Knows no engine.

Records go in and come out; how they are stored, and what a version or cursor means, only the engine knows. All calls
are thread-safe. If something cannot be read or written they raise StorageError or OSError, and have changed nothing.
"""

from __future__ import annotations

from webchat.storage.protocols.conversations import Queue, ReplyLog, ReplyLogs, Transcripts
from webchat.storage.protocols.coordination import Bus, Leases, Release
from webchat.storage.protocols.documents import Documents, Draft
from webchat.storage.protocols.engine import Kept, Search, Storage, Texts
from webchat.storage.protocols.pictures import Pictures
from webchat.storage.protocols.sessions import CLAIMED, Lookup, Sessions, Shelf

__all__ = [
    "CLAIMED",
    "Bus",
    "Documents",
    "Draft",
    "Kept",
    "Leases",
    "Lookup",
    "Pictures",
    "Queue",
    "Release",
    "ReplyLog",
    "ReplyLogs",
    "Search",
    "Sessions",
    "Shelf",
    "Storage",
    "Texts",
    "Transcripts",
]
