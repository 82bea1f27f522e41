"""Errors with texts for people. Knows no status codes."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from webchat import reference

log = logging.getLogger(__name__)
DOCTOR_SAYS = " (“webchat doctor” says where)"


class WebChatError(Exception):
    """The base class of errors whose text is for people: it says what happened and what to do next."""

    says = ""
    """The text if none is given."""

    def __init__(self, text: str = "") -> None:
        super().__init__(text or self.says)


class SessionNotFound(WebChatError, ValueError):
    """There is no session with this id, or it belongs to somebody else."""

    def __init__(self, session_id: object) -> None:
        super().__init__(
            f"Session {str(session_id)[:60]!r} not found. It may have been deleted, or have been a temporary chat."
        )


class SessionExists(WebChatError, ValueError):
    """A session with this id is already stored."""

    def __init__(self, session_id: str) -> None:
        super().__init__(f"Session {session_id!r} already exists.")


class SessionEnded(WebChatError, ValueError):
    """The backend has ended the session; resuming it brings it back."""

    says = "This session has ended. Resume it to continue, or start a new one."


class SessionBusy(WebChatError):
    """A reply is being written in this session, and there is at most one."""

    says = "Still answering. Stop the answer or wait until it ends, then send again."


class QuestionClosed(WebChatError):
    """A question of an agent has been answered already, or its answer has ended."""

    says = "This question has already been answered, or the answer it belongs to has ended."


class NotWaiting(WebChatError):
    """A message to edit, send or take back is no longer in the queue."""

    says = "This message is no longer in the queue: it has been sent or taken back."


class Held(WebChatError):
    """A queued message is not sent automatically."""

    says = "The previous answer is incomplete, so your message was not sent. Send it yourself, or take it back."


class ReadOnlySession(WebChatError):
    """The session belongs to another program."""

    says = (
        "This conversation is another program's: you can read it here, but not change it. Continue it in a copy: with "
        "“Continue here” on its page, or with /fork in “webchat chat”."
    )


class UnsupportedExport(WebChatError):
    """Another program's session cannot be exported in the format that can be imported."""

    says = "Another program's conversation can be exported only as Markdown or HTML. Or export a copy of it."


class StaleView(WebChatError):
    """A message was sent from a page that does not show others' later messages."""

    says = "There are newer messages in this session. Read them, then send again."


class SessionUnknown(WebChatError):
    """Raised by a backend that does not know a session, after a restart for example. The manager then resumes it.

    The text is for people if that fails; an argument of the backend is not shown.
    """

    def __init__(self, session_id: object = None) -> None:
        super().__init__("The model cannot resume this session. Try again, or start a new session.")


class NoActiveSession(WebChatError):
    """The call needs a current session, and there is none."""

    says = "No active session. Create one first via POST /api/session."


class BackendUnavailable(WebChatError):
    """The model or agent cannot be asked right now. The text names the reason in a plain sentence."""

    says = "The model cannot be reached. Try again in a moment."


class NotYetChosen(BackendUnavailable):
    """The agent has not confirmed a choice in time. The choice is kept, and set again with the next message."""


class NothingSaid(BackendUnavailable):
    """The model has ended its answer without any text."""

    says = "The model ended without an answer. Try again, or rephrase your message."


class TooBusy(WebChatError):
    """The server's limit of parallel requests is reached."""

    says = "Too many requests are waiting for answers right now. Try again in a few seconds."


class NoThreads(WebChatError):
    """The system allows this process no more threads."""

    def __init__(self, then: str = "Try again in a few seconds.") -> None:
        super().__init__(f"The server has no free thread. {then}")


class Closing(WebChatError):
    """The server is shutting down and accepts nothing new."""

    says = "The server is shutting down and accepts nothing new. Try again when it is back."


class NotSignedIn(WebChatError):
    """The request must authenticate first."""

    says = "Sign in first: open the link that the terminal shows, or enter the token."


class NotAllowed(WebChatError):
    """The signed-in person may no longer use the chat."""

    says = "You no longer have access to this chat. Ask whoever runs it."


class NoSuchPerson(WebChatError):
    """There is no person of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no person called “{name[:200]}”. “webchat people” lists everybody.")


class WrongToken(NotSignedIn):
    """The request's token is wrong."""

    says = "This token is wrong."


