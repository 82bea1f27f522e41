"""What a person asked to be remembered: the commands, the store and the answers. Knows no backend and no session."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from typing import Any, Literal, TypedDict

from webchat.conventions import MEMORY_STORE_FILENAME
from webchat.errors import InvalidInput, StorageError
from webchat.fileutil import Folder, locked, quarantine
from webchat.plain import one_line

Action = Literal["remember", "recall"]


class Memory(TypedDict):
    """One memory as callers see it; every value can be written as JSON."""

    id: str
    timestamp: str
    category: str
    content: str
    tags: list[str]


Memories = list[Memory]


# The commands

_SEPARATOR = r"(?:\s*[:：]|\s)"
_COMMANDS: tuple[tuple[Action, str], ...] = (
    ("remember", r"remember(?:\s+this)?\s*[:：]"),
    ("remember", r"remember\s+that" + _SEPARATOR),
    ("recall", r"what\s+do\s+you\s+remember\s+about" + _SEPARATOR),
    ("recall", r"recall" + _SEPARATOR),
    ("recall", r"search\s+memory(?:\s+for)?" + _SEPARATOR),
)


def check_memory_intent(text: str) -> tuple[Action, str] | None:
    """The action and its text where a message begins with a memory command, else None.

    | message                               | action   | text |
    |---------------------------------------|----------|------|
    | remember: X, remember this: X         | remember | X    |
    | remember that X                       | remember | X    |
    | what do you remember about X?         | recall   | X    |
    | recall X                              | recall   | X    |
    | search memory X, search memory for X  | recall   | X    |

    In any case, with blanks around. X may span lines; the question marks that end a recall are not part of it. A colon
    may be full-width, may follow a blank, and may stand after every command. Without an X it is no command.
    """
    message = text.strip() + "\n"  # the newline ends a command that stands alone: its X is then empty
    for action, pattern in _COMMANDS:
        if match := re.match(pattern, message, re.IGNORECASE):
            blanks = string.whitespace + "?？" if action == "recall" else None
            rest = message[match.end() :].strip().rstrip(blanks)
            return (action, rest) if rest else None
    return None


# What a memory is about

_CATEGORIES = (
    ("preference", r"prefer\w*|favou?rites?|(?:dis)?likes?|loves?|enjoys?|hates?"),
    ("task", r"to-?do|tasks?|remind(?:er)?s?|deadlines?|needs? to|have to"),
    ("work", r"work(?:s|ing)?|jobs?|projects?|meetings?|clients?|colleagues?|boss|office"),
    ("personal", r"my name|i am|i['’]m|i live|i was born|birthday|anniversary|my (?:wife|husband|partner|family)"),
    ("fact", r"facts?|is|are|was|were|has|means|equals"),
)
_WORD = re.compile(r"([^\W_]+)(?:['’](?:s|t|m|d|re|ve|ll)\b)?")
_STOP_WORDS = frozenset(
    """
    about after all also am an and any are as at be because been before being but by can could did do does doing don
    for from had has have he her here him his how if in into is isn it its just me my no not of off on or our out over
    please remember she should so some than that the their them then there these they this those to too up us very was
    we were what when where which who why will with would you your
    """.split()
)
_MOST_TAGS, _LONGEST_TAG = 5, 30


def categorise(content: str) -> str:
    """The first category that has one of its words in the content.

    | category   | words                                                                  |
    |------------|------------------------------------------------------------------------|
    | preference | prefer…, favourite, favorite, like, dislike, love, enjoy, hate         |
    | task       | todo, task, remind, reminder, deadline, need to, have to               |
    | work       | work, job, project, meeting, client, colleague, boss, office           |
    | personal   | my name, I am, I'm, I live, I was born, birthday, anniversary, my wife |
    |            | (husband, partner, family)                                             |
    | fact       | fact, is, are, was, were, has, means, equals                           |
    | general    | none of these                                                          |
    """
    for category, words in _CATEGORIES:
        if re.search(rf"\b(?:{words})\b", content, re.IGNORECASE):
            return category
    return "general"


def tags_of(content: str) -> list[str]:
    """The first significant words, at most five, in lower case; ["memory"] where there is none.

    Significant are words of two characters or more (one, where it is not ASCII) that are not stop words.
    """
    words = (word for word in _significant_words(content.lower()) if len(word) <= _LONGEST_TAG)
    return list(islice(words, _MOST_TAGS)) or ["memory"]


def _significant_words(text: str) -> Iterator[str]:
    seen: set[str] = set()
    for match in _WORD.finditer(text):
        word = match[1]
        if word in _STOP_WORDS or word in seen or (len(word) == 1 and word.isascii()):
            continue
        seen.add(word)
        yield word


# The store


def _utc_now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


class MemoryStore:
    """The memories in a folder's `memory-store.yaml`. Several processes may share it.

    An owner sees what was remembered with the same owner only; None is an owner like any other.
    """

    def __init__(self, folder: Folder, *, clock: Callable[[], str] = _utc_now, trash_days: float = 30.0) -> None:
        """`trash_days` is for how long a deleted memory can be restored."""
        self._folder = folder
        self._clock = clock
        self._trash_days = trash_days

    def remember(self, content: str, owner: str | None = None) -> Memory:
        """Store a text under an id that was never used before.

        Raises InvalidInput for a text that UTF-8 cannot hold; StorageError, and then nothing has changed.
        """
        _require_utf8(content)
        with self._writing():
            file = self._read()
            row = file.new_row(self._clock(), content, owner)
            self._replace(file)
        return _view(row)

    def recall(self, query: str, owner: str | None = None) -> Memories:
        """The memories that match, oldest first, whatever the case. Raises StorageError.

        A memory matches when its content, category and tags contain the whole query, or else every significant word of
        it ("my favourite tea" finds "Tea: green is my favourite"). A part of a word counts: "dog" finds "dogs".
        """
        query = query.casefold()
        words = list(_significant_words(query))
        return [memory for memory in self.list(owner) if _matches(memory, query, words)]

    def list(self, owner: str | None = None) -> Memories:
        """All memories, oldest first. Raises StorageError."""
        with _storage_errors("The memories could not be read"):
            return [_view(row) for row in self._read().rows if row.get("owner") == owner]

    def delete(self, memory_id: str, owner: str | None = None) -> bool:
        """Put a memory into the trash; False where there is none. Its id is not used again. Raises StorageError."""
        with self._writing():
            file = self._read()
            gone, file.rows = _parted(file.rows, memory_id, owner)
            if gone:
                file.trash += [{**row, "deleted_at": self._clock()} for row in gone]
                self._replace(file)
        return bool(gone)

    def trash(self, owner: str | None = None) -> Memories:
        """The deleted memories that can be restored, oldest first. Raises StorageError."""
        with _storage_errors("The memories could not be read"):
            rows = self._read().trash
        return [_view(row) for row in rows if row.get("owner") == owner and not self._is_expired(row)]

    def restore(self, memory_id: str, owner: str | None = None) -> bool:
        """Bring a memory back from the trash; False where it is not there. Raises StorageError."""
        with self._writing():
            file = self._read()
            back, file.trash = _parted(file.trash, memory_id, owner)
            if back:
                file.rows += [{key: value for key, value in row.items() if key != "deleted_at"} for row in back]
                file.rows.sort(key=lambda row: (str(row.get("timestamp") or ""), len(str(row["id"])), str(row["id"])))
                self._replace(file)
        return bool(back)

    def purge(self, memory_id: str, owner: str | None = None) -> bool:
        """Let a memory in the trash go for good; False where it is not there. Raises StorageError."""
        with self._writing():
            file = self._read()
            gone, file.trash = _parted(file.trash, memory_id, owner)
            if gone:
                self._replace(file)
        return bool(gone)

    def is_whole(self) -> bool:
        """Whether all of the file is understood. Raises StorageError."""
        with _storage_errors("The memories could not be read"):
            return not self._read().damaged

    def mend(self) -> None:
        """Write the file anew from what was understood of it; a copy of a damaged one is kept. Raises StorageError."""
        with self._writing():
            self._replace(self._read())

    def empty_expired(self) -> None:
        """Let all go that has lain in the trash for its time, of every owner. Raises StorageError."""
        with _storage_errors("The memories could not be read"):
            if not any(map(self._is_expired, self._read().trash)):
                return
        with self._writing():
            self._replace(self._read())

    def _is_expired(self, row: dict[str, Any]) -> bool:
        try:
            age = datetime.fromisoformat(self._clock()) - datetime.fromisoformat(str(row.get("deleted_at")))
        except (ValueError, TypeError):  # a time that somebody wrote by hand: kept
            return False
        return age.total_seconds() > self._trash_days * 24 * 3600

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with _storage_errors("The memories could not be saved"), locked(self._folder, MEMORY_STORE_FILENAME):
            yield

    def _read(self) -> _MemoryFile:
        data = self._folder.read(MEMORY_STORE_FILENAME)
        return _MemoryFile({}, [], 1) if data is None else _parse(data)

    def _replace(self, file: _MemoryFile) -> None:
        trash = [row for row in file.trash if not self._is_expired(row)]
        top = {key: value for key, value in file.top.items() if key != "trash"} | ({"trash": trash} if trash else {})
        data = _dump(top | {"memories": file.rows, "next_id": file.next_id})
        if file.damaged:
            quarantine(self._folder, MEMORY_STORE_FILENAME)
        self._folder.replace(MEMORY_STORE_FILENAME, data)


def _require_utf8(content: str) -> None:
    try:
        content.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput("The text has half a character in it and cannot be kept. Type it again.") from error


@contextmanager
def _storage_errors(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(what, error) from error


def _matches(memory: Memory, query: str, words: list[str]) -> bool:
    text = "\n".join((memory["content"], memory["category"], *memory["tags"])).casefold()
    return query in text or (bool(words) and all(word in text for word in words))


# The file

_ID = re.compile(r"mem-([0-9]{1,9})")


@dataclass
class _MemoryFile:
    """The file's content: the rows that were understood, and all other keys as they were found."""

    top: dict[str, Any]
    rows: list[dict[str, Any]]
    next_id: int
    damaged: bool = False
    trash: list[dict[str, Any]] = field(default_factory=list)

    def new_row(self, timestamp: str, content: str, owner: str | None) -> dict[str, Any]:
        row = {
            "id": f"mem-{self.next_id:03}",
            "timestamp": timestamp,
            "category": categorise(content),
            "content": content,
            "tags": tags_of(content),
        }
        if owner is not None:
            row["owner"] = owner
        self.rows.append(row)
        self.next_id += 1
        return row


