"""Exports sessions for reading: Markdown, and a self-contained HTML file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, islice

from markupsafe import escape

from webchat.archive import steps
from webchat.archive.export import LeftOut
from webchat.archive.style import STYLE
from webchat.chat.message import Message
from webchat.chat.plain import one_line
from webchat.session_store import WebChatSession

Conversations = Iterable[tuple[WebChatSession, Sequence[Message] | LeftOut]]
"""Sessions with their shown messages, or the reason why they could not be read."""
_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>%s</title>
<style>%s</style>
</head>
<body>
"""


def as_markdown(conversations: Conversations, assistant: str) -> Iterator[str]:
    """The sessions, one by one. `assistant` is the heading of answers, except for those of other programs."""
    for session, messages in conversations:
        yield f"# {one_line(session.description)}\n\n{_made(session)}{session.session_id}\n\n"
        if isinstance(messages, LeftOut):
            yield f"{one_line(messages.notice)}\n\n"
            continue
        for message in messages:
            yield f"## {_who(message, session.program or assistant)}\n\n{steps.as_markdown(message)}\n\n"


def as_html(
    conversations: Conversations, assistant: str, title: str, picture: Callable[[str, str], bytes | None]
) -> Iterator[str]:
    """The same as one HTML file with embedded pictures; `picture` returns one of a session's by its key."""
    conversations = iter(conversations)
    first = [*islice(conversations, 1)]  # so that problems are found before anything is written
    yield _HEAD % (escape(title), STYLE)
    for session, messages in chain(first, conversations):
        yield f'<h1 dir="auto">{escape(session.description)}</h1>\n'
        yield f"<p>{escape(_made(session))}<code>{escape(session.session_id)}</code></p>\n"
        if isinstance(messages, LeftOut):
            yield f"<p><strong>{escape(messages.notice)}</strong></p>\n"
            continue
        name = session.program or assistant
        for message in messages:
            text = steps.as_html(message, partial(picture, session.session_id))
            kind = "user" if message.role == "user" else f"answer {message.status}"
            yield f'<h2>{escape(_who(message, name))}</h2>\n<div class="{kind}" dir="auto">{text}</div>\n'
    yield "</body>\n</html>\n"


def _made(session: WebChatSession) -> str:
    return f"{session.created_at[:10]} · " if session.created_at else ""


def _who(message: Message, assistant: str) -> str:
    who = "You" if message.role == "user" else assistant
    model = f" ({message.model})" if message.model else ""
    when = f", {message.created_at[:16].replace('T', ' ')}" if message.created_at else ""
    return one_line(f"{who}{model}{when}{_version(message)}")


def _version(message: Message) -> str:
    """Which of several versions this message is; the others are not in the file."""
    if message.id not in message.siblings:
        return ""
    return f" · version {message.siblings.index(message.id) + 1} of {len(message.siblings)}"
