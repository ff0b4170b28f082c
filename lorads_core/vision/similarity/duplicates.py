"""Near-duplicates among images: copies, resaves, crops and small edits, by vectors and by perceptual prints; pure.

A vector alone proves little: encoders place two photographs of one scene as near as two copies, and DiffusionToolkit
copies vectors among images with the same settings. So likeness of vectors wants to be confirmed by the print.

Measured on 53 photographs (our samples, those of scikit-image and scikit-learn) with pHash and the vectors of a ResNet;
"found" is the share that the rule below calls near-duplicates:

    edit                       bits: median, 90 %, most    cosine: median, least    found
    JPEG of quality 60               0    2    7                0.999  0.942        100 %
    JPEG of quality 30               0    2    5                0.995  0.871        100 %
    half the size                    0    2   15                0.998  0.924         98 %
    grey                             0    0    2                0.925  0.806        100 %
    30 % darker                      0    2    4                0.985  0.904        100 %
    30 % brighter (it clips)         2    8   15                0.987  0.948         96 %
    a line of text                   2   10   20                0.998  0.984         98 %
    5 % cut off all around           6   10   22                0.985  0.966         98 %
    5 % cut off one side             8   14   16                0.987  0.973        100 %
    10 % cut off all around         12   18   26                0.976  0.942         83 %
    15 % cut off all around         16   22   27                0.967  0.849         43 %
    mirrored                        32   32   34                0.981  0.964          2 %
    another photograph       32, 1 % below 24, least 16    0.529, most 0.859          0 of 1,378 pairs

So crops of more than a tenth are mostly other images here, and mirrored ones always.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...model import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy import bool_, float32, int64, intp
    from numpy.typing import NDArray

    from ...model import ImageRecord

SAME_IMAGE = 6
"""Bits of 64 by which the prints of one image differ at most, however it was saved or scaled."""

# What Windows, macOS, Linux and browsers add to the name of a copy, in some languages.
_COPY = re.compile(r"( \(\d+\)|([ _-]+)(copy|kopie|copie|copia)( ?\(?\d+\)?)?)$", re.IGNORECASE)
_BITS = 64
_CONFIRMS = 16  # bits that are enough where the vectors are near, too
_NEAR = 0.96
_ALONE = 0.995  # cosine that is enough where a print is missing
_BLOCK = 256


def nearest_hashes(a: NDArray[int64], b: NDArray[int64]) -> NDArray[int64]:
    """Return in how many bits each of the prints a (n) differs from the nearest of b (m), 64 where b is empty."""
    nearest = np.full(len(a), _BITS, np.int64)
    ours, theirs = _signs(a), _signs(b)
    if len(b):
        for at in range(0, len(a), _BLOCK):
            rows = slice(at, at + _BLOCK)
            nearest[rows] = _apart(ours[rows], theirs).min(axis=1)
    return nearest


def _signs(prints: NDArray[int64]) -> NDArray[float32]:
    """Return the bits of prints (n) as 1 and -1 (n, 64), whose products are quicker than counting bits one by one."""
    octets = np.ascontiguousarray(prints, np.int64).view(np.uint8).reshape(-1, 8)
    return np.unpackbits(octets, axis=1).astype(np.float32) * 2 - 1


def _apart(a: NDArray[float32], b: NDArray[float32]) -> NDArray[float32]:
    """Return the bits (n, m) by which signs differ, exactly: whole numbers up to 64 are exact in float32."""
    return (_BITS - np.inner(a, b)) / 2


@dataclass(frozen=True, slots=True)
class ImageFeatures:
    """What is known of images, to tell near-duplicates: vectors (n, d) at length 1, and prints (n).

    ``has_vector`` and ``has_hash`` (n) say for which images.
    """

    vectors: NDArray[float32]
    has_vector: NDArray[bool_]
    hashes: NDArray[int64]
    has_hash: NDArray[bool_]


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A near-duplicate by its index, and how similar it is to the best of its group; None where that is not known."""

    index: int
    bits: int | None
    cosine: float | None


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """The place of an image to keep, and those that are nearly the same image."""

    best: int
    duplicates: tuple[Duplicate, ...]


@dataclass(frozen=True, slots=True)
class DuplicateReport:
    """Groups of near-duplicates by index, and a problem for each image that has a better duplicate."""

    groups: tuple[DuplicateGroup, ...]
    problems: tuple[Problem, ...]


def duplicate_report(records: Sequence[ImageRecord], alike: ImageFeatures) -> DuplicateReport:
    """Return the near-duplicates among images, the best of each group as the one to keep."""
    order = sorted(range(len(records)), key=lambda place: _rank(records[place]), reverse=True)
    found = _with_same_files(records, alike, order)
    problems = tuple(_problem(records, group.best, twin) for group in found for twin in group.duplicates)
    return DuplicateReport(tuple(found), problems)


def _with_same_files(
    records: Sequence[ImageRecord], alike: ImageFeatures, order: Sequence[int]
) -> list[DuplicateGroup]:
    """Return groups of near-duplicates, identical files among them, of which one is compared for all."""
    first: dict[str, int] = {}
    same: dict[int, int] = {}
    for place in order:
        earlier = first.setdefault(records[place].hash, place)
        if records[place].hash and earlier != place:
            same[place] = earlier
    lone = [place for place in order if place not in same]
    groups = {group.best: list(group.duplicates) for group in find_duplicates(alike, lone)}
    best_of = {twin.index: best for best, twins in groups.items() for twin in twins}
    for place, earlier in same.items():
        groups.setdefault(best_of.get(earlier, earlier), []).append(Duplicate(place, 0, None))
    return [DuplicateGroup(place, tuple(groups[place])) for place in lone if place in groups]


