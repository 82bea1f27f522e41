"""The `webchat` command. Knows the terminal, and nothing that the pages do not know."""

from __future__ import annotations

import click

from webchat import __version__
from webchat.cli import fish
from webchat.cli.ask import ask
from webchat.cli.chat import chat
from webchat.cli.models import models
from webchat.cli.people import people
from webchat.cli.program import Program
from webchat.cli.serve import serve
from webchat.cli.session_commands import session_group
from webchat.cli.sessions import doctor, export_sessions, import_sessions
from webchat.serving import logs


@click.group(
    cls=Program,
    default="serve",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__)
def main() -> None:
    """A browser chat for any agent or model: server-rendered, stored in plain files, safe against crashes.

    Without a command, the server starts.
    """
    logs.set_up()


for command in (ask, chat, serve, export_sessions, import_sessions, doctor, models, people, session_group):
    main.add_command(command)
fish.set_up()
