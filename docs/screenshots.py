"""Takes the README's picture: a real server, a real browser, a prepared conversation."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Page, sync_playwright
from waitress.server import create_server

from webchat import ChatModelBackend, create_app

HERE = Path(__file__).parent
QUESTION = "How do I read a large CSV file in Python without loading it all?"
ANSWER = """Read it row by row: the `csv` module gives you an iterator, so only one row is in memory at a time.

```python
import csv
from collections import Counter

def count_by(path, column):
    with open(path, newline="", encoding="utf-8") as file:
        return Counter(row[column] for row in csv.DictReader(file))
```

A few things to know:

- **`newline=""`** lets the module handle line ends inside quoted fields.
- `DictReader` takes the names from the first row.
- For *analysis* of files that are larger than memory, look at DuckDB or Polars.
"""


class Prepared:
    """Answers with the prepared text."""

    label = "Qwen2.5-Coder 1.5B, on this machine"
    notice = None

    def stream(self, messages: object) -> Iterator[str]:
        yield ANSWER


def main() -> None:
    with TemporaryDirectory() as home:
        app = create_app({"AMPLIFIER_HOME": home}, backend=ChatModelBackend(Prepared()))
        server = create_server(app, host="127.0.0.1", port=0, threads=16)
        threading.Thread(target=server.run, daemon=True).start()
        address = f"http://127.0.0.1:{server.effective_port}/"
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=os.environ.get("CHROMIUM") or shutil.which("chromium"),
                args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-quic"],
            )
            for scheme in ("light", "dark"):
                page = browser.new_page(
                    viewport={"width": 900, "height": 820}, color_scheme=scheme, device_scale_factor=1.5
                )
                _converse(page, address)
                page.screenshot(path=HERE / f"chat-{scheme}.png")
            browser.close()


def _converse(page: Page, address: str) -> None:
    page.request.post(f"{address}api/end")
    page.goto(address)
    page.fill("#messageInput", QUESTION)
    page.keyboard.press("Enter")
    page.wait_for_selector('article[data-role="assistant"][data-status="complete"]')
    page.mouse.move(450, 300)
    page.wait_for_timeout(300)  # what appears below the pointer's message is there


main()
