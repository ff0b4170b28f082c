"""Training runs for the panel: list, details, samples, stop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import TrainerError
from ..workflow import training
from .jobs import Outcome
from .responses import not_found

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from uuid import UUID

    from ..model import Progress, Run
    from . import json_types
    from .jobs import Job
    from .state import PanelState

_LOG_LINES = 200
_MAX_POINTS = 1000


def run_list(state: PanelState, dataset: UUID | None) -> list[json_types.Run]:
    """Return the latest runs, newest first."""
    return [run_json(each) for each in training.runs(state.store, dataset)]


def run_json(run: Run) -> json_types.Run:
    """Return a run as JSON values."""
    return {
        "id": str(run.id),
        "name": run.name,
        "dataset": str(run.dataset_id) if run.dataset_id else None,
        "trainer": run.trainer,
        "profile": run.profile,
        "state": run.state,
        "step": run.step,
        "total_steps": run.total_steps,
        "stage": run.stage,
        "cached": run.cached,
        "to_cache": run.to_cache,
        "epoch": run.epoch,
        "loss": run.loss,
        "seconds_a_step": run.seconds_a_step,
        "eta": run.seconds_left,
        "message": run.message,
        "started_at": run.started_at.isoformat() if run.started_at else None,
        "ended_at": run.ended_at.isoformat() if run.ended_at else None,
        "manifest_hash": run.manifest_hash,
    }


def run(state: PanelState, run_id: UUID) -> json_types.RunDetails:
    """Return a run with its loss history, log, samples and LoRA files."""
    found = _run(state, run_id)
    points = training.history(found.folder)
    return {
        **run_json(found),
        "history": [(each.step, each.loss, each.learning_rate) for each in _downsample(points)],
        "log": "\n".join(training.log_tail(found, _LOG_LINES)),
        "samples": [file.name for file in training.samples(found)],
        "loras": list(found.loras),
    }


def _downsample(points: Iterable[Any]) -> list[Any]:
    """Return at most as many points as a plot can show, including the last."""
    listed = [each for each in points if each.loss is not None]
    apart = -(-len(listed) // _MAX_POINTS) or 1
    return listed[::-1][::apart][::-1]


def sample(state: PanelState, run_id: UUID, name: str) -> Path:
    """Return the file of a sample image by its name.

    Raises:
        RefusedError: 404, there is no such sample.
    """
    for file in training.samples(_run(state, run_id)):
        if file.name == name:
            return file
    raise not_found(f"The run has no sample {name!r:.80}: reload the page.")


def stop(state: PanelState, run_id: UUID) -> Job:
    """Start a job that stops a training run."""
    found = _run(state, run_id)

    def work(_progress: Progress) -> Outcome:
        ended = training.stop(state.store, found)
        return Outcome(f"{ended.name} {ended.state_clause}.", run_json(ended))

    return state.jobs.start("stop", found.dataset_id, work)


def _run(state: PanelState, run_id: UUID) -> Run:
    try:
        return training.run_by_id(state.store, run_id)
    except TrainerError as error:
        raise not_found(str(error)) from error
