"""Edits of captions: a preview, an inverse, and nothing changed that was not named."""

from dataclasses import replace
from time import process_time
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorads_core.captions.operations import (
    ALL,
    Selection,
    add_tags,
    applied,
    apply_source,
    find_and_replace,
    regex_replace,
    remove_tags,
    replace_tag,
    sort_tags,
    together,
)
from lorads_core.captions.profiles import profile
from lorads_core.captions.traits import prune
from lorads_core.captions.vocabulary import SHIPPED, Vocabulary
from lorads_core.errors import CaptionError
from lorads_core.model import Caption, Change, Dataset, DatasetImage, Edit, ImageRecord, Trigger
from lorads_core.tags import canonical, one_line, parse_tag_list


def image(number, text, *, edited=False):
    record = ImageRecord("pictures", number, f"/p/{number}.png", 1, 1, 1, 1, "", "png")
    caption = None if text is None else Caption(text, "custom" if edited else "wd", edited=edited, fixed=edited)
    return DatasetImage(record, caption)


def dataset(*texts, others=(), by_hand=()):
    training = [image(number, text) for number, text in enumerate(texts)]
    written = [image(100 + number, text, edited=True) for number, text in enumerate(by_hand)]
    regularization = [image(200 + number, text) for number, text in enumerate(others)]
    return Dataset(uuid4(), "d", "pictures", (*training, *written), tuple(regularization), Trigger("tom"))


def texts(data, bulk):
    edit = getattr(bulk, "edit", bulk)
    return [each.caption.text if each.caption else None for each in applied(data, edit).images]


def test_adding_at_the_front_is_behind_the_trigger():
    data = dataset("tom, cat", "cat", "A cat.", others=["dog"])
    assert texts(data, add_tags(data, ["red hat"])) == [
        "tom, red hat, cat",
        "red hat, cat",
        "red hat, A cat.",
        "red hat, dog",
    ]
    assert texts(data, add_tags(data, ["a, b"], "end")) == ["tom, cat, a, b", "cat, a, b", "A cat, a, b", "dog, a, b"]
    assert texts(data, add_tags(data, ["x"], 1))[0] == "tom, x, cat"
    assert texts(data, add_tags(data, ["x"], 99))[0] == "tom, cat, x"


def test_a_tag_that_is_there_is_not_added_again():
    data = dataset("tom, Red_Hat", "cat")
    bulk = add_tags(data, ["red hat"])
    assert [change.image for change in bulk.edit.changes] == [("pictures", 1)]


def test_removing_however_it_is_spelt():
    data = dataset("tom, Red_Hat,cat ,  dog", "red hat")
    bulk = remove_tags(data, ["red hat"])
    assert texts(data, bulk) == ["tom,cat ,  dog", "red hat"]
    assert bulk.emptied == (("pictures", 1),), "a caption is never left empty"


def test_replacing_a_tag_keeps_its_place():
    data = dataset("tom,  red_hat, cat", "blue hat, red hat", "redhat")
    assert texts(data, replace_tag(data, "red hat", "blue hat")) == ["tom,  blue hat, cat", "blue hat", "redhat"]


def test_find_and_replace_is_literal():
    data = dataset("a (b) c", "A (B) c", "a b c")
    assert texts(data, find_and_replace(data, "(b)", r"\1")) == [r"a \1 c", r"A \1 c", "a b c"]
    assert texts(data, find_and_replace(data, "(b)", "x", match_case=True)) == ["a x c", "A (B) c", "a b c"]
    assert texts(data, find_and_replace(data, "a", "two\nlines ||| x"))[2] == "two lines, x b c"


def test_regular_expressions():
    data = dataset("tom, 3 cats", "no cat")
    assert texts(data, regex_replace(data, r"(\d) (cat)s", r"\2 ×\1")) == ["tom, cat ×3", "no cat"]
    for pattern, template in (("(", "x"), ("a", r"\7"), ("", "x"), ("(?P<n", "x")):
        with pytest.raises(CaptionError):
            regex_replace(data, pattern, template)


@pytest.mark.slow
def test_a_pattern_that_would_take_for_ever_is_stopped():
    data = dataset(*["a" * 40 + "!"] * 3)
    with pytest.raises(CaptionError, match="takes longer than 2 seconds"):
        regex_replace(data, r"(a|aa|a?)+$(?<=b)|(a+a+)+b", "x")


