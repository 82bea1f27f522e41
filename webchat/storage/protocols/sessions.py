"""The protocol of a storage engine for the records of sessions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Literal, Protocol

from webchat.chat.search import TitleQuery
from webchat.chat.session import Row, WebChatSession

Shelf = Literal["list", "archive", "both", "trash"]
"""Where a session is: in the list, in the archive, or in the trash; "both" means the first two."""
Lookup = Callable[[str], Row | None]
"""Returns a session's record, or None."""
CLAIMED = "\0claimed"
"""The owner of a record that an import has claimed and not completed. Nobody's name has a NUL."""


class Sessions(Protocol):
    """The records of all sessions. Each write is atomic across processes."""

    def get(self, session_id: str) -> WebChatSession | None:
        """The session, of any owner, also in the trash."""

    def row(self, session_id: str) -> Row | None:
        """Its whole record, with keys that this version does not know."""

    def with_key(self, owner: str | None, key: str) -> str | None:
        """The id of the session that this person made with the key and that is not in the trash."""

    def current(self, owner: str | None) -> WebChatSession | None:
        """The person's current session."""

    def page(
        self,
        owner: str | None,
        shelf: Shelf,
        query: TitleQuery | None = None,
        start: int = 0,
        count: int | None = None,
        folder: str | None = None,
    ) -> list[WebChatSession]:
        """A person's sessions that match by title, the pinned ones first, then by latest activity.

        With `folder` only those with this working_dir. In the trash the last deleted comes first. The list has
        sessions that have begun, and the current one. The cost is that of the page, not that of all sessions.
        """

    def all_of(self, owner: str | None) -> list[WebChatSession]:
        """All of a person's sessions but those in the trash, by latest activity."""

    def insert(self, row: Row, most: int) -> None:
        """Add a session, which becomes its owner's current one.

        Raises SessionExists if its id, or its owner's key, exists; LimitReached if the owner has `most` (0: no limit).
        """

    def update(
        self,
        session_ids: Collection[str],
        change: Callable[[str, Row | None], Row],
        *,
        owner: str | None = None,
        make_current: bool = False,
        more: int = 0,
        most: int = 0,
    ) -> list[Row]:
        """Replace these records by what `change(id, record)` returns, and return those. If it raises, nothing changes.

        With `make_current` no other session of `owner` is current afterwards. Raises LimitReached if the owner may
        not have `more` sessions in addition.
        """

    def delete(self, session_ids: Collection[str], check: Callable[[str, Row | None], object]) -> None:
        """Remove these records, unless `check` raises something for one of them."""

    def require_room(self, owner: str | None, more: int, most: int) -> None:
        """Raises LimitReached if the owner may not have so many more sessions; all count but those in the trash."""

    def touch(self, times: Mapping[str, str], what: str) -> None:
        """Note that `what` happened in these sessions at these times; never raises.

        Costs the same however many others there are. An "import" keeps its own times, all else is later than what was
        noted before.
        """

    def newest(self) -> float:
        """The latest noted time, in seconds since 1970, without imports."""

    def deleted_before(self, moment: float) -> list[str]:
        """The ids of all sessions, of every owner, that were deleted before that moment."""

    def newest_deleted(self) -> float:
        """When the last session was moved to the trash, in seconds since 1970."""

    def lookup(self) -> Lookup:
        """For many lookups. A record may change between two of them."""

    def claim(self, choose: Callable[[Lookup], Collection[str]], owner: str | None, most: int) -> None:
        """Claim ids for sessions of this owner. `choose` returns them; none may have a record.

        Raises LimitReached, and what `choose` raises.
        """

    def complete(self, rows: Collection[Row]) -> None:
        """Replace claims by these records."""

    def drop_claims(self, session_ids: Collection[str]) -> None:
        """Remove these claims."""

    def claimed(self) -> list[str]:
        """The claimed ids, of running and interrupted imports."""

    def version(self, owner: str | None) -> object:
        """Differs from an earlier one when anything in this person's list may have changed, in any process."""

    @property
    def read_only(self) -> bool:
        """Whether a later version of the chat has written the records: then nothing may be changed."""

    @property
    def notice(self) -> str | None:
        """What a person should know about the state of the records, a sentence, or None."""

    @property
    def is_damaged(self) -> bool:
        """Whether some of the records cannot be parsed."""

    def mend(self) -> None:
        """Write the records that can be parsed; a copy of the others is kept."""
