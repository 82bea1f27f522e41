"""The slash commands of `webchat chat`. Knows no terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from webchat.errors import InvalidInput
from webchat.terminal.answer import content_of
from webchat.terminal.client import Fields
from webchat.terminal.transcript import hit_lines, session_line

if TYPE_CHECKING:
    from webchat.terminal.conversation import TerminalChat

COMMANDS = {
    "/sessions": "the newest sessions, or those with these words",
    "/resume": "open a session: its id, its number in the list, or pick one",
    "/new": "start a session with the next message",
    "/rename": "give the session this title",
    "/delete": "move the session to the trash",
    "/history": "all messages of the session",
    "/file": "attach a file to the next message",
    "/stop": "stop the answer, as Ctrl+C does",
    "/retry": "another version of the last answer",
    "/continue": "continue a stopped answer",
    "/edit": "replace your last message with this text",
    "/branches": "list messages with several versions",
    "/branch": "show a version: the number of the place, and that of the version",
    "/fork": "a new session with a copy of this one",
    "/help": "show this list; start a message that begins with a slash with two",
    "/quit": "leave, as Ctrl+D does",
}
LISTED = 15
SHORT = 60
"""Characters of a message that are shown in a list."""


class Commands:
    """Runs the commands."""

    def __init__(self, here: TerminalChat) -> None:
        self._here, self._chat = here, here.chat
        self._listed: list[str] = []
        """The ids of the sessions listed last."""

    def do(self, line: str) -> None:
        """Run a line. Raises EOFError to quit, InvalidInput for an unknown command, and what the chat raises."""
        name, _, rest = line.partition(" ")
        if name not in COMMANDS:
            raise InvalidInput(f"{name} is not a command: /help lists them.")
        command: Callable[[str], None] = getattr(self, f"_{name[1:]}")
        command(rest.strip())

    def _sessions(self, words: str) -> None:
        found = list(islice(self._found(words) if words else self._chat.rows(), LISTED))
        self._listed = [row["session_id"] for row in found]
        for number, row in enumerate(found, 1):
            lines = hit_lines(row) if "text" in row else [session_line(row)]
            self._here.say(f"{number:3}  " + "\n     ".join(lines))
        if not found:
            self._here.say("Nothing found." if words else "There are no sessions yet.")

    def _found(self, words: str) -> Iterator[Fields]:
        """The sessions with these words in their title, then one hit in each other session that has them."""
        page = self._chat.page("", words, None, 0)
        known = set()
        for row in (*page["sessions"], *page["hits"]):
            if row["session_id"] not in known:
                known.add(row["session_id"])
                yield row

    def _resume(self, given: str) -> None:
        if not given:
            self._here.open(self.pick())
        elif given.isascii() and given.isdigit() and 1 <= int(given) <= len(self._listed):
            self._here.open(self._listed[int(given) - 1])
        else:
            self._here.open(self._chat.session_id_of(given))

    def pick(self) -> str | None:
        """Let the person choose from the newest sessions; None if there are none yet."""
        rows = list(islice(self._chat.rows(), LISTED))
        options = [(row["session_id"], session_line(row)) for row in rows]
        return self._here.keyboard.pick("Which session?", options) if options else None

    def _new(self, _: str) -> None:
        self._here.open(None)

    def _rename(self, title: str) -> None:
        self._chat.post(self._path("rename"), {"title": title})

    def _delete(self, _: str) -> None:
        session_id = self._here.session_id
        done = self._chat.post(self._path("delete"))
        self._here.open(None)
        is_gone = session_id in done.get("gone", [])
        self._here.say("It is gone." if is_gone else f"It is in the trash: webchat sessions restore {session_id}")

    def _history(self, _: str) -> None:
        self._here.paper.history()

    def _file(self, given: str) -> None:
        if given:
            path = Path(given).expanduser()
            try:
                self._here.files.append((path.name, content_of(path)))
            except OSError as error:
                raise InvalidInput(f"{path} cannot be read: {error.strerror}.") from error
        for name, content in self._here.files:
            self._here.say(f"{name}, {len(content):,} bytes, will be sent with the next message.")

    def _stop(self, _: str) -> None:
        if not self._here.interrupt():
            raise InvalidInput("There is no answer to stop.")

    def _retry(self, _: str) -> None:
        self._here.answer(self._path("messages", self._last("assistant")["id"], "retry"), {})

    def _continue(self, _: str) -> None:
        self._here.answer(self._path("messages", self._last("assistant")["id"], "continue"), {})

    def _edit(self, text: str) -> None:
        self._here.answer(self._path("messages", self._last("user")["id"], "edit"), {"message": text})

    def _branches(self, _: str) -> None:
        places = [
            (number, message) for number, message in enumerate(self._here.paper.messages, 1) if _versions(message)
        ]
        for number, message in places:
            this = message["siblings"].index(message["id"]) + 1
            line = f"{number:3}  version {this} of {len(message['siblings'])}: {message['content'][:SHORT]}"
            self._here.say(" ".join(line.split("\n")))
        if not places:
            self._here.say("Every message has only one version.")

    def _branch(self, given: str) -> None:
        messages = self._here.paper.messages
        try:
            place, version = (int(word) for word in given.split())
            siblings = messages[place - 1]["siblings"] if 1 <= place <= len(messages) else []
            chosen = siblings[version - 1] if 1 <= version <= len(siblings) else None
        except ValueError:
            chosen = None
        if chosen is None:
            raise InvalidInput("Give two numbers: /branches lists them.")
        if any(message["id"] == chosen for message in messages):
            self._here.say("This version is shown already.")
        self._chat.post(self._path("messages", chosen, "select"))

    def _fork(self, _: str) -> None:
        last = self._here.paper.last
        if last is None:
            raise InvalidInput("There is nothing to copy yet.")
        self._here.open(self._chat.post(self._path("messages", last["id"], "fork"))["session_id"])

    def _help(self, _: str) -> None:
        for name, text in COMMANDS.items():
            self._here.say(f"{name:10} {text}")

    def _quit(self, _: str) -> None:
        raise EOFError

    def _last(self, role: str) -> Fields:
        """The last message of that role. Raises InvalidInput."""
        found = next((message for message in reversed(self._here.paper.messages) if message["role"] == role), None)
        if found is None:
            raise InvalidInput("There is no such message yet.")
        return found

    def _path(self, *more: str) -> str:
        """Raises InvalidInput if there is no session yet."""
        if self._here.session_id is None:
            raise InvalidInput("There is no session yet: it starts with your first message.")
        return self._here.path(*more)


def _versions(message: Fields) -> bool:
    return len(message["siblings"]) > 1
