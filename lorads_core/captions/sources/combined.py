"""The tags of both taggers, and those that people gave, merged and without duplicates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..merge import MergeRules, merge

if TYPE_CHECKING:
    from ..profiles import Kind
    from . import CaptionMaterial, CaptionSource


class CombinedSource:
    """All tags of an image, from any source."""

    name = "combined"
    label = "Combined tags (WD + JoyTag)"
    kind: Kind = "tags"

    def text(self, material: CaptionMaterial, rules: MergeRules) -> str:
        """Return the merged tags."""
        return ", ".join(merge(material.tags, rules))


SOURCE: CaptionSource = CombinedSource()
