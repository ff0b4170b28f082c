"""The text files beside an image: `cat.txt` and `cat.caption` for `cat.png`; it reads them and writes none."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import CaptionError
from ..model import Caption, Tag
from ..system.files import file_error_reason, open_regular
from ..tags import is_tag_list, parse_tag_list

if TYPE_CHECKING:
    from pathlib import Path

LARGEST = 100_000
"""Bytes; what is longer is not a caption: trainers read a few hundred tokens of one, some 2 KB."""


@dataclass(frozen=True, slots=True)
class SidecarRule:
    """Which source a sidecar's text is from, by suffix: the name to request it by later."""

    sources: tuple[tuple[str, str], ...] = ((".txt", "sidecar"), (".caption", "joycaption"))

    @property
    def suffixes(self) -> tuple[str, ...]:
        """The suffixes that are looked for, lower case."""
        return tuple(suffix for suffix, _ in self.sources)

    def source(self, suffix: str) -> str:
        """Return the source that files with this suffix hold."""
        return dict(self.sources)[suffix]


def read_sidecar(path: Path, source: str) -> tuple[tuple[Tag, ...], tuple[Caption, ...]]:
    """Return what a sidecar says: its text as a caption, and its tags where it is a list of tags.

    A tagger's file (source ``wd`` or ``joytag``) is tags only. An empty file says nothing.

    Raises:
        CaptionError: it is too long, not text, or cannot be read.
    """
    text = _read_text(path).strip()
    if not text:
        return (), ()
    tags = tuple(Tag(tag, source) for tag in parse_tag_list(text))
    if source in ("wd", "joytag"):
        return tags, ()
    return (tags if is_tag_list(text) else ()), (Caption(text, source),)


def _read_text(path: Path) -> str:
    try:
        with open_regular(path) as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise CaptionError(f"{path} cannot be read: {file_error_reason(error)}.") from error
    if len(data) > LARGEST:
        raise CaptionError(f"{path} has over {LARGEST:,} bytes, too long for a caption: shorten or remove it.")
    # Windows editors mark UTF-16 so; anything else must be UTF-8, guessing would write mojibake into captions.
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise CaptionError(f"{path} is not UTF-8 text: save it as UTF-8.") from error
    return text.replace("\0", "")
