"""A session's lease is released whatever happens."""

from __future__ import annotations

import pytest

from webchat.chat.conversation import Conversation
from webchat.replies.turn import Turn


def test_what_cannot_be_released_keeps_nothing_else():
    released = []

    def fail():
        raise OSError("the lock is gone")

    turn = Turn("s", Conversation(), fail, lambda: released.append("place"))
    with pytest.raises(OSError, match="the lock is gone"):
        turn.end()
    turn.end()
    assert released == ["place"]


def test_it_is_released_in_order_and_once():
    released = []
    turn = Turn("s", Conversation(), lambda: released.append("lease"), lambda: released.append("place"))
    release = turn.hand_over()
    turn.end()
    assert released == []
    release()
    assert released == ["lease", "place"]
