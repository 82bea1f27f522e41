"""An import of 200 MB at the command line: its memory above that of an empty one, and its time beside json.load's."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from bench import processes
from bench.figures import Figure, Wrong
from bench.texts import essay

BYTES = 200 * 1024 * 1024
MESSAGES = 40
TEXTS = [" ".join(essay(30)), " ".join(essay(400))]


def memory_and_time() -> list[Figure]:
    with processes.home() as home:
        file = home / "conversations.json"
        count = _write(file)
        empty = home / "empty.json"
        empty.write_text("[]")
        command = ["-m", "webchat", "import", "--home", str(home / "chat")]
        idle, _ = _run(*command, str(empty))
        peak, took = _run(*command, str(file))
        _, plain = _run("-c", "import json, sys; json.load(open(sys.argv[1]))", str(file))
        if (found := len(list(home.rglob("*.jsonl")))) < count:
            raise Wrong(f"of {count} conversations {found} were imported")
    return [
        Figure("memory of an import of 200 MB, above idle", peak - idle, "MiB", 60, fixed=True),
        Figure("its CPU", took, "s"),
        Figure("its CPU beside that of json.load", took / plain, "×"),
    ]


def _write(file: Path) -> int:
    """Write an export in ChatGPT's format; returns the number of its conversations."""
    count = 0
    with file.open("w") as out:
        out.write("[")
        while out.tell() < BYTES:
            out.write((", " if count else "") + json.dumps(_conversation(count)))
            count += 1
        out.write("]")
    return count


def _conversation(number: int) -> dict[str, object]:
    nodes = {f"{number}-{index}": _node(number, index) for index in range(MESSAGES)}
    return {"conversation_id": f"c{number}", "title": f"Conversation {number}", "mapping": nodes}


def _node(number: int, index: int) -> dict[str, object]:
    content = {"content_type": "text", "parts": [TEXTS[index % 2]]}
    message = {"author": {"role": ("user", "assistant")[index % 2], "metadata": {}}, "content": content}
    message |= {"create_time": 1_700_000_000.25 + index, "metadata": {"model_slug": "m"}, "recipient": "all"}
    return {"message": message, "parent": f"{number}-{index - 1}" if index else None}


def _run(*arguments: str) -> tuple[float, float]:
    """A program's peak memory in MiB, and the seconds of processor time that it used."""
    null = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    child = os.posix_spawn(sys.executable, [sys.executable, *arguments], os.environ, file_actions=null)
    _, status, usage = os.wait4(child, 0)
    if status:
        raise Wrong("an import failed")
    return usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime
