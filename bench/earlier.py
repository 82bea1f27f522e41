"""An earlier state of the chat, to compare with this one."""

from __future__ import annotations

import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.figures import Skipped
from bench.processes import ROOT

STATE = "33b3496"


@contextmanager
def sources() -> Iterator[Path]:
    """A folder with its sources. Raises Skipped if they are not available."""
    archived = subprocess.run(  # noqa: S603
        ["git", "archive", STATE],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if archived.returncode:
        raise Skipped(f"the state {STATE} is not in this checkout's history")
    with TemporaryDirectory(prefix="webchat-earlier-") as folder:
        with tarfile.open(fileobj=BytesIO(archived.stdout)) as archive:
            archive.extractall(folder, filter="data")
        yield Path(folder)
