"""Several servers on one database, with pages that reconnect, and a server in a network namespace of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.conftest import HTMX, Server
from tests.database import free_port
from tests.preloaded import Preloaded
from tests.processes import ROOT
from tests.reading import parse_events, until
from tests.scripted_server import DONE, Answer, ended
from tests.tab import OpenTab

JSON = {"Accept": "application/json"}
NETWORKS = 250
RECONNECT = 0.5
"""Seconds after which htmx connects a stream again."""


class Servers:
    """Starts servers on one database. Each name stands for a server with its own port and folder."""

    def __init__(self, preloaded: Preloaded, folder: Path, database: str, *options: str, **env: str) -> None:
        self._preloaded, self._folder, self._options = preloaded, folder, options
        self._env = os.environ | {"WEBCHAT_DATABASE": database, "WEBCHAT_TITLES": "off"} | env
        self._ports: dict[str, int] = {}
        self._started: list[Server] = []

    def start(self, name: str, **env: str) -> Server:
        """Start it, or restart it at the same place."""
        place = ["--home", str(self._folder / name), "--port", str(self._ports.get(name) or free_port())]
        server = Server(self._preloaded.start(["serve", *place, *self._options], self._env | env))
        self._ports[name] = int(urlsplit(server.url).port or 0)
        self._started.append(server)
        return server

    def close(self) -> None:
        for server in self._started:
            server.kill()


class LivePage(OpenTab):
    """A page in a browser. After a break, its stream continues where it was, as with htmx."""

    def __init__(self, url: str, path: str, headers: dict[str, str] | None = None) -> None:
        self._http = httpx.Client(base_url=url, follow_redirects=True, verify=False, headers=headers)
        super().__init__(self._http, path)
        self.is_live = False
        self.breaks = 0
        """How often its stream broke, or could not be opened."""
        self.seen: list[tuple[float, list[str]]] = []
        """The words of the last answer after each event, with the time."""
        self.now = self.shown()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()
        until(lambda: self.is_live)

    def _follow(self) -> None:
        while not self._over.is_set():
            with suppress(httpx.HTTPError):
                self._read_stream()
            if not self._over.is_set():
                self.is_live = False
                self.breaks += 1
                self._over.wait(RECONNECT)

    def _read_stream(self) -> None:
        headers = {"Last-Event-ID": self.last_id} if self.last_id else {}
        with self._http.stream("GET", self.stream_url, headers=headers) as answer:
            answer.raise_for_status()
            left = ""
            for piece in answer.iter_text():
                whole, end, left = (left + piece).rpartition("\n\n")
                for event in parse_events(whole + end):
                    self.take(event)
                self._look()
                if self._over.is_set():
                    return

    def _look(self) -> None:
        self.seen.append((time.monotonic(), self._last_words()))
        self.now, self.is_live = self.shown(), True

    def _last_words(self) -> list[str]:
        # Not the question's, which is there before its answer and may have the same words.
        found = self.soup.select("#messages article.message[data-role=assistant] .content > .blocks")
        return found[-1].get_text().split() if found else []

    @property
    def status(self) -> str:
        """The last message's status."""
        return self.now[-1][1] if self.now else ""

    @property
    def words(self) -> list[str]:
        """The words of the last answer."""
        return self.seen[-1][1] if self.seen else []

    def arrivals(self) -> dict[str, float]:
        """When each word was first shown."""
        first: dict[str, float] = {}
        for moment, words in self.seen:
            for word in words:
                first.setdefault(word, moment)
        return first

    def never_showed_but(self, whole: Sequence[str]) -> bool:
        """Whether each state that shares a word with the end of `whole` was a prefix of `whole`."""
        distinct = {*whole[3:]}
        return all(words == [*whole[: len(words)]] for _, words in self.seen if distinct & {*words})

    def close(self) -> None:
        self._over.set()
        self._http.close()


@dataclass
class Paced:
    """A model's answer of many words, with the time at which it sent each."""

    count: int = 150
    pause: float = 0.03
    sent: dict[str, float] = field(default_factory=dict)

    @property
    def words(self) -> list[str]:
        return [f"word-{number}" for number in range(self.count)]

    def answer(self) -> Answer:
        return Answer(self._steps())

    def _steps(self) -> Iterator[Any]:
        for word in self.words:
            self.sent[word] = time.monotonic()
            yield f"{word} "
            yield self.pause
        yield ended()
        yield DONE


