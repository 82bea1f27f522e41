"""All settings: default, names, and meaning of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from webchat import conventions
from webchat.addresses import Network, networks
from webchat.config import values


@dataclass(frozen=True)
class Setting:
    """One setting: its name in `Settings`, and what it means. `parse` raises ValueError.

    secret: it is never shown. saved: the settings page may save it. many: its flag can be repeated.
    """

    name: str
    default: Any
    help: str
    parse: Callable[[str], Any]
    secret: bool
    saved: bool
    many: bool

    @property
    def key(self) -> str:
        """Its name in the environment and in Flask's config."""
        return "AMPLIFIER_HOME" if self.name == "home" else f"WEBCHAT_{self.name.upper()}"

    @property
    def flag(self) -> str:
        """Its name on the command line."""
        return f"--{self.name.replace('_', '-')}"


def _setting(
    default: Any,  # noqa: ANN401
    help: str,
    parse: Callable[[str], Any] = str,
    *,
    secret: bool = False,
    saved: bool = False,
    many: bool = False,
) -> Any:  # noqa: ANN401
    """A field of `Settings`; see `Setting`."""
    metadata = {"help": help, "parse": parse, "secret": secret, "saved": saved, "many": many}
    return field(default=default, repr=not secret, metadata=metadata)


@dataclass(frozen=True)
class Settings:
    """The program's settings. Times are in seconds; an empty text means "not set"."""

    home: Path = _setting(
        conventions.DATA_HOME, "Folder for all files; sessions are in the database, if one is set.", values.home
    )
    database: str = _setting(
        "",
        "PostgreSQL database to use instead of files: postgresql://name:password@host/database.",
        values.database,
        secret=True,
    )
    backend: str = _setting("local", "What answers: local, openai, acp, mock, or a plug-in.", saved=True)
    model: str = _setting("auto", "Name of the model. The embedded model also accepts FILE.gguf and auto.", saved=True)
    # Never saved: otherwise anybody who may change the settings could run any program.
    agent: tuple[tuple[str, ...], ...] = _setting(
        (),
        "Command that starts an agent with the Agent Client Protocol, such as “opencode acp”. "
        "Can be repeated; one per line in the variable.",
        values.commands,
        many=True,
    )
    folders: tuple[str, ...] = _setting(
        (),
        "Folder in or below which new sessions may work. "
        "Can be repeated; one per line in the variable. By default a single user may choose any folder.",
        values.folders,
        many=True,
    )
    # Secret because it may contain a name and password.
    base_url: str = _setting("", "Base URL of an OpenAI-compatible server, including /v1.", secret=True, saved=True)
    api_key: str = _setting("", "API key for that server.", secret=True, saved=True)
    header: tuple[tuple[str, str], ...] = _setting(
        (),
        "Header to send to that server with each request, such as “X-Portkey-Provider: openai”. "
        "Can be repeated; one per line in the variable.",
        values.headers,
        secret=True,
        saved=True,
        many=True,
    )
    system_prompt: str = _setting("", "System prompt for every conversation.", saved=True)
    temperature: float | None = _setting(
        None, "Sampling temperature, 0 to 2. By default the model's own.", values.temperature, saved=True
    )
    memory_context: bool = _setting(
        False, "Whether to tell the model about saved memories: on or off.", values.switch, saved=True
    )
    titles: bool | Literal["auto"] = _setting(
        "auto",
        "Whether a model writes the titles of new conversations: on, off (their first words are used), "
        "or auto, which is on except for agents.",
        values.switch_or_auto,
        saved=True,
    )
    title_model: str = _setting(
        "", "Another model on the same server for writing titles. A small one is enough.", str.strip, saved=True
    )
    sources: tuple[str, ...] | Literal["auto"] = _setting(
        "auto",
        "Other programs on this machine whose conversations are listed too, separated by commas: "
        "amplifier, claude-code, codex; or off. By default all of them, unless several people share the chat.",
        values.programs,
    )
    trash_days: float = _setting(
        30.0, "Days for which deleted sessions and memories can be restored.", values.not_negative
    )
    connect_timeout: float = _setting(10.0, "Seconds to wait for a connection to the model server.", values.positive)
    read_timeout: float = _setting(120.0, "Seconds to wait for more from the model.", values.positive)
    mock_delay: float = _setting(0.03, "Seconds between pieces of the mock's answers.", values.not_negative)
    context: int = _setting(
        4096, "Context size of the embedded model, in tokens; at least 512.", values.whole_from(512)
    )
    idle_unload: float = _setting(
        15.0,
        "Minutes without a message after which the embedded model is unloaded and agents are ended; 0: never.",
        values.not_negative,
    )
    title: str = _setting("Amplifier", "Name at the top of the page.", values.title)
    theme: str = _setting(
        "system", "Colours of the page: system, light or dark.", values.one_of(values.THEMES), saved=True
    )
    allow_host: tuple[str, ...] = _setting(
        (), "Host names to accept besides loopback, separated by commas.", values.host_names
    )
    token: str = _setting(
        "", "Token that gives access, in a link or as a script's Bearer token; auto generates one.", secret=True
    )
    auth_header: str = _setting(
        "",
        "Header in which a proxy passes the name of the signed-in user. Each user has their own sessions.",
        values.header_name,
    )
    trusted_proxies: tuple[Network, ...] = _setting(
        networks("127.0.0.1,::1"),
        "Addresses or networks of trusted proxies, separated by commas. That header is ignored from any other address.",
        networks,
    )
    proxies: int = _setting(
        0, "Number of proxies in front of the chat whose X-Forwarded- headers are trusted.", values.whole_from(0)
    )
    max_streams: int = _setting(
        250,
        "Event streams open at once; further pages poll. By default as many as the connections allow.",
        values.whole_from(1),
    )
    max_streams_per_client: int = _setting(100, "The same for each user or address; 0: no limit.", values.whole_from(0))
    max_body: float = _setting(1.0, "Largest request in MiB, not counting attached files.", values.positive)
    max_message: int = _setting(1_048_576, "Longest message, in characters; 0: no limit.", values.whole_from(0))
    max_title: int = _setting(300, "Longest title, in characters; 0: no limit.", values.whole_from(0))
    max_sessions: int = _setting(100_000, "Most sessions of one user; 0: no limit.", values.whole_from(0))
    max_kept: float = _setting(
        0.0, "Most MiB that one user's conversations may take, including the trash; 0: no limit.", values.not_negative
    )
    max_messages_per_minute: int = _setting(
        0, "Most messages of one user per minute; 0: no limit.", values.whole_from(0)
    )
    max_imports_per_minute: int = _setting(0, "Most imports of one user per minute; 0: no limit.", values.whole_from(0))
    max_replies: int = _setting(250, "Most answers in flight at once; 0: no limit.", values.whole_from(0))
    max_replies_per_client: int = _setting(100, "The same for each user or address; 0: no limit.", values.whole_from(0))
    answer_time: float = _setting(3600.0, "Longest time for one answer, in seconds; 0: no limit.", values.not_negative)
    min_free: float = _setting(
        100.0, "MiB of disk space to keep free. With less, new messages are refused.", values.not_negative
    )
    grace: float = _setting(
        10.0, "Seconds that answers in flight get to finish when the server shuts down.", values.not_negative
    )
    log_format: str = _setting("human", "Format of the log: human or json.", values.one_of(values.LOG_FORMATS))
    log_level: str = _setting(
        "info", "Level of the log: debug, info (each request and reply), warning or error.", values.log_level
    )
    metrics: bool = _setting(False, "Whether to serve /metrics for Prometheus: on or off.", values.switch)
    host: str = _setting("127.0.0.1", "Address to listen on, or unix:PATH.")
    port: int = _setting(8000, "Port to listen on. If it is taken, the next free one is used.", values.port)

    @property
    def amplifier_home(self) -> Path:
        """Amplifier's own folder: the home, unless that is the chat's own."""
        is_own = self.home == conventions.DATA_HOME
        return (conventions.AMPLIFIER_HOME if is_own else self.home).expanduser()

    @property
    def is_shared(self) -> bool:
        """Whether several people may use the chat."""
        return bool(self.token or self.auth_header)

    @property
    def storage(self) -> Path | str:
        """The path or address of the storage, for `storage_at`."""
        return self.database or self.home.expanduser() / conventions.SERVER_DIR / conventions.WEB_CHAT_SESSIONS_FILENAME


SETTINGS = tuple(Setting(each.name, each.default, **each.metadata) for each in fields(Settings))
