"""The history of a dataset's captions: kept, taken back, done again, never over somebody else's words."""

from dataclasses import replace
from uuid import uuid4

import pytest

from lorads_core.captions.operations import Selection, add_tags, applied, remove_tags
from lorads_core.errors import CaptionError
from lorads_core.model import Caption, Concept, Dataset, DatasetImage, ImageRecord, Trigger
from lorads_core.store import captions, datasets

from ..edits import edit_caption


def image(number, text="a cat", **more):
    record = ImageRecord("pictures", number, f"/p/{number}.png", 1, 1, 1, 1, "", "png")
    return DatasetImage(record, Caption(text, "wd"), **more)


@pytest.fixture
def dataset(store):
    with store.connection() as connection:
        dataset_id = datasets.ensure_dataset(connection, "tom", "pictures")
        made = Dataset(
            dataset_id, "tom", "pictures", tuple(map(image, range(4))), (image(9, "a dog"),), Trigger("tom", "append")
        )
        datasets.save_draft(connection, made)
    return made


def kept(store, dataset):
    with store.connection() as connection:
        return {each.key: each.caption for each in datasets.load_draft(connection, dataset.name).images}


def do(store, dataset, bulk):
    with store.connection() as connection:
        captions.save_edit(connection, dataset.id, bulk.edit)
    return applied(dataset, bulk.edit)


def test_an_edit_is_kept_taken_back_and_done_again(store, dataset):
    before = kept(store, dataset)
    done = do(store, dataset, add_tags(dataset, ["red hat"]))
    after = kept(store, dataset)
    assert after == {each.key: each.caption for each in done.images}
    assert after["pictures", 0] == Caption("red hat, a cat", "wd", fixed=True)
    with store.connection() as connection:
        assert captions.undo(connection, dataset.id).label == "Add red hat"
        assert captions.undo(connection, dataset.id) is None
    assert kept(store, dataset) == before, "built captions are built ones again"
    with store.connection() as connection:
        captions.redo(connection, dataset.id)
        assert captions.redo(connection, dataset.id) is None
    assert kept(store, dataset) == after


def test_a_new_edit_forgets_what_was_taken_back(store, dataset):
    done = do(store, dataset, add_tags(dataset, ["a"]))
    done = do(store, done, add_tags(done, ["b"]))
    with store.connection() as connection:
        captions.undo(connection, dataset.id)
        captions.undo(connection, dataset.id)
        assert [(each.label, each.changes, each.undone) for each in captions.history(connection, dataset.id)] == [
            ("Add b", 5, True),
            ("Add a", 5, True),
        ]
    do(store, dataset, add_tags(dataset, ["c"]))
    with store.connection() as connection:
        assert [each.label for each in captions.history(connection, dataset.id)] == ["Add c"]
        assert captions.redo(connection, dataset.id) is None


def test_words_of_somebody_else_are_never_overwritten(store, dataset):
    before = kept(store, dataset)
    bulk = add_tags(dataset, ["x"])
    with store.connection() as connection:
        edit_caption(connection, dataset.id, ("pictures", 2), "mine")
    with pytest.raises(CaptionError, match=r"/p/2\.png was changed meanwhile: it is 'mine' by now"):
        do(store, dataset, bulk)
    assert kept(store, dataset) == before | {("pictures", 2): Caption("mine", "custom", edited=True, fixed=True)}
    with store.connection() as connection:
        datasets.save_draft(connection, replace(dataset, training=(image(2, "built anew"),), regularization=()))
    assert kept(store, dataset)["pictures", 2].text == "mine", "nor built anew"


def test_an_edit_that_can_not_be_taken_back_changes_nothing(store, dataset):
    do(store, dataset, add_tags(dataset, ["x"], selection=Selection(of="training")))
    with store.connection() as connection:
        connection.execute("UPDATE lorads.lora_dataset_images SET caption = 'else' WHERE image_id = 3")
    before = kept(store, dataset)
    with store.connection() as connection, pytest.raises(CaptionError, match="changed meanwhile"):
        captions.undo(connection, dataset.id)
    assert kept(store, dataset) == before


def test_an_image_that_is_not_in_the_dataset(store, dataset):
    other = replace(dataset, training=(*dataset.training, image(77)))
    with pytest.raises(CaptionError, match="Image 77 of library pictures is not in this dataset"):
        do(store, other, add_tags(other, ["x"]))


def test_a_caption_written_by_hand_can_be_taken_back(store, dataset):
    with store.connection() as connection:
        edit_caption(connection, dataset.id, ("pictures", 1), "mine")
        edit_caption(connection, dataset.id, ("pictures", 1), "mine, longer")
        assert captions.fixed_captions(connection, dataset.id)["pictures", 1].text == "mine, longer"
        captions.undo(connection, dataset.id)
        assert captions.fixed_captions(connection, dataset.id)["pictures", 1].text == "mine"
        captions.undo(connection, dataset.id)
        assert captions.fixed_captions(connection, dataset.id) == {}
    assert kept(store, dataset)["pictures", 1] == Caption("a cat", "wd")


def test_any_text_comes_back_byte_for_byte(store, dataset):
    odd = "  two  spaces, “quotes”, \\(x\\), \u732b\U0001f469\u200d\U0001f467, ||| "
    with store.connection() as connection:
        edit_caption(connection, dataset.id, ("pictures", 0), odd)
    loaded = replace(
        dataset, training=tuple(replace(each, caption=kept(store, dataset)[each.key]) for each in dataset.training)
    )
    do(store, loaded, remove_tags(loaded, ["“quotes”"], Selection(by_hand=True)))
    assert kept(store, dataset)["pictures", 0].text != odd
    with store.connection() as connection:
        captions.undo(connection, dataset.id)
    assert kept(store, dataset)["pictures", 0] == Caption(odd, "custom", edited=True, fixed=True)


@pytest.mark.slow
def test_ten_thousand_changes_at_once(store):
    with store.connection() as connection:
        dataset_id = datasets.ensure_dataset(connection, "many", "pictures")
        many = Dataset(dataset_id, "many", "pictures", tuple(image(n, f"cat {n}") for n in range(10_000)))
        datasets.save_draft(connection, many)
    do(store, many, add_tags(many, ["x"]))
    assert all(caption.text.startswith("x, cat ") for caption in kept(store, many).values())
    with store.connection() as connection:
        assert len(captions.undo(connection, dataset_id).changes) == 10_000


def test_a_draft_remembers_concepts_and_reasons(store):
    with store.connection() as connection:
        dataset_id = datasets.ensure_dataset(connection, "both", "pictures")
        made = Dataset(
            dataset_id,
            "both",
            "pictures",
            (image(1, concept="a"), image(2, concept="b")),
            (image(3, reason="cosine 0.7"),),
            concepts=(Concept("a", Trigger("tom"), 3), Concept("b", Trigger("jerry", "append"))),
        )
        datasets.save_draft(connection, made)
        draft = datasets.load_draft(connection, "both")
        assert draft.concepts == made.concepts
        assert [(each.concept, each.reason, each.is_regularization) for each in draft.images] == [
            ("a", "", False),
            ("b", "", False),
            ("", "cosine 0.7", True),
        ]
        with pytest.raises(CaptionError, match="There is no dataset 'x'; there are: both"):
            datasets.load_draft(connection, "x")


def test_a_dataset_without_edits_has_no_history(store):
    with store.connection() as connection:
        assert captions.history(connection, uuid4()) == []
        assert captions.undo(connection, uuid4()) is None
