"""What the stages before a training leave in the cache of an export: a file for each image, counted and checked.

The trainer names these files and looks for them itself, and leaves out of the training whatever it does not find: so
nothing is trained before they are all there.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..checkpoints.safetensors import read_safetensors
from ..errors import TrainerError
from ..problems import counted
from ..system.files import remove_if_possible
from ..system.links import is_link_or_junction
from .failure_reasons import failure_reason
from .outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .run_folder import Caching, Order


def cached_files(order: Order, stage: Caching) -> Iterator[Path]:
    """Yield the files that a stage has left so far; some may be half-written."""
    for folder in _entries(Path(order.cache)):
        yield from (file for file in _entries(folder) if file.name.endswith(stage.suffix))


def _entries(folder: Path) -> list[Path]:
    try:
        return [folder / name for name in os.listdir(folder)]  # noqa: PTH208 - a Path's own raises later
    except OSError:
        return []


def make_cache(folder: Path, subsets: Iterable[str]) -> None:
    """Make the folders that the stages before a training write to, and remove from.

    Raises:
        TrainerError: one of them is a link to elsewhere, as an export from a stranger may have it.
        OSError: it cannot be made.
    """
    for each in (folder, *(folder / name for name in subsets)):
        if is_link_or_junction(each):
            raise TrainerError(f"{each} is a link, and what is cached shall stay in the export: remove it.")
        each.mkdir(exist_ok=True)


def count_missing(order: Order, stage: Caching) -> int:
    """Return of how many images there is no whole file."""
    return max(0, order.images - sum(map(_is_whole, cached_files(order, stage))))


def remove_broken(order: Order, stage: Caching) -> None:
    """Remove the files that were half-written when a stage was stopped: it would take them for done."""
    for file in cached_files(order, stage):
        if not _is_whole(file):
            remove_if_possible(file)


def _is_whole(file: Path) -> bool:
    try:
        read_safetensors(file)
    except (TrainerError, OSError):
        return False
    return True


def judge_stage(
    order: Order, stage: Caching, exit_code: int | None, lines: Sequence[str], *, stopped: bool
) -> Outcome | None:
    """Return how a run ends with a stage before its training, None where the next one is to follow.

    Args:
        order: what was ordered.
        stage: the stage that has ended.
        exit_code: its exit code, None where nobody saw it: then the files that it left count.
        lines: the last lines that were printed.
        stopped: whether a stop was requested.
    """
    if stopped:
        return Outcome("cancelled", f"It was stopped in the stage {stage.name!r}.", ())
    if exit_code:
        return Outcome("failed", f"The stage {stage.name!r} failed. {failure_reason(lines, exit_code)}", ())
    missing = count_missing(order, stage)
    if not missing:
        return None
    what = f"in {order.cache} there is nothing of {counted(missing, 'image')} of {order.images:,}"
    if exit_code is None:
        return Outcome("lost", f"Nobody saw how the stage {stage.name!r} ended, and {what}: resume the training.", ())
    return Outcome("failed", f"The stage {stage.name!r} ended without an error, but {what}: see its log.", ())
