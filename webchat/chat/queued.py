"""A queued message and its record. Pure: knows no file and no session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from webchat.chat.message import LONGEST_KEY, File, files_of
from webchat.chat.picture import SentPicture, pictures_of


@dataclass(frozen=True)
class QueuedMessage:
    """A message that was accepted but is not yet in the transcript. `key` identifies it.

    `first` is its original text, if it has been edited. `client` is whom the limits count it for. `returned`: it was
    taken back, and the message field shows it until the next message is sent from there. `held` is the number of the
    transcript's record after which only a further answer of the model lets it be sent by itself.
    """

    key: str
    text: str
    files: tuple[File, ...] = ()
    created_at: str = ""
    client: str | None = None
    first: str | None = None
    returned: bool = False
    pictures: tuple[SentPicture, ...] = ()
    held: int | None = None

    @property
    def text_size(self) -> int:
        """Bytes of its texts and files: what the queue itself takes, since the pictures are kept beside it."""
        return len((self.text + (self.first or "")).encode()) + sum(file.size for file in self.files)

    def record(self) -> dict[str, Any]:
        """Its record, without empty values."""
        always = {"key": self.key, "text": self.text, "created_at": self.created_at}
        files = [{"name": file.name, "content": file.content} for file in self.files]
        pictures = [picture.record() for picture in self.pictures]
        more = {
            "files": files,
            "pictures": pictures,
            "client": self.client,
            "first": self.first,
            "returned": self.returned,
            "held": self.held,
        }
        return always | {name: value for name, value in more.items() if value}


def queued_of(record: Mapping[str, Any]) -> QueuedMessage | None:
    """Parses a record; None if it is no message."""
    key, text = record.get("key"), record.get("text")
    if not isinstance(key, str) or not isinstance(text, str) or not 0 < len(key) <= LONGEST_KEY:
        return None
    texts = {name: record[name] for name in ("created_at", "client", "first") if isinstance(record.get(name), str)}
    held = record.get("held") if type(record.get("held")) is int else None
    files, pictures = files_of(record.get("files")), pictures_of(record.get("pictures"))
    return QueuedMessage(
        key, text, files, returned=record.get("returned") is True, pictures=pictures, held=held, **texts
    )
