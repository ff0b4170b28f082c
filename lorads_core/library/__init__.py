"""Where images are known: each module maps one kind of library to the relation `images`; all are read-only here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..model import ImageRecord, Tag
    from .filter import DatasetFilter


class Library(Protocol):
    """A place where images are known, with what is known of them."""

    @property
    def name(self) -> str:
        """The library's name in ``lorads.toml``, kept in every record that comes from it."""
        ...

    def find(self, wanted: DatasetFilter) -> list[ImageRecord]:
        """Return the wanted images with their captions, in the filter's order.

        Raises:
            LibraryError: the filter asks for what this library does not know.
            StoreError: the database does not answer.
        """
        ...

    def count(self, wanted: DatasetFilter) -> int:
        """Return how many images pass the filter, whatever its maximum."""
        ...

    def tags(self, images: Sequence[ImageRecord]) -> Mapping[int, Sequence[Tag]]:
        """Return the tags of these images by image id; images without any are left out."""
        ...

    def revision(self) -> str:
        """Return a text that changes whenever an answer of this library may have changed."""
        ...
