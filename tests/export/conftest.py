"""A small dataset of real pictures, and where its exports go."""

from uuid import uuid4

import pytest

from lorads_core.export.plan import ExportOptions, plan_export
from lorads_core.export.write import write_export
from lorads_core.images.decode import is_ready
from lorads_core.images.facts import read_facts
from lorads_core.model import Caption, Dataset, DatasetImage, ImageRecord, TrainingConfig, Trigger

from ..trained import trained_by

CONFIG = TrainingConfig(checkpoint="/models/base.safetensors")


def record_of(number, path):
    facts = read_facts(path)
    return ImageRecord(
        library="pictures",
        id=number,
        path=str(path),
        width=facts.width,
        height=facts.height,
        file_size=facts.file_size,
        mtime_ns=facts.mtime_ns,
        hash=facts.sha256,
        format=facts.format,
        ready=is_ready(facts),
    )


def dataset_image(number, path, caption):
    return DatasetImage(record_of(number, path), Caption(caption, "sidecar") if caption else None)


def export(dataset, root, **options):
    return write_export(
        plan_export(dataset, trained_by(options.get("trainer", "sd-scripts"), CONFIG), ExportOptions(**options)), root
    )


def besides_advice(problems):
    """Return problems without the advice on so few images, which tests/export/test_amount.py is about."""
    return [each for each in problems if each.code not in {"few-steps", "regularization-share"}]


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def dataset(picture):
    training = [dataset_image(n, picture(f"in/{n}.png", (640, 480)), f"tom, cat {n}") for n in range(1, 4)]
    others = [dataset_image(n, picture(f"in/{n}.jpg", (480, 640)), f"cat {n}") for n in range(4, 6)]
    return Dataset(uuid4(), "Tom", "pictures", tuple(training), tuple(others), Trigger("tom"))


@pytest.fixture
def root(tmp_path):
    return tmp_path / "exports"