def _parse(data: bytes) -> _MemoryFile:
    """What is understood of a file; `damaged` where that is not all of it, and then its text is searched for ids."""
    try:
        top = _load(data)
    except Exception:  # PyYAML lets through what its constructors raise: ValueError, LookupError, RecursionError, …
        top = "no YAML"
    keys = top if isinstance(top, dict) else {}
    found = keys.get("memories") or []
    rows = [row for row in found if _is_memory(row)] if isinstance(found, list) else []
    damaged = not isinstance(top, dict | None) or rows != found
    ids = data.decode(errors="replace") if damaged else "\n".join(str(row["id"]) for row in rows)
    thrown = keys.get("trash") or []
    trash = [row for row in thrown if _is_memory(row)] if isinstance(thrown, list) else []
    damaged = damaged or trash != thrown
    return _MemoryFile(keys, rows, _next_id(keys.get("next_id"), ids), damaged, trash)


def _parted(
    rows: list[dict[str, Any]], memory_id: str, owner: str | None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """That memory's rows, and the others."""
    meant = [row for row in rows if str(row["id"]) == memory_id and row.get("owner") == owner]
    return meant, [row for row in rows if row not in meant]


def _is_memory(row: object) -> bool:
    return isinstance(row, dict) and all(isinstance(row.get(key), str | int | float) for key in ("id", "content"))


def _next_id(kept: object, ids: str) -> int:
    """The number kept in the file, but above every id in `ids`: rows written by hand, all text of a damaged file."""
    highest = max((int(match[1]) for match in _ID.finditer(ids)), default=0)
    return max(kept if type(kept) is int else 1, highest + 1)


def _view(row: dict[str, Any]) -> Memory:
    """A row as callers see it. Written by hand, it may lack keys or hold numbers where texts are meant."""
    tags = row.get("tags") or []
    return {
        "id": str(row["id"]),
        "timestamp": str(row.get("timestamp") or ""),
        "category": one_line(str(row.get("category") or "general")),
        "content": str(row["content"]),
        "tags": [one_line(str(tag)) for tag in (tags if isinstance(tags, list) else [tags])],
    }


_TIMESTAMP, _STRING = "tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:str"
_NEEDS_ESCAPES = re.compile("[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


def _load(data: bytes) -> Any:  # noqa: ANN401  (whatever somebody wrote there)
    import yaml

    return yaml.load(data, Loader=_yaml_classes()[0])  # noqa: S506  (a subclass of the safe loader)


def _dump(content: dict[str, Any]) -> bytes:
    import yaml

    return yaml.dump(content, Dumper=_yaml_classes()[1], allow_unicode=True, sort_keys=False, encoding="utf-8")


@cache
def _yaml_classes() -> tuple[Any, Any]:
    """PyYAML's safe loader without dates (JSON has none), and its safe dumper with a style that loses no character.

    The C classes are up to a hundred times faster. Imported with the first memory: the chat starts without.
    """
    import yaml

    loader: Any = type("Loader", (getattr(yaml, "CSafeLoader", yaml.SafeLoader),), {})
    loader.yaml_implicit_resolvers = {
        first: [rule for rule in rules if rule[0] != _TIMESTAMP]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    dumper: Any = type("Dumper", (getattr(yaml, "CSafeDumper", yaml.SafeDumper),), {})
    dumper.add_representer(str, _represent_text)
    return loader, dumper


def _represent_text(dumper: Any, text: str) -> Any:  # noqa: ANN401  (PyYAML's classes differ with the platform)
    """Without its C library PyYAML picks quotes that lose line ends such as U+0085; only escapes are exact."""
    style = '"' if _NEEDS_ESCAPES.search(text) else "|" if "\n" in text else None
    return dumper.represent_scalar(_STRING, text, style=style)


# The answers


@dataclass(frozen=True)
class MemoryAnswer:
    """What a memory command gives: the text for people, and the memory stored or the list of those found."""

    text: str
    action: Action
    result: Memory | Memories


def answer(store: MemoryStore, action: Action, text: str, owner: str | None = None) -> MemoryAnswer:
    """Do what `check_memory_intent` understood. Raises what the store raises."""
    if action == "remember":
        memory = store.remember(text, owner)
        return MemoryAnswer(_stored_text(memory), action, memory)
    found = store.recall(text, owner)
    return MemoryAnswer(_found_text(found) if found else f"No memories found matching '{text}'.", action, found)


def answered_before(store: MemoryStore, action: Action, text: str, said: str, owner: str | None = None) -> MemoryAnswer:
    """What `answer` gave already, said once more; nothing is stored again. Raises what the store raises."""
    if action == "recall":
        return MemoryAnswer(said, action, store.recall(text, owner))
    stored = [memory for memory in store.list(owner) if memory["content"] == text]
    return MemoryAnswer(said, action, stored[-1] if stored else [])


def _stored_text(memory: Memory) -> str:
    return f"Remembered! Stored as {memory['id']} (category: {memory['category']}, tags: {', '.join(memory['tags'])})"


def _found_text(found: Memories) -> str:
    lines = [f"- [{memory['id']}] ({memory['category']}) {memory['content']}" for memory in found]
    return "\n".join([f"Found {len(found)} memory(ies):", "", *lines])
