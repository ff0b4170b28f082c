"""Draw Things' JSON in UserComment, of EXIF in JPEG, of XMP in PNG: ``c`` is the prompt, ``uc`` the negative one."""

from __future__ import annotations

from . import rules
from .base import NO_PROMPTS, Dialect, Prompts
from .syntax import Syntax
from .texts import Texts, string


def _read(texts: Texts) -> Prompts:
    fields = texts.comment_fields
    if not isinstance(fields.get("c"), str) or not fields.keys() & {"uc", "model", "sampler", "v2"}:
        return NO_PROMPTS
    return Prompts(string(fields.get("c")), string(fields.get("uc")), "draw-things")


# draw-things-community, Libraries/SwiftDiffusion/Sources/Tokenizer/Attention.swift: weights `(text:1.2)`, `(text)`,
# `[text]`. Of `{a|b}`, which its scripts draw from, one is in the image.
SYNTAX = Syntax(
    rules=(rules.COMMENT, rules.LORA, rules.EMBEDDING),
    meanings={"(": rules.weighted, "[": rules.weighted, "{": rules.chosen},
)

DIALECT = Dialect("draw-things", "Draw Things", 36, _read, SYNTAX)
