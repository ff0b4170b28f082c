"""Civitai's own generator: ``extraMetadata`` beside a graph, which for an upscaled image holds no prompt itself."""

from __future__ import annotations

from .a1111 import SYNTAX
from .base import NO_PROMPTS, Dialect, Prompts
from .texts import Texts, json_object, string


def _read(texts: Texts) -> Prompts:
    for fields in (texts.comment_fields, texts.fields("prompt")):
        if "extraMetadata" in fields:
            found = json_object(fields["extraMetadata"])
            return Prompts(string(found.get("prompt")), string(found.get("negativePrompt")), "civitai")
    return NO_PROMPTS


DIALECT = Dialect("civitai", "Civitai", 14, _read, SYNTAX)
