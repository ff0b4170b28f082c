"""What every kind of library promises, asked of the same pictures in each; the shelf says what is right."""

import hashlib
import os
from collections import Counter
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from lorads_core.captions.merge import MergeRules, said_by
from lorads_core.captions.sources import CaptionMaterial, source
from lorads_core.errors import LibraryError
from lorads_core.library.files import read_file_facts
from lorads_core.library.filter import ORDERS, DatasetFilter
from lorads_core.library.kinds import kinds
from lorads_core.model import Group, Tag
from lorads_core.store.connect import Store
from lorads_core.tags import canonical

from ..conftest import _new_database as new_database
from .diffusiontoolkit import windows_path
from .filled import ALL, FILLERS, PASSWORD, SAMPLES, Place
from .shelf import SHELF


@pytest.fixture(scope="module", params=kinds())
def filled(request, embedded, template, make_folder):
    """A library of each kind with the same pictures, to be asked and not to be changed."""
    with (
        new_database(embedded.conninfo, template) as ours,
        new_database(embedded.conninfo, "template1") as theirs,
        Store.open(ours) as store,
    ):
        yield FILLERS[request.param](Place(store, theirs, make_folder()))


@pytest.fixture(params=kinds())
def changing(request, store, database, tmp_path):
    """The same, to be changed."""
    return FILLERS[request.param](Place(store, database, tmp_path.resolve()))


@pytest.fixture
def library(filled):
    return filled.library


def test_each_kind_is_held_to_the_promises():
    assert kinds().keys() == FILLERS.keys()


# Filters


def passes(sample, wanted):
    tags = {tag for tag, _, _ in sample.tags}
    required, excluded = ({canonical(tag) for tag in tags} for tags in (wanted.required_tags, wanted.excluded_tags))
    return all(
        (
            not wanted.cluster or wanted.cluster in sample.clusters,
            not wanted.album or wanted.album in sample.albums,
            wanted.minimum_rating is None or (sample.rating is not None and sample.rating >= wanted.minimum_rating),
            not (wanted.exclude_marked_bad and sample.marked_bad),
            required <= tags,
            not excluded & tags,
            min(sample.size) >= wanted.minimum_side,
        )
    )


WANTED = [
    {},
    {"exclude_marked_bad": False},
    {"minimum_rating": 0},
    {"minimum_rating": 7},
    {"minimum_rating": 10},
    {"minimum_rating": 1, "exclude_marked_bad": False},
    {"minimum_side": 513},
    {"minimum_side": 5000},
    {"required_tags": ("1girl",)},
    {"required_tags": ("Red_Hair", "smile")},
    {"required_tags": ("^_^",)},
    {"required_tags": ("^ ^", "1girl")},
    {"required_tags": ("1girl", "1boy")},
    {"required_tags": ("1boy",), "exclude_marked_bad": False},
    {"required_tags": ("no such tag",)},
    {"excluded_tags": ("1boy",)},
    {"excluded_tags": ("1boy", "^_^", "no such tag")},
    {"required_tags": ("1girl",), "excluded_tags": ("smile",)},
    {"cluster": "anna"},
    {"album": "best"},
    {"album": "best", "cluster": "bert"},
    {"album": "men", "minimum_rating": 8, "required_tags": ("1boy",)},
]


@pytest.mark.parametrize("wanted", WANTED, ids=[str(wanted) for wanted in WANTED])
def test_filters(filled, wanted):
    asked = DatasetFilter(**wanted)
    expected = sorted(sample.name for sample in SHELF if passes(sample, asked))
    found = filled.library.find(asked)
    assert sorted(filled.names(found)) == expected
    assert filled.library.count(asked) == len(expected)
    assert sorted(filled.library.ids(asked)) == sorted(image.id for image in found)


