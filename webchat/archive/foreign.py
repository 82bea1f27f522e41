"""One conversation of another program, as its source reads it and as a session of ours. Knows no program."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import overload

from webchat.archive.bounds import MIB, size_of
from webchat.archive.brought import Brought, Unreadable
from webchat.archive.foreign_node import ForeignNode
from webchat.archive.foreign_pictures import Find, resolved
from webchat.archive.foreign_tree import ForeignTree
from webchat.archive.lenient import text
from webchat.chat.parts import Text
from webchat.chat.plain import one_line, without_surrogates
from webchat.chat.texts import title_of
from webchat.fileutil import jsonlines
from webchat.limits import CHOSEN
from webchat.session_store import DEFAULT_DESCRIPTION, Row

LARGEST = 128 * MIB
"""About how many characters a conversation that spans many lines or rows may have."""
LONGEST_TITLE, MOST_SOURCES = 300, 100
MOST_OF_A_TITLE = 10 * LONGEST_TITLE
"""Characters of a title to read, before white space and control characters are removed."""
_OURS = uuid.UUID("5d3a1c1e-6f0b-4b43-9a55-7a1f0c2d9b10")
"""The namespace for the ids of imported sessions, which are the same with each import."""
_BALANCED = re.compile(r"[^\[\]]*+(?:\[[^\[\]]*+\][^\[\]]*+)*+")
_WEB = re.compile(r"https?://[^\s<>]+")


class Gathered(Sequence[ForeignNode]):
    """Collects the messages of one conversation, up to a size."""

    def __init__(self) -> None:
        self._nodes: list[ForeignNode] = []
        self._left = LARGEST

    def add(self, node: ForeignNode) -> bool:
        """Add the next one; returns whether there was room. Nothing of a conversation that is too large is kept."""
        self._left -= node.size
        if self.is_too_large:
            self._nodes = []
        else:
            self._nodes.append(node)
        return not self.is_too_large

    @property
    def is_too_large(self) -> bool:
        return self._left < 0

    @overload
    def __getitem__(self, index: int) -> ForeignNode: ...
    @overload
    def __getitem__(self, index: slice) -> list[ForeignNode]: ...
    def __getitem__(self, index: int | slice) -> ForeignNode | list[ForeignNode]:
        return self._nodes[index]

    def __len__(self) -> int:
        return len(self._nodes)


class Beginnings:
    """Names each beginning of a conversation by its content, from the first answer to a question on.

    A conversation without an id is known by these names: a later export, which is longer, begins with an earlier one.
    The last name has always been that of the whole.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self._digest = hashlib.sha256(b"[")
        self._is_empty = True
        self._has_question = self._has_answer = False

    def add(self, said: object, node: ForeignNode) -> None:
        """Add the next message, of which `said` is the content."""
        self._digest.update((b"" if self._is_empty else b",") + _dump(said))
        whole = self._digest.copy()
        whole.update(b"]")
        if not self._has_answer:
            self.names.clear()
        self.names.append(whole.hexdigest())
        self._is_empty = False
        self._has_question = self._has_question or (node.role == "user" and node.says_something)
        is_answer = self._has_question and node.role == "assistant" and node.says_something
        self._has_answer = self._has_answer or is_answer


@dataclass(slots=True)
class Conversation:
    """A conversation found by a source. `theirs` is its id there, and `current` the message that was shown last.

    `made` is when it began, if known; `folder` is where an agent worked.
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
    too_large: bool = False
    is_titled_by_file: bool = False
    """Whether the name of its file is its title there."""
    names: Sequence[str] = ()
    """The names of its beginnings, if its source has its own; only one without an id is known by them."""


def brought(found: Conversation, find: Find) -> Brought:
    """The conversation as a session. `find` returns the files of its export.

    Raises Unreadable if it is too large, Empty if it has no message.
    """
    if found.too_large or (isinstance(found.nodes, Gathered) and found.nodes.is_too_large):
        raise Unreadable(f"it is larger than {size_of(LARGEST)}")
    pictures, missing = resolved(found.nodes, find)
    tree = ForeignTree(found.nodes, found.made)
    theirs = without_surrogates(text(found.theirs))
    names = [] if theirs else found.names or _names(tree.branch(found.current))
    name = theirs or names[0]
    titled = shown_title(found.title) or title_of(tree.first_question[:MOST_OF_A_TITLE])
    extra: dict[str, object] = {"imported": {"from": found.source, "id": name}}
    if prompt := found.system_prompt.replace("\0", "").strip():
        extra["system_prompt"] = prompt[: CHOSEN["system_prompt"]]
    if found.folder:
        extra["working_dir"] = found.folder
    row: Row = {
        "session_id": id_of(found.source, name),
        "description": "Imported conversation" if titled == DEFAULT_DESCRIPTION else titled,
        "created_at": tree.started,
        "last_active": tree.ended,
        "begun": True,
        "title_by": "person",
        "extra": extra,
    }
    row |= {name: True for name in ("pinned", "archived") if getattr(found, name)}
    lines = tree.transcript(found.current)
    return Brought(row, lines, tree.tails, tree.shown, pictures, missing, names)


def _names(branch: Iterable[ForeignNode]) -> list[str]:
    """The names of the beginnings of a branch."""
    beginnings = Beginnings()
    for node in branch:
        texts = [part.text for part in node.all_parts if isinstance(part, Text)]
        beginnings.add([node.role, *texts], node)
    return beginnings.names


def id_of(source: str, name: str) -> str:
    """The id of the session of a conversation, by its name in the source."""
    return str(uuid.uuid5(_OURS, f"{source}:{name}"))


def shown_title(title: str) -> str:
    """The title on one line, shortened."""
    return one_line(title[:MOST_OF_A_TITLE])[:LONGEST_TITLE]


def link(title: str, url: str) -> str:
    """A Markdown link; only the title if it is not a web address."""
    shown = _in_a_link(one_line(title[:LONGEST_TITLE])) or url
    return f"[{shown}](<{url}>)" if _WEB.fullmatch(url) else shown


def _in_a_link(title: str) -> str:
    """The title without what would end the link's text early. Two escaped brackets would begin and end a formula."""
    title = title.replace("\\", "\\\\")
    if _BALANCED.fullmatch(title) and "](" not in title:
        return title
    return title.replace("[", "&#91;").replace("]", "&#93;")


def sources_of(found: Iterable[tuple[str, str]]) -> tuple[Text, ...]:
    """An answer's sources as a list of titles and addresses; nothing if there are none."""
    named: dict[str, str] = {}
    for title, url in islice(found, MOST_SOURCES):
        if title or url:
            named.setdefault(url or title, link(title, url))
    lines = [f"{number}. {linked}" for number, linked in enumerate(named.values(), 1)]
    return (Text("Sources:\n\n" + "\n".join(lines)),) if lines else ()


def _dump(content: object) -> bytes:
    return jsonlines.encode(content).encode("utf-8", "replace")
