"""One conversation of another program as its source gives it, and as a session of ours. Knows no program."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from webchat.archive.brought import Brought
from webchat.archive.foreign_node import ForeignNode
from webchat.archive.foreign_tree import ForeignTree
from webchat.archive.lenient import text
from webchat.chat.plain import one_line
from webchat.chat.texts import title_of
from webchat.fileutil import jsonlines
from webchat.limits import CHOSEN
from webchat.session_store import DEFAULT_DESCRIPTION, Row

LONGEST_TITLE = 300
MOST_OF_A_TITLE = 10 * LONGEST_TITLE
"""Characters of a title that are looked at: blanks and controls among them are left out."""
_OURS = uuid.UUID("5d3a1c1e-6f0b-4b43-9a55-7a1f0c2d9b10")
"""The namespace of the ids that sessions from elsewhere get: the same one each time."""
_WEB = re.compile(r"https?://[^\s<>]+")


@dataclass(slots=True)
class Conversation:
    """What a source found. `theirs` is the conversation's id there, and `current` the message that was shown last.

    `made` is when it began, if that is known; `folder` where an agent worked.
    """

    source: str
    theirs: object
    title: str
    nodes: Sequence[ForeignNode]
    current: str | None = None
    made: object = None
    pinned: bool = False
    archived: bool = False
    system_prompt: str = ""
    folder: str = ""
    content: object = field(default=None)
    """All of it, by which it is identified if it has no id."""


def brought(found: Conversation) -> Brought:
    """The conversation as a session. Raises Unreadable if it has no message."""
    tree = ForeignTree(found.nodes, found.made)
    name = text(found.theirs) or hashlib.sha256(_dump(found.content)).hexdigest()
    name = name.encode("utf-8", "replace").decode()
    titled = title_in(found) or title_of(tree.first_question[:MOST_OF_A_TITLE])
    extra: dict[str, object] = {"imported": {"from": found.source, "id": name}}
    if prompt := found.system_prompt.replace("\0", "").strip():
        extra["system_prompt"] = prompt[: CHOSEN["system_prompt"]]
    if found.folder:
        extra["working_dir"] = found.folder
    row: Row = {
        "session_id": str(uuid.uuid5(_OURS, f"{found.source}:{name}")),
        "description": "Imported conversation" if titled == DEFAULT_DESCRIPTION else titled,
        "created_at": tree.started,
        "last_active": tree.ended,
        "begun": True,
        "title_by": "person",
        "extra": extra,
    }
    row |= {name: True for name in ("pinned", "archived") if getattr(found, name)}
    return Brought(row, tree.transcript(found.current), tree.tails, may_grow=True)


def title_in(found: Conversation) -> str:
    """Its title in one line, "" if it has none."""
    return one_line(found.title[:MOST_OF_A_TITLE])[:LONGEST_TITLE]


def link(title: str, url: str) -> str:
    """A Markdown link; only the title if the address is none of the web."""
    shown = re.sub(r"([\\\[\]])", r"\\\1", one_line(title[:LONGEST_TITLE])) or url
    return f"[{shown}](<{url}>)" if _WEB.fullmatch(url) else shown


def _dump(content: object) -> bytes:
    return jsonlines.encode(content).encode("utf-8", "replace")
