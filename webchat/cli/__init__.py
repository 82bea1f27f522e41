"""The `webchat` command. Knows the terminal, and nothing that the pages do not know."""

from __future__ import annotations

import os
import secrets
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from webchat import __version__, config
from webchat.addresses import is_loopback, socket_path
from webchat.chat.plain import one_line
from webchat.cli import secret_flags
from webchat.errors import InvalidInput, WebChatError
from webchat.serving import logs
from webchat.serving.logs import printable

if TYPE_CHECKING:
    from webchat.archive.export import LeftOut
    from webchat.manager import WebChatSessionManager
    from webchat.models.shelf import OnShelf, Shelf

BAR_WIDTH = 30


class _ServeByDefault(click.Group):
    """`webchat --backend mock` is `webchat serve --backend mock`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ("--help", "--version", "-h")):
            args = ["serve", *args]
        return super().parse_args(ctx, args)


def _setting_options(command: Callable[..., None]) -> Callable[..., None]:
    """An option for each setting, with its variable and default in the help."""
    for setting in reversed(config.SETTINGS):
        data = setting.metadata
        shown = {False: "off", None: ""}.get(setting.default, setting.default)
        default = "" if shown in ("", ()) else f", default {shown}"
        text = f"{data['help']}  [{data['key']}{default}]"
        command = click.option(
            data["flag"],
            setting.name,
            help=text,
            metavar="TEXT" if data["parse"] is str else "VALUE",
            multiple=data["many"],
            callback=_by_lines if data["many"] else None,
        )(command)
    return command


def _by_lines(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> str | None:
    """A flag that was given several times, as its variable would have it."""
    return "\n".join(values) if values else None


@click.group(cls=_ServeByDefault, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__)
def main() -> None:
    """A chat in the browser over any agent or model. Without a command it serves."""
    logs.set_up()


@main.command()
@_setting_options
def serve(**given: str | None) -> None:
    """Serve the chat on this machine."""
    given |= secret_flags.handed_on(os.environ)
    secret_flags.hide(given)
    explicit = {setting.metadata["key"]: given[setting.name] for setting in config.SETTINGS}
    try:
        _serve(explicit)
    except (WebChatError, OSError) as error:
        raise _refusal(error) from error


def _serve(explicit: dict[str, Any]) -> None:
    from webchat.app import create_app
    from webchat.serving import server

    made = _make_token(explicit)
    settings = _with_a_way_in(explicit)
    logs.set_up(settings.log_format, settings.log_level)
    app = create_app(explicit)
    manager = app.extensions["webchat"]
    listening = server.listen(settings.host, settings.port)
    path = socket_path(settings.host)
    port = settings.port if path else listening.getsockname()[1]
    if port != settings.port and settings.port:
        click.echo(f"Port {settings.port} is taken; using {port} instead.")
    for line in _addresses(settings, port, f"?token={made}" if made else ""):
        click.echo(line)
    click.echo(printable(f"Sessions are kept in {settings.home.expanduser()}"))
    if manager.notice:
        click.echo(printable(manager.notice))
    manager.start(TerminalProgress())
    sys.stdout.flush()
    server.run(app, manager, listening, max_streams=settings.max_streams, grace=settings.grace)


def _make_token(explicit: dict[str, Any]) -> str:
    """A token where one is to be made, put in the flag's place; "" where one was given or none is wanted."""
    if config.load(explicit, os.environ)[0].token != "auto":  # noqa: S105  (a word, not a token)
        return ""
    explicit["WEBCHAT_TOKEN"] = secrets.token_urlsafe(24)
    return str(explicit["WEBCHAT_TOKEN"])


def _with_a_way_in(explicit: dict[str, Any]) -> config.Settings:
    """The settings. Raises InvalidInput where others could reach the chat and nothing keeps them out."""
    settings, _ = config.load(explicit, os.environ)
    reachable = not is_loopback(settings.host) or settings.proxies > 0
    if reachable and not settings.token and not settings.auth_header:
        where = "Behind a proxy" if settings.proxies else f"At {settings.host}"
        raise InvalidInput(
            f"{where} others could reach this chat, and through it your files and your model. Say who may: "
            "--token auto makes a token and a link, --auth-header takes a signed-in person's name from a proxy."
        )
    return settings


