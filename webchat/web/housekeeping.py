"""Renames, pins, archives, deletes and restores sessions, one or several at once."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from webchat.errors import InvalidInput
from webchat.session_store import WebChatSession
from webchat.storage.protocols import Shelf
from webchat.web import pieces, session_list
from webchat.web.api import shelved_fields
from webchat.web.context import link, manager, owner, session_link
from webchat.web.faces import script_answer
from webchat.web.htmx import fragments, is_htmx, page_address, partial
from webchat.web.inputs import request_fields
from webchat.web.templates import render_template

UNDO_TIME = 10.0
"""Seconds that the page offers to undo a deletion; the trash does so for longer."""
ACTIONS = ("keep", "pin", "unpin", "archive", "unarchive", "delete", "restore", "purge")


def register(blueprint: Blueprint) -> None:
    action = f"<any({', '.join(ACTIONS)}):action>"
    blueprint.get("/sessions/<session_id>/manage", endpoint="manage")(manage)
    blueprint.get("/sessions/<session_id>/rename", endpoint="rename_row")(rename_row)
    blueprint.get("/sessions/<session_id>/title", endpoint="title")(title)
    blueprint.post("/sessions/<session_id>/rename", endpoint="rename")(rename)
    blueprint.post(f"/sessions/<session_id>/{action}", endpoint="tidy")(tidy)
    blueprint.post(f"/sessions/{action}", endpoint="tidy_several")(tidy_several)


def manage(session_id: str) -> str:
    """The actions on a session: a menu beside its row, or a page without JavaScript."""
    item = manager().get_session(session_id, owner())
    return render_template("webchat/_row_menu.html" if is_htmx() else "webchat/manage.html", **_actions(item))


def rename_row(session_id: str) -> str:
    """A form for the title, in place of the session's row."""
    item = manager().get_session(session_id, owner())
    return render_template("webchat/_rename_row.html" if is_htmx() else "webchat/manage.html", **_actions(item))


def title(session_id: str) -> str:
    """The session's title in the header, or with `edit` a form for it there, before the title, which is hidden."""
    session = manager().get_session(session_id, owner())
    if not is_htmx():
        return render_template("webchat/manage.html", **_actions(session))
    if "edit" in request.args:
        return render_template("webchat/_rename.html", item=session, in_header=True)
    return _title_again(session)


def rename(session_id: str) -> AnyResponse:
    fields = request_fields()
    session = manager().housekeeping.rename(session_id, fields.required("title", "Write a title first."), owner())
    response = script_answer(shelved_fields(session))
    if response or not is_htmx() or fields.optional("in") != "header":
        return response or _done()
    return fragments(session_list.list_partial(), _title_again(session))


def _title_again(session: WebChatSession) -> str:
    """The session's title in the header instead of the form."""
    return partial("titleForm", "delete", "") + partial("badge", "outerMorph", pieces.badge_html(session))


def tidy(session_id: str, action: str) -> AnyResponse:
    """Apply an action to one session."""
    return _do(action, [session_id])


def tidy_several(action: str) -> AnyResponse:
    """Apply an action to each session in `id`; with `all` to all of the list, the archive or the trash (`show`).

    To restore, `deleted` is the time of the deletion.
    """
    fields = request_fields()
    session_ids = fields.several("id")
    deleted = fields.optional("deleted")
    if deleted and action == "restore":
        session_ids = manager().housekeeping.deleted_together(deleted, owner())
    if fields.optional("all"):
        in_trash = action in ("restore", "purge")
        shelf: Shelf = "trash" if in_trash else "archive" if fields.optional("show") == "archived" else "list"
        listed = manager().directory.page(shelf, owner=owner())
        session_ids = [session.session_id for session in listed if not session.program]
    return _do(action, session_ids)


def _actions(session: WebChatSession) -> dict[str, Any]:
    pin = ("unpin", "Unpin") if session.pinned else ("pin", "Pin")
    if session.temporary:
        return {"item": session, "actions": (("keep", "Keep this chat"), ("delete", "Delete for good"))}
    archive = ("unarchive", "Unarchive") if session.archived else ("archive", "Archive")
    return {"item": session, "actions": (pin, archive, ("delete", "Delete"))}


