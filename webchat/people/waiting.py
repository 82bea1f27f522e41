"""The unsent messages in a person's export: a line for each, followed by a line for each of its pictures."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from webchat.archive.brought import Brought, Report
from webchat.archive.lenient import table
from webchat.archive.pictures import PICTURE, BroughtPictures, picture_in, picture_line
from webchat.attachments import Attachments, attachments, require_few
from webchat.chat.message import Message
from webchat.chat.picture import SentPicture
from webchat.chat.queued import QueuedMessage, queued_of
from webchat.chat.texts import checked_message
from webchat.errors import InvalidInput, TooLarge, storing
from webchat.fileutil import jsonlines
from webchat.limits import MOST_QUEUED
from webchat.manager import WebChatSessionManager
from webchat.storage.protocols import Storage
from webchat.storage.protocols.pictures import key_of

Record = Mapping[str, Any]


def waiting_lines(storage: Storage, session_ids: Iterable[str]) -> Iterator[bytes]:
    """The lines of these sessions. Raises StorageError."""
    with storing("A queued message could not be read"):
        for session_id in session_ids:
            for item in storage.queue.items(session_id):
                yield jsonlines.dump({"session_id": session_id, **item.record()}) + b"\n"
                for picture in item.pictures:
                    data = storage.pictures.read(session_id, picture.key)
                    if data is not None:
                        yield picture_line(picture.media_type, data)


def with_pictures(records: Iterable[Record]) -> Iterator[tuple[Record, BroughtPictures | None]]:
    """Each message's record, with the pictures that follow it; an empty record for each damaged line."""
    message: Record = {}
    pictures: BroughtPictures | None = None
    for record in records:
        if record.get("type") == PICTURE:
            if found := picture_in(record):
                pictures = pictures or BroughtPictures()
                pictures.add(*found)
        elif not record:
            yield record, None
        else:
            if message:
                yield message, pictures
            message, pictures = record, None
    if message:
        yield message, pictures