ANNA, ANNA_2, ANNA_3, BERT, BERT_2, _, LAMP, TABLE = (sample.name for sample in SHELF)
JANUARY = {"created_since": date(2025, 1, 1), "created_before": date(2025, 2, 1)}
LISTED = {BERT, ANNA_3}  # images with LoRAs that stand in no prompt, but in a list that SQLite does not have
ORIGINS = [
    ({"favorite": True}, {ANNA, BERT}),
    ({"favorite": False, "required_tags": ("1girl",)}, {ANNA_2, ANNA_3}),
    ({"nsfw": True}, {ANNA_2, ANNA_3}),
    ({"nsfw": False}, {ANNA, BERT, BERT_2, LAMP, TABLE}),
    ({"nsfw": False, "favorite": True, "minimum_rating": 8}, {ANNA}),
    ({"models": ("PONYdiffusionv6xl.safetensors",)}, {ANNA}),
    ({"models": ("pony_100%",)}, {ANNA_2}),
    ({"models": (r"sdxl\Pony_100%.ckpt", "nothing")}, {ANNA_2}),
    ({"models": ("sdxl/*",)}, {ANNA_2}),
    ({"models": ("pony*",)}, {ANNA, ANNA_2, ANNA_3}),
    ({"models": ("pony*",), "nsfw": False}, {ANNA}),
    ({"models": ("*",)}, {ANNA, ANNA_2, ANNA_3}),
    ({"models": ("67ab2fd8ec",)}, {ANNA}),
    ({"models": ("67AB2FD8EC" + "0" * 54,)}, {ANNA}),
    ({"models": ("67ab2fd8", "0BADC0DE", "67ab")}, {ANNA, BERT}),
    ({"loras": ("x",)}, {ANNA, LAMP}),
    ({"loras": ("INK",)}, {BERT, LAMP}),
    ({"loras": ("x", "Styles/ink")}, {ANNA, LAMP, BERT}),
    ({"loras": ("x", "ink'; drop", "detail tweaker*")}, {ANNA, LAMP, ANNA_3}),
    ({"loras": ("x",), "excluded_tags": ("smile",)}, {LAMP}),
    (JANUARY | {"favorite": True}, {ANNA, BERT}),
    (JANUARY | {"created_since": date(2025, 1, 31)}, {ANNA}),
    ({"created_since": date(2025, 2, 1)}, {ANNA_2}),
    ({"created_before": date(2025, 1, 15)}, set()),
]


@pytest.mark.parametrize(("wanted", "expected"), ORIGINS, ids=[str(wanted) for wanted, _ in ORIGINS])
def test_filters_by_what_the_program_wrote(filled, wanted, expected):
    asked = DatasetFilter(**wanted)
    if filled.kind == "index" and "loras" not in wanted:
        if any(name.startswith("created") for name in wanted):
            pytest.skip("its dates are those of the files")
        # Finding nothing, or everything, would be wrong.
        refused = r"'shelf' has no (favorites|NSFW marks|checkpoints) \(only DiffusionToolkit's .*: leave that out"
        for method in (filled.library.find, filled.library.count, filled.library.ids):
            with pytest.raises(LibraryError, match=refused):
                method(asked)
        return
    if filled.kind != "diffusiontoolkit" and "loras" in wanted:
        expected = expected - LISTED
    assert set(filled.names(filled.library.find(asked))) == expected
    assert filled.library.count(asked) == len(filled.library.ids(asked)) == len(expected)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"models": ("ponyDiffusion",)}, "checkpoint 'ponyDiffusion'; of its 3 the nearest are: ponyDiffusionV6XL, "),
        ({"loras": ("y'--",)}, r"LoRA \"y'--\"; of its \d the nearest are: "),
    ],
)
def test_a_name_that_no_image_was_made_with_is_named_with_the_nearest(filled, wanted, message):
    if filled.kind == "index" and "models" in wanted:
        pytest.skip("it knows no checkpoints")
    with pytest.raises(LibraryError, match=f"'shelf' has no image made with {message}"):
        filled.library.find(DatasetFilter(**wanted))


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        (["anna"], 3),
        (["anna/"], 3),
        (["an"], 0),
        (["things"], 2),
        (["things/deep"], 1),
        (["things/deep/er"], 1),
        (["bert", "things/deep"], 4),
        (["."], 8),
        (["nowhere"], 0),
    ],
)
def test_folders_are_those_of_this_machine_and_count_with_those_below(filled, folders, expected):
    places = [f"{filled.folder / folder}{'/' if folder.endswith('/') else ''}" for folder in folders]
    found = filled.names(filled.library.find(DatasetFilter(folders=tuple(places), exclude_marked_bad=False)))
    assert len(found) == expected
    assert all(any(name.startswith(folder.strip("./")) for folder in folders) for name in found)