class TooManyGuesses(WebChatError):
    """An address has sent too many wrong tokens; it may try again in `wait` seconds."""

    def __init__(self, wait: int) -> None:
        super().__init__(f"Too many wrong tokens. Try again in {wait} seconds.")
        self.wait = wait


class ModelBusy(WebChatError):
    """A model's file is being downloaded."""

    def __init__(self, title: str) -> None:
        super().__init__(f"{title} is being downloaded. Cancel that first.")


class InvalidInput(WebChatError):
    """The input is invalid."""


class AgentFixed(InvalidInput):
    """A session that has begun cannot change its agent."""

    says = "The agent cannot be changed once a session has begun. Start a new session to use another one."


class TooLarge(WebChatError):
    """The input is larger than the chat accepts."""


class LimitReached(WebChatError):
    """A person has reached the limit for something that is stored."""

    def __init__(self, most: int, then: str = "Delete some first", what: str = "sessions") -> None:
        super().__init__(f"There are already {most:,} {what}, which is the limit. {then}.")
        self.most = most


class TooOften(WebChatError):
    """A person has reached the limit for a minute; they may send more in `wait` seconds."""

    def __init__(self, most: int, what: str, wait: int) -> None:
        super().__init__(f"The limit is {most:,} {what} per minute and person. Try again in {wait} seconds.")
        self.wait = wait


class NoRoom(WebChatError):
    """A person has reached the limit of stored bytes."""

    def __init__(self, most: int, then: str = "Delete some, also from the trash") -> None:
        size = f"{most / 1024**2:,.2f}".rstrip("0").rstrip(".")
        super().__init__(f"Your conversations would exceed the limit of {size} MiB. {then}.")
        self.most = most


class StorageError(WebChatError, OSError):
    """Files could not be read or written. Nothing has changed, unless the text says otherwise."""

    def __init__(self, what: str, cause: OSError, then: str = "Nothing has changed") -> None:
        super().__init__(f"{what}: {why(cause)}. {then}.")
        self.what, self.cause = what, cause

    @classmethod
    def with_text(cls, text: str) -> StorageError:
        """An error with the text of an earlier one."""
        again = cls.__new__(cls)
        WebChatError.__init__(again, text)
        again.what, again.cause = text, OSError(text)
        return again

    @property
    def is_away(self) -> bool:
        """Whether a retry may succeed soon."""
        return isinstance(self.cause, StorageAway | LeaseLost)


class StorageAway(OSError):
    """The database cannot be reached or, with `is_refused`, refuses for now; `reason` says why, if known."""

    def __init__(self, reason: str | None = None, *, is_refused: bool = False) -> None:
        usual = "the database does not answer in time" if is_refused else "the database cannot be reached"
        super().__init__(reason or usual)
        self.is_refused = is_refused


class MemoryFull(OSError):
    """Temporary sessions have reached their limit of the server's memory."""

    def __init__(self) -> None:
        super().__init__("temporary chats have used up the memory they may take; delete some")


class LeaseLost(OSError):
    """This server was silent for too long, and another one may now write in the session."""

    def __init__(self) -> None:
        super().__init__("this server was unresponsive for too long, and another one may have taken over")


@contextmanager
def storing(what: str) -> Iterator[None]:
    """Convert OSError into a StorageError whose text begins with `what`."""
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        raise StorageError(what, error) from error


def why(cause: OSError) -> str:
    """The system's reason, in a few words."""
    if isinstance(cause, StorageAway | LeaseLost | MemoryFull):
        return str(cause)
    if cause.errno in (errno.ELOOP, errno.EISDIR, errno.ENOTDIR):
        return f"a file or folder has the wrong type{DOCTOR_SAYS}"
    return os.strerror(cause.errno) if cause.errno else "the disk does not respond correctly"


class Unforeseen(WebChatError):
    """An unexpected error. The text has a reference that is also in the log, and does not reveal the cause."""


def unforeseen(cause: BaseException) -> Unforeseen:
    """The error to show people; the cause is logged. Both have the request's reference."""
    name = reference.current.get() or reference.new()
    log.error("unforeseen, reference %s", name, exc_info=cause)
    return Unforeseen(f"Something unexpected went wrong. The log has the details under reference {name}.")
