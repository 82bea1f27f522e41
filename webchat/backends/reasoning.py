"""Separates a model's reasoning from its answer if both come as one text. Knows no network and no JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator

from webchat.backends import Event, Piece
from webchat.backends.call_marks import SPECIAL, read
from webchat.backends.prose import Prose
from webchat.backends.tags import BEGINS_TAG, IN_HEADERS, LONGEST_TAG, TAG, unfinished
from webchat.backends.written_calls import WrittenCalls
from webchat.chat.plain import shows_nothing

LONGEST_ASIDE = 2**16
"""Characters of reasoning in the middle of an answer that are held back until its closing tag."""
REASONED = Event("reasoned")
_CHANNELS = ("analysis", "commentary", "final")
_CHANNEL = re.compile("|".join(_CHANNELS))
_MORE = r"(?: +[\w.=:-]*){0,4}"
_START = rf"<\|start\|>(?:\w[\w.:-]*{_MORE})?"
_CONSTRAIN = rf"<\|constrain\|>\w*{_MORE}"
_HEADER = re.compile(rf"(?:{_START})?<\|channel\|>(?:{'|'.join(_CHANNELS)}){_MORE}(?:{_CONSTRAIN})?")
_BEGUN = "|".join(sorted({name[:size] for name in _CHANNELS for size in range(len(name))}))
_BEGINS_HEADER = re.compile(rf"{_START}|(?:{_START})?<\|channel\|>(?:{_BEGUN})|{_HEADER.pattern}")
_RECIPIENT = re.compile(r"to=(?:functions\.)?([\w.-]+)")


class ReasoningSplitter:
    """Splits an answer that may contain reasoning in tags: several times, nested, or without an opening tag.

    A tag counts only at the beginning of a line or without a space before it, and not in code; any other is a part of
    the text. After a closing tag without an opening one, an event of the kind "reasoned" says that the text so far was
    reasoning. The channels of OpenAI's harmony format are understood, too.

    Tool calls at the answer's end, where a model waits for their results, are reasoning as well, and not the answer.
    """

    def __init__(self) -> None:
        self.tool_names: list[str] = []
        """Names of the tools that were called in the text."""
        self.has_said = self.has_reasoned = False
        """Whether there is any answer so far, and any reasoning."""
        self._had_said = False
        """`has_said` before the current part of the answer."""
        self._held = ""
        """Text that may be the beginning of a tag."""
        self._blank: list[str] = []
        """Leading white space, which belongs to the answer unless reasoning comes first."""
        self._state = "answer"
        """"answer", "reasoning", "aside" (reasoning in the middle of the answer), "calls", or harmony's "header" and
        "between"."""
        self._is_fresh = True
        """Whether there is no text yet in this state."""
        self._after_reasoning = self._is_harmony = self._mentions_calls = False
        self._literal = 0
        """Opening tags that were text; as many closing ones are text, too."""
        self._prose = Prose()
        self._aside: list[str] = []
        self._aside_size = 0
        self._calls = WrittenCalls()
        self._header = ""
        self._before_header = "answer"
        """The state before the header, to return to if it turns out not to be one."""

    def split(self, content: str) -> Iterator[Piece]:
        """The pieces in the next chunk of text; a tag may be split over several chunks."""
        if self._state == "answer" and not (self._is_fresh or self._held or BEGINS_TAG.search(content)):
            self._prose.add(content)
            yield content
            return
        text, done = self._held + content, 0
        for tag in TAG.finditer(text):
            yield from self._take(text[done : tag.start()])
            yield from self._tag(tag)
            done = tag.end()
        rest = text[done:]
        safe = unfinished(rest)
        self._held = rest[safe:]
        yield from self._take(rest[:safe])

    def flush(self) -> Iterator[Piece]:
        """What was held back, at the end of the text."""
        held, self._held = self._held, ""
        yield from self._take(held)
        if self._state == "header":
            yield from self._give_header_back()
        elif self._state == "calls":
            yield from self._end_calls()
        left = "".join(self._aside) if self._state == "aside" else ""
        left, self._blank, self._aside = "".join([*self._blank, left]), [], []
        if left:
            self.has_said = self.has_said or not shows_nothing(left)
            yield left

    def _take(self, text: str) -> Iterator[Piece]:
        """Process text without a tag."""
        if self._state == "reasoning":
            text = text.lstrip() if self._is_fresh else text
            if text:
                self._is_fresh, self.has_reasoned = False, True
                self._prose.add(text)
                yield Event("reasoning", text)
        elif self._state == "answer":
            yield from self._say(text)
        elif self._state == "aside":
            yield from self._keep_aside(text)
        elif self._state == "calls":
            if not self._calls.go_on(text):
                yield from self._give_calls_back()
                yield from self._take(text)
        elif self._state == "header":
            is_header = self._goes_on_as_header(text)
            self._header += text
            if is_header:
                self._header = self._header[: 2 * LONGEST_TAG]
            else:
                yield from self._give_header_back()

    def _say(self, text: str) -> Iterator[str]:
        if self._is_fresh:
            self._blank.append(text)
            if shows_nothing(text):  # as does all before it
                return
            text, self._blank = "".join(self._blank), []
            text = text.lstrip() if self._after_reasoning else text
            self._is_fresh, self.has_said = False, True
        if text:
            self._prose.add(text)
            yield text

    def _keep_aside(self, text: str) -> Iterator[Piece]:
        self._aside.append(text)
        self._aside_size += len(text)
        if self._aside_size > LONGEST_ASIDE:
            reasoning = self._end_aside()
            self._enter("reasoning")
            self._is_fresh, self.has_reasoned = False, True
            yield Event("reasoning", reasoning)

    def _end_aside(self) -> str:
        """The kept reasoning without its opening tag."""
        reasoning = "".join(self._aside[1:]).strip()
        self._aside, self._aside_size = [], 0
        return reasoning

    def _tag(self, tag: re.Match[str]) -> Iterator[Piece]:
        if self._state == "calls":
            if self._calls.go_on(tag[0]):
                return
            yield from self._give_calls_back()
        if self._state == "header" and not self._goes_on_as_header(tag[0]):
            yield from self._give_header_back()
        if tag["harmony"]:
            yield from self._harmony_mark(tag[0])
        elif tag["opening"]:
            yield from self._open(tag[0])
        elif tag["call"]:
            yield from self._begin_calls(tag[0])
        elif tag["around"]:
            if not self._after_reasoning or self._prose.is_in_code:
                yield from self._take(tag[0])
        else:
            yield from self._close(tag[0])

    def _open(self, tag: str) -> Iterator[Piece]:
        if self._state == "answer" and self._is_fresh:
            self._enter("reasoning")
        elif self._state == "answer" and self._prose.is_break:
            self._state, self._aside = "aside", [tag]
            yield Event("status", "Reasoning")
        elif self._state != "reasoning":
            self._literal += self._state == "answer" and not self._prose.is_in_code
            yield from self._take(tag)

    def _close(self, tag: str) -> Iterator[Piece]:
        if self._state == "reasoning" and not self._prose.is_in_span:
            self._enter("answer")
        elif self._state == "answer" and self._literal and not self._prose.is_in_code:
            self._literal -= 1
            yield from self._take(tag)
        elif self._state == "aside":
            reasoning = self._end_aside()
            self._enter("answer")
            if reasoning:
                self.has_reasoned = True
                yield Event("reasoning", reasoning)
        elif self._state == "answer" and (self._is_fresh or self._prose.is_break):
            yield from self._was_reasoning()
        else:
            yield from self._take(tag)

    def _was_reasoning(self) -> Iterator[Piece]:
        """Report that the answer so far was reasoning."""
        if not self._is_fresh:
            self.has_said, self.has_reasoned = self._had_said, True
            yield REASONED
        self._enter("answer")

    def _begin_calls(self, tag: str) -> Iterator[Piece]:
        calls = WrittenCalls()
        if self._state == "answer" and self._may_begin_calls(tag) and calls.go_on(tag):
            self._state, self._calls = "calls", calls
            yield Event("status", "Asking for a tool")
        else:
            self._mentions_calls = True
            yield from self._take(tag)

    def _may_begin_calls(self, mark: str) -> bool:
        if mark in SPECIAL and self._prose.follows_text:
            return True
        # Qwen's coders omit the first of two tags, but an example may have it in the line before.
        return self._prose.begins_line and not (self._mentions_calls and read(mark)[0] == "<function>")

    def _give_calls_back(self) -> Iterator[Piece]:
        """What looked like calls is text."""
        self._state, self._mentions_calls = "answer", True
        yield from self._say(self._calls.text)

    def _end_calls(self) -> Iterator[Piece]:
        if self._calls.end():
            self.tool_names += self._calls.names
            calls, self._blank = "".join([*self._blank, self._calls.text]), []
            yield Event("reasoning", calls)
        else:
            yield from self._give_calls_back()

    def _harmony_mark(self, mark: str) -> Iterator[Piece]:
        if not self._is_harmony and not self._begins_harmony(mark):
            yield from self._take(mark)
        elif mark == "<|message|>":
            yield from self._begin_message()
        elif mark in IN_HEADERS:
            if self._state != "header":
                self._before_header, self._state, self._header = self._state, "header", ""
            self._header += mark
        else:
            self._state, self._header = "between", ""

    def _begins_harmony(self, mark: str) -> bool:
        if self._state == "answer":
            return mark in ("<|start|>", "<|channel|>") and (self._is_fresh or self._prose.is_break)
        return self._state == "header"

    def _goes_on_as_header(self, text: str) -> bool:
        """Whether the header is still valid with `text` appended; "<|message|>" ends a complete one."""
        if self._before_header == "between":
            return True
        if text == "<|message|>":
            return self._is_harmony or bool(_HEADER.fullmatch(self._header))
        header = self._header + text
        return len(header) <= 2 * LONGEST_TAG and bool(_BEGINS_HEADER.fullmatch(header))

    def _give_header_back(self) -> Iterator[Piece]:
        """What looked like a header is text."""
        header, self._header, self._state = self._header, "", self._before_header
        yield from self._take(header)

    def _begin_message(self) -> Iterator[Piece]:
        header, self._header = self._header, ""
        channel = _CHANNEL.search(header)
        recipient = _RECIPIENT.search(header)
        if recipient:
            self.tool_names.append(recipient[1])
        # Text before the first channel belongs to a channel that the chat template has opened.
        if not self._is_harmony and not self._is_fresh and channel and channel[0] == "final":
            yield from self._was_reasoning()
        self._is_harmony = True
        self._enter("reasoning" if recipient or (channel and channel[0] == "analysis") else "answer")

    def _enter(self, state: str) -> None:
        self._state, self._is_fresh, self._blank = state, True, []
        self._after_reasoning, self._had_said = True, self.has_said
        self._prose = Prose()


def without_reasoning(text: str) -> str:
    """The text without the reasoning in it."""
    said: list[str] = []
    splitter = ReasoningSplitter()
    for piece in (*splitter.split(text), *splitter.flush()):
        if isinstance(piece, str):
            said.append(piece)
        elif piece == REASONED:
            said.clear()
    return "".join(said)
