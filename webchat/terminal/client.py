"""One chat over its routes for scripts, by HTTP: a server's, or this process's own. Knows no command."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import httpx

from webchat.chat.plain import utf8
from webchat.chat.session import is_called, is_session_id
from webchat.conventions import ANSWER_HEADER
from webchat.errors import ReadOnlySession, SessionNotFound, WebChatError

Fields = dict[str, Any]
"""A JSON object of a route."""
JSON = {"Accept": "application/json"}
SIGN_IN = "This chat requires a token: set it in WEBCHAT_TOKEN."
_NUMBER = re.compile(r"^\[Errno -?\d+\] ")


class Unreachable(WebChatError):
    """The server does not answer, or it is no chat."""


class Refused(WebChatError):
    """The chat has refused a request, with this HTTP status."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class SeveralSessions(WebChatError):
    """A short id is that of several sessions."""

    def __init__(self, given: str, found: Sequence[str]) -> None:
        super().__init__(f"Several sessions begin with {given!r}: {', '.join(found[:5])}. Enter more of the id.")


class ChatClient:
    """Raises SessionNotFound, Refused, Unreachable from each call that speaks to the chat."""

    def __init__(self, client: httpx.Client, place: str = "", start: Callable[[], None] = lambda: None) -> None:
        """`place` is how people write the chat's address, if it is not the client's.

        `start` lets the chat prepare for the first message: call it once all else is known to be right.
        """
        self._client, self._named, self.start = client, place, start

    def get(self, path: str, **params: str | int) -> Fields:
        """A route's JSON."""
        return self._json(self._client.build_request("GET", path, params=_encodable(params), headers=JSON))

    def post(self, path: str, fields: Mapping[str, Any] | None = None) -> Fields:
        """The same for a form's post."""
        return self._json(self._client.build_request("POST", path, json=_encodable(fields or {}), headers=JSON))

    @contextmanager
    def events(
        self, method: str, path: str, fields: Mapping[str, Any] | None = None, files: Sequence[Any] = ()
    ) -> Iterator[httpx.Response]:
        """A route's response as an event stream. With `files` the fields are a form's."""
        encodable = _encodable(fields or {})
        body: dict[str, Any] = {"data": encodable, "files": files} if files else {"json": encodable}
        request = self._client.build_request(
            method,
            path,
            headers={"Accept": "text/event-stream"},
            timeout=httpx.Timeout(10, read=None),
            **(body if method == "POST" else {}),
        )
        response = self._sent(request, stream=True)
        try:
            yield response
        finally:
            response.close()

    # Sessions

    def page(self, show: str, query: str, folder: str | None, number: int) -> Fields:
        """One page of the list: `show` is "", "archived" or "trash"."""
        params: dict[str, str | int] = {"show": show, "q": query, "page": number}
        return self.get("/sessions", **params | ({"folder": folder} if folder else {}))

    def rows(self, show: str = "", folder: str | None = None) -> Iterator[Fields]:
        """The whole list, page by page."""
        number, has_more = 0, True
        while has_more:
            page = self.page(show, "", folder, number)
            yield from page["sessions"]
            number, has_more = number + 1, page["has_more"]

    def session_id_of(self, given: str, *, in_trash: bool = False, to_ask: bool = False) -> str:
        """The session's id that begins so, or has this short id; another program's if none of ours does.

        Raises SessionNotFound, SeveralSessions; ReadOnlySession for another program's `to_ask` in.
        """
        if not is_session_id(given):
            raise SessionNotFound(given)
        rows = self.rows("trash") if in_trash else self.get("/api/sessions")["sessions"]
        found = [row["session_id"] for row in rows if _is_called(given, row)]
        if not (found or in_trash):
            found = self._others(given)
            if found and to_ask:
                raise ReadOnlySession
        if given in found or len(found) == 1:
            return given if given in found else str(found[0])
        if not found:
            raise SessionNotFound(given)
        raise SeveralSessions(given, found)

    def _others(self, given: str) -> list[str]:
        """Other programs' sessions with such ids. An agent's is not in the list: its id must be whole."""
        found = [row["session_id"] for row in self.rows() if "program" in row and _is_called(given, row)]
        if found or "." not in given:
            return found
        try:
            return [given] if "program" in self.get(self.path(given)) else []
        except Refused as error:
            if error.status != httpx.codes.NOT_FOUND:
                raise
            return []

    @staticmethod
    def path(session_id: str, *more: str) -> str:
        """The path of a session's route."""
        return "/".join(["/sessions", *(quote(part, safe="") for part in (session_id, *more))])

    # Inside

    def _json(self, request: httpx.Request) -> Fields:
        response = self._sent(request)
        try:
            value = response.json()
        except ValueError as error:
            raise Unreachable(self._no_chat(response)) from error
        return value if isinstance(value, dict) else {}

    def _sent(self, request: httpx.Request, *, stream: bool = False) -> httpx.Response:
        try:
            response = self._client.send(request, stream=stream)
            if not response.is_success:
                response.read()
        except httpx.HTTPError as error:
            why = _NUMBER.sub("", str(error)) or type(error).__name__
            raise Unreachable(f"{self._place} cannot be reached: {why}.") from error
        if ANSWER_HEADER not in response.headers:
            response.close()
            raise Unreachable(self._no_chat(response))
        if response.is_success:
            return response
        if response.status_code == httpx.codes.UNAUTHORIZED and "Authorization" not in request.headers:
            raise Refused(SIGN_IN, response.status_code)
        raise Refused(_error_text(response), response.status_code)

    @property
    def _place(self) -> str:
        """The chat's address without a password."""
        return self._named or str(self._client.base_url.copy_with(userinfo=b"")).rstrip("/")

    def _no_chat(self, response: httpx.Response) -> str:
        return f"There is no webchat at {self._place}: the response has status {response.status_code}."


def _encodable(fields: Mapping[str, Any]) -> Fields:
    return {name: utf8(value) if isinstance(value, str) else value for name, value in fields.items()}


def _is_called(given: str, row: Fields) -> bool:
    return is_called(given, str(row["session_id"]), is_others="program" in row)


def _error_text(response: httpx.Response) -> str:
    """The error's sentence, from a response in JSON or as text."""
    try:
        return str(json.loads(response.text)["error"])
    except (ValueError, KeyError, TypeError):
        return response.text.strip() or f"The chat responded with status {response.status_code}."
