"""Opens the socket that the server listens on: a port, or a Unix socket for its owner and perhaps a group."""

from __future__ import annotations

import errno
import os
import socket
import stat
from contextlib import suppress
from pathlib import Path

from webchat.addresses import socket_path
from webchat.errors import InvalidInput
from webchat.fileutil import DiskFolder, locked

PORTS_TRIED = 50
LAST_PORT = 65535
BACKLOG = 1024
CLOSED_TO_OTHERS = 0o117
"""The umask that leaves 0660; the process's own umask may take away more, as the usual 022 does for the group."""


def listen(host: str, port: int, tries: int = PORTS_TRIED) -> socket.socket:
    """A listening socket at this host, in the setting's format, on that port or the next free one. Raises InvalidInput.

    `tries` is how many ports are tried.
    """
    path = socket_path(host)
    return _listen_at(path) if path else _listen_on(host, port, tries)


def _listen_on(host: str, port: int, tries: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    last = min(port + tries - 1, LAST_PORT)
    for candidate in range(port, last + 1) if port else (0,):
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, candidate))
            # Listen at once: the address is printed next, and another process could take a port that is only bound.
            listening.listen(BACKLOG)
        except OSError as error:
            listening.close()
            if error.errno != errno.EADDRINUSE:
                why = f"Cannot listen on {host}: {error.strerror}. Choose another address with --host or --port."
                raise InvalidInput(why) from error
            continue
        return listening
    taken = f"Ports {port} to {last} are all taken" if last > port else f"Port {port} is taken"
    raise InvalidInput(f"{taken}. Choose another with --port.")


def _listen_at(path: Path) -> socket.socket:
    """A Unix socket at that path. Replaces only a socket on which nobody listens any more."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if not path.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, f"there is no folder {path.parent}")
        with locked(
            DiskFolder(path.parent), path.name, timeout=10
        ):  # otherwise, of two servers that start together, one could remove the other's socket
            problem = why_not(path)
            if problem:
                raise InvalidInput(f"Cannot listen on {path}: {problem}. Choose another path with --host.")
            with suppress(FileNotFoundError):
                path.unlink()
            _bind(listening, path)
    except OSError as error:
        listening.close()
        raise InvalidInput(
            f"Cannot listen on {path}: {error.strerror or error}. Choose another path with --host."
        ) from error
    except InvalidInput:
        listening.close()
        raise
    return listening


def _bind(listening: socket.socket, path: Path) -> None:
    umask = os.umask(0o777)
    os.umask(umask | CLOSED_TO_OTHERS)
    try:
        listening.bind(str(path))
    finally:
        os.umask(umask)
    listening.listen(BACKLOG)


def why_not(path: Path) -> str:
    """Why a Unix socket cannot be opened there; "" if it can."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            return "it exists and is not a socket"
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.connect(str(path))
        return "another server is listening there"
    except FileNotFoundError:
        return "" if path.parent.is_dir() else f"there is no folder {path.parent}"
    except ConnectionRefusedError:  # its server is gone
        return ""
    except OSError as error:
        return error.strerror or str(error)


def remove(path: str) -> None:
    """Remove a Unix socket's file at the end; "": there is none."""
    if path:
        with suppress(OSError):
            Path(path).unlink()
