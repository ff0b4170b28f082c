"""All tags of images: a library's own, with those made here of the same files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...model import Tag
from ...store.model_tags import read_model_tags
from ..batches import current_version, record_version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...library import Library
    from ...model import ImageRecord
    from ...store.connect import Store
    from ...store.model_tags import StoredTags


def tags_of(store: Store, library: Library, images: Sequence[ImageRecord]) -> Mapping[int, Sequence[Tag]]:
    """Return the tags of a library's images by image id; images without any are left out.

    Tags that were made here of a file that has changed since are left out.

    Raises:
        LibraryError: the library cannot be queried.
        StoreError: the store does not answer.
    """
    found = dict(library.tags(images))
    with store.connection() as connection:
        made = read_model_tags(connection, library.name, [image.id for image in images])
    for image in images:
        if image.id in made:
            found[image.id] = _joined(image, found.get(image.id, ()), made[image.id])
    return {image_id: tags for image_id, tags in found.items() if tags}


def _joined(image: ImageRecord, theirs: Sequence[Tag], made: Sequence[StoredTags]) -> Sequence[Tag]:
    fresh = _fresh(image, {kept.version for kept in made})
    stale = {kept.source for kept in made if kept.version not in fresh}
    tags = [tag for tag in theirs if tag.source not in stale] if stale else list(theirs)
    for kept in made:
        if kept.source not in stale:
            tags += [Tag(text, kept.source, score) for text, score in zip(kept.tags, kept.scores, strict=True)]
    return tags


def _fresh(image: ImageRecord, versions: set[int]) -> set[int]:
    """Return which versions are that of the file, as its library knows it or, where that differs, as it is there."""
    fresh = versions & {record_version(image)}
    if fresh == versions:
        return fresh
    try:
        return fresh | (versions & {current_version(image.path)})
    except (OSError, ValueError):
        return fresh
