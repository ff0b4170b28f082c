"""Check of an installed trainer: its own parser and data loader read what LoRADS writes, and both are compared.

A trainer's package has a ``probe.py`` for that, which the trainer's own Python runs in the trainer's folder, once for
all exports. It gets a list of jobs (``arguments`` that start the training, ``processes``, ``epochs``) and writes a
result for each: ``error`` with ``of_probe``, whether it is none of the trainer's, or ``ignored`` (keys of the config
that nothing reads), ``total_steps``, ``epochs``, ``images`` (by path: ``bucket`` as width and height, ``caption``),
``buckets`` (width, height, samples; null where they cannot be known) and ``partial``, whether the images are those of
one epoch, which drops some.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from itertools import islice, product
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import psutil
from PIL import Image

from ..base_models import BASE_MODELS, model_parts
from ..errors import TrainerError
from ..model import TrainingConfig, no_progress
from ..networks import network_names
from ..problems import counted
from ..system import files
from ..trainers import Subset, trainer, trainers
from ..trainers.defaults import make_config

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..buckets import Size
    from ..model import Progress
    from ..runs.profile import Profile
    from ..runs.read_export import TrainableExport

PROBE = "probe.py"
_HOUR = 3600  # seconds; half a minute for PyTorch, then under a second an export
_MARK = "lorads: "
_EXAMPLES = 3  # images or keys that a sentence names
# Shapes for which bucket rules differ: square, wide, tall, odd sides, smaller than a bucket, larger than all.
SIZES: tuple[Size, ...] = ((1216, 832), (832, 1216), (1024, 1024), (3000, 2000), (513, 767), (640, 1536), (333, 1000))
OTHERS: tuple[Size, ...] = ((1024, 1024), (512, 768), (900, 900))
_SMALL: Mapping[str, Any] = {"repeats": 2, "epochs": 2}


@dataclass(frozen=True, slots=True)
class Expected:
    """What LoRADS says of one image of an export; ``bucket`` is None for one that is not trained."""

    bucket: Size | None
    caption: str


@dataclass(frozen=True, slots=True)
class Case:
    """An export to be read by the trainer, and what LoRADS foretells; ``buckets`` is None where only images count."""

    label: str
    config: TrainingConfig
    arguments: tuple[str, ...]
    images: Mapping[str, Expected]
    total_steps: int
    buckets: Mapping[Size, int] | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came out for one export: sentences on where the trainer and LoRADS differ, none where they agree."""

    label: str
    differences: tuple[str, ...]


def probe_of(name: str) -> Path | None:
    """Return the probe of a trainer, None where it has none."""
    package = import_module(type(trainer(name)).__module__)
    found = Path(cast("str", package.__file__)).with_name(PROBE)
    return found if found.is_file() else None


def checkable() -> list[str]:
    """Return the names of the trainers that can be checked."""
    return [name for name in trainers() if probe_of(name)]


def check_trainer(
    profile: Profile, exports: Sequence[TrainableExport] = (), progress: Progress = no_progress
) -> list[Verdict]:
    """Let an installed trainer read exports, made ones for each base model and network that it trains without any.

    Raises:
        TrainerError: it cannot be checked, lies on another machine, or its Python failed.
        SettingsError: the trainer is not where its profile says.
    """
    probe = probe_of(profile.kind)
    if probe is None:
        raise TrainerError(
            f"{trainer(profile.kind).label} cannot be checked yet; those that can: {', '.join(checkable())}."
        )
    if profile.is_remote:
        raise TrainerError(f"[trainers.{profile.name}] runs on another machine: check it there, with LoRADS installed.")
    profile.check()
    if other := next((each for each in exports if each.trainer != profile.kind), None):
        raise TrainerError(
            f"{other.folder} was exported for {trainer(other.trainer).label}: check it with a profile of that trainer,"
            f" or export it again with --trainer {profile.kind}."
        )
    with tempfile.TemporaryDirectory(prefix="lorads-check-") as place:
        cases = [case_of(each) for each in exports] or list(made_cases(profile.kind, Path(place), profile.home))
        if not cases:
            label = trainer(profile.kind).label
            raise TrainerError(f"The {label} in {profile.folder} trains no base model of LoRADS: update it.")
        results = _probe(profile, probe, cases, Path(place), progress)
    return [Verdict(case.label, tuple(_differences(case, result))) for case, result in zip(cases, results, strict=True)]


