"""The text beside an image, of whatever kind its file is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...library.sidecars.rule import INFOTEXT
from ...tags import is_tag_list, safe_text, unescape_entities
from ..clean import clean_prompt
from ..tag_list import spelled_list
from . import BESIDE, written_caption

if TYPE_CHECKING:
    from ..merge import MergeRules
    from ..profiles import Kind
    from . import CaptionMaterial, CaptionSource


class SidecarSource:
    """What the file says: tags in their order and our spelling, sentences as they are, prompts cleaned.

    Its tags get the names that a vocabulary has for them where that is for sidecars too.
    """

    name = "sidecar"
    label = "Sidecar file"
    kind: Kind = "tags"

    def text(self, material: CaptionMaterial, rules: MergeRules) -> str:
        """Return the file's text in one line."""
        caption = written_caption(material.record, lambda caption: caption.source in BESIDE)
        if caption is None:
            return ""
        if caption.source == INFOTEXT:
            return clean_prompt(caption.text)
        text = unescape_entities(caption.text)
        if not is_tag_list(text):
            return safe_text(text)
        return spelled_list(text, rules.vocabulary if rules.vocabulary.for_sidecars else None)


SOURCE: CaptionSource = SidecarSource()
