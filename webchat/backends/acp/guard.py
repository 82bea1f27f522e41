"""Runs an agent, and ends it and its children when the chat is gone. Run as a script; imports nothing of webchat.

Arguments: the descriptor of a pipe that the chat holds open as long as it lives, and the agent's command.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress

LAST_WORDS, GRACE = 1.0, 2.0
"""Seconds that the agent has to exit: after its input was closed, and after SIGTERM, before it is killed."""
NOT_STARTED = 127


def main() -> int:
    lifeline, command = int(sys.argv[1]), sys.argv[2:]
    try:
        agent = subprocess.Popen(command, start_new_session=True)  # noqa: S603
    except OSError as error:
        print(f"{type(error).__name__}: {error.strerror}", file=sys.stderr)
        return NOT_STARTED
    _let_go_of_the_pipes()
    threading.Thread(target=_end_with, args=(lifeline, agent), daemon=True).start()
    status = agent.wait()
    _signal(agent.pid, signal.SIGKILL)
    return status if status >= 0 else 128 - status


def _let_go_of_the_pipes() -> None:
    """Close our copies of standard input and output, so that the chat and the agent see when the other is gone."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)


def _end_with(lifeline: int, agent: subprocess.Popen[bytes]) -> None:
    while os.read(lifeline, 1):
        pass
    for seconds, number in ((LAST_WORDS, signal.SIGTERM), (GRACE, signal.SIGKILL)):
        with suppress(subprocess.TimeoutExpired):
            agent.wait(seconds)
        _signal(agent.pid, number)


def _signal(group: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


if __name__ == "__main__":
    sys.exit(main())
