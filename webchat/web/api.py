"""The JSON routes. They accept JSON and forms, and an empty body if every field is optional."""

from __future__ import annotations

from flask import Blueprint, Response

from webchat.chat.message import Message
from webchat.chat.part_records import fields_of
from webchat.errors import NoActiveSession
from webchat.memory import answer, unused
from webchat.session_store import DEFAULT_DESCRIPTION, WebChatSession
from webchat.web.context import chat_of, manager, owner
from webchat.web.faces import json_answer
from webchat.web.inputs import allow_files, request_fields
from webchat.web.memory_commands import memory_intent
from webchat.web.new_session import agent, folder, temporary
from webchat.web.queued import post_or_wait
from webchat.web.saved_prompts import expanded
from webchat.web.streams import answering, memory_json, memory_reply, reply_json, reserve


def register(blueprint: Blueprint) -> None:
    blueprint.get("/api/session", endpoint="api_session")(current)
    blueprint.post("/api/session", endpoint="api_create")(create)
    blueprint.get("/api/sessions", endpoint="api_sessions")(sessions)
    blueprint.post("/api/session/resume", endpoint="api_resume")(resume)
    blueprint.post("/api/chat", endpoint="api_chat")(chat)
    blueprint.post("/api/end", endpoint="api_end")(end)


def current() -> Response:
    """The current session. Reads the registry only."""
    session = manager().active_session(owner())
    if session is None:
        return json_answer({"connected": False, "session_id": None, "message": "No active session."})
    return json_answer({"connected": True, **session_fields(session)})


def create() -> Response:
    fields = request_fields()
    description = fields.optional("description") or DEFAULT_DESCRIPTION
    info = manager().create_session(folder() or "~", description, owner(), options=agent(), temporary=temporary())
    return json_answer(session_fields(manager().get_session(info.session_id, owner())))


def sessions() -> Response:
    """All sessions, newest first."""
    return json_answer({"sessions": [listed_fields(session) for session in manager().list_sessions(owner())]})


def resume() -> Response:
    session_id = request_fields().required("session_id", "session_id is required")
    return json_answer({"session_id": manager().resume_session(session_id, owner()).session_id, "resumed": True})


def chat() -> Response:
    """Answer a message, or a memory command; the latter needs no session."""
    allow_files()
    fields = request_fields()
    message = fields.message("message is required")
    session_id = fields.optional("session_id") or _current_id()
    message = expanded(message, session_id)
    memory, intent = chat_of().memory, memory_intent(message)
    if memory is not None and intent is not None:
        session = manager().store.get(session_id, owner()) if session_id else None
        with manager().allowance.message(owner(), 0):
            is_unused = session is not None and session.temporary
            said = unused(intent[0]) if is_unused else answer(memory, *intent, owner(), key=fields.key())
        connected = session is not None
        return memory_reply(said, session_id, connected=connected) or memory_json(said, connected=connected)
    if session_id is None:
        raise NoActiveSession
    reserve()
    posted = post_or_wait(session_id, message, fields.files())
    return answering(posted) or reply_json(posted)


def end() -> Response:
    session_id = request_fields().optional("session_id") or _current_id()
    if session_id is None or not manager().end_session(session_id, owner()):
        return json_answer({"ended": False, "message": "No active session."})
    return json_answer({"ended": True, "session_id": session_id})


def _current_id() -> str | None:
    session = manager().active_session(owner())
    return session.session_id if session else None


def session_fields(session: WebChatSession) -> dict[str, object]:
    """The fields of the session that answers a script."""
    return {
        "session_id": session.session_id,
        "project_id": session.project_id,
        "working_dir": session.working_dir,
        **_marks(session),
    }


def listed_fields(session: WebChatSession) -> dict[str, object]:
    """The fields of a session in a list for scripts."""
    return {
        "session_id": session.session_id,
        "description": session.description,
        "created_at": session.created_at,
        "last_active": session.last_active,
        "is_active": session.is_active,
        "project_id": session.project_id,
        **_marks(session),
    }


def _marks(session: WebChatSession) -> dict[str, object]:
    """The field that marks a temporary session, or another program's; none for any other."""
    temporary = {"temporary": True} if session.temporary else {}
    return temporary | ({"program": session.program} if session.program else {})


def shelved_fields(session: WebChatSession) -> dict[str, object]:
    """The same with the session's folder, and whether it is pinned, archived or deleted."""
    return {
        **listed_fields(session),
        "working_dir": session.working_dir,
        "pinned": session.pinned,
        "archived": session.archived,
        "deleted_at": session.deleted_at,
    }


def message_fields(message: Message) -> dict[str, object]:
    """The fields of a message as in its transcript record, with complete parts and the ids of its alternatives."""
    record = message.record()
    del record["type"]
    files = [{"type": "file", "name": file.name, "size": file.size} for file in message.files]
    pictures = [{"type": "picture", **picture.record()} for picture in message.pictures]
    parts = [*map(fields_of, message.ordered), *files, *pictures]
    return {**record, "parts": parts, "siblings": [*message.siblings] or [message.id]}
