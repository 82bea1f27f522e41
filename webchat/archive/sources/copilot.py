"""Microsoft Copilot's export: a CSV file, the newest message first."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import IO

from webchat.archive.bounds import Bounds
from webchat.archive.brought import Unreadable
from webchat.archive.foreign import Conversation, Gathered
from webchat.archive.foreign_node import ForeignNode

NAME = "Microsoft Copilot (CSV)"
COLUMNS = ("Conversation", "Time", "Author", "Message")
_PEOPLE = ("human", "user", "you")


def recognises(head: bytes) -> bool:
    """See `FileSource`."""
    first = head.lstrip(b"\xef\xbb\xbf").partition(b"\n")[0].strip().replace(b'"', b"")
    return first.decode("utf-8", "replace") == ",".join(COLUMNS)


def conversations(file: IO[bytes], bounds: Bounds) -> Iterator[Conversation]:
    """See `FileSource`."""
    # A field is one message, with the limits of a conversation.
    csv.field_size_limit(bounds.conversation)
    lines = io.TextIOWrapper(file, "utf-8-sig", "replace", newline="")
    chats: dict[str, Gathered] = {}
    try:
        for number, row in enumerate(csv.DictReader(lines)):
            name, author = row.get("Conversation") or "", (row.get("Author") or "").strip().lower()
            role = "user" if author in _PEOPLE else "assistant"
            node = ForeignNode(f"row-{number}", None, role, row.get("Message") or "", (row.get("Time") or "").strip())
            chats.setdefault(name, Gathered()).add(node)
    except csv.Error as error:
        raise Unreadable("a row of it is damaged or too long") from error
    finally:
        lines.detach()
    for title, rows in chats.items():
        yield _conversation(title, rows)


def _conversation(title: str, rows: Gathered) -> Conversation:
    nodes = [*reversed(rows)]
    for number, node in enumerate(nodes):
        node.key, node.parent = f"message-{number}", f"message-{number - 1}" if number else None
    first = nodes[0] if nodes else ForeignNode("", None)
    name = f"{title}\n{first.time}\n{first.content[:1000]}"
    last = nodes[-1].key if nodes else None
    return Conversation("copilot", name, title, nodes, last, too_large=rows.is_too_large)
