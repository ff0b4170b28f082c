"""Parts of a prompt with a certainty: whether what they say is in the image, and the marks that carry it in a text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Certainty = Literal["certain", "possible", "generated", "excluded"]
"""``certain``: the prompt wants it of the whole image. ``possible``: one of several, or for some steps or a part of the
image. ``generated``: made when the image was, such as a wildcard or the answer of a language model. ``excluded``: a
negative weight keeps it out of the image."""

# Private characters, which no prompt brings along: they are taken out of it first.
_OPEN: dict[Certainty, str] = {"possible": "\ue100", "generated": "\ue101", "excluded": "\ue102"}
_CLOSE = "\ue103"
_FROM_HERE: dict[Certainty, str] = {"certain": "\ue104", "possible": "\ue105"}
_MARKS = re.compile("[\ue100-\ue105]")
_BY_MARK: dict[str, Certainty] = {mark: name for name, mark in _OPEN.items()}
_SECTIONS: dict[str, Certainty] = {mark: name for name, mark in _FROM_HERE.items()}


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a prompt without markup, and how sure it is that the image shows it."""

    text: str
    certainty: Certainty = "certain"


def marked(text: str, certainty: Certainty) -> str:
    """Return a text between marks of its certainty; within another it keeps the outer one."""
    return f"{_OPEN[certainty]}{text}{_CLOSE}" if text.strip() else ""


def from_here(certainty: Literal["certain", "possible"]) -> str:
    """Return the mark of a section: what follows is of that certainty, up to the next such mark."""
    return _FROM_HERE[certainty]


def unmarked(text: str) -> str:
    """Return a text without marks, nor any other character that is private to one program."""
    return _MARKS.sub("", text)


def parts_of(text: str) -> tuple[Part, ...]:
    """Split a marked text into its parts; those of nothing but space are left out unless they are certain."""
    found: list[Part] = []
    for part in _stretches(text):
        if part.certainty == "certain":
            found.append(part)
        elif stripped := part.text.strip(" ,\n"):
            found.append(Part(stripped, part.certainty))
    return tuple(part for part in found if part.text)


def _stretches(text: str) -> Iterator[Part]:
    open_marks: list[Certainty] = []
    section: Certainty = "certain"
    at = 0
    for mark in _MARKS.finditer(text):
        yield Part(text[at : mark.start()], open_marks[0] if open_marks else section)
        at = mark.end()
        if mark[0] in _SECTIONS:
            section = _SECTIONS[mark[0]]
        elif mark[0] in _BY_MARK:
            open_marks.append(_BY_MARK[mark[0]])
        elif open_marks:
            open_marks.pop()
    yield Part(text[at:], open_marks[0] if open_marks else section)


# How uncertain parts of a graph are stored: a line each, to be read by people too


def lines_of(parts: Iterable[Part]) -> str:
    """Return parts as lines, ``possible: a red door``."""
    return "\n".join(dict.fromkeys(f"{part.certainty}: {' '.join(part.text.split())}" for part in parts))


def parts_of_lines(lines: str) -> tuple[Part, ...]:
    """Read what `lines_of` wrote."""
    by_name: dict[str, Certainty] = {name: name for name in get_args(Certainty)}
    read = (line.partition(": ") for line in lines.splitlines())
    return tuple(Part(text, by_name[name]) for name, _, text in read if name in by_name and text)
