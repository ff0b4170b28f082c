"""Reads the image files behind records of a library; a missing file is a problem."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from ..errors import ImageError
from ..images.decode import is_ready
from ..images.facts import read_facts
from ..images.files import check_unchanged, os_error_reason, printable_path
from ..model import Problem, no_progress

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..model import ImageRecord, Progress

STEP = "files"
_CHUNK = 64
_LEAST = 8  # files read at once where only a few more are wanted: as many as a network drive answers together


def read_file_facts(
    records: Sequence[ImageRecord],
    minimum_side: int = 0,
    progress: Progress = no_progress,
    most: int | None = None,
) -> tuple[list[ImageRecord], list[Problem]]:
    """Return the records with what their files say, in order; and one problem for each whose file is of no use.

    Records that know their file (by indexing) pass as they are; with ``most`` they are looked at too, since then it
    stops after that many usable ones and a missing one would count. ``minimum_side`` in pixels counts for those whose
    size was not known when they were queried.
    """
    found: list[ImageRecord] = []
    problems: list[Problem] = []
    read = partial(_read, minimum_side=minimum_side, check_known=most is not None)
    at = 0
    with ThreadPoolExecutor(min(16, os.cpu_count() or 2)) as pool:
        while at < len(records) and (most is None or len(found) < most):
            block = records[at : at + (_CHUNK if most is None else min(_CHUNK, max(most - len(found), _LEAST)))]
            for outcome in pool.map(read, block):
                at += 1
                if isinstance(outcome, Problem):
                    problems.append(outcome)
                else:
                    found.append(outcome)
                    if len(found) == most:
                        break
            progress(STEP, at if most is None else len(found), len(records) if most is None else most)
    return found, problems


def missing_files(paths: Iterable[str]) -> list[bool]:
    """Say of each path whether no regular file is there; looked at several at once, as network drives are slow."""
    with ThreadPoolExecutor(min(16, os.cpu_count() or 2)) as pool:
        return list(pool.map(_is_missing, paths))


def _is_missing(path: str) -> bool:
    try:
        return not os.path.isfile(path)  # noqa: PTH113 - a Path would be built for each of many files
    except ValueError:  # a NUL in the name
        return True


def _read(record: ImageRecord, minimum_side: int, *, check_known: bool) -> ImageRecord | Problem:
    try:
        if record.mtime_ns:
            return _checked(record) if check_known else record
        facts = read_facts(record.path)
    except ImageError as error:
        return Problem("warning", "left-out", f"Left out: {_reason(record, error)}", record.path)
    if not record.width and min(facts.width, facts.height) < minimum_side:
        return Problem(
            "info", "too-small", f"Left out: it has {facts.width} × {facts.height} pixels, too few.", record.path
        )
    return replace(
        record,
        width=facts.width,
        height=facts.height,
        file_size=facts.file_size,
        mtime_ns=facts.mtime_ns,
        hash=facts.sha256,
        format=facts.format,
        ready=is_ready(facts),
    )


def _reason(record: ImageRecord, error: ImageError) -> str:
    """Return why a file is of no use; one of another program's library is not to be indexed here."""
    if record.mtime_ns or not isinstance(error.__cause__, FileNotFoundError | NotADirectoryError):
        return str(error)
    return (
        f"{printable_path(record.path)} is not there: map its folder to this machine under"
        f" [libraries.{record.library}.paths] in lorads.toml, or have the program that indexed it rescan its folders."
    )


def _checked(record: ImageRecord) -> ImageRecord:
    """Return a record whose file is there as it was indexed, or raise an `ImageError`."""
    try:
        check_unchanged(record.path, os.stat(record.path), record.stamp)  # noqa: PTH116 - as above
    except OSError as error:
        raise os_error_reason(record.path, error) from error
    return record
