"""Sets that are the same, or the same but for one word, among many: by sums of marks, in the time that sorting takes.

A set is known by the sum of its words' marks (64 bits each, added bit by bit): the sum less a word is that of the set
without it. Two sets that share such a sum differ by one word, more or less or exchanged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def marks_of(words: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return the marks of words that are known by numbers from 0, the same in every run."""
    known = int(words.max()) + 1 if len(words) else 0
    return np.random.default_rng(0).integers(1, 2**64, known, np.uint64)[words]


def sums_of(marks: NDArray[np.uint64], ends: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return the sum of each set, shape (n,); set i holds ``marks[ends[i]:ends[i + 1]]``. That of an empty one is 0."""
    sums = np.zeros(len(ends) - 1, np.uint64)
    filled = np.flatnonzero(np.diff(ends))
    if len(filled):
        sums[filled] = np.bitwise_xor.reduceat(marks, ends[filled])
    return sums


def first_with_same(sums: NDArray[np.uint64]) -> dict[int, int]:
    """Return for each set that is not empty and has an equal before it the first of those."""
    _, first, group = np.unique(sums, return_index=True, return_inverse=True)
    earliest = first[group]
    later = np.flatnonzero((earliest < np.arange(len(sums))) & (sums != 0))
    return {int(at): int(earliest[at]) for at in later}


def nearly_same(
    marks: NDArray[np.uint64], ends: NDArray[np.int64], sums: NDArray[np.uint64], among: Sequence[int]
) -> dict[int, int]:
    """Return for each of these sets that differs by one word from an earlier one the first of those.

    ``among`` are their numbers, in order; no two of them are equal.
    """
    values, owners = _less_one(marks, ends, sums, np.asarray(among, np.int32))
    candidates = _maybe_shared(values)
    _, group, times = np.unique(values[candidates], return_inverse=True, return_counts=True)
    owners = owners[candidates]
    earliest = np.full(len(times), len(sums), owners.dtype)
    np.minimum.at(earliest, group, owners)
    later = np.flatnonzero((times[group] > 1) & (earliest[group] < owners))
    nearest: dict[int, int] = {}
    for owner, first in zip(owners[later].tolist(), earliest[group[later]].tolist(), strict=True):
        nearest[owner] = min(first, nearest.get(owner, first))
    return nearest


def _less_one(
    marks: NDArray[np.uint64], ends: NDArray[np.int64], sums: NDArray[np.uint64], among: NDArray[np.int32]
) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    """Return the sums of the sets and of each of them less one word, and whose they are."""
    owners = np.repeat(np.arange(len(sums), dtype=np.int32), np.diff(ends))
    less = np.repeat(sums, np.diff(ends)) ^ marks
    if len(among) < len(sums):
        chosen = np.zeros(len(sums), bool)
        chosen[among] = True
        kept = chosen[owners]
        owners, less = owners[kept], less[kept]
    return np.concatenate([sums[among], less]), np.concatenate([among, owners])


def _maybe_shared(values: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return where the values stand that may be there twice, and few others: half of their bits are sorted, not all."""
    short = (values >> np.uint64(32)).astype(np.uint32)
    ordered = np.sort(short)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    marked = np.zeros(1 << 20, bool)
    marked[twice >> 12] = True
    return np.flatnonzero(marked[short >> 12])
