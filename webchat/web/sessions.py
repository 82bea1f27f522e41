"""The list of sessions: rows for the dropdown, a page for browsers without JavaScript, JSON for scripts."""

from __future__ import annotations

from flask import Blueprint, Response, request

from webchat.chat.session import WORKS_FOR
from webchat.web.api import shelved_fields
from webchat.web.context import manager, owner
from webchat.web.faces import Face, json_answer, wanted_face
from webchat.web.housekeeping import undo_context
from webchat.web.htmx import is_htmx
from webchat.web.session_list import (
    ListRequest,
    SessionHit,
    found_in_messages,
    list_context,
    list_part,
    listed,
    waiting,
)
from webchat.web.templates import render_template


def register(blueprint: Blueprint) -> None:
    blueprint.get("/sessions", endpoint="sessions")(sessions)


def sessions() -> Response | str:
    """One page of the list, narrowed as the address says."""
    wanted = _wanted()
    if wanted_face() is Face.JSON:
        return json_answer(_fields(wanted))
    if is_htmx():
        return list_part(wanted)
    context = list_context(wanted) | undo_context(request.args.get("deleted"))
    context |= {"left_out": manager().archive.left_out(owner()), "trash_days": manager().housekeeping.trash_days}
    return render_template("webchat/sessions.html", **context)


def _wanted() -> ListRequest:
    given = request.args
    return ListRequest(
        given.get("q", ""),
        given.get("page", 0, type=_page_number),
        given.get("show", ""),
        given.get("folder"),
        given.get("by", ""),
        given.get("program") or None,
    )


def _page_number(text: str) -> int:
    if not 0 <= int(text) < 1_000_000:
        raise ValueError("no such page")
    return int(text)


def _fields(wanted: ListRequest) -> dict[str, object]:
    found, has_more = listed(wanted)
    asking = waiting(found)
    rows = [{**shelved_fields(item), "waiting": item.session_id in asking} for item in found]
    fields: dict[str, object] = {"sessions": rows, "has_more": has_more}
    if wanted.query.strip():
        said = found_in_messages(wanted, found)
        hits = [_hit_fields(item) for item in said.hits]
        fields |= {"hits": hits, "complete": said.complete, "partial": said.partial}
    return fields


def _hit_fields(item: SessionHit) -> dict[str, object]:
    hit = item.hit
    return {
        "session_id": hit.session_id,
        "description": item.session.description,
        "last_active": item.session.last_active,
        "message_id": hit.message_id,
        "text": hit.before + hit.match + hit.after,
        **({"program": item.session.program} if item.session.program else {}),
        **({WORKS_FOR: item.session.extra[WORKS_FOR]} if WORKS_FOR in item.session.extra else {}),
    }
