"""All settings: default, names, and meaning of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from webchat import conventions
from webchat.addresses import Network, networks
from webchat.config import values


def _setting(
    default: Any,  # noqa: ANN401
    key: str,
    flag: str,
    help: str,
    parse: Callable[[str], Any] = str,
    *,
    secret: bool = False,
    saved: bool = False,
    many: bool = False,
) -> Any:  # noqa: ANN401
    """One setting: its default, its name in the environment and in Flask's config, its flag, and what it means."""
    metadata = {"key": key, "flag": flag, "help": help, "parse": parse, "secret": secret, "saved": saved, "many": many}
    return field(default=default, repr=not secret, metadata=metadata)


@dataclass(frozen=True)
class Settings:
    """The program's settings. Times are in seconds; an empty text means "not set"."""

    home: Path = _setting(conventions.DATA_HOME, "AMPLIFIER_HOME", "--home", "Folder that holds all files.", Path)
    database: str = _setting(
        "",
        "WEBCHAT_DATABASE",
        "--database",
        "Address of a PostgreSQL database that keeps everything instead of files: postgresql://name:password@host/database.",
        values.database,
        secret=True,
    )
    backend: str = _setting(
        "local", "WEBCHAT_BACKEND", "--backend", "Who answers: local, openai, acp, mock, or an add-on.", saved=True
    )
    model: str = _setting(
        "auto",
        "WEBCHAT_MODEL",
        "--model",
        "A model's name; for the embedded model also a FILE.gguf, or auto.",
        saved=True,
    )
    # Never saved: otherwise whoever may change the settings could run any program.
    agent: tuple[tuple[str, ...], ...] = _setting(
        (),
        "WEBCHAT_AGENT",
        "--agent",
        "Command of an agent that speaks the Agent Client Protocol, as “opencode acp”. "
        "May be given several times; in the variable one a line.",
        values.commands,
        many=True,
    )
    folders: tuple[str, ...] = _setting(
        (),
        "WEBCHAT_FOLDERS",
        "--folders",
        "Folder below which people may choose where a new session works. "
        "May be given several times; in the variable one a line. Without one a person alone may choose any.",
        values.folders,
        many=True,
    )
    # Secret because it may contain a name and password.
    base_url: str = _setting(
        "",
        "WEBCHAT_BASE_URL",
        "--base-url",
        "Address of an OpenAI-compatible server, up to and with /v1.",
        secret=True,
        saved=True,
    )
    api_key: str = _setting("", "WEBCHAT_API_KEY", "--api-key", "Key for that server.", secret=True, saved=True)
    header: tuple[tuple[str, str], ...] = _setting(
        (),
        "WEBCHAT_HEADER",
        "--header",
        "Header that goes to that server with each request, as “X-Portkey-Provider: openai”. "
        "May be given several times; in the variable one a line.",
        values.headers,
        secret=True,
        saved=True,
        many=True,
    )
    system_prompt: str = _setting(
        "", "WEBCHAT_SYSTEM_PROMPT", "--system-prompt", "Said to the model before all else.", saved=True
    )
    temperature: float | None = _setting(
        None,
        "WEBCHAT_TEMPERATURE",
        "--temperature",
        "How freely the model chooses its words, 0 to 2; the model's own where it is not set.",
        values.temperature,
        saved=True,
    )
    memory_context: bool = _setting(
        False,
        "WEBCHAT_MEMORY_CONTEXT",
        "--memory-context",
        "Whether the model is told what is remembered: on or off.",
        values.switch,
        saved=True,
    )
    titles: bool | Literal["auto"] = _setting(
        "auto",
        "WEBCHAT_TITLES",
        "--titles",
        "Whether a model names new conversations: on, off (their first words do), or auto, which spares agents.",
        values.switch_or_auto,
        saved=True,
    )
    title_model: str = _setting(
        "",
        "WEBCHAT_TITLE_MODEL",
        "--title-model",
        "Another model of the same server that names them: a small one is enough.",
        str.strip,
        saved=True,
    )
    sources: tuple[str, ...] | Literal["auto"] = _setting(
        "auto",
        "WEBCHAT_SOURCES",
        "--sources",
        "Other programs on this machine whose conversations are listed and can be continued here, by commas: "
        "amplifier, claude-code, codex; off for none. By default all, but none where several people share the chat.",
        values.programs,
    )
    trash_days: float = _setting(
        30.0,
        "WEBCHAT_TRASH_DAYS",
        "--trash-days",
        "Days that deleted sessions and memories can be restored.",
        values.not_negative,
    )
    connect_timeout: float = _setting(
        10.0, "WEBCHAT_CONNECT_TIMEOUT", "--connect-timeout", "Seconds to wait for the model server.", values.positive
    )
    read_timeout: float = _setting(
        120.0, "WEBCHAT_READ_TIMEOUT", "--read-timeout", "Seconds that a model may be silent.", values.positive
    )
    mock_delay: float = _setting(
        0.03, "WEBCHAT_MOCK_DELAY", "--mock-delay", "Seconds between the mock's pieces.", values.not_negative
    )
    context: int = _setting(
        4096,
        "WEBCHAT_CONTEXT",
        "--context",
        "Tokens that the embedded model keeps of one session.",
        values.whole_from(1),
    )
    idle_unload: float = _setting(
        15.0,
        "WEBCHAT_IDLE_UNLOAD",
        "--idle-unload",
        "Minutes without a message after which the embedded model leaves the memory and agents are ended; 0 is never.",
        values.not_negative,
    )
    title: str = _setting("Amplifier", "WEBCHAT_TITLE", "--title", "The name at the top of the page.")
    theme: str = _setting(
        "system", "WEBCHAT_THEME", "--theme", "system, light or dark.", values.one_of(values.THEMES), saved=True
    )
    allow_host: tuple[str, ...] = _setting(
        (), "WEBCHAT_ALLOW_HOST", "--allow-host", "Host names to answer to besides loopback, by commas.", values.names
    )
    token: str = _setting(
        "",
        "WEBCHAT_TOKEN",
        "--token",
        "Who has it is let in, by a link or as a script's Bearer token; auto makes one.",
        secret=True,
    )
    auth_header: str = _setting(
        "",
        "WEBCHAT_AUTH_HEADER",
        "--auth-header",
        "Header in which a proxy names who has signed in there; each person has their own sessions.",
        values.header_name,
    )
    trusted_proxies: tuple[Network, ...] = _setting(
        networks("127.0.0.1,::1"),
        "WEBCHAT_TRUSTED_PROXIES",
        "--trusted-proxies",
        "Addresses or networks of proxies, by commas: what others say of whom they speak for is not believed.",
        networks,
    )
    proxies: int = _setting(
        0,
        "WEBCHAT_PROXIES",
        "--proxies",
        "How many proxies stand before the chat, whose X-Forwarded- headers are believed.",
        values.whole_from(0),
    )
    max_streams: int = _setting(
        250,
        "WEBCHAT_MAX_STREAMS",
        "--max-streams",
        "Event streams open at once; above it pages poll. By default as many as the connections allow.",
        values.whole_from(1),
    )
    max_streams_per_client: int = _setting(
        100,
        "WEBCHAT_MAX_STREAMS_PER_CLIENT",
        "--max-streams-per-client",
        "The same for each person or address; 0 is no limit.",
        values.whole_from(0),
    )
    max_body: float = _setting(
        1.0,
        "WEBCHAT_MAX_BODY",
        "--max-body",
        "MiB of a request at most, without the files that go with it.",
        values.positive,
    )
    max_message: int = _setting(
        1_048_576,
        "WEBCHAT_MAX_MESSAGE",
        "--max-message",
        "Characters of a message at most; 0 is no limit.",
        values.whole_from(0),
    )
    max_title: int = _setting(
        300, "WEBCHAT_MAX_TITLE", "--max-title", "Characters of a title at most; 0 is no limit.", values.whole_from(0)
    )
    max_sessions: int = _setting(
        100_000,
        "WEBCHAT_MAX_SESSIONS",
        "--max-sessions",
        "Sessions of one person at most; 0 is no limit.",
        values.whole_from(0),
    )
    max_kept: float = _setting(
        0.0,
        "WEBCHAT_MAX_KEPT",
        "--max-kept",
        "MiB of one person's conversations at most, with the trash; 0 is no limit.",
        values.not_negative,
    )
    max_messages_per_minute: int = _setting(
        0,
        "WEBCHAT_MAX_MESSAGES_PER_MINUTE",
        "--max-messages-per-minute",
        "Messages of one person in a minute at most; 0 is no limit.",
        values.whole_from(0),
    )
    max_imports_per_minute: int = _setting(
        0,
        "WEBCHAT_MAX_IMPORTS_PER_MINUTE",
        "--max-imports-per-minute",
        "Imports of one person in a minute at most; 0 is no limit.",
        values.whole_from(0),
    )
    max_replies: int = _setting(
        250,
        "WEBCHAT_MAX_REPLIES",
        "--max-replies",
        "Answers written at once, in all; 0 is no limit.",
        values.whole_from(0),
    )
    max_replies_per_client: int = _setting(
        100,
        "WEBCHAT_MAX_REPLIES_PER_CLIENT",
        "--max-replies-per-client",
        "The same for each person or address; 0 is no limit.",
        values.whole_from(0),
    )
    answer_time: float = _setting(
        3600.0,
        "WEBCHAT_ANSWER_TIME",
        "--answer-time",
        "Seconds that an answer may take; 0 is no limit.",
        values.not_negative,
    )
    min_free: float = _setting(
        100.0,
        "WEBCHAT_MIN_FREE",
        "--min-free",
        "MiB of the disk that stay free; with less nothing new is taken.",
        values.not_negative,
    )
    grace: float = _setting(
        10.0,
        "WEBCHAT_GRACE",
        "--grace",
        "Seconds that answers have to finish when the server is ended.",
        values.not_negative,
    )
    log_format: str = _setting(
        "human",
        "WEBCHAT_LOG_FORMAT",
        "--log-format",
        "How the log is written: human or json.",
        values.one_of(values.LOG_FORMATS),
    )
    log_level: str = _setting(
        "info",
        "WEBCHAT_LOG_LEVEL",
        "--log-level",
        "What is logged: debug, info (each request and reply), warning or error.",
        values.log_level,
    )
    metrics: bool = _setting(
        False, "WEBCHAT_METRICS", "--metrics", "Whether Prometheus can read /metrics: on or off.", values.switch
    )
    host: str = _setting("127.0.0.1", "WEBCHAT_HOST", "--host", "Address to listen on, or unix:PATH.")
    port: int = _setting(8000, "WEBCHAT_PORT", "--port", "Port to listen on; the next free one if taken.", values.port)

    @property
    def amplifier_home(self) -> Path:
        """Where Amplifier itself keeps its files: the home, if that is not the chat's own."""
        is_own = self.home == conventions.DATA_HOME
        return (conventions.AMPLIFIER_HOME if is_own else self.home).expanduser()

    @property
    def storage(self) -> Path | str:
        """Where everything is kept, for `storage_at`."""
        return self.database or self.home.expanduser() / conventions.SERVER_DIR / conventions.WEB_CHAT_SESSIONS_FILENAME


SETTINGS: tuple[Field[Any], ...] = fields(Settings)
