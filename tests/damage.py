"""A small store with every kind of stored data, and damage that may happen to its files."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REGISTRY = "server/web-chat-sessions.json"
FOLDER = "server/web-chat-transcripts"
TRANSCRIPT = f"{FOLDER}/first.jsonl"
REPLY = f"{FOLDER}/replies/second.reply"
ACTIVITY = "server/web-chat-activity.jsonl"
SEARCH = "server/web-chat-search.sqlite"
SETTINGS = "server/web-chat-settings.json"
MEMORIES = "memory-store.yaml"
SECRET = "the secret outside"
MESSAGES = (
    {"type": "message", "id": "q1", "parent": None, "role": "user", "content": "What is an apple?"},
    {"type": "message", "id": "a1", "parent": "q1", "role": "assistant", "content": "An apple is a fruit."},
)
LEFT_BEHIND = ({"id": "a2", "parent": "q2", "started_at": "2026-01-02T00:00:00+00:00"}, {"d": "A pear is"}, {"d": " a"})


def make(home: Path) -> None:
    """Two sessions, the second with an answer whose server died; a memory, settings, an order."""
    (home / FOLDER / "replies").mkdir(parents=True, mode=0o700)
    write(home / REGISTRY, [record("first", "Apples"), record("second", "Pears", is_active=True)])
    lines(home / TRANSCRIPT, *MESSAGES)
    lines(home / FOLDER / "second.jsonl", {"type": "message", "id": "q2", "role": "user", "content": "And a pear?"})
    lines(home / REPLY, *LEFT_BEHIND)
    lines(home / ACTIVITY, {"at": "2026-01-02T00:00:00+00:00", "session": "first", "what": "message"})
    write(home / SETTINGS, {"theme": "dark", "later": 1})
    (home / MEMORIES).write_text("memories:\n- {id: mem-001, content: The key is blue, tags: [key]}\nnext_id: 2\n")


def record(session_id: str, description: str, **more: Any) -> dict[str, Any]:
    """A session's row in the registry."""
    at = "2026-01-01T00:00:00+00:00"
    row = {"session_id": session_id, "description": description, "created_at": at, "last_active": at}
    return {**row, "is_active": False, "begun": True, "extra": {}, **more}


def write(path: Path, value: object) -> None:
    """Write JSON to a file, each item of a list on a line."""
    items = ",\n".join(json.dumps(item) for item in value) if isinstance(value, list) else ""
    path.write_text(f"[\n{items}\n]\n" if isinstance(value, list) else json.dumps(value))


def lines(path: Path, *records: Mapping[str, Any]) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


Harm = Callable[[Path, Path], None]
"""Damages the file; the second path is a file outside the store."""


@dataclass(frozen=True)
class Damage:
    """One kind of damage to one file. opens: whether every page can be shown as usual; else some report the problem
    (507).

    sent: the status of a message that starts a session, and of one in each of the two. shown: texts that must still be
    found on the pages. kept: "copy" if a copy of the file must exist beside it after a write, "prefix" if the file must
    still begin with the same bytes, "" for derived data or no bytes at all.
    """

    name: str
    file: str
    harm: Harm
    opens: bool = True
    sent: tuple[int, int, int] = (200, 200, 200)
    shown: tuple[str, ...] = ("Apples", "What is an apple?", "An apple is a fruit.", "A pear is a")
    kept: str = ""


# Damage possible to any file


def content(data: bytes) -> Harm:
    return lambda path, outside: _put(path, data)


def added(data: bytes) -> Harm:
    return lambda path, outside: _put(path, path.read_bytes() + data)


def replaced(old: bytes, new: bytes) -> Harm:
    def harm(path: Path, outside: Path) -> None:
        before = path.read_bytes()
        assert old in before
        path.write_bytes(before.replace(old, new, 1))

    return harm


