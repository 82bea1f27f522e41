"""One answer of a model: its pieces, its cancellation, and the text that is kept. Knows no session."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

from webchat.backends import Event, HistoryItem, Piece, refusals
from webchat.backends.relay import Relay
from webchat.chat.parts import Note, Permission, Placed, Reasoning, Text
from webchat.errors import BackendUnavailable

Answering = Callable[..., object]
"""A function that answers a conversation, a list of HistoryItems: with pieces, or one, asynchronously or not."""


def ask(model: object, messages: list[HistoryItem], **more: object) -> Iterable[object]:
    """The answer of a ChatModel or a function to `messages`, with these further arguments.

    Its `cancel()` ends it at once in any case. A ChatModel's own `cancel` is enough for that.
    """
    stream: Answering | None = getattr(model, "stream", None)
    if stream is None:
        return Relay(_question).call(partial(cast(Answering, model), messages, **more))
    upstream = stream(messages, **more)
    return cast(Iterable[object], upstream) if hasattr(upstream, "cancel") else Relay(_question).follow(upstream)


def accepts(model: object, **more: object) -> bool:
    """Whether `ask` may call this model or function with these further arguments; True if it does not tell."""
    try:
        inspect.signature(getattr(model, "stream", model)).bind([], **more)  # type: ignore[arg-type]
    except TypeError:
        return False
    except ValueError:  # some functions written in C have no signature
        return True
    return True


def _question(piece: object) -> str | None:
    return piece.id if isinstance(piece, Permission) and piece.is_open else None


def _piece(given: object) -> Piece | None:
    """The piece to pass on; None is skipped. Raises BackendUnavailable for an invalid piece."""
    if isinstance(given, Event):
        if not isinstance(given.text, str):
            raise BackendUnavailable(f"Your function gave an Event whose text is {_a(given.text)}.")
        return given
    if given is None or isinstance(given, str | Placed):
        return given
    if isinstance(given, Text):
        return given.text
    if isinstance(given, Reasoning | Note):
        return Event("reasoning" if isinstance(given, Reasoning) else "note", given.text)
    raise BackendUnavailable(f"Your function gave {_a(given)}, not text, an Event or a part of an answer.")


def _a(thing: object) -> str:
    name = type(thing).__name__
    return f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"


class ChatAnswer:
    """The pieces of one answer, to be iterated once; `cancel` ends it from any thread.

    What came is kept when the answer ends, is cancelled or is no longer iterated; a failed one leaves nothing behind.
    """

    def __init__(self, ask: Callable[[], Iterable[object]], keep: Callable[[str], None]) -> None:
        self._ask = ask
        self._keep = keep
        self._upstream: Iterable[object] = ()
        self._cancelled = False
        self._state_lock = threading.Lock()

    def __iter__(self) -> Iterator[Piece]:
        said: list[str] = []
        answered = 0  # pieces before the last reasoning
        goes_on = True  # what follows a tool call, say, is a paragraph of its own
        try:
            with _closing(self._pieces()) as pieces:
                for piece in pieces:
                    if isinstance(piece, str):
                        said += [piece] if goes_on else ["\n\n", piece]
                        goes_on = True
                    elif isinstance(piece, Placed):
                        goes_on = not said
                    elif piece.kind == "reasoned":
                        del said[answered:]
                    elif piece.kind == "reasoning":
                        answered = len(said)
                    yield piece
        except GeneratorExit:
            self.cancel()
            self._keep("".join(said))
            raise
        self._keep("".join(said))

    def cancel(self) -> None:
        with self._state_lock:
            self._cancelled = True
            upstream, self._upstream = self._upstream, ()
        _cancel(upstream)

    def answer(self, question: str, choice: str) -> None:
        """Pass the person's choice on to the function that asked."""
        with self._state_lock:
            upstream = self._upstream
        if isinstance(upstream, Relay):
            upstream.answer(question, choice)

    def _pieces(self) -> Iterator[Piece]:
        """The model's pieces up to the end or to `cancel`; what the model raises because of that is no failure."""
        try:
            if self._cancelled:
                return
            upstream = self._ask()
            self._follow(upstream)
            with _closing(iter(upstream)) as pieces:
                for piece in pieces:
                    if self._cancelled:
                        return
                    if (known := piece if isinstance(piece, str) else _piece(piece)) is not None:
                        yield known
        except (GeneratorExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # also asyncio's CancelledError, which agents raise for reasons of their own
            if not self._cancelled:
                told = refusals.of_agent(error)
                raise told from (None if told is error else error)

    def _follow(self, upstream: Iterable[object]) -> None:
        with self._state_lock:
            self._upstream = upstream
            cancelled = self._cancelled
        if cancelled:
            _cancel(upstream)


@contextmanager
def _closing(pieces: Iterator[Any]) -> Iterator[Iterator[Any]]:
    try:
        yield pieces
    finally:
        if hasattr(pieces, "close"):
            pieces.close()


def _cancel(upstream: Iterable[object]) -> None:
    if hasattr(upstream, "cancel"):
        upstream.cancel()
