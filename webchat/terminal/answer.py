"""Sends one message and reads its answer as it arrives. Knows no terminal."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

import httpx
from httpx_sse import EventSource, SSEError

from webchat.chat.message import new_message_id
from webchat.chat.plain import utf8
from webchat.errors import InvalidInput, WebChatError
from webchat.limits import MIB
from webchat.terminal.client import ChatClient, Fields, Unreachable

LARGEST = 64 * MIB
"""The most bytes read of a file; the chat itself accepts fewer."""
Files = Sequence[tuple[str, bytes]]
"""Attached files: the name and content of each."""


@dataclass(frozen=True)
class Sent:
    """A message to send. If `session_id` is None it starts a session, in `folder` if that is given."""

    message: str
    files: Files = ()
    session_id: str | None = None
    folder: str | None = None
    queue: bool = False
    """Whether to queue it if an answer is being written."""
    temporary: bool = False
    """Whether a session that it starts is temporary."""

    @property
    def fields(self) -> Fields:
        more = {"working_dir": self.folder, "queue": "on" if self.queue else None, **marked(self.temporary)}
        fields = {"message": self.message, "key": new_message_id(), **more}
        return {name: text for name, text in fields.items() if text is not None}


def marked(temporary: bool) -> Fields:
    """The field that makes a new session temporary; none if it is not to be."""
    return {"temporary": "1"} if temporary else {}


def chosen_session(
    chat: ChatClient,
    given: str | None,
    folder: str | None,
    options: Fields,
    *,
    new: bool = False,
    temporary: bool = False,
    to_ask: bool = False,
) -> str | None:
    """The id of the given session, or of the current one; None for a new one that the message will start.

    If there are `options`, they are set, for which a new session is created at once. Raises InvalidInput for the folder
    of an existing session, ReadOnlySession for another program's session `to_ask` in.
    """
    session_id = (
        chat.session_id_of(given, to_ask=to_ask)
        if given
        else None
        if new or temporary
        else chat.get("/api/session")["session_id"]
    )
    if session_id and folder:
        raise InvalidInput("A folder can be chosen only for a new session: add --new.")
    if options:
        begin = {**({"working_dir": folder} if folder else {}), **marked(temporary)}
        session_id = session_id or chat.post("/api/session", begin)["session_id"]
        chat.post(chat.path(str(session_id), "options"), options)
    return session_id


def content_of(path: Path) -> bytes:
    """The content of a file to attach. Raises OSError; InvalidInput if it is far too large."""
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise InvalidInput(f"{path.name} is too large.")
    return content


def events_of(chat: ChatClient, sent: Sent) -> Generator[tuple[str, Fields]]:
    """Yields "session" {session_id, message_id}, then the events of the answer's stream; "lost" if that breaks off."""
    path = chat.path(sent.session_id, "messages") if sent.session_id else "/messages"
    files = [("file", (utf8(name), content, "application/octet-stream")) for name, content in sent.files]
    with chat.events("POST", path, sent.fields, files) as response:
        session_id = response.headers.get("X-Session-Id", sent.session_id)
        yield "session", {"session_id": session_id, "message_id": response.headers.get("X-Message-Id")}
        try:
            yield from events_in(response)
        except Unreachable:
            yield "lost", {"session_id": session_id}


def events_in(response: httpx.Response) -> Iterator[tuple[str, Fields]]:
    """Yields a stream's events, each with its JSON. Raises Unreachable if the connection is lost."""
    try:
        for event in EventSource(response).iter_sse():
            value: Any = json.loads(event.data or "{}")
            yield event.event, value if isinstance(value, dict) else {}
    except (httpx.HTTPError, SSEError, ValueError) as error:
        raise Unreachable("The connection was lost.") from error


class Interrupt:
    """Ctrl+C stops the answer, whose stream then ends; a second Ctrl+C ends the program."""

    def __init__(self, chat: ChatClient) -> None:
        self.was_pressed = False
        self._chat = chat
        self._session_id: str | None = None
        self._before: Any = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._pressed)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def answers_in(self, session_id: str) -> None:
        """Set the session whose answer to stop, once it is known."""
        self._session_id = session_id
        if self.was_pressed:
            self.stop()

    def stop(self) -> None:
        """Stop the answer, in a thread: its end arrives as an event."""
        if self._session_id is not None:
            threading.Thread(target=self._stop, args=(self._session_id,), daemon=True).start()

    def _pressed(self, number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, self._before)
        self.was_pressed = True
        self.stop()

    def _stop(self, session_id: str) -> None:
        with suppress(WebChatError):
            self._chat.post(self._chat.path(session_id, "stop"))
