"""Exports: whole or not there, what is in the way is refused, what is cut off goes on."""

import hashlib
import json
import os
import pickle
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from PIL import Image

from lorads_core.errors import ExportError
from lorads_core.export.layout import ExportFolders, read_manifest
from lorads_core.export.plan import ExportOptions, plan_export
from lorads_core.export.write import write_export
from lorads_core.images.encode import ImagePolicy
from lorads_core.model import Caption, Dataset, TrainingConfig, Trigger

from .conftest import CONFIG, besides_advice, dataset_image, export, files


def test_what_is_written(dataset, root):
    result = export(dataset, root)
    folder = root / "Tom"
    assert result.export.folder == folder
    assert files(folder) == [
        "10_tom/000001-1.png",
        "10_tom/000001-1.txt",
        "10_tom/000002-2.png",
        "10_tom/000002-2.txt",
        "10_tom/000003-3.png",
        "10_tom/000003-3.txt",
        "1_regularization/000004-4.jpg",
        "1_regularization/000004-4.txt",
        "1_regularization/000005-5.jpg",
        "1_regularization/000005-5.txt",
        "dataset_config.toml",
        "manifest.json",
        "train.bat" if sys.platform == "win32" else "train.sh",
        "training_config.toml",
    ]
    assert (folder / "10_tom/000002-2.txt").read_text() == "tom, cat 2"
    assert (folder / "10_tom/000001-1.png").read_bytes() == Path(dataset.training[0].record.path).read_bytes()
    assert (result.export.training_images, result.export.regularization_images) == (3, 2)
    assert besides_advice(result.export.problems) == []
    assert not list((root / ".lorads").glob("_*"))


def test_the_manifest_says_what_it_is_made_of(dataset, root):
    result = export(dataset, root)
    text = (root / "Tom" / "manifest.json").read_bytes()
    assert result.export.manifest_hash == hashlib.sha256(text).hexdigest()
    manifest = json.loads(text)
    assert manifest["dataset"]["id"] == str(dataset.id)
    assert [image["source"]["id"] for image in manifest["images"]] == [1, 2, 3, 4, 5]
    assert [image["regularization"] for image in manifest["images"]] == [False] * 3 + [True] * 2
    for image in manifest["images"]:
        data = (root / "Tom" / image["file"]).read_bytes()
        assert (image["bytes"], image["hash"]) == (len(data), hashlib.sha256(data).hexdigest())
    assert set(manifest["files"]) == set(files(root / "Tom")) - {"manifest.json"}


def test_the_same_dataset_is_the_same_export(dataset, root):
    first = export(dataset, root)
    before = {path: path.stat().st_ino for path in (root / "Tom").rglob("*")}
    second = export(dataset, root)
    assert second == first
    assert {path: path.stat().st_ino for path in (root / "Tom").rglob("*")} == before  # nothing was written again


def test_a_changed_caption_makes_a_new_version_without_stale_files(dataset, root):
    first = export(dataset, root)
    fewer = replace(
        dataset,
        training=(replace(dataset.training[0], caption=Caption("tom asleep", "custom")), dataset.training[1]),
        regularization=(),
    )
    second = export(fewer, root)
    assert second.export.manifest_hash != first.export.manifest_hash
    assert (root / "Tom/10_tom/000001-1.txt").read_text() == "tom asleep"
    assert not (root / "Tom/10_tom/000003-3.png").exists()
    assert not (root / "Tom/1_regularization").exists()


def test_cached_latents_of_an_older_version_go(dataset, root):
    export(dataset, root)
    (root / "Tom/10_tom/000001-1_0640x0480_sdxl.npz").write_bytes(b"stale")
    export(replace(dataset, trigger=Trigger("tom", "append"), training=dataset.training[:2]), root)
    assert not list((root / "Tom").rglob("*.npz"))


def test_a_strangers_file_stops_it(dataset, root):
    export(dataset, root)
    note = root / "Tom/10_tom/my notes.md"
    note.write_text("mine")
    with pytest.raises(ExportError, match=r"my notes\.md"):
        export(replace(dataset, training=dataset.training[:2]), root)
    assert note.read_text() == "mine"