def is_same_file(one: ImageRecord, other: ImageRecord) -> bool:
    """Say whether two images are byte for byte the same file."""
    return bool(one.hash) and one.hash == other.hash


def _problem(records: Sequence[ImageRecord], kept: int, twin: Duplicate) -> Problem:
    if is_same_file(records[kept], records[twin.index]):
        message = f"It is identical to {records[kept].path}, byte for byte: leave one of the two out."
        return Problem("warning", "identical-file", message, records[twin.index].path)
    known = (
        "" if twin.bits is None else f"{twin.bits} of {_BITS} bits of their prints differ",
        "" if twin.cosine is None else f"similarity {twin.cosine:.3f}",
    )
    how = ", ".join(text for text in known if text)
    return Problem(
        "warning",
        "near-duplicate",
        f"It is nearly the same image as {records[kept].path} ({how}), which is the better one: keep that.",
        records[twin.index].path,
    )


def find_duplicates(alike: ImageFeatures, order: Sequence[int] = ()) -> list[DuplicateGroup]:
    """Return groups of near-duplicates, ordered by their best image.

    Two images are near-duplicates by print alone where it is nearly the same, by vector where the print confirms it,
    and by vector alone only where a print is missing and the vectors are as good as equal.

    Images are compared in ``order`` (indices, the most wanted first; as they come by default). One that is a
    near-duplicate of an earlier group's best image joins the most similar of those; any other begins a group. So all of
    a group resemble its best image, no two best images resemble each other, and a chain of ever more different images
    (A like B, B like C, A unlike C) is not one group. It takes time by images × groups, and memory for some blocks of
    256 × groups, however many are alike.
    """
    places = np.array(order, np.intp) if len(order) else np.arange(len(alike.has_hash), dtype=np.intp)
    signs = _signs(alike.hashes)
    kept = np.zeros(0, np.intp)
    found: dict[int, list[Duplicate]] = {}
    for at in range(0, len(places), _BLOCK):
        block = places[at : at + _BLOCK]
        columns = np.concatenate([kept, block])
        likeness = _Likeness(alike, signs, block, columns)
        is_kept = np.arange(len(columns)) < len(kept)
        for row, place in enumerate(block.tolist()):
            like = np.flatnonzero(likeness.same[row] & is_kept)
            if len(like):
                column = likeness.most_like(row, like)
                found.setdefault(int(columns[column]), []).append(likeness.twin(row, column, place))
            else:
                is_kept[len(kept) + row] = True
        kept = columns[is_kept]
    return [DuplicateGroup(place, tuple(found[place])) for place in kept.tolist() if place in found]


class _Likeness:
    """How like some images (rows) are to others (columns), in bits and cosines: 64 and -1 where unknown."""

    def __init__(
        self, alike: ImageFeatures, signs: NDArray[float32], rows: NDArray[intp], columns: NDArray[intp]
    ) -> None:
        self._printed = np.logical_and.outer(alike.has_hash[rows], alike.has_hash[columns])
        self._embedded = np.logical_and.outer(alike.has_vector[rows], alike.has_vector[columns])
        self._bits = np.where(self._printed, _apart(signs[rows], signs[columns]), np.float32(_BITS))
        wanted = self._embedded & ((self._bits <= _CONFIRMS) | ~self._printed)
        # Most pairs are told by their prints alone; only rows and columns that are not are compared by vectors.
        here, there = np.flatnonzero(wanted.any(axis=1)), np.flatnonzero(wanted.any(axis=0))
        self._near = np.full(wanted.shape, -1, np.float32)
        self._near[np.ix_(here, there)] = np.inner(alike.vectors[rows[here]], alike.vectors[columns[there]])
        self._near[~self._embedded] = -1
        self.same = (
            (self._bits <= SAME_IMAGE)
            | ((self._near >= _NEAR) & (self._bits <= _CONFIRMS))
            | ((self._near >= _ALONE) & ~self._printed)
        )

    def most_like(self, row: int, columns: NDArray[intp]) -> int:
        """Return the column that a row is most like: by bits, then by cosine, then the first."""
        return int(columns[np.lexsort((-self._near[row, columns], self._bits[row, columns]))[0]])

    def twin(self, row: int, column: int, place: int) -> Duplicate:
        apart = int(self._bits[row, column]) if self._printed[row, column] else None
        return Duplicate(place, apart, float(self._near[row, column]) if self._embedded[row, column] else None)


def _rank(record: ImageRecord) -> tuple[float, float, int, int, bool, int, int]:
    """Return what makes an image the one to keep.

    Rating, aesthetic score, pixels, size of the file; then the name: no copy's (``a copy.png``), short, the lowest id.
    """
    name = record.path.replace("\\", "/").rpartition("/")[2]
    return (
        record.rating if record.rating is not None else -1,
        record.aesthetic if record.aesthetic is not None else float("-inf"),
        record.width * record.height,
        record.file_size,
        not _COPY.search(name.rpartition(".")[0]),
        -len(name),
        -record.id,
    )
