"""The embedded model's process: starts it, reads its address, ends it. Knows no session."""

from __future__ import annotations

import json
import logging
import secrets
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from webchat import threads
from webchat.backends import HistoryItem
from webchat.backends.openai import OpenAIModel
from webchat.errors import BackendUnavailable, NoThreads

log = logging.getLogger(__name__)

PROGRAM = (sys.executable, "-P", str(Path(__file__).with_name("serve.py")))
TAIL = 40  # lines of what it prints, for the log
LINE = 2000  # characters of each
DYING = 1.0  # seconds that a crashed process may take to exit
NEVER_LOADED = (
    "The model could not be loaded: its file is damaged, or there is too little memory. "
    "Send the message again, or choose another model in the settings."
)
NO_MEMORY = (
    "The model could not be loaded: the system killed it, most likely for lack of memory. "
    "Close other programs and send the message again, or choose a smaller model in the settings."
)
STOPPED = "The embedded model has stopped, most likely for lack of memory. Send the message again to restart it."
ENDED = "The model was unloaded before it was ready. Send the message again."
UNCOUNTED = "The embedded model sent an invalid response. Send the message again."


class Child:
    """A running model: started by the constructor, ready for requests when `wait_ready` has returned.

    `slots` is how many answers may run in parallel, `context` the tokens of each; `read_timeout` is in seconds;
    `program` is the script to run. Raises NoThreads, OSError.
    """

    def __init__(
        self,
        path: Path,
        *,
        slots: int,
        context: int,
        threads: int,
        read_timeout: float,
        temperature: float,
        program: Sequence[str] = PROGRAM,
    ) -> None:
        self._key = secrets.token_urlsafe(24)
        self._read_timeout = read_timeout
        self._temperature = temperature
        self._address = ""
        self._is_unwanted = False
        self.context = context
        self._process = subprocess.Popen(  # noqa: S603
            program,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C in the terminal is for the chat, which then ends this process
        )
        self._printed: deque[str] = deque(maxlen=TAIL)
        self._listener = self._listening()
        # Sent by standard input: other processes can read arguments and environment.
        self._tell({"path": str(path), "slots": slots, "context": context, "threads": threads, "key": self._key})

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_ready(self) -> None:
        """Return when the model is loaded. Raises BackendUnavailable after the process has ended.

        It does that, without a log entry, also if `end` was called meanwhile.
        """
        assert self._process.stdout  # noqa: S101
        try:
            with self._process.stdout as answers:  # the process says nothing more
                said = json.loads(answers.readline() or "{}")
            self._address = said.get("address", "")
            if self._address:
                self.context = min(self.context, self._slot_context())
                return
        except (OSError, ValueError, HTTPException) as error:
            said = {"error": repr(error)}
        if self._is_unwanted:
            raise BackendUnavailable(ENDED)
        was_killed = self.has_ended(DYING) and self._process.returncode == -signal.SIGKILL
        self.end()
        why = said.get("error", "its process said nothing")
        log.error("the model was not loaded: %s (exit %s)%s", why, self._process.returncode, self._last_words())
        raise BackendUnavailable(NO_MEMORY if was_killed else NEVER_LOADED)

    def has_ended(self, within: float = 0.0) -> bool:
        """Whether the process has ended, or does so within so many seconds."""
        with suppress(subprocess.TimeoutExpired):
            status = self._process.wait(within)
            log.warning("the model's process has ended with %s%s", status, self._last_words())
            return True
        return False

    def _last_words(self) -> str:
        """The last output of the ended process, on lines of their own."""
        self._listener.join(DYING)  # the reader may not have finished yet
        printed = "".join(self._printed).strip()
        return f"\n{printed}" if printed else ""

    def end(self) -> None:
        """End the process; kills it if it does not end by itself."""
        self._is_unwanted = True
        assert self._process.stdin  # noqa: S101
        with suppress(OSError):
            self._process.stdin.close()
        self._process.terminate()
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def model(self, max_tokens: int) -> OpenAIModel:
        """The model, as a server whose answers have at most `max_tokens`."""
        return OpenAIModel(
            f"{self._address}/v1",
            "embedded",
            self._key,
            read_timeout=self._read_timeout,
            label="The embedded model",
            context=self.context,
            extra_body={"max_tokens": max_tokens, "return_progress": True, "temperature": self._temperature},
        )

    def count(self, messages: Sequence[HistoryItem]) -> int:
        """The number of tokens in the prompt for these messages. Raises BackendUnavailable.

        Takes 20 ms for 4,000 tokens, also while answers are being generated.
        """
        try:
            return int(self._ask("POST", "/v1/chat/completions/input_tokens", {"messages": messages})["input_tokens"])
        except (OSError, HTTPException, KeyError, ValueError) as error:
            raise BackendUnavailable(UNCOUNTED) from error

    def _slot_context(self) -> int:
        """The model's own context may be smaller than the requested one."""
        return int(self._ask("GET", "/props")["default_generation_settings"]["n_ctx"])

    def _ask(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401
        parts = urlsplit(self._address)
        connection = HTTPConnection(str(parts.hostname), parts.port, timeout=self._read_timeout)
        try:
            headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def _tell(self, parameters: dict[str, object]) -> None:
        assert self._process.stdin  # noqa: S101
        with suppress(OSError):  # it has ended already; wait_ready says so
            self._process.stdin.write(json.dumps(parameters) + "\n")
            self._process.stdin.flush()

    def _listening(self) -> threading.Thread:
        """The thread that reads what the process prints. Raises NoThreads; the process has ended then."""
        answers, printed = self._process.stdout, self._process.stderr
        assert answers and printed  # noqa: S101, PT018
        try:
            return threads.start(self._listen, "output of the embedded model", printed)
        except NoThreads:
            self.end()
            answers.close()
            printed.close()
            raise

    def _listen(self, printed: IO[str]) -> None:
        with printed:
            while line := printed.readline(LINE):
                self._printed.append(line)
