"""The buffer between an agent and the reader of its answer."""

from __future__ import annotations

import pytest

from webchat.backends import Event
from webchat.backends.acp.inbox import Inbox, Overflow
from webchat.chat.parts import ToolCall, Usage


def read(inbox: Inbox) -> list:
    inbox.close()
    return list(iter(inbox.get, None))


def test_text_joins_the_text_before_it_and_nothing_else():
    inbox = Inbox()
    for piece in ("a", "b", Event("reasoning", "c"), Event("reasoning", "d"), Event("note", "n"), "e"):
        inbox.put(piece)
    assert read(inbox) == ["ab", Event("reasoning", "cd"), Event("note", "n"), "e"]


def test_a_part_takes_the_place_of_its_earlier_version_until_that_is_read():
    inbox = Inbox()
    for piece in (ToolCall("1"), "text", ToolCall("2"), ToolCall("1", "new"), Usage(1, 2), Usage(2, 2)):
        inbox.put(piece)
    assert inbox.get() == ToolCall("1", "new")
    inbox.put(ToolCall("1", "newest"))
    assert read(inbox) == ["text", ToolCall("2"), Usage(2, 2), ToolCall("1", "newest")]


def test_of_statuses_in_a_row_the_last_is_kept():
    inbox = Inbox()
    for number in range(1000):
        inbox.put(Event("status", str(number)))
    assert read(inbox) == [Event("status", "999")]


def test_what_nobody_reads_has_an_end():
    bounds = {"most_unread": 1000, "most_waiting": 50}
    with pytest.raises(Overflow):
        Inbox(**bounds).put("x" * 1001)
    inbox = Inbox(**bounds)
    for _ in range(100):
        inbox.put("x" * 500)
        inbox.get()
    for number in range(50):
        inbox.put("x" if number % 2 else Event("reasoning", "y"))
    with pytest.raises(Overflow):
        inbox.put(Event("note", "z"))


def test_dropped_is_gone_and_nothing_more_is_taken():
    inbox = Inbox()
    inbox.put("x")
    inbox.close(drop=True)
    inbox.put("y")
    assert inbox.get() is None
