"""The parts of a caption between its commas; what is not touched stays byte for byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..tags import LONGEST, canonical, one_line, split_tags

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from .vocabulary import Vocabulary

_AFTER_PROSE = ". "


def without_parts(text: str, tags: Collection[str]) -> str:
    """Return a caption without the parts that are one of ``tags`` (canonical), however they are spelled there."""
    if not tags:
        return text
    parts = text.split(",")
    kept = list(_without(parts, tags))
    return text if kept == parts else ",".join(kept).strip(" ,")


def _without(parts: list[str], tags: Collection[str]) -> Iterator[str]:
    for part in parts:
        if canonical(part) in tags:
            continue
        # The first tag behind prose shares a part with the last words of that.
        prose, mark, tag = part.rpartition(_AFTER_PROSE)
        yield prose + mark.rstrip() if mark and canonical(tag) in tags else part


def spelled_list(text: str, vocabulary: Vocabulary | None = None) -> str:
    """Return a list of tags in our spelling, each once, or under the names of a vocabulary and without its blacklist.

    What is too long for a tag stays as it is, which lint names.
    """
    tags = (_spelled(part, vocabulary) for part in split_tags(text))
    return ", ".join(filter(None, dict.fromkeys(tags)))


def _spelled(part: str, vocabulary: Vocabulary | None) -> str:
    tag = canonical(part)
    if not tag:
        return one_line(part) if len(part.strip()) > LONGEST else ""
    if vocabulary is None:
        return tag
    word = vocabulary.words[tag]
    return word.text if word else ""
