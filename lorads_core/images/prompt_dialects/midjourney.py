"""Midjourney's ``Description``: the prompt with its parameters, ``a fox --ar 16:9 --no people Job ID: …``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from . import rules
from .base import NO_PROMPTS, Dialect, Prompts
from .parts import marked
from .syntax import Rule, Syntax

if TYPE_CHECKING:
    from .texts import Texts

_JOB = re.compile(r"\s*Job ID: [0-9a-f-]{36}\s*$")


def _read(texts: Texts) -> Prompts:
    text = texts.text("Description")
    if not _JOB.search(text[-80:]):
        return NO_PROMPTS
    prompt = _JOB.sub("", text)
    return Prompts(prompt, ", ".join(match[1].strip() for match in _NO.finditer(prompt)), "midjourney")


# docs.midjourney.com, Parameter List, Multi-Prompts & Weights, No, Permutations: parameters stand at the end; `::2` is
# a weight behind, a negative one keeps out; `--no` lists; of `{a, b}` each becomes an image, of parameters too.
_NO = re.compile(r"--no\s+([^-]*(?:-(?!-)[^-]*)*)")
_LINK = rules.gone("image prompt", r"<?https?://[^\s>]+>?")
_EXCLUDED = Rule("what is left out", _NO, lambda match: marked(match[1].strip(), "excluded"))
_PARAMETER = Rule(
    "parameter", re.compile(r"--(?!no\b)[a-z]+(?:\s+(?!--)(?:\{[^{}\n]*\}|[^\s,{}]+))*|\u2014[a-z]+\s+\S+"), ""
)
_NUMBER = re.compile(rf"\s*({rules.NUMBER})")


def _weighted(match: re.Match[str]) -> str:
    """Read texts that each have their weight behind them: ``a fox:: hat::-0.5``."""
    first, *rest = match[0].split("::")
    texts: list[str] = []
    for each in rest:
        number = _NUMBER.match(each)
        texts.append(first if not number or float(number[1]) > 0 else marked(first, "excluded"))
        first = each[number.end() :] if number else each
    return ", ".join([*texts, first])


_WEIGHT_BEHIND = Rule("weight behind", re.compile(r"(?s)\A.*::.*\Z"), _weighted)

SYNTAX = Syntax(
    rules=(_LINK, _PARAMETER, _EXCLUDED, _WEIGHT_BEHIND),
    meanings={"{": rules.permuted},
    opening="{",
    closing="}",
)

DIALECT = Dialect("midjourney", "Midjourney", 44, _read, SYNTAX)
