"""Sends requests to a model server. Knows no conversation."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import httpx

from webchat import threads
from webchat.backends.openai import problems
from webchat.backends.openai.connection import cut_after
from webchat.backends.openai.endpoint import BAD_ADDRESS, Endpoint
from webchat.backends.openai.facts import Facts, Kind, kind_of
from webchat.backends.openai.sight import sight_of
from webchat.backends.openai.wire import Wire
from webchat.errors import BackendUnavailable, NoThreads

MAX_BODY = 16 * 2**20
MAX_REFUSAL = 2**16
FACTS_PATIENCE = 5.0
"""Seconds that all background requests about a model may take together."""
FACTS_LAST = 300.0
"""Seconds after which a server is asked about a model again: it may have loaded it with another context."""


class Server:
    """One model server; thread-safe. Raises BackendUnavailable if its address or the proxies' cannot be used."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.takes_usage = True
        self.sight: dict[str, bool] = {}
        """Whether models see pictures, by name, as far as the server has said."""
        self._contexts: dict[str, int] | None = None
        """The models' contexts in tokens, 0 if unknown; None if the list has not been requested yet."""
        self._kind: Kind | None = None
        self._facts: dict[str, Facts] = {}
        self._facts_asked: dict[str, float] = {}
        self._asked: set[Wire] = set()
        _check_host(endpoint.url)
        self._client = _client(endpoint)

    @property
    def answers(self) -> int:
        """How many answers are being requested or read now."""
        return len(self._asked)

    @contextmanager
    def ask(self, question: Mapping[str, Any], wire: Wire, patience: float | None) -> Iterator[httpx.Response]:
        """The unread response to POST /chat/completions; `patience` is the read timeout in seconds.

        Raises httpx's exceptions.
        """
        url = self.endpoint.address("/chat/completions")
        self._asked.add(wire)
        try:
            extensions, timeout = {"trace": wire.trace}, _timeout(self.endpoint, patience)
            with self._client.stream("POST", url, json=question, timeout=timeout, extensions=extensions) as response:
                yield response
        finally:
            self._asked.discard(wire)

    def check(self, wire: Wire) -> str | None:
        """Why the server cannot answer, as far as a request for its list of models shows; None if it can."""
        url, seconds = self.endpoint.address("/models"), self.endpoint.connect_timeout
        try:
            with self._client.stream("GET", url, timeout=seconds, extensions={"trace": wire.trace}) as response:
                return problems.of_checked_status(response.status_code)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return problems.LATE if wire.is_cut else problems.of_check(error)
        finally:
            wire.release()

    def models(self, wire: Wire) -> list[str]:
        """The names from GET /models, in the server's order, without those that contain unprintable characters.

        Raises BackendUnavailable.
        """
        seconds = self.endpoint.connect_timeout
        with converted_errors(self.endpoint, wire):
            url, trace = self.endpoint.address("/models"), {"trace": wire.trace}
            with self._client.stream("GET", url, timeout=seconds, extensions=trace) as response:
                body = read(response, MAX_BODY, self.endpoint)
        if not response.is_success:
            raise problems.of_status(response.status_code, response.headers, body, self.endpoint, "")
        if not body.strip():
            raise problems.no_list(self.endpoint)
        listed = problems.decoded(body)
        listed = {"data": listed} if isinstance(listed, list) else listed
        if not isinstance(listed, dict) or not isinstance(listed.get("data", ""), list | None):
            raise problems.not_a_model(self.endpoint)
        entries = listed["data"] or []
        self.sight |= sight_of(listed)
        self._kind = kind_of(listed, self.endpoint.url)
        named = {
            name: entry
            for entry in entries
            if isinstance(entry, dict) and isinstance(name := entry.get("id"), str) and name.isprintable()
        }
        self._contexts = {name: _context_of(entry) for name, entry in named.items()}
        return [*named]

    def context_of(self, *names: str) -> int:
        """The size of a model's context in tokens, as far as its server has said; 0 if unknown.

        `names` are the model's names, first the requested one. What is not known yet is requested in the background,
        for the next answer.
        """
        if self._contexts is None or self._is_worth_asking(names[0]):
            with suppress(NoThreads):
                threads.start(self._learn_in_background, "model-facts", names[0], self._contexts is None)
            self._contexts = self._contexts or {}
        known = (self._facts[name].context for name in names if name in self._facts)
        listed = (self._contexts.get(name, 0) for name in names)
        return next(filter(None, (*known, *listed)), 0)

    def learn(self, model: str, wire: Wire) -> None:
        """Ask a server of a known kind for more than its list says about a model, unless it was asked recently.

        If the server does not answer, the facts stay unknown.
        """
        kind = self._kind
        if not kind or not self._is_worth_asking(model):
            return
        self._facts_asked[model] = time.monotonic()

        def ask(path: str, body: Mapping[str, Any] | None) -> Any:  # noqa: ANN401
            url = self.endpoint.beside(path)
            sent = {"json": body, "timeout": self.endpoint.connect_timeout, "extensions": {"trace": wire.trace}}
            with self._client.stream("GET" if body is None else "POST", url, **sent) as response:  # type: ignore[arg-type]
                content = read(response, MAX_BODY, self.endpoint)
            return problems.decoded(content) if response.is_success else None

        with suppress(BackendUnavailable), converted_errors(self.endpoint, wire):
            self._facts[model] = facts = kind.facts(ask, model)
            if facts.sees is not None:
                self.sight[model] = facts.sees

    def _is_worth_asking(self, model: str) -> bool:
        return self._kind is not None and time.monotonic() - self._facts_asked.get(model, -FACTS_LAST) >= FACTS_LAST

    def _learn_in_background(self, model: str, with_list: bool) -> None:
        try:
            with suppress(BackendUnavailable), cut_after(FACTS_PATIENCE) as wire:
                if with_list:
                    self.models(wire)
                self.learn(model, wire)
        except RuntimeError:  # httpx's for a closed client: another backend has taken its place meanwhile
            if not self._client.is_closed:
                raise

    def first_model(self, wire: Wire) -> str:
        """The name of the first model. Raises BackendUnavailable, also if there is none."""
        names = self.models(wire)
        if not names:
            raise problems.no_models(self.endpoint)
        return names[0]

    def close(self) -> None:
        self._client.close()


