"""The fields of a form that starts a session: its folder and agent, and whether it is temporary. Knows no route."""

from __future__ import annotations

import os

from webchat.errors import InvalidInput
from webchat.web.context import chat_of, owner
from webchat.web.inputs import request_fields

_YES, _NO = ("1", "on", "true", "yes"), ("", "0", "off", "false", "no")
MOST_LOOKED_AT, MOST_KNOWN = 50, 12
NOT_YOURS = "Folders cannot be chosen here: several people share this chat, and its server allows no folders."


def agent() -> dict[str, str] | None:
    """The chosen agent, as an option; None if none was chosen."""
    name = request_fields().optional("agent")
    return {"agent": name} if name else None


def folder() -> str | None:
    """The chosen folder, None if none was; links are resolved if only certain folders are allowed.

    Raises InvalidInput for a forbidden folder, without revealing whether it exists.
    """
    given = request_fields().optional("working_dir")
    chat = chat_of()
    if given is None or (not chat.folders and chat.is_one_persons):
        return given
    if not chat.folders:
        raise InvalidInput(NOT_YOURS)
    found = _resolved(given)
    if not may_work_in(found):
        raise InvalidInput(f"New sessions must work below {' or '.join(chat.folders)}. Choose a folder there.")
    return found


def temporary() -> bool:
    """Whether the session is temporary. Raises InvalidInput if the field is neither yes nor no."""
    given = (request_fields().setting("temporary") or "").lower()
    if given not in _NO and given not in _YES:
        raise InvalidInput("temporary must be 1, or be left out.")
    return given in _YES


def may_work_in(path: str) -> bool:
    """Whether a session may work in that folder."""
    chat = chat_of()
    if not chat.folders:
        return chat.is_one_persons
    found = _resolved(path)
    return any(os.path.commonpath([root, found]) == root for root in map(_resolved, chat.folders))


def known_folders() -> list[str]:
    """The folders that sessions may work in, and those of recent sessions."""
    chat = chat_of()
    late = (session.working_dir for session in chat.manager.directory.page("list", count=MOST_LOOKED_AT, owner=owner()))
    found = dict.fromkeys([*chat.folders, *(path for path in late if path != "~" and may_work_in(path))])
    return list(found)[:MOST_KNOWN]


def short_folder(path: str) -> str:
    """The end of a folder's path, for people."""
    return os.path.basename(path.rstrip("/")) or path  # noqa: PTH119


def _resolved(path: str) -> str:
    # Unlike the methods of Path, these do not raise for names that are too long or for unknown users.
    return os.path.realpath(os.path.expanduser(path))  # noqa: PTH111
