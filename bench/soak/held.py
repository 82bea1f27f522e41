"""What a server holds: memory, threads, descriptors, files, CPU. At first, at most, and at the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.processes import Server

LOOK = 1.0
"""Seconds between two measurements."""
AT_REST = 5.0
"""Seconds over which an idle server's processor time is measured."""
Held = dict[str, float]
MIB = 2**20


@dataclass(frozen=True)
class Tolerance:
    """How much more than at first there may be at the end, and why."""

    most: float
    why: str


TOLERANCES = {
    "memory, MiB": Tolerance(
        64, "what is kept of rendered answers (16 Mi characters, 1 to 4 bytes each), and holes that malloc leaves"
    ),
    "threads": Tolerance(0, "all that began has ended"),
    "descriptors": Tolerance(1, "the search index may have opened another connection"),
    "files of sessions": Tolerance(0, "all sessions were deleted for good"),
    "replies and stops left": Tolerance(0, "all answers have ended"),
    "disk, MiB": Tolerance(4, "the search index keeps the pages that it once had, the activity its order"),
    "processor at rest, %": Tolerance(20, "housekeeping and the search index may have something to do"),
}


def held_by(server: Server, home: Path) -> Held:
    """All figures as they are now."""
    files = [path for path in home.rglob("*") if path.is_file()]
    of_sessions = [path for path in files if path.parent.name in ("web-chat-transcripts", "replies")]
    left = [path for path in of_sessions if path.suffix in (".reply", ".stop")]
    return {
        "memory, MiB": server.resident(),
        "threads": server.threads(),
        "descriptors": server.descriptors(),
        "files of sessions": len(of_sessions),
        "replies and stops left": len(left),
        "disk, MiB": sum(_size(path) for path in files) / MIB,
    }


def held_at_rest(server: Server, home: Path) -> Held:
    """All figures, and the CPU that it uses when idle. Takes a while."""
    before = server.cpu()
    time.sleep(AT_REST)
    return held_by(server, home) | {"processor at rest, %": (server.cpu() - before) / AT_REST * 100}


@contextmanager
def watched(server: Server, home: Path) -> Iterator[Held]:
    """The highest figures meanwhile."""
    peaks: Held = {}
    over = threading.Event()

    def look() -> None:
        while not over.wait(LOOK):
            for name, value in held_by(server, home).items():
                peaks[name] = max(value, peaks.get(name, 0.0))

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        yield peaks
    finally:
        over.set()
        looking.join()


def table(first: Held, peak: Held, last: Held) -> str:
    lines = [f"{'':24}{'first':>9}{'peak':>9}{'last':>9}{'allowed':>9}"]
    for name, tolerance in TOLERANCES.items():
        figures = (first[name], peak.get(name, 0.0), last[name], first[name] + tolerance.most)
        verdict = "" if name in returned(first, last) else "  DID NOT COME BACK"
        lines.append(f"{name:24}" + "".join(f"{value:9.1f}" for value in figures) + verdict)
    return "\n".join(lines)


def returned(first: Held, last: Held) -> set[str]:
    """The figures that returned to their first values."""
    return {name for name, tolerance in TOLERANCES.items() if last[name] <= first[name] + tolerance.most}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # it was removed meanwhile
        return 0