ORDERED = {
    "path": sorted(SAMPLES),
    "newest": list(reversed(SAMPLES)),
    "oldest": list(SAMPLES),
    "rating": ["bert/2.jpg", "anna/1.png", "things/deep/er/table.png", "bert/1.jpg", "things/lamp.png", "anna/2.png"],
    "largest": ["things/lamp.png", "things/deep/er/table.png", "bert/1.jpg", "anna/1.png", "bert/Übung \u21163.jpg"],
}


@pytest.mark.parametrize("order", ORDERED)
def test_orders(filled, order):
    found = filled.names(filled.library.find(DatasetFilter(order=order, exclude_marked_bad=False)))
    assert sorted(found) == sorted(SAMPLES)
    assert found[: len(ORDERED[order])] == ORDERED[order]


def test_a_maximum_takes_the_first(filled):
    for order in ORDERS:
        every = filled.library.find(DatasetFilter(order=order))
        assert filled.library.find(DatasetFilter(order=order, maximum_images=3)) == every[:3]
    assert filled.library.count(DatasetFilter(maximum_images=3)) == len(every)
    some = filled.library.ids(DatasetFilter(maximum_images=3))
    assert len(some) == 3
    assert set(some) <= {image.id for image in every}


def test_random_is_another_order_for_each_seed_and_the_same_again(filled):
    runs = [filled.names(filled.library.find(DatasetFilter(order="random", seed=seed))) for seed in range(8)]
    assert len({tuple(run) for run in runs}) > 3
    assert {tuple(sorted(run)) for run in runs} == {tuple(sorted(runs[0]))}
    assert filled.names(filled.library.find(DatasetFilter(order="random", seed=5))) == runs[5]


def test_chosen_by_id(filled):
    ids = tuple(map(filled.id, ("anna/2.png", "bert/1.jpg", "bert/Übung \u21163.jpg")))
    assert filled.names(filled.library.find(DatasetFilter(ids=(*ids, 2**62)))) == ["anna/2.png", "bert/1.jpg"]


@pytest.mark.parametrize(("kind", "name"), [("cluster", "nobody"), ("album", "anna"), ("cluster", "best")])
def test_a_group_that_is_not_there_is_an_error(library, kind, name):
    with pytest.raises(LibraryError, match=f"no {kind} '{name}'"):
        library.find(DatasetFilter(**{kind: name}))


@pytest.mark.parametrize("text", ["'; DROP TABLE image; --", "%s %(x)s", "100%", "{}", "\\", '"'])
def test_hostile_text_is_only_text(library, text):
    assert library.find(DatasetFilter(required_tags=(text,), folders=(text,))) == []
    assert library.count(DatasetFilter(excluded_tags=(text,), exclude_marked_bad=False)) == len(SHELF)


# Records


def test_records_know_what_the_shelf_knows(filled):
    found = filled.library.find(ALL)
    for name, image in zip(filled.names(found), found, strict=True):
        sample = SAMPLES[name]
        assert image.library == filled.library.name == "shelf"
        assert (image.rating, image.marked_bad, image.prompt) == (sample.rating, sample.marked_bad, sample.prompt)
        assert (image.width, image.height) == sample.size
        assert image.format == {"png": "png", "jpg": "jpeg"}[name[-3:]]


