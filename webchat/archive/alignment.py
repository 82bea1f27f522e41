"""Finds the messages of a newer export among those of a session when ids cannot tell: by what they say."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from hashlib import sha256

from webchat.archive.likeness import are_one_message, same_words
from webchat.chat.message import Message
from webchat.chat.tree import Tree
from webchat.fileutil import jsonlines

Shown = Mapping[str, Collection[str]]
"""See `Brought.shown`."""
_POSITION = re.compile(r"(?:message|response)-\d+|line-\d+(?:-[a-z]+)*|\d+-\d+")
"""What sources use as the id of a message without one, if it is not told by its content."""
_CONTENT = re.compile(r"[0-9a-f]{32}")
"""An id by content. Those of messages written here are shorter."""


def is_imported(name: str) -> bool:
    """Whether this is the id of an imported message without an id."""
    return (_POSITION.fullmatch(name) or _CONTENT.fullmatch(name)) is not None


def has_positions(tree: Tree) -> bool:
    """Whether some ids are positions."""
    return any(map(_POSITION.fullmatch, tree.messages))


def tree_of(transcript: bytes) -> Tree:
    """The messages of a transcript."""
    tree = Tree()
    for _, record in jsonlines.parse(transcript):
        tree.add(record)
    return tree


class ImportedMessages:
    """The messages of a session, of which some were imported without ids.

    `is_exact` says that these are known by nothing but their content, which may not have changed.
    """

    def __init__(self, messages: Iterable[Message], *, is_exact: bool) -> None:
        self._is_exact = is_exact
        self.messages = {message.id: message for message in messages}
        self._imported = set(filter(is_imported, self.messages))
        self._answered = {self.messages[name].parent for name in self._imported}

    def is_same_conversation(self, tree: Tree, shown: Shown) -> bool:
        """Whether these and the messages of an export are one conversation: one of them is the beginning of the other.

        What was said here since does not count. If the messages have ids, some shared ones are enough.
        """
        shared = self.messages.keys() & tree.messages.keys()
        has_all = len(shared) in (len(shared | self._imported), len(tree.messages))
        return bool(shared) and has_all and all(self.is_same(name, tree, shown) for name in shared)

    def places(self, tree: Tree, shown: Shown) -> Mapping[str, str]:
        """Maps the ids of an export's messages to those in the session.

        From the first at whose position something else was said, they are on a branch of their own. Those whose ids are
        positions get ids by their content there.
        """
        names: dict[str, str] = {}
        for name, message in tree.messages.items():
            parent = names.get(message.parent or "", message.parent)
            is_here = not _POSITION.fullmatch(name) or (parent == message.parent and self._may_be(name, tree, shown))
            names[name] = name if is_here else _by_content(parent, message)
        return names

    def _may_be(self, name: str, tree: Tree, shown: Shown) -> bool:
        return name not in self.messages or self.is_same(name, tree, shown)

    def is_same(self, name: str, tree: Tree, shown: Shown) -> bool:
        """Whether both say the same under this id.

        Unless that must be exact, the last answer may be incomplete in one of them.
        """
        before, after = self.messages[name], tree.messages[name]
        if self._is_exact:
            return are_one_message(before, after, shown.get(name, ()))
        if before.role != after.role:
            return False
        if before.content == after.content or same_words(before, after, shown.get(name, ())):
            return True
        is_beginning = name not in self._answered and after.content.startswith(before.content)
        is_longer = not tree.children.get(name) and before.content.startswith(after.content)
        return before.role == "assistant" and (is_beginning or is_longer)


def renamed(tree: Tree, names: Mapping[str, str]) -> Tree:
    """The tree with other ids."""
    messages = (
        replace(message, id=names[name], parent=names.get(message.parent or "", message.parent))
        for name, message in tree.messages.items()
    )
    return Tree({message.id: message for message in messages}, leaf=names.get(tree.leaf or "", tree.leaf))


def _by_content(parent: str | None, message: Message) -> str:
    said = f"{parent}:{message.role}:{message.content}"
    return sha256(said.encode("utf-8", "replace")).hexdigest()[:32]
