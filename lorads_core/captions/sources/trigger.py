"""The trigger alone, for images that nothing else is known of; without a trigger the class or the folder's name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..merge import MergeRules
    from ..profiles import Kind
    from . import CaptionMaterial, CaptionSource


class TriggerSource:
    """One name for all images of a concept, as trainers take a folder's name for the caption."""

    name = "trigger"
    label = "Trigger alone (class, folder name)"
    kind: Kind = "tags"

    def text(self, material: CaptionMaterial, rules: MergeRules) -> str:  # noqa: ARG002 - nothing is merged into it
        """Return the subject's name."""
        return material.subject


SOURCE: CaptionSource = TriggerSource()
