"""Prose about an image: JoyCaption's, or that of any other program or person who writes sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...tags import safe_text
from . import BESIDE, written_text

if TYPE_CHECKING:
    from ..merge import MergeRules
    from ..profiles import Kind
    from . import CaptionMaterial, CaptionSource


class JoyCaptionSource:
    """One of perhaps several captions: what a person has edited before the rest, then the newest."""

    name = "joycaption"
    label = "JoyCaption (prose)"
    kind: Kind = "prose"

    def text(self, material: CaptionMaterial, rules: MergeRules) -> str:  # noqa: ARG002 - prose has no tags to merge
        """Return the caption as it was written."""
        return safe_text(written_text(material.record, lambda caption: caption.source not in BESIDE))


SOURCE: CaptionSource = JoyCaptionSource()