def begin(url: str, message: str = "hello", **headers: str) -> str:
    """The path of a new session whose first message has been answered, or is being answered."""
    accepted = httpx.post(f"{url}/messages", data={"message": message}, headers=headers, verify=False)
    assert accepted.status_code == 303, accepted.text
    return "/sessions/" + accepted.headers["Location"].partition("/sessions/")[2].partition("#")[0]


def send(url: str, session: str, message: str, **fields: str) -> httpx.Response:
    """Send a message as a page does; the response comes as soon as it is saved."""
    return httpx.post(f"{url}{session}/messages", data={"message": message, **fields}, headers=HTMX)


def messages(url: str, session: str, **options: Any) -> list[dict[str, Any]]:
    """A session's messages, according to the server."""
    found = httpx.get(f"{url}{session}", headers=JSON | options.pop("headers", {}), **options)
    assert found.status_code == 200, found.text
    return list(found.json()["messages"])


def is_answered(url: str, session: str) -> bool:
    return messages(url, session)[-1]["status"] == "complete"


class Network:
    """A separate network for one server, in which this machine has one address. Its packets can be dropped."""

    def __init__(self) -> None:
        self._number(os.getpid() % NETWORKS)

    def _number(self, number: int) -> None:
        self.name, self._here, self._there = f"webchat-{number}", f"wch{number}", f"wcs{number}"
        self.host, self.guest = f"10.211.{number}.1", f"10.211.{number}.2"

    def make(self) -> None:
        """Skips with a reason if that is not permitted."""
        try:
            self._add()
            _ip("link", "add", self._here, "type", "veth", "peer", "name", self._there, "netns", self.name)
        except (OSError, subprocess.CalledProcessError):
            self.remove()
            pytest.skip("network namespaces cannot be made here (needs `ip` and the right to)")
        _ip("address", "add", f"{self.host}/30", "dev", self._here)
        _ip("link", "set", self._here, "up")
        _ip("-n", self.name, "address", "add", f"{self.guest}/30", "dev", self._there)
        _ip("-n", self.name, "link", "set", self._there, "up")
        _ip("-n", self.name, "link", "set", "lo", "up")

    def _add(self) -> None:
        """Make a namespace with a name that no other test has."""
        for number in range(os.getpid(), os.getpid() + NETWORKS):
            self._number(number % NETWORKS)
            try:
                return _ip("netns", "add", self.name)
            except subprocess.CalledProcessError:
                if not Path("/run/netns", self.name).exists():
                    raise
        return pytest.skip("all network namespaces are in use")

    def cut(self, *, also_questions: bool = True) -> None:
        """From now on, packets in both directions are dropped silently.

        They are routed to a machine that does not exist.
        """
        nobody = ("lladdr", "02:00:00:00:00:09", "nud", "permanent")
        _ip("neighbour", "replace", self.guest, *nobody, "dev", self._here)
        if also_questions:
            _ip("-n", self.name, "neighbour", "replace", self.host, *nobody, "dev", self._there)

    def mend(self) -> None:
        for inside, address, device in ((), self.guest, self._here), (("-n", self.name), self.host, self._there):
            with suppress(subprocess.CalledProcessError):  # one way may not have been cut
                _ip(*inside, "neighbour", "del", address, "dev", device)

    def remove(self) -> None:
        for command in (["link", "del", self._here], ["netns", "del", self.name]):
            with suppress(OSError, subprocess.CalledProcessError):
                _ip(*command)

    @contextmanager
    def serve(self, folder: Path, database: str, *options: str) -> Iterator[httpx.Client]:
        """A server in that network, for a block; yields a client that reaches it even when the network is cut."""
        socket = folder / "socket"
        command = ["ip", "netns", "exec", self.name, sys.executable, "-m", "webchat", "serve", "--home", str(folder)]
        env = os.environ | {"WEBCHAT_DATABASE": database, "WEBCHAT_TITLES": "off"}
        with subprocess.Popen([*command, "--host", f"unix:{socket}", *options], env=env, cwd=ROOT) as process:
            try:
                until(lambda: socket.exists() or process.poll() is not None, patience=30)
                transport = httpx.HTTPTransport(uds=str(socket))
                yield httpx.Client(transport=transport, base_url="http://localhost")
            finally:
                process.kill()


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