class WaitingIntake:
    """Imports unsent messages. They are not sent automatically, but put into the message fields of their sessions."""

    def __init__(
        self,
        manager: WebChatSessionManager,
        owner: str | None,
        deleted: Mapping[str, Any],
        into_trash: Collection[str],
        report: Report,
    ) -> None:
        """`deleted` has the time of deletion of each session in the export's trash.

        `into_trash` are the sessions that this import has put into the trash, perhaps with another time.
        """
        self._manager, self._storage, self._owner, self._report = manager, manager.storage, owner, report
        self._deleted, self._into_trash = deleted, into_trash
        self._here = manager.archive.importer.here(owner)
        self._sent_in, self._sent = "", _Sent((), ())

    def take_back(self, record: Record, pictures: BroughtPictures | None) -> bool:
        """Import a message, unless it is here already or has been sent; returns whether it was imported.

        Raises StorageError, NoRoom.
        """
        item, session_id = queued_of(record), record.get("session_id")
        row = self._here(Brought({"session_id": session_id}, b"")) if isinstance(session_id, str) else None
        if item is None or row is None:
            self._report.problem("a queued message could not be imported: it, or its session, is damaged.")
            return False
        session_id = row["session_id"]
        with storing("A queued message could not be read"):
            if not self._is_new(item, session_id):
                return False
        was_deleted = table(self._deleted.get(record["session_id"])).get("deleted_at")
        if session_id not in self._into_trash and (row.get("deleted_at") or None) not in (None, was_deleted):
            self._report.problem(f"no queued message was added to session {session_id}, which is in the trash here.")
            return False
        return self._put_back(item, pictures, session_id)

    def _put_back(self, item: QueuedMessage, pictures: BroughtPictures | None, session_id: str) -> bool:
        storage = self._storage
        with storing("A queued message could not be saved"):
            if (checked := self._checked(item, pictures, session_id)) is None:
                return False
            text, attached = checked
            sent = tuple(picture.sent for picture in attached.pictures)
            # Without what is of use only to the page that sent it.
            item = replace(item, text=text, files=attached.files, pictures=sent, first=None, client=None, returned=True)
            with storage.queue.changing(session_id) as items:
                if not self._has_place(item, items, session_id):
                    return False
                self._require_room(item, attached, session_id)
                for picture in attached.pictures:
                    storage.pictures.put(session_id, picture.data, picture.suffix)
                items.append(item)
        storage.bus.publish(session_id, urgent=True)
        return True

    def _is_new(self, item: QueuedMessage, session_id: str) -> bool:
        """Whether the message can be queued and has not been sent."""
        items = self._storage.queue.items(session_id)
        if not self._has_place(item, items, session_id):
            return False
        if session_id != self._sent_in:  # the messages of one session follow each other
            # The queue was read first: a message that is sent in between is known from there.
            self._sent = _Sent({known.key for known in items}, self._storage.transcripts.messages(session_id))
            self._sent_in = session_id
        return not self._sent.has(item)

    def _has_place(self, item: QueuedMessage, items: Sequence[QueuedMessage], session_id: str) -> bool:
        """Whether the message is not in the queue, and the queue is not full, which is reported."""
        if any(known.key == item.key for known in items):
            return False
        if is_full := len(items) >= MOST_QUEUED:
            self._report.problem(f"session {session_id} has more than {MOST_QUEUED} queued messages.")
        return not is_full

    def _require_room(self, item: QueuedMessage, attached: Attachments, session_id: str) -> None:
        """Raises NoRoom if the message, with those of its pictures that the session lacks, is too large."""
        here = self._storage.pictures.sizes(session_id)
        pictures = {each.sent.key: each.sent.size for each in attached.pictures if each.sent.key not in here}
        self._manager.allowance.require_room(self._owner, item.text_size + sum(pictures.values()))

    def _checked(
        self, item: QueuedMessage, pictures: BroughtPictures | None, session_id: str
    ) -> tuple[str, Attachments] | None:
        """The message's text and attachments as they can be sent; None if it cannot. Reports what is left out."""
        try:
            require_few(len(item.files) + len(item.pictures))  # before they are loaded
            own = _named(item, pictures)
            if len(own) < len(item.pictures):
                self._report.problem(f"not all pictures of a queued message in session {session_id} are in the export.")
            text = checked_message(item.text, self._manager.limits.message, has_files=True)
            attached = attachments([*((file.name, file.content) for file in item.files), *own])
        except (InvalidInput, TooLarge) as error:
            self._report.problem(f"a queued message in session {session_id} was left out. {error}")
            return None
        return (text, attached) if text or attached.files or attached.pictures else None


def _named(item: QueuedMessage, pictures: BroughtPictures | None) -> list[tuple[str, bytes]]:
    """Those of the pictures that the message names, with their names there; others are never in memory together."""
    wanted = {*_keys(item.pictures)}
    found = {key: data for suffix, data in pictures or () if (key := key_of(data, suffix)) in wanted}
    return [(picture.name, found[picture.key]) for picture in item.pictures if picture.key in found]


class _Sent:
    """The messages that have been sent in one session: a long transcript is parsed once for all queued ones."""

    def __init__(self, keys: Iterable[str], messages: Iterable[Message]) -> None:
        """`keys` are those of further messages."""
        self._keys: set[str | None] = {*keys}
        self._by_text: dict[str, list[Message]] = {}
        for message in messages:
            self._keys.add(message.key)
            if message.role == "user":
                self._by_text.setdefault(message.content, []).append(message)

    def has(self, item: QueuedMessage) -> bool:
        """Whether this message is there; it has another key if it was sent from the message field."""
        return item.key in self._keys or any(_is_same(each, item) for each in self._by_text.get(item.text, ()))


def _is_same(message: Message, item: QueuedMessage) -> bool:
    """Whether a message with the same text is that queued message."""
    if not item.text and (message.files != item.files or _keys(message.pictures) != _keys(item.pictures)):
        return False  # all without a text have the same
    return message.created_at >= item.created_at


def _keys(pictures: Iterable[SentPicture]) -> list[str]:
    return [picture.key for picture in pictures]
