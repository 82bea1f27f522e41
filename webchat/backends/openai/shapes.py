"""Reads the values of a chat completion, whatever a server has sent in their place. Knows no answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOST_NESTED = 8
LONGEST_NAME = 200


class Malformed(Exception):
    """The server sent something that is not a chat completion."""


def said_in(choice: Mapping[str, Any]) -> Mapping[str, Any]:
    """A part of an answer, or the whole; `text` is the name of older servers, which complete texts."""
    return mapping(choice.get("delta") or choice.get("message") or {"content": choice.get("text")})


def token_of(chunk: Any, index: Any) -> str:  # noqa: ANN401
    """The text of a chunk that contains nothing else; "" for any other chunk."""
    try:
        choice = chunk["choices"][0]
        delta = choice["delta"]
        token = delta["content"]
        if (
            choice.get("index", index) != index
            or choice.get("finish_reason")
            or chunk.get("usage")
            or chunk.get("prompt_progress")
        ):
            return ""
        if len(delta) > 1 and any(value and name not in ("content", "role") for name, value in delta.items()):
            return ""
    except (TypeError, LookupError, AttributeError):
        return ""
    return token if isinstance(token, str) else ""


def thought(value: Any, depth: int = 0) -> str:  # noqa: ANN401
    """The text of reasoning: a string, or a list of parts, which gateways nest."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(thought(part, depth + 1) for part in value) if depth < MOST_NESTED else ""
    if not isinstance(value, dict):
        raise Malformed(type(value).__name__)
    names = ("thinking", "text", "summary", "reasoning", "content")
    found = next((value[name] for name in names if value.get(name)), "")
    return thought(found, depth + 1) if depth < MOST_NESTED else ""


def mapping(value: Any) -> Mapping[str, Any]:  # noqa: ANN401
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Malformed(type(value).__name__)
    return value


def as_name(value: Any) -> str:  # noqa: ANN401
    """A name to show, "" if the value is not one."""
    return value[:LONGEST_NAME] if isinstance(value, str) and value.isprintable() else ""


def as_text(value: Any) -> str:  # noqa: ANN401
    """JSON can contain a lone surrogate, which cannot be encoded in a file."""
    if not isinstance(value, str):
        raise Malformed(type(value).__name__)
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value
