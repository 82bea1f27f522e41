"""The chat of Gradio's guide over a model server; runs in a virtual environment of its own, not in ours."""

import json
import sys
import urllib.request
from collections.abc import Iterator
from typing import Any

import gradio  # type: ignore[import-not-found,unused-ignore]

port, model = int(sys.argv[1]), sys.argv[2]


def answer(message: str, history: list[Any]) -> Iterator[str]:
    """The text so far, repeatedly, as Gradio expects it."""
    body = json.dumps({"model": "fake", "stream": True, "messages": [{"role": "user", "content": message}]})
    asked = urllib.request.Request(  # noqa: S310
        f"{model}/v1/chat/completions", body.encode(), {"Content-Type": "application/json"}
    )
    text = ""
    with urllib.request.urlopen(asked) as lines:  # noqa: S310
        for line in lines:
            if line.startswith(b"data: {"):
                text += json.loads(line[6:])["choices"][0]["delta"].get("content") or ""
                yield text


gradio.ChatInterface(answer).launch(server_name="127.0.0.1", server_port=port, quiet=True)
