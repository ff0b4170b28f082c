"""What a person wrote: for this dataset, or in the library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...tags import safe_text
from . import BY_HAND, written_text

if TYPE_CHECKING:
    from ..merge import MergeRules
    from ..profiles import Kind
    from . import CaptionMaterial, CaptionSource


class CustomSource:
    """Captions written by hand, taken as they are."""

    name = "custom"
    label = "Custom (written by hand)"
    kind: Kind = "prose"

    def text(self, material: CaptionMaterial, rules: MergeRules) -> str:  # noqa: ARG002 - nothing is merged into it
        """Return the caption of the dataset before that of the library, in one line: sd-scripts reads no second."""
        if material.fixed and material.fixed.edited:
            return safe_text(material.fixed.text)
        return safe_text(written_text(material.record, lambda caption: caption.edited or caption.source in BY_HAND))


SOURCE: CaptionSource = CustomSource()
