"""Prompts as captions: what only a generator understands goes, the words stay; linear in the prompt's length."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from ..images.prompts import parts_of_lines, prompt_parts
from ..tags import canonical, is_score, is_tag_list, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..images.prompts import Part

# Every pattern is a fixed start, a class without its own end, and that end: no text makes them backtrack far.
_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)"
_LORA = re.compile(r"<[a-z]+:[^<>]*>", re.IGNORECASE)
_OPEN_LORA = re.compile(r"<(?:lora|lyco|hypernet):[^<>,\n]*", re.IGNORECASE)
_EMBEDDING = re.compile(r"\bembedding:[^\s,()\[\]{}]+", re.IGNORECASE)
_WILDCARD = re.compile(r"__[\w/*-]{1,100}?__")
_KEYWORD = re.compile(r"\b(?:BREAK|ADDCOMM|ADDBASE|ADDCOL|ADDROW)\b")
# A1111, modules/prompt_parser.py: `[from:to:when]`; NovelAI 4: `1.2::text::`.
_SCHEDULE = re.compile(rf"\[([^\[\]():|]*):([^\[\]():|]*):\s*{_NUMBER}\s*\]")
_WEIGHT_BEFORE = re.compile(rf"(?<![\d.]){_NUMBER}::|::")
# Faces that end in a bracket, as a part of their own.
_FACE = re.compile(r"(?<![^,\s])(?:>?[:;=][()]|\(o\)_\(o\))(?=\s*(?:[,\n)]|$))")
_LITERAL = re.compile(r"\\([()\[\]{}])")
_BETWEEN = re.compile(r"[,\n]")
_STRAY = " :|+*/\\"
_BACKSLASHED = frozenset({"\\||/", "/\\/\\/\\"})  # tags of nothing but signs
# Where a bracket that is meant waits while weighting ones are removed: private characters that no prompt brings along.
_KEEP = {ord(bracket): chr(0xE000 + n) for n, bracket in enumerate("()[]{}")}
_RESTORE = {ord(kept): chr(bracket) for bracket, kept in _KEEP.items()}
_PRIVATE = dict.fromkeys(_RESTORE)


def clean_prompt(prompt: str, source: str = "") -> str:
    """Return the words of a positive prompt as one line: no LoRA or embedding, weight, keyword or quality score.

    Words that are not certain to be in the image are left out, see `uncertain_parts`. A prompt that is a list of tags
    gets our spelling of them; of tags that it has twice the first stays. ``source`` names its dialect.
    """
    return clean_parts(prompt_parts(prompt, source))


def clean_parts(found: Iterable[Part]) -> str:
    """Return the caption that the parts of a prompt make, as `clean_prompt` does."""
    text = "".join(part.text for part in found if part.certainty == "certain")
    parts = [part for part in map(one_line, _split(text)) if part.strip(_STRAY) or part in _BACKSLASHED]
    as_tags = is_tag_list(", ".join(parts))
    kept: dict[str, str] = {}
    for part in parts:
        tag = canonical(part)
        if is_score(tag):
            continue
        is_tag = tag and (as_tags or ("_" in part and " " not in part))
        kept.setdefault(tag or part, tag if is_tag else part)
    return ", ".join(kept.values())


def uncertain_parts(prompt: str, source: str = "", stored: str = "") -> tuple[Part, ...]:
    """Return what a prompt says that may not be in the image, and that `clean_prompt` leaves out.

    ``stored`` are the lines of an index on what a graph may have used besides (`ImageRecord.prompt_uncertain`).
    """
    found = (part for part in prompt_parts(prompt, source) if part.certainty != "certain")
    return (*found, *parts_of_lines(stored))


def _split(text: str) -> list[str]:
    """Return the parts between commas, and between the bars of alternatives, but not of faces."""
    parts: list[str] = []
    for part in _BETWEEN.split(text):
        parts += part.split("|") if "|" in part and not _is_face(part) else [part]
    return parts


def _is_face(part: str) -> bool:
    return not any(character.isalnum() for character in part.replace("o", ""))


# What is left of a prompt in a caption


def without_leftovers(text: str) -> str:
    r"""Return a caption without what only a generator understands, and all else as it is.

    LoRAs, embeddings, wildcards and ``BREAK`` go, brackets and numbers that are weights, and backslashes before
    brackets. Brackets are weights when they hold a number behind a colon, are doubled, or stand around whole parts
    between commas; those of ``ganyu (genshin impact)`` stay.
    """
    for _ in range(_ROUNDS):
        cleaned = _with_less_left(text)
        if cleaned == text:
            break
        text = cleaned
    return text


def _with_less_left(text: str) -> str:
    if not _LEFT.search(text):
        return text
    changed = text
    for pattern in (_LORA, _OPEN_LORA, _EMBEDDING, _WILDCARD, _KEYWORD, _TAG):
        changed = pattern.sub(", ", changed)
    changed = _STRONGER.sub("", _COUNT.sub("", changed))
    changed = _LITERAL.sub(lambda match: match[1].translate(_KEEP), _protect_faces(changed))
    changed = _SCHEDULE.sub(lambda match: match[2] if match[2].strip() else match[1], changed)
    if _NUMBERED.search(changed):
        changed = _WEIGHT_BEFORE.sub("", changed)
    changed = _without_weighting(changed).translate(_RESTORE)
    return text if changed == text else _tidy(changed)


def is_unbalanced(text: str) -> bool:
    """Tell whether a bracket lacks its other half; faces such as ``:)`` are whole."""
    return bool(_BRACKET.search(text)) and any(_unmatched(_protect_faces(text)))


def balanced(text: str) -> str:
    """Return text with its brackets in pairs: what was opened within a part between commas ends with it."""
    for _ in range(_ROUNDS):  # a bracket that goes can leave a face behind
        if not is_unbalanced(text):
            break
        text = _balanced(text)
    return text


def _balanced(text: str) -> str:
    kept = _protect_faces(text)
    opened, closed = _unmatched(kept)
    ends: dict[int, str] = {}
    for at in opened:
        if _starts_part(kept, at):
            closed.append(at)  # of a weight that was cut off
            continue
        comma = kept.find(",", at)
        end = comma if comma >= 0 else len(kept)
        ends[end] = _CLOSING[kept[at]] + ends.get(end, "")
    dropped = set(closed)
    letters = (ends.get(at, "") + ("" if at in dropped else letter) for at, letter in enumerate(kept))
    return _tidy(("".join(letters) + ends.get(len(kept), "")).translate(_RESTORE))


_BRACKET = re.compile(r"[()\[\]{}]")
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_LEFT = re.compile(r"[()\[\]{}<]|::|__|BREAK|ADD|\$\$|\+\+|(?i:embedding):")
# SwarmUI's tags; how many of several Dynamic Prompts draws; InvokeAI's weights, but for the language C++.
_TAG = re.compile(
    r"<(?:break|base|refiner|segment|region|object|trigger|(?:fromto|random|repeat|setvar|param)\b)[^<>]*>"
)
_COUNT = re.compile(r"\b\d+(?:-\d+)?\$\$(?:[^$,]{1,10}\$\$)?")
_STRONGER = re.compile(r"(?<=[\w)])(?<!\b[cC])\+{2,}(?=\s*(?:,|$))")
_NUMBERED = re.compile(rf"(?<![\d.\w]){_NUMBER}::")
_WEIGHT_AT_END = re.compile(rf":\s*{_NUMBER}\s*$")
_LONGEST_WEIGHT = 24
_ROUNDS = 4  # what is taken out can bring more of its kind together
_NEAR = 4  # spaces around a part


def _protect_faces(text: str) -> str:
    return _FACE.sub(lambda match: match[0].translate(_KEEP), text.translate(_PRIVATE))


def _pairs(text: str) -> tuple[dict[int, int], list[int]]:
    """Return where each bracket that closes another was opened, and the opening brackets that wait for theirs."""
    pairs: dict[int, int] = {}
    waiting: list[int] = []
    for match in _BRACKET.finditer(text):
        at = match.start()
        if match[0] in _CLOSING:
            waiting.append(at)
        elif waiting and _CLOSING[text[waiting[-1]]] == match[0]:
            pairs[at] = waiting.pop()
    return pairs, waiting


def _unmatched(text: str) -> tuple[list[int], list[int]]:
    pairs, waiting = _pairs(text)
    closed = [match.start() for match in _BRACKET.finditer(text) if match[0] in ")]}" and match.start() not in pairs]
    return waiting, closed


def _without_weighting(text: str) -> str:
    pairs, _ = _pairs(text)
    dropped = set[int]()
    for end, start in pairs.items():
        weight = _WEIGHT_AT_END.search(text[max(start + 1, end - _LONGEST_WEIGHT) : end])
        doubled = pairs.get(end - 1) == start + 1
        if weight:
            dropped.update(range(end - len(weight[0]), end))
        if weight or doubled or (_starts_part(text, start) and _ends_part(text, end)):
            dropped.update((start, end) if not doubled else (start, start + 1, end - 1, end))
    return _without_letters(text, dropped)


def _without_letters(text: str, dropped: set[int]) -> str:
    bounds = [-1, *sorted(dropped), len(text)]
    return "".join(text[start + 1 : end] for start, end in pairwise(bounds))


def _starts_part(text: str, at: int) -> bool:
    return text[max(0, at - _NEAR) : at].rstrip()[-1:] in {"", ",", "(", "[", "{"}


def _ends_part(text: str, at: int) -> bool:
    return text[at + 1 : at + 1 + _NEAR].lstrip()[:1] in {"", ",", ")", "]", "}", ":"}


def _tidy(text: str) -> str:
    """Return text without the parts that became empty, nor the spaces that what is gone has left."""
    return ", ".join(" ".join(part.split()) for part in text.split(",") if part.strip(_STRAY))
