"""One answer for a script: whole, or streamed as plain text or events."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import takewhile
from typing import Any

from flask import Response, g

from webchat.chat.message import Message
from webchat.errors import BackendUnavailable, WebChatError
from webchat.memory import MemoryAnswer
from webchat.replies.kept_errors import error_of
from webchat.replies.posted import Posted
from webchat.web.context import chat_of, has_gone, manager
from webchat.web.faces import Face, error_fields, is_script, json_answer, wanted_face
from webchat.web.parts import waiting_fields


class BrokenOff(Exception):
    """Raised in a plain-text stream if the answer fails: the connection is cut, so that the reader notices."""


WHOLE = ("complete", "stopped")
"""Statuses of answers that ended without an error to report."""
LOOK_AGAIN = 1.0
"""Seconds between two checks whether the client of a request that waits for a whole answer is still connected."""


def reserve() -> None:
    """Acquire a slot for a script, which holds a thread until its answer ends. Raises TooBusy."""
    if is_script():
        g.place = chat_of().take_stream()


def release_unused(_: BaseException | None = None) -> None:
    """Release a slot that no response has taken over."""
    give = g.pop("place", None)
    if give:
        give()


def answering(posted: Posted) -> Response | None:
    """The response with the answer for a script, whole or streamed; None for a page."""
    if not is_script():
        return None
    face = wanted_face()
    if face is Face.JSON:
        return reply_json(posted)  # waits for the whole answer: no slot is needed after that
    return holding((reply_text if face is Face.TEXT else reply_events)(posted))


def holding(response: Response) -> Response:
    """A response that releases the request's slot after its last byte, or when the connection is closed."""
    give = g.pop("place", None)
    if give:
        response.response = _then(give, response.response)
        response.call_on_close(give)
    return response


def _then(give: Callable[[], None], body: Iterable[Any]) -> Iterator[Any]:
    """The body; releases a slot at its end."""
    yield from body
    give()


def reply_json(posted: Posted) -> Response:
    """The complete answer; waits for it. Raises the error that ended it early."""
    message = _whole(posted)
    body = {"response": message.content, "session_id": posted.session.session_id, "session_connected": True}
    if message.status != "complete":
        body["status"] = message.status
    return json_answer(body)


def _whole(posted: Posted) -> Message:
    """The complete answer, even if another process writes it. Raises the error that ended it early."""
    message, gone = posted.answer, has_gone()
    if posted.run is None:
        for _, now in _pieces(posted):
            message = now
    while not posted.wait(LOOK_AGAIN) and not gone():
        pass
    message = posted.answer if posted.run else message
    if error := _error(posted, message):
        raise error
    return message


def _error(posted: Posted, message: Message) -> WebChatError | None:
    """The error that ended the answer early, even if it was written before or by another process."""
    return posted.error or error_of(message)


def reply_text(posted: Posted) -> Response:
    """The text as it comes. A failure cuts the connection; before the first text it is a normal error response."""
    pieces = _pieces(posted)
    first = _first_text(pieces, posted)

    def text() -> Iterator[str]:
        yield first
        for piece, _ in pieces:
            if piece:
                yield piece
        # The message of the last piece may be older: the first text and the end can come together.
        posted.wait(1)
        if posted.answer.status not in WHOLE:
            raise BrokenOff(posted.answer.status)

    return Response(text(), mimetype="text/plain", headers=_headers(posted))


def memory_reply(said: MemoryAnswer, session_id: str | None, *, connected: bool) -> Response | None:
    """The result of a memory command for a script, in its format; None for a page."""
    face = wanted_face()
    headers = {"X-Session-Id": session_id} if connected and session_id else {}
    if face is Face.TEXT:
        return Response(said.text, mimetype="text/plain", headers=headers)
    if face is Face.EVENTS:
        done = event("done", {"status": "complete", "session_id": session_id, "response": said.text})
        return Response(event("delta", {"text": said.text}) + done, mimetype="text/event-stream", headers=headers)
    return memory_json(said, connected=connected) if face is Face.JSON else None


def memory_json(said: MemoryAnswer, *, connected: bool) -> Response:
    body = {"response": said.text, "memory_action": said.action, "memory_result": said.result}
    return json_answer({**body, "session_connected": connected})


def _pieces(posted: Posted) -> Iterator[tuple[str, Message]]:
    """The answer as it arrives, until the client disconnects."""
    gone = has_gone()
    pieces = manager().pieces(posted.session.session_id, posted.reply.id)
    return takewhile(lambda _: not gone(), pieces)


def _first_text(pieces: Iterator[tuple[str, Any]], posted: Posted) -> str:
    for piece, message in pieces:
        if piece or not message.in_flight:
            if not piece and posted.wait(1):
                _require_text(posted, message)
            return piece
    return ""


def _require_text(posted: Posted, message: Message) -> None:
    """Raises the error that ended the answer before its first text; BackendUnavailable if it is unknown."""
    if error := _error(posted, message):
        raise error
    if message.status not in WHOLE:
        raise BackendUnavailable("The answer ended before its first word. Try again.")


def reply_events(posted: Posted) -> Response:
    """The answer as Server-Sent Events: `delta`, `status`, `question`, then `done` or `error`, each with JSON."""
    pieces = _pieces(posted)

    def events() -> Iterator[str]:
        said, asked, last, sent = None, None, None, 0
        for piece, message in pieces:
            last = message
            if piece:
                # If there is less text now than was sent, it has turned out to be reasoning.
                begins_anew = len(message.content) != sent + len(piece)
                sent = len(message.content)
                yield event("delta", {"text": piece} | ({"anew": True} if begins_anew else {}))
            status = message.status
            if status != said and message.in_flight:
                yield event("status", {"status": status})
            if waiting_fields(message) != asked:
                asked = waiting_fields(message)
                yield event("question", {"waiting": asked})
            said = status
        yield _last_event(posted, last)

    return Response(events(), mimetype="text/event-stream", headers=_headers(posted))


def _last_event(posted: Posted, last: Message | None) -> str:
    posted.wait(1)
    if error := _error(posted, last or posted.reply):
        return event("error", {**error_fields(error, str(error)), "message_id": posted.reply.id})
    names = {"session_id": posted.session.session_id, "message_id": posted.reply.id}
    response = (last or posted.reply).content
    return event("done", {"status": last.status if last else "interrupted", **names, "response": response})


def event(name: str, data: dict[str, Any]) -> str:
    """One Server-Sent Event."""
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


def _headers(posted: Posted) -> dict[str, str]:
    names = {"X-Session-Id": posted.session.session_id, "X-Message-Id": posted.reply.id}
    return {**names, "X-Accel-Buffering": "no"}
