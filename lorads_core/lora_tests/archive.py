"""Archive of a run's LoRA tests: each in a folder of its own, with a sheet and its scores.

They lie in the run's folder under ``tests/0001/`` and so on. The newest hundred of a run stay.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from ..errors import TrainerError
from ..plots.sheet import save_png
from ..system import files
from .scores import Score

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from PIL import Image

    from ..model import Run

SHEET, RESULTS = "sheet.png", "results.json"
_TESTS = "tests"
_MOST = 100
_TRIES = 20
_LARGEST_GRAPH = 2**20  # characters
_SCORE_FIELDS = frozenset(field.name for field in fields(Score))


@dataclass(frozen=True, slots=True)
class ArchiveInfo:
    """What a test was made with: ``space`` names the image encoder, empty where nothing was scored.

    Likeness can be compared between tests of the same space and training set. ``graph`` is the ComfyUI graph that drew
    it, as its API takes it: seeds, sampler and models stand there. ``loads`` says how much of the LoRAs was loaded.
    """

    title: str = ""
    dataset: str = ""
    space: str = ""
    graph: Any = None
    loads: str = ""


@dataclass(frozen=True, slots=True)
class SavedTest:
    """A test as it was saved; ``version`` is the hash of the export's manifest, ``at`` is UTC."""

    folder: Path
    title: str
    dataset: str
    version: str
    space: str
    at: datetime
    scores: tuple[Score, ...]


def save_test(run: Run, picture: Image.Image, found: Sequence[Score], about: ArchiveInfo) -> Path:
    """Save a test with its run, and return its folder; it appears when it is whole.

    Raises:
        TrainerError: the run's folder is gone or cannot be written.
    """
    tests = run.folder / _TESTS
    staging = tests / f".{uuid4().hex}"
    try:
        if not run.folder.is_dir():
            raise TrainerError(f"The test cannot be saved: the run's folder {run.folder} is gone.")
        staging.mkdir(parents=True)
        save_png(picture, staging / SHEET)
        (staging / RESULTS).write_text(_results(run, found, about), encoding="utf-8", errors="replace")
        place = _published(staging, tests)
    except OSError as error:
        raise TrainerError(f"The test cannot be saved in {tests}: {files.file_error_reason(error)}.") from error
    finally:
        files.remove_tree_if_possible(staging)
    with suppress(OSError):
        for old in _numbered(tests)[:-_MOST]:
            files.remove_tree_if_possible(old)
    return place


def _results(run: Run, found: Sequence[Score], about: ArchiveInfo) -> str:
    graph = about.graph if len(json.dumps(about.graph, default=str)) <= _LARGEST_GRAPH else None
    values = {
        "title": about.title,
        "at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "run": str(run.id),
        "version": run.manifest_hash,
        "dataset": about.dataset,
        "space": about.space,
        "loads": about.loads,
        "scores": [asdict(score) for score in found],
        "graph": graph,
    }
    return json.dumps(values, ensure_ascii=False, indent=1, default=str)


def _published(staging: Path, tests: Path) -> Path:
    """Give a test the next number; where another process takes it first, the one after."""
    for _ in range(_TRIES):
        last = _numbered(tests)
        place = tests / f"{int(last[-1].name) + 1 if last else 1:04}"
        try:
            files.rename(staging, place)
        except FileExistsError:
            continue
        return place
    raise TrainerError(f"The test cannot be saved in {tests}: others are writing there all the time. Try again.")


def _numbered(tests: Path) -> list[Path]:
    """Return the folders of tests, the oldest first."""
    found = [each for each in tests.iterdir() if each.name.isascii() and each.name.isdigit()]
    return sorted(found, key=lambda each: int(each.name))


def list_tests(run: Run) -> list[SavedTest]:
    """Return the tests of a run, the newest first; one that cannot be read is left out."""
    tests = run.folder / _TESTS
    if not tests.is_dir():
        return []
    found = (_read(folder) for folder in reversed(_numbered(tests)))
    return [trial for trial in found if trial]


def _read(folder: Path) -> SavedTest | None:
    try:
        values = cast("dict[str, Any]", json.loads(files.read_text(folder / RESULTS)))
        scores = tuple(_score(each) for each in values["scores"])
        at = datetime.fromisoformat(values["at"])
        texts = {name: str(values[name]) for name in ("title", "dataset", "version", "space")}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return SavedTest(folder=folder, at=at, scores=scores, **texts)


def _score(values: dict[str, Any]) -> Score:
    """Return a score; what a newer version has added is left out."""
    return Score(**{name: value for name, value in values.items() if name in _SCORE_FIELDS})
