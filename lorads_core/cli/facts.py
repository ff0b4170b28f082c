"""JSON of what commands list and report (`--json`): images, captions, problems, runs, libraries as plain tables."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from ..export.versions import Version
    from ..library import LibraryReport
    from ..model import Dataset, DatasetImage, Problem, Run
    from ..runs.lora_loading import SavedLoading
    from ..workflow.training import CheckedLora


def image_facts(image: DatasetImage) -> dict[str, Any]:
    """Return an image of a dataset; ``rating`` is 0-10, sizes are in pixels, upright."""
    record = image.record
    return {
        "library": record.library,
        "id": record.id,
        "path": record.path,
        "width": record.width,
        "height": record.height,
        "rating": record.rating,
        "reason": image.reason,
    }


def caption_facts(dataset: Dataset) -> list[dict[str, Any]]:
    """Return the images of a dataset with their captions; ``caption`` is null where there is none."""
    parts = (("training", dataset.training), ("regularization", dataset.regularization))
    return [
        {
            **image_facts(image),
            "set": name,
            "concept": image.concept,
            "caption": image.caption.text if image.caption else None,
            "source": image.caption.source if image.caption else None,
            "edited_by_hand": bool(image.caption and image.caption.edited),
        }
        for name, images in parts
        for image in images
    ]


def problem_facts(problems: Iterable[Problem]) -> list[dict[str, Any]]:
    """Return problems; ``code`` is stable, ``fixable`` says whether `lorads lint --fix CODE` changes anything."""
    return [
        {
            "severity": each.severity,
            "code": each.code,
            "message": each.message,
            "subject": each.subject,
            "image": list(each.image) if each.image else None,
            "fixable": each.fix is not None,
        }
        for each in problems
    ]


def library_facts(report: LibraryReport) -> dict[str, Any]:
    """Return what a library contains and lacks."""
    return {
        "name": report.name,
        "kind": report.kind,
        "where": report.where,
        "images": report.images,
        "facts": dict(report.facts),
        "problems": problem_facts(report.problems),
    }


def run_facts(run: Run, loads: Mapping[str, SavedLoading] | None = None) -> dict[str, Any]:
    """Return a training; times are in seconds, ``seconds_left`` is null where it is not known.

    With ``loads``, ``lora_loads`` says by LoRA how many of its modules ComfyUI loads, by kind of layer.
    """
    facts = {**dataclasses.asdict(run), "seconds_left": run.seconds_left}
    if loads is None:
        return facts
    found = {name: {"text": each.text, "source": each.source, **each.coverage.facts()} for name, each in loads.items()}
    return {**facts, "lora_loads": found}


def lora_facts(file: Path, checked: CheckedLora) -> dict[str, Any]:
    """Return what ComfyUI loads of a LoRA file; ``converted`` is null where no conversion helps."""
    found = checked.loading
    return {
        "file": str(file),
        "family": checked.family.name,
        "text": found.text,
        "reason": found.reason,
        "as_it_is": found.as_it_is.facts(),
        "converted": found.converted.facts() if found.converted else None,
        "written": str(checked.written) if checked.written else None,
    }


def version_facts(version: Version) -> dict[str, Any]:
    """Return a version of an export; ``written`` is in seconds since 1970."""
    return {"version": version.hash, "images": version.images, "written": version.written}
