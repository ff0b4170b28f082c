"""Easy Diffusion's texts: ``Prompt`` and ``Negative Prompt`` among its settings."""

from __future__ import annotations

from dataclasses import replace

from . import rules
from .base import NO_PROMPTS, Dialect, Prompts
from .invokeai import SYNTAX as COMPEL
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


# Easy Diffusion's wiki, Prompt Syntax: that of Compel, as InvokeAI has it; Writing prompts: of `{a,b}` each becomes an
# image. Version 3.5 on writes weights as AUTOMATIC1111 does, which Compel has no other meaning for.
SYNTAX = replace(
    COMPEL,
    rules=(rules.EMBEDDING, *COMPEL.rules),
    meanings={**COMPEL.meanings, "{": rules.permuted},
)

DIALECT = Dialect("easy-diffusion", "Easy Diffusion", 60, _read, SYNTAX)
