"""A baseline: a page that only streams a model's answer: the cost of Flask, waitress, browser and model."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from types import SimpleNamespace
from typing import Any

from flask import Flask, Response, request

from webchat.serving import server

MAX_STREAMS = 100
PAGE = """<!doctype html><title>bare</title><textarea id="messageInput"></textarea><p id="answer"></p><script>
messageInput.addEventListener("keydown", async (event) => {
  if (event.key !== "Enter") return;
  event.preventDefault();
  const response = await fetch("/say", {method: "POST", body: messageInput.value});
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    answer.textContent = text += part.value;
  }
  answer.dataset.status = "complete";
});
</script>"""


def create_app(model_port: int) -> Flask:
    app = Flask("bare", static_folder=None)
    app.get("/", endpoint="page")(lambda: PAGE)
    app.post("/say", endpoint="say")(lambda: Response(_said(model_port, request.get_data(as_text=True))))
    return app


def _said(port: int, message: str) -> Iterator[str]:
    question = {"model": "fake", "messages": [{"role": "user", "content": message}], "stream": True}
    headers = {"Content-Type": "application/json"}
    with closing(HTTPConnection("127.0.0.1", port)) as connection:
        connection.request("POST", "/v1/chat/completions", json.dumps(question), headers)
        for line in connection.getresponse():
            data = line.removeprefix(b"data: ").strip()
            if data and data != b"[DONE]" and (text := json.loads(data)["choices"][0]["delta"].get("content")):
                yield text


def main() -> None:
    idle = {"answers_in_flight": 0, "close": lambda grace: None, "end_grace": lambda: False, "keep_house": lambda: None}
    manager: Any = SimpleNamespace(**idle)
    listening = server.listen("127.0.0.1", 0)
    print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    server.run(create_app(int(sys.argv[1])), manager, listening, max_streams=MAX_STREAMS, grace=0)


if __name__ == "__main__":
    main()
