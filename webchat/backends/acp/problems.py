"""Messages for people about problems with agents. They quote no secret and no argument."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from webchat.backends.acp.shapes import mapping, text
from webchat.backends.quotation import quoted, sentence, without
from webchat.errors import BackendUnavailable

AUTH_REQUIRED = -32000
LOOKED_AT = 10_000
"""Characters of an agent's error text that are read; only the first few are quoted."""
OTHER_AGENT = "This session was answered by {}, which is not set up here. Fork it to continue with {}."
NOT_FOUND = "The command {} was not found. Install the agent, or start the chat with another --agent."
NOT_STARTED = "{} could not be started. Run its command in a terminal to see why, then send the message again."
OTHER_VERSION = "{} speaks another version of the Agent Client Protocol than this chat. Update one of them."
NO_SESSION = "{} did not start a session within {:.0f} seconds. Try again, or restart the chat."
NO_ID = "{} gave the new session no unique id, so it cannot be used. Update the agent, or choose another."
NOT_CHOSEN = "The agent's session did not accept “{}”, which was chosen here before."
NOT_YET_CHOSEN = "{} did not confirm the choice in time. It is set again with your next message."
NOT_YET_SET = "{} did not confirm “{}” in time. Your next message sets it again."
NO_ANSWER = "{} does not respond. Try again later."
TOO_MUCH = "{} sent more data at once than an answer can have. Try again, or ask for less."
REFUSED = "The agent refused"
NOTES = {
    "max_tokens": "The answer was cut off: the model's length limit was reached.",
    "max_turn_requests": "The answer was cut off: the agent reached its limit of model requests per answer.",
}
"""Notes by a prompt's stop reason."""
_SECRET_NAME = re.compile(r"key|token|secret|passw|credential", re.I)
_SECRET_LOOK = re.compile(r"\b(?:sk|pk|rk|ghp|gho|ghs|xox[abp]|AIza|Bearer)[-_ ]?[A-Za-z0-9][A-Za-z0-9_.-]{7,}")
LEAST_SECRET = 6
"""Characters; anything shorter would match parts of ordinary words."""


class AgentError(Exception):
    """An agent's error response, whose fields may have any type."""

    def __init__(self, error: Any) -> None:  # noqa: ANN401
        super().__init__("the agent answered with an error")
        self.error = error

    @property
    def code(self) -> object:
        return self.error.get("code") if isinstance(self.error, dict) else None

    @property
    def said(self) -> str:
        """Its message, and the details in `data`: {"message"}, {"details"} or a string."""
        error = self.error if isinstance(self.error, dict) else {"message": self.error}
        data = error.get("data")
        details = (text(mapping(data).get(name)) for name in ("message", "details"))
        more = text(data) or next(filter(None, details), "")
        message = text(error.get("message"))
        return message if more in message else f"{message}: {more}" if message else more


def of_error(error: AgentError, name: str, secrets: Sequence[str]) -> BackendUnavailable:
    """The message for an error response."""
    said = quotation(error.said, secrets)
    says = f" It says: {said}" if said else ""
    if error.code == AUTH_REQUIRED:
        return BackendUnavailable(f"{name} needs a login or a key. Run it once in a terminal and sign in there.{says}")
    return BackendUnavailable(f"{name} failed to answer. Try again.{says}")


def of_refusal(text: str, secrets: Sequence[str]) -> BackendUnavailable:
    """The message for a prompt that the agent refused after this text."""
    said = quotation(text, secrets)
    return BackendUnavailable(
        sentence(f"{REFUSED}: {said}") if said else f"{REFUSED} to answer this. Rephrase your message."
    )


def quotation(said: str, secrets: Sequence[str]) -> str:
    return quoted(without_keys(said[:LOOKED_AT], secrets))


def without_keys(said: str, secrets: Sequence[str]) -> str:
    """The text without these secrets, and without anything that looks like one."""
    return _SECRET_LOOK.sub("[key]", without(secrets, said))


def secrets_of(command: Sequence[str], environ: Mapping[str, str]) -> tuple[str, ...]:
    """The secrets in an agent's arguments and environment, longest first."""
    found = {value for name, value in environ.items() if _SECRET_NAME.search(name)}
    found |= set(_secret_arguments(command))
    return tuple(sorted((value for value in found if len(value) >= LEAST_SECRET), key=len, reverse=True))


def _secret_arguments(command: Sequence[str]) -> Iterator[str]:
    for word, following in zip(command, (*command[1:], ""), strict=True):
        name, equals, value = word.partition("=")
        if _SECRET_NAME.search(name) and (equals or word.startswith("-")):
            yield value if equals else following
