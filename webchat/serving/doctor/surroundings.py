"""Checks what the chat needs besides its storage: a backend, a model, an address to listen on."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from webchat.addresses import is_loopback, socket_path
from webchat.backends import abilities, create_backend
from webchat.config import Settings
from webchat.models.fetch import is_present
from webchat.models.shelf import Shelf
from webchat.serving.doctor import Check, Finding
from webchat.serving.listening import why_not


class Surroundings:
    """Checks what the settings refer to. A model server is asked for its models; nothing is started."""

    def __init__(self, settings: Settings, models: Path) -> None:
        self._settings, self._models = settings, models

    def checks(self) -> dict[str, Check]:
        """The checks, by name."""
        return {"who answers": self._check_backend, "model files": self._check_models, "server": self._check_server}

    def _check_backend(self) -> Iterator[Finding]:
        backend = create_backend(self._settings.backend, self._settings)
        try:
            problem = abilities.notice_of(backend)
            if not problem and self._settings.backend != "local":  # it downloads and starts its model itself
                able = abilities.checkable(backend)
                problem = able.check() if able else None
            if problem:
                yield Finding(str(problem).rstrip("."), "nobody can answer until then")
        finally:
            abilities.close(backend)

    def _check_models(self) -> Iterator[Finding]:
        for row in Shelf(self._models).rows():
            if not os.path.lexists(row.path) or is_present(row.model, self._models):
                continue
            size = row.path.stat().st_size
            what = f"has {size:,} bytes instead of {row.model.bytes:,}"
            if size == row.model.bytes:
                what = "has changed since its sha256 was verified, or was never verified"
            advice = f"“webchat models get {row.model.name}” verifies it, and downloads it again if necessary"
            yield Finding(f"{row.path} {what}", advice)

    def _check_server(self) -> Iterator[Finding]:
        host, port = self._settings.host, self._settings.port
        path = socket_path(host)
        if path:
            problem = why_not(path)
            if problem:
                yield Finding(f"cannot listen on {path}: {problem}", "set --host", is_note="another" in problem)
            return
        refused = _refused(host, port)
        if refused == errno.EADDRINUSE:
            what = f"port {port} is taken, perhaps by a running chat"
            yield Finding(what, "the next server to start takes the next free one", is_note=True)
        elif refused:
            yield Finding(f"cannot listen on {host} port {port}: {os.strerror(refused)}", "set --host and --port")
        if not is_loopback(host):
            if not self._settings.token and not self._settings.auth_header:
                yield Finding(f"at {host} others could reach the chat", "set --token or --auth-header, or leave --host")
            elif not self._settings.proxies:
                yield Finding(
                    "there is no TLS: the network can read the traffic", "put a proxy in front of it: docs/deploy.md"
                )


def _refused(host: str, port: int) -> int:
    """The error number if the server cannot listen on that address, else 0."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            probe.listen(1)
    except OSError as error:
        return error.errno or errno.EADDRNOTAVAIL
    return 0
