"""The settings as a form: the values of its fields, and the submitted settings. Knows no route."""

from __future__ import annotations

from collections.abc import Mapping

from webchat import config
from webchat.backends import backend_names
from webchat.backends.openai import OpenAIModel
from webchat.backends.openai.endpoint import without_password
from webchat.backends.openai.nearby import address_at
from webchat.config import BELONGS_TO, Settings
from webchat.errors import InvalidInput
from webchat.live_settings import BESIDE_THE_BACKEND, LABELS, LiveSettings
from webchat.web.inputs import Fields

BACKENDS = {
    "local": "A model on this machine",
    "acp": "An agent (Agent Client Protocol)",
    "openai": "A model server (OpenAI-compatible)",
    "mock": "Nobody: your messages are repeated",
}
TITLES = {
    "auto": "By the model, unless it is an agent",
    "on": "By the model or agent",
    "off": "By the first words of the message",
}
TEST_PATIENCE = 5.0
"""Seconds that a person waits for a test."""


class SettingsForm:
    """The values in the form: the current settings or, with `given`, those that somebody has filled in."""

    labels = LABELS
    themes = config.THEMES
    titles = TITLES
    example_address = address_at(11434)

    def __init__(self, live: LiveSettings, given: Mapping[str, str] | None = None) -> None:
        self._live = live
        self._given = given or {}
        self._settings, self._sources = live.load()

    @property
    def home(self) -> str:
        return str(self._settings.home.expanduser())

    @property
    def backends(self) -> dict[str, str]:
        """The names of backends, with labels for people."""
        return {name: BACKENDS.get(name, name) for name in backend_names()}

    @property
    def has_key(self) -> bool:
        return bool(self._settings.api_key)

    @property
    def header_names(self) -> str:
        """The names of the configured headers; their values are never shown."""
        return ", ".join(name for name, _ in self._settings.header)

    def not_saved(self, name: str) -> str:
        """Where to set a key or headers instead, if they cannot be saved here; else ""."""
        if self._live.keeps_secrets:
            return ""
        return f"Not saved here: set {config.BY_NAME[name].key} where the server is started."

    @property
    def is_own_backend(self) -> bool:
        return self._live.own_backend

    @property
    def is_shared(self) -> bool:
        """Whether several people see the page: it then hides how the server is run."""
        return self._live.is_shared

    def fixed_by(self, name: str) -> str:
        return self._live.fixed_by(name)

    def chosen(self, name: str) -> str:
        """The effective value, also if it is the default."""
        return self._given.get(name) or str(getattr(self._settings, name))

    @property
    def titles_chosen(self) -> str:
        """The effective value of `titles`."""
        chosen = self.chosen("titles").lower()
        return chosen if chosen == "auto" else "on" if self.is_on("titles") else "off"

    def is_on(self, name: str) -> bool:
        return config.WORDS.get(self.chosen(name).lower(), False)

    def value(self, name: str) -> str:
        """A text field's content: empty for the default, which its placeholder shows; never the key or a header."""
        if name in BELONGS_TO:
            return ""
        own = "" if self._sources[name] == "default" else str(getattr(self._settings, name))
        text = self._given.get(name, own)
        return without_password(text) if name == "base_url" else text

    def described(self, label: str) -> dict[str, object]:
        """The settings for scripts; of the key only whether there is one, of headers only the names."""
        shown: dict[str, object] = {name: getattr(self._settings, name) for name in LABELS}
        shown |= {"base_url": without_password(self._settings.base_url), "api_key": self.has_key}
        shown["header"] = [name for name, _ in self._settings.header]
        fixed = {name: by for name in LABELS if (by := self.fixed_by(name))}
        if self.is_shared:
            shown = {name: shown[name] for name in BESIDE_THE_BACKEND}
        return {
            "settings": shown,
            "fixed_by": fixed,
            "answers": label,
            **({} if self.is_shared else {"home": self.home}),
        }


def posted(fields: Fields) -> dict[str, str]:
    """The submitted settings, by name. A blank key changes nothing: `remove_key` removes the saved one.

    The same holds for headers and `remove_header`.
    """
    given = {name: text for name in LABELS if (text := fields.setting(name)) is not None}
    for name, remove in (("api_key", "remove_key"), ("header", "remove_header")):
        if not given.get(name):
            given.pop(name, None)
            if config.WORDS.get((fields.setting(remove) or "off").lower()):
                given[name] = ""
    return given


def tested(settings: Settings) -> list[str]:
    """The models of the server in these settings. Raises InvalidInput, BackendUnavailable."""
    if not settings.base_url:
        raise InvalidInput("Fill in the server's address first.")
    model = OpenAIModel(
        settings.base_url, api_key=settings.api_key, connect_timeout=TEST_PATIENCE, headers=settings.header
    )
    try:
        return model.list_models(within=TEST_PATIENCE)
    finally:
        model.close()
