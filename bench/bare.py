"""A page that does next to nothing, on the chat's own server: what Flask, waitress and the browser cost."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from flask import Flask, request

from webchat import server

MAX_STREAMS = 100
PAGE = """<!doctype html><title>bare</title><textarea id="messageInput"></textarea><p id="answer"></p><script>
messageInput.addEventListener("keydown", async (event) => {
  if (event.key !== "Enter") return;
  event.preventDefault();
  const response = await fetch("/say", {method: "POST", body: messageInput.value});
  answer.textContent = await response.text();
});
</script>"""


def create_app() -> Flask:
    app = Flask("bare", static_folder=None)
    app.get("/", endpoint="page")(lambda: PAGE)
    app.post("/say", endpoint="say")(lambda: f"Mock response to: {request.get_data(as_text=True)}")
    return app


def main() -> None:
    manager: Any = SimpleNamespace(answers_in_flight=0, close=lambda grace: None, keep_house=lambda: None)
    listening = server.listen("127.0.0.1", 0)
    print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    server.run(create_app(), manager, listening, max_streams=MAX_STREAMS, grace=0)


if __name__ == "__main__":
    main()