def case_of(export: TrainableExport) -> Case:
    """Return an export as a case: its manifest foretells buckets and steps."""
    rows = export.manifest["images"]
    return Case(
        export.manifest["name"],
        export.config,
        trainer(export.trainer).stages(export.config, export.folder)[-1].arguments,
        {str(export.folder / row["file"]): _expected(export.folder, row) for row in rows},
        export.manifest["training"]["total_steps"],
    )


def _expected(folder: Path, row: Mapping[str, Any]) -> Expected:
    bucket = None if row["dropped"] else (row["bucket"][0], row["bucket"][1])
    return Expected(bucket, files.read_text((folder / row["file"]).with_suffix(".txt")))


def made_cases(name: str, place: Path, home: Path | None = None) -> Iterator[Case]:
    """Yield a small export for each base model and network that a trainer trains, with regularization where it can.

    Its checkpoint is a file, or a repository where the trainer takes no file.
    """
    chosen = trainer(name)
    for base in BASE_MODELS:
        usual = base.usual_checkpoint or base.repository
        checkpoints = [_files()["checkpoint"], *([usual] if usual else ())]
        for network in network_names():
            for checkpoint, others in product(checkpoints, (True, False)):
                given = {"base_model": base.name, "network": network, **_SMALL, **_files(), "checkpoint": checkpoint}
                config = make_config(given)
                subsets = _subsets(config, others=others)
                if all(each.severity != "error" for each in chosen.problems(config, subsets, home)):
                    yield made_case(name, place / f"{base.name}-{network}", config, subsets, f"{base.label}, {network}")
                    break


def made_case(name: str, folder: Path, config: TrainingConfig, subsets: Sequence[Subset], label: str) -> Case:
    """Write images, captions, masks and config files of subsets as a trainer reads them; return what it should do.

    Images are numbered in the order of their sizes.
    """
    chosen = trainer(name)
    paths: list[str] = []
    images: dict[str, Expected] = {}
    drawn = folder.parent / "drawn"
    for subset in subsets:
        for number, size in enumerate(subset.sizes):
            stem = f"{number:04}"
            path = folder / subset.folder / f"{stem}.png"
            _draw(drawn, size, path)
            path.with_suffix(".txt").write_text(f"tomcat, {stem}", encoding="utf-8")
            mask = chosen.mask(subset.folder, stem)
            if mask and config.masked_loss == "sidecar":
                _draw(drawn, size, folder / mask)
            paths.append(str(path))
    schedule, placements = chosen.schedule(config, subsets), chosen.placements(config, subsets)
    for number, (path, placement) in enumerate(zip(paths, placements, strict=True)):
        bucket = None if number in schedule.unused else placement.bucket
        images[path] = Expected(bucket, f"tomcat, {Path(path).stem}")
    for file, text in chosen.files(config, subsets, folder, folder / "out", "cat").items():
        (folder / file).write_text(text, encoding="utf-8")
    return Case(
        label, config, chosen.stages(config, folder)[-1].arguments, images, schedule.total_steps, dict(schedule.buckets)
    )


def _files() -> dict[str, str]:
    """Return paths of model files that need not be there: a trainer's parser only asks whether they are given."""
    parts = {each.part: f"/models/{each.part}.safetensors" for each in model_parts()}
    return {"checkpoint": "/models/base.safetensors", **parts}


def _subsets(config: TrainingConfig, *, others: bool) -> tuple[Subset, ...]:
    training = Subset("2_tomcat", config.repeats, is_regularization=False, sizes=SIZES, trigger="tomcat")
    regularization = Subset("1_regularization", config.regularization_repeats, is_regularization=True, sizes=OTHERS)
    return (training, regularization) if others else (training,)


def _draw(drawn: Path, size: Size, path: Path) -> None:
    """Write a white image; one file serves all of its size, as large ones take long to encode."""
    source = drawn / f"{size[0]}x{size[1]}.png"
    if not source.exists():
        source.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, "white").save(source)
    path.parent.mkdir(parents=True, exist_ok=True)
    os.link(source, path)


