"""Tags that no image of a library has, as a typing error would be: named with the tags that are nearest."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from ..tags import canonical
from .filter import DatasetFilter

if TYPE_CHECKING:
    from . import Library

_MOST_IMAGES = 20_000  # whose tags are compared: enough for the tags that people filter by
_MOST_TAGS = 20_000  # the most frequent ones; more take seconds to compare
_MOST_NAMED = 3


def unknown_tag(library: Library, tag: str) -> str:
    """Return a sentence that no image of a library has a tag, with those that are near; empty where one has it."""
    if library.count(DatasetFilter(required_tags=(tag,), exclude_marked_bad=False)):
        return ""
    ids = library.ids(DatasetFilter(maximum_images=_MOST_IMAGES, exclude_marked_bad=False))
    known = [each.tag for each in library.tag_counts(ids)[:_MOST_TAGS]]
    near = ", ".join(map(repr, get_close_matches(canonical(tag), known, _MOST_NAMED)))
    hint = f"did you mean {near}?" if near else "check its spelling."
    return f"No image of library {library.name} has the tag {tag!r}: {hint}"
