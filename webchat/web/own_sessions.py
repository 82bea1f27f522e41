"""Lists the agents' own sessions on request, and opens them here. For single-user chats only."""

from __future__ import annotations

from flask import Blueprint, Response
from werkzeug.exceptions import Forbidden
from werkzeug.wrappers import Response as AnyResponse

from webchat.agent_sessions import own_name
from webchat.backends.abilities import OwnSession
from webchat.web import pieces, session_list
from webchat.web.api import session_fields
from webchat.web.context import chat_of, manager, owner, session_link
from webchat.web.faces import Face, answer_without_htmx, json_answer, wanted_face
from webchat.web.htmx import fragments, is_htmx
from webchat.web.new_session import may_work_in
from webchat.web.templates import render_template


def register(blueprint: Blueprint) -> None:
    blueprint.get("/sessions/own", endpoint="own_sessions")(listed)
    blueprint.post("/sessions/own/<path:name>", endpoint="open_own")(opened)


def listed() -> Response | str:
    """The list; may start the agent, and changes none of its sessions."""
    _require_one_person()
    found = manager().agents.own_sessions(may_work_in)
    if wanted_face() is Face.JSON:
        return json_answer({"sessions": [_fields(own) for own in found]})
    agents = manager().agents.names
    of = {own.id: next((name for name in agents if own.id.startswith(f"{name}/")), "") for own in found}
    rows = [(own, own_name(own.id), of[own.id] if len(agents) > 1 else "") for own in found]
    page = "webchat/_own_sessions.html" if is_htmx() else "webchat/own_sessions.html"
    return render_template(page, own=rows, position=None)


def opened(name: str) -> AnyResponse:
    """Open the session of ours that continues the agent's; it is the same one each time."""
    _require_one_person()
    session = manager().agents.bring_in(name, owner(), may_work_in)
    session = manager().resume_session(session.session_id, owner()) if not session.is_active else session
    if response := answer_without_htmx(session.session_id, session_fields(session)):
        return response
    parts = [pieces.chat_part(session, "Opened here", note_above=False), pieces.shell_partials(session)]
    return fragments(*parts, session_list.list_partial(), push=session_link(session.session_id))


def _fields(own: OwnSession) -> dict[str, object]:
    return {"id": own.id, "title": own.title, "working_dir": own.working_dir, "updated_at": own.updated_at}


def _require_one_person() -> None:
    if not chat_of().is_one_persons:
        raise Forbidden("The agents' own sessions are not offered, because several people share this chat.")
