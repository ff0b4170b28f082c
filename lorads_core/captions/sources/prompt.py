"""What an image was generated from, cleaned of what only a generator understands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..clean import clean_prompt

if TYPE_CHECKING:
    from ..merge import MergeRules
    from ..profiles import Kind
    from . import CaptionMaterial, CaptionSource


class PromptSource:
    """The positive prompt; the negative one is never a caption."""

    name = "prompt"
    label = "Original prompt"
    kind: Kind = "tags"

    def text(self, material: CaptionMaterial, rules: MergeRules) -> str:  # noqa: ARG002 - its order is its author's
        """Return what of the prompt is certain, without weights, LoRA tags and the like."""
        return clean_prompt(material.record.prompt, material.record.prompt_source)


SOURCE: CaptionSource = PromptSource()
