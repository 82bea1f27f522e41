"""Prints Markdown and lines by rich, with control characters made visible. Knows no chat."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, RenderableType
from rich.markdown import Markdown
from rich.segment import Segment
from rich.text import Text

from webchat.terminal.dialect import dialect
from webchat.terminal.safe import safe

_PARSER = dialect()


class Screen:
    """Prints to the current standard output; colours follow the terminal, TERM and NO_COLOR."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, markup=False, emoji=False)

    @property
    def width(self) -> int:
        return self._console.width

    @property
    def height(self) -> int:
        return self._console.height

    def markdown(self, text: str) -> None:
        """Print finished blocks of Markdown."""
        # Links show their addresses: otherwise nobody could see where they lead.
        self._console.print(_Safe(_Answer(safe(text), hyperlinks=False)))

    def line(self, text: str = "", style: str = "") -> None:
        """Print text as it is, in one style."""
        self._console.print(_Safe(Text(safe(text), style=style)))

    def wrapped(self, text: str) -> list[str]:
        """The lines into which a text wraps."""
        lines = Text(safe(text)).wrap(self._console, max(1, self.width - 1))
        return [line.plain for line in lines]


class _Answer(Markdown):
    """Rich's Markdown in the dialect of answers."""

    inlines = Markdown.inlines | {"kbd", "sub", "sup"}

    def __init__(self, markup: str, *, hyperlinks: bool) -> None:
        super().__init__("", hyperlinks=hyperlinks)
        self.markup, self.parsed = markup, _PARSER.parse(markup)


class _Safe:
    """Rich's output without control characters, some of which Markdown can express as entities."""

    def __init__(self, shown: RenderableType) -> None:
        self._shown = shown

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for segment in console.render(self._shown, options):
            if not segment.control:
                yield Segment(safe(segment.text), segment.style)
