"""A request's input: the fields of a form or of a JSON object, checked. Knows no route."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from flask import current_app, request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from webchat.chat.message import LONGEST_KEY
from webchat.errors import InvalidInput
from webchat.web.once import once_a_request

WITH_FILES = 44 * 1024 * 1024
"""Bytes of a request that may have files; its message has the usual limit. 30 MiB of pictures are 40 MiB in Base64."""
REPLACED = "\ufffd"
"""The form parser's replacement for bytes that are not UTF-8; a text may also contain it itself."""
LARGEST_IMPORT = 1024 * 1024 * 1024
"""Bytes of a file to import; the command line accepts larger ones."""


class Fields:
    """The fields of one request; a field that is missing, null or blank counts as not given."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def optional(self, name: str) -> str | None:
        """The field's text, or None. Raises InvalidInput if it is not a string, or cannot be stored."""
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise InvalidInput(f"{name} must be a string.")
        if "\0" in value:
            raise InvalidInput(f"{name} contains a NUL character.")
        if any("\ud800" <= char <= "\udfff" for char in value):
            raise InvalidInput(f"{name} contains half a character, which UTF-8 cannot represent.")
        return value if value.strip() else None

    def key(self) -> str | None:
        """The form's key. Raises InvalidInput as `optional`, and if the key is too long to be stored whole."""
        key = self.optional("key")
        if key and len(key) > LONGEST_KEY:
            raise InvalidInput(f"key has more than {LONGEST_KEY} characters.")
        return key

    def setting(self, name: str) -> str | None:
        """The field's text, "" if it was blank, None if it was missing. JSON's numbers and booleans are accepted.

        Raises InvalidInput as `optional`.
        """
        if name not in self._values:
            return None
        value = self._values[name]
        if isinstance(value, bool | int | float):
            return str(value)
        return (self.optional(name) or "").replace("\r\n", "\n").strip()

    def several(self, name: str) -> list[str]:
        """The texts of a field that may come more than once, or as JSON's list. Raises InvalidInput."""
        many = self._values.getlist(name) if isinstance(self._values, MultiDict) else self._values.get(name)
        values = many if isinstance(many, list) else [] if many is None else [many]
        if not all(isinstance(value, str) for value in values):
            raise InvalidInput(f"{name} must be a list of strings.")
        return [value for value in dict.fromkeys(values) if value]

    def files(self) -> list[tuple[str, str | bytes]]:
        """The files of a form, or of JSON's `files` [{name, content}] or [{name, base64}], as (name, content).

        Raises InvalidInput.
        """
        if isinstance(self._values, MultiDict):
            given = [file for file in request.files.getlist("file") if file.filename]
            return [(file.filename or "", file.stream.read()) for file in given]
        rows = self._values.get("files") or []
        if not isinstance(rows, list) or not all(
            isinstance(row, dict) and {"content", "base64"} & {*row} for row in rows
        ):
            raise InvalidInput("files must be a list of objects with name and content, or name and base64.")
        of_rows = [Fields(row) for row in rows]
        return [(row.optional("name") or "", row._content()) for row in of_rows]

    @property
    def has_files(self) -> bool:
        """Whether the message has files, or those of a message that was taken back. Raises InvalidInput."""
        if isinstance(self._values, MultiDict):
            return bool(self.several("keep")) or any(file.filename for file in request.files.getlist("file"))
        return bool(self.several("keep") or self._values.get("files"))

    def message(self, otherwise: str) -> str:
        """The message's text; "" if only files were sent. Raises InvalidInput with the text `otherwise`."""
        text = self.optional("message")
        if text is None and not self.has_files:
            raise InvalidInput(otherwise)
        return text or ""

    def _content(self) -> str | bytes:
        data = self.optional("base64")
        try:
            return (self.optional("content") or "") if data is None else b64decode(data, validate=True)
        except ValueError as error:
            raise InvalidInput("base64 is not valid Base64.") from error

    def required(self, name: str, otherwise: str) -> str:
        """The field's text. Raises InvalidInput with the text `otherwise` if it is missing."""
        value = self.optional(name)
        if value is None:
            raise InvalidInput(otherwise)
        return value


def allow_files() -> None:
    """Allow this request a larger body if it can carry files."""
    if request.mimetype == "multipart/form-data" or request.is_json:
        request.max_content_length = WITH_FILES + (request.max_content_length or 0)


@once_a_request
def request_fields() -> Fields:
    """The request's fields; none if there is no body. Raises InvalidInput if the body cannot be read."""
    body = request.get_data(cache=True)
    if request.mimetype in ("application/x-www-form-urlencoded", "multipart/form-data"):
        if request.mimetype.endswith("urlencoded"):
            _check_text(unquote_to_bytes(body))
        elif not request.files:
            _check_text(body)
        elif any(REPLACED in text for name in request.form for text in (name, *request.form.getlist(name))):
            _check_fields(body)
        _check_size(body, with_files=bool(request.files))
        return Fields(request.form)
    if not body.strip():
        return Fields({})
    if not request.is_json:
        raise InvalidInput("Send a form, or JSON with Content-Type: application/json.")
    values = _object(body)
    _check_size(body, with_files=bool(values.get("files")))
    return Fields(values)


def _check_size(body: bytes, *, with_files: bool) -> None:
    """Refuse a large body without files. Raises RequestEntityTooLarge."""
    most = current_app.config["MAX_CONTENT_LENGTH"]
    if most is not None and len(body) > most and not with_files:
        request.max_content_length = most
        raise RequestEntityTooLarge


def _check_text(body: bytes) -> None:
    """Refuse bytes that the form's parser would silently replace."""
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput("The form is not valid UTF-8.") from error


def _check_fields(body: bytes) -> None:
    """The same for the fields of a form with files, whose bytes may be anything."""
    decoder = MultipartDecoder(request.mimetype_params.get("boundary", "").encode())
    decoder.receive_data(body)
    decoder.receive_data(None)
    text = bytearray()
    is_field = False
    while not isinstance(event := decoder.next_event(), Epilogue | NeedData):
        if isinstance(event, Field | File):
            is_field = isinstance(event, Field)
            text.clear()
        elif isinstance(event, Data) and is_field:
            text += event.data
            if not event.more_data:
                _check_text(bytes(text))


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InvalidInput("The body is not valid JSON.") from error
    if not isinstance(value, dict):
        raise InvalidInput("The body must be a JSON object.")
    return value
