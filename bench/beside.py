"""Compares long answers with an earlier state: both run in parallel, at one model server, and share the machine."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from bench import browser, earlier, processes
from bench.client import Visitor
from bench.crowd import visit
from bench.figures import Figure
from bench.long_answer import RATE, WHAT, WORDS
from bench.processes import Server

FIRST = "300 at 200"
"""A warm-up answer before the measured one: one-time work of a process is not part of an answer's cost."""
WIRE, SERVER, RENDERER = 0.4, 0.6, 0.5


def long_answers() -> list[Figure]:
    """The cost of prose with code and tables, a code block and a table, relative to the earlier state."""
    with ExitStack() as opened:
        sources = opened.enter_context(earlier.sources())
        model = opened.enter_context(processes.writing_model())
        options = ("--base-url", f"{model.url}/v1", "--model", "fake")
        servers = [
            opened.enter_context(
                processes.chat(opened.enter_context(processes.home()), *options, backend="openai", root=root)
            )
            for root in (sources, processes.ROOT)
        ]
        return [figure for shape in WHAT for figure in (*_sent(shape, servers), _shown(shape, servers))]


def _sent(shape: str, servers: Sequence[Server]) -> list[Figure]:
    """The bytes of the streams, and their cost for the servers."""
    with ThreadPoolExecutor() as both:
        (cpu_then, bytes_then), (cpu, sent) = both.map(lambda server: _cost(shape, server), servers)
    return [
        Figure(f"{WHAT[shape]}, as it is sent, to {earlier.STATE}", sent / bytes_then, "", WIRE, fixed=True),
        Figure(f"server's CPU for it ({cpu:.2f} to {cpu_then:.2f} s)", cpu / cpu_then, "", SERVER),
    ]


def _cost(shape: str, server: Server) -> tuple[float, int]:
    visitor = Visitor(server)
    visit(server, "essay", [visitor.new_session()], f"{shape} {FIRST}")
    session, before = visitor.new_session(), server.cpu()
    (found,) = visit(server, "essay", [session], f"{shape} {WORDS} at {RATE}")["visits"]
    return server.cpu() - before, found["bytes"]


def _shown(shape: str, servers: Sequence[Server]) -> Figure:
    """Chromium's cost of showing it."""
    with browser.several(len(servers)) as browsers:
        sessions = [Visitor(server).new_session() for server in servers]
        pages = [
            browser.open_page(one, f"{server.url}/sessions/{session}")
            for one, server, session in zip(browsers, servers, sessions, strict=True)
        ]
        for page in pages:
            browser.ask(page, f"{shape} {FIRST}")
        for page in pages:
            browser.wait_for_answers(page, 1)
        before = [browser.renderer_cpu(one) for one in browsers]
        for page in pages:
            browser.ask(page, f"{shape} {WORDS} at {RATE}")
        for page in pages:
            browser.wait_for_answers(page, 2)
        then, now = (browser.renderer_cpu(one) - used for one, used in zip(browsers, before, strict=True))
    return Figure(f"the renderer's CPU for it ({now:.2f} to {then:.2f} s)", now / then, "", RENDERER)