@contextmanager
def converted_errors(endpoint: Endpoint, wire: Wire) -> Iterator[None]:
    """Converts httpx's exceptions into BackendUnavailable."""
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise problems.of_exception(error, endpoint, begun=False) from error
    finally:
        wire.release()


def read(response: httpx.Response, limit: int, endpoint: Endpoint) -> bytes:
    """The whole body, at most `limit` bytes. Raises BackendUnavailable if there is more."""
    body = bytearray()
    for part in response.iter_bytes():
        body += part
        if len(body) > limit:
            raise problems.oversized(endpoint)
    return bytes(body)


def opening(response: httpx.Response, limit: int) -> bytes:
    """The first `limit` bytes of the body."""
    body = bytearray()
    for part in response.iter_bytes():
        body += part
        if len(body) > limit:
            break
    return bytes(body[:limit])


def _context_of(entry: Mapping[str, Any]) -> int:
    """The size of a model's context in its entry of the list, 0 if missing. Each server has its own field for it."""
    meta = entry.get("meta")
    for fields in (entry, meta if isinstance(meta, dict) else {}):
        for name in ("max_model_len", "context_length", "context_window", "max_context_length", "n_ctx"):
            size = fields.get(name)
            if isinstance(size, int) and not isinstance(size, bool) and size > 0:
                return size
    return 0


def _check_host(url: str) -> None:
    """Raises BackendUnavailable for names such as "a..b" or "xn--a", at which a request would raise UnicodeError."""
    try:
        asked = httpx.URL(url)
        _ = asked.host, asked.raw_host.decode("ascii").encode("idna")
    except (httpx.InvalidURL, UnicodeError) as error:
        raise BackendUnavailable(BAD_ADDRESS) from error


def _timeout(endpoint: Endpoint, patience: float | None) -> httpx.Timeout:
    """`patience` limits reading only; sending keeps its own limit."""
    return httpx.Timeout(endpoint.read_timeout, read=patience, connect=endpoint.connect_timeout, pool=None)


def _client(endpoint: Endpoint) -> httpx.Client:
    """A client for one endpoint. Raises BackendUnavailable if the environment's proxies cannot be used.

    The environment (HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE) applies to servers on other machines. For a loopback server
    no proxy is used: it would send the conversation to a machine that cannot reach the server, as httpx does unless
    NO_PROXY says otherwise. Redirects are not followed: the key is for this address alone. Each connection serves one
    answer, so that cutting it affects no other and none is stale; the server is asked to close it, which shows us at
    once that the answer has ended. Without TLS no certificates are loaded: that saves 20 ms and 1 MB.
    """
    headers = {"Accept-Encoding": "identity", "Connection": "close", "User-Agent": "webchat"}
    if endpoint.key:
        headers["Authorization"] = f"Bearer {endpoint.key}"
    sent = httpx.Headers(headers)
    sent.update(httpx.Headers([(name.encode(), value.encode()) for name, value in endpoint.headers]))
    try:
        return httpx.Client(
            headers=sent,
            auth=endpoint.login,
            timeout=_timeout(endpoint, endpoint.read_timeout),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
            trust_env=not endpoint.is_loopback,
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            if endpoint.is_loopback and endpoint.url.startswith("http:")
            else True,
            follow_redirects=False,
        )
    except (ImportError, ValueError, OSError) as error:
        raise BackendUnavailable(
            "The proxy or certificate file set in the environment cannot be used. "
            "Check ALL_PROXY, HTTPS_PROXY and SSL_CERT_FILE."
        ) from error
