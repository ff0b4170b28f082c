"""Reads the picture files behind records of a library; a missing file is a problem."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from ..errors import ImageError
from ..images.decode import is_ready
from ..images.facts import read_facts
from ..model import Problem, no_progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..model import ImageRecord, Progress

STEP = "files"
_CHUNK = 64


def read_file_facts(
    records: Sequence[ImageRecord], minimum_side: int = 0, progress: Progress = no_progress
) -> tuple[list[ImageRecord], list[Problem]]:
    """Return the records with what their files say, in order; and one problem for each whose file is of no use.

    Records that know their file (by indexing) pass as they are. ``minimum_side`` in pixels counts for those whose size
    was not known when they were queried.
    """
    found: list[ImageRecord] = []
    problems: list[Problem] = []
    with ThreadPoolExecutor(min(16, os.cpu_count() or 2)) as pool:
        for at in range(0, len(records), _CHUNK):
            for outcome in pool.map(partial(_read, minimum_side=minimum_side), records[at : at + _CHUNK]):
                if isinstance(outcome, Problem):
                    problems.append(outcome)
                else:
                    found.append(outcome)
            progress(STEP, min(at + _CHUNK, len(records)), len(records))
    return found, problems


def _read(record: ImageRecord, minimum_side: int) -> ImageRecord | Problem:
    if record.mtime_ns:
        return record
    try:
        facts = read_facts(record.path)
    except ImageError as error:
        return Problem("warning", "left-out", f"Left out: {error}", record.path)
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
