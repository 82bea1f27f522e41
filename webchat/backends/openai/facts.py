"""Reads what known kinds of model servers say about a model besides their list: pictures, context. Knows no HTTP.

A server is asked only if its list of models or its port shows which kind it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

Ask = Callable[[str, Mapping[str, Any] | None], Any]
"""Requests a path below the server's root, by POST if there is a body. Returns the decoded JSON, or None."""
_CONTEXT = re.compile(r"^num_ctx\s+(\d{1,12})\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Facts:
    """`sees` is None if unknown; `context` is in tokens, 0 if unknown."""

    sees: bool | None = None
    context: int = 0


class Kind(Protocol):
    """A kind of server."""

    @property
    def port(self) -> int:
        """Its default port."""

    @property
    def owners(self) -> Collection[str]:
        """The owners that its list of models names."""

    def facts(self, ask: Ask, model: str) -> Facts:
        """What the server says about this model. Raises the exceptions of `ask`."""


class Ollama:
    """A model's own context may be longer than Ollama uses: that of the loaded model counts, or the configured one."""

    port, owners = 11434, ("library",)

    def facts(self, ask: Ask, model: str) -> Facts:
        shown = _object(ask("/api/show", {"model": model}))
        able, known = shown.get("capabilities"), _object(shown.get("model_info"))
        loaded = [entry for entry in _objects(ask("/api/ps", None), "models") if _is_named(entry, model)]
        was_set = _CONTEXT.search(str(shown.get("parameters") or ""))
        own = next((size for name, size in known.items() if name.endswith(".context_length")), 0)
        sizes = (*(entry.get("context_length") for entry in loaded), int(was_set[1]) if was_set else 0, own)
        return Facts("vision" in able if isinstance(able, list) and able else None, _first(*sizes))


class LlamaCpp:
    """Serves one model under any name; a router of several needs the name."""

    port, owners = 8080, ("llamacpp",)

    def facts(self, ask: Ask, model: str) -> Facts:
        props = _object(ask(f"/props?model={quote(model, safe='')}", None))
        sees = _object(props.get("modalities")).get("vision")
        size = _object(props.get("default_generation_settings")).get("n_ctx")
        return Facts(sees if isinstance(sees, bool) else None, _first(size))


class LMStudio:
    """Has a second list of models, with their types."""

    port, owners = 1234, ("organization_owner",)

    def facts(self, ask: Ask, model: str) -> Facts:
        listed = _objects(ask("/api/v0/models", None), "data")
        found: Mapping[str, Any] = next((entry for entry in listed if entry.get("id") == model), {})
        sees = {"vlm": True, "llm": False}.get(str(found.get("type")))
        return Facts(sees, _first(found.get("loaded_context_length"), found.get("max_context_length")))


KINDS: tuple[Kind, ...] = (Ollama(), LlamaCpp(), LMStudio())


def kind_of(listed: Any, url: str) -> Kind | None:  # noqa: ANN401
    """The kind of the server with that base URL and list of models; None if it is unknown."""
    if not url.endswith("/v1"):
        return None
    named = (entry.get("owned_by") for entry in _objects(listed, "data"))
    owners = {owner for owner in named if owner is None or isinstance(owner, str)}
    by_owner = (kind for kind in KINDS if owners.intersection(kind.owners))
    by_port = (kind for kind in KINDS if urlsplit(url).port == kind.port)
    return next(by_owner, None) or (None if owners - {None} else next(by_port, None))


def _is_named(entry: Mapping[str, Any], model: str) -> bool:
    """Whether this is the model; the tag ":latest" may be missing."""
    return str(entry.get("name")).removesuffix(":latest") == model.removesuffix(":latest")


def _first(*sizes: Any) -> int:  # noqa: ANN401
    """The first value that is a valid size."""
    return next((size for size in sizes if isinstance(size, int) and not isinstance(size, bool) and size > 0), 0)


def _object(value: Any) -> Mapping[str, Any]:  # noqa: ANN401
    return value if isinstance(value, dict) else {}


def _objects(value: Any, name: str) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401
    entries = _object(value).get(name)
    return (entry for entry in entries if isinstance(entry, dict)) if isinstance(entries, list) else iter(())