@pytest.mark.parametrize(
    "pattern",
    ["(?R)", "a(?0)?", "(a)(?1)", "(a)(?+1)", "(?P<x>a)(?&x)", "(?P<x>a)(?P>x)", r"\\(?R)",
     "(" * 3000 + "a" + ")" * 3000, "(" * 490 + "a" + ")" * 490, "(?i:" * 240, "a" * 1001,
     "a{1000000000}", "(a{1000}){1000}", "((a{100}){100}){100}", "a{,99999999999}", "a{ 5 , 20000 }"],
    ids=lambda pattern: pattern[:20],
)  # fmt: skip
def test_a_pattern_that_takes_memory_without_end_is_refused(pattern):
    begun = process_time()
    with pytest.raises(CaptionError, match=r"calls itself|the most|repeats too often|too much memory|malformed"):
        regex_replace(dataset("aaaa"), pattern, "x")
    assert process_time() - begun < 2


@pytest.mark.parametrize("pattern", [r"\(?R\)?", r"\d{4}-\d{2}", "(?P<x>a)(?P=x)?", "(a)?(?(1)b|c)", r"\{99999999\}?"])
def test_a_pattern_that_only_looks_like_a_costly_one_is_taken(pattern):
    regex_replace(dataset("tom (R) 2024-05"), pattern, "x")


def test_a_template_that_makes_megabytes_of_a_caption_is_refused():
    with pytest.raises(CaptionError, match="too much memory"):
        regex_replace(dataset("a" * 5_000), "a", "b" * 5_000)


@pytest.mark.parametrize("invisible", ["\u202e", "\u2066", "\u2069", "\x1b", "\0", "\x07"])
def test_no_operation_puts_control_characters_into_captions(invisible):
    data = dataset("tom, cat")
    assert texts(data, regex_replace(data, "cat", f"c{invisible}at")) == ["tom, cat"]
    assert texts(data, add_tags(data, [f"do{invisible}g"], "end")) == ["tom, cat, dog"]


def test_sorting_by_the_base_models_order():
    data = dataset(
        "tom, long hair, 1girl, masterpiece, solo, hatsune miku, smile", "A girl. She smiles, 1girl", "b, a, tom"
    )
    known = Vocabulary(categories={"hatsune miku": "character"})
    assert texts(data, sort_tags(data, profile("illustrious"), known)) == [
        "tom, 1girl, solo, hatsune miku, long hair, smile, masterpiece",
        "A girl. She smiles, 1girl",
        "b, a, tom",
    ]


def test_captions_by_hand_are_changed_only_when_named():
    data = dataset("cat", by_hand=["cat, mine"])
    assert texts(data, remove_tags(data, ["mine", "x"])) == ["cat", "cat, mine"]
    assert texts(data, remove_tags(data, ["mine"], Selection(by_hand=True))) == ["cat", "cat"]
    changed = applied(data, remove_tags(data, ["mine"], Selection(by_hand=True)).edit).training[1].caption
    assert (changed.edited, changed.fixed, changed.source) == (True, True, "custom")


def test_a_selection_names_images_and_sets():
    data = dataset("a", "b", others=["c"])
    assert texts(data, add_tags(data, ["x"], "end", Selection(of="training"))) == ["a, x", "b, x", "c"]
    assert texts(data, add_tags(data, ["x"], "end", Selection(of="regularization"))) == ["a", "b", "c, x"]
    assert texts(data, add_tags(data, ["x"], "end", Selection(frozenset({("pictures", 1)})))) == ["a", "b, x", "c"]


def test_another_source_for_some():
    data = dataset("a", "b", "c", by_hand=["mine"])
    rebuilt = {("pictures", n): Caption(f"prose {n}", "joycaption") for n in (0, 2, 100)}
    bulk = apply_source(data, rebuilt, "joycaption")
    assert texts(data, bulk) == ["prose 0", "b", "prose 2", "mine"]
    assert bulk.emptied == (("pictures", 1),)
    assert applied(data, bulk.edit).training[0].caption == Caption("prose 0", "joycaption", fixed=True)


def test_images_without_a_caption_are_left_alone():
    data = dataset(None, "a")
    assert texts(data, add_tags(data, ["x"])) == [None, "x, a"]


