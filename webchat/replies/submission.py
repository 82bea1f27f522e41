"""A message that a person submits, checked. Knows no session."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from webchat.attachments import Given, NewPicture, attachments
from webchat.chat.message import File
from webchat.chat.picture import SentPicture
from webchat.chat.texts import checked_message


@dataclass(frozen=True)
class Submission:
    """A message on its way in.

    `key` makes sending idempotent: a retry with the same key is ignored. `seen` is the last message that the sender
    knew, None if that does not matter. `client` is whom the limits count it for. Of `pictures`, `new` are those that
    the session may not have yet.
    """

    text: str
    files: tuple[File, ...] = ()
    key: str | None = None
    seen: str | None = None
    client: str | None = None
    pictures: tuple[SentPicture, ...] = ()
    new: tuple[NewPicture, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of its text, its files and its pictures."""
        files, pictures = sum(file.size for file in self.files), sum(picture.size for picture in self.pictures)
        return len(self.text.encode()) + files + pictures


def checked_submission(
    message: str,
    longest: int,
    given: Given = (),
    key: str | None = None,
    seen: str | None = None,
    client: str | None = None,
) -> Submission:
    """A message of at most `longest` characters with its files, or these alone. Raises InvalidInput, TooLarge."""
    attached = attachments(given)
    text = checked_message(message, longest, has_files=bool(given))
    pictures = tuple(picture.sent for picture in attached.pictures)
    return Submission(text, attached.files, key, seen, client, pictures, attached.pictures)


def once(key: str | None, *what: str) -> str | None:
    """A key for this action, derived from the form's; None if it has none."""
    return _digest(key, *what) if key else None


def key_of(key: str, text: str) -> str:
    """A key for this text, if the form's key cannot stand in a URL, or belongs to another message: a browser went back
    to a sent form and sent it again.
    """
    return _digest(key, "queue", text)


def _digest(*what: str) -> str:
    return sha256("\0".join(what).encode()).hexdigest()[:32]
