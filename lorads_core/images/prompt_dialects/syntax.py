r"""The syntax of prompts: tables of rules, and the one parser of brackets that reads them; linear in the length.

A prompt is read in four steps: what is meant literally is protected (faces, escapes such as ``\(``), rules replace
markup, brackets are read from the inside outward, and what is left is split into parts by certainty.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

from .parts import Part, parts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Meaning = Callable[["Group"], str]
    """What a group in brackets means: its text, with marks where it is not certain."""

_DEPTH = 30  # of brackets; what is deeper is of nobody's making, and would take time by its square
# Where a sign that is meant waits while others are read as syntax.
_LITERAL = {ord(sign): chr(0xE000 + number) for number, sign in enumerate("()[]{}<>|:+-")}
_RESTORE = {ord(waiting): chr(sign) for sign, waiting in _LITERAL.items()}
_PRIVATE = re.compile("[\ue000-\ue1ff]")
# Faces that end in a bracket, as a part of their own, and tags that begin with a backslash.
_FACE = re.compile(
    r"(?<![^,\s(\[{])(?:>?[:;=][()]|\(o\)_\(o\)|<o>_<o>|<\|>_<\|>|\\(?:\|\||[A-Za-z])/|\|\|?_\|\|?|[><]_[><]|<3)"
    r"(?=\s*(?:[,\n)\]}:]|$))"
)
_ESCAPED = re.compile(r"\\([()\[\]{}<>|:])")
_SPECIAL = re.compile(r"[()\[\]{}<>|:\\#+\-]|__|AND|BREAK|ADD|embedding|\$|--|source|target|mutual")


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of a dialect's table: a pattern, and the text or function that replaces it."""

    what: str
    pattern: re.Pattern[str]
    becomes: str | Callable[[re.Match[str]], str]


@dataclass(frozen=True, slots=True)
class Syntax:
    """What of a prompt a program reads as syntax.

    ``rules`` run first, in their order; ``opening`` and ``closing`` are patterns of its brackets, whose first sign
    decides which of ``meanings`` reads a group; brackets without one are dropped. ``last`` runs on what is left.
    """

    rules: tuple[Rule, ...] = ()
    meanings: Mapping[str, Meaning] = field(default_factory=dict[str, "Meaning"])
    opening: str = r"[(\[{]"
    closing: str = r"[)\]}]"
    last: tuple[Rule, ...] = ()


@dataclass(slots=True)
class Group:
    """What is between two brackets while they are read: pieces of text, and which of them are separators.

    ``opened`` and ``closed`` are the brackets as they matched, ``before`` is what stands close in front.
    """

    opened: str
    pieces: list[str] = field(default_factory=list[str])
    marks: list[int] = field(default_factory=list[int])
    closed: str = ""
    before: str = ""

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(self.pieces)

    def has(self, mark: str) -> bool:
        """Say whether a separator stands in it, those of groups within not counted."""
        return any(self.pieces[at] == mark for at in self.marks)

    def split(self, mark: str) -> list[str]:
        """Return what is between separators of that kind."""
        bounds = [-1, *(at for at in self.marks if self.pieces[at] == mark), len(self.pieces)]
        return ["".join(self.pieces[start + 1 : end]) for start, end in pairwise(bounds)]

    def drop_weight(self) -> None:
        """Take out the weight that it ends with, as the bracket that it belongs to is gone."""
        if self.marks and self.pieces[self.marks[-1]] == ":" and _WEIGHT.fullmatch(self.text_behind):
            del self.pieces[self.marks.pop() :]

    @property
    def text_behind(self) -> str:
        """What stands behind the last separator."""
        return "".join(self.pieces[self.marks[-1] + 1 :])


_WEIGHT = re.compile(r"\s*[+-]?(?:\d+(?:\.\d*)?|\.\d+)\s*")
_PAIRS = {"(": ")", "[": "]", "{": "}", "$": "}", "<": ">"}


def parse(prompt: str, syntax: Syntax) -> tuple[Part, ...]:
    """Read a prompt by a syntax into its parts, whose markup is gone."""
    if not prompt.isascii():
        prompt = _PRIVATE.sub("", prompt)
    if not _SPECIAL.search(prompt):
        return (Part(prompt),) if prompt else ()
    text = _ESCAPED.sub(lambda match: literal(match[1]), _FACE.sub(lambda match: literal(match[0]), prompt))
    for rule in syntax.rules:
        text = rule.pattern.sub(rule.becomes, text)
    text = _read_groups(text, syntax)
    for rule in syntax.last:
        text = rule.pattern.sub(rule.becomes, text)
    return tuple(Part(part.text.translate(_RESTORE), part.certainty) for part in parts_of(text))


@cache
def _tokens(opening: str, closing: str) -> re.Pattern[str]:
    return re.compile(rf"(?P<open>{opening})|(?P<close>{closing})|(?P<mark>[|:])")


def literal(text: str) -> str:
    """Return a text whose signs are meant as they are."""
    return text.translate(_LITERAL)


def _read_groups(text: str, syntax: Syntax) -> str:
    stack = [Group("")]
    too_deep = 0
    at = 0
    for token in _tokens(syntax.opening, syntax.closing).finditer(text):
        group = stack[-1]
        group.pieces.append(text[at : token.start()])
        at = token.end()
        kind, sign = token.lastgroup, token[0]
        if kind == "mark":
            group.marks.append(len(group.pieces))
            group.pieces.append(sign)
        elif kind == "open":
            if len(stack) > _DEPTH:
                too_deep += 1
            else:
                stack.append(Group(sign, before=text[max(0, token.start() - 2) : token.start()].strip()))
        elif too_deep:
            too_deep -= 1
            group.drop_weight()
        else:
            _close(stack, sign, syntax)
    stack[-1].pieces.append(text[at:])
    while len(stack) > 1:
        _leave_open(stack)
    return stack[0].text


def _close(stack: list[Group], sign: str, syntax: Syntax) -> None:
    """End the group that a closing bracket belongs to; one of another kind, or of none, is dropped."""
    if _PAIRS.get(stack[-1].opened[:1]) != sign[0]:
        if sign[0] == ">":  # no bracket in most programs, and an arrow in texts
            stack[-1].pieces.append(sign)
        else:
            stack[-1].drop_weight()
        return
    group = stack.pop()
    group.closed = sign
    meaning = syntax.meanings.get(group.opened[0])
    stack[-1].pieces.append(meaning(group) if meaning else group.text)


def _leave_open(stack: list[Group]) -> None:
    """Put what follows a bracket that was never closed where it stood."""
    group = stack.pop()
    group.drop_weight()
    outer = stack[-1]
    outer.marks += [len(outer.pieces) + at for at in group.marks]
    outer.pieces += group.pieces
