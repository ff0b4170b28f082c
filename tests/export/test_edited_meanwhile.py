"""What others do to an export while a new version of it is written: it is kept under a name, and said."""

import os
import pickle
import subprocess
import sys
import textwrap
from dataclasses import replace

import pytest

from lorads_core.errors import ExportError
from lorads_core.export.layout import read_manifest
from lorads_core.export.plan import plan_export
from lorads_core.export.write import write_export
from lorads_core.system import files as ground

from .conftest import CONFIG, besides_advice, export, files

CAPTION = "10_tom/000001-1.txt"


@pytest.fixture
def fewer(dataset):
    """The same dataset with a picture less: another version of it."""
    return replace(dataset, training=dataset.training[:2])


def edit(root, file=CAPTION, text="tom, written by hand"):
    (root / "Tom" / file).write_text(text)


def export_while(dataset, root, deed):
    """Export, and do a deed once when the first picture is in the journal."""
    deeds = [deed]

    def progress(_step, done, _total):
        if done and deeds:
            deeds.pop()()

    return write_export(plan_export(dataset, CONFIG), root, progress=progress).export


def kept(result):
    return [problem for problem in result.problems if problem.code == "edited-version"]


@pytest.mark.parametrize("file", [CAPTION, "training_config.toml", "10_tom/000001-1.png", "10_tom/my notes.md"])
def test_what_is_edited_or_added_while_it_is_exported_again_is_kept_and_named(dataset, fewer, root, file):
    export(dataset, root)
    result = export_while(fewer, root, lambda: edit(root, file))
    (problem,) = kept(result)
    assert problem.severity == "warning"
    assert file in problem.message
    assert problem.subject == str(root / "Tom_edited")
    assert (root / "Tom_edited" / file).read_text() == "tom, written by hand"
    assert read_manifest(root / "Tom_edited")
    assert result.training_images == 2
    assert (root / "Tom" / CAPTION).read_text() == "tom, cat 1"


def test_a_version_that_nobody_touched_is_not_kept(dataset, fewer, root):
    export(dataset, root)
    trainers_own = root / "Tom/10_tom/000001-1_0640x0480_sdxl.npz"
    result = export_while(fewer, root, lambda: trainers_own.write_bytes(b"latents"))
    assert besides_advice(result.problems) == []
    assert sorted(path.name for path in root.iterdir()) == [".lorads", "Tom"]


def test_versions_that_are_kept_have_names_of_their_own(dataset, fewer, root):
    export(dataset, root)
    export_while(fewer, root, lambda: edit(root, text="one"))
    export_while(dataset, root, lambda: edit(root, text="two"))
    assert (root / "Tom_edited" / CAPTION).read_text() == "one"
    assert (root / "Tom_edited2" / CAPTION).read_text() == "two"


@pytest.mark.posix
def test_what_an_editor_saves_after_the_rename_by_its_open_file_is_kept(dataset, fewer, root, monkeypatch):
    export(dataset, root)
    with (root / "Tom" / CAPTION).open("r+") as editor:

        def renamed(source, target, real=ground.rename):
            real(source, target)
            if target == root / "Tom":  # the new version is in its place
                editor.write("saved late")
                editor.flush()

        monkeypatch.setattr(ground, "rename", renamed)
        (problem,) = kept(export(fewer, root).export)
    assert (root / "Tom_edited" / CAPTION).read_text().startswith("saved late")
    assert CAPTION in problem.message


KILLED = textwrap.dedent("""
    import os, pickle, sys
    from pathlib import Path
    from lorads_core.export.plan import plan_export
    from lorads_core.export.write import write_export
    from lorads_core.model import TrainingConfig
    from lorads_core.system import files
    dataset, final = pickle.loads(Path(sys.argv[1]).read_bytes()), Path(sys.argv[2]) / "Tom"
    real, moment = files.rename, sys.argv[3]

    def rename(source, target):
        real(source, target)
        if moment == "between" and source == final or moment == "after" and target == final:
            os._exit(9)

    def progress(_step, done, _total):
        if done:
            (final / "10_tom/000001-1.txt").write_text("tom, written by hand")

    files.rename = rename
    write_export(plan_export(dataset, TrainingConfig()), final.parent, progress=progress)
""")


def killed_export(dataset, root, tmp_path, moment):
    value = tmp_path / "dataset.pickle"
    value.write_bytes(pickle.dumps(dataset))
    command = [sys.executable, "-c", KILLED, str(value), str(root), moment]
    assert subprocess.run(command, check=False, timeout=300).returncode == 9


def test_a_kill_after_the_new_version_is_in_its_place_loses_no_edit(dataset, fewer, root, tmp_path):
    export(dataset, root)
    killed_export(fewer, root, tmp_path, "after")
    assert len(list((root / ".lorads").glob("*-old1"))) == 1
    (problem,) = kept(export(dataset, root).export)
    assert CAPTION in problem.message
    assert (root / "Tom_edited" / CAPTION).read_text() == "tom, written by hand"


def test_a_kill_between_the_two_renames_puts_the_edited_version_back(dataset, fewer, root, tmp_path):
    export(dataset, root)
    killed_export(fewer, root, tmp_path, "between")
    assert not (root / "Tom").exists()
    with pytest.raises(ExportError, match="was edited since"):
        export(fewer, root)
    assert (root / "Tom" / CAPTION).read_text() == "tom, written by hand"
    assert "10_tom/000003-3.png" in files(root / "Tom")


def test_an_older_version_that_cannot_be_looked_at_stays_for_the_next_export(faulty, dataset, fewer, root):
    export(dataset, root)
    faulty.refuse("read", matching=f"*-old1/{CAPTION}", winerror=faulty.SHARING_VIOLATION)
    result = export_while(fewer, root, lambda: edit(root))
    assert [problem.code for problem in besides_advice(result.problems)] == ["leftover"]
    faulty.allow()
    assert len(kept(export(dataset, root).export)) == 1
    assert (root / "Tom_edited" / CAPTION).read_text() == "tom, written by hand"


def test_what_was_written_is_synced_and_nothing_else_is_waited_for(dataset, root, monkeypatch):
    synced, real = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino) or real(descriptor))
    monkeypatch.setattr(os, "sync", lambda: pytest.fail("the whole machine was synced"), raising=False)
    export(dataset, root)
    assert {(root / "Tom" / file).stat().st_ino for file in files(root / "Tom")} <= set(synced)
