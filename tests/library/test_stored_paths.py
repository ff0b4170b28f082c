"""One share that two machines mount at different paths: one set of images, by `[libraries.NAME.paths]` of our index."""

import shutil

import pytest
from PIL import Image

from lorads_core.library.filter import DatasetFilter
from lorads_core.library.pathmap import PathMap, PathRule
from lorads_core.library.stored_paths import StoredPaths
from lorads_core.settings import Settings, load_settings
from lorads_core.workflow.dataset import index, open_library, revision

from .sqlite_fixture import ROOT, Toolkit


@pytest.mark.parametrize(
    ("there", "here", "stored", "local"),
    [
        ("/home/a/pics", "/mnt/pics", "/home/a/pics/x/1.png", "/mnt/pics/x/1.png"),
        (r"D:\pics", "/mnt/pics", r"D:\pics\x\1.png", "/mnt/pics/x/1.png"),
        ("/home/a/pics", r"Z:\pics", "/home/a/pics/x/1.png", r"Z:\pics\x\1.png"),
        ("/home/a/pics", "/mnt/pics", "/mnt/other/1.png", "/mnt/other/1.png"),
    ],
)
def test_a_path_is_mapped_both_ways(there, here, stored, local):
    paths = PathMap((PathRule(there, here),))
    assert (paths.local(stored), paths.inverse.local(local)) == (local, stored)


@pytest.mark.parametrize(
    ("here", "stored"),
    [("/mnt/pics", "/home/a/pics"), ("/mnt/pics/x", "/home/a/pics/x"), ("/mnt", "/mnt"), ("/mnt/pics2", "/mnt/pics2")],
)
def test_a_folder_is_mapped_as_its_files_are(here, stored):
    paths = StoredPaths(PathMap((PathRule("/home/a/pics", "/mnt/pics"),)))
    assert paths.folder(here) == stored
    assert paths.local_folders([stored]) == {here: stored}


@pytest.fixture
def mounts(tmp_path):
    """Return a share as machine A mounts it, and the same as machine B does; the files have the same times."""
    here, there = tmp_path / "a" / "pics", tmp_path / "b" / "pics"
    (here / "cats").mkdir(parents=True)
    for number in range(3):
        Image.new("RGB", (64, 64), (80 * number, 40, 90)).save(here / "cats" / f"{number}.png")
    shutil.copytree(here, there)
    return here, there


@pytest.fixture
def machines(mounts, tmp_path):
    """Return the settings of machine A, whose paths are stored, and of machine B with a path map."""
    file = tmp_path / "lorads.toml"
    file.write_text(f"[libraries.pictures.paths]\n'{mounts[0]}' = '{mounts[1]}'\n", encoding="utf-8")
    return Settings(), load_settings(file)


def paths_of(store, settings, **wanted):
    found = open_library(store, settings, "pictures").find(DatasetFilter(**wanted))
    return {record.path: record.id for record in found}


def test_the_same_share_at_two_paths_is_one_set_of_images(store, mounts, machines):
    (here, there), (a, b) = mounts, machines
    assert index(store, a, "pictures", here).new == 3
    report = index(store, b, "pictures", there)
    assert (report.new, report.changed, report.unchanged, report.missing) == (0, 0, 3, 0)
    of_a, of_b = paths_of(store, a), paths_of(store, b)
    assert {path.replace(str(here), str(there)): image for path, image in of_a.items()} == of_b
    assert paths_of(store, b, folders=(str(there / "cats"),)) == of_b
    assert paths_of(store, b, folders=(str(here),)) == {}
    assert revision(store, a, "pictures") != revision(store, b, "pictures")


def test_diffusiontoolkit_s_sqlite_file_finds_in_a_mapped_index_what_it_knows_of_the_same_files(
    store, mounts, machines, tmp_path
):
    (here, there), (a, b) = mounts, machines
    (there / "cats" / "0.txt").write_text("a cat", encoding="utf-8")
    index(store, a, "pictures", here)
    index(store, b, "pictures", there)
    with Toolkit(tmp_path / "toolkit.db") as program:
        for number in range(3):
            program.image(rf"{ROOT}\cats\{number}.png")
    settings = tmp_path / "lorads.toml"
    settings.write_text(
        f"{settings.read_text(encoding='utf-8')}[libraries.old]\nkind = 'diffusiontoolkit-sqlite'\n"
        f"file = '{tmp_path / 'toolkit.db'}'\n[libraries.old.paths]\n'{ROOT}' = '{there}'\n",
        encoding="utf-8",
    )
    library = open_library(store, load_settings(settings), "old")
    found = {record.path: record for record in library.find(DatasetFilter())}
    assert set(found) == {str(there / "cats" / f"{number}.png") for number in range(3)}
    assert all(record.ready and len(record.hash) == 64 for record in found.values())
    assert [caption.text for caption in found[str(there / "cats" / "0.png")].captions] == ["a cat"]
    assert dict(library.report().facts)["indexed"] == "3 of 3"


def test_what_one_machine_adds_changes_and_removes_is_so_on_the_other(store, mounts, machines):
    (here, there), (a, b) = mounts, machines
    index(store, a, "pictures", here)
    before = paths_of(store, a)
    (there / "cats" / "0.png").unlink()
    Image.new("RGB", (32, 32)).save(there / "cats" / "1.png")
    (there / "dogs").mkdir()
    Image.new("RGB", (48, 48)).save(there / "dogs" / "new.png")
    report = index(store, b, "pictures", there)
    assert (report.new, report.changed, report.unchanged, report.missing) == (1, 1, 1, 1)
    after = paths_of(store, a)
    assert set(after) == {str(here / each) for each in ("cats/1.png", "cats/2.png", "dogs/new.png")}
    assert after[str(here / "cats" / "1.png")] == before[str(here / "cats" / "1.png")]
    shutil.rmtree(there / "dogs")
    assert index(store, b, "pictures", there).missing == 1
