"""The chat as a Flask blueprint that mounts in any application, under any prefix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from flask import Blueprint, Flask, Response, request
from flask.blueprints import BlueprintSetupState

from webchat.errors import WebChatError
from webchat.manager import WebChatSessionManager
from webchat.memory import MemoryStore
from webchat.prompts import Prompts
from webchat.web import (
    api,
    archive,
    chat,
    controls,
    editing,
    events,
    following,
    housekeeping,
    imports,
    options,
    outputs,
    own_sessions,
    pictures,
    programs,
    questions,
    queue,
    reply_frame,
    saved_prompts,
    security,
    sessions,
)
from webchat.web import errors as errors_http
from webchat.web.compression import compress
from webchat.web.context import Chat, resources
from webchat.web.htmx import REQUEST_HEADER as HTMX_HEADER
from webchat.web.streams import release_unused

__all__ = ["create_blueprint", "finish", "guard", "resources"]

MODULES = (
    archive,
    imports,
    own_sessions,
    chat,
    sessions,
    editing,
    controls,
    queue,
    events,
    following,
    housekeeping,
    options,
    outputs,
    pictures,
    programs,
    questions,
    reply_frame,
    saved_prompts,
    api,
)
"""The modules that have routes, which `register` adds to the blueprint."""
FINISHED = "webchat finished"
"""The attribute of a request that holds its response once that has our headers."""


def create_blueprint(
    manager: WebChatSessionManager,
    *,
    memory: MemoryStore | None = None,
    settings_url: str = "/apps/settings/",
    name: str = "webchat",
    title: str = "Amplifier",
    theme: Callable[[], str] = lambda: "system",
    max_streams: int | None = None,
    max_streams_per_client: int = 100,
    owner: Callable[[], str | None] = lambda: None,
    folders: Sequence[str] = (),
    shared: bool = False,
    prompts: Path | None = None,
) -> Blueprint:
    """The chat over `manager`: its pages, the JSON routes, the event streams, static files and headers.

    `memory` answers "remember …" and "recall …"; without it they go to the model. `settings_url` is where the
    Settings link leads; an empty one leaves it out. `name` sets two chats in one application apart. `theme` gives
    "system", "light" or "dark". Pages poll when more than `max_streams` event streams are open, or more than
    `max_streams_per_client` of one client (0: no limit). By default the limit follows waitress's threads and is 4 under
    other servers; it must be below the number of threads. `owner` returns whose sessions a request is about, if the
    host application has several users. New sessions may work below `folders`, one or several; without any, a chat with
    a single user (`owner` returns None and it is not `shared`) allows every folder. Only a single user is offered the
    agents' own sessions. `prompts` is a folder of saved prompts, which are called by their names. The host application
    checks host names. Raises TypeError, ValueError for values with which no page could be rendered.
    """
    blueprint = Blueprint(name, "webchat", static_folder=str(resources("static")), static_url_path="/static")
    folders = (folders,) if isinstance(folders, str) else folders  # else "/srv" would be "/" and three more
    saved = Prompts(prompts)
    streams = max_streams, max_streams_per_client
    state = Chat(manager, memory, settings_url, title, theme, *streams, owner, saved, folders, shared)
    blueprint.record(lambda setup: _install(setup, state))
    for module in MODULES:
        module.register(blueprint)
    blueprint.teardown_request(release_unused)
    guard(blueprint)
    return blueprint


def guard(blueprint: Blueprint) -> None:
    """Add our checks, headers and error handlers to a blueprint."""
    blueprint.record(security.mark_views)
    blueprint.before_request(lambda: security.check_same_site(request))
    blueprint.after_request(finish)
    blueprint.register_error_handler(WebChatError, errors_http.handle)
    blueprint.register_error_handler(Exception, errors_http.handle)


def finish(response: Response) -> Response:
    """Add our headers to the response of a view or an error; only once if both blueprint and application do so."""
    kept: dict[str, object] = vars(request)
    if kept.get(FINISHED) is response:
        return response
    kept[FINISHED] = response
    is_static = (request.endpoint or "").endswith(".static") and response.status_code < 400
    if is_static:
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    else:
        response.vary.update([HTMX_HEADER, "Accept"])
    return compress(request, security.set_headers(response), is_static=is_static)


def _install(setup: BlueprintSetupState, state: Chat) -> None:
    app = cast(Flask, setup.app)
    name = f"{setup.name_prefix}.{setup.name}".lstrip(".")
    app.extensions.setdefault("webchat", state.manager)
    app.extensions.setdefault("webchat.chats", {})[name] = state
