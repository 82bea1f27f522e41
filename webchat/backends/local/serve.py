"""The embedded model's own process: serves one model file on loopback. Imports nothing of webchat.

Reads its parameters from standard input, a JSON object on one line: `path` of the model, `slots` (answers at once),
`context` (tokens for each), `threads`, `key`. Prints one JSON line when it is ready, `{"address": url}`, or
`{"error": text}`. Ends when standard input does, that is with its parent, however that one ended.
"""

import json
import os
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever the runtime prints is not an answer
    parameters = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _go_first_when_memory_runs_out()
    try:
        server = _serve(parameters)
    except Exception as error:
        print(json.dumps({"error": str(error)}), file=answers, flush=True)
        sys.exit(1)
    print(json.dumps({"address": server.listening_address}), file=answers, flush=True)
    threading.Event().wait()


def _serve(parameters: dict[str, Any]) -> Any:  # noqa: ANN401
    # Threads that wait for each other must sleep: where another program wants a core too, those that spin (what OpenMP
    # does unless told) take 50 times as long for an answer. Read when the runtime is loaded.
    os.environ.update(OMP_WAIT_POLICY="passive", GOMP_SPINCOUNT="0")
    import xllamacpp

    wanted = xllamacpp.CommonParams()
    wanted.model.path = parameters["path"]
    wanted.n_parallel = parameters["slots"]
    wanted.n_ctx = parameters["context"] * parameters["slots"]  # the total over all slots
    wanted.cpuparams.n_threads = wanted.cpuparams_batch.n_threads = parameters["threads"]
    # A stop while the prompt is read takes effect between two batches. With 128 tokens the 1.5B on 2 cores needs 2 s
    # for one, with 32 half a second, and reads as fast.
    wanted.n_batch = wanted.n_ubatch = 32
    wanted.cache_ram_mib = 256  # of prompts; by default 8 GB
    wanted.verbosity = -1
    wanted.ui = wanted.endpoint_slots = False
    wanted.hostnames, wanted.port = ["127.0.0.1"], 0
    wanted.api_keys = [parameters["key"]]  # without one any page in the browser could ask
    return xllamacpp.Server(wanted)


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


def _go_first_when_memory_runs_out() -> None:
    """Let Linux end this process and not the chat, whose conversations would break off."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("800")


if __name__ == "__main__":
    main()
