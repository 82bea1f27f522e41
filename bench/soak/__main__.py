"""`python -m bench.soak [MINUTES]`: run it, print the resources used, exit with 1 after a leak or a lost message."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO

import httpx

from bench import processes
from bench.processes import Server
from bench.soak.held import Held, held_at_rest, returned, table, watched
from bench.soak.ledger import Ledger
from bench.soak.people import PATIENCE, Person

PEOPLE = 12
WARM_UP = 0.15
"""The share of the first round: what the server holds after it, it may hold at the end."""
KILLING = 0.2
"""The share of the phase in which the server is killed repeatedly."""
SETTLING = 90.0
"""Seconds for everything begun to end: a title that never comes is given up after 60."""
OPTIONS = (
    "--read-timeout",
    "2",
    "--answer-time",
    "20",
    "--connect-timeout",
    "2",
    "--model",
    "m",
    "--max-streams",
    "40",
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("minutes", nargs="?", type=float, default=30.0)
    seconds = parser.parse_args().minutes * 60
    ledger = Ledger()
    with processes.home() as home, tempfile.TemporaryFile() as log:
        with Server("bench.faulty_model") as model:
            first, peak, last = mixed_use(home, f"{model.url}/v1", ledger, log, seconds * (1 - KILLING))
            killed = kills(home, f"{model.url}/v1", ledger, log, seconds * KILLING)
        _look_into(log, ledger)
    print(table(first, peak, last))
    print(f"\n{ledger.taken} messages accepted, {killed} kills")
    print(", ".join(f"{count} × {name}" for name, count in sorted(ledger.done.items())))
    for problem, count in ledger.problems.most_common():
        print(f"{count} × {problem}")
    return int(bool(ledger.problems) or returned(first, last) != last.keys())


def mixed_use(home: Path, model: str, ledger: Ledger, log: IO[bytes], seconds: float) -> tuple[Held, Held, Held]:
    """Everybody does everything. Returns what the server held after a first round, at most, and at the end."""
    with _chat(home, log) as server:
        _prepare(server, model)
        _say("warming up")
        _use(server, model, ledger, seconds * WARM_UP)
        _clear(server, ledger)
        first = _settled(server, home, {})
        _say("mixed use")
        with watched(server, home) as peak:
            _use(server, model, ledger, seconds * (1 - WARM_UP))
        _say("settling")
        _settle_replies(server, home)
        ledger.check(_transcripts(home))
        _clear(server, ledger)
        return first, peak, _settled(server, home, first)


def kills(home: Path, model: str, ledger: Ledger, log: IO[bytes], seconds: float) -> int:
    """Kill the server while it answers, and restart it on the same files. Returns the number of kills."""
    _say("kills")
    end, count = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        with _chat(home, log) as server:
            _prepare(server, model)
            killing = threading.Timer(random.uniform(0.5, 5), server.kill)
            killing.start()
            _use(server, model, ledger, 10, may_die=True)
            killing.join()
        count += 1
    with _chat(home, log) as server:
        ledger.check(_transcripts(home))
        _clear(server, ledger)
    return count


def _say(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


def _chat(home: Path, log: IO[bytes]) -> Server:
    return Server("webchat", "serve", "--home", str(home), "--port", "0", "--backend", "openai", *OPTIONS, log=log)


def _prepare(server: Server, model: str) -> None:
    httpx.post(f"{server.url}/apps/settings/", data={"base_url": model}, timeout=PATIENCE)


def _use(server: Server, model: str, ledger: Ledger, seconds: float, *, may_die: bool = False) -> None:
    """Let all people use the server for that long."""
    until = time.monotonic() + seconds
    people = [Person(number, server.url, model, ledger, may_die=may_die) for number in range(PEOPLE)]
    acting = [threading.Thread(target=person.run, args=(until,)) for person in people]
    for thread in acting:
        thread.start()
    for thread in acting:
        thread.join()


def _clear(server: Server, ledger: Ledger) -> None:
    """Delete all sessions, and then permanently those in the trash."""
    with httpx.Client(base_url=server.url, timeout=PATIENCE) as client:
        sessions = [row["session_id"] for row in client.get("/api/sessions").json()["sessions"]]
        for session_id in sessions:
            client.post(f"/sessions/{session_id}/stop")
        client.post("/sessions/delete", data={"id": sessions})
        client.post("/sessions/purge", data={"all": "on", "show": "trash"})
    ledger.forget()


def _settled(server: Server, home: Path, first: Held) -> Held:
    """What the server holds, once it is no more than at `first` or everything has had time to end."""
    end, now = time.monotonic() + SETTLING, held_at_rest(server, home)
    while time.monotonic() < end and not (first and returned(first, now) == now.keys()):
        now = held_at_rest(server, home)
    return now


def _settle_replies(server: Server, home: Path) -> None:
    end = time.monotonic() + SETTLING
    while time.monotonic() < end and [*_transcripts(home).rglob("*.reply")]:
        time.sleep(0.5)


def _transcripts(home: Path) -> Path:
    return home / "server" / "web-chat-transcripts"


def _look_into(log: IO[bytes], ledger: Ledger) -> None:
    """Look for unforeseen errors in the log."""
    log.seek(0)
    lines = log.read().decode("utf-8", "replace").splitlines()
    for line in lines:
        if "unforeseen" in line:
            ledger.complain(f"in the log: {line[-80:]}")


if __name__ == "__main__":
    sys.exit(main())
