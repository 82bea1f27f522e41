"""Messages for people about problems with a model server. They quote no exception, key or page."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

from webchat.backends import refusals
from webchat.backends.openai import retries
from webchat.backends.openai.endpoint import BAD_ADDRESS, Endpoint
from webchat.backends.quotation import quoted
from webchat.errors import BackendUnavailable

BROKEN_OFF = "The connection to the model broke off in the middle of the answer. Try again."
NOT_A_MODEL = "{} does not respond like a model server. Check the address, which usually ends in /v1."
DENIED = "The agent at {} tried something that its policy forbids. Ask for something else, or change the policy.{}"
NO_LIST = "{} does not list its models. If the address is right, name a model in the settings."
NO_KEYS = "no_db_connection"
"""LiteLLM's error for a wrong key: it wants to look it up in a database and has none."""
KEYLESS = {
    401: "{} requires a key, and none is set. Set it in the settings.{}",
    403: "{} does not allow this, and no key is set. If it requires one, set it in the settings.{}",
}
LATE = "The model server did not respond in time."
_DECODER = json.JSONDecoder()


def of_exception(error: Exception, endpoint: Endpoint, *, begun: bool) -> BackendUnavailable:
    """The message for an exception of httpx; `begun` says whether the answer had begun."""
    return BackendUnavailable(_of_exception(error, endpoint, begun))


def _of_exception(error: Exception, endpoint: Endpoint, begun: bool) -> str:
    where = endpoint.where
    if isinstance(error, httpx.ConnectTimeout):
        seconds = f"{endpoint.connect_timeout:g} seconds"
        return f"{where} could not be reached within {seconds}. Check its address and the network."
    if isinstance(error, httpx.TimeoutException):
        return f"The model at {where} {_patience(error)}. Try again, or give it more time with --read-timeout."
    if isinstance(error, httpx.ConnectError):
        return _not_connected(error, where)
    if isinstance(error, httpx.ProxyError):
        return f"The proxy set in the environment does not let the chat reach {where}. Check HTTPS_PROXY and NO_PROXY."
    if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL):
        return BAD_ADDRESS
    if begun:
        return BROKEN_OFF
    if isinstance(error, httpx.RemoteProtocolError) and str(error).startswith("illegal"):
        return NOT_A_MODEL.format(where)
    return f"{where} closed the connection without an answer. Try again; if that does not help, check the address."


def _patience(error: httpx.TimeoutException) -> str:
    limits = error.request.extensions.get("timeout", {})
    if isinstance(error, httpx.ReadTimeout) and limits.get("read"):
        return f"has been silent for {limits['read']:g} seconds"
    return "does not accept the data sent to it"


def _not_connected(error: Exception, where: str) -> str:
    causes = list(_causes(error))
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return f"There is no host called {where}. Check the spelling of the address and the network."
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return f"The certificate of {where} is not trusted. Check the address, or set SSL_CERT_FILE."
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return f"{where} does not use TLS correctly. Check whether its address begins with http:// or https://."
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return f"Nothing answers at {where}. Start the model server there, or check the address."
    return f"{where} cannot be reached from here. Check its address and the network."


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def of_status(
    status: int, headers: Mapping[str, str], body: bytes, endpoint: Endpoint, model: str
) -> BackendUnavailable:
    """The message for an HTTP status other than 2xx; `model` is "" for a request for the list of models."""
    where, said, text = endpoint.where, quotation(decoded(body), endpoint), body.decode("utf-8", "replace")
    if refusals.is_too_long(status, text):
        return BackendUnavailable(refusals.TOO_LONG)
    if _is_denial(decoded(body)):
        return BackendUnavailable(DENIED.format(where, said))
    if refusals.is_used_up(status, text):
        return BackendUnavailable(refusals.USED_UP.format(where, said))
    if retries.is_loading(status, text):
        return BackendUnavailable(f"{where} is still loading its model. Try again in a few minutes.")
    if 300 <= status < 400:
        return BackendUnavailable(f"{where} has moved{_destination(headers)}. Set the new address in the settings.")
    if not endpoint.has_key and status in KEYLESS:
        return BackendUnavailable(KEYLESS[status].format(where, said))
    if status == 400 and NO_KEYS in text:
        status = 401
    if status in (404, 405):
        return BackendUnavailable(_not_found(endpoint, model, said))
    sentence = refusals.of_status(status, where, headers, key_in=" in the settings", said=said)
    if sentence and status >= 500 and not (endpoint.has_key or said):
        sentence += " No key is set; it may require one."
    what = "the question" if model else "to list its models"
    mend = "the model and the settings" if model else "its address and the key in the settings"
    return BackendUnavailable(sentence or f"{where} refused {what} (HTTP {status}). Check {mend}.{said}")


def _not_found(endpoint: Endpoint, model: str, said: str) -> str:
    if not model:
        return NO_LIST.format(endpoint.where)
    return (
        f"{endpoint.where} does not have the model {model[:100]!r}, or its address is wrong. "
        f"Check both in the settings; the address usually ends in /v1.{said}"
    )


