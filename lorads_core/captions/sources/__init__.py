"""What a caption source is: one module each, found by a scan of this folder; a source says where it has nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cache
from typing import TYPE_CHECKING, Protocol

from ...errors import SettingsError
from ...library.sidecars.rule import INFOTEXT
from ...plugins import plugins

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ...model import Caption, ImageRecord, Tag
    from ..merge import MergeRules
    from ..profiles import Kind

BY_HAND = ("custom", "manual")
"""The sources of captions that people wrote."""

BESIDE = ("sidecar", INFOTEXT)
"""The sources of captions from the text beside an image; what a generator wrote there is cleaned as prompts are."""


@dataclass(frozen=True, slots=True)
class CaptionMaterial:
    """All that is known of an image's words: its record, its tags, and the caption that an edit has set, if one has.

    ``subject`` is the name of what it shows: trigger, class or folder; see `captions.subject`.
    """

    record: ImageRecord
    tags: Sequence[Tag] = ()
    fixed: Caption | None = None
    subject: str = ""


class CaptionSource(Protocol):
    """A place that captions come from."""

    @property
    def name(self) -> str:
        """What widgets and the command line call it."""
        ...

    @property
    def label(self) -> str:
        """What people call it."""
        ...

    @property
    def kind(self) -> Kind:
        """Whether it gives tags, sentences, or both."""
        ...

    def text(self, material: CaptionMaterial, rules: MergeRules) -> str:
        """Return the caption without trigger, empty where the source has nothing for this image."""
        ...


@cache
def sources() -> dict[str, CaptionSource]:
    """Return every caption source by name."""
    found: list[CaptionSource] = plugins(__name__, __path__, "SOURCE")
    return {source.name: source for source in found}


def source_names() -> tuple[str, ...]:
    """Return the names of all caption sources."""
    return tuple(sources())


def source(name: str) -> CaptionSource:
    """Return the caption source called ``name``.

    Raises:
        SettingsError: there is none; the message names those there are.
    """
    known = sources()
    if name not in known:
        raise SettingsError(f"There is no caption source {name!r}; known are: {', '.join(known)}.")
    return known[name]


def written_caption(record: ImageRecord, wanted: Callable[[Caption], bool]) -> Caption | None:
    """Return the wanted caption of an image that counts most: a person's before the rest, then the newest."""
    written = [caption for caption in record.captions if wanted(caption) and caption.text.strip()]
    return max(written, key=_rank, default=None)


def written_text(record: ImageRecord, wanted: Callable[[Caption], bool]) -> str:
    """Return the text of the caption that counts most, empty where there is none."""
    caption = written_caption(record, wanted)
    return caption.text if caption else ""


def _rank(caption: Caption) -> tuple[bool, datetime, str]:
    written = caption.updated_at or datetime.min  # noqa: DTZ901 - compared with others of any zone, as UTC
    if written.tzinfo is None:
        written = written.replace(tzinfo=timezone.utc)
    return caption.edited or caption.source in BY_HAND, written, caption.text
