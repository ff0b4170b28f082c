"""Datasets as they are kept: a person's captions outlive every re-run, an export is noted with its files."""

from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from lorads_core.errors import CaptionError
from lorads_core.model import Caption, Dataset, DatasetImage, Export, ImageRecord, TrainingConfig, Trigger
from lorads_core.store import captions, datasets

from ..edits import edit_caption


def image(number, caption="a cat"):
    record = ImageRecord("pictures", number, f"/p/{number}.png", 8, 8, 1, 1, f"hash{number}", "png")
    return DatasetImage(record, Caption(caption, "sidecar"))


@pytest.fixture
def dataset():
    return Dataset(uuid4(), "tom", "pictures", (image(1), image(2)), (image(3),), Trigger("tom"))


def kept(store, dataset):
    with store.connection() as connection:
        return connection.execute(
            "SELECT image_id, position, is_regularization, caption, was_edited, exported_path"
            " FROM lorads.lora_dataset_images WHERE dataset_id = %s ORDER BY image_id",
            [dataset.id],
        ).fetchall()


def save(store, dataset):
    with store.connection() as connection:
        datasets.save_draft(connection, dataset)


def test_a_draft(store, dataset):
    save(store, dataset)
    assert kept(store, dataset) == [
        (1, 0, False, "a cat", False, None),
        (2, 1, False, "a cat", False, None),
        (3, 2, True, "a cat", False, None),
    ]
    with store.connection() as connection:
        assert datasets.ensure_dataset(connection, "tom", "pictures") == dataset.id
        other = datasets.ensure_dataset(connection, "other", "pictures")
        assert other != dataset.id
        assert datasets.ensure_dataset(connection, "other", "pictures") == other


def test_a_dataset_is_listed_once_it_has_images(store, dataset):
    with store.connection() as connection:
        datasets.ensure_dataset(connection, "queried only", "pictures")
        datasets.save_draft(connection, dataset)
        names = [each.name for each in datasets.list_datasets(connection)]
        assert datasets.listed_names(connection) == names == [dataset.name]


def test_what_a_person_wrote_outlives_other_drafts(store, dataset):
    save(store, dataset)
    with store.connection() as connection:
        before = captions.count_edits(connection)
        edit_caption(connection, dataset.id, ("pictures", 2), "my words")
        assert captions.count_edits(connection) == before + 1
    save(store, replace(dataset, training=(image(1, "new"),), regularization=()))  # 2 is not chosen any more
    assert kept(store, dataset) == [(1, 0, False, "new", False, None), (2, None, False, "my words", True, None)]
    save(store, dataset)
    assert kept(store, dataset)[1] == (2, 1, False, "my words", True, None)
    with store.connection() as connection:
        assert captions.fixed_captions(connection, dataset.id) == {
            ("pictures", 2): Caption("my words", "custom", edited=True, fixed=True)
        }


def test_edits_that_cannot_be(store, dataset):
    save(store, dataset)
    with store.connection() as connection, pytest.raises(CaptionError, match="not in this dataset"):
        edit_caption(connection, dataset.id, ("pictures", 77), "x")
    assert kept(store, dataset)[0][3] == "a cat"


def test_an_export_is_noted(store, dataset):
    save(store, dataset)
    export = Export(dataset.id, "tom", Path("/exports/tom"), "abc", 2, 1)
    with store.connection() as connection:
        datasets.mark_exported(connection, export, TrainingConfig(epochs=7), {("pictures", 1): "10_tom/1.png"})
        row = connection.execute(
            "SELECT status, output_path, config->>'epochs', exported_at IS NOT NULL, training_count"
            " FROM lorads.lora_datasets WHERE dataset_id = %s",
            [dataset.id],
        ).fetchone()
    assert row == ("exported", str(Path("/exports/tom")), "7", True, 2)
    assert kept(store, dataset)[0][5] == "10_tom/1.png"


def test_a_new_draft_says_nothing_false_of_the_last_export(store, dataset):
    save(store, dataset)
    export = Export(dataset.id, "tom", Path("/exports/tom"), "abc", 2, 1)
    with store.connection() as connection:
        exported = {("pictures", 1): "a.png", ("pictures", 2): "b.png"}
        datasets.mark_exported(connection, export, TrainingConfig(), exported)
    save(store, replace(dataset, training=(image(1, "new"),), regularization=()))
    assert kept(store, dataset) == [(1, 0, False, "new", False, "a.png")]
    with store.connection() as connection:
        row = connection.execute("SELECT status, config->>'epochs' FROM lorads.lora_datasets").fetchone()
        assert row == ("exported", "10")
        datasets.mark_exported(connection, export, TrainingConfig(), {})
    assert kept(store, dataset)[0][5] is None


def test_hostile_text_is_only_text(store, dataset):
    nasty = "'); DROP TABLE lorads.lora_datasets; --\u202e \u732b %s"
    save(store, replace(dataset, name=nasty, training=(image(1, nasty),)))
    assert kept(store, dataset)[0][3] == nasty
