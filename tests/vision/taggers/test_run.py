"""Tagging libraries: real pictures, a real store, tiny real taggers; our own index and those of other programs."""

import os
import random
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from PIL import Image

from lorads_core.captions.caption import CaptionSettings
from lorads_core.errors import SettingsError
from lorads_core.library.filter import DatasetFilter
from lorads_core.library.index import IndexOptions, index_folder
from lorads_core.library.kinds.index import IndexedLibrary
from lorads_core.library.sidecars import Reading, SidecarRule
from lorads_core.settings import LibraryProfile, Table
from lorads_core.store.images import revision
from lorads_core.store.model_tags import read_model_tags, tagger_counts
from lorads_core.vision.taggers import open_tagger
from lorads_core.vision.taggers.all_tags import tags_of
from lorads_core.vision.taggers.run import tag_library
from lorads_core.workflow import captions as captioning
from lorads_core.workflow import dataset as build

from ...library import diffusiontoolkit, sqlite_fixture
from ...library.filled import ALL, FILLERS, Place
from .models import profile, settings, write_tagger

EVERY = DatasetFilter()
COLOURS = [(250, 0, 0), (0, 250, 0), (0, 0, 250), (40, 102, 153), (102, 0, 51), (9, 99, 199), (1, 2, 3)]


class Cut(Exception):  # noqa: N818 (nothing has gone wrong)
    """What a progress raises to cancel."""


