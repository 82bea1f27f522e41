"""Renders the chat's templates, in a Jinja environment that the host application cannot change.

A host's context processors, globals, filters and undefined type do not apply here.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from flask import g, request, url_for
from jinja2 import Environment, FileSystemLoader, PrefixLoader

from webchat.chat.message import new_message_id
from webchat.web.context import chat_of, day_of, hint_version, link, local_time, resources, static_link
from webchat.web.habits import habits
from webchat.web.htmx import is_htmx
from webchat.web.new_session import known_folders, short_folder
from webchat.web.saved_prompts import commands


def render_template(name: str, **context: Any) -> str:  # noqa: ANN401
    """The text of one of our templates, such as `webchat/chat.html`. It sees `context` and the globals below."""
    return environment().get_template(name).render(context)


@cache
def environment() -> Environment:
    """The environment of all chats in this process, so that each template is compiled once."""
    loader = PrefixLoader({"webchat": FileSystemLoader(resources("templates"))})
    own = Environment(loader=loader, autoescape=True, auto_reload=False)
    own.globals |= {
        "g": g,
        "request": request,
        "url_for": url_for,
        "webchat_chat": chat_of,
        "webchat_commands": commands,
        "webchat_day": day_of,
        "webchat_habits": habits,
        "webchat_hint_version": hint_version,
        "webchat_is_htmx": is_htmx,
        "webchat_known_folders": known_folders,
        "webchat_link": link,
        "webchat_local_time": local_time,
        "webchat_new_key": new_message_id,
        "webchat_short_folder": short_folder,
        "webchat_static_link": static_link,
    }
    return own