def undo_context(deleted_at: str | None) -> dict[str, Any]:
    """The context of `_undo.html` after a deletion; empty if that is too long ago."""
    if not is_just_now(deleted_at):
        return {}
    count = len(manager().housekeeping.deleted_together(deleted_at or "", owner()))
    return {"deleted": deleted_at, "count": count} if count else {}


def is_just_now(deleted_at: str | None) -> bool:
    """Whether that time, ISO 8601, is so recent that the page offers to undo the deletion."""
    try:
        age = datetime.fromisoformat(manager().now()) - datetime.fromisoformat(deleted_at or "")
    except (ValueError, TypeError):
        return False
    return 0 <= age.total_seconds() < UNDO_TIME


def _do(action: str, session_ids: Collection[str]) -> AnyResponse:
    fields = request_fields()
    if not session_ids and not fields.optional("all") and not fields.optional("deleted"):
        raise InvalidInput("Choose a session first.")
    house, deleted_at, gone = manager().housekeeping, None, list[str]()
    if action == "keep":
        return _keep(session_ids)
    if action == "delete":
        gone = _temporary_among(session_ids)
        deleted_at = house.delete(session_ids, owner())
    elif action in ("pin", "unpin"):
        house.pin(session_ids, owner(), pinned=action == "pin")
    elif action in ("archive", "unarchive"):
        house.archive(session_ids, owner(), archived=action == "archive")
    else:
        (house.restore if action == "restore" else house.purge)(session_ids, owner())
    body = {"done": action, "sessions": [*session_ids]} | ({"deleted": deleted_at} if deleted_at else {})
    body |= {"gone": gone} if gone else {}
    if action == "delete":
        return script_answer(body) or after_deletion(session_ids, deleted_at)
    if action == "restore":
        return script_answer(body) or _restored(fields.optional("left"))
    return script_answer(body) or _done(show="trash" if action == "purge" else None)


def _temporary_among(session_ids: Collection[str]) -> list[str]:
    found = (manager().reader.find(session_id, owner()) for session_id in session_ids)
    return [session.session_id for session in found if session and session.temporary]


def _keep(session_ids: Collection[str]) -> AnyResponse:
    """Keep temporary chats after all."""
    for session_id in session_ids:
        manager().programs.refuse(session_id)
    kept = [manager().temporary.keep(session_id, owner()) for session_id in session_ids]
    if response := script_answer({"done": "keep", "sessions": [session.session_id for session in kept]}):
        return response
    if not is_htmx():
        return redirect(session_link(kept[0].session_id), code=303) if len(kept) == 1 else _done()
    parts: list[str] = [session_list.list_partial()]
    for session in kept:
        if page_address() == urlsplit(session_link(session.session_id)).path:
            parts.append(pieces.kept_partials(session))
    return fragments(*parts)


def after_deletion(session_ids: Collection[str], deleted_at: str | None = None) -> AnyResponse:
    """The list, with a button to undo the deletion if the sessions are in the trash since `deleted_at`."""
    return _done(session_ids, deleted_at or None)


def _done(gone: Collection[str] = (), deleted_at: str | None = None, show: str | None = None) -> AnyResponse:
    """The current list, after a deletion with a button to undo it; a new page if the old one showed what is `gone`."""
    if not is_htmx():
        return redirect(link("sessions", show=show, deleted=deleted_at), code=303)
    undo = undo_context(deleted_at) if deleted_at else {}
    # The requesting page may show a session that is gone now.
    left = next((session_id for session_id in gone if page_address() == urlsplit(session_link(session_id)).path), None)
    parts = [session_list.list_partial(), partial("undo", "innerHTML", _undo(undo, left))]
    if left:
        parts.append(pieces.welcome_partials())
    return fragments(*parts, push=link("index") if left else None)


def _restored(left: str | None) -> AnyResponse:
    """The list, and the session that the page showed before it was deleted, if the page still shows the welcome."""
    is_at_welcome = is_htmx() and page_address() == urlsplit(link("index")).path
    session = manager().reader.find(left, owner()) if left and is_at_welcome else None
    if session is None:
        return _done()
    parts = [session_list.list_partial(), partial("undo", "innerHTML", "")]
    return fragments(*parts, pieces.session_partials(session), push=session_link(session.session_id))


def _undo(undo: dict[str, Any], left: str | None) -> str:
    return render_template("webchat/_undo.html", **undo, left=left) if undo else ""
