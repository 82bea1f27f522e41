"""Messages for people about errors of model servers and agents, by HTTP status, without secrets."""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime

from webchat.errors import BackendUnavailable, WebChatError, unforeseen

log = logging.getLogger(__name__)
TOO_LONG = (
    "The conversation is longer than the model's context. Start a new session, or choose a model with a longer context."
)
USED_UP = "The quota or credit at {} is used up. Add some there, or choose another model in the settings.{}"
BROKEN_OFF = "The agent aborted its answer. Try again."
# The codes of OpenAI and llama.cpp, then other servers' wording.
_TOO_LONG = re.compile(
    r"context_length_exceeded|exceed_context_size|context (length|size|window)|maximum context|prompt is too long", re.I
)
# The codes of OpenAI, DeepSeek, OpenRouter and others for used-up credit: waiting does not help.
_USED_UP = re.compile(
    r"insufficient[ _](quota|balance|funds|credits?)|billing_(hard_limit|not_active)|payment[ _]required|"
    r"out of credits?|credit balance is too low|arrearage",
    re.I,
)
_UNREACHED = re.compile("Connect|Timeout")


def is_too_long(status: int, said: str) -> bool:
    """Whether this status and text of a server mean that the conversation is too long."""
    return status == 413 or (status in (400, 422) and speaks_of_length(said))


def speaks_of_length(said: str) -> bool:
    return bool(_TOO_LONG.search(said))


def is_used_up(status: int, said: str) -> bool:
    """Whether they mean that a quota or credit is used up."""
    return status == 402 or (status in (400, 403, 429) and bool(_USED_UP.search(said)))


def of_status(status: int, where: str, headers: Mapping[str, str], *, key_in: str = "", said: str = "") -> str | None:
    """The message for 401, 402, 403, 429 and 5xx, else None; `said`, the server's reason, is appended."""
    if status == 401:
        return f"{where} did not accept the key. Check it{key_in}."
    if status == 402:
        return USED_UP.format(where, said)
    if status == 403:
        return f"{where} does not allow this with the configured key. Check the key's permissions.{said}"
    if status == 429:
        return f"{where} is limiting requests. Try again {_when(headers)}.{said}"
    if status >= 500:
        return f"{where} has an internal problem (HTTP {status}). Try again in a moment.{said}"
    return None


def retry_after(headers: Mapping[str, str]) -> int | None:
    """The seconds of a Retry-After header (RFC 9110, 10.2.3), which may also be a date; None if it is missing."""
    given = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,6}(\.\d+)?", given):
        return math.ceil(float(given))
    try:
        left = parsedate_to_datetime(given).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None
    return max(0, math.ceil(left))


def _when(headers: Mapping[str, str]) -> str:
    count = retry_after(headers)
    if count is None:
        return "later"
    return f"in {count} second{'' if count == 1 else 's'}"


def of_agent(error: BaseException) -> BaseException:
    """The error to show people for an agent's exception, or the exception itself if it is for people or unknown.

    Quotes nothing of the exception: that is in the log.
    """
    if isinstance(error, WebChatError):
        return error
    if type(error) is ValueError:  # in a backend it means that the session has ended, but not here
        return unforeseen(error)
    sentence = BROKEN_OFF if type(error).__name__ == "CancelledError" else _sentence(error)
    if sentence is None:
        return error
    log.warning("the agent failed", exc_info=error)
    return BackendUnavailable(sentence)


def _sentence(error: BaseException) -> str | None:
    causes = list(_causes(error))
    for cause in causes:
        status = _status(cause)
        if status is None:
            continue
        if is_too_long(status, str(cause)):
            return TOO_LONG
        if is_used_up(status, str(cause)):
            return USED_UP.format("the model server", "")
        headers = getattr(getattr(cause, "response", None), "headers", {})
        refused = f"The model server refused the question (HTTP {status}). Check the agent's model and settings."
        return of_status(status, "The model server", headers, key_in=" where the agent is set up") or refused
    if any(map(_is_about_connection, causes)):
        return "The agent cannot reach its model. Try again, or check the model's address and the network."
    return None


def _status(error: BaseException) -> int | None:
    """The HTTP status of an error, in any of the attributes in which HTTP clients have it."""
    response = getattr(error, "response", None)
    for owner, name in ((error, "status_code"), (response, "status_code"), (error, "code")):
        status = getattr(owner, name, None)
        if isinstance(status, int) and 400 <= status < 600:
            return status
    return None


def _is_about_connection(error: BaseException) -> bool:
    """HTTP clients have their own exceptions, recognisable by their names."""
    return isinstance(error, ConnectionError | TimeoutError) or bool(_UNREACHED.search(type(error).__name__))


def _causes(error: BaseException | None, depth: int = 0) -> Iterator[BaseException]:
    """An error and its causes, including those in exception groups."""
    while error is not None and depth < 20:
        yield error
        for member in getattr(error, "exceptions", ()):
            yield from _causes(member, depth + 1)
        context = None if error.__suppress_context__ else error.__context__
        error, depth = error.__cause__ or context, depth + 1
