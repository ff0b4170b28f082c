"""Analysis of captions: what is counted as a tag, and against what."""

import math
import random
import time
from dataclasses import replace
from uuid import UUID

import pytest

from lorads_core.captions.analysis import Distribution, analyse, facts, tag_table
from lorads_core.model import Caption, Concept, Dataset, DatasetImage, ImageRecord, Trigger

SENTENCES = "A woman stands in a garden, smiling at the viewer. She wears a red dress with a bow."


def images(*texts, first=1, source="sidecar", concept=""):
    return tuple(
        DatasetImage(
            ImageRecord("pictures", number, f"/{number}.png", 8, 8, 1, 1, "", "PNG"),
            Caption(text, source) if text is not None else None,
            concept=concept,
        )
        for number, text in enumerate(texts, first)
    )


def dataset(training=(), regularization=(), trigger="annax", **more):
    more["trigger"] = Trigger(trigger) if isinstance(trigger, str) else trigger
    return Dataset(UUID(int=1), "anna", "pictures", tuple(training), tuple(regularization), **more)


def counts(analysis):
    return {each.tag: (each.training, each.regularization) for each in analysis.tags}


def test_tags_are_counted_in_both_sets_and_the_trigger_is_none():
    analysis = analyse(
        dataset(images("annax, 1girl, hat", "annax, 1girl, Long_Hair"), images("1girl, hat", "hat, tree", first=9))
    )
    assert counts(analysis) == {"1girl": (2, 1), "hat": (1, 2), "long hair": (1, 0), "tree": (0, 1)}
    assert [each.tag for each in analysis.tags] == ["1girl", "hat", "long hair", "tree"]
    assert [each.share for each in analysis.tags] == [1.0, 0.5, 0.5, 0.0]


def test_a_tag_counts_once_in_a_caption():
    assert counts(analyse(dataset(images("hat, Hat, hat, tree")))) == {"hat": (1, 0), "tree": (1, 0)}


@pytest.mark.parametrize(
    ("text", "kind", "tags"),
    [
        ("annax, 1girl, hat", "tags", {"1girl", "hat"}),
        ("annax", "tags", set()),
        ("hat", "tags", {"hat"}),
        (SENTENCES, "prose", set()),
        (f"annax, {SENTENCES}", "prose", set()),
        (f"annax, {SENTENCES} long hair, hat", "mixed", {"long hair", "hat"}),
        (f"annax, {SENTENCES}, long hair, hat", "mixed", {"long hair", "hat"}),
        (f"{SENTENCES} long hair, hat, annax", "mixed", {"long hair", "hat"}),
        (f'{SENTENCES[:-1]}." hat, tree', "mixed", {"hat", "tree"}),
        (f"{SENTENCES} She smiles, too", "prose", set()),
        ("a woman in a red dress who stands before a house, smiling", "prose", set()),
        ("A cat. Another cat", "prose", set()),
        (r"a\, b, c", "tags", {"a b", "c"}),
        (", ,", "tags", set()),
    ],
)
def test_tags_are_those_of_lists_and_those_behind_sentences(text, kind, tags):
    analysis = analyse(dataset(images(text)))
    assert analysis.training.kinds == ((kind, 1),)
    assert {each.tag for each in analysis.tags} == tags
    assert analysis.training.tagged == (kind != "prose")


def test_shares_are_of_the_captions_whose_tags_are_counted():
    analysis = analyse(dataset(images("hat, tree", "hat, sky", SENTENCES, None)))
    assert analysis.tags[0].share == 1.0
    assert (analysis.training.images, analysis.training.captions, analysis.training.tagged) == (4, 3, 2)


def test_what_goes_along_with_the_trigger_is_measured_against_all_the_rest():
    training = images("annax, 1girl, hat, ring", "annax, 1girl, hat", "1girl, tree", SENTENCES)
    (concept,) = analyse(dataset(training, images("1girl, hat", "1girl, sky", first=9))).concepts
    found = {each.tag: each for each in concept.together}
    assert (concept.trigger, concept.captions, concept.tagged) == ("annax", 2, 2)
    assert [each.tag for each in concept.together] == ["hat", "1girl", "ring"]
    assert found["1girl"].lift == 1.0
    assert (found["hat"].count, found["hat"].share, found["hat"].lift) == (2, 1.0, pytest.approx(3.0))
    assert found["ring"].lift == math.inf


@pytest.mark.parametrize("rest", [0, 1, 9])
def test_it_is_the_same_whichever_captions_are_fewer(rest):
    with_it = images(*["annax, hat, tree"] * 4, "annax, sky")
    others = images(*["hat, sea"] * rest, first=50)
    (concept,) = analyse(dataset(with_it, others)).concepts
    assert {each.tag: each.count for each in concept.together} == {"hat": 4, "tree": 4, "sky": 1}
    assert {each.lift is None for each in concept.together} == {not rest}


def test_captions_without_the_trigger_are_named():
    training = images("annax, hat", "hat, tree", "a picture of ANNAX in the garden with a cat", None, "annaxa, hat")
    (concept,) = analyse(dataset(training)).concepts
    assert concept.without == (("pictures", 2), ("pictures", 5))
    assert (concept.captions, concept.tagged) == (2, 1)


def test_a_trigger_in_a_regularization_caption_counts_with_it():
    (concept,) = analyse(dataset(images("annax, hat"), images("annax, sea", "sea, sky", first=9))).concepts
    assert concept.captions == 2
    assert {each.tag: each.lift for each in concept.together} == {"hat": math.inf, "sea": 0.5}


