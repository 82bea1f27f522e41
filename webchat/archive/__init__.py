"""Sessions taken along and brought in: whole, as JSON Lines; readable, as Markdown or HTML; and from other programs.

The JSON Lines have for each session a line `{"type": "session", "format": 1, "session": {…}, "lines": N, "torn": …}`,
whose `session` is its record in the registry, and then the N lines of its transcript as they are. A line that would not
be told from ours, or is no JSON object, stands as `{"type": "raw", "base64": "…"}`. Nothing is lost on the way.
"""

from __future__ import annotations

import base64
import io
import uuid
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import IO, Any

from webchat import jsonlines
from webchat.archive import others
from webchat.archive.others import Brought, Unreadable
from webchat.plain import one_line
from webchat.session_store import Row, WebChatSession, WebChatSessionStore, is_row
from webchat.writing import Writing

FORMAT = 1
OURS = ("session", "raw")
AT_ONCE = 20
"""Sessions that are put into the registry with one write, at most;"""
BYTES_AT_ONCE = 4 * 1024 * 1024
"""and of their transcripts, about."""
MOST_PROBLEMS = 100
"""Problems that are told one by one."""
LONGEST_LINE = 64 * 1024 * 1024
_COPIES = uuid.UUID("0a6c0d53-52a5-4c0f-8d0e-0a9a3a2f6c41")
"""The namespace of the ids that sessions get which somebody else has too."""
NOT_TAKEN_ALONG = ("is_active", "owner", "deleted_at")


@dataclass
class Report:
    """What came of an import: how many sessions were new, how many here already, and what could not be read."""

    imported: list[str] = field(default_factory=list)
    known: int = 0
    problems: list[str] = field(default_factory=list)

    def problem(self, text: str) -> None:
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(one_line(text))


class Archive:
    """Reads and writes sessions as files for elsewhere. Raises StorageError, OSError."""

    def __init__(self, store: WebChatSessionStore, writing: Writing) -> None:
        self._store, self._writing = store, writing

    def export(self, sessions: Iterable[WebChatSession]) -> Iterator[bytes]:
        """The sessions as JSON Lines, one session after the other."""
        for session in sessions:
            lines, torn = _lines(self._writing.whole(session.session_id))
            row = {**_taken_along(self._store.row(session.session_id)), "last_active": session.last_active}
            head = {"type": "session", "format": FORMAT, "session": row, "lines": len(lines)}
            yield b"".join(line + b"\n" for line in (jsonlines.dump(head | ({"torn": True} if torn else {})), *lines))

    def bring_in(self, file: IO[bytes], owner: str | None = None) -> Report:
        """Take in what such a file has: ours, or what ChatGPT, Claude or Open WebUI export, also as a zip.

        A session that is here already, also in the trash, is left as it is; one that is somebody else's is brought in
        under another id, the same one each time. Raises LimitReached, StorageError; what came before is in then.
        """
        report = Report()
        batch: dict[str, Brought] = {}
        for found in _conversations(file, report):
            brought = self._made_for(owner, found)
            if self._store.has(brought.session_id) or brought.session_id in batch:
                report.known += 1
                continue
            batch[brought.session_id] = brought
            if len(batch) == AT_ONCE or sum(len(one.transcript) for one in batch.values()) > BYTES_AT_ONCE:
                report.imported += self._put(batch.values(), owner)
                batch = {}
        report.imported += self._put(batch.values(), owner)
        return report

    def _put(self, batch: Collection[Brought], owner: str | None) -> list[str]:
        """Keep these sessions, all of them or none."""
        if batch:
            self._writing.require_disk()
            self._store.require_room(owner, len(batch))
        for brought in batch:
            # The words first: a record without them would be an empty session.
            if brought.row.get("last_active"):  # before the file, whose own time is that of today
                self._store.activity.note(brought.session_id, "import", brought.row["last_active"])
            self._writing.transcripts.put(brought.session_id, brought.transcript)
        return self._store.put([brought.row for brought in batch], owner)

    def _made_for(self, owner: str | None, brought: Brought) -> Brought:
        """The session under its own id or, where that is somebody else's, under one that nobody has."""
        name = brought.session_id
        while self._store.has(name) and self._store.row(name).get("owner") != owner:
            name = str(uuid.uuid5(_COPIES, f"{owner}:{name}"))
        return replace(brought, row={**brought.row, "session_id": name})


def _taken_along(row: Mapping[str, Any]) -> Row:
    return {key: value for key, value in row.items() if key not in NOT_TAKEN_ALONG}


