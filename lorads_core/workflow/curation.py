"""What people decide about images of our own index: ratings, marks, albums, clusters; other libraries are read-only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import LibraryError
from ..library.filter import DatasetFilter
from ..library.kinds.index import IndexedLibrary
from ..model import Group, Problem, no_progress
from ..problems import counted
from ..store import datasets, groups
from ..store import images as rows
from ..store.vectors import coverage, find_table, read_vectors
from ..system.command import command
from ..vision.similarity.clusters import propose

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..library import Library
    from ..model import GroupKind, Progress
    from ..store.connect import Store


class Judging:
    """Decisions on a library of our own.

    Raises:
        LibraryError: the library is not LoRADS's own.
    """

    def __init__(self, store: Store, library: Library) -> None:
        if not isinstance(library, IndexedLibrary):
            raise LibraryError(
                f"Library {library.name!r} belongs to another program and is only read here: rate, mark and group its"
                " images there, or index their folder as a library of our own."
            )
        self._store = store
        self._library = library

    def rate(self, wanted: DatasetFilter, rating: int | None) -> int:
        """Rate the wanted images 0-10, or take their rating away; return how many changed."""
        ids = self._library.ids(wanted)
        with self._store.connection() as connection:
            return rows.set_rating(connection, self._library.name, ids, rating)

    def mark(self, wanted: DatasetFilter, *, bad: bool) -> int:
        """Mark the wanted images as bad or as good; return how many changed."""
        ids = self._library.ids(wanted)
        with self._store.connection() as connection:
            return rows.set_marked_bad(connection, self._library.name, ids, bad=bad)

    def forgettable(self, wanted: DatasetFilter, *, missing: bool = False) -> tuple[list[int], tuple[Problem, ...]]:
        """Return which of the wanted images can leave the index, and what to know before they do.

        With ``missing`` those whose files are gone, of the wanted folders. Images whose captions a person has edited
        in a dataset stay, as indexing them again would give other images, without these captions.
        """
        name = self._library.name
        ids = self._missing(wanted.folders) if missing else self._library.ids(wanted)
        with self._store.connection() as connection:
            edited = datasets.edited_anywhere(connection, name, ids)
            ids = [image_id for image_id in ids if image_id not in edited]
            held = datasets.datasets_of(connection, name, ids)
        return ids, tuple(_about_forgetting(len(edited), held))

    def _missing(self, folders: Sequence[str]) -> list[int]:
        with self._store.connection() as connection:
            gone = rows.known_missing(connection, self._library.name)
        local = self._library.paths.local
        below = [Path(folder) for folder in folders]
        return [
            image_id
            for image_id, folder in gone
            if not below or any(Path(local(folder)).is_relative_to(each) for each in below)
        ]

    def forget(self, ids: Sequence[int]) -> int:
        """Take images out of the index, with their tags, ratings, groups and vectors; return how many."""
        with self._store.connection() as connection:
            return rows.delete_images(connection, self._library.name, ids)

    def gather(self, group: Group, wanted: DatasetFilter, *, remove: bool = False) -> int:
        """Put the wanted images into a group, which is made where there is none, or take them out; return how many."""
        group = Group(group.kind, _name(group.kind, group.name))
        ids = self._library.ids(wanted)
        change = groups.remove if remove else groups.add
        with self._store.connection() as connection:
            return change(connection, self._library.name, group, ids)

    def rename(self, kind: GroupKind, name: str, new: str) -> None:
        """Give a group another name; one that has it already takes its images in.

        Raises:
            LibraryError: there is no such group, or the new name is empty.
        """
        new = _name(kind, new)
        with self._store.connection() as connection:
            if not any(
                found.group == Group(kind, name) for found in groups.list_groups(connection, self._library.name)
            ):
                raise LibraryError(f"Library {self._library.name!r} has no {kind} {name!r}.")
            groups.rename(connection, self._library.name, Group(kind, name), new)

    def listed(self, kind: GroupKind) -> list[tuple[str, str]]:
        """Return the groups of a kind with what is in them, in words."""
        with self._store.connection() as connection:
            return [
                (found.group.name, f"{counted(found.images, 'image')}{', proposed' if found.proposed else ''}")
                for found in groups.list_groups(connection, self._library.name)
                if found.group.kind == kind
            ]


def _about_forgetting(edited: int, held: Sequence[tuple[str, int]]) -> Iterator[Problem]:
    if edited:
        stay = counted(edited, "image stays", "images stay")
        message = f"{stay} in the index, with captions edited by hand in a dataset: remove that dataset first."
        yield Problem("warning", "edited", message)
    if held:
        names = ", ".join(f"{name} ({count:,})" for name, count in held)
        yield Problem("warning", "in-datasets", f"They leave datasets too, which need to be built again: {names}.")


def _name(kind: GroupKind, text: str) -> str:
    """Return a name that can be shown in a line and typed again.

    Raises:
        LibraryError: it is empty, or has line breaks or other control characters.
    """
    name = text.strip()
    if not name or not name.isprintable():
        raise LibraryError(f"{text!r} is no name for a {kind}: give one of letters, digits and signs.")
    return name


@dataclass(frozen=True, slots=True)
class ClusterReport:
    """What clustering has proposed."""

    images: int
    groups: int
    grouped: int
    problems: tuple[Problem, ...]

    @property
    def sentence(self) -> str:
        """The numbers, in words."""
        return f"{counted(self.groups, 'group')} with {self.grouped:,} of {counted(self.images, 'image')} proposed"


def propose_clusters(
    store: Store,
    library: Library,
    wanted: DatasetFilter,
    smallest: int = 5,
    space: str = "",
    progress: Progress = no_progress,
) -> ClusterReport:
    """Propose clusters of images that are alike; former proposals that nobody has named go.

    Images in a named cluster stay where they are.

    Raises:
        LibraryError: the library is not LoRADS's own, has no vectors, or more images are wanted than can be clustered.
        SettingsError: scikit-learn is not installed.
    """
    Judging(store, library)  # says so where the library is not LoRADS's own
    with store.connection() as connection:
        named = [each.group.name for each in groups.list_groups(connection, library.name) if _is_named(each)]
    taken = {image_id for name in named for image_id in library.ids(DatasetFilter(cluster=name))}
    ids = [image_id for image_id in library.ids(wanted) if image_id not in taken]
    with store.connection() as connection:
        known = [each.space.name for each in coverage(connection, library.name)]
        chosen = space or (known[0] if known else "")
        table = find_table(connection, library.name, chosen) if chosen in known else None
        if table is None:
            raise LibraryError(
                f"Library {library.name!r} has no vectors{f' of the space {space!r}' if space else ''} to cluster by:"
                f" run {command('embed', '--library', library.name)} first."
            )
        found, vectors = read_vectors(connection, table, ids)
    progress("cluster", 0, len(found))
    proposed = propose(found, vectors, smallest)
    with store.connection() as connection:
        groups.propose(connection, library.name, {each.name: each.ids for each in proposed})
    progress("cluster", len(found), len(found))
    return ClusterReport(len(ids), len(proposed), sum(len(each.ids) for each in proposed), _without(ids, len(found)))


def _is_named(listed: groups.GroupSummary) -> bool:
    return listed.group.kind == "cluster" and not listed.proposed


def _without(ids: Sequence[int], found: int) -> tuple[Problem, ...]:
    if found == len(ids):
        return ()
    return (
        Problem(
            "warning",
            "no-vectors",
            f"{counted(len(ids) - found, 'image has', 'images have')} no vector: run {command('embed')} for them.",
        ),
    )
