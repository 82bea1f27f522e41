"""Reads the text of a PDF in a process of its own: a hostile file can only crash that process."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path

from webchat.attachments.broken import Broken

PROGRAM = (sys.executable, "-P", str(Path(__file__).with_name("pdf_text.py")))
PATIENCE = 30.0
"""Seconds until the process is killed; it also limits its own CPU time."""
AT_ONCE = threading.BoundedSemaphore(2)
NOT_INSTALLED = "is a PDF, and reading its text needs one more package on the server: pip install 'webchat[pdf]'"
TOO_MANY = "is a PDF, and the server is reading others. Send it again in a moment"
TOO_MUCH = "is a PDF that takes too much time or memory to read. Send its text, or pictures of its pages"
WHYS = {
    "locked": "is a PDF that is locked with a password. Send it without",
    "damaged": "is a PDF that cannot be read: it is damaged",
    "no text": "is a PDF without text, perhaps a scan. Send pictures of its pages",
}


def is_pdf(data: bytes) -> bool:
    """Whether this is a PDF, by its beginning."""
    return data[:1024].lstrip().startswith(b"%PDF-")


def pdf_text(data: bytes, patience: float = PATIENCE) -> str:
    """The text with page numbers.

    Raises Broken, also if other files are being read for more than `patience` seconds.
    """
    if find_spec("pypdf") is None:
        raise Broken(NOT_INSTALLED)
    if not AT_ONCE.acquire(timeout=patience):
        raise Broken(TOO_MANY)
    try:
        run = subprocess.run(  # noqa: S603
            PROGRAM, input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=PATIENCE, check=True
        )
        found = json.loads(run.stdout)
    except (subprocess.SubprocessError, OSError, ValueError) as error:
        raise Broken(TOO_MUCH) from error
    finally:
        AT_ONCE.release()
    if "text" not in found:
        raise Broken(WHYS[found["why"]])
    return str(found["text"])
