"""Stores of older schemas open without loss: captions, history, tags, vectors, runs, and an export of them."""

import hashlib

import numpy as np
import psycopg
import pytest

from lorads_core.errors import StoreError
from lorads_core.export.integrity import check_integrity
from lorads_core.export.layout import read_manifest
from lorads_core.export.plan import ExportOptions
from lorads_core.library.filter import DatasetFilter
from lorads_core.model import TrainingConfig
from lorads_core.settings import Settings
from lorads_core.store import groups, migrations, runs, search, vectors
from lorads_core.store.connect import Store
from lorads_core.store.migrations import MIGRATIONS, migrate
from lorads_core.workflow import captions as captioning
from lorads_core.workflow import dataset as build

from . import old_schema
from .old_schema import DATASET, EDITED, LIBRARY, PLAIN, SPACE

VERSIONS = (6, 8, 9)
# Of the statements of each step, so far. A step that stores have run is never changed: a new one is added behind it.
STEPS = (
    *("89d9b6ac", "8866df8d", "29fe7197", "d845eb79", "0a7d0183", "afeee023"),
    *("175ca3fa", "bcb54638", "11a755a7", "c8852128", "8a400c46", "74d03206"),
    *("87bc5a78", "00e5f6f7", "d7c8131b", "5cb9900f", "596b0080"),
)
BULK = f"{PLAIN.format(2)}, sitting"


@pytest.fixture
def pictures(picture):
    """Return four pictures."""
    return [picture(f"cats/{number}.png", (640, 512)) for number in range(1, 5)]


@pytest.fixture(params=VERSIONS)
def version(request):
    return request.param


@pytest.fixture
def upgraded(database, pictures, version):
    """Return a store of an older schema, as this version opens it."""
    with psycopg.connect(database) as connection:
        old_schema.make(connection, version)
        old_schema.fill(connection, version, pictures)
    with Store.open(database, prepare=migrate) as store:
        yield store


def test_no_step_that_stores_have_run_was_changed():
    digests = [hashlib.sha256(statements.encode()).hexdigest()[:8] for _, statements in MIGRATIONS]
    assert digests[: len(STEPS)] == list(STEPS)
    assert len(digests) == len(STEPS), "add the new step's"


def texts(dataset):
    return [image.caption.text for image in dataset.images]


def expected(version):
    second = BULK if version >= 8 else PLAIN.format(2)
    return [EDITED, second, *map(PLAIN.format, (3, 4))]


def without_rejected(captions, version):
    return [text for text in captions if version < 9 or text != PLAIN.format(3)]


def test_captions_edits_and_trainings_are_as_they_were_and_edits_can_be_taken_back(upgraded, version):
    found = captioning.draft(upgraded, Settings(), "tom", with_rejected=True).dataset
    assert (found.id, texts(found)) == (DATASET, expected(version))
    edits = [(each.label, each.changes, each.undone) for each in captioning.edit_history(upgraded, found)]
    assert edits == ([("Add tags", 1, False), ("Write a caption", 1, False)] if version >= 8 else [])
    if version >= 8:
        assert captioning.undo_edit(upgraded, found).label == "Add tags"
        assert captioning.undo_edit(upgraded, found).label == "Write a caption"
        now = captioning.draft(upgraded, Settings(), "tom", with_rejected=True).dataset
        assert texts(now) == [PLAIN.format(number) for number in range(1, 5)]
        assert captioning.trait_decisions(upgraded, found) == {"": {"grey fur": "bind"}}
    with upgraded.connection() as connection:
        trainings = [(run.name, run.state, run.step) for run in runs.newest_runs(connection)]
    assert trainings == ([("tom", "completed", 9)] if version >= 8 else [])


def test_the_index_with_its_tags_albums_and_vectors_is_as_it_was(upgraded, pictures):
    library = build.open_library(upgraded, Settings(), LIBRARY)
    chosen = build.query(upgraded, library, "one", DatasetFilter(required_tags=("cat 1",))).dataset
    assert [(image.record.path, image.record.rating) for image in chosen.images] == [(str(pictures[0]), 8)]
    with upgraded.connection() as connection:
        assert [each.group.name for each in groups.list_groups(connection, LIBRARY)] == ["best"]
        table = vectors.find_table(connection, LIBRARY, SPACE)
        found = search.nearest(connection, table, np.array([[4, 1, 0]], np.float32), 1, 4)
    assert found.ids.tolist() == [4]


def test_an_export_has_the_edited_captions_and_the_older_program_refuses_the_store(
    upgraded, version, tmp_path, monkeypatch
):
    found = captioning.draft(upgraded, Settings(), "tom").dataset
    result = build.export(upgraded, found, TrainingConfig(checkpoint="/base.safetensors"), ExportOptions(), tmp_path)
    folder = result.export.folder
    assert check_integrity(folder, read_manifest(folder))
    assert [file.read_text() for file in sorted(folder.glob("*_*/*.txt"))] == without_rejected(
        expected(version), version
    )

    monkeypatch.setattr(migrations, "MIGRATIONS", MIGRATIONS[:version])
    with upgraded.connection() as connection:
        with pytest.raises(StoreError, match=rf"version {len(MIGRATIONS)}, this LoRADS knows {version}: update LoRADS"):
            migrate(connection)
        assert connection.execute("SELECT max(number) FROM lorads.migrations").fetchone() == (len(MIGRATIONS),)
