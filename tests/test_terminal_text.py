"""Tools' output is shown as a terminal or a diff would show it, and nothing in it has an effect."""

from __future__ import annotations

import re
import time

import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st

from webchat.render.diffs import LINES_SHOWN, diff
from webchat.render.terminal import plain, terminal

ACTS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
LONG = 30_000
PATIENCE = 3.0
"""Seconds of CPU that nothing of this size comes close to."""


def text_of(html: str) -> str:
    return BeautifulSoup(f"<pre>{html}</pre>", "html.parser").get_text()


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("plain\ntext\n", "plain\ntext\n"),
        ("windows\r\nlines\r\r\n", "windows\nlines\n"),
        ("10 %\r50 %\r100 %\ndone", "100 %\ndone"),
        ("a long line\rshort", "shortg line"),
        ("a long line\r\x1b[Kshort", "short"),
        ("a long line\x1b[2K\x1b[1Gshort", "short"),
        ("wait |\x08/\x08-", "wait -"),
        ("abc\x1b[1Kd", "   d"),
        ("\x1b]0;a title\x07after", "after"),
        ("\x1b]8;;https://a.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;never ends\nnext", "\nnext"),
        ("\x1bPq#0;2\x1b\\picture", "picture"),
        ("up\x1b[2A\x1b[10;5Hdown\x1b[?25l\x1b(B\x1b7\x1b=", "updown"),
        ("\x9b31mC1\x9d0;title\x9cend", "C1end"),
        ("bell\x07nul\x00del\x7f", "bellnuldel"),
        ("cut off \x1b[38;5", "cut off "),
        ("tab\tstays", "tab\tstays"),
    ],
)
def test_lines_stand_as_on_a_terminal(written, shown):
    assert text_of(terminal(written)) == shown


@pytest.mark.parametrize(
    ("codes", "classes"),
    [
        ("31", "t1"),
        ("1;32", "t2 t-bold"),
        ("94", "t12"),
        ("38;5;9", "t9"),
        ("38;5;196", "t9"),
        ("38;5;240", "t8"),
        ("38;2;0;0;250", "t4"),
        ("38:2::250:0:0", "t9"),
        ("38:5:2", "t2"),
        ("44", "t-filled"),
        ("48;5;20;3", "t-filled t-italic"),
        ("4;7", "t-underline t-inverse"),
        ("1;2;22;33", "t3"),
        ("38;5", None),
        ("38;2;1;2", None),
        ("38;5;999", None),
        ("31;39", None),
        ("31;", None),
        (">4;2", None),
        ("9" * 9000, None),
    ],
)
def test_colours_are_classes(codes, classes):
    span = BeautifulSoup(terminal(f"\x1b[{codes}mword"), "html.parser").span
    assert (" ".join(span["class"]) if span else None) == classes


def test_a_colour_goes_on_until_it_is_put_back():
    html = terminal("\x1b[31mred\nstill\x1b[m not\rN")
    assert html == '<span class="t1">red</span>\nN<span class="t1">till</span> not'


SEQUENCES = ["\x1b", "[", "]", "\x9b", "\x9d", "31", ";", "38;2;", "m", "K", "G", "A", "P", "?", "0", "\\"]
CONTROLS = ["\r", "\n", "\x08", "\x07", "\x00", "\x85", "\u202e", "\u2066", "\ud800"]
PIECES = st.sampled_from([*SEQUENCES, *CONTROLS, "text", "é", "<b>", "&", '"'])


@given(st.lists(PIECES, max_size=40).map("".join) | st.text(max_size=60))
def test_nothing_that_acts_gets_through(text):
    for html in (terminal(text), plain(text), diff(text, text[::-1]).html, diff(None, text).html):
        assert not ACTS.search(html)
        soup = BeautifulSoup(html, "html.parser")
        assert {tag.name for tag in soup.find_all()} <= {"span", "ins", "del"}
        assert {name for tag in soup.find_all() for name in tag.attrs} <= {"class"}
        for mark in soup.find_all(string=re.compile("[\u202a-\u202e\u2066-\u2069]")):
            assert mark.parent["class"] == ["bidi"]


@given(st.lists(st.sampled_from("abc"), max_size=12), st.lists(st.sampled_from("abc"), max_size=12))
def test_a_diff_says_what_was_removed_and_added(old, new):
    found = diff("".join(f"{line}\n" for line in old), "".join(f"{line}\n" for line in new))
    lines = text_of(found.html).splitlines()
    added = [line[1:] for line in lines if line[0] == "+"]
    removed = [line[1:] for line in lines if line[0] == "-"]
    assert len(new) - len(old) == len(added) - len(removed)
    assert (found.added, found.removed) == (len(added), len(removed))
    for line in "abc":
        assert old.count(line) - removed.count(line) == new.count(line) - added.count(line)
    assert (old == new) == (not lines)


def test_a_diff_shows_what_is_around_a_change_and_leaves_out_the_rest():
    old = [f"line {number}" for number in range(40)]
    new = [*old[:10], "changed", *old[11:30], "more", *old[30:]]
    assert text_of(diff("\n".join(old), "\n".join(new)).html).splitlines() == [
        *(f" line {number}" for number in (7, 8, 9)),
        "-line 10",
        "+changed",
        *(f" line {number}" for number in (11, 12, 13)),
        "⋯",
        *(f" line {number}" for number in (27, 28, 29)),
        "+more",
        *(f" line {number}" for number in (30, 31, 32)),
    ]


def test_a_long_diff_is_cut_and_says_so():
    found = diff(None, "line\n" * (LINES_SHOWN + 5))
    assert (found.added, found.left) == (LINES_SHOWN + 5, 5)
    assert len(text_of(found.html).splitlines()) == LINES_SHOWN


SLOW = {
    "one line that is written over": ("0 %\r" * (LONG // 4), ""),
    "backspaces": ("ab\x08" * (LONG // 3), ""),
    "strings without an end": ("\x1b]" * (LONG // 2), ""),
    "sequences without an end": ("\x1b[" * (LONG // 2), "\x1b[1;" * (LONG // 4)),
    "many parameters": ("\x1b[" + "1;" * (LONG // 2) + "m", ""),
    "erased again and again": ("a" * 10_000 + "\x1b[1K" * 5_000, ""),
    "equal lines": ("a\n" * 10_000, "b\na\n" * 10_000),
    "few kinds of lines": ("a\nb\nc\n" * 1_000, "c\na\nb\n" * 1_000),
    "all lines in another order": (
        "".join(f"{number}\n" for number in range(1_490)),
        "".join(f"{number}\n" for number in reversed(range(1_490))),
    ),
    "huge lines": ("x" * 2**20, "y" * 2**20),
}


@pytest.mark.parametrize("kind", SLOW)
def test_no_text_takes_long(kind):
    old, new = SLOW[kind]
    before = time.thread_time()
    terminal(old[: 2 * LONG])
    diff(old, new)
    assert time.thread_time() - before < PATIENCE


def test_many_carriage_returns_do_not_take_long():
    before = time.thread_time()
    assert plain("\r" * 3 * LONG + "\n\r\r\n") == "\n\n"
    assert plain("\r" * 3 * LONG).count("\u240d") == 3 * LONG
    assert time.thread_time() - before < PATIENCE
