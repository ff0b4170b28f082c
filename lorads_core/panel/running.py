"""Trainings as the page sees them: listed, looked into, stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import TrainerError
from ..workflow import training
from .jobs import Outcome
from .responses import unknown

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from uuid import UUID

    from ..model import Progress, Run
    from .jobs import Job
    from .state import Desk

_LOG_LINES = 200
_MOST_POINTS = 1000


def run_list(desk: Desk, dataset: UUID | None) -> list[dict[str, Any]]:
    """Return the newest runs, the newest first."""
    return [run_values(each) for each in training.runs(desk.store, dataset)]


def run_values(run: Run) -> dict[str, Any]:
    """Return what the page gets of a run."""
    return {
        "id": str(run.id),
        "name": run.name,
        "dataset": str(run.dataset_id) if run.dataset_id else None,
        "trainer": run.trainer,
        "profile": run.profile,
        "state": run.state,
        "step": run.step,
        "total_steps": run.total_steps,
        "epoch": run.epoch,
        "loss": run.loss,
        "seconds_a_step": run.seconds_a_step,
        "eta": run.seconds_left,
        "message": run.message,
        "started_at": run.started_at.isoformat() if run.started_at else None,
        "ended_at": run.ended_at.isoformat() if run.ended_at else None,
        "manifest_hash": run.manifest_hash,
    }


def run(desk: Desk, run_id: UUID) -> dict[str, Any]:
    """Return all there is to see of a run."""
    found = _run(desk, run_id)
    points = training.history(found.folder)
    return {
        **run_values(found),
        "history": [[each.step, each.loss, each.learning_rate] for each in _thinned(points)],
        "log": "\n".join(training.log_tail(found, _LOG_LINES)),
        "samples": [file.name for file in training.samples(found)],
        "loras": list(found.loras),
    }


def _thinned(points: Iterable[Any]) -> list[Any]:
    """Return at most so many points as a plot can show, the last among them."""
    listed = [each for each in points if each.loss is not None]
    apart = -(-len(listed) // _MOST_POINTS) or 1
    return listed[::-1][::apart][::-1]


def sample(desk: Desk, run_id: UUID, name: str) -> Path:
    """Return a picture that a trainer drew, by its name among those that the run shows.

    Raises:
        RefusedError: 404, there is none of that name.
    """
    for file in training.samples(_run(desk, run_id)):
        if file.name == name:
            return file
    raise unknown(f"The run has no sample {name!r:.80}: load it anew.")


def stop(desk: Desk, run_id: UUID) -> Job:
    """Have a training stopped."""
    found = _run(desk, run_id)

    def work(_progress: Progress) -> Outcome:
        ended = training.stop(desk.store, found)
        return Outcome(f"{ended.name} is {ended.state}.", run_values(ended))

    return desk.jobs.start("stop", found.dataset_id, work)


def _run(desk: Desk, run_id: UUID) -> Run:
    try:
        return training.run_by_id(desk.store, run_id)
    except TrainerError as error:
        raise unknown(str(error)) from error
