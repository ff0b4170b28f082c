"""The shipped vocabulary: each entry is sound, none is in vain, and no name means something else."""

import pytest

from lorads_core.captions import tables
from lorads_core.captions.merge import MergeRules, merge
from lorads_core.captions.tag_files import circle_of
from lorads_core.captions.vocabulary import (
    _DENIALS,
    _OTHER_THINGS,
    ALIASES,
    BLACKLIST,
    COUNTS,
    IMPLICATIONS,
    QUALITY,
    RATINGS,
    SHIPPED,
    Vocabulary,
    last_words,
)
from lorads_core.model import Tag
from lorads_core.tags import canonical


def merged(*texts):
    return merge([Tag(text, "wd", 0.9 - n / 100) for n, text in enumerate(texts)], MergeRules())


@pytest.mark.parametrize("said", sorted(ALIASES))
def test_every_alias_is_canonical_and_final(said):
    meant = ALIASES[said]
    assert (canonical(said), canonical(meant)) == (said, meant)
    assert meant not in ALIASES
    assert said != meant


def test_no_alias_takes_away_what_captions_are_put_in_order_by():
    assert not {*COUNTS, *RATINGS, *QUALITY, *BLACKLIST}.intersection(ALIASES)


def test_no_spelling_stands_with_two_tags():
    written = [other for others in tables._SPELLINGS.values() for other in others.split(", ")]
    assert len(written) == len(set(written))
    assert set(written) <= set(ALIASES)


@pytest.mark.parametrize("tag", sorted(IMPLICATIONS))
def test_every_implication_is_canonical_between_tags_that_are_no_aliases(tag):
    for said in (tag, *IMPLICATIONS[tag]):
        assert canonical(said) == said
        assert said not in ALIASES
    assert tag not in IMPLICATIONS[tag]


@pytest.mark.parametrize("tag", sorted(IMPLICATIONS))
def test_no_implication_is_given_by_last_words_already(tag):
    assert not last_words(tag) & IMPLICATIONS[tag]
    # Nor by what its other ones say along.
    for said in IMPLICATIONS[tag]:
        others = Vocabulary(implications=dict(IMPLICATIONS) | {tag: IMPLICATIONS[tag] - {said}})
        assert said not in others.implied(tag), said


def test_implications_do_not_go_in_circles_whatever_tags_end_in():
    tags = {*IMPLICATIONS, *(said for group in IMPLICATIONS.values() for said in group)}
    assert circle_of({tag: IMPLICATIONS.get(tag, frozenset()) | last_words(tag) for tag in tags}) == []


def test_a_tag_never_implies_itself_and_what_it_implies_never_implies_it():
    for tag in IMPLICATIONS:
        implied = SHIPPED.implied(tag)
        assert tag not in implied
        assert all(tag not in SHIPPED.implied(said) for said in implied)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("bunny_ears", "rabbit ears"),  # JoyTag -> WD v3
        ("vtuber", "virtual youtuber"),
        ("/\\/\\/\\", "/\\/\\/\\"),
        ("gray_hair", "grey hair"),
        ("multicoloured hair", "multicolored hair"),
        ("jewellery", "jewelry"),
        ("pyjamas", "pajamas"),
        ("twin tails", "twintails"),
        ("Trees", "tree"),
        ("sailor_fuku", "serafuku"),
        ("white_swimsuit", "white one-piece swimsuit"),
        ("braids", "braid"),
        ("grass", "grass"),
        ("glasses", "glasses"),
    ],
)
def test_other_spellings(said, meant):
    assert SHIPPED.words[said].text == meant


@pytest.mark.parametrize(
    ("tag", "implied"),
    [
        ("twin braids", {"braid", "braids"}),
        ("serafuku", {"school uniform", "uniform"}),
        ("absurdly long hair", {"very long hair", "long hair", "hair"}),
        ("thigh boots", {"boots"}),
        ("black thighhighs", {"thighhighs"}),
        ("high heel boots", {"high heels", "heel boots", "boots", "heels"}),
        ("katana", {"sword", "weapon"}),
        ("smartphone", {"cellphone", "phone"}),
        ("frilled dress", {"frills", "dress"}),
        ("4girls", {"multiple girls", "girls"}),
        ("red rose", {"rose", "flower"}),
        ("side-tie bikini bottom", {"bikini bottom", "bottom", "bikini", "swimsuit"}),
        (":d", {"open mouth", "smile", "mouth"}),
        ("hair", set()),
    ],
)
def test_what_a_tag_says_along(tag, implied):
    assert SHIPPED.implied(tag) == implied


@pytest.mark.parametrize(
    ("tag", "other"),
    [
        ("no shirt", "shirt"),
        ("unworn hat", "hat"),
        ("covered nipples", "nipples"),
        ("imminent kiss", "kiss"),
        ("indirect kiss", "kiss"),
        ("stuffed rabbit", "rabbit"),
        ("what", "hat"),
        ("looking back", "back"),
        ("arms behind back", "back"),
        ("on back", "back"),
        ("garter belt", "belt"),
        ("lap pillow", "pillow"),
        ("water gun", "gun"),
        ("red panda", "panda"),
        ("teddy bear", "bear"),
        ("sweet potato", "potato"),
        ("ice cream", "cream"),
        ("shirtless male", "shirt"),
        ("cat ears", "cat"),
        ("white background", "simple background"),
        ("cat", "animal"),
    ],
)
def test_what_a_tag_does_not_say(tag, other):
    assert other not in SHIPPED.implied(tag)
    assert set(merged(tag, other)) == {SHIPPED.words[tag].text, SHIPPED.words[other].text}


def test_a_denial_may_still_say_along_what_the_table_has():
    assert SHIPPED.implied("stuffed rabbit") == {"stuffed animal", "stuffed toy"}
    assert merged("on back", "lying") == ["on back"]


def test_other_things_are_canonical_and_not_denied_already():
    for tag in _OTHER_THINGS:
        assert canonical(tag) == tag
        assert tag.split(" ")[0] not in _DENIALS


def test_two_taggers_that_call_things_differently_say_them_once():
    joytag = [Tag(text, "joytag", 0.8) for text in ("bunny_ears", "bunny_tail", "halter_top", "black_swimsuit")]
    wd = [Tag(text, "wd", 0.7) for text in ("rabbit_ears", "animal_ears", "rabbit_tail", "black_one-piece_swimsuit")]
    assert set(merge([*joytag, *wd], MergeRules())) == {
        "rabbit ears",
        "rabbit tail",
        "halterneck",
        "black one-piece swimsuit",
    }


def test_circles_of_a_vocabulary_by_hand_come_to_an_end():
    round_about = Vocabulary(implications={"a": frozenset({"b"}), "b": frozenset({"c"}), "c": frozenset({"a"})})
    assert round_about.implied("a") == {"b", "c"}
