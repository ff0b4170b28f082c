"""Exports over files that another program holds, as Windows has it: nothing is lost, and a later export succeeds."""

import shutil
import sys
from dataclasses import replace
from pathlib import PureWindowsPath
from uuid import uuid4

import pytest

from lorads_core.errors import ExportError
from lorads_core.export.layout import ExportFolders, read_manifest
from lorads_core.export.plan import plan_export
from lorads_core.export.versions import list_versions
from lorads_core.export.write import long_paths, write_export
from lorads_core.images.encode import ImagePolicy
from lorads_core.system import files as ground

from .conftest import CONFIG, export, files


@pytest.fixture
def fewer(dataset):
    """The same dataset with a picture less: another version of it."""
    return replace(dataset, training=dataset.training[:2])


def content(folder):
    return {file: (folder / file).read_bytes() for file in files(folder)}


def in_its_place(place):
    return read_manifest(place.final) is not None


@pytest.mark.parametrize("times", [1, 3, 5])
@pytest.mark.parametrize("operation", ["rename", "replace", "unlink", "rmdir"])
def test_an_export_waits_for_a_program_that_soon_lets_go(faulty, dataset, fewer, root, operation, times):
    export(dataset, root)
    faulty.refuse(operation, times=times)
    assert export(fewer, root).export.training_images == 2
    assert "10_tom/000003-3.png" not in files(root / "Tom")
    assert faulty.refused or operation == "rmdir"


@pytest.mark.parametrize("operation", ["rename", "replace"])
def test_an_export_that_is_refused_for_ever_keeps_the_version_before_whole(faulty, dataset, fewer, root, operation):
    export(dataset, root)
    before = content(root / "Tom")
    faulty.refuse(operation)
    with pytest.raises(ExportError, match=r"is open in another program .*: close it there") as refusal:
        export(fewer, root, policy=ImagePolicy("normalised"))
    assert "choose another" not in str(refusal.value)
    assert content(root / "Tom") == before
    faulty.allow()
    assert export(fewer, root, policy=ImagePolicy("normalised")).export.training_images == 2
    assert not list((root / ".lorads").glob("_*"))


def test_a_picture_of_the_old_version_that_is_open_stops_the_new_one(faulty, dataset, fewer, root):
    export(dataset, root)
    before = content(root / "Tom")
    with faulty.held_open(root / "Tom/10_tom/000001-1.png"):
        with pytest.raises(ExportError, match=r"Tom cannot be written: .*open in another program"):
            export(fewer, root)
        assert content(root / "Tom") == before
    assert export(fewer, root).export.training_images == 2


def test_a_picture_of_the_new_version_that_is_open_brings_the_old_one_back_at_once(faulty, dataset, fewer, root):
    export(dataset, root)
    before = content(root / "Tom")
    faulty.refuse(
        "rename", matching=f"*/{ExportFolders(root, 'Tom').content.name}"
    )  # a virus scanner looks at what is new
    with pytest.raises(ExportError, match="open in another program"):
        export(fewer, root)
    assert content(root / "Tom") == before
    faulty.allow()
    assert export(fewer, root).export.training_images == 2


def test_an_old_version_that_cannot_be_put_back_is_named_and_comes_back_with_the_next_export(
    faulty, dataset, fewer, root, monkeypatch
):
    export(dataset, root)
    before = content(root / "Tom")
    place = ExportFolders(root, "Tom")
    old = place.content.with_name(f"{place.content.name}-old1")
    faulty.refuse("rename", matching=f"*/{place.content.name}")

    def put_back(self, old, real=ExportFolders._put_back):
        faulty.refuse("rename", matching=f"*/{old.name}")
        real(self, old)

    monkeypatch.setattr(ExportFolders, "_put_back", put_back)
    with pytest.raises(ExportError, match="The next export puts it back") as refusal:
        export(fewer, root)
    assert str(old) in str(refusal.value)
    assert content(old) == before
    faulty.allow()
    with pytest.raises(ExportError, match="another dataset"):  # an export that fails puts it back all the same
        export(replace(fewer, id=uuid4()), root)
    assert content(root / "Tom") == before


def test_remains_of_an_old_version_are_no_failure_and_go_with_the_next_export(faulty, dataset, fewer, root):
    export(dataset, root)
    faulty.refuse("unlink", matching="*-old1/10_tom/000001-1.png")
    result = export(fewer, root)
    (left,) = (problem for problem in result.export.problems if problem.code == "leftover")
    assert left.severity == "info"
    assert "the next export removes them" in left.message
    assert left.subject.endswith("-old1")
    # The next version is written over the remains, which are still open, and none of them is taken for a version.
    export(dataset, root)
    shutil.rmtree(root / "Tom", ignore_errors=True)
    faulty.allow()
    result = export(fewer, root)
    assert not [problem for problem in result.export.problems if problem.code == "leftover"]
    assert not list((root / ".lorads").glob("_*"))


def test_an_old_version_whose_manifest_is_open_stays_whole_and_goes_later(faulty, dataset, fewer, root):
    export(dataset, root)
    before = content(root / "Tom")
    faulty.refuse("unlink", matching="*-old1/manifest.json")
    export(fewer, root)
    (old,) = (root / ".lorads").glob("*-old1")
    assert content(old) == before
    faulty.allow()
    export(fewer, root)
    assert not old.exists()


