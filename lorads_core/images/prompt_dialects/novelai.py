"""NovelAI's ``Comment`` in JSON, from version 4 on with a caption for each character, or ``Description``.

Syntax: docs.novelai.net, image/strengthening-weakening: ``{text}``, ``[text]``, ``1.2::text ::`` (a negative number
keeps out), ``||a|b||`` draws one; round brackets are letters. Multi-character: ``source#hug``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from . import rules
from .base import NO_PROMPTS, Dialect, Prompts
from .parts import marked
from .syntax import Rule, Syntax, literal
from .texts import Texts, items, mapping, string

if TYPE_CHECKING:
    from .syntax import Group


def _read(texts: Texts) -> Prompts:
    fields = texts.fields("Comment") or texts.comment_fields
    # Draw Things calls its negative prompt `uc`, too.
    is_own = "v4_prompt" in fields or ("uc" in fields and "c" not in fields)
    if not is_own and "NovelAI" not in texts.text("Software"):
        return NO_PROMPTS
    positive = _v4_caption(fields.get("v4_prompt")) or string(fields.get("prompt")) or texts.text("Description")
    negative = _v4_caption(fields.get("v4_negative_prompt")) or string(fields.get("uc"))
    return Prompts(positive, negative, "novelai")


def _v4_caption(value: object) -> str:
    caption = mapping(mapping(value).get("caption"))
    parts = [string(caption.get("base_caption"))]
    parts += [string(mapping(item).get("char_caption")) for item in items(caption.get("char_captions"))]
    return ", ".join(part for part in parts if part)


def _round(group: Group) -> str:
    """Read ``ganyu (genshin impact)`` as it stands, and a weight in A1111's way as such: prompts are copied."""
    text = rules.weighted(group)
    if text == group.text and group.before.strip(",.([{|"):
        return literal("(") + text + literal(")")
    return text


_RANDOM = Rule("one of several", re.compile(r"\|\|([^|\n]*\|[^\n]*?)\|\|"), lambda match: marked(match[1], "possible"))
_ACTION = Rule("who acts", re.compile(r"\b(?:source|target|mutual)#"), "")

SYNTAX = Syntax(
    rules=(_RANDOM, _ACTION, rules.WEIGHT_IN_FRONT, rules.LORA, rules.WILDCARD),
    meanings={"(": _round, "[": rules.weighted, "{": rules.chosen},
    last=(rules.DOUBLE_COLON,),
)

DIALECT = Dialect("novelai", "NovelAI", 40, _read, SYNTAX)