def _addresses(settings: config.Settings, port: int, way_in: str) -> Iterator[str]:
    """Where the chat is, for the terminal. `way_in` has a token that was made, which is told here and nowhere else."""
    path = socket_path(settings.host)
    if path:
        yield f"{settings.title} is at {path}  (Ctrl+C ends it)"
        yield f"Try: curl --unix-socket {path} http://localhost/"
        return
    everywhere = settings.host in ("0.0.0.0", "::")  # noqa: S104
    host = "127.0.0.1" if everywhere else f"[{settings.host}]" if ":" in settings.host else settings.host
    yield f"{settings.title} is at http://{host}:{port}/{way_in}  (Ctrl+C ends it)"
    if everywhere:
        yield "Other machines reach it by this one's address; its names must be allowed with --allow-host."
    if not is_loopback(settings.host) and not settings.proxies:
        yield "WARNING: there is no TLS, so the network can read along. Put a proxy before the chat: docs/deploy.md."


def _refusal(error: Exception) -> click.ClickException:
    return click.ClickException(printable(str(error)))


def _home_option(command: Callable[..., None]) -> Callable[..., None]:
    return click.option("--home", help="Folder that holds all files.", metavar="FOLDER")(command)


def _owner_option(command: Callable[..., None]) -> Callable[..., None]:
    return click.option("--owner", help="Whose sessions, where people sign in.", metavar="NAME")(command)


def _manager(home: str | None) -> WebChatSessionManager:
    """The sessions in that folder, with nobody to answer."""
    from webchat.backends.mock import MockBackend
    from webchat.manager import WebChatSessionManager

    settings, _ = config.load({"AMPLIFIER_HOME": home}, os.environ)
    return WebChatSessionManager(MockBackend(), settings.storage)


@main.command("export")
@_home_option
@_owner_option
@click.argument("session_ids", nargs=-1, metavar="[SESSION]...")
@click.option("-o", "--output", type=click.File("wb"), default="-", help="File to write; standard output by default.")
def export_sessions(home: str | None, owner: str | None, session_ids: tuple[str, ...], output: Any) -> None:  # noqa: ANN401
    """Write sessions, all by default, as JSON Lines."""
    try:
        manager = _manager(home)
        every = sorted(manager.list_sessions(owner), key=lambda session: (session.created_at, session.session_id))
        chosen = [manager.get_session(name, owner) for name in session_ids] or [item for item in every if item.begun]
        left_out: list[LeftOut] = []
        for part in manager.archive.export(chosen, left_out.append):
            output.write(part)
    except (WebChatError, OSError) as error:
        raise _refusal(error) from error
    for one in left_out:
        click.echo(printable(one.told), err=True)
    sys.exit(1 if left_out else 0)


@main.command("import")
@_home_option
@_owner_option
@click.argument("files", nargs=-1, required=True, type=click.File("rb"))
def import_sessions(home: str | None, owner: str | None, files: tuple[Any, ...]) -> None:
    """Bring in sessions: our own export, or that of ChatGPT, Claude or Open WebUI, also as a zip."""
    from webchat.cli.terminal_import import watched

    try:
        manager, problems = _manager(home), 0
        for file in files:
            name = one_line(file.name)
            with watched(name) as watch:
                report = manager.archive.bring_in(file, owner, watch)
            click.echo(f"{name}: {len(report.imported)} imported, {report.known} here already")
            click.echo("".join(f"{name}: {problem}\n" for problem in report.problems), err=True, nl=False)
            problems += len(report.problems)
            if report.stopped:
                break
    except (WebChatError, OSError) as error:
        raise _refusal(error) from error
    sys.exit(1 if problems else 0)