def halved(path: Path, outside: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def link(path: Path, outside: Path) -> None:
    remove(path)
    path.symlink_to(outside)


def dangling_link(path: Path, outside: Path) -> None:
    remove(path)
    path.symlink_to(outside.with_name("not there"))


def link_to_folder(path: Path, outside: Path) -> None:
    """The folder and its contents are moved outside, with a link to it."""
    path.rename(outside.parent / "folder")
    path.symlink_to(outside.parent / "folder")


def folder(path: Path, outside: Path) -> None:
    remove(path)
    path.mkdir()
    (path / "inside").write_text("something")


def pipe(path: Path, outside: Path) -> None:
    remove(path)
    os.mkfifo(path)


def file_in_a_folders_place(path: Path, outside: Path) -> None:
    path.rename(outside.parent / "folder")
    path.write_text("no folder")


def later_index(path: Path, outside: Path) -> None:
    remove(path)
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 999")
    database.close()


def remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def _put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


# Damage specific to each file

ALL = Damage.shown
NO_ROWS, NO_FIRST, NO_SECOND = (200, 404, 404), (200, 404, 200), (200, 200, 404)
NOWHERE, NOT_IN_FIRST, NOT_IN_SECOND = (507, 507, 507), (200, 507, 200), (200, 200, 507)
PEARS = ("Pears", "A pear is a")
APPLES = ("Apples", "What is an apple?", "An apple is a fruit.")
NOTHING: tuple[str, ...] = ()
DEEP = b"[" * 100_000
HUGE = b"9" * 5000


def _registry() -> list[Damage]:
    def of(name: str, harm: Harm, **more: Any) -> Damage:
        return Damage(name, REGISTRY, harm, **{"kept": "copy", **more})

    broken_row = json.dumps({"session_id": "../x", "description": "No id"}).encode()
    twice = json.dumps(record("first", "Apples again")).encode()
    more = json.dumps(record("third", "T" * 2_000_000)).encode()
    return [
        of("empty", content(b""), shown=NOTHING, sent=NO_ROWS),
        of("halved", halved, shown=APPLES[:1], sent=NO_SECOND),
        of("text", content(b"not a list of sessions"), shown=NOTHING, sent=NO_ROWS),
        of("NUL bytes", content(b"\0" * 4096), shown=NOTHING, sent=NO_ROWS),
        of("bad UTF-8 in a title", replaced(b"Pears", b"P\xff\xfers"), shown=APPLES, sent=NO_SECOND),
        of("NUL in a title", replaced(b"Pears", b"Pe\\u0000rs"), kept="", shown=APPLES),
        of("half a character in a title", replaced(b"Pears", b"Pe\\ud83drs"), kept="", shown=APPLES),
        of("a number", content(b"7"), shown=NOTHING, sent=NO_ROWS),
        of("an object", content(b'{"a": 1}'), shown=NOTHING, sent=NO_ROWS),
        of("nested too deep", content(DEEP), shown=NOTHING, sent=NO_ROWS),
        of("a number too long", replaced(b'"extra": {}', b'"extra": {"n": ' + HUGE + b"}"), shown=PEARS, sent=NO_FIRST),
        of("a row of a wrong type", replaced(b"[\n", b'[\n"row",\n')),
        of("a row with an id that leads out", replaced(b"[\n", b"[\n" + broken_row + b",\n")),
        of("an id twice", replaced(b"[\n", b"[\n" + twice + b",\n"), shown=("Apples again", "An apple is a fruit.")),
        of("a title of a wrong type", replaced(b'"Pears"', b"[1, 2]"), shown=APPLES, sent=NO_SECOND),
        of("a time of a wrong type", replaced(b'"2026-01-01T00:00:00+00:00"', b"5"), shown=PEARS, sent=NO_FIRST),
        of("a time that is none", replaced(b'"2026-01-01T00:00:00+00:00"', b'"yesterday"'), kept="", shown=ALL),
        of("a time before all others", replaced(b"2026-01-01T00:00:00+00:00", b"0001-01-01T00:00:00+14:00"), kept=""),
        of("a title of 2 MB", replaced(b"[\n", b"[\n" + more + b",\n"), kept="", shown=ALL),
        of("two that are current", replaced(b'"is_active": false', b'"is_active": true'), kept=""),
        of("in UTF-16", lambda path, _: _put(path, path.read_text().encode("utf-16")), kept=""),
        of("with a byte order mark", lambda path, _: _put(path, b"\xef\xbb\xbf" + path.read_bytes()), kept=""),
        of(
            "of a later version",
            content(b'{"format": 2, "sessions": []}'),
            shown=NOTHING,
            sent=(422, 404, 404),
            kept="prefix",
        ),
    ]


def _transcript() -> list[Damage]:
    def of(name: str, harm: Harm, **more: Any) -> Damage:
        return Damage(name, TRANSCRIPT, harm, **{"kept": "prefix", "shown": ("Apples", *PEARS), **more})

    question = ("What is an apple?", *PEARS)
    return [
        of("empty", content(b"")),
        of("halved", halved, shown=question),
        of("NUL bytes", added(b"\0" * 4096), shown=ALL),
        of("bad UTF-8", replaced(b"a fruit", b"a \xff\xfe"), shown=question),
        of("half a character", replaced(b"a fruit", b"a \\udc00 fruit"), shown=(*question, "An apple is a ? fruit.")),
        of("lines of wrong types", added(b'5\n"x"\nnull\n[1]\n{}\n{"role": 1, "content": []}\n'), shown=ALL),
        of("an id twice", added(json.dumps(MESSAGES[0]).encode() + b"\n")),
        of("a message that follows itself", replaced(b'"parent": "q1"', b'"parent": "a1"')),
        of("messages in a ring", replaced(b'"parent": null', b'"parent": "a1"')),
        of("an id that is none", replaced(b'"id": "a1"', b'"id": "<b>"'), shown=ALL),
        of("all keys of wrong types", added(_wrong_types()), shown=NOTHING),
        of("a chosen branch of a wrong type", added(b'{"type": "select", "id": ["a1"]}\n'), shown=ALL),
        of("a line of 2 MB", added(b'{"role": "user", "content": "' + b"x " * 1_000_000 + b'"}\n'), shown=question),
        of("nested too deep", added(DEEP + b"\n"), shown=ALL),
        of("no last newline", lambda path, _: _put(path, path.read_bytes()[:-1]), shown=question),
        of("of a later version", added(b'{"type": "format", "version": 2}\n'), shown=ALL, sent=(200, 422, 200)),
    ]


def _wrong_types() -> bytes:
    keys = (
        "id",
        "parent",
        "status",
        "created_at",
        "model",
        "kind",
        "reasoning",
        "notes",
        "error",
        "code",
        "key",
        "files",
    )
    odd = [dict.fromkeys(keys, value) for value in (1, [1], {"a": 1}, None, True)]
    return b"".join(json.dumps({**row, "role": "assistant", "content": "Odd"}).encode() + b"\n" for row in odd)


def _reply() -> list[Damage]:
    def of(name: str, harm: Harm, **more: Any) -> Damage:
        return Damage(name, REPLY, harm, **{"kept": "copy", "shown": APPLES, **more})

    odd = b'{"d": 1}\n{"s": 2}\n{"s": "Reading", "p": "much"}\n{"r": []}\n{"end": {"a": 1}, "error": 5, "code": []}\n'
    return [
        of("empty", content(b"")),
        of("halved", halved),
        of("a torn last line", lambda path, _: _put(path, path.read_bytes()[:-4]), shown=(*APPLES, "A pear is")),
        of("NUL bytes", added(b"\0" * 512 + b"\n"), shown=ALL),
        of("bad UTF-8", replaced(b'" a"', b'" \xff"'), shown=(*APPLES, "A pear is")),
        of("lines of wrong types", added(odd), shown=ALL),
        of("a header of a wrong type", replaced(b'{"id"', b'5\n{"id"'), shown=ALL),
        of(
            "a header with wrong types",
            content(b'{"id": [], "parent": {}, "extends": "x", "model": 5}\n{"d": "A pear is a"}\n'),
        ),
        of("an id that is none", replaced(b'"a2"', b'"../<b>"'), shown=ALL),
        of("a line of 2 MB", added(b'{"d": "' + b"x " * 1_000_000 + b'"}\n'), kept=""),
    ]


def _others() -> list[Damage]:
    odd_order = b'{"at": 5, "session": "first"}\n{"at": "never", "session": "second"}\n\xff\n'
    odd_order += b'{"at": "9999-12-31T23:59:59-12:00", "session": "first"}\n'
    odd_memories = (
        b"memories: [5, {id: [], content: x}, {id: mem-002, content: {a: 1}}, {id: mem-003, content: Kept}]\n"
    )
    wrong_settings = (
        b'{"theme": "pink", "temperature": "hot", "model": [], "memory_context": "maybe", "system_prompt": {"a": 1}}'
    )
    return [
        Damage("halved", ACTIVITY, halved),
        Damage("bytes", ACTIVITY, content(os.urandom(4096))),
        Damage("odd times", ACTIVITY, content(odd_order)),
        Damage("bytes", SEARCH, content(b"no database at all" * 1000)),
        Damage("of a later version", SEARCH, later_index),
        Damage("halved", SETTINGS, halved, kept="copy"),
        Damage("bad UTF-8", SETTINGS, content(b'{"theme": "\xff"}'), kept="copy"),
        Damage("a list", SETTINGS, content(b"[1, 2]"), kept="copy"),
        Damage("wrong types", SETTINGS, content(wrong_settings), kept="copy"),
        Damage("nobody of that name answers", SETTINGS, content(b'{"backend": "nobody", "base_url": "x y"}')),
        Damage("nested too deep", SETTINGS, content(DEEP), kept="copy"),
        Damage("halved", MEMORIES, halved, kept="copy"),
        Damage("bad UTF-8", MEMORIES, content(b"memories:\n- {id: mem-001, content: \xff}\n"), kept="copy"),
        Damage("NUL bytes", MEMORIES, content(b"\0" * 512), kept="copy"),
        Damage("wrong types", MEMORIES, content(odd_memories), kept="copy"),
        Damage("a list", MEMORIES, content(b"- 1\n- 2\n"), kept="copy"),
        Damage("objects of a program", MEMORIES, content(b'!!python/object/apply:os.system ["true"]\n'), kept="copy"),
    ]


def _strange(file: str, **more: Any) -> list[Damage]:
    """Things other than a file in a file's place."""
    kinds = {"a link out": link, "a link to nothing": dangling_link, "a folder": folder, "a pipe": pipe}
    return [Damage(f"{name} in its place", file, harm, **more) for name, harm in kinds.items()]


DAMAGES = [
    *_registry(),
    *_transcript(),
    *_reply(),
    *_others(),
    *_strange(REGISTRY, opens=False, sent=NOWHERE, shown=NOTHING),
    *_strange(TRANSCRIPT, opens=False, sent=NOT_IN_FIRST, shown=("Apples", *PEARS)),
    *_strange(REPLY, sent=NOT_IN_SECOND, shown=APPLES),
    *_strange(f"{FOLDER}/first.lock", sent=NOT_IN_FIRST)[:3],  # a pipe can be locked
    *_strange(ACTIVITY),
    *_strange(SEARCH),
    *_strange(SEARCH + "-wal"),
    *_strange(SETTINGS),
    *_strange(MEMORIES, opens=False),
    Damage("a link in its place", FOLDER, link_to_folder, opens=False, sent=NOWHERE, shown=("Apples", "Pears")),
    Damage(
        "a file in its place", FOLDER, file_in_a_folders_place, opens=False, sent=NOWHERE, shown=("Apples", "Pears")
    ),
    Damage("a link in its place", "server", link_to_folder, opens=False, sent=NOWHERE, shown=NOTHING),
    Damage("a file in its place", "server", file_in_a_folders_place, opens=False, sent=NOWHERE, shown=NOTHING),
]
