"""What a person wrote: for this dataset, or in the library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...tags import safe_text

if TYPE_CHECKING:
    from ..merge import MergeRules
    from . import CaptionMaterial, CaptionSource, Kind

_BY_HAND = ("custom", "manual")


class CustomSource:
    """Captions written by hand, taken as they are."""

    name = "custom"
    label = "Custom (written by hand)"
    kind: Kind = "prose"

    def text(self, material: CaptionMaterial, rules: MergeRules) -> str:  # noqa: ARG002 - nothing is merged into it
        """Return the caption of the dataset before that of the library."""
        if material.edited:
            return safe_text(material.edited.text)
        for caption in material.record.captions:
            if caption.edited or caption.source in _BY_HAND:
                return safe_text(caption.text)
        return ""


SOURCE: CaptionSource = CustomSource()
