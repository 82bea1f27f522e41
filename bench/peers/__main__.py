"""`python -m bench.peers [NAME…]`: install each program, chat with it in Chromium, print a table."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import Error as PlaywrightError

from bench import browser, processes
from bench.figures import Wrong
from bench.peers.programs import PROGRAMS, Program, Start
from bench.peers.running import Running, free_port

TOKENS, DELAY, QUESTIONS, STARTS = 100, 0.02, 3, 5
INSTALLATION = 1_800
"""Seconds; a program that takes longer is left out, and the table says so."""
SETTLED = 3_000
"""Milliseconds without traffic after which a page counts as loaded."""
ROWS = {
    "installed": "installation, s",
    "size": "its size, MB",
    "start": "start to the first page's HTML, s",
    "ready": "start to a message field in Chromium, s",
    "bytes": "first page, KB",
    "requests": "its requests",
    "idle": "memory after the page, MiB",
    "text": "Enter to first text, ms",
    "cpu": "server's CPU for an answer of 100 tokens, s",
    "memory": "memory after 3 answers, MiB",
    "reload": "conversation after a reload",
    "mid": "answer when reloaded in the middle",
    "restart": "conversation after a restart",
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description="Compares the chat with others.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(program.name for program in PROGRAMS))
    parser.add_argument("--environments", type=Path, help="a folder whose environments are used, or made and kept")
    given = parser.parse_args()
    chosen = [program for program in PROGRAMS if not given.names or program.name in given.names]
    with TemporaryDirectory(prefix="webchat-peers-") as temporary:
        columns = {program.name: _measured(program, given.environments or Path(temporary)) for program in chosen}
    print(_table(columns))
    return 0


def _measured(program: Program, folder: Path) -> dict[str, str]:
    try:
        installed = _install(program, folder)
        with processes.home() as home, processes.fake_model(TOKENS, DELAY) as model, browser.chromium() as chromium:
            start = Start(folder / program.name / "bin", free_port(), model.url, home)
            found = installed | _used(program, start, chromium)
    except subprocess.SubprocessError as error:
        found = {"installed": f"failed: {error}"}
    except (Wrong, PlaywrightError) as error:  # what it shows has changed, or it does not start
        found = installed | {"start": f"failed: {str(error).splitlines()[0]}"}
    print(program.name, found, file=sys.stderr, flush=True)
    return found


def _install(program: Program, folder: Path) -> dict[str, str]:
    place = folder / program.name
    start = time.monotonic()
    if not (place / "bin" / "pip").exists():
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)  # noqa: S603
        pip = [str(place / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", program.package]
        subprocess.run(pip, check=True, timeout=INSTALLATION)  # noqa: S603
    size = sum(file.stat().st_size for file in place.rglob("*") if file.is_file() and not file.is_symlink())
    return {"installed": f"{time.monotonic() - start:.0f}", "size": f"{size / 1e6:.0f}"}


def _used(program: Program, start: Start, chromium: Any) -> dict[str, str]:  # noqa: ANN401
    found = {"start": f"{statistics.median(_start(program, start) for _ in range(STARTS)):.2f}"}
    page = chromium.new_context(bypass_csp=True).new_page()
    page.set_default_timeout(browser.PATIENCE)
    traffic = _Traffic(page)
    with Running(program, start) as server:
        page.goto(server.url)
        page.wait_for_selector(program.message)
        found["ready"] = f"{time.monotonic() - server.began:.2f}"
        traffic.settle()
        if program.greeting:
            page.locator(program.greeting).click()
        found |= {"bytes": f"{traffic.bytes / 1024:.0f}", "requests": str(traffic.count)}
        found["idle"] = f"{server.resident():.0f}"
        before = server.cpu()
        first = [_ask(page, program, number) for number in range(QUESTIONS)]
        found["text"] = f"{statistics.median(first):.0f}"
        found["cpu"] = f"{(server.cpu() - before) / QUESTIONS:.2f}"
        found["memory"] = f"{server.resident():.0f}"
        address = page.url
        found["reload"] = _kept(page, address, QUESTIONS)
        found["mid"] = _continued(page, program, address)
    with Running(program, start):
        return found | {"restart": _kept(page, address, QUESTIONS)}


def _start(program: Program, start: Start) -> float:
    """Seconds until the first page's HTML, in which some programs have no message field yet."""
    with Running(program, start) as server:
        return server.took


def _ask(page: Any, program: Program, number: int) -> float:  # noqa: ANN401
    """Milliseconds from Enter to the frame with the first text; returns when the answer is complete."""
    page.locator(program.message).first.fill(f"question {number}")
    page.evaluate(browser.WATCH, f"() => {_count(0)} > {number}")
    page.locator(program.message).first.press("Enter")
    took = float(page.evaluate("window.measured"))
    page.wait_for_function(f"() => {_count(TOKENS - 1)} > {number}", polling=250)
    page.wait_for_timeout(1_000)  # some accept no message for a moment
    return took


def _count(token: int) -> str:
    """In JavaScript: how often the page contains that token; Markdown drops the space after the last one."""
    return f"(document.body.textContent.split(/token{token}(?![0-9])/).length - 1)"


def _kept(page: Any, address: str, answers: int) -> str:  # noqa: ANN401
    page.goto(address)
    page.wait_for_timeout(2 * SETTLED)
    return "kept" if page.evaluate(_count(TOKENS - 1)) >= answers else "lost"


def _continued(page: Any, program: Program, address: str) -> str:  # noqa: ANN401
    """Whether an answer is complete in the end if the page was reloaded halfway through it."""
    page.locator(program.message).first.fill("one more")
    page.locator(program.message).first.press("Enter")
    page.wait_for_timeout(TOKENS * DELAY * 500)
    before = page.evaluate(_count(TOKENS - 1))
    page.goto(address)
    page.wait_for_timeout(TOKENS * DELAY * 1000 + 2 * SETTLED)
    return "goes on" if before and page.evaluate(_count(TOKENS - 1)) > before else "lost"


class _Traffic:
    """A page's requests, and the bytes that it receives."""

    def __init__(self, page: Any) -> None:  # noqa: ANN401
        self.count, self.bytes, self._page = 0, 0, page
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.requestWillBeSent", self._asked)
        session.on("Network.dataReceived", self._received)

    def settle(self) -> None:
        """Return when nothing has arrived for a while."""
        seen = -1
        while seen != self.bytes:
            seen = self.bytes
            self._page.wait_for_timeout(SETTLED)

    def _asked(self, event: dict[str, Any]) -> None:
        self.count += not event["request"]["url"].startswith(("data:", "blob:"))

    def _received(self, event: dict[str, Any]) -> None:
        self.bytes += event["encodedDataLength"]


def _table(columns: dict[str, dict[str, str]]) -> str:
    lines: list[Sequence[str]] = [["", *columns], ["---"] * (len(columns) + 1)]
    lines += [[what, *(column.get(key, "") for column in columns.values())] for key, what in ROWS.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
