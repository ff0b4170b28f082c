"""The nouns of LoRADS as frozen values; nothing here reads a file or a database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path
    from uuid import UUID

Severity = Literal["error", "warning", "info"]
Position = Literal["prepend", "append", "none"]

Progress = Callable[[str, int, int], None]
"""``progress(step, done, total)``, called from the thread that called us. Whatever it raises cancels the work:
the work stops, cleans up, and the exception passes on to the caller."""


def no_progress(_step: str, _done: int, _total: int) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something a user should know about: ``code`` is stable, ``message`` says what to do, ``subject`` names a file."""

    severity: Severity
    code: str
    message: str
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag as its source gave it; ``confidence`` is 0–1, or None where the source knows none."""

    text: str
    source: str
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Caption:
    """A caption and where it came from; ``edited`` means a person wrote it and nothing may overwrite it unasked."""

    text: str
    source: str
    edited: bool = False
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """A picture as a library knows it; ``width`` and ``height`` are pixels of the upright picture.

    ``rating`` is 0–10 or None. ``hash`` is the SHA-256 of the file in hex, empty where the library knows none.
    """

    library: str
    id: int
    path: str
    width: int
    height: int
    file_size: int
    mtime_ns: int
    hash: str
    format: str
    rating: int | None = None
    marked_bad: bool = False
    prompt: str = ""
    captions: tuple[Caption, ...] = ()


@dataclass(frozen=True, slots=True)
class Trigger:
    """The word that calls the concept, and where it stands in a training caption."""

    word: str = ""
    position: Position = "prepend"


@dataclass(frozen=True, slots=True)
class DatasetImage:
    """A picture in a dataset, with its final caption (None until captioned)."""

    record: ImageRecord
    caption: Caption | None = None


@dataclass(frozen=True, slots=True)
class Dataset:
    """What is to be trained: pictures in order, regularization pictures, the trigger. Nodes return new ones."""

    id: UUID
    name: str
    library: str
    training: tuple[DatasetImage, ...] = ()
    regularization: tuple[DatasetImage, ...] = ()
    trigger: Trigger = field(default_factory=Trigger)


@dataclass(frozen=True, slots=True)
class Export:
    """A dataset on disk, whole: ``manifest_hash`` is the SHA-256 of its manifest and names this version."""

    dataset_id: UUID
    name: str
    folder: Path
    manifest_hash: str
    training_images: int
    regularization_images: int
    problems: tuple[Problem, ...] = ()
