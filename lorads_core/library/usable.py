"""Usable images of a library: those that pass a filter and whose files are here, as many as the filter wants."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..model import Problem, no_progress
from .files import read_file_facts

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..model import ImageRecord, Progress
    from . import Library
    from .filter import DatasetFilter

_MORE = 4  # times as many images as in the query before: all queries together cost little more than the last


@dataclass(frozen=True, slots=True)
class UsableImages:
    """Records of usable images in the filter's order, a problem for each that is not, and how many passed the filter.

    With a maximum, those count as passed that were looked at.
    """

    records: tuple[ImageRecord, ...]
    problems: tuple[Problem, ...]
    passed: int


def find_usable(
    library: Library,
    wanted: DatasetFilter,
    progress: Progress = no_progress,
    accept: Callable[[ImageRecord], bool] = lambda _record: True,
) -> UsableImages:
    """Return the images that pass a filter, are accepted, and can be used.

    ``wanted.maximum_images`` counts usable images: a file that is missing or cannot be read is replaced by the next.
    """
    most = wanted.maximum_images
    if most is None:
        rows = [record for record in library.find(wanted) if accept(record)]
        records, problems = read_file_facts(rows, wanted.minimum_side, progress)
        return UsableImages(tuple(records), tuple(problems), len(rows))
    return _as_many(library, wanted, most, progress, accept)


def _as_many(
    library: Library, wanted: DatasetFilter, most: int, progress: Progress, accept: Callable[[ImageRecord], bool]
) -> UsableImages:
    records: list[ImageRecord] = []
    problems: list[Problem] = []
    seen: set[int] = set()
    limit = most
    while True:
        rows = library.find(replace(wanted, maximum_images=limit))
        fresh = [record for record in rows if record.id not in seen and accept(record)]
        seen.update(record.id for record in rows)
        found, unusable = read_file_facts(fresh, wanted.minimum_side, progress, most - len(records))
        records += found
        problems += unusable
        if len(records) == most or len(rows) < limit:
            break
        limit *= _MORE
    passed = len(records) + len(problems)
    if problems and len(records) == most:
        problems.append(_replaced(len(problems), most))
    return UsableImages(tuple(records), tuple(problems), passed)


def _replaced(unusable: int, most: int) -> Problem:
    images = "1 image that passes" if unusable == 1 else f"{unusable:,} images that pass"
    message = f"{images} the filter cannot be used and the next ones were selected instead, {most:,} altogether."
    return Problem("info", "replaced", message)
