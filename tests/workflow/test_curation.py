"""What a person decides about an indexed image stands against its file; what nobody decided follows the file."""

import os

import pytest
from PIL import Image

from lorads_core.library.filter import DatasetFilter
from lorads_core.library.index import index_folder
from lorads_core.library.kinds.index import IndexedLibrary
from lorads_core.store import images as rows

_XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="%d"/></rdf:RDF></x:xmpmeta>'
)


@pytest.fixture
def write(tmp_path):
    """Write the picture anew with so many stars in it (-1: rejected, None: none), never twice the same size."""
    count = iter(range(20, 1000))

    def run(stars=None):
        options = {} if stars is None else {"xmp": _XMP % stars}
        Image.new("RGB", (next(count), 16)).save(tmp_path / "one.jpg", **options)

    return run


@pytest.fixture
def index(store, library, tmp_path):
    def run():
        index_folder(store, library, tmp_path)
        (image,) = IndexedLibrary(store, library).find(DatasetFilter(exclude_marked_bad=False))
        return image

    return run


@pytest.fixture
def judge(store, library):
    def run(change, *arguments, **options):
        with store.connection() as connection:
            return change(connection, library, *arguments, **options)

    return run


def test_without_a_judgement_the_file_counts(write, index):
    write(4)
    assert index().rating == 8
    write(2)
    assert index().rating == 4
    write(-1)
    assert index().marked_bad
    write(5)
    assert (index().rating, index().marked_bad) == (10, False)


def test_a_rating_stands_against_the_file(write, index, judge):
    write(4)
    image = index()
    assert judge(rows.set_rating, [image.id], 3) == 1
    write(5)
    assert index().rating == 3
    write()
    assert index().rating == 3


def test_a_rating_that_was_taken_away_stays_away(write, index, judge):
    write(4)
    judge(rows.set_rating, [index().id], None)
    write(5)
    assert index().rating is None


def test_a_mark_stands_against_the_file(write, index, judge):
    write(4)
    image = index()
    assert judge(rows.set_marked_bad, [image.id], bad=True) == 1
    write(5)
    after = index()
    assert (after.marked_bad, after.rating) == (True, 8)
    judge(rows.set_marked_bad, [image.id], bad=False)
    write(-1)
    assert not index().marked_bad


def test_agreeing_with_the_file_is_a_judgement_too(write, index, judge):
    write(4)
    image = index()
    assert judge(rows.set_rating, [image.id], 8) == 1
    assert judge(rows.set_rating, [image.id], 8) == 0
    write(1)
    assert index().rating == 8


def test_only_what_changes_counts_and_moves_the_revision(write, index, judge, store, library):
    write()
    image = index()
    shelf = IndexedLibrary(store, library)
    before = shelf.revision()
    assert judge(rows.set_rating, [image.id + 1, 10**12], 5) == 0
    assert judge(rows.set_marked_bad, [], bad=True) == 0
    assert shelf.revision() == before
    assert judge(rows.set_rating, [image.id, 10**12], 5) == 1
    between = shelf.revision()
    assert judge(rows.set_marked_bad, [image.id], bad=True) == 1
    assert len({before, between, shelf.revision()}) == 3


@pytest.mark.parametrize("rating", [-1, 11])
def test_a_rating_beyond_the_scale_is_our_own_mistake(judge, rating):
    with pytest.raises(ValueError, match="no rating"):
        judge(rows.set_rating, [1], rating)


def test_tags_in_sets_follow_the_sidecars(write, index, store, library, tmp_path):
    write()
    (tmp_path / "one.txt").write_text("cat, tree")
    index()
    (tmp_path / "one.txt").write_text("dog, tree, grass")
    image = index()
    shelf = IndexedLibrary(store, library)
    assert shelf.ids(DatasetFilter(required_tags=("dog", "tree"))) == [image.id]
    assert shelf.ids(DatasetFilter(required_tags=("cat",))) == []
    (tmp_path / "one.txt").unlink()
    index()
    assert shelf.ids(DatasetFilter(required_tags=("tree",))) == []


def test_the_report(write, index, judge, store, library, tmp_path):
    shelf = IndexedLibrary(store, library)
    assert [problem.code for problem in shelf.report().problems] == ["empty"]
    write(4)
    (tmp_path / "one.txt").write_text("cat, tree")
    image = index()
    judge(rows.set_marked_bad, [image.id], bad=True)
    report = shelf.report()
    assert (report.name, report.kind, report.images, report.problems) == (library, "index", 1, ())
    assert dict(report.facts) == {
        "missing": "0",
        "rated": "1 of 1",
        "marked bad": "1 of 1",
        "with prompt": "0 of 1",
        "tags by sidecar": "2 on 1 image",
        "captions by sidecar": "1 on 1 image",
    }
    os.unlink(tmp_path / "one.jpg")
    index_folder(store, library, tmp_path)
    gone = shelf.report()
    assert (gone.images, dict(gone.facts)["missing"]) == (0, "1")
    assert [problem.code for problem in gone.problems] == ["empty", "missing"]
