"""Converts a backend's exceptions into our errors. Knows no reply."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from webchat.errors import BackendUnavailable, SessionEnded, WebChatError

log = logging.getLogger("webchat.reply")


@contextmanager
def backend_errors() -> Iterator[None]:
    """Convert a backend's exceptions into our errors; the original is the cause, for the log only.

    A plain ValueError means that the session has ended; its subclasses (a decoding error, say) do not.
    """
    try:
        yield
    except Exception as error:
        raise_as_ours(error)


def raise_as_ours(error: Exception) -> NoReturn:
    if type(error) is ValueError:
        raise SessionEnded from error
    if isinstance(error, RuntimeError | OSError) and not isinstance(error, WebChatError):
        log.warning("the backend failed", exc_info=error)
        raise BackendUnavailable from error
    raise error
