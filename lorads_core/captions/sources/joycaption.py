"""Prose about an image: JoyCaption's, or that of any other program that writes sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...tags import safe_text

if TYPE_CHECKING:
    from ...model import Caption
    from ..merge import MergeRules
    from . import CaptionMaterial, CaptionSource, Kind

_NOT_PROSE = ("sidecar", "custom", "manual")


class JoyCaptionSource:
    """One of perhaps several captions: what a person has edited before the rest, then the newest."""

    name = "joycaption"
    label = "JoyCaption (prose)"
    kind: Kind = "prose"

    def text(self, material: CaptionMaterial, rules: MergeRules) -> str:  # noqa: ARG002 - prose has no tags to merge
        """Return the caption as it was written."""
        written = [caption for caption in material.record.captions if caption.source not in _NOT_PROSE]
        return safe_text(max(written, key=_rank).text) if written else ""


def _rank(caption: Caption) -> tuple[bool, float]:
    return caption.edited, caption.updated_at.timestamp() if caption.updated_at else 0.0


SOURCE: CaptionSource = JoyCaptionSource()
