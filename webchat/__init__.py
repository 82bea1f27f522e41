"""A browser chat for any agent or model: server-rendered, stored in plain files, safe against crashes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from webchat.app import create_app as create_app
    from webchat.backends.chat_model import ChatModelBackend as ChatModelBackend
    from webchat.manager import WebChatSessionManager as WebChatSessionManager
    from webchat.web import create_blueprint as create_blueprint

__all__ = ["ChatModelBackend", "WebChatSessionManager", "create_app", "create_blueprint"]
__version__ = "0.1.0"

_HOMES = {
    "ChatModelBackend": "backends.chat_model",
    "WebChatSessionManager": "manager",
    "create_app": "app",
    "create_blueprint": "web",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401
    # Flask is loaded only on demand: a script's `from webchat.session_store import …` does not need it.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
