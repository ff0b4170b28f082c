"""Prompts as captions: what only a generator understands goes, the words stay; linear in the prompt's length."""

from __future__ import annotations

import re

from ..tags import canonical, is_score, is_tag_list, one_line

# Every pattern is a fixed start, a class without its own end, and that end: no text makes them backtrack far.
_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)"
_END = re.compile(r"negative prompt:|^[ \t]*steps: \d+,", re.IGNORECASE | re.MULTILINE)
_COMMENT = re.compile(r"^[ \t]*#[^\n]*$", re.MULTILINE)
_LORA = re.compile(r"<[a-z]+:[^<>]*>", re.IGNORECASE)
_OPEN_LORA = re.compile(r"<(?:lora|lyco|hypernet):[^<>,\n]*", re.IGNORECASE)
_EMBEDDING = re.compile(r"\bembedding:[^\s,()\[\]{}]+", re.IGNORECASE)
_WILDCARD = re.compile(r"__[\w/*-]{1,100}?__")
_KEYWORD = re.compile(r"\b(?:BREAK|ADDCOMM|ADDBASE|ADDCOL|ADDROW)\b")
# A1111, modules/prompt_parser.py: `a AND b :1.2`, `[from:to:when]`, `(text:weight)`; NovelAI 4: `1.2::text::`.
_AND = re.compile(r"\bAND\b")
_WEIGHT_OF_ALL = re.compile(rf":\s*{_NUMBER}\s*$")
_SCHEDULE = re.compile(rf"\[([^\[\]():|]*):([^\[\]():|]*):\s*{_NUMBER}\s*\]")
_WEIGHT = re.compile(rf":\s*{_NUMBER}\s*(?=[)\]}}])")
_WEIGHT_BEFORE = re.compile(rf"(?<![\d.]){_NUMBER}::|::")
# Faces that end in a bracket, as a part of their own.
_FACE = re.compile(r"(?<![^,\s])(?:>?[:;=][()]|\(o\)_\(o\))(?=\s*(?:[,\n)]|$))")
_LITERAL = re.compile(r"\\([()\[\]{}])")
_BRACKETS = str.maketrans("", "", "()[]{}")
_BETWEEN = re.compile(r"[,\n]")
_STRAY = " :|+*/\\"
# Where a bracket that is meant waits while weighting ones are removed: private characters that no prompt brings along.
_KEEP = {ord(bracket): chr(0xE000 + n) for n, bracket in enumerate("()[]{}")}
_RESTORE = {ord(kept): chr(bracket) for bracket, kept in _KEEP.items()}
_PRIVATE = dict.fromkeys(_RESTORE)


def clean_prompt(prompt: str) -> str:
    """Return the words of a positive prompt as one line: no LoRA or embedding, weight, keyword or quality score.

    A prompt that is a list of tags gets our spelling of them; of tags that it has twice the first stays.
    """
    text = _without_markup(_COMMENT.sub("", _positive(prompt.translate(_PRIVATE))))
    parts = [part for part in map(one_line, _split(_without_weights(text))) if part.strip(_STRAY)]
    as_tags = is_tag_list(", ".join(parts))
    kept: dict[str, str] = {}
    for part in parts:
        tag = canonical(part)
        if is_score(tag):
            continue
        is_tag = tag and (as_tags or ("_" in part and " " not in part))
        kept.setdefault(tag or part, tag if is_tag else part)
    return ", ".join(kept.values())


def _positive(prompt: str) -> str:
    end = _END.search(prompt)
    return prompt[: end.start()] if end else prompt


def _without_markup(text: str) -> str:
    for pattern in (_LORA, _OPEN_LORA, _EMBEDDING, _WILDCARD, _KEYWORD):
        text = pattern.sub(", ", text)
    prompts = _AND.split(text)
    return ", ".join(_WEIGHT_OF_ALL.sub("", each) for each in prompts) if len(prompts) > 1 else text


def _without_weights(text: str) -> str:
    text = _FACE.sub(lambda match: match[0].translate(_KEEP), text)
    text = _LITERAL.sub(lambda match: match[1].translate(_KEEP), text)
    # Of a schedule the picture ends as the later words say, where there are any.
    text = _SCHEDULE.sub(lambda match: match[2] if match[2].strip() else match[1], text)
    text = _WEIGHT_BEFORE.sub("", _WEIGHT.sub("", text))
    return text.translate(_BRACKETS).translate(_RESTORE)


def _split(text: str) -> list[str]:
    """Return the parts between commas, and between the bars of alternatives, but not of faces."""
    parts: list[str] = []
    for part in _BETWEEN.split(text):
        parts += part.split("|") if "|" in part and not _is_face(part) else [part]
    return parts


def _is_face(part: str) -> bool:
    return not any(character.isalnum() for character in part.replace("o", ""))