def no_list(endpoint: Endpoint) -> BackendUnavailable:
    """The error for a list of models with an empty body."""
    return BackendUnavailable(NO_LIST.format(endpoint.where))


def report_in(answer: Any) -> Any:  # noqa: ANN401
    """The error that a server sent in place of a chunk of an answer; None if this is none.

    OpenAI: {"error": …}; vLLM: {"object": "error", "message", "code"}; gateways: the same without "object"; FastAPI:
    {"detail": …}. Some gateways put a success code, and a message such as "Success", into every chunk.
    """
    if not isinstance(answer, dict):
        return None
    if answer.get("error"):
        return answer["error"]
    has_error_code = "message" in answer and answer.get("code") not in (None, 0, 200, "", "0", "200", "ok", "success")
    has_failed = has_error_code or bool(answer.get("detail"))
    is_report = answer.get("object") == "error" or (has_failed and "choices" not in answer and "usage" not in answer)
    return answer if is_report and not answer.get("choices") else None


def of_report(report: Any, endpoint: Endpoint) -> BackendUnavailable:  # noqa: ANN401
    """The message for an error object that came in place of the answer, or in the middle of it."""
    if _is_denial({"error": report}):
        return BackendUnavailable(DENIED.format(endpoint.where, quotation({"error": report}, endpoint)))
    if refusals.speaks_of_length(json.dumps(report)):
        return BackendUnavailable(refusals.TOO_LONG)
    if refusals.is_used_up(429, json.dumps(report)):
        return BackendUnavailable(refusals.USED_UP.format(endpoint.where, quotation({"error": report}, endpoint)))
    said = quotation({"error": report}, endpoint)
    return BackendUnavailable(f"The model at {endpoint.where} failed to answer. Try again.{said}")


def _is_denial(answer: Any) -> bool:  # noqa: ANN401
    """Whether an agent's server says that an action of the agent was not approved."""
    error = answer.get("error") if isinstance(answer, dict) else None
    return isinstance(error, dict) and error.get("code") == "approval_denied"


def malformed(endpoint: Endpoint) -> BackendUnavailable:
    return BackendUnavailable(f"{endpoint.where} sent an invalid response. Try again.")


def oversized(endpoint: Endpoint) -> BackendUnavailable:
    return BackendUnavailable(f"{endpoint.where} sent more data at once than an answer can have. Check the address.")


def not_a_model(endpoint: Endpoint) -> BackendUnavailable:
    return BackendUnavailable(NOT_A_MODEL.format(endpoint.where))


def no_models(endpoint: Endpoint) -> BackendUnavailable:
    return BackendUnavailable(f"{endpoint.where} has no model. Install or load one there, or name one in the settings.")


def decoded(body: str | bytes) -> Any:  # noqa: ANN401
    """The decoded JSON in `body`, None if it is invalid. A string must have no white space around it."""
    try:
        if isinstance(body, str):  # twice as fast as `loads`, which matters for an answer's many chunks
            found, end = _DECODER.raw_decode(body)
            if end == len(body):
                return found
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def quotation(answer: Any, endpoint: Endpoint) -> str:  # noqa: ANN401
    """The server's own error message, safe for a page: " It says: “…”", or ""."""
    said = quoted(_message(answer), endpoint.secrets)
    return f" It says: {said}" if said else ""


def _message(answer: Any) -> str:  # noqa: ANN401
    """OpenAI: {"error": {"message"}}; Ollama: {"error": text}; FastAPI: {"detail": text}; Google: a list of such.

    Also {"detail": {"message"}}, as some of FastAPI's applications say: the last name is looked for once more.
    """
    if isinstance(answer, list):
        answer = answer[0] if answer else None
    for name in ("error", "message", "detail", "message"):
        if isinstance(answer, dict) and answer.get(name):
            answer = answer[name]
    return answer if isinstance(answer, str) else ""


def _destination(headers: Mapping[str, str]) -> str:
    try:
        target = urlsplit(headers.get("location", ""))
    except ValueError:
        return ""
    return f" to {target.scheme}://{target.hostname}" if target.scheme and target.hostname else ""


def of_check(error: Exception) -> str:
    """The message for an exception of httpx, without a name or an address: anybody may read it."""
    reasons = list(_causes(error))
    if isinstance(error, httpx.TimeoutException):
        return LATE
    if any(isinstance(reason, socket.gaierror) for reason in reasons):
        return "The model server's host name cannot be resolved."
    if any(isinstance(reason, ssl.SSLError) for reason in reasons):
        return "A secure connection to the model server is not possible."
    return "The model server does not accept connections."


def of_checked_status(status: int) -> str | None:
    """The same for the status of GET /models; None if the server is well. Not every model server has that list."""
    if status < 300 or status in (404, 405):
        return None
    if status in (401, 403):
        return "The model server does not accept the key."
    if status == 402:
        return "The quota or credit at the model server is used up."
    if status == 429:
        return "The model server is limiting requests."
    return f"The model server responded with HTTP status {status}."