def _lines(data: bytes) -> tuple[list[bytes], bool]:
    """A transcript's lines as they are taken along, and whether the last one has no newline."""
    if not data:
        return [], False
    torn = not data.endswith(b"\n")
    lines = data.split(b"\n") if torn else data[:-1].split(b"\n")
    return [_line(line) for line in lines], torn


def _line(line: bytes) -> bytes:
    record = jsonlines.parse_line(line)
    plain = record is not None and record.get("type") not in OURS and _is_utf8(line)
    return line if plain else jsonlines.dump({"type": "raw", "base64": base64.b64encode(line).decode()})


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _conversations(file: IO[bytes], report: Report) -> Iterator[Brought]:
    if not file.seekable():
        file = io.BytesIO(file.read())
    start = file.read(4)
    file.seek(0)
    if start == b"PK\x03\x04":
        yield from _zipped(file, report)
        return
    first = file.readline(LONGEST_LINE)
    while first and not first.strip():
        first = file.readline(LONGEST_LINE)
    file.seek(0)
    if not first:
        report.problem("The file is empty.")
        return
    record = jsonlines.parse_line(first)
    ours = record.get("type") == "session" if record else _has_ours(file)
    file.seek(0)
    if ours:
        yield from _ours(file, report)
    else:
        yield from _of_others(file, "", report)


def _has_ours(file: IO[bytes]) -> bool:
    """Whether a later line begins a session of ours, in a file whose first line is damaged."""
    for line in _read_lines(file):
        if line.startswith(b'{"type":"session"'):
            return True
        if line.startswith(b"["):  # so do all others
            return False
    return False


def _zipped(file: IO[bytes], report: Report) -> Iterator[Brought]:
    try:
        with zipfile.ZipFile(file) as archive:
            names = [name for name in archive.namelist() if others.IN_A_ZIP.search(name)]
            if not names:
                report.problem("The zip has no conversations.json.")
            for name in sorted(names):
                with archive.open(name) as member:
                    yield from _of_others(member, f"{name}: ", report)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        report.problem(f"The zip is damaged or not whole ({error}).")


def _of_others(file: Any, where: str, report: Report) -> Iterator[Brought]:  # noqa: ANN401  (a member of a zip, too)
    for number, item in enumerate(others.items(file, lambda problem: report.problem(where + problem)), 1):
        try:
            yield others.conversation(item)
        except Unreadable as error:
            report.problem(f"{where}conversation {number}: {error}.")


def _ours(file: IO[bytes], report: Report) -> Iterator[Brought]:
    head: Mapping[str, Any] | None = None
    lines: list[bytes] = []
    for number, line in enumerate(_read_lines(file), 1):
        if head is not None and len(lines) < head["lines"]:
            record = jsonlines.parse_line(line)
            if record is None:
                report.problem(f"line {number} is damaged and is kept as it stands.")
            if record is None or record.get("type") != "session":
                lines.append(_unwrapped(line, record))
                continue
            report.problem(f"line {number}: {head['lines'] - len(lines)} lines of the session before are missing.")
        if head is not None:
            yield _whole(head, lines)
        before, (head, lines) = head, (_head(line), [])
        if head is None and _is_newer(line):
            report.problem(f"line {number}: a later version of the chat has written this session; it is left out.")
        elif head is None and (before is not None or number == 1):
            report.problem(f"line {number}: this is not the beginning of a session; what follows is left out.")
    if head is not None:
        if len(lines) < head["lines"]:
            report.problem(f"The file ends {head['lines'] - len(lines)} lines too early.")
        yield _whole(head, lines)


def _read_lines(file: IO[bytes]) -> Iterator[bytes]:
    while line := file.readline(LONGEST_LINE):
        yield line.removesuffix(b"\n")


def _head(line: bytes) -> Mapping[str, Any] | None:
    record = jsonlines.parse_line(line) or {}
    count, row = record.get("lines"), record.get("session")
    known = record.get("type") == "session" and record.get("format") == FORMAT
    return record if known and type(count) is int and count >= 0 and is_row(row) else None


def _is_newer(line: bytes) -> bool:
    record = jsonlines.parse_line(line) or {}
    return record.get("type") == "session" and record.get("format") != FORMAT


def _unwrapped(line: bytes, record: Mapping[str, Any] | None) -> bytes:
    if record is None or record.get("type") != "raw" or not isinstance(record.get("base64"), str):
        return line
    try:
        return base64.b64decode(record["base64"], validate=True).replace(b"\n", b" ")
    except ValueError:
        return line


def _whole(head: Mapping[str, Any], lines: list[bytes]) -> Brought:
    data = b"\n".join(lines)
    return Brought(_taken_along(head["session"]), data if head.get("torn") or not lines else data + b"\n")
