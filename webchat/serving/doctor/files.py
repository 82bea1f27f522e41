"""Checks the folder and its files: existence, permissions, damage. Knows nothing of the model and the server."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from webchat.backends.mock import MockBackend
from webchat.conventions import (
    MEMORY_STORE_FILENAME,
    SERVER_DIR,
    WEB_CHAT_ACTIVITY_FILENAME,
    WEB_CHAT_PEOPLE_FILENAME,
    WEB_CHAT_PICTURES_DIR,
    WEB_CHAT_SEARCH_FILENAME,
    WEB_CHAT_SESSIONS_FILENAME,
    WEB_CHAT_SETTINGS_FILENAME,
    WEB_CHAT_TRANSCRIPTS_DIR,
)
from webchat.fileutil import FILE_MODE, FOLDER_MODE, DiskFolder, NoLocks, in_the_way, jsonlines
from webchat.limits import MIB
from webchat.manager import WebChatSessionManager
from webchat.memory.shared import SharedMemories
from webchat.serving.doctor import Check, Finding, alike
from webchat.session_store import is_session_id
from webchat.storage.files.engine import FileStorage
from webchat.storage.files.queue import QUEUES
from webchat.storage.files.reply_logs import LOGS
from webchat.storage.files.transcripts import SUFFIX

AMPLIFIERS = ("projects", "settings.yaml", "keys.env", "registry.json", "bundles", "cache")
"""Names that Amplifier creates in its home."""
NAMED = 3
"""How many files are named if there are more."""
WRITTEN_WITHIN = 600.0
"""Seconds; a temporary file that is older has no writer any more."""
_UNFINISHED = re.compile(
    r"\.(web-chat-|memory-store\.yaml|.+\.(jsonl|reply|stop|queue|png|jpg|webp|gif)).*\.[a-z0-9_]{8}"
)
DISABLE_ANEW = "mend it in an editor, or remove it and disable them again"
MOVE_AWAY = "move it away, and put the file back from a backup if you have one"


class Files:
    """The files of one home. Checks change nothing; a chat may be running on them."""

    def __init__(self, home: Path, min_free: float, shared: SharedMemories) -> None:
        """`min_free` is how many MiB of the disk must be free; `shared` are the memories shared with Amplifier."""
        self._home, self._min_free, self._shared = home, min_free, shared
        self._server = home / SERVER_DIR
        self._transcripts_path = self._server / WEB_CHAT_TRANSCRIPTS_DIR
        self._replies_path = self._transcripts_path / LOGS
        queues = self._transcripts_path / QUEUES
        self._picture_folders = _with_subfolders(self._server / WEB_CHAT_PICTURES_DIR)
        self._folders = (self._server, self._transcripts_path, self._replies_path, queues, *self._picture_folders)
        self._folder = DiskFolder(home).sub(SERVER_DIR)
        self._transcripts_folder = self._folder.sub(WEB_CHAT_TRANSCRIPTS_DIR)
        self._storage = FileStorage(self._server / WEB_CHAT_SESSIONS_FILENAME)
        self._manager = WebChatSessionManager(MockBackend(), self._storage)

    def close(self) -> None:
        """Close what the checks have opened."""
        self._manager.close()

    def checks(self) -> dict[str, Check]:
        """The checks by name, in the order of repair."""
        documents = self._storage.documents
        return {
            "folder": self._check_folder,
            "permissions": self._check_permissions,
            "places": self._check_places,
            "list of sessions": self._check_registry,
            "unfinished answers": partial(alike.replies, self._manager, self._files_of_reply),
            "transcripts": self._check_transcripts,
            "pictures": self._check_pictures,
            "order of the list": self._check_activity,
            "search index": self._check_search,
            "memories": partial(alike.memories, documents, self._home / MEMORY_STORE_FILENAME),
            "Amplifier's memories": partial(alike.shared_memories, self._shared),
            "settings file": self._check_settings,
            "people": partial(alike.people, documents, str(self._server / WEB_CHAT_PEOPLE_FILENAME), DISABLE_ANEW),
            "leftovers": self._check_leftovers,
        }

    def _check_folder(self) -> Iterator[Finding]:
        other = in_the_way(self._home)
        if other and other != self._home:
            yield Finding(f"{self._home} cannot be created: {other} is not a folder", "name another with --home")
        elif not os.path.lexists(self._home):
            yield Finding(f"{self._home} does not exist yet", "the first message creates it", is_note=True)
        elif not self._home.is_dir():
            yield Finding(f"{self._home} is not a folder", "move it away, or name another with --home")
        elif not os.access(self._home, os.R_OK | os.W_OK | os.X_OK):
            yield Finding(f"{self._home} cannot be read and written", "give it to yourself: chown, chmod 700")
        with suppress(PermissionError):  # reported above
            try:
                self._folder.require_locks()
            except NoLocks:
                yield Finding(f"the file system of {self._home} has no file locks", "choose another folder with --home")
        free = self._folder.free()
        if free is not None and free < self._min_free * MIB:
            what = f"only {free // MIB} MiB of disk space are free, and --min-free is {self._min_free:g}"
            yield Finding(what, "make room, or set --min-free")

    def _check_permissions(self) -> Iterator[Finding]:
        open_ones = [path for path in self._paths() if path.lstat().st_mode & 0o077]
        if open_ones:
            yield Finding(f"other users may read {_named(open_ones)}", mend=partial(_close, open_ones))
        foreign = [path for path in self._paths() if path.lstat().st_uid != os.geteuid()]
        if foreign:
            yield Finding(f"somebody else owns {_named(foreign)}", "chown it to yourself")

    def _check_places(self) -> Iterator[Finding]:
        for folder in self._folders:
            if os.path.lexists(folder) and (folder.is_symlink() or not folder.is_dir()):
                yield Finding(f"{folder} is not a real folder", "replace it with a real folder that has its contents")
        for path in self._ours():
            mode = path.lstat().st_mode
            if not stat.S_ISREG(mode) and path not in self._folders:
                kind = "a link" if stat.S_ISLNK(mode) else "a folder" if stat.S_ISDIR(mode) else "no file"
                yield Finding(f"{path} is {kind}", MOVE_AWAY)

    def _check_registry(self) -> Iterator[Finding]:
        records, path = self._storage.sessions, self._server / WEB_CHAT_SESSIONS_FILENAME
        if records.read_only:
            yield Finding("a later version of the chat has written it", "update webchat")
        elif records.is_damaged:
            yield Finding("part of it cannot be read", mend=records.mend, files=(path,))
        unlisted = [name for name in self._sessions(SUFFIX) if is_session_id(name) and not records.row(name)]
        if unlisted and not records.read_only:
            what = f"it lacks {_named(unlisted)}, whose transcripts exist"
            yield Finding(what, mend=self._manager.housekeeping.adopt, files=(path,))
        left = self._manager.archive.importer.left
        if left and not records.read_only:
            mend = self._manager.archive.importer.discard_left
            yield Finding(f"an interrupted import has left {_named(left)}", mend=mend, files=(path,))
        begun = [session.session_id for session in self._manager.list_sessions() if session.begun]
        lost = [name for name in begun if self._storage.transcripts.version(name) is None]
        if lost:
            yield Finding(f"it has {_named(lost)}, whose transcripts are missing", "restore them from a backup")

    def _files_of_reply(self, session_id: str) -> tuple[Path, ...]:
        return self._replies_path / f"{session_id}.reply", self._transcripts_path / f"{session_id}{SUFFIX}"

    def _check_transcripts(self) -> Iterator[Finding]:
        for name in self._sessions(SUFFIX):
            try:
                shown = self._storage.transcripts.read(name)
            except OSError as error:
                yield Finding(f"{name}{SUFFIX} cannot be read: {error.strerror}", "check the disk and the owner")
                continue
            if shown.newer:
                yield Finding(f"a later version of the chat has written {name}{SUFFIX}", "update webchat")
            elif shown.damaged:
                what = f"some lines of {name}{SUFFIX} cannot be read; they are skipped"
                yield Finding(what, "repair them in an editor, or restore the file from a backup")

    def _check_pictures(self) -> Iterator[Finding]:
        lacking = []
        for session_id in self._sessions(SUFFIX):
            with suppress(OSError):  # reported with the transcript
                has = self._storage.pictures.sizes(session_id)
                messages = self._storage.transcripts.messages(session_id)
                if any(picture.key not in has for message in messages for picture in message.pictures):
                    lacking.append(session_id)
        if lacking:
            what = f"pictures are missing that were sent in {_named(lacking)}"
            yield Finding(what, f"put {WEB_CHAT_PICTURES_DIR} back from a backup if you have one")

    def _check_activity(self) -> Iterator[Finding]:
        data = self._folder.read(WEB_CHAT_ACTIVITY_FILENAME) or b""
        if any(record is None for _, record in jsonlines.parse(data)):
            files = (self._server / WEB_CHAT_ACTIVITY_FILENAME,)
            yield Finding("some lines cannot be read", mend=self._storage.activity.rewrite, files=files)

    def _check_search(self) -> Iterator[Finding]:
        path = self._server / WEB_CHAT_SEARCH_FILENAME
        files = tuple(path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm"))
        there = [file for file in files if os.path.lexists(file)]
        # SQLite would follow a link, and wait at a pipe; another check reports those.
        if path in there and all(stat.S_ISREG(file.lstat().st_mode) for file in there) and not _is_sound(path):
            yield Finding("it is damaged", mend=partial(_remove, files), files=files)

    def _check_settings(self) -> Iterator[Finding]:
        self._folder.read(WEB_CHAT_SETTINGS_FILENAME)
        yield from alike.settings(self._storage.documents, self._server / WEB_CHAT_SETTINGS_FILENAME)

    def _check_leftovers(self) -> Iterator[Finding]:
        """Reports temporary files left by a crash."""
        paths = [path for place in (self._home, *self._folders) for path in _entries(place)]
        found = [path for path in paths if _UNFINISHED.fullmatch(path.name) and _is_old(path)]
        if found:
            yield Finding(f"a crash has left {_named(found)}", mend=partial(_remove, found), files=tuple(found))

    def _sessions(self, suffix: str) -> list[str]:
        """The sessions that have a file with that suffix."""
        return sorted(name.removesuffix(suffix) for name in self._transcripts_folder.names() if name.endswith(suffix))

    def _ours(self) -> Iterator[Path]:
        """Everything in the places of our files, without other programs' files in the same home."""
        if os.path.lexists(self._home / MEMORY_STORE_FILENAME):
            yield self._home / MEMORY_STORE_FILENAME
        if not self._server.is_symlink():
            yield from (path for path in _entries(self._server) if path.name.startswith("web-chat-"))
        if not self._server.is_symlink() and not self._transcripts_path.is_symlink():
            yield from _entries(self._transcripts_path)
            if not self._replies_path.is_symlink():
                yield from _entries(self._replies_path)
        if not self._picture_folders[0].is_symlink():
            yield from (path for folder in self._picture_folders for path in _entries(folder))

    def _paths(self) -> Iterator[Path]:
        """The folders and files that must be ours alone."""
        # A home that Amplifier has created is its own; only our files in it must be private.
        home = () if any(os.path.lexists(self._home / name) for name in AMPLIFIERS) else (self._home,)
        for path in (*home, self._server, *self._ours()):
            if os.path.lexists(path) and not path.is_symlink():
                yield path


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _with_subfolders(folder: Path) -> list[Path]:
    """The folder and its subfolders, without links."""
    below = [] if folder.is_symlink() else _entries(folder)
    return [folder, *(path for path in below if path.is_dir() and not path.is_symlink())]


def _is_old(path: Path) -> bool:
    """Whether this is a regular file that nobody is writing any more."""
    state = path.lstat()
    return stat.S_ISREG(state.st_mode) and abs(time.time() - state.st_mtime) > WRITTEN_WITHIN


def _named(things: list[Path] | list[str]) -> str:
    names = ", ".join(str(thing) for thing in things[:NAMED])
    return names + (f" and {len(things) - NAMED} more" if len(things) > NAMED else "")


def _close(paths: list[Path]) -> None:
    for path in paths:
        path.chmod(FOLDER_MODE if path.is_dir() else FILE_MODE)


def _remove(paths: tuple[Path, ...] | list[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _is_sound(path: Path) -> bool:
    import sqlite3

    database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=1)
    try:
        return bool(database.execute("PRAGMA quick_check").fetchone() == ("ok",))
    except sqlite3.OperationalError:  # for example, a chat that is writing to it
        return True
    except sqlite3.DatabaseError:
        return False
    finally:
        database.close()
