"""The embedded model's own process: serves one model file on loopback. Imports nothing of webchat.

Reads its parameters from standard input, a JSON object on one line: `path` of the model, `slots` (parallel answers),
`context` (tokens for each), `threads`, `key`. Prints one JSON line when it is ready, `{"address": url}`, or `{"error":
text}`. Ends when standard input is closed, and so when its parent ends in any way.
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
    os.dup2(2, 1)  # the runtime's own output must not get into ours
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
    # Waiting threads must sleep. If they spin, OpenMP's default, an answer takes 50 times as long when another program
    # uses a core. Read when the runtime is loaded.
    os.environ.update(OMP_WAIT_POLICY="passive", GOMP_SPINCOUNT="0")
    import xllamacpp

    wanted = xllamacpp.CommonParams()
    wanted.model.path = parameters["path"]
    wanted.n_parallel = parameters["slots"]
    wanted.n_ctx = parameters["context"] * parameters["slots"]  # the total over all slots
    wanted.cpuparams.n_threads = wanted.cpuparams_batch.n_threads = parameters["threads"]
    # While the prompt is read, a stop takes effect between two batches. A batch of 128 tokens takes the 1.5B model 2 s
    # on 2 cores, one of 32 tokens half a second, and the whole prompt is read as fast.
    wanted.n_batch = wanted.n_ubatch = 32
    wanted.cache_ram_mib = 256  # the cache of prompts; by default 8 GB
    wanted.verbosity = -1
    wanted.ui = wanted.endpoint_slots = False
    wanted.hostnames, wanted.port = ["127.0.0.1"], 0
    wanted.api_keys = [parameters["key"]]  # without a key, any page in the browser could use the model
    return xllamacpp.Server(wanted)


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


def _go_first_when_memory_runs_out() -> None:
    """If memory runs out, let Linux kill this process and not the chat, with which running answers would be lost."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("800")


if __name__ == "__main__":
    main()