@main.command()
@_home_option
@click.option("--repair", is_flag=True, help="Mend what is safe, after a copy of it.")
def doctor(home: str | None, repair: bool) -> None:
    """Say what is wrong with the folder, its files, the model and the settings, and what to do."""
    from webchat.models import models_folder
    from webchat.serving.doctor import Doctor
    from webchat.storage import storage_at

    try:
        told, _ = config.load({"AMPLIFIER_HOME": home}, os.environ)
        settings, _ = config.load({"AMPLIFIER_HOME": home}, os.environ, storage_at(told.storage).documents)
        looking = Doctor(settings, models_folder())
        for name, what in looking.repair() if repair else ():
            click.echo(_plain(f"{name}: {what}"))
        examined = list(looking.examine())
    except (WebChatError, OSError) as error:
        raise click.ClickException(str(error)) from error
    for one in examined:
        for finding in one.findings:
            kind = "note" if finding.is_note else "WRONG"
            click.echo(_plain(f"{kind:8} {one.name}: {finding.problem}; {finding.advice}."))
        if not one.findings:
            click.echo(f"{'fine':8} {one.name}")
    sys.exit(any(not finding.is_note for one in examined for finding in one.findings))


def _plain(line: str) -> str:
    """A line without what a terminal would obey: a file's name may have anything in it."""
    return "".join(char if char.isprintable() else "?" for char in line)


@main.group(invoke_without_command=True)
@click.pass_context
def models(ctx: click.Context) -> None:
    """The models that can be embedded: list them (which is the default), get one, remove one."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_models)


@models.command("list")
def list_models() -> None:
    """Say which models there are, and which of them are here."""
    for row in _shelf().rows():
        size = f"{row.model.bytes / 1e9:.1f} GB"
        click.echo(f"{row.model.name:20} {size:>7}  {row.model.licence:11} {_state(row)}")
    click.echo(f"In {_shelf().folder}")


@models.command("get")
@click.argument("name")
@click.option("--from", "given", metavar="FILE|FOLDER|URL", help="Take it from there: for machines without a network.")
def get_model(name: str, given: str | None) -> None:
    """Download a model, or go on with it."""
    from webchat.models import named
    from webchat.models.fetch import fetch

    try:
        path = fetch(named(name), _shelf().folder, TerminalProgress(), threading.Event(), given=given)
    except WebChatError as error:
        raise _refusal(error) from error
    except KeyboardInterrupt as error:
        raise click.ClickException("Stopped. The same command goes on where this one was.") from error
    click.echo(f"{path} is here and checked.")


@models.command("remove")
@click.argument("name")
def remove_model(name: str) -> None:
    """Delete a model's file."""
    from webchat.models import named

    try:
        freed = _shelf().remove(named(name))
    except WebChatError as error:
        raise _refusal(error) from error
    click.echo(f"{freed / 1e9:.1f} GB freed." if freed else "It was not here.")


def _shelf() -> Shelf:
    from webchat.models import models_folder
    from webchat.models.shelf import shelf

    return shelf(models_folder())


def _state(row: OnShelf) -> str:
    percent = f"{row.progress or 0:.0%}"
    return {"here": "here", "coming": f"is coming, {percent}", "partly": f"{percent} are here", "absent": ""}[row.state]


class TerminalProgress:
    """Tells the terminal what goes on: a bar that moves in place; where there is no terminal, a line for each step."""

    def __init__(self) -> None:
        self._text = ""
        self._moving = sys.stderr.isatty()

    def __call__(self, text: str, progress: float | None = None) -> None:
        """Show `text`, with a bar where `progress` from 0 to 1 is known."""
        text = one_line(text)
        if text != self._text:
            click.echo(("\n" if self._text and self._moving else "") + text, err=True, nl=not self._moving)
            self._text = text
        if self._moving and progress is not None:
            filled = round(progress * BAR_WIDTH)
            bar = "█" * filled + "░" * (BAR_WIDTH - filled)
            click.echo(f"\r{text}  {bar} {progress:4.0%}", err=True, nl=False)
            if progress >= 1:
                click.echo(err=True)
                self._text = ""
