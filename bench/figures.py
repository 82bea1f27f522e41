"""The figures of measurements, and their table. Knows nothing about how they were measured."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


class Skipped(Exception):
    """Raised by a measurement that lacks something it needs; the text says what."""


class Wrong(Exception):
    """Raised if a server sent something wrong: the time of that would be worthless."""


@dataclass(frozen=True)
class Figure:
    """One line of the table. `fixed` figures do not depend on the machine: bytes, requests, ratios.

    `value` is compared with `budget`, which is the maximum, or with `at_least` the minimum; None: no budget, for
    information only. `median` and `p95` are shown where the figure is one of many values.
    """

    what: str
    value: float
    unit: str
    budget: float | None = None
    at_least: bool = False
    fixed: bool = False
    median: float | None = None
    p95: float | None = None

    @property
    def verdict(self) -> str:
        if self.budget is None:
            return ""
        kept = self.value >= self.budget if self.at_least else self.value <= self.budget
        return "ok" if kept else "MISS"


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def of_times(what: str, values: Sequence[float], budget: float | None, *, judged: str, unit: str = "ms") -> Figure:
    """A figure of many values, whose "median" or "p95" is compared with the budget."""
    median, p95 = statistics.median(values), quantile(values, 0.95)
    return Figure(what, median if judged == "median" else p95, unit, budget, median=median, p95=p95)


def table(rows: Iterable[tuple[str, Figure | str]]) -> str:
    """The figures as text. A row has the measurement's name, and a figure or why there is none."""
    lines: list[tuple[str, ...]] = [("", "measurement", "figure", "median", "p95", "budget", "")]
    for name, row in rows:
        if isinstance(row, str):
            lines.append((name, row, "", "", "", "", "skipped"))
        else:
            lines.append((name, *_cells(row)))
    # The reason for skipping a measurement spans the empty columns.
    widths = [max(len(line[column]) for line in lines if line[-1] != "skipped") for column in range(7)]
    widths[0] = max(len(line[0]) for line in lines)
    return "\n".join(_line(line, widths) for line in lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    texts = [cell.ljust(width) for cell, width in zip(cells[:2], widths[:2], strict=True)]
    numbers = [cell.rjust(width) for cell, width in zip(cells[2:6], widths[2:6], strict=True)]
    return "  ".join([*texts, *numbers, cells[6]]).rstrip()


def _cells(figure: Figure) -> tuple[str, ...]:
    sign = "≥" if figure.at_least else "≤"
    budget = "" if figure.budget is None else f"{sign} {_number(figure.budget)}"
    many = [_number(value) if value is not None else "" for value in (figure.median, figure.p95)]
    mark = " *" if figure.fixed else ""
    return figure.what + mark, f"{_number(figure.value)} {figure.unit}".rstrip(), *many, budget, figure.verdict


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