def test_records_say_of_their_files_what_is_true_or_nothing(filled):
    for image in filled.library.find(ALL):
        data = Path(image.path).read_bytes()
        assert image.hash in {"", hashlib.sha256(data).hexdigest()}
        assert image.file_size in {0, len(data)}
        assert image.mtime_ns in {0, os.stat(image.path).st_mtime_ns}


def test_records_are_completed_from_their_files(filled):
    found = filled.library.find(ALL)
    whole, problems = read_file_facts(found)
    assert problems == []
    for before, after in zip(found, whole, strict=True):
        assert (after.id, after.width, after.height) == (before.id, before.width, before.height)
        assert after.hash == hashlib.sha256(Path(after.path).read_bytes()).hexdigest()
        assert after.ready is True


def test_paths_without_a_map_are_those_of_the_library(filled):
    if filled.unmapped is None:
        pytest.skip("it knows only paths of this machine")
    found = filled.unmapped.find(ALL)
    assert sorted(image.path for image in found) == sorted(map(windows_path, SAMPLES))
    assert len(filled.unmapped.find(DatasetFilter(folders=(r"D:\Images\anna",)))) == 3


# Words and groups


def said(tags):
    return {(tag.text, said_by(tag), None if tag.confidence is None else round(tag.confidence, 3)) for tag in tags}


def test_tags_by_whoever_said_them(filled):
    found = filled.library.find(ALL)
    tags = filled.library.tags(found)
    assert {
        name: said(tags[image.id]) for name, image in zip(filled.names(found), found, strict=True) if image.id in tags
    } == {
        sample.name: {(tag, frozenset({by}), confidence) for tag, by, confidence in sample.tags}
        for sample in SHELF
        if sample.tags
    }
    assert filled.library.tags([]) == {}


def test_who_gave_tags_is_told_by_image(filled):
    found = filled.library.find(ALL)
    sources = filled.library.tag_sources([image.id for image in found])
    assert {
        name: {kind for each in sources[image.id] for kind in said_by(Tag("", each))}
        for name, image in zip(filled.names(found), found, strict=True)
        if image.id in sources
    } == {sample.name: {by for _, by, _ in sample.tags} for sample in SHELF if sample.tags}
    assert filled.library.tag_sources([found[0].id]).keys() <= {found[0].id}
    assert filled.library.tag_sources([]) == {}


def test_tags_are_counted_by_image(filled):
    chosen = [sample for sample in SHELF if sample.name.startswith(("anna", "bert"))]
    expected = Counter(tag for sample in chosen for tag in {tag for tag, _, _ in sample.tags})
    counts = filled.library.tag_counts([filled.id(sample.name) for sample in chosen])
    assert {each.tag: each.images for each in counts} == expected
    assert [each.images for each in counts] == sorted(expected.values(), reverse=True)
    assert not any(each.character for each in counts)
    assert list(filled.library.tag_counts([])) == []


def test_captions(filled):
    found = filled.library.find(ALL)
    for name, image in zip(filled.names(found), found, strict=True):
        ordered = sorted(image.captions, key=lambda caption: caption.updated_at)
        assert [(caption.text, caption.source, caption.edited) for caption in ordered] == list(SAMPLES[name].captions)


@pytest.mark.parametrize(
    ("name", "by", "expected"),
    [
        ("anna/2.png", "custom", "Anna laughs."),
        ("anna/1.png", "custom", ""),
        ("anna/1.png", "joycaption", "A woman with red hair smiles."),
        ("things/lamp.png", "prompt", "a lamp"),
        ("anna/1.png", "wd", "1girl, red hair"),
        ("anna/1.png", "joytag", "1girl, smile"),
        ("bert/2.jpg", "wd", ""),
    ],
)
def test_caption_sources_find_their_words(filled, name, by, expected):
    (image,) = filled.library.find(DatasetFilter(ids=(filled.id(name),)))
    tags = filled.library.tags([image]).get(image.id, ())
    assert source(by).text(CaptionMaterial(image, tags), MergeRules()) == expected


