"""Checks a message that a person submits. Knows no session."""

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

    `key` makes sending idempotent: a retry with the same key is ignored. `seen` is the id of the last message on the
    sender's page, None to skip that check. `client` identifies the sender for the limits. `new` are those of `pictures`
    that the session may not have yet. `freed` are the bytes of messages that were taken back and that it replaces.
    """

    text: str
    files: tuple[File, ...] = ()
    key: str | None = None
    seen: str | None = None
    client: str | None = None
    pictures: tuple[SentPicture, ...] = ()
    new: tuple[NewPicture, ...] = ()
    freed: int = 0

    @property
    def size(self) -> int:
        """Bytes of its text, its files and its pictures."""
        files, pictures = sum(file.size for file in self.files), sum(picture.size for picture in self.pictures)
        return len(self.text.encode()) + files + pictures

    @property
    def more(self) -> int:
        """Bytes by which it adds to what is kept."""
        return max(0, self.size - self.freed)


def checked_submission(
    message: str,
    longest: int,
    given: Given = (),
    key: str | None = None,
    seen: str | None = None,
    client: str | None = None,
) -> Submission:
    """Check a message of at most `longest` characters with its files; one of the two may be empty.

    Raises InvalidInput, TooLarge.
    """
    attached = attachments(given)
    text = checked_message(message, longest, has_files=bool(given))
    pictures = tuple(picture.sent for picture in attached.pictures)
    return Submission(text, attached.files, key, seen, client, pictures, attached.pictures)


def once(key: str | None, *what: str) -> str | None:
    """A key for this action, derived from the form's; None if it has none."""
    return _digest(key, *what) if key else None


def key_of(key: str, text: str) -> str:
    """A new key for this text.

    Used if the form's key cannot be in a URL, or belongs to another message because a browser went back to a sent form
    and sent it again.
    """
    return _digest(key, "queue", text)


def _digest(*what: str) -> str:
    return sha256("\0".join(what).encode()).hexdigest()[:32]
