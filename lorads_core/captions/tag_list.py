"""The parts of a caption between its commas; what is not touched stays byte for byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..tags import canonical

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

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