def _probe(
    profile: Profile, probe: Path, cases: Sequence[Case], place: Path, progress: Progress
) -> list[dict[str, Any]]:
    """Run a probe over cases by the trainer's own Python; return a result for each."""
    jobs, results = place / "jobs.json", place / "results.json"
    jobs.write_text(json.dumps([_job(case) for case in cases]), encoding="utf-8")
    log = place / "log.txt"
    code = _run([str(profile.python), str(probe), str(jobs), str(results)], profile, log, len(cases), progress)
    found = _results(results)
    if found is None or len(found) != len(cases):
        last = files.read_text(log, errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
        raise TrainerError(
            f"{profile.python} did not get through its own modules in {profile.folder} (exit code {code}):"
            f" {last[0]:.300}. Train something with it, or install it again."
        )
    return found


def _job(case: Case) -> dict[str, object]:
    return {"arguments": case.arguments, "processes": case.config.processes, "epochs": case.config.epochs}


def _run(command: Sequence[str], profile: Profile, log: Path, count: int, progress: Progress) -> int:
    """Run a probe to its end and return its exit code; whatever ends us ends it and all that it has started."""
    with log.open("w", encoding="utf-8") as errors:
        try:
            process = subprocess.Popen(
                command,
                cwd=profile.folder,
                env=profile.environment_of_trainer(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                errors="replace",
            )
        except OSError as error:
            reason = files.file_error_reason(error)
            raise TrainerError(f"{profile.python} cannot be run: {reason}. Make its venv again.") from error
        limit = threading.Timer(_HOUR, _end, [process])
        limit.start()
        with process:
            try:
                for line in cast("Any", process.stdout):
                    number = line.removeprefix(_MARK).strip()
                    if line.startswith(_MARK) and number.isdecimal():
                        progress("read", int(number), count)
                return process.wait()
            finally:
                limit.cancel()
                _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    with suppress(psutil.Error):
        for child in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.Error):
                child.kill()
    process.kill()
    process.wait()


def _results(file: Path) -> list[dict[str, Any]] | None:
    """Return what a probe has written; None where it did not get so far."""
    try:
        return json.loads(files.read_text(file))
    except (OSError, ValueError):
        return None


def _differences(case: Case, result: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each way in which a trainer reads an export otherwise than LoRADS says."""
    if result.get("error"):
        what = "This check does not know this version" if result["of_probe"] else "It refuses the config"
        yield f"{what}: {result['error']:.300}"
        return
    if ignored := result["ignored"]:
        yield f"It ignores {counted(len(ignored), 'key')} of the config: {_few(ignored)}"
    if result["total_steps"] != case.total_steps:
        yield f"It trains {result['total_steps']:,} steps, not {case.total_steps:,}"
    found: Mapping[str, Any] = result["images"]
    trained = {path: each for path, each in case.images.items() if each.bucket}
    missing = [path for path in trained if path not in found]
    if missing and not result.get("partial"):
        yield f"It does not find {counted(len(missing), 'image')}: {_few(map(os.path.basename, missing))}"
    there = {path: each for path, each in trained.items() if path in found}
    moved = [path for path, each in there.items() if found[path]["bucket"] != list(each.bucket or ())]
    if moved:
        its, ours = found[moved[0]]["bucket"], there[moved[0]].bucket
        name = os.path.basename(moved[0])  # noqa: PTH119 - a text
        yield f"It puts {counted(len(moved), 'image')} into other buckets: {name} into {its}, not {list(ours or ())}"
    if other := [path for path, each in there.items() if found[path]["caption"].strip() != each.caption.strip()]:
        its, ours = found[other[0]]["caption"], there[other[0]].caption
        yield f"It reads {counted(len(other), 'other caption')}: {its!r:.100}, not {ours!r:.100}"
    counts = {(width, height): count for width, height, count in result["buckets"] or ()}
    if case.buckets is not None and counts and not moved and counts != dict(case.buckets):
        yield f"It counts other samples in the buckets: {counts}, not {dict(case.buckets)}"


def _few(names: Any) -> str:  # noqa: ANN401 - an iterable of texts
    listed = list(names)
    more = f" and {len(listed) - _EXAMPLES} more" if len(listed) > _EXAMPLES else ""
    return ", ".join(islice(listed, _EXAMPLES)) + more
