"""The text file beside a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...tags import is_tag_list
from . import written_text

if TYPE_CHECKING:
    from ..merge import MergeRules
    from . import CaptionMaterial, CaptionSource, Kind


class SidecarSource:
    """What the file says, in its own words and spelling; only its lines become one."""

    name = "sidecar"
    label = "Sidecar file"
    kind: Kind = "tags"

    def text(self, material: CaptionMaterial, rules: MergeRules) -> str:  # noqa: ARG002 - written by hand or tool, kept
        """Return the file's text; where it has a tag on each line, with commas between them."""
        text = written_text(material.record, lambda caption: caption.source == self.name).strip()
        if is_tag_list(text):
            return ", ".join(line.strip(" ,") for line in text.splitlines() if line.strip(" ,"))
        return text


SOURCE: CaptionSource = SidecarSource()
