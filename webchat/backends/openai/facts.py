"""What kinds of servers tell of a model beside their list: whether it sees, and its context. Knows no HTTP.

Only a server is asked that its list of models, or its usual port, shows to be of a kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

Ask = Callable[[str, Mapping[str, Any] | None], Any]
"""Asks for a path below the server's root; with a body by POST. The JSON of its answer, None if there is none."""
_CONTEXT = re.compile(r"^num_ctx\s+(\d+)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Facts:
    """`sees` is None, and `context`, in tokens, 0, where nothing is said of it."""

    sees: bool | None = None
    context: int = 0


class Kind(Protocol):
    """A kind of server."""

    @property
    def port(self) -> int:
        """Where it usually listens."""

    @property
    def owners(self) -> Collection[str]:
        """How its list of models calls their owner."""

    def facts(self, ask: Ask, model: str) -> Facts:
        """What the server tells of this model. Raises what `ask` raises."""


class Ollama:
    """A model's own context is longer than what is used of it: the loaded one's counts, or what was set for it."""

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
    """Has one model, whatever it is called; a router of several is asked for the one that is meant."""

    port, owners = 8080, ("llamacpp",)

    def facts(self, ask: Ask, model: str) -> Facts:
        told = _object(ask(f"/props?model={quote(model, safe='')}", None))
        sees = _object(told.get("modalities")).get("vision")
        size = _object(told.get("default_generation_settings")).get("n_ctx")
        return Facts(sees if isinstance(sees, bool) else None, _first(size))


class LMStudio:
    """Lists its models once more, with their types."""

    port, owners = 1234, ("organization_owner",)

    def facts(self, ask: Ask, model: str) -> Facts:
        listed = _objects(ask("/api/v0/models", None), "data")
        told: Mapping[str, Any] = next((entry for entry in listed if entry.get("id") == model), {})
        sees = {"vlm": True, "llm": False}.get(str(told.get("type")))
        return Facts(sees, _first(told.get("loaded_context_length"), told.get("max_context_length")))


KINDS: tuple[Kind, ...] = (Ollama(), LlamaCpp(), LMStudio())


def kind_of(listed: Any, url: str) -> Kind | None:  # noqa: ANN401
    """The kind of the server at that base URL with that list of models; None if it is of none of them."""
    if not url.endswith("/v1"):
        return None
    owners = {entry.get("owned_by") for entry in _objects(listed, "data")}
    by_owner = (kind for kind in KINDS if owners.intersection(kind.owners))
    by_port = (kind for kind in KINDS if urlsplit(url).port == kind.port)
    return next(by_owner, None) or (None if owners - {None} else next(by_port, None))


def _is_named(entry: Mapping[str, Any], model: str) -> bool:
    """Whether this is the model; the name of its latest version may go without that."""
    return str(entry.get("name")).removesuffix(":latest") == model.removesuffix(":latest")


def _first(*sizes: Any) -> int:  # noqa: ANN401
    """The first that is a size."""
    return next((size for size in sizes if isinstance(size, int) and not isinstance(size, bool) and size > 0), 0)


def _object(value: Any) -> Mapping[str, Any]:  # noqa: ANN401
    return value if isinstance(value, dict) else {}


def _objects(value: Any, name: str) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401
    entries = _object(value).get(name)
    return (entry for entry in entries if isinstance(entry, dict)) if isinstance(entries, list) else iter(())
