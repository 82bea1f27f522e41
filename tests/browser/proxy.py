"""A scripted faulty network between browser and server: it cuts pages' streams, or falls silent."""

from __future__ import annotations

import random
import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit


class Proxy:
    """Forwards bytes, as a server on a loopback port of its own.

    The next `cuts` event streams are each cut after a random number of bytes. While `silent`, what comes of an event
    stream is lost, without any error, and so is all that follows in that stream; then `lost` is set. `streams` counts
    them.
    """

    def __init__(self, url: str, seed: int = 1) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname, parts.port)
        self._random = random.Random(seed)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.silent = threading.Event()
        self.lost = threading.Event()
        self.streams = self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), client, socket.create_connection(self._address) as server:
            # One request per connection: whether it is cut depends on its path.
            head = b""
            while b"\r\n\r\n" not in head:
                if not (part := client.recv(65536)):
                    return  # a browser opens connections in advance, and closes those that it does not need
                head += part
            is_stream = head.startswith(b"GET /events")
            self.streams += is_stream
            server.sendall(head.replace(b"\r\nConnection: keep-alive", b"\r\nConnection: close"))
            threading.Thread(target=self._pass_on, args=(client, server), daemon=True).start()
            left, is_lost = None, False
            if is_stream and self.cuts > 0:
                self.cuts -= 1
                left = self._random.randrange(200, 3000)
            while part := server.recv(65536 if left is None else min(left, 65536)):
                if is_lost or (is_stream and self.silent.is_set()):
                    is_lost = True  # TCP leaves nothing out
                    self.lost.set()
                    continue
                client.sendall(part)
                if left is not None:
                    left -= len(part)
                    if left <= 0:
                        break
            # Closing alone does not reach the peer: another thread still reads from it.
            client.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _pass_on(client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while part := client.recv(65536):
                server.sendall(part)
            server.shutdown(socket.SHUT_RDWR)
