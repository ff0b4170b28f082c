"""Moved and renamed files: the image stays the one it was, with captions, ratings and all else that hangs on its id."""

import os
import shutil

import pytest

from lorads_core.library.filter import DatasetFilter
from lorads_core.library.index import IndexOptions, index_folder
from lorads_core.library.kinds.index import IndexedLibrary
from lorads_core.library.pathmap import PathMap, PathRule
from lorads_core.library.stored_paths import StoredPaths
from lorads_core.store import images as rows


@pytest.fixture
def known(store, library):
    """Return a function that gives the known images by name: id, folder's name, rating."""

    def known():
        found = IndexedLibrary(store, library).find(DatasetFilter())
        return {os.path.basename(each.path): (each.id, os.path.basename(os.path.dirname(each.path))) for each in found}

    return known


@pytest.fixture
def run(store, library, tmp_path):
    def run_index(folder=tmp_path, **options):
        return index_folder(store, library, folder, IndexOptions(**options))

    return run_index


def counts(report):
    return report.found, report.new, report.changed, report.unchanged, report.missing, report.moved


@pytest.fixture
def three(picture, tmp_path):
    for name in ("a", "b", "c"):
        picture(f"in/{name}.png").with_suffix(".txt").write_text(f"caption {name}")
    return tmp_path / "in"


@pytest.mark.parametrize("seen_gone", [False, True])
def test_a_renamed_folder_has_the_same_images(run, known, three, tmp_path, seen_gone):
    run()
    before = known()
    if seen_gone:  # it was indexed while the folder was away
        shutil.move(three, tmp_path.parent / f"{tmp_path.name}-away")
        assert counts(run()) == (0, 0, 0, 0, 3, 0)
        shutil.move(tmp_path.parent / f"{tmp_path.name}-away", tmp_path / "out")
    else:
        three.rename(tmp_path / "out")
    report = run()
    assert counts(report) == (3, 0, 0, 0, 0, 3)
    assert ", 3 moved;" in report.sentence
    assert known() == {name: (image_id, "out") for name, (image_id, _) in before.items()}
    assert counts(run()) == (3, 0, 0, 3, 0, 0)


def test_a_renamed_file_keeps_its_id_and_takes_the_text_beside_its_new_name(run, known, three, store):
    run()
    (image_id, _) = known()["b.png"]
    (three / "b.png").rename(three / "z.png")
    (three / "b.txt").unlink()
    (three / "z.txt").write_text("another caption")
    assert counts(run()) == (3, 0, 0, 2, 0, 1)
    assert known()["z.png"] == (image_id, "in")
    with store.connection() as connection:
        found = connection.execute("SELECT caption FROM lorads.captions WHERE image_id = %s", [image_id]).fetchall()
    assert found == [("another caption",)]


def test_what_hangs_on_an_image_goes_along(run, known, three, tmp_path, store, library):
    run()
    (image_id, _) = known()["a.png"]
    with store.connection() as connection:
        rows.set_rating(connection, library, [image_id], 9)
    three.rename(tmp_path / "out")
    run()
    (rated,) = IndexedLibrary(store, library).find(DatasetFilter(minimum_rating=9))
    assert (rated.id, os.path.basename(rated.path)) == (image_id, "a.png")


def test_a_copy_is_another_image(run, known, three):
    run()
    before = known()
    shutil.copy(three / "a.png", three / "copy.png")
    assert counts(run()) == (4, 1, 0, 3, 0, 0)
    assert known()["a.png"] == before["a.png"]
    assert known()["copy.png"][0] not in {image_id for image_id, _ in before.values()}


def test_of_two_new_files_with_the_same_bytes_one_is_the_moved_one(run, known, three):
    run()
    (image_id, _) = known()["a.png"]
    shutil.copy(three / "a.png", three / "x.png")
    (three / "a.png").rename(three / "y.png")
    assert counts(run()) == (4, 1, 0, 2, 0, 1)
    assert image_id in {known()["x.png"][0], known()["y.png"][0]}


def test_each_of_several_copies_finds_the_one_of_its_name(run, known, picture, tmp_path):
    first = picture("in/0.png")
    for number in range(1, 30):
        shutil.copy(first, tmp_path / "in" / f"{number}.png")
    run()
    before = known()
    (tmp_path / "in").rename(tmp_path / "out")
    assert counts(run()) == (30, 0, 0, 0, 0, 30)
    assert {image_id for image_id, _ in known().values()} == {image_id for image_id, _ in before.values()}


