"""Pictures, sheets and thumbnails written over files that another program holds, and sources that it holds."""

import os

import pytest
from PIL import Image

from lorads_core.errors import ExportError, ImageError
from lorads_core.images.encode import ImagePolicy, copy_file, link_file, save_image, write_image
from lorads_core.images.facts import read_facts
from lorads_core.images.graph_images import save_graph_images
from lorads_core.model import FileStamp, no_progress
from lorads_core.panel.thumbnails import Thumbnails
from lorads_core.plots.sheet import save_png

NEW = Image.new("RGB", (64, 48), "red")


def copied(source, target):
    facts = read_facts(source)
    copy_file(source, target, FileStamp(facts.file_size, facts.mtime_ns))


def linked(source, target):
    facts = read_facts(source)
    link_file(source, target, FileStamp(facts.file_size, facts.mtime_ns))


WRITERS = {
    "encoded": lambda source, target: write_image(source, target, ImagePolicy("normalised")),
    "saved": lambda _source, target: save_image(NEW, target, ImagePolicy()),
    "copied": copied,
    "linked": linked,
    "sheet": lambda _source, target: save_png(NEW, target),
}


@pytest.fixture
def target(tmp_path):
    file = tmp_path / "out" / "one.png"
    file.parent.mkdir()
    file.write_bytes(b"the one before")
    return file


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_that_is_in_use_is_replaced_once_it_is_let_go(faulty, picture, target, name):
    faulty.refuse("unlink" if name == "linked" else "replace", matching="*/out/*", times=3)
    WRITERS[name](picture("in/one.png"), target)
    assert len(faulty.refused) == 3
    assert read_facts(target).width
    assert os.listdir(target.parent) == ["one.png"]


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_that_stays_in_use_stays_as_it_is(faulty, picture, target, name):
    with faulty.held_open(target):
        with pytest.raises(ExportError, match=r"one\.png cannot be written: it is open in another program") as refusal:
            WRITERS[name](picture("in/one.png"), target)
        assert "choose another" not in str(refusal.value)
        assert target.read_bytes() == b"the one before"
        assert os.listdir(target.parent) == ["one.png"]
    WRITERS[name](picture("in/one.png"), target)
    assert read_facts(target).width


def test_what_could_not_be_cleaned_up_is_no_other_fault(faulty, picture, target):
    faulty.refuse("replace", "unlink", matching="*/out/*")
    with pytest.raises(ExportError, match=r"one\.png cannot be written"):
        write_image(picture("in/one.png"), target, ImagePolicy("normalised"))
    assert target.read_bytes() == b"the one before"


def test_a_source_that_is_in_use_is_said_so(faulty, picture, monkeypatch):
    source = picture("in/one.png")

    def refused(path, *_):
        error = PermissionError(13, "Permission denied", path)
        error.winerror = faulty.SHARING_VIOLATION
        raise error

    monkeypatch.setattr("lorads_core.images.files.os.open", refused)
    with pytest.raises(ImageError, match=r"one\.png cannot be read: it is open in another program"):
        read_facts(source)


def test_captions_of_a_graphs_pictures_survive_refusals(faulty, tmp_path):
    (file,) = save_graph_images(tmp_path, [NEW], ["before"], no_progress)
    faulty.refuse("replace", matching="*.txt")
    with pytest.raises(ExportError, match=r"\.txt cannot be written: .*open in another program"):
        save_graph_images(tmp_path, [NEW], ["after"], no_progress)
    assert file.with_suffix(".txt").read_text() == "before"
    faulty.allow()
    faulty.refuse("replace", times=2)
    save_graph_images(tmp_path, [NEW], ["after"], no_progress)
    assert file.with_suffix(".txt").read_text() == "after"


def test_thumbnails_are_shown_whatever_is_refused_in_their_cache(faulty, tmp_path, picture):
    paths = [str(picture(f"in/{n}.png", (400, 300 + n))) for n in range(4)]
    faulty.refuse("replace", "unlink", "mkdir", "write", matching="*/cache*")
    assert all(Thumbnails(tmp_path / "cache").image(path, 128).data for path in paths)
    faulty.allow()
    faulty.refuse("unlink", matching="*/cache/*")
    small = Thumbnails(tmp_path / "cache", most_bytes=1)
    assert all(small.image(path, 128).data for path in paths)
    assert small._bytes > 1  # what could not be removed still counts
    faulty.allow()
    small.image(str(picture("in/5.png", (200, 400))), 128)
    assert small._bytes <= 1


LONG = "x" * 220


@pytest.mark.parametrize("code", [2, 3, 206])
def test_a_path_too_long_for_windows_is_said_so(monkeypatch, target, code):
    def refused(self, *_arguments, **_options):
        error = FileNotFoundError(2, "No such file or directory", str(self))
        error.winerror = code
        raise error

    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setattr("os.path.lexists", lambda _path: False)
    monkeypatch.setattr("pathlib.Path.open", refused)
    monkeypatch.setattr("pathlib.Path.is_dir", lambda _path: True)
    with pytest.raises(ExportError, match=r"more than Windows takes here: use a folder with a shorter path") as refusal:
        save_image(NEW, target.parent / LONG / "one.png", ImagePolicy())
    assert "LongPathsEnabled" in str(refusal.value)
    with pytest.raises(ExportError, match="No such file"):
        save_image(NEW, target, ImagePolicy())
