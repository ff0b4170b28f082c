"""What was chosen, as pictures: datasets on contact sheets, the finder's band on a histogram; it chooses nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .pictures.histogram import similarity_histogram
from .pictures.sheet import Cell, contact_sheet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image

    from .finder.rules import Found
    from .model import DatasetImage


def sheet(images: Sequence[DatasetImage], title: str) -> Image.Image:
    """Return a contact sheet of images, each with its id, size, rating and the reason why it was picked."""
    return contact_sheet([_cell(image) for image in images], title=title)


def _cell(image: DatasetImage) -> Cell:
    record = image.record
    rating = f", {record.rating}/10" if record.rating is not None else ""
    reason = image.reason.split(", ") if image.reason else []
    return Cell(record.path, (f"{record.id}: {record.width}×{record.height}{rating}", *reason))


def histogram(found: Found, name: str) -> Image.Image:
    """Return how a library lies to the dataset called ``name``, with the band and the picks."""
    likeness = found.likeness
    return similarity_histogram(
        library=likeness.library,
        training=likeness.training,
        picks=likeness.picks,
        lowest=likeness.band.lowest,
        highest=likeness.band.highest,
        title=f"Similarity to {name}",
    )
