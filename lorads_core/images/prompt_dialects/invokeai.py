"""InvokeAI's ``invokeai_metadata`` (3 on), ``sd-metadata`` (2) and ``Dream`` (1–2), with Compel's prompt syntax.

Compel's doc/syntax.md and src/compel/prompt_parser.py: weights stand behind a word, quotes or brackets (``red++``,
``(blue eyes)1.3``, ``hat-``), and ``.swap()``, ``.blend()``, ``.and()`` and ``.attend()`` behind brackets.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from . import rules
from .base import Dialect, Prompts
from .parts import marked
from .syntax import Rule, Syntax
from .texts import Texts, items, mapping, string

if TYPE_CHECKING:
    from .syntax import Group

_BRACKETS = re.compile(r"\[([^\[\]]*)\]")
_DREAM_OPTIONS = re.compile(r"\s-[A-Za-z]")


def _read(texts: Texts) -> Prompts:
    fields = texts.fields("invokeai_metadata")
    if fields:
        return Prompts(_with_style(fields, "positive"), _with_style(fields, "negative"), "invokeai")
    prompt = mapping(texts.fields("sd-metadata").get("image")).get("prompt")
    parts = (string(mapping(part).get("prompt")) for part in items(prompt))
    text = string(prompt) or ", ".join(filter(None, parts)) or _dream(texts.text("Dream"))
    # InvokeAI 2 holds the negative prompt in brackets within the positive one.
    positive = " ".join(_BRACKETS.sub(" ", text).split())
    return Prompts(positive, ", ".join(part.strip() for part in _BRACKETS.findall(text)), "invokeai")


def _with_style(fields: object, side: str) -> str:
    """Return a prompt with the style prompt of SDXL, which goes to its second encoder, where it is another."""
    texts = [string(mapping(fields).get(f"{side}_{name}")).strip() for name in ("prompt", "style_prompt")]
    return ", ".join(dict.fromkeys(filter(None, texts)))


def _dream(line: str) -> str:
    """Return the prompt of a command line: ``"a cat" -s 50 -S 1``."""
    line = line.strip()
    if line.startswith('"') and (end := line.rfind('"')) > 0:
        return line[1:end]
    return _DREAM_OPTIONS.split(line, maxsplit=1)[0]


def _grouped(group: Group) -> str:
    """``(text)1.3``, and the first brackets of ``("a", "b").blend(0.7, 0.3)`` and ``(cat).swap(dog)``."""
    if group.closed.endswith((".swap", ".blend")):
        return marked(_QUOTES.sub("", group.text), "possible")
    if group.closed.endswith((".and", ".add")):
        return _QUOTES.sub("", group.text)
    text = rules.weighted(group)
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1]
    return marked(text, "excluded") if rules.number(group.closed[1:]) == 0 else text


_QUOTES = re.compile(r"['\"]")
_METHODS = Rule(
    "weights of a blend or conjunction", re.compile(r"(?<=\.)(blend|and|add)\([\s,\w.+-]*\)"), lambda match: match[1]
)
_ATTEND = Rule("weight of a word or brackets", re.compile(r"\.attend\([\s\d.+-]*\)"), "")
_QUOTED = Rule(
    "weight behind quotes", re.compile(r"\"([^\"\n]*)\"(?:\++|-+|\d*\.?\d+)(?=[\s,.;!?)\]]|$)"), lambda match: match[1]
)
_SWAP = Rule(
    "replaced words",
    re.compile(r"(?<=\.swap)\((?:\s*\"([^\"\n]*)\"\s*|([^(),]*))(?:,[^()]*)?\)"),
    lambda match: f" {match[1] or match[2] or ''} ",
)
_SWAPPED_WORD = Rule(
    "replaced word",
    re.compile(r"((?<![\w'-])[\w'-]{1,100}|\"[^\"]*\")\.swap\b"),
    lambda match: marked(match[1].strip('"'), "possible"),
)
_WEIGHT = Rule("weight behind a word", re.compile(r"(?<=[\w\"'])(?:\++|-+)(?=[\s,.;!?)\]]|$)"), "")
_ADDED = Rule("LoRA, embedding", re.compile(r"\b(?:with|use)Lora\([^()]*\)|<[\w .-]{1,100}>"), ", ")

SYNTAX = Syntax(
    rules=(_ADDED, rules.LORA, rules.WILDCARD, _METHODS, _SWAP, _SWAPPED_WORD, _ATTEND, _QUOTED, _WEIGHT),
    meanings={"(": _grouped, "[": rules.weighted, "{": rules.chosen},
    closing=r"\)(?:\.(?:swap|blend|and|add)\b|[+-]+|\d*\.?\d+(?!\w))?|[\]}]",
)

DIALECT = Dialect("invokeai", "InvokeAI", 30, _read, SYNTAX)
