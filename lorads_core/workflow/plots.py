"""What was chosen, as images: contact sheets, the finder's band, what captions are made of; it chooses nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..captions.analysis import analyse
from ..plots.buckets import bucket_plot
from ..plots.captions import SourceBar, TagBar, caption_plot
from ..plots.histogram import similarity_histogram
from ..plots.loss import LossPoint, loss_plot
from ..plots.sheet import Cell, contact_sheet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image

    from ..captions.analysis import Analysis, CaptionSet, Lengths
    from ..export.write import ExportResult
    from ..model import Dataset, DatasetImage, Run
    from ..regularization.rules import LibrarySimilarity
    from ..runs.run_folder import Point

_FEW = 24
_SMALL = 128  # pixels


def sheet(images: Sequence[DatasetImage], title: str) -> Image.Image:
    """Return a contact sheet of images, each with its id, size, rating and the reason why it was picked."""
    return contact_sheet([_cell(image) for image in images], title=title)


def thumbnails(images: Sequence[DatasetImage]) -> Image.Image | None:
    """Return the first images small, for a node to show at little cost; None where there is none.

    Each has its rating, and the reason why it was picked where there is one.
    """
    few = images[:_FEW]
    return contact_sheet([_small_cell(image) for image in few], size=_SMALL) if few else None


def _small_cell(image: DatasetImage) -> Cell:
    record = image.record
    lines = [f"rated {record.rating}/10"] if record.rating is not None else []
    lines += image.reason.split(", ") if image.reason else []
    return Cell(record.path, tuple(lines or [f"{record.width}×{record.height}"]))


def _cell(image: DatasetImage) -> Cell:
    record = image.record
    rating = f", {record.rating}/10" if record.rating is not None else ""
    reason = image.reason.split(", ") if image.reason else []
    return Cell(record.path, (f"{record.id}: {record.width}×{record.height}{rating}", *reason))


def histogram(likeness: LibrarySimilarity, name: str) -> Image.Image:
    """Return how a library lies to the dataset called ``name``, with the band and the picks."""
    return similarity_histogram(
        library=likeness.library,
        training=likeness.training,
        picks=likeness.picks,
        lowest=likeness.band.lowest,
        highest=likeness.band.highest,
        title=f"Similarity to {name}",
    )


def bucket_image(result: ExportResult) -> Image.Image:
    """Return the buckets that a trainer makes of an export, with the samples of an epoch in each."""
    schedule = result.schedule
    return bucket_plot(result.bars, schedule.full_batch, f"Buckets of {result.export.name}", schedule.rest)


def caption_image(dataset: Dataset, analysis: Analysis | None = None, limits: Sequence[int] = ()) -> Image.Image:
    """Return what a dataset's captions are made of: tags, lengths, sources.

    Args:
        dataset: with captions.
        analysis: of this dataset, where it was analysed already; lengths are in tokens where it has counted them.
        limits: the numbers of tokens that trainers can be set to, as a `CaptionProfile` has them.
    """
    found = analysis or analyse(dataset)
    training, regularization = found.training, found.regularization
    unit = "characters" if training.lengths.tokens is None else "tokens"
    return caption_plot(
        tags=[TagBar(each.tag, each.training, each.regularization) for each in found.tags],
        tagged=(training.tagged, regularization.tagged),
        lengths=(_lengths(training.lengths), _lengths(regularization.lengths)),
        unit=unit,
        limits=limits if unit == "tokens" else (),
        sources=_sources(training, regularization),
        title=f"Captions of {dataset.name}",
    )


def _lengths(lengths: Lengths) -> Sequence[tuple[int, int]]:
    return (lengths.tokens or lengths.characters).counts


def _sources(training: CaptionSet, regularization: CaptionSet) -> list[SourceBar]:
    """Return the sources of both sets, and what has no caption as one of them."""
    first, second = dict(training.sources), dict(regularization.sources)
    names = sorted(first.keys() | second.keys(), key=lambda name: (-first.get(name, 0), -second.get(name, 0), name))
    found = [SourceBar(name, first.get(name, 0), second.get(name, 0)) for name in names]
    without = training.images - training.captions, regularization.images - regularization.captions
    return [*found, SourceBar("no caption", *without)] if any(without) else found


def loss_image(run: Run, points: Sequence[Point]) -> Image.Image:
    """Return the course of a training: its loss and learning rate over the steps."""
    courses = [LossPoint(point.step, point.loss, point.learning_rate) for point in points]
    note = f"{run.state}, {run.progress}"
    return loss_plot(courses, run.total_steps, f"Training of {run.name}", note)
