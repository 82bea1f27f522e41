"""The settings page: what the chat runs on, the theme, and what is remembered."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from webchat import config
from webchat.errors import InvalidInput, StorageError
from webchat.htmx import is_htmx, reload_page
from webchat.views import guard
from webchat.views.context import chat_of
from webchat.views.inputs import request_fields


class SettingsPage:
    """Shows the settings that the application runs with, and saves those that a person may change."""

    def __init__(self, explicit: dict[str, object], environ: dict[str, str]) -> None:
        """`explicit` and `environ` are the layers above the saved file; what they set is shown as locked."""
        self._explicit, self._environ = explicit, environ

    def blueprint(self) -> Blueprint:
        blueprint = Blueprint("settings", __name__)
        blueprint.get("/", endpoint="page")(self.page)
        blueprint.post("/", endpoint="save")(self.save)
        guard(blueprint)
        return blueprint

    def load(self) -> tuple[config.Settings, dict[str, config.Source]]:
        return config.load(self._explicit, self._environ)

    def theme(self) -> str:
        return self.load()[0].theme

    def page(self) -> str:
        settings, sources = self.load()
        chat = chat_of()
        return render_template(
            "webchat/_settings.html" if is_htmx() else "webchat/settings.html",
            settings=settings,
            sources=sources,
            themes=config.THEMES,
            saved="saved" in request.args,
            memories=chat.memory.list() if chat.memory else [],
            label=chat.manager.label,
        )

    def save(self) -> AnyResponse:
        settings, sources = self.load()
        if sources["theme"] in ("flag", "environment"):
            raise InvalidInput("The theme is fixed where the chat was started.")
        theme = request_fields().required("theme", "Choose a theme.")
        try:
            config.save(settings.home, {"theme": theme})
        except OSError as error:
            raise StorageError("The settings could not be saved", error) from error
        answer = redirect(url_for("settings.page", saved=""), code=303)
        return reload_page(answer) if is_htmx() else answer
