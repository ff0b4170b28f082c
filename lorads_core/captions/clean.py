"""Prompts as captions: what only a generator understands goes, the words stay; linear in the prompt's length."""

from __future__ import annotations

import re

from ..tags import canonical, is_score, safe_text

# Every pattern is a fixed start, a class without its own end, and that end: no text makes them backtrack.
_LORA = re.compile(r"<[a-z]+:[^<>]*>", re.IGNORECASE)
_EMBEDDING = re.compile(r"\bembedding:[^\s,()\[\]]+", re.IGNORECASE)
_WILDCARD = re.compile(r"__[\w/*-]{1,100}?__")
_COMMENT = re.compile(r"^[ \t]*#[^\n]*$", re.MULTILINE)
_KEYWORD = re.compile(r"\b(?:BREAK|AND|ADDCOMM|ADDBASE|ADDCOL|ADDROW)\b")
_NEGATIVE = "Negative prompt:"
_WEIGHT = re.compile(r":\s*[+-]?\d+(?:\.\d+)?\s*(?=[)\]])")
_LITERAL = re.compile(r"\\([()\[\]])")
_BRACKETS = str.maketrans("", "", "()[]{}")
# Where an escaped bracket waits while weighting ones are removed: private characters that no prompt can bring along.
_KEEP = {"(": "\ue000", ")": "\ue001", "[": "\ue002", "]": "\ue003"}
_RESTORE = str.maketrans({kept: bracket for bracket, kept in _KEEP.items()})
_PRIVATE = str.maketrans("", "", "".join(_KEEP.values()))


def clean_prompt(prompt: str) -> str:
    """Return the words of a positive prompt as one line: no LoRA or embedding, weight, keyword or quality score."""
    text = _COMMENT.sub("", prompt.translate(_PRIVATE)).partition(_NEGATIVE)[0]
    for pattern in (_LORA, _EMBEDDING, _WILDCARD, _KEYWORD):
        text = pattern.sub(", ", text)
    text = _LITERAL.sub(lambda match: _KEEP[match[1]], text)
    text = _WEIGHT.sub("", text).translate(_BRACKETS).translate(_RESTORE)
    parts = (safe_text(part) for part in re.split(r"[,\n]", text))
    return ", ".join(dict.fromkeys(part for part in parts if part and not is_score(canonical(part))))
