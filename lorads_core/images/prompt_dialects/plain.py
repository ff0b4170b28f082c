"""Prompts as plain texts, ``prompt`` and ``negative_prompt``, as many scripts write them; syntax of no one program."""

from __future__ import annotations

import re

from . import PLAIN
from .a1111 import SYNTAX
from .base import NO_PROMPTS, Dialect, Prompts
from .texts import Texts, string

# `{{red coat}}, 1girl` is a prompt: no JSON begins like that.
_JSON = re.compile(r'\s*(?:\{\s*(?:"|\}|$)|\[\s*(?:["\[{\]]|$))')


def _read(texts: Texts) -> Prompts:
    fields = texts.comment_fields
    prompt = texts.text("prompt") or string(fields.get("prompt"))
    if _JSON.match(prompt):
        return NO_PROMPTS
    negative = texts.text("negative_prompt") or string(fields.get("negative_prompt"))
    return Prompts(prompt, negative, PLAIN)


DIALECT = Dialect(PLAIN, "other programs", 90, _read, SYNTAX)