def test_a_conflict_changes_nothing_and_names_the_image():
    data = dataset("a", "b")
    edit = add_tags(data, ["x"]).edit
    other = applied(data, add_tags(data, ["y"], selection=Selection(frozenset({("pictures", 1)}))).edit)
    with pytest.raises(CaptionError, match=r"/p/1\.png is 'y, b' by now, where 'b'"):
        applied(other, edit)
    with pytest.raises(CaptionError, match="Image 1 of library pictures is not in the dataset"):
        applied(dataset("a"), edit)


def test_of_two_edits_for_a_caption_the_first_counts():
    data = dataset("a", "b")
    both = together("both", [add_tags(data, ["x"]).edit, add_tags(data, ["y"]).edit])
    assert texts(data, both) == ["x, a", "y, b"] or texts(data, both) == ["x, a", "x, b"]
    assert both.label == "both"


def test_a_tag_that_is_none_is_refused():
    data = dataset("a")
    for operation in (
        lambda: add_tags(data, [" , "]),
        lambda: remove_tags(data, []),
        lambda: replace_tag(data, "", "x"),
    ):
        with pytest.raises(CaptionError, match="is no tag"):
            operation()


TAGS = [
    "tom",
    "cat",
    "red hat",
    "Red_Hat",
    "1girl",
    "long hair",
    "smile",
    "saber (fate)",
    "^_^",
    "\u043c\u0430\u0441\u043b\u043e",
    "x" * 50,
]
CAPTIONS = st.lists(st.sampled_from(TAGS), min_size=1, max_size=8).map(", ".join) | st.text(min_size=1).map(
    one_line
).filter(lambda text: text.strip(" ,"))
DATA = st.builds(
    lambda some, others, written: dataset(*some, others=others, by_hand=written),
    st.lists(CAPTIONS, max_size=4),
    st.lists(CAPTIONS, max_size=2),
    st.lists(CAPTIONS, max_size=2),
)
OPERATIONS = st.sampled_from(
    [
        lambda data: add_tags(data, ["hat", "smile"]),
        lambda data: add_tags(data, ["hat"], "end"),
        lambda data: add_tags(data, ["hat"], 2),
        lambda data: remove_tags(data, ["red hat"]),
        lambda data: replace_tag(data, "red hat", "blue hat"),
        lambda data: sort_tags(data, profile("pony"), SHIPPED),
        lambda data: find_and_replace(data, "hat", "cap"),
        lambda data: regex_replace(data, "h(a)t", r"\1"),
    ]
)
NAMED = {"hat", "smile", "red hat", "blue hat"}


@given(DATA, OPERATIONS)
def test_taken_back_every_caption_is_what_it_was_byte_for_byte(data, operation):
    edit = operation(data).edit
    assert applied(applied(data, edit), edit.inverse) == data
    assert all(change.before != change.after for change in edit.changes)


@given(DATA, st.sampled_from(range(6)))
def test_no_operation_loses_a_tag_that_it_did_not_name(data, which):
    operation = [
        lambda: add_tags(data, ["hat", "smile"]),
        lambda: add_tags(data, ["hat"], 2),
        lambda: remove_tags(data, ["red hat"]),
        lambda: replace_tag(data, "red hat", "blue hat"),
        lambda: sort_tags(data, profile("pony"), SHIPPED),
        lambda: prune(data, {"red hat"}),
    ][which]()
    for before, after in zip(data.images, applied(data, getattr(operation, "edit", operation)).images, strict=True):
        had, has = set(parse_tag_list(before.caption.text)), set(parse_tag_list(after.caption.text))
        assert had - NAMED - {canonical(before.caption.text)} <= has | {tag for tag in had if tag.endswith(".")}
        assert after.caption.text.strip(" ,")
        assert not before.caption.edited or before == after


@given(DATA, OPERATIONS)
def test_every_caption_stays_one_line(data, operation):
    for each in applied(data, operation(data).edit).images:
        assert len(each.caption.text.splitlines()) == 1


def test_an_edit_is_a_value():
    change = Change(("pictures", 1), Caption("a", "wd"), Caption("b", "wd", fixed=True))
    edit = Edit("x", (change,))
    assert edit.inverse.inverse == edit
    assert replace(edit) == edit
    assert Selection() == ALL
