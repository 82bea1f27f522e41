"""Fits a conversation into the model's context, in tokens. Knows no model: it is given a function that counts."""

from __future__ import annotations

import hashlib
import threading
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from webchat.backends import HistoryItem

LEFT_OUT = "Earlier messages were left out: they no longer fit the model's context."
SHORTENED = "The message is longer than the model's context: its middle was left out."
GAP = "\n\n[…]\n\n"
MOST_FOR_ANSWER = 1024  # tokens
MOST_BYTES_A_TOKEN = 16  # a text with more bytes than this per token of the context cannot fit and is not counted
CLOSE_ENOUGH = 32  # characters
MAX_CUTS = 1000

Messages = Sequence[HistoryItem]
Count = Callable[[Messages], int]


@dataclass(frozen=True)
class Fitted:
    """The messages for the model, the tokens left for its answer, and a note for the person."""

    messages: Messages
    room: int
    note: str = ""


class Cuts:
    """Remembers where conversations were cut, so that the next message is cut at the same place.

    A prompt that begins like the last one is read from the model's cache: 0.7 s instead of 59 s for 2,800 tokens
    (Qwen2.5-Coder 1.5B, 2 cores). So a cut removes more than necessary, and stays until the context is full again. Only
    the latest cuts are remembered.
    """

    def __init__(self) -> None:
        self._seen: OrderedDict[bytes, None] = OrderedDict()
        self._seen_lock = threading.Lock()

    def find(self, messages: Messages, starts: Sequence[int]) -> int:
        """The last of `starts` at which this conversation was cut, or the first."""
        with self._seen_lock:
            known = [start for start, digest in _digests(messages, starts) if digest in self._seen]
        return known[-1] if known else starts[0]

    def keep(self, messages: Messages, start: int) -> None:
        with self._seen_lock:
            self._seen.update((digest, None) for _, digest in _digests(messages, [start]))
            while len(self._seen) > MAX_CUTS:
                self._seen.popitem(last=False)


def _digests(messages: Messages, starts: Sequence[int]) -> list[tuple[int, bytes]]:
    """For each of `starts`, ascending, a digest of everything before it."""
    digest, done, found = hashlib.sha256(), 0, []
    for start in starts:
        for item in messages[done:start]:
            digest.update(repr((item["role"], item["content"])).encode("utf-8", "surrogatepass"))
        done = start
        found.append((start, digest.digest()))
    return found


def fit(messages: Messages, context: int, count: Count, cuts: Cuts) -> Fitted:
    """As much of the conversation as fits into `context` tokens with room for an answer, counted with `count`.

    The oldest turns are dropped first, each question with its answer; the system prompt and the last message stay. If
    the last message is too long on its own, its middle is cut out. Never fails because of length.
    """
    budget = context - min(MOST_FOR_ANSWER, context // 4)

    def tokens(given: Messages) -> int:
        size = sum(len(item["content"].encode("utf-8", "replace")) for item in given)
        return count(given) if size <= MOST_BYTES_A_TOKEN * context else context + 1

    first = 1 if messages[0]["role"] == "system" else 0
    system, starts = messages[:first], _starts(messages, first)
    begin = cuts.find(messages, starts)
    used = tokens([*system, *messages[begin:]])
    if used > budget:
        goal = budget * 2 // 3
        later = [start for start in starts if start > begin] or [begin]
        found = bisect_left(later, True, key=lambda start: tokens([*system, *messages[start:]]) <= goal)
        begin = later[min(found, len(later) - 1)]
        used = tokens([*system, *messages[begin:]])
        cuts.keep(messages, begin)
    if used > budget:
        return _shortened(system, messages[-1], context, budget, tokens)
    return Fitted([*system, *messages[begin:]], context - used, LEFT_OUT if begin > first else "")


def _starts(messages: Messages, first: int) -> list[int]:
    """The indexes at which the conversation may begin: its first message, or any question."""
    questions = [at for at in range(first + 1, len(messages)) if messages[at]["role"] == "user"]
    return [first, *questions]


def _shortened(system: Messages, last: HistoryItem, context: int, budget: int, tokens: Count) -> Fitted:
    """Only the last message, without its middle; the system prompt is shortened, too, if it leaves no room."""
    if system and tokens([*system, _without_middle(last, 0)]) > budget // 2:
        kept = system[0]
        system = [_longest(kept, lambda item: tokens([item, _without_middle(last, 0)]) <= budget // 2)]
    item = _longest(last, lambda item: tokens([*system, item]) <= budget)
    messages = [*system, item]
    return Fitted(messages, max(1, context - tokens(messages)), SHORTENED)


def _longest(item: HistoryItem, fits: Callable[[HistoryItem], bool]) -> HistoryItem:
    """The message with as much of its beginning and end as fits, to within CLOSE_ENOUGH characters."""
    fitting, too_long = 0, len(item["content"])
    if fits(item):
        return item
    while too_long - fitting > CLOSE_ENOUGH:
        middle = (fitting + too_long) // 2
        if fits(_without_middle(item, middle)):
            fitting = middle
        else:
            too_long = middle
    return _without_middle(item, fitting)


def _without_middle(item: HistoryItem, kept: int) -> HistoryItem:
    """The message with `kept` characters of its content, half from the beginning and half from the end."""
    text, half = item["content"], kept // 2
    return {**item, "content": text[:half] + GAP + text[len(text) - half :]}
