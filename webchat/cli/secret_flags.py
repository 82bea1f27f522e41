"""Removes secrets from the command line, which everybody on the machine can read."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, MutableMapping

from webchat.config import SETTINGS

VARIABLE = "WEBCHAT_HANDED_ON"
"""The variable that passes the secrets on to the restarted program; only this user can read its environment."""
_SECRET = frozenset(setting.name for setting in SETTINGS if setting.metadata["secret"])


def handed_on(environ: MutableMapping[str, str]) -> dict[str, str]:
    """The secret flags of the original command line, by a setting's name; removes them from the environment."""
    try:
        brought = json.loads(environ.pop(VARIABLE, "{}"))
    except ValueError:
        return {}
    return {name: str(brought[name]) for name in _SECRET & brought.keys()} if isinstance(brought, dict) else {}


def hide(given: Mapping[str, str | None]) -> None:
    """If the command line has a secret, restart the program in the same process without it.

    `given` is what the flags of `serve` were set to, by a setting's name.
    """
    secrets = {name: value for name, value in given.items() if value and _is_secret(name, value)}
    arguments = sys.argv[1:]
    shown = [line for value in secrets.values() for line in value.splitlines()]
    is_shown = any(line in argument for line in shown for argument in arguments)
    if not is_shown or os.name != "posix" or sys.orig_argv[-len(arguments) :] != arguments:
        return
    program = sys.orig_argv[1 : -len(arguments)]
    flags = {setting.name: setting.metadata["flag"] for setting in SETTINGS}
    others = [f"{flags[name]}={value}" for name, value in given.items() if value is not None and name not in secrets]
    os.execve(  # noqa: S606
        sys.executable,
        [sys.executable, *program, "serve", *others],
        {**os.environ, VARIABLE: json.dumps(secrets)},
    )


def _is_secret(name: str, value: str) -> bool:
    # An address is one only with a login or a query in it; else it may well be seen.
    is_plain_address = name in ("base_url", "database") and "@" not in value and "?" not in value
    return name in _SECRET and not is_plain_address
