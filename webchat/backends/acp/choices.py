"""The controls and commands of an agent's session. Knows no process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from webchat.backends.abilities import Controls, Select
from webchat.backends.acp.shapes import mapping, mappings, text
from webchat.chat.plain import one_line

MOST_SELECTS, MOST_OPTIONS, MOST_COMMANDS = 20, 500, 500
LONGEST_NAME, LONGEST_DESCRIPTION = 200, 500
MODE, MODEL = "mode", "model"
"""The ids of the two choices that agents without config options offer."""
Request = tuple[str, dict[str, Any]]


class Choices:
    """The agent's current choices: its config options if it has any, else its modes and models."""

    def __init__(self) -> None:
        self._options: tuple[Select, ...] = ()
        self._older: dict[str, Select] = {}
        self._commands: tuple[tuple[str, str], ...] = ()

    @property
    def controls(self) -> Controls:
        return Controls(self._selects, self._commands)

    @property
    def _selects(self) -> tuple[Select, ...]:
        return self._options or tuple(self._older.values())

    def opened(self, answer: Mapping[str, Any]) -> None:
        """Apply the response to a request that opened a session."""
        self._take_options(answer)
        modes, models = mapping(answer.get("modes")), mapping(answer.get("models"))
        found = (
            _select(MODE, "Mode", modes.get("currentModeId"), modes.get("availableModes"), "id"),
            _select(MODEL, "Model", models.get("currentModelId"), models.get("availableModels"), "modelId"),
        )
        self._older = {select.id: select for select in found if select}

    def update(self, update: Mapping[str, Any]) -> None:
        """Apply an update, if it is about controls or commands."""
        kind = update.get("sessionUpdate")
        if kind == "available_commands_update":
            self._commands = tuple(_commands(update.get("availableCommands")))
        elif kind == "current_mode_update":
            self._choose_older(MODE, text(update.get("currentModeId")))
        elif kind == "config_option_update":
            self._take_options(update)

    def is_offered(self, select_id: str, value: str) -> bool:
        select = self._select(select_id)
        return select is not None and any(value == offered for offered, _ in select.options)

    def is_chosen(self, select_id: str, value: str) -> bool:
        select = self._select(select_id)
        return select is not None and select.value == value

    def name_of(self, select_id: str) -> str:
        select = self._select(select_id)
        return select.name if select else select_id

    def request(self, select_id: str, value: str) -> Request:
        """The request that sets this choice: the method, and its parameters without the session id."""
        if self._options:
            return "session/set_config_option", {"configId": select_id, "value": value}
        if select_id == MODE:
            return "session/set_mode", {"modeId": value}
        return "session/set_model", {"modelId": value}

    def chosen(self, select_id: str, value: str, answer: object) -> None:
        """Apply the agent's response, which may contain all current options."""
        if not self._options:
            self._choose_older(select_id, value)
        elif not self._take_options(mapping(answer)):
            self._options = tuple(
                _with(select, value) if select.id == select_id else select for select in self._options
            )

    def _select(self, select_id: str) -> Select | None:
        return next((select for select in self._selects if select.id == select_id), None)

    def _choose_older(self, select_id: str, value: str) -> None:
        if value and select_id in self._older:
            self._older = {**self._older, select_id: _with(self._older[select_id], value)}

    def _take_options(self, answer: Mapping[str, Any]) -> bool:
        if not isinstance(answer.get("configOptions"), list):
            return False
        found = (_option(option) for option in mappings(answer["configOptions"], MOST_SELECTS))
        self._options = tuple(select for select in found if select)
        return True


def _with(select: Select, value: str) -> Select:
    return Select(select.id, select.name, value, select.options)


def _option(option: Mapping[str, Any]) -> Select | None:
    """A config option with a list of values, which may be grouped."""
    if option.get("type", "select") != "select":
        return None
    values = [
        value
        for entry in mappings(option.get("options"), MOST_OPTIONS)
        for value in (mappings(entry["options"], MOST_OPTIONS) if "options" in entry else [entry])
    ]
    return _select(text(option.get("id")), text(option.get("name")), option.get("currentValue"), values, "value")


def _select(select_id: str, name: str, value: object, offered: object, key: str) -> Select | None:
    options = tuple(_named(offered, key))
    if not select_id or not options:
        return None
    return Select(select_id, _short(name) or select_id, text(value), options)


def _named(offered: object, key: str) -> Iterator[tuple[str, str]]:
    for option in mappings(offered, MOST_OPTIONS):
        if value := text(option.get(key)):
            yield value, _short(text(option.get("name"))) or value


def _commands(offered: object) -> Iterator[tuple[str, str]]:
    for command in mappings(offered, MOST_COMMANDS):
        if name := _short(text(command.get("name"))):
            yield name, one_line(text(command.get("description"))[:LONGEST_DESCRIPTION])


def _short(name: str) -> str:
    return one_line(name[:LONGEST_NAME])
