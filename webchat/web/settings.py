"""The settings page: the model and how it answers, the theme, and memories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.exceptions import Forbidden, NotFound
from werkzeug.wrappers import Response as AnyResponse

from webchat.backends.openai import nearby
from webchat.backends.openai.nearby import address_at, nearby_servers
from webchat.errors import InvalidInput, WebChatError
from webchat.live_settings import LiveSettings
from webchat.models.shelf import Shelf
from webchat.web import guard, habits
from webchat.web.context import chat_of, manager, owner
from webchat.web.faces import Face, is_script, json_answer, script_answer, wanted_face
from webchat.web.housekeeping import is_just_now
from webchat.web.htmx import is_htmx, reload_page
from webchat.web.inputs import request_fields
from webchat.web.settings_form import SettingsForm, posted, tested
from webchat.web.settings_models import ModelsSection
from webchat.web.templates import render_template

MEMORIES_SHOWN = 100
"""Memories on one page."""


class SettingsPage:
    """Shows the application's current settings, and saves those that a person may change."""

    def __init__(self, live: LiveSettings, shelf: Shelf) -> None:
        self._live = live
        self._models = ModelsSection(shelf)

    def blueprint(self) -> Blueprint:
        blueprint = Blueprint("settings", __name__)
        blueprint.get("/", endpoint="page")(self.page)
        blueprint.post("/", endpoint="save")(self.save)
        blueprint.post("/habits", endpoint="habits")(self.habits)
        blueprint.post("/test", endpoint="test")(self.test)
        blueprint.get("/servers", endpoint="servers")(self.servers)
        action = "<any(delete, restore, purge):action>"
        blueprint.post(f"/memories/<memory_id>/{action}", endpoint="tidy_memory")(self.tidy_memory)
        if self._has_models:
            self._models.register(blueprint)
        guard(blueprint)
        return blueprint

    def page(self) -> AnyResponse | str:
        if wanted_face() is Face.JSON:
            return json_answer(SettingsForm(self._live).described(manager().label))
        gone = request.args.get("gone") if is_just_now(request.args.get("deleted")) else None
        return self._page(saved="saved" in request.args, kept="kept" in request.args, gone=gone)

    def save(self) -> AnyResponse | tuple[str, int]:
        given = posted(request_fields())
        try:
            self._live.save(self._live.changes(given), manager())
        except InvalidInput as error:
            if is_script():
                raise
            return self._page(given, problem=str(error)), 422
        answer = redirect(url_for(".page", saved=""), code=303)
        if is_htmx():
            return reload_page(answer)
        return script_answer(SettingsForm(self._live).described(manager().label)) or answer

    def habits(self) -> AnyResponse:
        """Save a person's habits in the browser."""
        given = habits.submitted(request_fields())
        page = redirect(url_for(".page", kept="", _anchor="habits"), code=303)
        return habits.keep(script_answer(given) or page, given)

    def test(self) -> AnyResponse | str:
        """Ask the server in the form for its models; `server` fills in the one at that port of this machine."""
        self._refuse_where_shared()
        fields = request_fields()
        given, port = posted(fields), _known_port(fields.optional("server"))
        if port:
            given |= {"backend": "openai", "base_url": address_at(port)}
        try:
            connection: dict[str, Any] = {"models": tested(self._live.with_changes(self._live.changes(given)))}
        except WebChatError as error:
            if is_script():
                raise
            connection = {"problem": str(error)}
        if response := script_answer(connection):
            return response
        if not is_htmx():
            return self._page(given, connection=connection)
        part = "webchat/_settings_server.html" if port else "webchat/_connection.html"
        return render_template(part, form=SettingsForm(self._live, given), connection=connection)

    def servers(self) -> Response | str:
        """The model servers on this machine that answer on their usual ports."""
        self._refuse_where_shared()
        found = nearby_servers(int(request.environ.get("SERVER_PORT") or 0))
        if wanted_face() is Face.JSON:
            return json_answer(
                {
                    "servers": [
                        {"name": one.name, "base_url": address_at(one.port), "models": one.models} for one in found
                    ]
                }
            )
        if is_htmx():
            return render_template("webchat/_settings_nearby.html", nearby=found)
        return self._page(nearby=found)

    def _refuse_where_shared(self) -> None:
        """Refuse if the chat is shared: its users must not explore the server's network."""
        if self._live.is_shared:
            raise Forbidden("Only the person who runs this server can look for model servers or test one.")

    def tidy_memory(self, memory_id: str, action: str) -> AnyResponse | str:
        """Delete a memory, restore it, or remove it for good."""
        memory = chat_of().memory
        if memory is None or not getattr(memory, action)(memory_id, owner()):
            raise NotFound("There is no such memory. It may have been deleted already.")
        if is_htmx():
            gone = memory_id if action == "delete" else None
            return render_template("webchat/_settings_memories.html", **_memories(), gone=gone)
        gone, deleted = (memory_id, manager().now()) if action == "delete" else (None, None)
        page = redirect(url_for(".page", gone=gone, deleted=deleted, _anchor="memories"), code=303)
        return script_answer({f"{action}d": memory_id}) or page

    def _page(self, given: Mapping[str, str] | None = None, **more: Any) -> str:  # noqa: ANN401
        return render_template(
            "webchat/_settings.html" if is_htmx() else "webchat/settings.html",
            form=SettingsForm(self._live, given),
            label=manager().label,
            **_memories(),
            takes_context="context" in manager().takes,
            **(self._models.shown() if self._has_models else {}),
            signed_in_as=owner(),
            **more,
        )

    @property
    def _has_models(self) -> bool:
        """Whether the page may download and remove models on this machine."""
        return not self._live.own_backend and not self._live.is_shared


def _memories() -> dict[str, Any]:
    """A page of memories, those in the trash, newest first, and the number of the next page, if any."""
    memory = chat_of().memory
    page = max(0, request.args.get("memories", 0, type=int))
    found = [*reversed(memory.list(owner()))] if memory else []
    shown = found[page * MEMORIES_SHOWN : (page + 1) * MEMORIES_SHOWN]
    older = max(0, len(found) - (page + 1) * MEMORIES_SHOWN)
    trash = [*reversed(memory.trash(owner()))][:MEMORIES_SHOWN] if memory else []
    return {"memories": shown, "older": older, "memories_page": page, "trash": trash}


def _known_port(text: str | None) -> int | None:
    if text is None:
        return None
    port = next((port for port in nearby.PORTS if str(port) == text), None)
    if port is None:
        raise InvalidInput("There is no such server.")
    return port
