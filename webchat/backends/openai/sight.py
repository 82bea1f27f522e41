"""Finds out which models see pictures, from a server's list of models or its refusal of a picture. Knows no server.

There is no standard for it. llama.cpp and Ollama list capabilities, Mistral an object of them, OpenRouter the input
modalities of a model; with others only the refusal tells.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

SEEING = {"multimodal", "vision", "image"}
_ABOUT_PICTURES = re.compile(r"image|vision|multi-?modal|mmproj|content must be a string", re.IGNORECASE)
_ABOUT_THIS_ONE = re.compile(
    r"too (large|big|small)|exceed|dimension|resolution|corrupt|decod|download|invalid image|process", re.IGNORECASE
)


def sight_of(listed: Mapping[str, Any]) -> dict[str, bool]:
    """Whether the models in a server's list see pictures, by name; only those of which the list says so or not."""
    return dict(_sight_of(listed))


def says_blind(status: int, refusal: str) -> bool:
    """Whether a server that refuses a question with pictures says that its model does not see any."""
    is_refusal = 400 <= status < 500 or status in (500, 501)
    return is_refusal and bool(_ABOUT_PICTURES.search(refusal)) and not _ABOUT_THIS_ONE.search(refusal)


def _sight_of(listed: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    for entries in (listed.get("models"), listed.get("data")):
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict) and isinstance(name := entry.get("id") or entry.get("model"), str):
                sees = _sees(entry)
                if sees is not None:
                    yield name, sees


def _sees(entry: Mapping[str, Any]) -> bool | None:
    architecture = entry.get("architecture")
    modalities = architecture.get("input_modalities") if isinstance(architecture, dict) else None
    capabilities = entry.get("capabilities")
    if isinstance(capabilities, dict):
        return capabilities["vision"] if isinstance(capabilities.get("vision"), bool) else None
    known = modalities if isinstance(modalities, list) else capabilities
    if not isinstance(known, list) or not known:
        return None
    return any(isinstance(each, str) and each in SEEING for each in known)
