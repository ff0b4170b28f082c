"""Indexing what Windows and macOS have: junctions, online-only files, other spellings of one path."""

import os
import sys
import unicodedata
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from lorads_core.library import index, respelling, walk
from lorads_core.library.filter import DatasetFilter
from lorads_core.library.index import IndexOptions, index_folder
from lorads_core.library.kinds.index import IndexedLibrary
from lorads_core.library.sidecars import indexing

NFC, NFD = "Größe", unicodedata.normalize("NFD", "Größe")


@pytest.fixture
def run(store, library, tmp_path):
    def indexed(folder=tmp_path, **options):
        return index_folder(store, library, folder, IndexOptions(**options))

    return indexed


@pytest.fixture
def paths(store, library):
    def found(*folders):
        wanted = DatasetFilter(folders=tuple(map(str, folders)))
        return {image.id: image.path for image in IndexedLibrary(store, library).find(wanted)}

    return found


# Junctions


class Junction:
    """The entry of a junction that leads back up, as Windows lists it."""

    def __init__(self, path):
        self.path, self.name = str(path), os.path.basename(path)

    def is_dir(self, *, follow_symlinks=True):  # noqa: ARG002 - true both ways, unlike a symbolic link
        return True

    def is_symlink(self):
        return False

    def stat(self, *, follow_symlinks=True):
        return SimpleNamespace(st_reparse_tag=0 if follow_symlinks else 0xA0000003)


@pytest.fixture
def junction(monkeypatch):
    """Return a function that makes a junction in a folder, which leads to that folder itself."""

    def make(folder, name="up"):
        (folder / name).symlink_to(folder)
        real = os.scandir

        @contextmanager
        def scandir(path):
            with real(path) as entries:
                yield [Junction(entry.path) if entry.name == name else entry for entry in entries]

        monkeypatch.setattr(sys, "platform", "win32")
        monkeypatch.setattr(index.os, "scandir", scandir)

    return make


@pytest.mark.posix
def test_a_junction_that_leads_up_is_not_entered_and_said_once(run, paths, picture, tmp_path, junction):
    picture("one.png")
    junction(tmp_path)
    assert walk.count_images(str(tmp_path)) == 1
    report = run()
    assert report.found == 1
    (problem,) = report.problems
    assert problem.code == "linked-folder"
    assert problem.subject == str(tmp_path / "up")
    assert list(paths().values()) == [str(tmp_path / "one.png")]


@pytest.mark.posix
def test_a_junction_that_leads_up_is_entered_once_where_links_are_followed(run, picture, tmp_path, junction):
    picture("one.png")
    junction(tmp_path)
    report = run(follow_links=True)
    assert (report.found, report.problems) == (1, ())


@pytest.mark.posix
def test_many_linked_folders_are_one_line(run, picture, tmp_path):
    picture("one.png")
    for n in range(3):
        (tmp_path / f"link{n}").symlink_to(tmp_path)
    (problem,) = run().problems
    assert problem.message.startswith("3 linked folders")
    assert "--follow-links" in problem.message


# Online-only files


@pytest.fixture
def online_only(monkeypatch):
    """Return a set of file names that are placeholders: their content is read by nobody without being asked to."""
    names = set()

    def is_online_only(found):
        return found.st_ino in {os.stat(name).st_ino for name in names}

    monkeypatch.setattr(index, "is_online_only", is_online_only)
    monkeypatch.setattr(indexing, "is_online_only", is_online_only)
    real = index.read_facts

    def read_facts(path):
        assert path not in names, f"{path} was downloaded"
        return real(path)

    monkeypatch.setattr(index, "read_facts", read_facts)
    return names


def test_online_only_pictures_are_not_downloaded_but_counted_once(run, paths, picture, online_only):
    picture("here.png")
    online_only |= {str(picture(f"away{n}.png")) for n in range(3)}
    report = run()
    assert (report.new, len(paths())) == (1, 1)
    (problem,) = report.problems
    assert problem.code == "online-only"
    assert problem.message.startswith(
        "3 images were not read because the file, or a text file next to it, is online-only"
    )
    assert "make the folder available offline, or index with --download" in problem.message


def test_online_only_pictures_are_read_on_request(run, picture, monkeypatch):
    monkeypatch.setattr(index, "is_online_only", lambda _found: True)
    picture("away.png")
    assert run().new == 0
    report = run(download=True)
    assert (report.new, report.problems) == (1, ())


def test_a_known_picture_that_became_online_only_is_not_missing(run, paths, picture, online_only):
    one = picture("one.png", (64, 48))
    run()
    online_only.add(str(one))
    report = run()
    assert (report.unchanged, report.missing, report.problems) == (1, 0, ())
    picture("one.png", (32, 48))  # changed by another computer
    report = run()
    assert (report.changed, report.missing, [problem.code for problem in report.problems]) == (0, 0, ["online-only"])
    assert len(paths()) == 1


