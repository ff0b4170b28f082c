"""Owners of datasets in a store that people share: names that do not collide, and who edited what."""

from uuid import uuid4

import psycopg
import pytest

from lorads_core.errors import CaptionError
from lorads_core.model import Caption, Dataset, DatasetImage, ImageRecord, Trigger
from lorads_core.store import captions, datasets
from lorads_core.store.datasets import ensure_dataset, find_dataset, load_draft
from lorads_core.store.migrations import MIGRATIONS, migrate

from ..edits import edit_caption

ANNA, BEN = "anna@studio", "ben@attic"


def draft(dataset_id, name, *numbers):
    images = tuple(
        DatasetImage(ImageRecord("p", n, f"/p/{n}.png", 8, 8, 1, 1, f"hash{n}", "png"), Caption("a cat", "sidecar"))
        for n in numbers
    )
    return Dataset(dataset_id, name, "p", images, (), Trigger(name))


@pytest.fixture
def connection(store):
    with store.connection() as connection:
        yield connection


def test_two_people_s_datasets_of_one_name_are_two(connection):
    hers, his = (ensure_dataset(connection, "tomcat", "p", owner) for owner in (ANNA, BEN))
    assert hers != his
    datasets.save_draft(connection, draft(hers, "tomcat", 1, 2), ANNA)
    datasets.save_draft(connection, draft(his, "tomcat", 3), BEN)
    assert [image.key[1] for image in load_draft(connection, "tomcat", ANNA).images] == [1, 2]
    assert [image.key[1] for image in load_draft(connection, "tomcat", BEN).images] == [3]
    assert ensure_dataset(connection, "tomcat", "p", ANNA) == hers
    assert datasets.namesakes(connection, "tomcat", BEN) == [ANNA]


def test_other_people_s_datasets_are_listed_as_theirs_and_readable(connection):
    hers = ensure_dataset(connection, "tomcat", "p", ANNA)
    datasets.save_draft(connection, draft(hers, "tomcat", 1), ANNA)
    assert datasets.dataset_names(connection, BEN) == datasets.listed_names(connection, BEN) == ["anna@studio/tomcat"]
    assert [each.seen_by(BEN) for each in datasets.list_datasets(connection)] == ["anna@studio/tomcat"]
    assert datasets.dataset_names(connection, ANNA) == ["tomcat"]
    found = load_draft(connection, "anna@studio/tomcat", BEN)
    assert (found.id, found.name) == (hers, "tomcat")
    with pytest.raises(CaptionError, match="no dataset 'tomcat'; there are: anna@studio/tomcat"):
        load_draft(connection, "tomcat", BEN)


def test_nobody_builds_over_another_person_s_dataset(connection):
    hers = ensure_dataset(connection, "tomcat", "p", ANNA)
    with pytest.raises(CaptionError, match="is anna@studio's"):
        ensure_dataset(connection, "anna@studio/tomcat", "p", BEN)
    assert ensure_dataset(connection, "anna@studio/tomcat", "p", ANNA) == hers


def test_a_dataset_without_an_owner_is_everybody_s_under_its_plain_name(connection):
    old = ensure_dataset(connection, "tomcat", "p")
    assert {ensure_dataset(connection, "tomcat", "p", owner) for owner in ("", ANNA, BEN)} == {old}
    assert load_draft(connection, "tomcat", BEN).id == old


def test_names_with_a_slash_are_names_first(connection):
    theirs = ensure_dataset(connection, "cats/tom", "p", ANNA)
    assert find_dataset(connection, "cats/tom", ANNA)[0] == theirs
    assert find_dataset(connection, f"{ANNA}/cats/tom", BEN)[0] == theirs
    assert find_dataset(connection, "cats/tom", BEN) is None


def test_history_says_who_edited_and_who_undid(connection):
    dataset = ensure_dataset(connection, "tomcat", "p", ANNA)
    datasets.save_draft(connection, draft(dataset, "tomcat", 1), ANNA)
    edit_caption(connection, dataset, ("p", 1), "words of hers", person=ANNA)
    edit_caption(connection, dataset, ("p", 1), "words of his", person=BEN)
    assert captions.undo(connection, dataset, ANNA)
    newest, first = captions.history(connection, dataset)
    assert (newest.made_by, newest.undone_by, first.made_by, first.undone_by) == (BEN, ANNA, ANNA, "")
    assert [each.made_by for each in captions.image_history(connection, dataset, ("p", 1))] == [BEN, ANNA]
    assert captions.redo(connection, dataset)
    assert captions.history(connection, dataset)[0].undone_by == ""


def test_images_with_edited_captions_are_known(connection):
    dataset = uuid4()
    datasets.save_draft(connection, draft(dataset, "tomcat", 1, 2))
    edit_caption(connection, dataset, ("p", 2), "by hand")
    assert datasets.edited_images(connection, dataset) == {("p", 2)}
    datasets.save_draft(connection, draft(dataset, "tomcat", 1))
    assert datasets.edited_images(connection, dataset) == set()


def test_a_store_from_before_owners_opens_with_its_datasets_and_edits(database, monkeypatch):
    monkeypatch.setattr("lorads_core.store.migrations.MIGRATIONS", MIGRATIONS[:9])
    old = uuid4()
    with psycopg.connect(database) as connection:
        migrate(connection)
        connection.execute(
            "INSERT INTO lorads.lora_datasets (dataset_id, name, library) VALUES (%s, 'tomcat', 'p')", [old]
        )
        connection.execute(
            "INSERT INTO lorads.caption_edits (dataset_id, label, changes) VALUES (%s, 'Edit a caption', '[]')", [old]
        )
    monkeypatch.undo()
    with psycopg.connect(database) as connection:
        migrate(connection)
        assert load_draft(connection, "tomcat", ANNA).id == old
        assert [(each.label, each.made_by) for each in captions.history(connection, old)] == [("Edit a caption", "")]
        assert ensure_dataset(connection, "tomcat", "p", BEN) == old
