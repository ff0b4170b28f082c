"""Sentences with the tags behind them, for images that have both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import source

if TYPE_CHECKING:
    from ..merge import MergeRules
    from ..profiles import Kind
    from . import CaptionMaterial, CaptionSource

_ENDS = (".", "!", "?", "…", "\u3002", "\uff01", "\uff1f")


class MixedSource:
    """Prose first, then the merged tags; nothing where one of the two is missing, so that a fallback is chosen."""

    name = "mixed"
    label = "Mixed (prose, then tags)"
    kind: Kind = "mixed"

    def text(self, material: CaptionMaterial, rules: MergeRules) -> str:
        """Return both, as sentences and a list of tags are written one after the other."""
        prose = source("joycaption").text(material, rules).rstrip(" ,")
        tags = source("combined").text(material, rules) if prose else ""
        if not tags:
            return ""
        return f"{prose} {tags}" if prose.endswith(_ENDS) else f"{prose}. {tags}"


SOURCE: CaptionSource = MixedSource()
