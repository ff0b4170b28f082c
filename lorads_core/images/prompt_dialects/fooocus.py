"""Fooocus, Fooocus-MRE and RuinedFooocus: JSON in ``parameters``, ``Comment`` or EXIF's UserComment."""

from __future__ import annotations

import re

from . import rules
from .base import NO_PROMPTS, Dialect, Prompts
from .parts import marked
from .syntax import Rule, Syntax
from .texts import Texts, mapping, string

# The names of prompt and negative prompt: Fooocus 2, RuinedFooocus 1, MRE (modules/async_worker.py of each).
_NAMES = (("prompt", "negative_prompt"), ("Prompt", "Negative"), ("Prompt", "Negative Prompt"))


def _read(texts: Texts) -> Prompts:
    for fields in (texts.fields("parameters"), texts.fields("Comment"), texts.comment_fields):
        if not _is_own(fields):
            continue
        for names in _NAMES:
            positive, negative = (string(fields.get(name)) for name in names)
            if positive or negative:
                return Prompts(positive, negative, "fooocus")
    return NO_PROMPTS


def _is_own(fields: object) -> bool:
    """Say whether fields are of the family: it names itself, or writes what no other program does."""
    found = mapping(fields)
    version = f"{string(found.get('software'))} {string(found.get('version'))}"
    return bool(found) and ("ooocus" in version or bool(found.keys() & _FIELDS))


_FIELDS = {"full_prompt", "base_model", "prompt_expansion", "Prompt", "negative_prompt"}

# Fooocus 2.5, readme.md: wildcards `__color__`, arrays `[[red, green, blue]]` of which each image of a batch gets one
# (modules/util.py: apply_arrays), LoRAs `<lora:name:1.2>`; brackets as in AUTOMATIC1111.
_ARRAY = Rule(
    "array",
    re.compile(r"\[\[([^\[\]\n]*)\]\]"),
    lambda match: marked(match[1], "possible") if "," in match[1] else match[1],
)
SYNTAX = Syntax(
    rules=(_ARRAY, rules.LORA, rules.OPEN_LORA, rules.EMBEDDING, rules.WILDCARD),
    meanings={"(": rules.weighted, "[": rules.edited, "{": rules.chosen},
)

DIALECT = Dialect("fooocus", "Fooocus, Fooocus-MRE, RuinedFooocus", 50, _read, SYNTAX)
