"""Traits: what is inborn, offered with counts, and taken out of training captions when a person says so."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorads_core.captions.inherent import inherent
from lorads_core.captions.traits import Trait, offers, prune
from lorads_core.captions.vocabulary import SHIPPED, Vocabulary
from lorads_core.errors import CaptionError
from lorads_core.model import Caption, Concept, Dataset, DatasetImage, ImageRecord, Trigger
from lorads_core.store import datasets
from lorads_core.store.traits import decide, decisions
from lorads_core.tags import canonical


def image(number, text, concept="", *, edited=False):
    record = ImageRecord("pictures", number, f"/p/{number}.png", 8, 8, 1, 1, "", "png")
    return DatasetImage(record, None if text is None else Caption(text, "wd", edited=edited), concept=concept)


def dataset(*texts, regularization=()):
    training = tuple(image(number, text) for number, text in enumerate(texts, 1))
    others = tuple(image(number, text) for number, text in enumerate(regularization, 1001))
    return Dataset(uuid4(), "d", "pictures", training, others, Trigger("ohwx"))


def pruned(edit):
    return {change.image[1]: change.after.text for change in edit.changes}


@pytest.mark.parametrize(
    ("tag", "kind"),
    [
        ("blonde hair", "hair"),
        ("very long hair", "hair"),
        ("light brown hair", "hair"),
        ("side ponytail", "hair"),
        ("blue eyes", "eyes"),
        ("heterochromia", "eyes"),
        ("thick eyebrows", "face"),
        ("fang", "face"),
        ("dark skin", "skin"),
        ("cat ears", "ears"),
        ("pointy ears", "ears"),
        ("dragon horns", "horns"),
        ("fox tail", "tail"),
        ("black wings", "wings"),
        ("cat girl", "species"),
        ("elf", "species"),
        ("mole under eye", "mark"),
        ("scar on face", "mark"),
        ("freckles", "mark"),
        ("arm tattoo", "mark"),
        ("large breasts", "body"),
        ("old man", "age"),
    ],
)
def test_inborn_traits(tag, kind):
    assert inherent(tag) == kind


@pytest.mark.parametrize(
    "tag",
    ["", "1girl", "hair", "eyes", "wet hair", "hair ribbon", "hairband", "hand in own hair", "closed eyes", "what",
     "fake animal ears", "earrings", "covering own ears", "holding tail", "spread wings", "school uniform", "standing",
     "long sleeves", "red dress", "blue sky", "chair", "hat", "tattoo artist", "eyewear on head", "looking at viewer"],
)  # fmt: skip
def test_what_is_worn_or_done_is_not_inborn(tag):
    assert inherent(tag) is None


def test_traits_are_offered_with_counts_the_most_frequent_first():
    ours = dataset(
        "ohwx, blonde hair, blue eyes, smile",
        "ohwx, Blonde_Hair, blue eyes, smile",
        "ohwx, blonde hair, green eyes, smile",
        "ohwx, blonde hair, blonde hair, blue eyes, smile",
        None,
        regularization=("black hair",) * 9,
    )
    assert offers(ours) == (Trait("blonde hair", 4, 4, "hair"), Trait("blue eyes", 3, 4, "eyes"))
    assert offers(ours)[1].share == 0.75
    assert offers(ours, share=0.8) == (Trait("blonde hair", 4, 4, "hair"),)
    assert offers(dataset()) == ()


def test_other_spellings_count_as_the_tag_that_they_mean():
    assert offers(dataset("gray hair, a", "grey hair, b")) == (Trait("grey hair", 2, 2, "hair"),)


def test_a_tag_behind_prose_counts():
    ours = dataset(*["A woman who walks in the rain all alone. blonde hair, coat"] * 2)
    assert [trait.tag for trait in offers(ours)] == ["blonde hair"]


def test_a_characters_tag_is_a_trait_and_the_trigger_is_not():
    vocabulary = Vocabulary(categories={"ganyu (genshin impact)": "character", "ohwx": "character"})
    ours = dataset("ohwx, ganyu (genshin impact), hat", "ohwx, ganyu (genshin impact), cup")
    assert offers(ours, vocabulary) == (Trait("ganyu (genshin impact)", 2, 2, "name"),)
    assert offers(ours) == ()


def test_each_concept_has_its_own_traits():
    training = (image(1, "red hair, a", "x"), image(2, "red hair, b", "x"), image(3, "tail, a", "y"))
    concepts = (Concept("x", Trigger("ohwx")), Concept("y", Trigger("tail")))
    ours = replace(dataset(), training=training, concepts=concepts)
    assert offers(ours) == (Trait("red hair", 2, 2, "hair", "x"),)
    other = replace(ours, training=(*training, image(4, "red hair, c", "y"), image(5, "red hair, d", "y")))
    edit = prune(other, {"red hair"}, concept="x")
    assert pruned(edit) == {1: "a", 2: "b"}


def test_pruning_takes_whole_tags_out_of_training_captions_alone():
    ours = dataset(
        "ohwx, Blonde_Hair, blue eyes, blonde hair ribbon",
        "ohwx, a girl with blonde hair",
        "ohwx,  smile",
        None,
        regularization=("blonde hair, smile",),
    )
    edit = prune(ours, {"blonde hair"})
    assert pruned(edit) == {1: "ohwx, blue eyes, blonde hair ribbon"}
    assert edit.label == "Bind to the trigger: blonde hair"
    (change,) = edit.changes
    assert change.before == ours.training[0].caption
    assert change.after.fixed
    assert edit.inverse.changes[0].after == ours.training[0].caption


def test_pruning_knows_aliases():
    assert pruned(prune(dataset("ohwx, gray hair, hat", "ohwx, grey hair, cup"), {"grey hair"})) == {
        1: "ohwx, hat",
        2: "ohwx, cup",
    }
    assert pruned(prune(dataset("ohwx, grey hair, hat"), {"gray hair"})) == {1: "ohwx, hat"}


def test_pruning_leaves_what_people_wrote_unless_it_is_named():
    ours = replace(dataset(), training=(image(1, "ohwx, tail", edited=True), image(2, "ohwx, tail", edited=True)))
    assert prune(ours, {"tail"}).changes == ()
    edit = prune(ours, {"tail"}, edited={("pictures", 2)})
    assert pruned(edit) == {2: "ohwx"}
    assert edit.changes[0].after.edited


def test_pruning_never_leaves_a_caption_empty():
    assert prune(dataset("tail", "tail, fox ears", " tail ,"), {"tail", "fox ears"}).changes == ()


TAGS = ["ohwx", "blonde hair", "Blonde_Hair", "blue eyes", "tail", "fox tail", "hat", "gray hair", "a (b)", "^_^", ""]
PARTS = st.one_of(st.sampled_from(TAGS), st.text(max_size=5))


@given(st.lists(st.lists(PARTS, max_size=6).map(", ".join), max_size=4), st.sets(st.sampled_from(TAGS), max_size=3))
def test_pruning_loses_no_tag_that_it_did_not_name(texts, bound):
    ours = dataset(*texts)
    named = {SHIPPED.aliases.get(canonical(tag), canonical(tag)) for tag in bound}
    for change in prune(ours, bound).changes:
        before, after = ([canonical(part) for part in each.text.split(",")] for each in (change.before, change.after))
        expected = [tag for tag in before if tag and SHIPPED.aliases.get(tag, tag) not in named]
        assert [tag for tag in after if tag] == expected


# What was decided


@pytest.fixture
def kept(store):
    ours = dataset("ohwx, tail")
    with store.connection() as connection:
        datasets.save_draft(connection, ours)
        yield connection, ours.id


def test_decisions_persist_with_the_dataset(kept):
    connection, ours = kept
    assert decisions(connection, ours) == {}
    decide(connection, ours, {"tail": "bind", "blue eyes": "keep", "fang": None})
    assert decisions(connection, ours) == {"blue eyes": "keep", "tail": "bind"}
    decide(connection, ours, {"tail": "keep", "blue eyes": None})
    assert decisions(connection, ours) == {"tail": "keep"}
    decide(connection, ours, {})
    assert decisions(connection, ours) == {"tail": "keep"}
    connection.execute("DELETE FROM lorads.lora_datasets WHERE dataset_id = %s", [ours])
    assert decisions(connection, ours) == {}


def test_each_concept_has_decisions_of_its_own(kept):
    connection, ours = kept
    decide(connection, ours, {"tail": "bind"}, "one")
    decide(connection, ours, {"tail": "keep"}, "two")
    assert decisions(connection, ours, "one") == {"tail": "bind"}
    assert decisions(connection, ours, "two") == {"tail": "keep"}
    assert decisions(connection, ours) == {}


def test_decisions_that_cannot_be(kept):
    connection, ours = kept
    with pytest.raises(CaptionError, match="say bind or keep"):
        decide(connection, ours, {"tail": "perhaps"})
    with pytest.raises(CaptionError, match="There is no dataset"):
        decide(connection, uuid4(), {"tail": "bind"})
    assert decisions(connection, ours) == {}