def test_a_manifest_that_cannot_be_read_is_not_taken_for_a_strangers_folder(faulty, dataset, root):
    export(dataset, root)
    faulty.refuse("read", matching="*/manifest.json", winerror=faulty.SHARING_VIOLATION)
    with pytest.raises(ExportError, match=r"manifest\.json cannot be read: it is open in another program"):
        export(dataset, root)
    faulty.allow()
    faulty.refuse("read", matching="*/manifest.json", times=2)
    assert export(dataset, root).export.training_images == 3


def test_a_version_that_cannot_be_listed_is_a_problem_of_a_whole_export(faulty, dataset, root):
    faulty.refuse("replace", matching="*/.versions/*")
    result = export(dataset, root)
    (problem,) = (problem for problem in result.export.problems if problem.code == "version")
    assert "The export is whole" in problem.message
    assert in_its_place(ExportFolders(root, "Tom"))
    assert list_versions(root, "Tom") == ()


@pytest.mark.parametrize("operation", ["unlink", "link", "write"])
def test_pictures_taken_over_survive_refusals(faulty, dataset, fewer, root, operation):
    policy = ImagePolicy("normalised")
    export(dataset, root, policy=policy)
    before = content(root / "Tom")
    faulty.refuse(operation, matching="*/10_tom/*", winerror=faulty.SHARING_VIOLATION)
    if operation == "link":  # then they are copied
        assert export(fewer, root, policy=policy).export.training_images == 2
        return
    with pytest.raises(ExportError, match="open in another program"):
        export(fewer, root, policy=policy)
    assert content(root / "Tom") == before
    faulty.allow()
    assert export(fewer, root, policy=policy).export.training_images == 2


def test_an_interruption_between_the_two_renames_brings_the_old_version_back(dataset, fewer, root, monkeypatch):
    export(dataset, root)
    before = content(root / "Tom")
    place = ExportFolders(root, "Tom")
    real = ground.rename

    def interrupted(source, target):
        if source == place.content:
            raise KeyboardInterrupt
        real(source, target)

    monkeypatch.setattr(ground, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export(fewer, root)
    assert content(root / "Tom") == before


# What LoRADS 0.1.0 left in `.lorads/<name>`


def former_layout(root, name):
    folder = root / ".lorads" / name
    folder.mkdir(parents=True)
    return folder


def test_a_version_that_waits_in_the_former_layout_comes_back(dataset, root):
    export(dataset, root)
    before = content(root / "Tom")
    (root / "Tom").rename(former_layout(root, "Tom") / "old")
    with pytest.raises(ExportError, match="another dataset"):
        export(replace(dataset, id=uuid4()), root)
    assert content(root / "Tom") == before
    assert not (root / ".lorads/Tom").exists()


def test_an_export_that_was_cut_off_in_the_former_layout_goes_on(dataset, root):
    def stop(_step, done, _total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_export(plan_export(dataset, CONFIG), root, progress=stop)
    place, former = ExportFolders(root, "Tom"), former_layout(root, "Tom")
    place.content.rename(former / "content")
    place.journal.rename(former / "journal.jsonl")
    inodes = {path.name: path.stat().st_ino for path in (former / "content").rglob("*.png")}
    export(dataset, root)
    now = {path.name: path.stat().st_ino for path in (root / "Tom").rglob("*.png")}
    assert sum(inodes.get(name) == number for name, number in now.items()) == 3
    assert not former.exists()


# Long paths


def test_paths_without_room_for_a_trainers_caches_are_a_warning_on_windows(monkeypatch):
    folder = PureWindowsPath("C:\\" + "x" * 180)
    written = ["10_tom/" + "y" * length + ".png" for length in (20, 45, 50)]
    monkeypatch.setattr(sys, "platform", "linux")
    assert list(long_paths(folder, written)) == []
    monkeypatch.setattr(sys, "platform", "win32")
    (problem,) = long_paths(folder, written)
    assert (problem.severity, problem.code) == ("warning", "long-path")
    assert problem.message.startswith("The paths of 2 images leave a trainer no room")
    assert "the longest has 245" in problem.message
    assert "LongPathsEnabled" in problem.message
    assert list(long_paths(folder, written[:1])) == []


def test_an_export_is_built_in_a_shorter_path_than_it_ends_in(tmp_path):
    place = ExportFolders(tmp_path, "a-dataset-of-a-very-long-name-as-slugs-may-have")
    assert len(str(place.content)) < len(str(place.final))
    assert ExportFolders(tmp_path, "Tom").content != ExportFolders(tmp_path, "tom").content or sys.platform in {
        "win32",
        "darwin",
    }


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_names_that_are_one_folder_are_built_in_one_place(tmp_path, monkeypatch, platform):
    monkeypatch.setattr("lorads_core.export.layout.true_path", lambda path: path)
    monkeypatch.setattr(sys, "platform", platform)
    assert ExportFolders(tmp_path, "Tom").content == ExportFolders(tmp_path, "tom").content
