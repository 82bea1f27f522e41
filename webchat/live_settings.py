"""The settings of a running chat: which are fixed, and by what; changes, and the backend that results from them.

Knows no form and no page.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from webchat import config
from webchat.backends import SessionBackend, abilities, create_backend
from webchat.backends.chat_model import ChatModelBackend, Nobody
from webchat.backends.openai.endpoint import HIDDEN, bare, without_password
from webchat.config import BELONGS_TO, Settings, Source
from webchat.errors import InvalidInput, StorageError
from webchat.manager import WebChatSessionManager
from webchat.storage.protocols.documents import Documents

LABELS = {
    "backend": "Who answers",
    "base_url": "Address",
    "api_key": "Key",
    "header": "Headers",
    "model": "Model",
    "system_prompt": "System prompt",
    "temperature": "Temperature",
    "titles": "Titles",
    "title_model": "Model for titles",
    "memory_context": "Memories",
    "theme": "Theme",
}
"""The settings that people may change, and their labels."""
BESIDE_THE_BACKEND = ("memory_context", "theme")
WHO = ("backend", "model", "base_url", "api_key", "header")
UNUSABLE = "The model in the settings cannot be used."
MEND = "Choose another in the settings, or save them again when it is available."
NOT_KEPT = "Keys and passwords are not saved here, because others than this server can read saved settings."
Changes = Mapping[str, Any]
"""The values to save, by setting; None resets to the default."""


class LiveSettings:
    """The settings of one application, which may change while it runs.

    `explicit` and `environ` override saved settings: what they set is fixed. With `own_backend` the application has its
    own backend, whose settings cannot be changed.
    """

    def __init__(
        self,
        explicit: Mapping[str, Any],
        environ: Mapping[str, str],
        documents: Documents,
        *,
        own_backend: bool = False,
    ) -> None:
        """`documents` have the saved settings, which all servers on the same storage share."""
        self._explicit, self._environ, self._documents = explicit, environ, documents
        self.own_backend = own_backend
        self._loaded: tuple[object, tuple[Settings, dict[str, Source]]] | None = None
        """The settings as last read, and the version of the saved ones then."""
        self._is_whole = True
        """Whether all saved settings were valid then."""
        self._running, _ = self.load()
        self._followed = self._running
        """The settings that were last compared with those in use."""
        self._nobody_answers = False
        self._saving = threading.Lock()

    def load(self) -> tuple[Settings, dict[str, Source]]:
        """The current settings, and the source of each. Reads them again only if they have changed.

        While the storage cannot be read, the last ones are returned.
        """
        loaded = self._loaded
        try:
            version = config.version(self._documents)
            if loaded is None or loaded[0] != version:
                saved, self._is_whole = config.saved_now(self._documents)
                loaded = self._loaded = version, config.resolve(self._explicit, self._environ, saved)
        except OSError:
            return loaded[1] if loaded else config.load(self._explicit, self._environ, self._documents)
        return loaded[1]

    @property
    def is_shared(self) -> bool:
        """Whether several people sign in: then none of them may change what applies to all."""
        return bool(self._running.auth_header)

    def first_backend(self) -> SessionBackend:
        """The backend at the start. The chat starts even if the saved settings are no longer usable.

        Then there is no model, and the page says why and links the settings. Raises InvalidInput if nothing was saved.
        """
        settings, sources = self.load()
        self._running = self._followed = settings
        try:
            return create_backend(settings.backend, settings)
        except InvalidInput as error:
            if not any(sources[name] == "file" for name in WHO):
                raise
            self._nobody_answers = True
            return _nobody(error)

    def follow(self, manager: WebChatSessionManager) -> None:
        """Give the manager a new backend, if another process or an editor has saved other settings.

        Cheap: reads only the version of the saved settings. Unreadable or invalid settings change nothing.
        """
        settings, _ = self.load()
        if settings is self._followed or not self._is_whole:
            return
        with self._saving:
            settings, _ = self.load()
            if not self._is_whole:  # an editor may be writing it
                return
            try:
                backend, is_nobody = self._new_backend(settings), False
            except InvalidInput as error:
                backend, is_nobody = _nobody(error), True
            if backend is not None:
                manager.use_backend(backend)
                self._running, self._nobody_answers = settings, is_nobody
            self._followed = settings

    def theme(self) -> str:
        return self.load()[0].theme

    @property
    def keeps_secrets(self) -> bool:
        """Whether keys and headers can be saved: only if nobody else reads the saved settings."""
        return self._documents.are_private

    def fixed_by(self, name: str) -> str:
        """What fixes a setting: a flag, a variable, the application; "" if it may be changed."""
        if self.own_backend and name not in BESIDE_THE_BACKEND:
            return "the application"
        if self.is_shared:
            return "who runs the server"
        source = self.load()[1][name]
        if source not in ("flag", "environment"):
            return ""
        return config.BY_NAME[name].flag if source == "flag" else config.BY_NAME[name].key

    def changes(self, given: Mapping[str, str]) -> Changes:
        """The changes that saving these texts, by setting, would make; a blank one resets to the default.

        A key and headers belong to their address: with another address and no new ones they are removed.
        Raises InvalidInput.
        """
        settings, _ = self.load()
        # If several people share the chat the address is hidden, and must not be found by guessing.
        if not self.is_shared:
            given = {name: text for name, text in given.items() if not _is_shown(name, text, settings)}
        changes = {name: self._checked(name, text) for name, text in given.items()}
        address = changes.get("base_url", settings.base_url) or ""
        for name, note in BELONGS_TO.items():
            if not config.is_same_address(address, settings.base_url) and not self.fixed_by(name):
                changes.setdefault(name, None)
            if name in changes:
                changes[note] = address if changes[name] else None
        return changes

    def with_changes(self, changes: Changes) -> Settings:
        """The settings as they would be."""
        saved = {**config.read_saved(self._documents), **changes}
        settings, _ = config.resolve(self._explicit, self._environ, saved)
        return settings

    def save(self, changes: Changes, manager: WebChatSessionManager) -> None:
        """Save the changes; they apply to the next message.

        Raises InvalidInput if these settings give no usable backend, or others could read a key; StorageError.
        Nothing has changed then.
        """
        if not self.keeps_secrets:
            _require_no_secret(changes)
        with self._saving:
            settings = self.with_changes(changes)
            backend = self._new_backend(settings)
            try:
                config.save(self._documents, changes)
            except OSError as error:
                abilities.close(backend)
                raise StorageError("The settings could not be saved", error) from error
            if backend is not None:
                manager.use_backend(backend)
                self._running, self._nobody_answers = settings, False

    def _new_backend(self, settings: Settings) -> SessionBackend | None:
        """The backend for these settings; None if the current one will do."""
        as_now = replace(settings, **{name: getattr(self._running, name) for name in BESIDE_THE_BACKEND})
        if self.own_backend or (as_now == self._running and not self._nobody_answers):
            return None
        return create_backend(settings.backend, settings)

    def _checked(self, name: str, text: str) -> Any:  # noqa: ANN401
        """The value to save, None for the default. Raises InvalidInput."""
        setting, fixed = config.BY_NAME[name], self.fixed_by(name)
        if fixed:
            raise InvalidInput(f"{LABELS[name]} cannot be changed here: it is set by {fixed}.")
        text = bare(text) if name == "base_url" else text
        if name == "base_url" and HIDDEN in text:
            raise InvalidInput("Type the password in the address again, or leave the whole address as it was.")
        try:
            value = setting.parse(text) if text else setting.default
        except ValueError as error:
            shown = "this" if setting.secret else f"“{text[:100]}”"
            raise InvalidInput(f"{LABELS[name]} cannot be {shown}: {error}.") from error
        if value == setting.default:
            return None
        return text if setting.many else value


def _nobody(error: InvalidInput) -> SessionBackend:
    """A backend that only says why the settings cannot be used."""
    return ChatModelBackend(Nobody("Nobody", f"{error} {MEND}", UNUSABLE))


def _require_no_secret(changes: Changes) -> None:
    """Raises InvalidInput for a key, for headers, and for an address with a password in it."""
    address = changes.get("base_url")
    secret = [name for name in BELONGS_TO if changes.get(name)]
    if secret or (address and address != without_password(address)):
        name = secret[0] if secret else "base_url"
        raise InvalidInput(f"{NOT_KEPT} Set {config.BY_NAME[name].key} where the server is started instead.")


def _is_shown(name: str, text: str, settings: Settings) -> bool:
    """Whether this is the address as the page shows it, without its password."""
    return name == "base_url" and bool(text) and text == without_password(settings.base_url)
