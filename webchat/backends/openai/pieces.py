"""Converts the events of a chat completion into pieces. Knows no network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from webchat.backends import Event, Piece
from webchat.backends.openai.alike import Alike
from webchat.backends.openai.halves import Halves
from webchat.backends.openai.shapes import Malformed, as_name, as_text, mapping, said_in, thought, token_of
from webchat.backends.quotation import quoted, sentence
from webchat.backends.reasoning import ReasoningSplitter
from webchat.errors import BackendUnavailable, NothingSaid

NOTES = {
    "length": "The answer was cut off: the model's length limit was reached.",
    "content_filter": "The answer was cut off: the model server's content filter stopped it.",
}
BROKEN = "The answer was cut off by the model server ({}). Try again."
_REASONS = {
    **dict.fromkeys(("max_tokens", "max_output_tokens", "model_length", "token_limit"), "length"),
    **dict.fromkeys(("safety", "recitation", "sensitive", "blocklist", "prohibited_content"), "content_filter"),
    **dict.fromkeys(("guardrail_intervened", "content_filtered"), "content_filter"),
    **dict.fromkeys(("insufficient_system_resource", "network_error", "error", "abort", "aborted"), "broken"),
    **dict.fromkeys(("timeout", "overloaded", "model_error", "interrupted"), "broken"),
}
"""Other services' finish reasons, by OpenAI's name; "broken" for those of an incomplete answer."""
NOTHING = {
    "length": "The model reached its length limit before it wrote anything. Ask for less, or raise that limit.",
    "content_filter": "The model server's content filter stopped the answer. Rephrase your message.",
}
ONLY_REASONED = "The model ended after its reasoning, without an answer. Try again."
ONLY_REASONED_LONG = (
    "The model reached its length limit while it was still reasoning. Try again, or give it more room for its answer."
)
REFUSED = "The model refuses to answer"
REPHRASE = "Rephrase your message, or try again."
CALLED = "The model asked for {} instead of answering, and this chat has no tools for it. Try again."
ALSO_REFUSED = "The model refused to continue"
ALSO_CALLED = "The model also asked for {}, and this chat has no tools for it."
UNSHOWN = "The answer has a part that cannot be shown here ({})."
LONGEST_REFUSAL = 2_000
"""Characters of a refusal that are kept."""
MOST_NAMED = 5
"""Tools that are named in a message at most."""
_THOUGHTS = ("thinking", "reasoning", "redacted_thinking", "reasoning_text", "summary_text")
_REASONING = ("reasoning_content", "reasoning", "thinking", "reasoning_details")


class AnswerReader:
    """Turns the objects of one answer, streamed or whole, into pieces. Each method raises Malformed.

    The format is that of OpenAI's chat completions. `reasoning_content` is DeepSeek's, llama.cpp's and vLLM's name
    for what OpenRouter and Ollama call `reasoning`; Mistral and gateways send a list of parts, text and thinking;
    `prompt_progress` is llama.cpp's.
    """

    def __init__(self) -> None:
        self.finish_reason = ""
        self.model = ""
        """The model's name in the answer; "" until the server has sent it."""
        self._index: Any = None
        """The place of the answer among several."""
        self._usage: Mapping[str, Any] = {}
        self._splitter = ReasoningSplitter()
        self._text_halves, self._reasoning_halves = Halves(), Halves()
        self._has_reasoned = False
        self._refusal = ""
        self._tools: dict[Any, str] = {}
        self._unshown: dict[str, None] = {}
        self._tokens: list[str] = []
        """Texts that `gather` and `gather_alike` have kept."""
        self._alike = Alike()

    def gather(self, chunk: Any, sent: str) -> bool:  # noqa: ANN401
        """Keep the text of a chunk that contains nothing else, for `gathered`. Returns whether it is such a chunk.

        Most chunks are, and processing a text costs the same for one token as for twenty. `sent` is the chunk's JSON.
        """
        token = token_of(chunk, self._index) if self.model else ""
        if token:
            self._tokens.append(token)
            self._alike.learn(sent, token)
        return bool(token)

    def gather_alike(self, sent: str) -> bool:
        """The same for the JSON of a chunk that differs from a gathered one in its text alone."""
        token = self._alike.text_of(sent)
        if token:
            self._tokens.append(token)
        return bool(token)

    def gathered(self) -> Iterator[Piece]:
        """The pieces of the gathered texts."""
        if self._tokens:
            text = "".join(self._tokens)
            self._tokens.clear()
            yield from self._split(text)

    def _split(self, text: str) -> Iterator[Piece]:
        yield from self._splitter.split(as_text(self._text_halves.joined(text)))

    def read(self, chunk: Any) -> Iterator[Piece]:  # noqa: ANN401
        """The pieces of one `chat.completion.chunk`, or of a whole `chat.completion`."""
        yield from self.gathered()
        if not isinstance(chunk, dict):
            raise Malformed("chunk")
        if not self.model:
            self.model = as_name(chunk.get("model"))
        if usage := chunk.get("usage"):
            self._usage = mapping(usage)
        if progress := chunk.get("prompt_progress"):
            yield from _progress(mapping(progress))
        choices = chunk.get("choices") or []
        if not isinstance(choices, list):
            raise Malformed("choices")
        if choice := self._first(choices):
            if reason := choice.get("finish_reason"):
                self.finish_reason = as_text(reason)
            yield from self._pieces_of(said_in(choice))

    def _first(self, choices: list[Any]) -> Mapping[str, Any]:
        """The part of the answer in these choices: of several answers (`n`), the one that began first."""
        for choice in map(mapping, choices):
            index = choice.get("index")
            self._index = index if self._index is None else self._index
            if index in (None, self._index):
                return choice
        return {}

    def held_back(self) -> Iterator[Piece]:
        """The gathered texts, and text that was held back as the possible beginning of a tag."""
        yield from self.gathered()
        if half := self._text_halves.rest():
            yield from self._splitter.split(as_text(half))
        yield from self._splitter.flush()

    def end(self) -> Iterator[Piece]:
        """The last pieces: the rest of the text, the token counts, and why the answer ended.

        Raises NothingSaid if the answer is empty, and BackendUnavailable if the server says that it broke the answer
        off.
        """
        yield from self.held_back()
        if self._usage:
            yield Event("usage", data=dict(self._usage))
        if not self._splitter.has_said and self._end != "broken":
            raise NothingSaid(self._why_silent())
        for note in self._notes():
            yield Event("note", note)
        if self._end == "broken":
            raise BackendUnavailable(BROKEN.format(as_name(self.finish_reason)))
        if self.finish_reason:
            yield Event("finish", self.finish_reason)

    def _pieces_of(self, delta: Mapping[str, Any]) -> Iterator[Piece]:
        for name in _REASONING:
            if (reasoning := delta.get(name)) and reasoning is not True:  # some say so that it is switched on
                yield from self._reasoned(thought(reasoning))
                break
        if content := delta.get("content"):
            if isinstance(content, str):
                yield from self._split(content)
            else:
                yield from self._parts(content)
        if refusal := delta.get("refusal"):
            self._refuse(as_text(refusal))
        if calls := delta.get("tool_calls"):
            self._note_calls(calls)
        if call := delta.get("function_call"):
            self._note_calls([{"function": call}])

    def _reasoned(self, text: str) -> Iterator[Piece]:
        if text := as_text(self._reasoning_halves.joined(text)):
            self._has_reasoned = True
            yield Event("reasoning", text)

    def _parts(self, content: Any) -> Iterator[Piece]:  # noqa: ANN401
        """The parts of a content, which is one part or a list of them."""
        for part in content if isinstance(content, list) else [content]:
            if isinstance(part, str):
                yield from self._split(part)
                continue
            kind = mapping(part).get("type")
            if kind in _THOUGHTS:
                yield from self._reasoned(thought(part))
            elif kind == "refusal":
                self._refuse(as_text(part.get("refusal") or ""))
            elif isinstance(text := part.get("text"), str):
                yield from self._split(text)
            elif kind:
                self._unshown[as_name(kind) or "unknown"] = None

    def _refuse(self, text: str) -> None:
        self._refusal = (self._refusal + text)[:LONGEST_REFUSAL]

    def _note_calls(self, calls: Any) -> None:  # noqa: ANN401
        if not isinstance(calls, list):
            raise Malformed("tool_calls")
        for number, call in enumerate(map(mapping, calls)):
            name = as_name(mapping(call.get("function") or call.get("custom")).get("name"))
            place = call.get("index", number)
            place = place if isinstance(place, int) else number
            if name or place not in self._tools:
                self._tools[place] = name

    def _why_silent(self) -> str:
        has_reasoned = self._has_reasoned or self._splitter.has_reasoned
        if self._refusal.strip():
            return f"{self._with_refusal(REFUSED)} {REPHRASE}"
        if self._called:
            return CALLED.format(self._called)
        if has_reasoned:
            return ONLY_REASONED_LONG if self._end == "length" else ONLY_REASONED
        if self._unshown:
            return UNSHOWN.format(", ".join(self._unshown))
        return NOTHING.get(self._end, NothingSaid.says)

    @property
    def _end(self) -> str:
        """Why the answer ended: OpenAI's finish reason, or "broken"."""
        reason = self.finish_reason.lower()
        return _REASONS.get(reason, reason)

    def _notes(self) -> Iterator[str]:
        if self._end in NOTES:
            yield NOTES[self._end]
        if self._refusal.strip():
            yield self._with_refusal(ALSO_REFUSED)
        if self._called:
            yield ALSO_CALLED.format(self._called)
        if self._unshown:
            yield UNSHOWN.format(", ".join(self._unshown))

    @property
    def _called(self) -> str:
        """The tools that the model asked for, "" for none."""
        names = [*self._tools.values(), *self._splitter.tool_names]
        named = [f"“{name}”" for name in dict.fromkeys(names) if name][:MOST_NAMED]
        if not names:
            return "a tool" if self.finish_reason in ("tool_calls", "function_call") else ""
        return f"the tool{'s' if len(named) > 1 else ''} {', '.join(named)}" if named else "a tool"

    def _with_refusal(self, words: str) -> str:
        """The sentence of these words and what the model said, if it said anything."""
        said = quoted(self._refusal, most=LONGEST_REFUSAL)
        return sentence(f"{words}: {said}" if said else words)


def _progress(progress: Mapping[str, Any]) -> Iterator[Event]:
    """llama.cpp counts cached tokens (`cache`) as processed: leave them out of the progress."""
    total, cache, processed = (progress.get(name) or 0 for name in ("total", "cache", "processed"))
    if not all(isinstance(number, (int, float)) for number in (total, cache, processed)):
        raise Malformed("prompt_progress")
    if total > cache:
        done = min(max((processed - cache) / (total - cache), 0.0), 1.0)
        yield Event("status", "Reading the conversation", progress=done)
