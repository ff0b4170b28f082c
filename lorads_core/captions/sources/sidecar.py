"""The text file beside an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...tags import is_tag_list, parse_tag_list, render_training, safe_text
from . import written_text

if TYPE_CHECKING:
    from ..merge import MergeRules
    from ..profiles import Kind
    from . import CaptionMaterial, CaptionSource


class SidecarSource:
    """What the file says: tags in their order and our spelling, sentences as they are."""

    name = "sidecar"
    label = "Sidecar file"
    kind: Kind = "tags"

    def text(self, material: CaptionMaterial, rules: MergeRules) -> str:  # noqa: ARG002 - written by hand or tool, kept
        """Return the file's text in one line."""
        text = written_text(material.record, lambda caption: caption.source == self.name)
        return render_training(parse_tag_list(text)) if is_tag_list(text) else safe_text(text)


SOURCE: CaptionSource = SidecarSource()
