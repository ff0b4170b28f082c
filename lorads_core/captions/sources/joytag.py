"""The tags of a JoyTag tagger as a caption."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..merge import MergeRules, merge, said_by

if TYPE_CHECKING:
    from ..profiles import Kind
    from . import CaptionMaterial, CaptionSource


class JoyTagSource:
    """What the tagger saw above its threshold, with what either tagger saw where nobody knows which."""

    name = "joytag"
    label = "JoyTag tags"
    kind: Kind = "tags"

    def text(self, material: CaptionMaterial, rules: MergeRules) -> str:
        """Return the tags of this tagger alone."""
        return ", ".join(merge([tag for tag in material.tags if "joytag" in said_by(tag)], rules))


SOURCE: CaptionSource = JoyTagSource()
