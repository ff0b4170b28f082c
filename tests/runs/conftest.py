"""A stand-in trainer as a user would have installed one, and an export for it."""

import sys
import time
from uuid import uuid4

import psutil
import pytest
from PIL import Image

from lorads_core.export.plan import ExportOptions, plan_export
from lorads_core.export.write import write_export
from lorads_core.images.facts import read_facts
from lorads_core.model import Caption, Dataset, DatasetImage, ImageRecord, TrainingConfig, Trigger
from lorads_core.runs import run_folder as files
from lorads_core.runs.processes import alive
from lorads_core.runs.profile import read_profile
from lorads_core.runs.read_export import read_export
from lorads_core.runs.state import refresh_run
from lorads_core.settings import Table, TrainerProfile

from .. import standin_trainer
from ..standin_trainer import write_model


@pytest.fixture
def trainer_folder(tmp_path):
    """A folder like sd-scripts' own."""
    return standin_trainer.install(tmp_path / "the trainer's folder")


@pytest.fixture
def make_profile(trainer_folder):
    def make(deed="good", **values):
        environment = {"STANDIN": deed, **values.pop("environment", {})}
        table = {
            "kind": "sd-scripts",
            "folder": str(trainer_folder),
            "python": sys.executable,
            "environment": environment,
            "stop_seconds": 1.0,
            **values,
        }
        return read_profile(TrainerProfile("standin", Table(table, "trainers.standin.")))

    return make


@pytest.fixture
def make_export(tmp_path):
    """Return a function that exports three pictures; the config's fields are its arguments."""
    root, base = tmp_path / "ex ports", tmp_path / "base.safetensors"
    write_model(base)
    pictures = []
    for number in range(3):
        path = tmp_path / f"{number}.png"
        Image.new("RGB", (128, 128), (number * 80, 40, 90)).save(path)
        facts = read_facts(path)
        record = ImageRecord(
            "pictures", number, str(path), 128, 128, facts.file_size, facts.mtime_ns, facts.sha256, facts.format
        )
        pictures.append(DatasetImage(record, Caption(f"tom, cat {number}", "sidecar")))
    dataset = Dataset(uuid4(), "Tom", "pictures", tuple(pictures), (), Trigger("tom"))

    def make(trainer="sd-scripts", **values):
        usual = {"checkpoint": str(base), "epochs": 2, "repeats": 2, "batch_size": 2}
        config = TrainingConfig(**{**usual, **values})
        result = write_export(plan_export(dataset, config, ExportOptions(trainer=trainer)), root)
        return read_export(result.export.folder)

    return make


@pytest.fixture
def until(store):
    """Return a function that looks at a run until something is so, and says how it stands then."""

    def look(run, so=lambda run: run.is_over, seconds=30):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with store.connection() as connection:
                run = refresh_run(connection, run)
            if so(run):
                return run
            time.sleep(0.05)
        pytest.fail(f"{run} after {seconds} s; {files.read_status(run.folder)}")

    return look


@pytest.fixture(autouse=True)
def no_process_is_left(tmp_path):
    """Whatever a test does, its processes end with it."""
    yield
    for process in psutil.process_iter(["cmdline"]):
        if str(tmp_path) in " ".join(process.info["cmdline"] or ()):
            process.kill()


def trainer_of(run):
    """Return the process of a run's trainer."""
    status = files.read_status(run.folder)
    assert alive(status.trainer)
    return psutil.Process(status.trainer.id)


def watcher_of(run):
    """Return the process of a run's watcher."""
    return psutil.Process(files.read_status(run.folder).watcher.id)
