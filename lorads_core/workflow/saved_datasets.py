"""Datasets of the store: listed, renamed, removed; exports that were written stay on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import CaptionError
from ..store import datasets
from ..system.names import is_text

if TYPE_CHECKING:
    from uuid import UUID

    from ..store.connect import Store
    from ..store.datasets import DatasetName, DatasetSummary


def list_datasets(store: Store) -> list[DatasetSummary]:
    """Return all datasets, the one that changed last first; those without images too."""
    with store.connection() as connection:
        return datasets.list_datasets(connection, with_empty=True)


def rename_dataset(store: Store, name: str, new: str) -> None:
    """Give a dataset another name: captions, edits, history and rejections stay with it.

    Raises:
        CaptionError: there is none called ``name``, it is another user's, or ``new`` is empty or taken.
    """
    if not new.strip() or not is_text(new) or "/" in new:
        raise CaptionError(f"A dataset cannot be called {new!r:.80}: give a name without slashes.")
    dataset, _ = _own(store, name)
    with store.connection() as connection:
        if not datasets.rename_dataset(connection, dataset, new):
            raise CaptionError(f"There is a dataset {new!r} already: choose another name, or remove that one first.")


def remove_dataset(store: Store, name: str) -> None:
    """Remove a dataset with its captions, their history and its rejections; images, exports and runs stay.

    Raises:
        CaptionError: there is none of that name, or it is another user's.
    """
    dataset, _ = _own(store, name)
    with store.connection() as connection:
        datasets.remove_dataset(connection, dataset)


def edited_captions(store: Store, name: str) -> int:
    """Return how many captions of a dataset people have edited.

    Raises:
        CaptionError: there is none of that name, or it is another user's.
    """
    dataset, _ = _own(store, name)
    with store.connection() as connection:
        return datasets.count_edited(connection, dataset)


def _own(store: Store, name: str) -> tuple[UUID, DatasetName]:
    """Return the dataset that this user means by a name and may change."""
    with store.connection() as connection:
        found = datasets.find_dataset(connection, name, store.owner)
        if found is None:
            raise CaptionError(datasets.no_dataset(connection, name, store.owner))
    if found[1].owner not in {"", store.owner}:
        raise CaptionError(f"The dataset {name!r} is {found[1].owner}'s: only its owner may change it.")
    return found
