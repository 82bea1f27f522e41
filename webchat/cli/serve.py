"""`webchat serve`: the settings as options, and the server."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator
from typing import Any

import click

from webchat import config
from webchat.addresses import is_loopback, socket_path
from webchat.cli.setting_options import setting_options
from webchat.cli.terminal import TerminalProgress
from webchat.config.home import move_out
from webchat.errors import InvalidInput
from webchat.serving import logs
from webchat.serving.logs import printable


@click.command()
@setting_options(config.SETTINGS)
def serve(**given: str | None) -> None:
    """Serve the chat on this machine."""
    for name in ("token", "auth_header"):
        if given[name] == "":  # as a script's unset variable is
            flag = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{flag} is empty, so nobody would have to sign in. Leave it out if you mean that.")
    explicit = {setting.key: given[setting.name] for setting in config.SETTINGS}
    _serve(explicit)


def _serve(explicit: dict[str, Any]) -> None:
    from webchat.app import create_app
    from webchat.serving import server

    made = _make_token(explicit)
    settings = _with_a_way_in(explicit)
    logs.set_up(settings.log_format, settings.log_level)
    _leave_amplifiers_home(explicit)
    app = create_app(explicit)
    manager = app.extensions["webchat"]
    listening = server.listen(settings.host, settings.port)
    path = socket_path(settings.host)
    port = settings.port if path else listening.getsockname()[1]
    if port != settings.port and settings.port:
        click.echo(f"Port {settings.port} is taken; using {port} instead.")
    for line in _addresses(settings, port, f"?token={made}" if made else ""):
        click.echo(line)
    click.echo(printable(f"Sessions are kept in {manager.storage.place}"))
    if manager.notice:
        click.echo(printable(manager.notice))
    manager.start(TerminalProgress())
    sys.stdout.flush()
    server.run(app, manager, listening, max_streams=settings.max_streams, grace=settings.grace)


def _leave_amplifiers_home(explicit: dict[str, Any]) -> None:
    """Without a home of one's own choice, have everything where `amplifier reset` does not remove it."""
    settings, sources = config.load(explicit, os.environ)
    moved = move_out() if sources["home"] == "default" and not settings.database else ""
    if moved:
        click.echo(printable(moved))


def _make_token(explicit: dict[str, Any]) -> str:
    """For `--token auto` a new token, which replaces the flag's value; else ""."""
    if config.load(explicit, os.environ)[0].token != "auto":  # noqa: S105  (a word, not a token)
        return ""
    explicit["WEBCHAT_TOKEN"] = secrets.token_urlsafe(24)
    return str(explicit["WEBCHAT_TOKEN"])


def _with_a_way_in(explicit: dict[str, Any]) -> config.Settings:
    """The settings. Raises InvalidInput if others could reach the chat without authentication."""
    settings, _ = config.load(explicit, os.environ)
    reachable = not is_loopback(settings.host) or settings.proxies > 0
    if reachable and not settings.token and not settings.auth_header:
        where = "Behind a proxy" if settings.proxies else f"At {settings.host}"
        raise InvalidInput(
            f"{where} others could reach this chat, and through it your files and your model. Choose how people sign "
            "in: --token auto generates a token and a link; --auth-header takes the user's name from a proxy."
        )
    return settings


def _addresses(settings: config.Settings, port: int, way_in: str) -> Iterator[str]:
    """The chat's address, for the terminal. `way_in` has a new token, which is shown only here."""
    path = socket_path(settings.host)
    if path:
        yield f"{settings.title} is at {path}  (press Ctrl+C to quit)"
        yield f"Try: curl --unix-socket {path} http://localhost/"
        return
    everywhere = settings.host in ("0.0.0.0", "::")  # noqa: S104
    host = "127.0.0.1" if everywhere else f"[{settings.host}]" if ":" in settings.host else settings.host
    yield f"{settings.title} is at http://{host}:{port}/{way_in}  (press Ctrl+C to quit)"
    if everywhere:
        yield "Other machines reach it at this machine's address; allow its host names with --allow-host."
    if not is_loopback(settings.host) and not settings.proxies:
        yield "WARNING: no TLS: anybody on the network can read the traffic. Put a proxy in front: see docs/deploy.md."
