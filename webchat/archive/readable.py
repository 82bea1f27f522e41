"""Exports sessions for reading: Markdown, and a self-contained HTML file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from markupsafe import escape

from webchat.archive import steps
from webchat.archive.export import LeftOut
from webchat.chat.message import Message
from webchat.chat.plain import one_line
from webchat.session_store import WebChatSession

Told = Iterable[tuple[WebChatSession, Sequence[Message] | LeftOut]]
"""Sessions with the messages that are shown, or why they could not be read."""
_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>%s</title>
<style>
body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
body { font: 16px/1.6 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; margin-top: 3rem; } h2 { font-size: 0.8rem; opacity: 0.7; margin: 1.5rem 0 0.25rem; }
.user { padding: 0.5rem 1rem; border-radius: 10px; background: color-mix(in oklab, currentcolor 8%%, transparent); }
pre { overflow-x: auto; padding: 0.75rem; border-radius: 10px; border: 1px solid; }
button { display: none; } table { border-collapse: collapse; } td, th { border: 1px solid; padding: 4px 8px; }
figure { margin: 1rem 0; } blockquote { border-left: 3px solid; margin-left: 0; padding-left: 1rem; opacity: 0.8; }
.bidi { display: inline-block; } summary > * { display: inline; }
</style>
</head>
<body>
"""


def as_markdown(told: Told, assistant: str) -> Iterator[str]:
    """The sessions one after the other. `assistant` is the heading of answers."""
    for session, messages in told:
        yield f"# {session.description}\n\n{session.created_at[:10]} · {session.session_id}\n\n"
        if isinstance(messages, LeftOut):
            yield f"{one_line(messages.told)}\n\n"
            continue
        for message in messages:
            yield f"## {_who(message, assistant)}\n\n{steps.as_markdown(message)}\n\n"


def as_html(told: Told, assistant: str, title: str) -> Iterator[str]:
    """The same as one HTML file."""
    told = iter(told)
    first = [*islice(told, 1)]  # what is wrong with it is found before anything is written
    yield _HEAD % escape(title)
    for session, messages in chain(first, told):
        yield f'<h1 dir="auto">{escape(session.description)}</h1>\n'
        yield f"<p>{escape(session.created_at[:10])} · <code>{escape(session.session_id)}</code></p>\n"
        if isinstance(messages, LeftOut):
            yield f"<p><strong>{escape(messages.told)}</strong></p>\n"
            continue
        for message in messages:
            text = steps.as_html(message)
            kind = "user" if message.role == "user" else "answer"
            yield f'<h2>{escape(_who(message, assistant))}</h2>\n<div class="{kind}" dir="auto">{text}</div>\n'
    yield "</body>\n</html>\n"


def _who(message: Message, assistant: str) -> str:
    who = "You" if message.role == "user" else assistant
    model = f" ({message.model})" if message.model else ""
    return f"{who}{model}, {message.created_at[:16].replace('T', ' ')}" if message.created_at else who + model
