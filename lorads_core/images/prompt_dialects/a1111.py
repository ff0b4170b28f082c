"""AUTOMATIC1111's infotext (``parameters``), which Forge, SD.Next, reForge and many others write too."""

from __future__ import annotations

import re

from . import rules
from .base import NO_PROMPTS, Dialect, Prompts
from .syntax import Syntax
from .texts import Texts, json_object

# AUTOMATIC1111 1.10, modules/infotext_utils.py: re_param, and that the last line holds at least three of them.
_PARAMETER = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
_LEAST_PARAMETERS = 3
_NEGATIVE = "Negative prompt:"
_STEPS = re.compile(r"Steps: \d+\s*(?:,|$)")
_LONGEST_LINE = 2_000  # that is searched for parameters, which takes time by its square


def is_infotext(text: str) -> bool:
    """Say whether a text is an infotext and not a caption: a line of parameters, or a negative prompt, is in it."""
    lines = text.strip().split("\n")
    return any(line.lstrip().startswith(_NEGATIVE) or _STEPS.match(line.lstrip()) for line in lines) or (
        len(lines) > 1 and _are_parameters(lines[-1]) and "Seed: " in lines[-1]
    )


def parse_infotext(text: str) -> Prompts:
    """Read an infotext: the prompt, the negative prompt, and parameters, which are left out."""
    *lines, last = text.strip().split("\n")
    if not _are_parameters(last):
        lines.append(last)
    positive: list[str] = []
    negative: list[str] = []
    part = positive
    for line in lines:
        if line.strip().startswith(_NEGATIVE):
            part = negative
            part.append(line.strip()[len(_NEGATIVE) :].strip())
        elif _STEPS.match(line):
            break
        else:
            part.append(line.strip())
    return Prompts("\n".join(positive), "\n".join(negative), "a1111")


def _are_parameters(line: str) -> bool:
    return len(_PARAMETER.findall(line[:_LONGEST_LINE])) >= _LEAST_PARAMETERS


def _read(texts: Texts) -> Prompts:
    text = texts.text("parameters").strip()
    if not text and is_infotext(texts.comment):  # else it is what cameras and editors write there
        text = texts.comment
    if not text or (text.startswith("{") and json_object(text)):
        return NO_PROMPTS
    return parse_infotext(text)


SYNTAX = Syntax(
    rules=(
        rules.END,
        rules.COMMENT,
        rules.LORA,
        rules.OPEN_LORA,
        rules.EMBEDDING,
        rules.WILDCARD,
        rules.KEYWORD,
        rules.COMPOSITION,
        rules.WEIGHT_IN_FRONT,
    ),
    meanings={"(": rules.weighted, "[": rules.edited, "{": rules.chosen, "$": rules.variable},
    opening=rules.OPENING_WITH_VARIABLES,
    last=(rules.DOUBLE_COLON,),
)

DIALECT = Dialect("a1111", "AUTOMATIC1111, Forge, SD.Next", 10, _read, SYNTAX)
