"""Easy Diffusion's texts: ``Prompt`` and ``Negative Prompt`` among its settings."""

from __future__ import annotations

from . import rules
from .base import NO_PROMPTS, Dialect, Prompts
from .syntax import Syntax
from .texts import Texts, string

# Easy Diffusion 3, ui/easydiffusion/utils/save_utils.py: TASK_TEXT_MAPPING.
_NAMES = ("Prompt", "Negative Prompt")
_OTHERS = ("Seed", "Steps", "Guidance Scale", "Stable Diffusion model", "Sampler", "Width")


def _read(texts: Texts) -> Prompts:
    fields = texts.comment_fields
    positive, negative = (texts.text(name) or string(fields.get(name)) for name in _NAMES)
    if not any(name in texts or name in fields for name in _OTHERS):
        return NO_PROMPTS
    return Prompts(positive, negative, "easy-diffusion")


# Its `{a,b}` and `a|b` become one image for each combination, with its own prompt written into it.
SYNTAX = Syntax(
    rules=(rules.LORA, rules.EMBEDDING),
    meanings={"(": rules.weighted, "[": rules.weighted, "{": rules.chosen},
)

DIALECT = Dialect("easy-diffusion", "Easy Diffusion", 60, _read, SYNTAX)
