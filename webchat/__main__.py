"""Starts the program, as `webchat` or `python -m webchat`. Knows nothing of it until then."""

from __future__ import annotations

import atexit
import gc
import signal

FEW_COLLECTIONS = 200_000
"""New objects before Python looks for garbage: more than a start makes, because there is none in it."""


def main() -> None:
    """Run the command line. Until its modules are loaded, Ctrl+C ends it without a word."""
    gc.set_threshold(FEW_COLLECTIONS)
    atexit.register(gc.freeze)  # else Python looks through all modules once more at the end
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # not if it is ignored, as in the background of a script
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from webchat.cli import main as run

    signal.signal(signal.SIGINT, before)
    run()


if __name__ == "__main__":
    main()
