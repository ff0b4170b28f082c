"""Tagging a library's images that have no tags of a tagger's kind yet, and storing the result.

An image counts as tagged where the tagger has seen the file as it is now, or where the library has tags of that kind of
tagger itself (`said_by`): from a sidecar, or from the program whose library it is.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from ...captions.merge import MergeRules, said_by
from ...library.kinds.index import IndexedLibrary
from ...model import Tag, no_progress
from ...store.images import bump_revision
from ...store.model_tags import ModelTags, model_tag_sources, tagged_versions, write_model_tags
from ..batches import REASONS, BatchFeed, problem, wanted_ids
from .labels import CHARACTER, RATING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from ...library import Library
    from ...library.filter import DatasetFilter
    from ...model import ImageRecord, Problem, Progress
    from ...store.batches import Refused
    from ...store.connect import Store
    from ..batches import PreparedImage
    from . import Tagger

TAG = "tag"
_NO_TAGS = "no-tags"
_RULES = MergeRules()
_REFUSED = "refused"
_REASONS = {
    **REASONS,
    _NO_TAGS: "that the tagger gives no scores for",
    _REFUSED: "whose tags the store does not take",
}


@dataclass(frozen=True, slots=True)
class TagReport:
    """What became of the wanted images, in numbers of them.

    ``tagged`` have new tags by the tagger, ``unchanged`` had its tags already, ``already_tagged`` have tags of its
    kind from the library itself. ``problems`` has one for each image that could not be tagged.
    """

    library: str
    source: str
    tagged: int
    unchanged: int
    already_tagged: int
    seconds: float
    problems: tuple[Problem, ...] = ()

    @property
    def sentence(self) -> str:
        """The numbers, in words."""
        rate = self.tagged / self.seconds if self.seconds else 0
        counts = Counter(each.code for each in self.problems)
        lacking = ", ".join(f"{number:,} {_REASONS[code]}" for code, number in counts.most_common())
        return (
            f"{self.library} by {self.source}: {self.tagged:,} tagged, {self.unchanged:,} tagged before,"
            f" {self.already_tagged:,} with such tags of the library;"
            f" without: {lacking or 'none'}; {self.seconds:.1f} s,"
            f" {rate:,.1f} tagged a second"
        )


def tag_library(
    store: Store,
    library: Library,
    tagger: Tagger,
    wanted: DatasetFilter,
    progress: Progress = no_progress,
    *,
    again: bool = False,
) -> TagReport:
    """Tag the wanted images that have no tags of the tagger's kind, or whose file has changed since.

    Each batch is committed, so that it can be cut off at any time, and the same call goes on. A file that is missing or
    cannot be read costs a problem.

    Args:
        store: where the tags go, under the library's name and the tagger's source.
        library: the images; nothing is written to it, but for our own index, whose filters see the tags.
        tagger: the tagger.
        wanted: the images to tag.
        progress: called as ("tag", done, total) with numbers of images.
        again: tag all wanted images, whatever tags they have.

    Raises:
        LibraryError: the library cannot be queried.
        SettingsError: the tagger cannot be run.
        StoreError: the store cannot be written.
    """
    started = monotonic()
    tagging = _Tagging(store, library, tagger)
    with store.connection() as connection:
        known = tagged_versions(connection, library.name, tagger.source)
        tagging.ours = model_tag_sources(connection, library.name)
    if again:
        feed = BatchFeed(library, tagger, TAG, progress, {}, tagging.write)
    else:
        feed = BatchFeed(library, tagger, TAG, progress, known, tagging.write, tagging.held, tagging.look)
    feed.run(wanted_ids(library, wanted))
    return TagReport(
        library=library.name,
        source=tagger.source,
        tagged=tagging.tagged,
        unchanged=feed.kept,
        already_tagged=feed.spared,
        seconds=monotonic() - started,
        problems=tuple(feed.problems),
    )


class _Tagging:
    """Running a tagger over batches, and writing what it says; ``ours`` are the sources of tags that were made here.

    ``filters`` says that the library is our own index, whose filters are to see the tags.
    """

    def __init__(self, store: Store, library: Library, tagger: Tagger) -> None:
        self.store = store
        self.library = library
        self.tagger = tagger
        self.filters = isinstance(library, IndexedLibrary)
        self.ours: set[str] = set()
        self.tagged = 0

    def held(self, records: Sequence[ImageRecord]) -> Collection[int]:
        """Return which images have tags of the tagger's kind by the library itself."""
        sources = self.library.tag_sources([record.id for record in records])
        return {image_id for image_id, names in sources.items() if self._is_held(names)}

    def look(self, ids: Sequence[int]) -> dict[int, int]:
        """Return the versions of files that the tagger has seen by now, be it in another program."""
        with self.store.connection() as connection:
            return tagged_versions(connection, self.library.name, self.tagger.source, ids)

    def _is_held(self, sources: Iterable[str]) -> bool:
        return any(self.tagger.kind in said_by(Tag("", source)) for source in sources if source not in self.ours)

    def write(self, batch: Sequence[PreparedImage]) -> list[Problem]:
        """Tag a batch and commit it, with a mark that answers of the library may have changed."""
        tags = self.tagger.tag([fitted.image for fitted in batch])
        made = [
            ModelTags(fitted.image_id, fitted.version, found, list(sure_tags(found)) if self.filters else ())
            for fitted, found in zip(batch, tags, strict=True)
            if found is not None
        ]
        refused = self._store(made)
        self.tagged += len(made) - len(refused)
        self.ours |= {tag.source for each in made for tag in each.tags}
        paths = {fitted.image_id: fitted.path for fitted in batch}
        problems = [
            problem(
                _NO_TAGS, fitted.path, "The tagger gives no scores for it (NaN): leave it out, or use another model."
            )
            for fitted, found in zip(batch, tags, strict=True)
            if found is None
        ]
        for each in refused:
            message = f"The store does not take its tags ({each.reason}): look at the tagger's list of tags."
            problems.append(problem(_REFUSED, paths[made[each.position].image_id], message))
        return problems

    def _store(self, made: Sequence[ModelTags]) -> list[Refused]:
        if not made:
            return []
        with self.store.connection() as connection, connection.transaction():
            refused = write_model_tags(connection, self.library.name, self.tagger.source, made)
            bump_revision(connection, self.library.name)
        return refused


def sure_tags(tags: Sequence[Tag]) -> Iterator[Tag]:
    """Yield the tags of one tagger that count by themselves: above its threshold, and of ratings the strongest.

    Filters ask whether an image has a tag, not how surely: all that a tagger has a notion of would let all pass.
    """
    ratings = [tag for tag in tags if tag.source.endswith(f":{RATING}")]
    if ratings:
        yield max(ratings, key=lambda tag: tag.confidence or 0)
    for tag in tags:
        if tag not in ratings and (tag.confidence or 0) >= _threshold(tag):
            yield tag


def _threshold(tag: Tag) -> float:
    if "wd" not in said_by(tag):
        return _RULES.joytag
    return _RULES.wd_character if tag.source.endswith(f":{CHARACTER}") else _RULES.wd_general