def test_groups(filled):
    found = filled.library.find(ALL)
    known = filled.library.groups(found)
    assert {
        name: set(known[image.id]) for name, image in zip(filled.names(found), found, strict=True) if image.id in known
    } == {
        sample.name: {Group("album", each) for each in sample.albums}
        | {Group("cluster", each) for each in sample.clusters}
        for sample in SHELF
        if sample.albums or sample.clusters
    }
    assert filled.library.groups([]) == {}


# Vectors


def test_vectors_are_what_spaces_and_versions_say(filled):
    spaces = filled.library.spaces()
    assert bool(spaces) == (filled.unmapped is not None)
    assert [space.count for space in spaces] == sorted((space.count for space in spaces), reverse=True)
    ids = filled.library.ids(ALL)
    for space in spaces:
        versions = filled.library.vector_versions(space.space)
        assert len(versions) == space.count > 0
        assert versions.keys() <= set(ids)
        read = {}
        for batch in filled.library.vectors(space.space, [*ids, 2**30]):
            assert (batch.vectors.dtype, batch.vectors.shape) == (np.float32, (len(batch.ids), space.dimensions))
            assert np.isfinite(batch.vectors).all()
            read |= zip(batch.ids.tolist(), batch.versions.tolist(), strict=True)
        assert read == versions


def test_vectors_of_a_space_that_is_not_there(library):
    assert library.vector_versions("no such space") == {}
    assert list(library.vectors("no such space", library.ids(ALL))) == []


# Changes


def test_each_change_is_in_the_revision_and_in_the_answers(changing):
    image_id = changing.id("anna/2.png")

    def answers():
        found = changing.library.find(ALL)
        return (
            found,
            {each: set(tags) for each, tags in changing.library.tags(found).items()},
            changing.library.groups(found),
        )

    for change in changing.changes.values():
        revision, before = changing.library.revision(), answers()
        change(image_id)
        assert changing.library.revision() != revision
        assert answers() != before


def test_without_a_change_the_revision_stays(library):
    # A server may do something of its own at any time.
    assert any(library.revision() == library.revision() for _ in range(5))


def test_another_path_map_is_another_revision(filled):
    if filled.unmapped is None:
        pytest.skip("it knows only paths of this machine")
    assert filled.unmapped.revision() != filled.library.revision()


# Reports and faults


def test_the_report_counts_what_find_finds(filled, request):
    report = filled.library.report()
    assert (report.name, report.kind) == ("shelf", request.node.callspec.params["filled"])
    assert report.images == filled.library.count(ALL) == len(SHELF)
    facts = dict(report.facts)
    expected = {
        "rated": "7 of 8",
        "marked bad": "1 of 8",
        "with prompt": "2 of 8",
        "albums": "2 with 3 images",
        "clusters": "2 with 4 images",
        "captions by joycaption": "2 on 2 images",
        "captions by manual": "1 on 1 image",
    }
    assert {name: facts.get(name) for name in expected} == expected
    assert not [problem for problem in report.problems if problem.severity == "error"]


def test_opening_looks_at_nothing_and_asking_says_what_is_missing(filled):
    if filled.elsewhere is None:
        pytest.skip("it is in our own store")
    for ask in (
        lambda: filled.elsewhere.find(ALL),
        lambda: filled.elsewhere.count(ALL),
        filled.elsewhere.revision,
        filled.elsewhere.report,
        filled.elsewhere.spaces,
    ):
        with pytest.raises(LibraryError, match="shelf") as told:
            ask()
        assert PASSWORD not in str(told.value)