def test_another_library_knows_nothing_of_it(run, three, tmp_path, store):
    run()
    three.rename(tmp_path / "out")
    assert index_folder(store, "another", tmp_path, IndexOptions()).new == 3


def test_a_file_that_moves_within_a_mapped_share_is_looked_for_as_it_is_called_here(run, known, three, tmp_path):
    rules = PathMap((PathRule("/srv/share", str(tmp_path)),))
    run(paths=StoredPaths(rules))
    before = known()
    three.rename(tmp_path / "out")
    assert counts(run(paths=StoredPaths(rules))) == (3, 0, 0, 0, 0, 3)
    assert {name: image_id for name, (image_id, _) in known().items()} == {
        name: image_id for name, (image_id, _) in before.items()
    }


# Exchanged names


def rename(folder, **names):
    """Rename files at once, each with the text beside it; what nothing is called any more is gone."""
    for name in names:
        for suffix in (".png", ".txt"):
            (folder / f"{name}{suffix}").rename(folder / f"was {name}{suffix}")
    for name, new in names.items():
        for suffix in (".png", ".txt"):
            (folder / f"was {name}{suffix}").replace(folder / f"{new}{suffix}")


def ids(known):
    return {name.partition(".")[0]: image_id for name, (image_id, _) in known().items()}


@pytest.mark.parametrize(
    ("names", "batch"),
    [
        ({"a": "b", "b": "a"}, 500),
        ({"a": "b", "b": "a"}, 1),  # each file in a batch of its own
        ({"a": "b", "b": "c", "c": "a"}, 500),
        ({"a": "c", "b": "a", "c": "b"}, 500),
    ],
    ids=["pair", "pair, one by one", "ring", "ring back"],
)
def test_images_follow_files_that_exchange_their_names(run, known, three, store, library, monkeypatch, names, batch):
    monkeypatch.setattr("lorads_core.library.index._BATCH", batch)
    monkeypatch.setattr("lorads_core.library.index._CHUNK", 1)
    for n, name in enumerate("abc"):  # no two alike in time, as files are that were not made by a test
        os.utime(three / f"{name}.png", (1_700_000_000 + n, 1_700_000_000 + n))
    run()
    before = ids(known)
    with store.connection() as connection:
        rows.set_rating(connection, library, [before["a"]], 9)
    rename(three, **names)
    report = run()
    assert ids(known) == {names.get(name, name): image_id for name, image_id in before.items()}
    assert (report.missing, report.new) == (0, 0)
    if batch > 1:
        assert (report.moved, report.changed) == (len(names), 0)
    (rated,) = IndexedLibrary(store, library).find(DatasetFilter(minimum_rating=9))
    assert os.path.basename(rated.path) == f"{names['a']}.png"
    with store.connection() as connection:
        captions = dict(connection.execute("SELECT image_id, caption FROM lorads.captions").fetchall())
    assert captions == {image_id: f"caption {name}" for name, image_id in before.items()}
    assert counts(run()) == (3, 0, 0, 3, 0, 0)


def test_a_file_that_replaces_another_stays_itself_and_the_other_is_gone(run, known, three):
    run()
    before = ids(known)
    rename(three, b="a")
    assert counts(run()) == (2, 0, 0, 1, 1, 1)
    assert ids(known) == {"a": before["b"], "c": before["c"]}
    assert counts(run()) == (2, 0, 0, 2, 0, 0)


def test_a_chain_of_renamed_files_ends_at_a_new_name(run, known, three):
    run()
    before = ids(known)
    rename(three, a="d", b="a", c="b")
    assert counts(run()) == (3, 0, 0, 0, 0, 3)
    assert ids(known) == {"d": before["a"], "a": before["b"], "b": before["c"]}


def test_a_file_that_only_has_become_a_copy_of_another_keeps_its_image(run, known, three):
    run()
    before = ids(known)
    shutil.copy(three / "b.png", three / "a.png")
    assert counts(run()) == (3, 0, 1, 2, 0, 0)
    assert ids(known) == before


def test_a_copy_over_a_file_and_an_edited_original_are_no_exchange(run, known, three, picture):
    """Nothing tells that the names have changed: each stays the image of its path, with what people wrote of it."""
    run()
    before = ids(known)
    shutil.copy(three / "b.png", three / "a.png")
    picture("in/b.png", (70, 50))
    assert counts(run()) == (3, 0, 2, 1, 0, 0)
    assert ids(known) == before