def test_a_picture_keeps_its_words_while_its_sidecar_is_online_only(
    run, store, library, picture, tmp_path, online_only
):
    picture("one.png", (64, 48))
    (tmp_path / "one.txt").write_text("A cat.")
    run()
    online_only.add(str(tmp_path / "one.txt"))
    picture("one.png", (48, 64))
    assert [problem.code for problem in run().problems] == ["online-only"]
    (image,) = IndexedLibrary(store, library).find(DatasetFilter())
    assert [caption.text for caption in image.captions] == ["A cat."]


# Spellings


@pytest.fixture
def alike(monkeypatch):
    """A file system that takes all spellings of a path for one, as macOS' and Windows' do."""
    key = respelling.spelling_key
    monkeypatch.setattr(respelling, "_is_same", lambda one, other: key(one) == key(other) and os.path.exists(other))


@pytest.mark.parametrize(("before", "after"), [("pictures", "Pictures"), (NFC, NFD), (NFD, NFC)])
@pytest.mark.usefixtures("alike")
def test_an_index_made_under_another_spelling_is_not_doubled(run, paths, picture, tmp_path, before, after):
    picture(f"{before}/one.png")
    picture(f"{before}/deep/er/two.png", (32, 32))
    run(tmp_path / before)
    known = paths()
    (tmp_path / before).rename(tmp_path / "between")  # where both are one name, that alone changes the spelling
    (tmp_path / "between").rename(tmp_path / after)  # in truth it was always called so
    report = run(tmp_path / after)
    assert (report.new, report.changed, report.unchanged, report.missing) == (0, 0, 2, 0)
    assert paths() == {image: path.replace(before, after) for image, path in known.items()}
    assert paths(tmp_path / after / "deep") == {image: path for image, path in paths().items() if "two" in path}


@pytest.mark.usefixtures("alike")
def test_folders_and_files_below_may_be_spelled_anew_too(run, paths, picture, tmp_path):
    picture(f"a/{NFC}/{NFC}.png")
    picture(f"a/{NFC}/other.png", (32, 32))
    run()
    known = paths()
    (tmp_path / "a" / NFC).rename(tmp_path / "a" / NFD)
    (tmp_path / "a" / NFD / f"{NFC}.png").rename(tmp_path / "a" / NFD / f"{NFD}.PNG")
    report = run()
    assert (report.new, report.unchanged, report.missing) == (0, 2, 0)
    assert paths().keys() == known.keys()
    assert set(paths().values()) == {
        str(tmp_path / "a" / NFD / f"{NFD}.PNG"),
        str(tmp_path / "a" / NFD / "other.png"),
    }


@pytest.mark.usefixtures("alike")
def test_an_index_that_was_doubled_already_keeps_the_true_spelling(run, store, library, paths, picture, tmp_path):
    picture("Pictures/one.png")
    run(tmp_path / "Pictures")
    with store.connection() as connection:
        connection.execute(
            "INSERT INTO lorads.images (library, path, folder, file_size, mtime_ns, hash, format, width, height)"
            " SELECT library, replace(path, 'Pictures', 'pictures'), replace(folder, 'Pictures', 'pictures'),"
            " file_size, mtime_ns, hash, format, width, height FROM lorads.images WHERE library = %s",
            [library],
        )
    assert len(paths()) == 2
    run(tmp_path / "Pictures")
    assert list(paths().values()) == [str(tmp_path / "Pictures" / "one.png")]


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file system that tells spellings apart")
def test_folders_that_are_two_stay_two(run, paths, picture):
    picture("pictures/one.png")
    picture("Pictures/one.png", (32, 32))
    picture(f"{NFC}/{NFC}.png", (48, 32))
    picture(f"{NFD}/{NFC}.png", (32, 48))
    assert run().new == 4
    assert run().unchanged == 4
    assert len(paths()) == 4


@pytest.mark.parametrize("stored", [NFC, NFD])
def test_a_folder_is_found_by_any_unicode_form(run, paths, picture, tmp_path, stored):
    picture(f"{stored}/deep/one.png")
    run()
    assert len(paths(tmp_path / NFC)) == len(paths(tmp_path / NFD / "deep")) == 1


def test_the_true_spelling_of_a_folder_is_indexed(run, picture, tmp_path, monkeypatch):
    picture("Pictures/one.png")
    monkeypatch.setattr(walk, "true_path", lambda path: Path(str(path).replace("pictures", "Pictures")))
    assert run(tmp_path / "pictures").folder == str(tmp_path / "Pictures")
