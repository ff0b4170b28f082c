"""What nodes of a ComfyUI graph do with text: those that choose, draw, generate or change it; by table, else by name.

What a node of that kind gives out is in no graph for certain, unless its inputs say which branch ran.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Action = Literal["", "choose", "first", "draw", "generate", "replace", "change"]
"""``choose``: one of its inputs by a number or a switch. ``first``: the first of its inputs that is there. ``draw``: a
line or entry of its text at random or by turns. ``generate``: writes text, as language models, taggers and translators
do. ``replace``: one text for another in its text. ``change``: part of its text, or something made of it."""

# Well-known packs whose names do not say it, or say something else.
_KNOWN: Mapping[str, Action] = {
    "Any Switch (rgthree)": "first",
    "ImpactConditionalBranch": "choose",
    "ImpactConditionalBranchSelMode": "choose",
    "If ANY execute A else B": "choose",
    "easy ifElse": "choose",
    "easy promptLine": "draw",
    "easy promptList": "draw",
    "CR Prompt List": "draw",
    "CR Simple Prompt List": "draw",
    "CR Text List": "draw",
    "ttN textCycleLine": "draw",
    "TextGenerate": "generate",
    "TextGenerateLTX2Prompt": "generate",
    "PromptExpansion": "generate",
    "ArgosTranslateTextNode": "generate",
    "StringSubstring": "change",
    "RegexExtract": "change",
    "RegexReplace": "change",
    # Its template is written in the syntax of Dynamic Prompts, which the dialect reads.
    "DPRandomGenerator": "",
    "DPCombinatorialGenerator": "",
    "DPMagicPrompt": "generate",
    "ImpactWildcardProcessor": "",
    "ImpactWildcardEncode": "",
    "easy wildcards": "",
}
_NO_ACTION = re.compile(
    r"encode|sampler|loader|detailer|save|clip(?!.*interrog)|guider|^conditioning(?!.*switch)", re.IGNORECASE
)
_BY_NAME: tuple[tuple[Action, re.Pattern[str]], ...] = (
    ("choose", re.compile(r"switch|if.?else|\bbranch|\bselect(or)?\b|multiplexer|\bmux\b", re.IGNORECASE)),
    (
        "generate",
        re.compile(
            r"llm|gpt|ollama|llama|gemini|claude|openai|deepseek|groq|mistral|qwen|kimi|florence|joy.?caption|wd14|tagger"
            r"|caption|interrogat|blip|minicpm|moondream|llava|internvl|image.?to.?(text|prompt)|img2(txt|text|prompt)"
            r"|translat|magic.?prompt|superprompt|prompt.?(gen|enhanc|upsampl|expan|writer|refine)|text.?generat",
            re.IGNORECASE,
        ),
    ),
    ("draw", re.compile(r"random|shuffle|lottery|cycle|next.?line|load.?line|\bgacha", re.IGNORECASE)),
    ("replace", re.compile(r"replace", re.IGNORECASE)),
)
_SELECTOR = re.compile(
    r"^(select(ed|or|_input)?|index|switch(_\d+)?|bool(ean)?|condition|cond|input|which|choice|number|toggle"
    r"|enabled?|state|active)$",
    re.IGNORECASE,
)
_IF_TRUE = re.compile(r"true|^tt_|then", re.IGNORECASE)
_IF_FALSE = re.compile(r"false|^ff_|else", re.IGNORECASE)
_AT_END = re.compile(r"(\d+|_[ab])$", re.IGNORECASE)
_SHOWS = re.compile(r"show|display|preview|debug", re.IGNORECASE)
_CONSTANT = re.compile(r"primitive|constant|int|bool|number|float|value|reroute|toggle|simple", re.IGNORECASE)


@lru_cache(maxsize=4096)
def action_of(kind: str) -> Action:
    """Return what a node of that class does with text, empty where it passes it on or is of another kind."""
    if kind in _KNOWN:
        return _KNOWN[kind]
    if _NO_ACTION.search(kind):
        return ""
    for action, pattern in _BY_NAME:
        if pattern.search(kind):
            return action
    return ""


def shows_text(kind: str) -> bool:
    """Say whether a node of that class shows the text that comes to it, and holds what it showed before."""
    return bool(_SHOWS.search(kind))


def selector_of(inputs: Mapping[str, object]) -> str | None:
    """Return the name of the input that says which other one a node passes on, None where it has none."""
    return next((name for name in inputs if _SELECTOR.match(name)), None)


def is_constant(kind: str) -> bool:
    """Say whether a node of that class gives out the value that stands in it."""
    return bool(_CONSTANT.search(kind))


def branch_of(names: Sequence[str], value: object) -> str | None:
    """Return which of a node's inputs a selector's value names, None where that is not clear.

    True and false choose ``on_true`` and ``on_false``, or ``text_a`` and ``text_b`` (WAS); numbers choose by the number
    at the end of a name, whether counted from 0 or 1.
    """
    if isinstance(value, str):
        value = {"true": True, "false": False}.get(value.lower(), int(value) if value.isdecimal() else value)
    if isinstance(value, bool):
        found = [name for name in names if (_IF_TRUE if value else _IF_FALSE).search(name)]
        found = found or [name for name in names if name.lower().endswith("_a" if value else "_b")]
    elif isinstance(value, int):
        found = [name for name in names if (end := _AT_END.search(name)) and end[1].lstrip("0") == str(value or "")]
    else:
        found = [name for name in names if name == value]
    return found[0] if len(found) == 1 else None
