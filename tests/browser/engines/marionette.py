"""Firefox's own remote protocol as a command executor for Selenium, so that no geckodriver is needed.

Marionette takes the WebDriver commands as length-prefixed JSON over TCP:
https://firefox-source-docs.mozilla.org/testing/marionette/Protocol.html
"""

from __future__ import annotations

import json
import socket
from typing import Any

COMMANDS = {
    "newSession": "WebDriver:NewSession",
    "quit": "WebDriver:DeleteSession",
    "get": "WebDriver:Navigate",
    "refresh": "WebDriver:Refresh",
    "goBack": "WebDriver:Back",
    "getCurrentUrl": "WebDriver:GetCurrentURL",
    "getTitle": "WebDriver:GetTitle",
    "setWindowRect": "WebDriver:SetWindowRect",
    "switchToFrame": "WebDriver:SwitchToFrame",
    "w3cExecuteScript": "WebDriver:ExecuteScript",
    "findElement": "WebDriver:FindElement",
    "findElements": "WebDriver:FindElements",
    "clickElement": "WebDriver:ElementClick",
    "clearElement": "WebDriver:ElementClear",
    "sendKeysToElement": "WebDriver:ElementSendKeys",
    "getElementText": "WebDriver:GetElementText",
    "actions": "WebDriver:PerformActions",
    "clearActionState": "WebDriver:ReleaseActions",
}


class Marionette:
    """What `selenium.webdriver.Remote` takes as its command executor: one connection to one Firefox."""

    def __init__(self, port: int, timeout: float) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout)
        self._stream = self._socket.makefile("rb")
        self._count = 0
        self._read()  # its greeting

    def execute(self, command: str, params: dict[str, Any]) -> dict[str, Any]:
        """Run one of Selenium's commands; the result has the form of its HTTP connection's."""
        self._count += 1
        message = json.dumps([0, self._count, COMMANDS[command], _parameters(command, params)]).encode()
        self._socket.sendall(b"%d:%s" % (len(message), message))
        _, _, error, result = self._read()
        if error:
            return {"status": 500, "value": json.dumps({"value": error})}
        return {"value": result if command == "newSession" or "value" not in result else result["value"]}

    def close(self) -> None:
        self._stream.close()
        self._socket.close()

    def _read(self) -> Any:
        length = b""
        while (byte := self._stream.read(1)) != b":":
            if not byte:
                raise ConnectionError("Firefox has closed its remote connection")
            length += byte
        return json.loads(self._stream.read(int(length)))


def _parameters(command: str, params: dict[str, Any]) -> dict[str, Any]:
    if command == "newSession":
        return params["capabilities"]["alwaysMatch"]
    if command == "switchToFrame" and params["id"]:
        return {"element": next(iter(params["id"].values()))}
    return params
