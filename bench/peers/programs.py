"""How each of the programs is installed, started and used. Measures nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Start:
    """What a program needs to start: its environment's commands, its port, the model server, its own files."""

    programs: Path
    port: int
    model: str
    home: Path


@dataclass(frozen=True)
class Program:
    """`package` is what pip installs; `message` is the selector of the message field.

    `greeting` is the selector of the button that closes a dialog over the first page, if there is one.
    """

    name: str
    package: str
    command: Callable[[Start], list[str]]
    message: str
    variables: Callable[[Start], Mapping[str, str]] = field(default=lambda start: {})
    greeting: str = ""


def _webchat(start: Start) -> list[str]:
    options = ["--backend", "openai", "--base-url", f"{start.model}/v1", "--model", "fake", "--titles", "off"]
    return [str(start.programs / "webchat"), "serve", "--home", str(start.home), "--port", str(start.port), *options]


def _gradio(start: Start) -> list[str]:
    return [str(start.programs / "python"), str(HERE / "gradio_chat.py"), str(start.port), start.model]


def _streamlit(start: Start) -> list[str]:
    options = ["--server.port", str(start.port), "--server.address", "127.0.0.1", "--server.headless", "true"]
    return [str(start.programs / "streamlit"), "run", str(HERE / "streamlit_chat.py"), *options]


def _open_webui(start: Start) -> list[str]:
    return [str(start.programs / "open-webui"), "serve", "--host", "127.0.0.1", "--port", str(start.port)]


def _open_webui_variables(start: Start) -> Mapping[str, str]:
    """No sign-in, nothing loaded from elsewhere, and no requests to the model besides the answer."""
    off = ["WEBUI_AUTH", "ENABLE_OLLAMA_API", "ENABLE_TITLE_GENERATION", "ENABLE_TAGS_GENERATION"]
    off += ["ENABLE_FOLLOW_UP_GENERATION", "ENABLE_VERSION_UPDATE_CHECK"]
    keys = {"OPENAI_API_BASE_URL": f"{start.model}/v1", "OPENAI_API_KEY": "none", "WEBUI_SECRET_KEY": "peers"}
    keys["DEFAULT_MODELS"] = "fake"
    places = {"DATA_DIR": str(start.home), "HF_HUB_OFFLINE": "1", "OFFLINE_MODE": "True"}
    return {**dict.fromkeys(off, "False"), **keys, **places}


PROGRAMS = (
    Program("webchat", str(HERE.parent.parent), _webchat, "#messageInput"),
    Program("Gradio", "gradio", _gradio, "textarea"),
    Program(
        "Streamlit", "streamlit", _streamlit, "textarea", lambda start: {"MODEL": start.model, "HOME": str(start.home)}
    ),
    Program("Open WebUI", "open-webui", _open_webui, "#chat-input", _open_webui_variables, "text=Okay"),
)