@pytest.mark.parametrize("file", ["10_tom/000001-1.txt", "training_config.toml"])
def test_what_a_person_edited_in_an_export_is_not_replaced(dataset, root, file):
    export(dataset, root)
    edited = root / "Tom" / file
    edited.write_text(edited.read_text() + "# mine")
    with pytest.raises(ExportError, match="was edited since"):
        export(dataset, root)
    with pytest.raises(ExportError, match="was edited since"):
        export(replace(dataset, training=dataset.training[:2]), root)
    assert edited.read_text().endswith("# mine")


def test_a_caption_that_is_gone_is_written_again(dataset, root):
    export(dataset, root)
    (root / "Tom/10_tom/000001-1.txt").unlink()
    export(dataset, root)
    assert (root / "Tom/10_tom/000001-1.txt").read_text() == "tom, cat 1"


@pytest.mark.parametrize("key", ["dataset", "plan", "texts", "files", "manifest"])
def test_a_damaged_manifest_is_no_export(dataset, root, key):
    export(dataset, root)
    manifest = json.loads((root / "Tom/manifest.json").read_text())
    del manifest[key]
    (root / "Tom/manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ExportError, match="not an export of LoRADS"):
        export(dataset, root)


def test_folders_of_an_earlier_attempt_are_not_published(dataset, root):
    (ExportFolders(root, "Tom").content / "5_tom").mkdir(parents=True)
    export(dataset, root)
    assert sorted(path.name for path in (root / "Tom").iterdir() if path.is_dir()) == ["10_tom", "1_regularization"]


def test_another_dataset_or_a_strangers_folder_is_never_replaced(dataset, root):
    export(dataset, root)
    with pytest.raises(ExportError, match="another dataset, 'Tom'"):
        export(replace(dataset, id=uuid4(), name="Tom"), root)
    (root / "Family").mkdir()
    (root / "Family/photo.jpg").write_bytes(b"dear")
    with pytest.raises(ExportError, match="not an export of LoRADS"):
        export(replace(dataset, name="Family"), root)
    assert (root / "Family/photo.jpg").read_bytes() == b"dear"


@pytest.mark.parametrize("trigger", ["../x", "CON", "a/b", "", "..", "x\0y", "\u732b", "C:\\x", "q" * 300])
def test_any_trigger_gives_a_safe_folder(dataset, root, trigger):
    export(replace(dataset, trigger=Trigger(trigger)), root)
    (folder,) = [path for path in (root / "Tom").iterdir() if path.name.startswith("10_")]
    assert folder.parent == root / "Tom"
    assert set(folder.name) <= set("0123456789_-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    assert [path.name for path in root.iterdir() if path.name != ".lorads"] == ["Tom"]


def test_images_without_a_caption_are_left_out_and_said(dataset, root):
    bare = replace(dataset, training=(*dataset.training[:2], replace(dataset.training[2], caption=None)))
    result = export(bare, root)
    (problem,) = besides_advice(result.export.problems)
    assert (problem.code, problem.subject) == ("no-caption", dataset.training[2].record.path)
    assert result.export.training_images == 2


def test_without_any_caption_nothing_is_written(dataset, root):
    bare = replace(dataset, training=tuple(replace(image, caption=None) for image in dataset.training))
    with pytest.raises(ExportError, match="no training image"):
        export(bare, root)
    assert not (root / "Tom").exists()


def test_a_picture_that_changed_since_it_was_indexed_is_left_out(dataset, root):
    path = Path(dataset.training[0].record.path)
    path.write_bytes(path.read_bytes() + b"x")
    Path(dataset.training[1].record.path).unlink()
    result = export(dataset, root)
    assert [problem.code for problem in besides_advice(result.export.problems)] == ["left-out", "left-out"]
    assert result.export.training_images == 1
    assert result.schedule == plan_export(replace(dataset, training=dataset.training[2:]), CONFIG).schedule


def test_nothing_can_be_read(dataset, root):
    for image in dataset.training:
        Path(image.record.path).unlink()
    with pytest.raises(ExportError, match="No training image"):
        export(dataset, root)
    assert not (root / "Tom").exists()


def test_an_earlier_version_stays_when_the_new_one_fails(dataset, root):
    export(dataset, root)
    before = files(root / "Tom")
    for image in dataset.training:
        Path(image.record.path).unlink()
    with pytest.raises(ExportError):
        export(replace(dataset, trigger=Trigger("other")), root)
    assert files(root / "Tom") == before


def test_progress_may_cancel(dataset, root):
    def stop(_step, done, _total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_export(plan_export(dataset, CONFIG), root, progress=stop)
    assert not (root / "Tom").exists()
    seen = []
    write_export(plan_export(dataset, CONFIG), root, progress=lambda *tick: seen.append(tick))
    assert seen[0] == ("export", 0, 5)
    assert seen[-1] == ("export", 5, 5)


def test_sizes_are_those_that_were_written(dataset, root):
    result = export(dataset, root, policy=ImagePolicy("max_side", size=320, format="webp"))
    with Image.open(root / "Tom" / result.files["pictures", 1]) as image:
        assert (image.format, image.size) == ("WEBP", (320, 240))
    assert read_manifest(root / "Tom")["images"][0]["width"] == 320


def test_orientation_and_colour_are_mended(picture, root, dataset):
    path = picture("in/turned.jpg", (640, 480))
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(path) as image:
        image.load()
        image.save(path, exif=exif)
    turned = replace(dataset, training=(dataset_image(9, path, "tom"),), regularization=())
    result = export(turned, root)
    with Image.open(root / "Tom" / result.files["pictures", 9]) as image:
        assert image.size == (480, 640)
        assert image.getexif().get(0x0112, 1) == 1


@pytest.fixture
def small_disk(tmp_path):
    """A file system of one megabyte."""
    mount = tmp_path / "small"
    mount.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", mount], capture_output=True, check=False)
    if made.returncode:
        pytest.skip(f"may not mount a file system: {made.stderr.decode().strip()}")
    yield mount
    subprocess.run(["umount", mount], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a tmpfs")
def test_a_full_disk_is_one_clear_error_and_the_next_run_goes_on(dataset, small_disk):
    with pytest.raises(ExportError, match="is full: free some space"):
        export(dataset, small_disk)
    assert not (small_disk / "Tom").exists()
    subprocess.run(["mount", "-o", "remount,size=20m", small_disk], check=True)
    assert export(dataset, small_disk).export.training_images == 3


def test_a_file_that_may_not_grow_is_one_clear_error(dataset, root):
    resource = pytest.importorskip("resource", reason="a limit of POSIX")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
    try:
        with pytest.raises(ExportError, match="cannot be written: File too large"):
            export(dataset, root)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not (root / "Tom").exists()
    assert export(dataset, root).export.training_images == 3


def test_an_export_under_way_is_not_joined(dataset, root):
    with pytest.raises(ExportError, match="already"):
        write_export(
            plan_export(dataset, CONFIG), root, progress=lambda *_: write_export(plan_export(dataset, CONFIG), root)
        )


def test_a_read_only_folder(dataset, root):
    root.mkdir()
    root.chmod(0o555)
    try:
        if os.access(root, os.W_OK):
            pytest.skip("root may write everywhere")
        with pytest.raises(ExportError, match="cannot be written"):
            export(dataset, root)
    finally:
        root.chmod(0o755)


def test_a_version_moved_aside_by_a_run_that_died_comes_back(dataset, root):
    export(dataset, root)
    (root / "Tom").rename(
        ExportFolders(root, "Tom").content.with_name(f"{ExportFolders(root, 'Tom').content.name}-old1")
    )
    for image in dataset.training:
        Path(image.record.path).unlink()
    with pytest.raises(ExportError):
        export(replace(dataset, trigger=Trigger("other")), root)
    assert read_manifest(root / "Tom")["dataset"]["id"] == str(dataset.id)


@pytest.mark.slow
def test_kill_in_the_middle_then_the_next_run_completes(picture, tmp_path, root):
    first = picture("in/0.png", (400, 300)).read_bytes()
    images = []
    for n in range(60):
        path = tmp_path / "in" / f"{n}.png"
        path.write_bytes(first)
        images.append(path)
    script = textwrap.dedent("""
        import pickle, sys
        from pathlib import Path
        from lorads_core.export.plan import ExportOptions, plan_export
        from lorads_core.export.write import write_export
        from lorads_core.images.encode import ImagePolicy
        from lorads_core.model import TrainingConfig
        dataset = pickle.loads(Path(sys.argv[1]).read_bytes())
        plan = plan_export(dataset, TrainingConfig(), ExportOptions(policy=ImagePolicy("normalised"), workers=1))
        write_export(plan, Path(sys.argv[2]), progress=lambda step, done, total: print(done, flush=True))
    """)
    dataset = Dataset(uuid4(), "many", "pictures", tuple(dataset_image(n, p, "x") for n, p in enumerate(images)))
    value = tmp_path / "dataset.pickle"
    value.write_bytes(pickle.dumps(dataset))
    arguments = [sys.executable, "-c", script, str(value), str(root)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if int(line) >= 20:
                process.kill()
                break
    assert not (root / "many").exists()
    place = ExportFolders(root, "many")
    journal = place.journal.read_text().splitlines()
    assert len(journal) >= 20
    inodes = {path.name: path.stat().st_ino for path in place.content.rglob("*.png")}
    plan = plan_export(dataset, TrainingConfig(), ExportOptions(policy=ImagePolicy("normalised"), workers=1))
    result = write_export(plan, root)
    assert result.export.training_images == 60
    kept = sum(inodes.get(path.name) == path.stat().st_ino for path in (root / "many").rglob("*.png"))
    assert kept >= 20  # what was done was not done again


def captions(dataset, root, **changes):
    config = replace(CONFIG, **changes)
    folder = write_export(plan_export(dataset, config, ExportOptions()), root).export.folder
    return [file.read_text(encoding="utf-8") for file in sorted(folder.glob("*/*.txt"))]


def with_captions(dataset, training, other):
    first = replace(dataset.training[0], caption=Caption(training, "custom"))
    second = replace(dataset.regularization[0], caption=Caption(other, "custom"))
    return replace(dataset, training=(first,), regularization=(second,))


def test_the_head_of_a_caption_is_marked_where_the_trainer_shuffles(dataset, root):
    tagged = with_captions(dataset, "tom, 1boy, solo, hat, tree", "1girl, tom, hat")
    assert captions(tagged, root) == ["tom, 1boy, solo, hat, tree", "1girl, tom, hat"]
    assert captions(tagged, root, shuffle_caption=True) == ["tom, 1boy, solo ||| hat, tree", "1girl ||| tom, hat"]


def test_lines_of_a_caption_stay_apart_where_they_are_variants(dataset, root):
    lines = with_captions(dataset, "tom, 1boy, {hat}\n\ntom asleep, tree\n", "cat")
    assert captions(lines, root)[0] == "tom, 1boy, {hat} tom asleep, tree"
    assert captions(lines, root, caption_variants=True)[0] == "tom, 1boy, {{hat}}\ntom asleep, tree"
    marked = captions(lines, root, caption_variants=True, shuffle_caption=True)[0]
    assert marked == "tom, 1boy ||| {{hat}}\ntom asleep ||| tree"


def test_the_manifest_holds_the_caption_without_marks(dataset, root):
    tagged = with_captions(dataset, "tom, 1boy, hat", "cat")
    captions(tagged, root, shuffle_caption=True)
    assert read_manifest(root / "Tom")["images"][0]["caption"] == "tom, 1boy, hat"


def test_the_files_that_the_training_will_save_are_named(dataset, root):
    config = replace(CONFIG, epochs=3, save_every_epochs=2)
    result = write_export(plan_export(dataset, config, ExportOptions()), root)
    assert result.checkpoints == ("Tom-000002.safetensors", "Tom.safetensors")
