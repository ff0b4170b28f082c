"""Where images are known: each kind of library maps what it has to one relation `images`; all are read-only here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy import float32, int64
    from numpy.typing import NDArray

    from ..model import Group, ImageRecord, Problem, Tag
    from ..settings import LibraryProfile
    from ..store.connect import Store
    from .filter import DatasetFilter


@dataclass(frozen=True, slots=True)
class LibraryReport:
    """What a library turned out to be: ``facts`` are names and figures, ``problems`` what it lacks and what that costs.

    ``where`` names its file or server without user and password.
    """

    name: str
    kind: str
    where: str
    images: int
    facts: tuple[tuple[str, str], ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class HostSpace:
    """Vectors that a library holds itself, all of one encoder: ``space`` names that encoder and what it gives.

    ``of_images`` is False for vectors of texts about the images, such as their prompts.
    """

    space: str
    dimensions: int
    count: int
    origin: str
    of_images: bool = True


class HostVectors(NamedTuple):
    """Vectors of a library's images: ids and versions (n), vectors (n, dimensions).

    The version of a vector is a number that changes whenever the vector may have.
    """

    ids: NDArray[int64]
    versions: NDArray[int64]
    vectors: NDArray[float32]


class TagCount(NamedTuple):
    """How many images have a tag, and whether a tagger says that it is a character's name."""

    tag: str
    images: int
    character: bool


class Library(Protocol):
    """A place where images are known, with what is known of them.

    Each method raises LibraryError where the library is gone, is not what it should be, or does not know what is
    requested, and StoreError where our own store does not answer.
    """

    @property
    def name(self) -> str:
        """The library's name in ``lorads.toml``, stored in every record that comes from it."""
        ...

    def find(self, wanted: DatasetFilter) -> list[ImageRecord]:
        """Return the wanted images with their captions, in the filter's order."""
        ...

    def count(self, wanted: DatasetFilter) -> int:
        """Return how many images pass the filter, whatever its maximum."""
        ...

    def ids(self, wanted: DatasetFilter) -> list[int]:
        """Return the ids of the wanted images: in the filter's order where it has a maximum, else in any."""
        ...

    def tags(self, images: Sequence[ImageRecord]) -> Mapping[int, Sequence[Tag]]:
        """Return the tags of these images by image id; images without any are left out."""
        ...

    def tag_sources(self, ids: Sequence[int]) -> Mapping[int, Sequence[str]]:
        """Return who has given tags to these images, by image id; images without any are left out."""
        ...

    def tag_counts(self, ids: Sequence[int]) -> Sequence[TagCount]:
        """Return how many of these images have each tag, whatever its source, the most frequent first."""
        ...

    def groups(self, images: Sequence[ImageRecord]) -> Mapping[int, Sequence[Group]]:
        """Return the groups of these images by image id; images without any are left out."""
        ...

    def spaces(self) -> Sequence[HostSpace]:
        """Return what vectors the library holds itself, the most useful first; none for our own index."""
        ...

    def vector_versions(self, space: str) -> Mapping[int, int]:
        """Return the version of each vector that the library holds in a space, by image id."""
        ...

    def vectors(self, space: str, ids: Sequence[int]) -> Iterator[HostVectors]:
        """Yield these vectors in batches of some thousand, as they are; images without one are left out."""
        ...

    def revision(self) -> str:
        """Return a text that changes whenever an answer of this library may have changed."""
        ...

    def report(self) -> LibraryReport:
        """Look at the whole library, and say what it has and what it lacks."""
        ...


class LibraryKind(Protocol):
    """A kind of library: one module of ``library/kinds``."""

    @property
    def name(self) -> str:
        """What ``lorads.toml`` calls it."""
        ...

    @property
    def label(self) -> str:
        """What people call it."""
        ...

    def open(self, store: Store, profile: LibraryProfile) -> Library:
        """Return the library of a profile, without looking into it yet.

        Raises:
            SettingsError: an option of the profile is unknown, wrong or missing.
        """
        ...
