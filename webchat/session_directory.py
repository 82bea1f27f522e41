"""Finds sessions: by page and title, or by their messages. Knows no engine."""

from __future__ import annotations

import logging

from webchat.chat.search import Found, title_query
from webchat.housekeeping import Housekeeping
from webchat.session_store import WebChatSession, WebChatSessionStore
from webchat.session_store.rules import grouped_by_folder
from webchat.storage.protocols import Search, Shelf

log = logging.getLogger(__name__)


class SessionDirectory:
    """Lists and searches the sessions of each owner."""

    def __init__(self, store: WebChatSessionStore, search: Search, housekeeping: Housekeeping) -> None:
        self._store, self._search, self._housekeeping = store, search, housekeeping

    def page(
        self,
        shelf: Shelf,
        query: str,
        start: int,
        count: int | None,
        owner: str | None,
        folder: str | None,
        *,
        by_folder: bool,
    ) -> list[WebChatSession]:
        """See `WebChatSessionManager.list_page`."""
        wanted, end = title_query(query), None if count is None else start + count
        if shelf == "trash":
            trash = [item for item in self._housekeeping.trash(owner) if not wanted or wanted.matches(item.description)]
            trash = [item for item in trash if folder in (None, item.working_dir)]
            return (grouped_by_folder(trash) if by_folder else trash)[start:end]
        if by_folder:
            return grouped_by_folder(self._store.page(owner, shelf, wanted, 0, None, folder))[start:end]
        return self._store.page(owner, shelf, wanted, start, count, folder)

    def search(self, query: str, limit: int, owner: str | None, folder: str | None) -> Found:
        """See `WebChatSessionManager.search`."""

        def is_wanted(session_id: str) -> bool:
            session = self._store.get(session_id, owner)
            return session is not None and folder in (None, session.working_dir)

        try:
            return self._search.find(query, owner, is_wanted, limit)
        except Exception:  # derived data: if it is broken it is rebuilt
            log.warning("the search index could not be asked", exc_info=True)
            return Found([], complete=False)