def paint(path, colour, size=(20, 20)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


def repaint(path, colour):
    """Change a picture and its date, however coarse the file system's clock is."""
    before = path.stat().st_mtime_ns
    paint(path, colour)
    os.utime(path, ns=(before + 10**9, before + 10**9))


@pytest.fixture
def folder(tmp_path):
    return write_tagger(tmp_path / "models" / "wd", spoil=True)


@pytest.fixture
def wd(folder):
    return open_tagger(profile(folder, batch_size=2))


@pytest.fixture
def joytag(tmp_path):
    return open_tagger(profile(write_tagger(tmp_path / "models" / "joytag", "joytag"), batch_size=2))


@pytest.fixture
def paths(tmp_path):
    return [paint(tmp_path / "pictures" / f"{n}.png", colour) for n, colour in enumerate(COLOURS)]


@pytest.fixture
def indexed(store, paths):
    index_folder(store, "pictures", paths[0].parent)
    return IndexedLibrary(store, "pictures")


def ids(library):
    """Return the ids of the numbered pictures, in their order."""
    return {int(re.search(r"(\d+)\.png", record.path)[1]): record.id for record in sorted(library.find(ALL), key=str)}


def known(store, library, *numbers):
    """Return what is known of numbered pictures, as {tag: score} by source."""
    by_number = ids(library)
    found = tags_of(store, library, library.find(ALL))
    told = []
    for number in numbers:
        sources = {}
        for tag in found.get(by_number[number], ()):
            sources.setdefault(tag.source, {})[tag.text] = tag.confidence and round(tag.confidence, 2)
        told.append(sources)
    return told[0] if len(told) == 1 else told


def filtered(library, *tags):
    return {int(re.search(r"(\d+)\.png", record.path)[1]) for record in library.find(DatasetFilter(required_tags=tags))}


def counts(report):
    return report.tagged, report.unchanged, report.already_tagged, len(report.problems)


def test_all_images_of_an_index_are_tagged(store, indexed, wd):
    seen = []
    report = tag_library(store, indexed, wd, EVERY, lambda *step: seen.append(step))
    assert counts(report) == (7, 0, 0, 0)
    assert known(store, indexed, 0) == {
        "wd:rating": {"general": 0.2, "sensitive": 0.59, "questionable": 0.05, "explicit": 0.01},
        "wd:general": {"1girl": 0.98, "species of another booru": 0.5},
        "wd:character": {"hakurei reimu (cosplay)": 0.98},
        "wd:meta": {"scan": 0.15},
    }
    assert known(store, indexed, 3)["wd:general"] == {
        "1girl": 0.16,
        "long hair": 0.4,
        "^_^": 0.6,
        "species of another booru": 0.5,
    }
    assert {step for step, _, _ in seen} == {"tag"}
    assert [done for _, done, _ in seen] == [0, 2, 4, 6, 7, 7]
    assert {total for _, _, total in seen} == {7}
    assert report.sentence.startswith("pictures by wd: 7 tagged, 0 tagged before, 0 with such tags of the library;")
    assert "without: none" in report.sentence


def test_filters_of_an_index_see_what_a_tagger_is_sure_of(store, indexed, wd):
    assert filtered(indexed, "1girl") == set()
    tag_library(store, indexed, wd, EVERY)
    assert filtered(indexed, "1girl") == {0, 4}, "what is below 0.35 is kept for captions only"
    assert filtered(indexed, "^_^") == {2, 3, 5}
    assert filtered(indexed, "long hair") == {1, 3, 5}
    assert filtered(indexed, "hakurei reimu (cosplay)") == {0}
    assert filtered(indexed, "sensitive") == {0, 4}, "of the ratings the strongest"
    assert filtered(indexed, "general") == {1, 2, 3, 5, 6}
    assert filtered(indexed, "scan") == set()
    counted = {found.tag: (found.images, found.character) for found in indexed.tag_counts(indexed.ids(EVERY))}
    assert counted["hakurei reimu (cosplay)"] == (1, True)
    assert counted["^_^"] == (3, False)


def test_nothing_is_tagged_twice(store, indexed, wd):
    tag_library(store, indexed, wd, EVERY)
    with store.connection() as connection:
        before = revision(connection, "pictures")
    assert counts(tag_library(store, indexed, wd, EVERY)) == (0, 7, 0, 0)
    with store.connection() as connection:
        assert revision(connection, "pictures") == before, "nothing changed, so nobody need ask again"
    assert counts(tag_library(store, indexed, wd, EVERY, again=True)) == (7, 0, 0, 0)
    with store.connection() as connection:
        assert revision(connection, "pictures") > before


def test_an_image_without_any_tag_is_tagged_once_too(store, indexed, tmp_path):
    unsure = open_tagger(profile(write_tagger(tmp_path / "unsure", "joytag"), lowest=1.0))
    assert counts(tag_library(store, indexed, unsure, EVERY)) == (7, 0, 0, 0)
    assert known(store, indexed, 0) == {}
    assert counts(tag_library(store, indexed, unsure, EVERY)) == (0, 7, 0, 0)


def test_two_kinds_of_taggers_are_apart(store, indexed, wd, joytag):
    tag_library(store, indexed, wd, EVERY)
    assert counts(tag_library(store, indexed, joytag, EVERY)) == (7, 0, 0, 0)
    assert set(known(store, indexed, 0)) == {"wd:rating", "wd:general", "wd:character", "wd:meta", "joytag:general"}
    assert counts(tag_library(store, indexed, wd, EVERY)) == (0, 7, 0, 0)
    assert counts(tag_library(store, indexed, joytag, EVERY)) == (0, 7, 0, 0)


def test_tagging_again_leaves_nothing_of_before(store, indexed, wd, tmp_path):
    tag_library(store, indexed, wd, EVERY)
    high = open_tagger(profile(tmp_path / "models" / "wd", lowest=0.9))
    tag_library(store, indexed, high, EVERY, again=True)
    assert set(known(store, indexed, 0)) == {"wd:rating", "wd:general", "wd:character"}
    assert set(known(store, indexed, 3)) == {"wd:rating"}
    assert filtered(indexed, "^_^") == {2}
    tag_library(store, indexed, wd, EVERY, again=True)
    assert filtered(indexed, "^_^") == {2, 3, 5}


def test_another_source_of_the_same_kind_is_another_tagger(store, indexed, wd, folder):
    other = open_tagger(profile(folder, source="wd-other"))
    tag_library(store, indexed, wd, EVERY)
    assert counts(tag_library(store, indexed, other, EVERY)) == (7, 0, 0, 0)
    tag_library(store, indexed, other, EVERY, again=True)
    assert set(known(store, indexed, 2)) == {
        f"{source}:{category}" for source in ("wd", "wd-other") for category in ("rating", "general", "artist", "meta")
    }


def test_only_wanted_images_are_tagged(store, indexed, wd):
    numbers = ids(indexed)
    assert counts(tag_library(store, indexed, wd, DatasetFilter(ids=(numbers[1], numbers[4])))) == (2, 0, 0, 0)
    assert [bool(each) for each in known(store, indexed, *range(7))] == [False, True, False, False, True, False, False]
    first = DatasetFilter(maximum_images=3, order="newest")
    tag_library(store, indexed, wd, first)
    assert counts(tag_library(store, indexed, wd, first)) == (0, 3, 0, 0)


def test_transparency_is_white_to_a_tagger(store, tmp_path, wd):
    half = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    half.paste((255, 0, 0, 255), (0, 0, 10, 20))
    (tmp_path / "pictures").mkdir()
    half.save(tmp_path / "pictures" / "0.png")
    index_folder(store, "pictures", tmp_path / "pictures")
    library = IndexedLibrary(store, "pictures")
    tag_library(store, library, wd, EVERY)
    assert known(store, library, 0)["wd:general"] == {
        "1girl": 1.0,
        "long hair": 0.5,
        "^_^": 0.5,
        "species of another booru": 0.5,
    }


# Resuming


def stop_at(most):
    def progress(_step, done, _total):
        if done >= most:
            raise Cut

    return progress


def test_a_run_that_is_cut_off_goes_on(store, indexed, wd):
    for most, there in ((0, 0), (2, 2), (4, 4)):
        with pytest.raises(Cut):
            tag_library(store, indexed, wd, EVERY, stop_at(most))
        assert sum(bool(each) for each in known(store, indexed, *range(7))) == there
    assert counts(tag_library(store, indexed, wd, EVERY)) == (3, 4, 0, 0)


KILLED = """
import sys, time
from pathlib import Path
from lorads_core.workflow.dataset import open_library, open_store, tag
from lorads_core.library.filter import DatasetFilter
from lorads_core.settings import load_settings

def slowly(step, done, total):
    print(done, flush=True)
    time.sleep(0.2)
settings = load_settings(Path(sys.argv[1]))
with open_store(settings) as store:
    tag(store, settings, open_library(store, settings, "pictures"), "wd", DatasetFilter(), slowly)
"""


@pytest.mark.slow
def test_a_killed_process_loses_a_batch_at_most(store, store_settings, indexed, wd, folder):
    with store_settings.open("a") as file:
        file.write(f"[taggers.wd]\nfolder = '{folder}'\nbatch_size = 2\n")
    running = subprocess.Popen([sys.executable, "-c", KILLED, str(store_settings)], stdout=subprocess.PIPE, text=True)
    with store.connection() as connection:
        before = revision(connection, "pictures")
    with running:
        for line in running.stdout:
            if int(line) >= 4:
                running.kill()
                break
    there = sum(bool(each) for each in known(store, indexed, *range(7)))
    assert there in (4, 6)
    with store.connection() as connection:
        assert revision(connection, "pictures") > before, "whoever asked before asks again, though nobody could say so"
    assert counts(tag_library(store, indexed, wd, EVERY)) == (7 - there, there, 0, 0)


def test_files_that_are_missing_or_broken_cost_a_problem_each(store, indexed, wd, paths, tmp_path):
    black = paint(tmp_path / "pictures" / "7.png", (0, 0, 0))  # the model gives NaN for it
    index_folder(store, "pictures", black.parent)
    paths[1].unlink()
    paths[3].write_bytes(b"not a picture")
    paths[4].write_bytes(paths[5].read_bytes()[:-20])
    report = tag_library(store, indexed, wd, EVERY)
    assert counts(report) == (4, 0, 0, 4)
    assert {problem.subject: problem.code for problem in report.problems} == {
        str(paths[1]): "file-missing",
        str(paths[3]): "unreadable",
        str(paths[4]): "unreadable",
        str(black): "no-tags",
    }
    assert "without: 2 that cannot be read, 1 whose files are missing, 1 that the tagger" in report.sentence
    assert counts(tag_library(store, indexed, wd, EVERY)) == (0, 4, 0, 4), "they are tried again"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_each_file_is_shown_to_the_tagger_once(store, indexed, paths, folder, seed):
    chance = random.Random(seed)
    numbers = ids(indexed)
    seen = set()  # the numbers whose file as it is now was tagged
    for _ in range(12):
        change = chance.choice(["tag", "tag some", "cut", "repaint", "again"])
        some = tuple(chance.sample(range(7), 3))
        tagger = open_tagger(profile(folder, batch_size=chance.choice([1, 2, 3])))
        if change == "repaint":
            for number in some:
                repaint(paths[number], (chance.randrange(1, 256), chance.randrange(1, 256), 9))
            index_folder(store, "pictures", paths[0].parent)
            seen -= set(some)
        elif change == "cut":
            with pytest.raises(Cut):
                tag_library(store, indexed, tagger, EVERY, stop_at(len(seen) + 1 if len(seen) < 7 else 7))
            seen = {number for number in range(7) if known(store, indexed, number)}
        else:
            wanted = set(some) if change == "tag some" else set(range(7))
            report = tag_library(
                store,
                indexed,
                tagger,
                DatasetFilter(ids=tuple(numbers[number] for number in wanted)),
                again=change == "again",
            )
            new = len(wanted) if change == "again" else len(wanted - seen)
            assert counts(report) == (new, len(wanted) - new, 0, 0)
            seen |= wanted
        assert {number for number in range(7) if known(store, indexed, number)} == seen


# Files that change


def test_indexing_a_changed_file_takes_its_stale_tags_away(store, indexed, wd, paths):
    tag_library(store, indexed, wd, EVERY)
    assert filtered(indexed, "1girl") == {0, 4}
    repaint(paths[0], (0, 0, 250))
    (paths[1].with_suffix(".txt")).write_text("only its words are new, and, it, has, tags")
    index_folder(store, "pictures", paths[0].parent)
    assert filtered(indexed, "1girl") == {4}
    assert known(store, indexed, 0) == {}
    assert filtered(indexed, "long hair") == {1, 3, 5}
    assert counts(tag_library(store, indexed, wd, EVERY)) == (1, 6, 0, 0)
    assert filtered(indexed, "^_^") == {0, 2, 3, 5}


def test_an_index_that_is_behind_its_files_does_no_harm(store, indexed, wd, paths):
    repaint(paths[2], (250, 0, 0))  # the index has the former date
    assert tag_library(store, indexed, wd, EVERY).tagged == 7
    assert known(store, indexed, 2)["wd:general"]["1girl"] == 0.98, "the tags of the file that is there"
    assert tag_library(store, indexed, wd, EVERY).tagged == 0
    index_folder(store, "pictures", paths[0].parent)
    assert tag_library(store, indexed, wd, EVERY).tagged == 0
    assert 2 in filtered(indexed, "1girl")


# What a library has itself


def test_images_with_a_taggers_sidecar_are_tagged_already(store, paths, wd, joytag):
    for number, text in ((1, "1girl, solo"), (2, "a cat, sitting")):
        paths[number].with_suffix(".txt").write_text(text)
    index_folder(store, "pictures", paths[0].parent, IndexOptions(SidecarRule((Reading(".txt", "wd"),))))
    library = IndexedLibrary(store, "pictures")
    assert counts(tag_library(store, library, wd, EVERY)) == (5, 0, 2, 0)
    assert counts(tag_library(store, library, wd, EVERY)) == (0, 5, 2, 0)
    assert counts(tag_library(store, library, joytag, EVERY)) == (7, 0, 0, 0), "those were WD's"
    assert counts(tag_library(store, library, wd, EVERY, again=True)) == (7, 0, 0, 0)
    assert known(store, library, 1)["wd"] == {"1girl": None, "solo": None}, "what the file says stays"
    assert "long hair" in known(store, library, 1)["wd:general"]


def test_new_words_in_a_sidecar_leave_made_tags_alone(store, paths, wd):
    sidecars = IndexOptions(SidecarRule((Reading(".txt", "wd"),)))
    index_folder(store, "pictures", paths[0].parent, sidecars)
    library = IndexedLibrary(store, "pictures")
    tag_library(store, library, wd, EVERY)
    paths[0].with_suffix(".txt").write_text("solo, smile")
    index_folder(store, "pictures", paths[0].parent, sidecars)
    assert set(known(store, library, 0)) == {"wd", "wd:rating", "wd:general", "wd:character", "wd:meta"}
    assert filtered(library, "1girl") == {0, 4}
    assert filtered(library, "solo") == {0}
    assert counts(tag_library(store, library, wd, EVERY)) == (0, 7, 0, 0)


def test_tags_of_people_and_prose_are_no_taggers(store, paths, wd):
    paths[0].with_suffix(".txt").write_text("a tower, stone, sky")
    index_folder(store, "pictures", paths[0].parent)
    assert counts(tag_library(store, IndexedLibrary(store, "pictures"), wd, EVERY)) == (7, 0, 0, 0)


# Libraries of other programs


@pytest.fixture(params=["diffusiontoolkit", "diffusiontoolkit-sqlite"])
def kind(request):
    return request.param


@pytest.fixture
def foreign(kind, store, database, tmp_path):
    return FILLERS[kind](Place(store, database, tmp_path.resolve() / "host"))


@pytest.fixture
def shelf(kind, database, tmp_path):
    """Return the profile of the foreign library, as its filler opens it."""
    folder = tmp_path.resolve() / "host"
    if kind == "diffusiontoolkit":
        options = {"dsn": database, "paths": {diffusiontoolkit.ROOT: str(folder / "pictures")}}
    else:
        file = str(folder / "diffusion-toolkit.db")
        options = {"file": file, "paths": {sqlite_fixture.ROOT: str(folder / "pictures")}}
    return LibraryProfile("shelf", kind, Table({"kind": kind, **options}, "libraries.shelf."))


def names_with(filled, store):
    """Return the pictures that have tags which were made here."""
    with store.connection() as connection:
        made = read_model_tags(connection, filled.library.name, filled.library.ids(ALL))
    return set(filled.names(list(made)))


def test_a_foreign_librarys_images_are_tagged_where_its_taggers_were_not(foreign, store, wd, joytag):
    report = tag_library(store, foreign.library, wd, ALL)
    assert counts(report) == (2, 0, 6, 0)
    assert names_with(foreign, store) == {"bert/2.jpg", "things/lamp.png"}
    assert counts(tag_library(store, foreign.library, wd, ALL)) == (0, 2, 6, 0)
    assert counts(tag_library(store, foreign.library, joytag, ALL)) == (6, 0, 2, 0)
    with store.connection() as connection:
        assert dict(tagger_counts(connection, "shelf")) == {"joytag": 6, "wd": 2}


def test_tags_that_were_made_of_a_foreign_library_join_its_own(foreign, store, wd):
    tag_library(store, foreign.library, wd, ALL, again=True)
    record = next(each for each in foreign.library.find(ALL) if each.id == foreign.id("bert/2.jpg"))
    own = foreign.library.tags([record])[record.id]
    found = tags_of(store, foreign.library, [record])[record.id]
    assert set(own) < set(found)
    assert {tag.source for tag in found} - {tag.source for tag in own} >= {"wd:rating", "wd:general"}
    assert tags_of(store, foreign.library, []) == {}


def test_stale_tags_of_a_foreign_library_are_not_used(foreign, store, wd):
    tag_library(store, foreign.library, wd, ALL)
    lamp = next(each for each in foreign.library.find(ALL) if each.id == foreign.id("things/lamp.png"))
    sources = {tag.source for tag in tags_of(store, foreign.library, [lamp])[lamp.id]}
    assert "wd:general" in sources
    repaint(foreign.folder / "things" / "lamp.png", (0, 250, 0))
    gone = replace(lamp, mtime_ns=0)
    assert tags_of(store, foreign.library, [gone]) == {}
    report = tag_library(store, foreign.library, wd, DatasetFilter(ids=(lamp.id,)))
    assert report.tagged == (0 if lamp.mtime_ns else 1), "an index that the library asks has not seen the change yet"
    (foreign.folder / "things" / "lamp.png").unlink()
    assert tags_of(store, foreign.library, [gone]) == {}


def test_captions_are_built_of_made_tags(foreign, shelf, store, folder):
    named = settings(profile(folder, "wd"), libraries=(shelf,))
    build.tag(store, named, foreign.library, "wd", ALL)
    wanted = DatasetFilter(ids=(foreign.id("things/lamp.png"),))
    queried = build.query(store, foreign.library, "lamps", wanted)
    (image,) = captioning.caption(store, named, queried.dataset, CaptionSettings(source="wd")).dataset.training
    assert "species of another booru" in image.caption.text
    assert dict(build.look_into(store, named, "shelf").facts)["tagged here by wd"] == "2 of 8"
    before = build.revision(store, named, "shelf")
    build.tag(store, named, foreign.library, "wd", wanted, again=True)
    assert build.revision(store, named, "shelf") != before


def test_an_image_that_leaves_the_library_takes_its_tags_along(store, database, tmp_path, wd):
    filled = FILLERS["diffusiontoolkit-sqlite"](Place(store, database, tmp_path.resolve() / "host"))
    tag_library(store, filled.library, wd, ALL)
    lamp = filled.id("things/lamp.png")
    filled.changes["gone"](lamp)
    filled.library.find(ALL)
    with store.connection() as connection:
        assert lamp not in read_model_tags(connection, "shelf", [lamp])


# The story


def test_the_story_names_taggers_and_counts_images(store, indexed, folder):
    named = settings(profile(folder, "wd"))
    assert build.tag(store, named, indexed, "wd", EVERY).tagged == 7
    with pytest.raises(SettingsError, match="no tagger 'other'; known are: wd"):
        build.tag(store, named, indexed, "other", EVERY)
    facts = dict(build.look_into(store, named, "pictures").facts)
    assert facts["tags by wd:character"] == "1 on 1 image"
    queried = build.query(store, indexed, "reds", DatasetFilter(required_tags=("1girl",)))
    captioned = captioning.caption(store, named, queried.dataset, CaptionSettings(source="wd"))
    assert {image.caption.text for image in captioned.dataset.training} >= {
        "1girl, hakurei reimu (cosplay), species of another booru"
    }
