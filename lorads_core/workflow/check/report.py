"""The report of an audit: figures, folders and findings, as lines and as JSON, and how a command ends by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...model import no_progress
from ...problems import counted
from ...trainers.checks import settled
from .findings import findings
from .read_set import SECONDS, read_set

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...library.layouts import Layout
    from ...model import Progress
    from .finding import Finding
    from .read_set import TrainingSet


@dataclass(frozen=True, slots=True)
class Audit:
    """A training set as it was read, and what is wrong with it."""

    checked: TrainingSet
    findings: tuple[Finding, ...]

    @property
    def failed(self) -> bool:
        """Whether something is wrong that spoils a training."""
        return any(each.severity == "error" for each in self.findings)


def audit(
    layout: Layout,
    given: Mapping[str, Any],
    trainer: str = "",
    progress: Progress = no_progress,
    words: Sequence[str] = (),
    seconds: float = SECONDS,
) -> Audit:
    """Read a training set and judge it; see `read_set` and `findings`."""
    checked = read_set(layout, given, trainer, progress, seconds)
    return Audit(checked, tuple(findings(checked, words)))


def folder_rows(checked: TrainingSet) -> list[tuple[str, str]]:
    """Return the folders of a set with what an epoch shows of each."""
    rows: list[tuple[str, str]] = []
    for files in checked.folders:
        folder = files.folder
        images = sum(image.folder is folder and not image.fault for image in checked.images)
        samples = f" = {images * max(1, round(folder.repeats)):,} samples" if folder.repeats else ", not trained"
        repeats = counted(round(folder.repeats), "repeat") if folder.repeats else "0 repeats"
        rows.append((folder.name, f"{folder.role}: {counted(images, 'image')} × {repeats}{samples}"))
    return rows


def figures(checked: TrainingSet) -> list[tuple[str, str]]:
    """Return what the trainer makes of a set, as names and figures."""
    rows = [("Read as", f"{checked.layout.label}, trained by {checked.trainer.label}")]
    config = settled(checked.config)
    assumed = ", ".join(f"{name.replace('_', ' ')} {getattr(config, name)}" for name in checked.assumed)
    rows += (
        [("Assumed", f"{assumed} (set them: --{', --'.join(checked.assumed).replace('_', '-')})")] if assumed else []
    )
    schedule = checked.schedule
    if not schedule:
        return rows
    buckets = ", ".join(f"{width}×{height}: {count:,}" for (width, height), count in schedule.buckets[:6])
    more = ", …" if len(schedule.buckets) > 6 else ""  # noqa: PLR2004 - what a line holds
    others = len(checked.of_role("regularization"))
    used = (
        [("Regularization", f"{schedule.regularization_used:,} of {counted(others, 'image')} used")] if others else []
    )
    total = checked.steps or schedule.total_steps
    epochs = "as the config says" if checked.steps else f"in {counted(schedule.epochs, 'epoch')}"
    return [
        *rows,
        *used,
        ("Buckets", f"{len(schedule.buckets)} (samples of an epoch: {buckets}{more})"),
        ("Steps", f"{schedule.steps_per_epoch:,} an epoch, {total:,} {epochs}"),
    ]


def as_json(audit: Audit) -> dict[str, Any]:
    """Return an audit for other programs; keys only ever get more."""
    checked = audit.checked
    schedule = checked.schedule
    return {
        "layout": checked.layout.label,
        "source": str(checked.layout.source),
        "trainer": checked.trainer.name,
        "assumed": list(checked.assumed),
        "folders": [
            {
                "name": files.folder.name,
                "path": str(files.folder.path),
                "role": files.folder.role,
                "repeats": files.folder.repeats,
                "images": len(files.images),
            }
            for files in checked.folders
        ],
        "steps_per_epoch": schedule.steps_per_epoch if schedule else None,
        "total_steps": (checked.steps or schedule.total_steps) if schedule else None,
        "epochs": schedule.epochs if schedule else None,
        "buckets": [{"width": w, "height": h, "samples": count} for (w, h), count in schedule.buckets]
        if schedule
        else [],
        "findings": [
            {
                "severity": each.severity,
                "code": each.code,
                "message": each.message,
                "advice": each.advice,
                "count": len(each.paths),
                "files": [checked.shown(path) for path in each.paths],
            }
            for each in audit.findings
        ],
    }
