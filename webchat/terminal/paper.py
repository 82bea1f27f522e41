"""Prints a growing conversation: finished blocks once, and the rest as a tail. Knows no server."""

from __future__ import annotations

from collections.abc import Sequence

from webchat.chat.asked import about
from webchat.chat.message import IN_FLIGHT
from webchat.chat.plain import normal_lines
from webchat.terminal.blocks import finished
from webchat.terminal.client import Fields
from webchat.terminal.printed import question_text
from webchat.terminal.screen import Screen
from webchat.terminal.transcript import ENDED, part_text, question_line, tool_line

SHOWN = 6
"""Messages to print when a session is opened."""
ASIDE = "dim"


class Paper:
    """To be called from one thread; `tail`, `question` and `messages` may be read from any."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self.messages: list[Fields] = []
        """The messages of the shown branch, oldest first."""
        self._articles: dict[str, Article] = {}
        self._notices: list[str] = []

    @property
    def last(self) -> Fields | None:
        return self.messages[-1] if self.messages else None

    @property
    def is_answering(self) -> bool:
        return self.last is not None and self.last["status"] in IN_FLIGHT

    @property
    def tail(self) -> str:
        """The answer's text that has not been printed."""
        article = self._articles.get(self.last["id"]) if self.last else None
        return article.tail if article and self.is_answering else ""

    @property
    def question(self) -> Fields | None:
        """The agent's open question."""
        if self.last is None or not self.is_answering:
            return None
        asked = (part for part in self.last["parts"] if part["type"] == "permission" and part["status"] == "open")
        return next(asked, None)

    def take(self, name: str, fields: Fields) -> None:
        """Print what is new in an event of the session's stream."""
        if name == "messages":
            self._note(fields.get("notices", []))
            self._take_all(fields["messages"])
        elif name == "message":
            self._take_one(fields)
        elif name == "delta" and self.last and self.last["id"] == fields["message_id"]:
            self._take_one(_grown(self.last, fields["text"]))

    def history(self) -> None:
        """Print all messages again."""
        self._articles.clear()
        for message in self.messages:
            self._print(message)

    def _note(self, notices: Sequence[str]) -> None:
        """Print what is new of what a reader should know about the conversation."""
        for notice in notices:
            if notice not in self._notices:
                self._screen.line(notice, ASIDE)
        self._notices = list(notices)

    def _take_all(self, messages: Sequence[Fields]) -> None:
        """Take the whole conversation: what has been printed of it stays."""
        common = 0
        for before, now in zip(self.messages, messages, strict=False):
            if before["id"] != now["id"]:
                break
            common += 1
        if common < len(self.messages):
            self._screen.line("— another version from here —", ASIDE)
            for left in self._articles.keys() - {message["id"] for message in messages[:common]}:
                del self._articles[left]  # a version that is chosen again is printed again
        first = common if self.messages else max(0, len(messages) - SHOWN)
        if first and not self.messages:
            self._screen.line(f"… {first} earlier messages: /history prints them", ASIDE)
        self.messages = list(messages)
        for message in messages[min(first, max(common - 1, 0)) if self._articles else first :]:
            self._print(message)

    def _take_one(self, message: Fields) -> None:
        if self.last and self.last["id"] == message["id"]:
            self.messages[-1] = message
        else:
            self.messages.append(message)
        self._print(message)

    def _print(self, message: Fields) -> None:
        article = self._articles.setdefault(message["id"], Article(self._screen))
        article.take(message)


class Article:
    """One message and how far it has been printed."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._printed: dict[int, str] = {}
        """The start of each of its texts."""
        self._once_printed: set[str] = set()
        self.tail = ""

    def take(self, message: Fields) -> None:
        """Print what is new in the message."""
        if message["role"] == "user":
            self._once("asked", "".join(f"› {line}\n" for line in message["content"].split("\n")), "bold")
        grows = message["status"] in IN_FLIGHT
        texts, self.tail = 0, ""
        for number, part in enumerate(message["parts"]):
            if part["type"] == "text" and message["role"] != "user":
                self._text(texts, part["text"], whole=not grows or number < len(message["parts"]) - 1)
                texts += 1
            elif part["type"] != "text":
                self._part(number, part, message)
        if not grows:
            self._end(message)

    def _text(self, number: int, text: str, *, whole: bool) -> None:
        text = normal_lines(text)
        printed = self._printed.get(number, "")
        if not text.startswith(printed):
            self._screen.line("— that was reasoning; the answer begins here —", ASIDE)
            printed = ""
        start = len(printed)
        end = len(text) if whole else start + finished(text[start:])
        if text[start:end].strip():
            self._screen.markdown(text[start:end])
            self._screen.line()
        self._printed[number], self.tail = text[:end], text[end:]

    def _part(self, number: int, part: Fields, message: Fields) -> None:
        kind = part["type"]
        if kind == "tool_call" and part["status"] in ("done", "failed"):
            self._once(f"tool {part['id']}", tool_line(part), ASIDE)
        elif kind == "permission":
            is_open = part["status"] == "open"
            asked = part | about(part["tool_call"], message["parts"])
            question = question_text(asked) if is_open else question_line(part)
            # Printed again if more has become known of what it is about.
            self._once(f"question {part['id']} {hash(question)}", question, "bold")
        elif kind in ("note", "file", "picture", "plan"):
            self._once(f"{kind} {number} {part_text(part)}", part_text(part), ASIDE)

    def _end(self, message: Fields) -> None:
        if message["role"] != "user" and message["status"] != "complete":
            error = f": {message['error']}" if message.get("error") else ""
            self._once("end", f"({ENDED.get(message['status'], message['status'])}{error})\n", ASIDE)

    def _once(self, name: str, text: str, style: str) -> None:
        if name not in self._once_printed:
            self._once_printed.add(name)
            self._screen.line(text, style)


def _grown(message: Fields, text: str) -> Fields:
    """The message with more text appended, as for an answer that is only text."""
    parts = list(message["parts"])
    places = [number for number, part in enumerate(parts) if part["type"] == "text"]
    content = message["content"] + text
    if places:
        parts[places[-1]] = {"type": "text", "text": content}
    else:
        parts.append({"type": "text", "text": content})
    return {**message, "content": content, "parts": parts}
