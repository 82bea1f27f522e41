"""Derives a memory's category and tags from its words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

_CATEGORIES = (
    ("preference", r"prefer\w*|favou?rites?|(?:dis)?likes?|loves?|enjoys?|hates?"),
    ("task", r"to-?do|tasks?|remind(?:er)?s?|deadlines?|needs? to|have to"),
    ("work", r"work(?:s|ing)?|jobs?|projects?|meetings?|clients?|colleagues?|boss|office"),
    ("personal", r"my name|i am|i['’]m|i live|i was born|birthday|anniversary|my (?:wife|husband|partner|family)"),
    ("fact", r"facts?|is|are|was|were|has|means|equals"),
)
_WORD = re.compile(r"([^\W_]+)(?:['’](?:s|t|m|d|re|ve|ll)\b)?")
_STOP_WORDS = frozenset(
    """
    about after all also am an and any are as at be because been before being but by can could did do does doing don
    for from had has have he her here him his how if in into is isn it its just me my no not of off on or our out over
    please remember she should so some than that the their them then there these they this those to too up us very was
    we were what when where which who why will with would you your
    """.split()
)
_MOST_TAGS, _LONGEST_TAG = 5, 30


def categorise(content: str) -> str:
    """The first category that has one of its words in the content.

    | category   | words                                                                  |
    |------------|------------------------------------------------------------------------|
    | preference | prefer…, favourite, favorite, like, dislike, love, enjoy, hate         |
    | task       | todo, task, remind, reminder, deadline, need to, have to               |
    | work       | work, job, project, meeting, client, colleague, boss, office           |
    | personal   | my name, I am, I'm, I live, I was born, birthday, anniversary, my wife |
    |            | (husband, partner, family)                                             |
    | fact       | fact, is, are, was, were, has, means, equals                           |
    | general    | none of these                                                          |
    """
    for category, words in _CATEGORIES:
        if re.search(rf"\b(?:{words})\b", content, re.IGNORECASE):
            return category
    return "general"


def tags_of(content: str) -> list[str]:
    """The first significant words, at most five, in lower case; ["memory"] where there is none.

    Significant are words of two characters or more (one, if it is not ASCII) that are not stop words.
    """
    words = (word for word in significant_words(content.lower()) if len(word) <= _LONGEST_TAG)
    return list(islice(words, _MOST_TAGS)) or ["memory"]


def significant_words(text: str) -> Iterator[str]:
    """The words that say what a text is about, each once."""
    seen: set[str] = set()
    for match in _WORD.finditer(text):
        word = match[1]
        if word in _STOP_WORDS or word in seen or (len(word) == 1 and word.isascii()):
            continue
        seen.add(word)
        yield word