def test_each_concept_has_its_own():
    concepts = (Concept("anna", Trigger("annax")), Concept("ben", Trigger("bentom")), Concept("style"))
    analysis = analyse(
        dataset(
            (
                *images("annax, hat", "hat, tree", concept="anna"),
                *images("bentom, hat", "annax, bentom, sea", first=5, concept="ben"),
                *images("sky, tree", first=9, concept="style"),
            ),
            trigger="",
            concepts=concepts,
        )
    )
    assert [(each.concept, each.captions) for each in analysis.concepts] == [("anna", 2), ("ben", 2)]
    assert analysis.concepts[0].without == (("pictures", 2),)
    assert analysis.concepts[1].without == ()
    assert {"annax", "bentom"}.isdisjoint(counts(analysis))


@pytest.mark.parametrize("trigger", [Trigger(""), Trigger("annax", "none")])
def test_without_a_trigger_nothing_goes_along_with_it(trigger):
    assert analyse(dataset(images("hat, tree"), trigger=trigger)).concepts == ()


def test_lengths_are_in_parts_characters_and_tokens():
    texts = ("a, b, c", "a, b", "a, b, c, d", SENTENCES)
    lengths = analyse(dataset(images(*texts)), lambda text: len(text.split())).training.lengths
    assert lengths.parts.counts == ((2, 2), (3, 1), (4, 1))  # the sentences have one comma
    assert lengths.characters.longest == len(SENTENCES)
    assert lengths.tokens.counts == ((2, 1), (3, 1), (4, 1), (18, 1))
    assert analyse(dataset(images(*texts))).training.lengths.tokens is None


def test_a_distribution_knows_its_middle_and_its_end():
    found = Distribution(((1, 2), (5, 1), (80, 1)))
    assert (found.total, found.longest, found.below(0.5), found.below(0.75), found.below(1)) == (4, 80, 1, 5, 80)
    assert (found.above(75), found.above(80), found.above(0)) == (1, 0, 4)
    assert (Distribution().below(0.5), Distribution().longest, Distribution().total) == (0, 0, 0)


def test_sources_are_counted_per_set():
    edited = replace(images("hat, sun")[0], caption=Caption("hat, sun", "custom", edited=True))
    training = (*images("a, b", "c, d", source="wd"), edited, *images(None, first=7))
    analysis = analyse(dataset(training, images("a, b", source="joycaption")))
    assert analysis.training.sources == (("wd", 2), ("custom", 1))
    assert analysis.training.edited == 1
    assert analysis.regularization.sources == (("joycaption", 1),)


@pytest.mark.parametrize("training", [(), images(None), images("  ")])
def test_nothing_of_nothing(training):
    analysis = analyse(dataset(training), len)
    assert analysis.tags == ()
    assert analysis.training.captions == 0
    assert analysis.concepts[0].captions == 0
    assert analysis.concepts[0].without == ()
    assert tag_table(analysis) == ["no tags: the captions are prose, or there are none"]
    assert ("Training images", f"{len(training)}, 0 with a caption") in facts(analysis)


def test_the_figures_as_text():
    analysis = analyse(dataset(images("annax, 1girl, hat", "hat, sea"), images("1girl, sea", first=9)))
    assert facts(analysis) == [
        ("Training images", "2, 2 with a caption"),
        ("Training captions", "2 from sidecar"),
        ("Training kinds", "2 tags"),
        ("Training lengths", "half of them up to 2 parts (longest 3), 8 characters (longest 17)"),
        ("Regularization images", "1, 1 with a caption"),
        ("Regularization captions", "1 from sidecar"),
        ("Regularization kinds", "1 tags"),
        ("Regularization lengths", "half of them up to 2 parts (longest 2), 10 characters (longest 10)"),
        ("Trigger annax", "in 1 caption, missing in 1 training caption"),
    ]
    tokens = dict(facts(analyse(dataset(images("hat, sea")), len)))["Training lengths"]
    assert tokens == "half of them up to 2 parts (longest 2), 8 characters (longest 8), 8 tokens (longest 8)"


def test_the_tags_as_a_table():
    training = images("annax, 1girl, hat", "annax, 1girl, \u521d\u97f3\u30df\u30af", f"sky, {'x' * 60}")
    lines = tag_table(analyse(dataset(training, images("1girl, sky", first=9))), most=4)
    assert lines == [
        "tag                                       training  share  regularization  lift annax",
        "1girl                                            2   67 %               1         2.0",
        "sky                                              1   33 %               1",
        "hat                                              1   33 %               0        only",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…         1   33 %               0",
        "… and 1 more tag",
    ]
    assert (
        tag_table(analyse(dataset(images("annax, \u521d\u97f3\u30df\u30af"))))[1]
        == "\u521d\u97f3\u30df\u30af         1  100 %               0           -"
    )


@pytest.mark.slow
def test_a_hundred_thousand_captions():
    words = [f"tag {number}" for number in range(3000)]
    chosen = random.Random(1)
    texts = [f"annax, {', '.join(chosen.choices(words, k=30))}" for _ in range(2000)]
    training = images(*(texts * 50))
    started = time.process_time()
    analysis = analyse(dataset(training))
    assert time.process_time() - started < 20  # 2 s on the slow machine that this was written on
    assert analysis.training.captions == 100_000
    assert len(analysis.tags) == 3000


def test_hostile_captions_take_no_time():
    texts = [
        ". " * 20_000,
        "a." * 20_000,
        "," * 40_000,
        "a b. c, " * 5_000,
        ")" * 40_000,
        'a)"' * 20_000,
        "\\," * 20_000,
    ]
    started = time.process_time()
    analyse(dataset(images(*texts)))
    assert time.process_time() - started < 5
