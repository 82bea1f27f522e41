"""Large texts held only by garbage are freed, however few objects there are."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from webchat.serving.memory import GROWTH, Garbage, resident


class Page:
    """Holds a text, and itself, as a rendered page and its template's macros hold each other."""

    def __init__(self, size: int) -> None:
        self.text, self.itself = b"x" * size, self


@pytest.fixture(autouse=True)
def _python_collects_nothing() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def dropped(size: int) -> weakref.ref[Page]:
    return weakref.ref(Page(size))


def test_what_holds_much_is_given_back():
    garbage, before = Garbage(), resident()
    page = dropped(2 * GROWTH)
    assert resident() > before + GROWTH
    garbage.check()
    assert page() is None
    assert resident() < before + GROWTH


def test_what_holds_little_waits():
    garbage = Garbage()
    page = dropped(GROWTH // 8)
    garbage.check()
    assert page() is not None


def test_it_takes_a_small_share_of_the_time():
    """If much memory is really needed and a collection takes a second, it does not run every second."""
    now, size = [0.0], [0]

    def clock() -> float:
        now[0] += 0.5
        return now[0]

    garbage = Garbage(lambda: size[0], clock)
    size[0] += 2 * GROWTH
    garbage.check()
    size[0] += 2 * GROWTH
    page = dropped(1)
    garbage.check()
    assert page() is not None
    now[0] += 60
    garbage.check()
    assert page() is None
