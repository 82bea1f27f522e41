"""`webchat models`: the models that can be embedded. Knows no session."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import click

from webchat.cli.terminal import TerminalProgress

if TYPE_CHECKING:
    from webchat.models.shelf import OnShelf, Shelf


@click.group(invoke_without_command=True)
@click.pass_context
def models(ctx: click.Context) -> None:
    """Manage the models that can be embedded; by default, list them."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_models)


@models.command("list")
def list_models() -> None:
    """List the models, and which of them are downloaded."""
    for row in _shelf().rows():
        size = f"{row.model.bytes / 1e9:.1f} GB"
        click.echo(f"{row.model.name:20} {size:>7}  {row.model.licence:11} {_state(row)}")
    click.echo(f"In {_shelf().folder}")


@models.command("get")
@click.argument("name")
@click.option(
    "--from", "given", metavar="FILE|FOLDER|URL", help="Where to get it from, if this machine has no network."
)
def get_model(name: str, given: str | None) -> None:
    """Download a model, or resume its download."""
    from webchat.models import named

    shelf = _shelf()
    try:
        path = shelf.fetch(named(name, shelf.models), shelf.folder, TerminalProgress(), threading.Event(), given=given)
    except KeyboardInterrupt:
        click.echo("Stopped. Run the same command again to resume.", err=True)
        raise
    click.echo(f"{path} is here and verified.")


@models.command("remove")
@click.argument("name")
def remove_model(name: str) -> None:
    """Delete a model's file."""
    from webchat.models import named

    shelf = _shelf()
    freed = shelf.remove(named(name, shelf.models))
    click.echo(f"{freed / 1e9:.1f} GB freed." if freed else "It was not here.")


def _shelf() -> Shelf:
    from webchat.models import models_folder
    from webchat.models.shelf import shelf

    return shelf(models_folder())


def _state(row: OnShelf) -> str:
    percent = f"{row.progress or 0:.0%}"
    return {"here": "here", "coming": f"is coming, {percent}", "partly": f"{percent} are here", "absent": ""}[row.state]
