"""Validates what people write: messages, files and titles."""

from __future__ import annotations

import re

from webchat.chat.message import File
from webchat.chat.plain import normal_lines, one_line, without_surrogates
from webchat.errors import InvalidInput, TooLarge

DEFAULT_DESCRIPTION = "Web chat session"
"""The title of a session that has not been named."""
TEMPORARY_TITLE = "Temporary chat"
"""The title of a temporary session. It reveals nothing: browsers keep titles in their history."""
LARGEST_FILE, MOST_FILES, LONGEST_FILE_NAME = 1024 * 1024, 10, 120
"""Limits of attached files: bytes of one, how many, and characters of a name."""
TITLE_LENGTH = 80
"""The most characters of a first message that become the session's title."""


def checked_message(message: str, most: int = 0, *, has_files: bool = False) -> str:
    """The message with "\\n" as line ends. Raises InvalidInput if it cannot be sent, TooLarge above `most`
    characters (0: no limit). With files it may be blank, and is "" then.
    """
    if not message.strip():
        if has_files:
            return ""
        raise InvalidInput("Write a message first.")
    if 0 < most < len(message):
        raise TooLarge(f"This message is too long: {most:,} characters at most. Send the rest as a file.")
    if "\0" in message:
        raise InvalidInput("The message contains a NUL character, which cannot be sent.")
    return normal_lines(without_surrogates(message))


def file_name(name: str) -> str:
    """A file's name on one line, without its folders."""
    return one_line(re.split(r"[/\\]", name)[-1])[:LONGEST_FILE_NAME] or "file.txt"


def checked_file(name: str, content: str) -> File:
    """A text file to attach. Raises InvalidInput if it cannot be sent."""
    file = File(file_name(name), without_surrogates(content))
    if "\0" in content:
        raise InvalidInput(f"{file.name} is not a text file.")
    if file.size > LARGEST_FILE:
        raise InvalidInput(f"{file.name} is too large: 1 MiB at most.")
    return file


def title_of(message: str) -> str:
    """A session's title: the first line of its first message, cut to whole words and at most 80 characters."""
    line = next((line for line in message.splitlines() if line.strip()), "")
    return shortened(one_line(line), TITLE_LENGTH) or DEFAULT_DESCRIPTION


def shortened(line: str, most: int) -> str:
    """The line, cut to whole words and at most `most` characters."""
    if len(line) <= most:
        return line
    cut = line[:most].rsplit(" ", 1)[0] if " " in line[:most] else line[: most - 1]
    return cut[: most - 1].rstrip() + "…"


def checked_title(title: str, most: int) -> str:
    """A person's title, on one line. Raises InvalidInput if it is empty or has more than `most` characters (0: no
    limit).
    """
    line = one_line(title)
    if not line:
        raise InvalidInput("Write a title first.")
    if 0 < most < len(line):
        raise InvalidInput(f"This title is too long: {most} characters at most.")
    return line
