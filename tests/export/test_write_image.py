"""How a picture comes into an export: copied, linked, stripped, encoded, or taken over from the version before."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from PIL import Image, PngImagePlugin

from lorads_core.errors import ExportError
from lorads_core.images.encode import ImagePolicy
from lorads_core.model import Caption

from .conftest import dataset_image, export, files


def inode(path):
    return path.stat().st_ino


def recaptioned(dataset):
    first, *rest = dataset.training
    return replace(dataset, training=(replace(first, caption=Caption("tom, another", "custom")), *rest))


def test_an_encoded_picture_is_taken_over_from_the_version_before(dataset, root):
    small = {"policy": ImagePolicy("max_side", size=320)}
    before = export(dataset, root, **small)
    inodes = {file: inode(root / "Tom" / file) for file in before.files.values()}
    after = export(recaptioned(dataset), root, **small)
    assert after.files == before.files
    assert {file: inode(root / "Tom" / file) for file in after.files.values()} == inodes
    assert after.export.manifest_hash != before.export.manifest_hash


def test_one_that_was_changed_meanwhile_is_made_anew(dataset, root):
    small = {"policy": ImagePolicy("max_side", size=320)}
    file = root / "Tom" / export(dataset, root, **small).files["pictures", 1]
    sound = file.read_bytes()
    file.write_bytes(sound[:-20] + bytes(20))
    export(recaptioned(dataset), root, **small)
    assert file.read_bytes() == sound


def test_another_policy_makes_all_anew(dataset, root):
    export(dataset, root, policy=ImagePolicy("max_side", size=320))
    result = export(dataset, root, policy=ImagePolicy("max_side", size=160))
    with Image.open(root / "Tom" / result.files["pictures", 1]) as image:
        assert max(image.size) == 160
    assert all("jpg" not in file for file in files(root / "Tom"))


def test_linked_files_are_the_librarys_own(dataset, root):
    result = export(dataset, root, link=True)
    for image in dataset.images:
        assert inode(root / "Tom" / result.files[image.key]) == os.stat(image.record.path).st_ino
    copied = export(dataset, root)
    for image in dataset.images:
        assert inode(root / "Tom" / copied.files[image.key]) != os.stat(image.record.path).st_ino


@pytest.mark.skipif(not os.path.isdir("/dev/shm"), reason="no second drive")
def test_links_across_drives_are_refused(dataset, tmp_path):
    with TemporaryDirectory(dir="/dev/shm") as other:
        if os.stat(other).st_dev == tmp_path.stat().st_dev:
            pytest.skip("the same drive")
        with pytest.raises(ExportError, match="Export copies instead"):
            export(dataset, Path(other) / "exports", link=True)


def test_a_stripped_copy_keeps_its_pixels_and_loses_its_workflow(dataset, root, tmp_path):
    texts = PngImagePlugin.PngInfo()
    texts.add_text("workflow", "secret")
    path = tmp_path / "in" / "9.png"
    with Image.open(dataset.training[0].record.path) as image:
        image.save(path, pnginfo=texts)
    dataset = replace(dataset, training=(dataset_image(9, path, "tom"),))
    for strip in (False, True):
        file = root / "Tom" / export(dataset, root, policy=ImagePolicy(strip=strip)).files["pictures", 9]
        assert (b"secret" in file.read_bytes()) != strip
        with Image.open(file) as written, Image.open(path) as source:
            assert written.tobytes() == source.tobytes()
        manifest = (root / "Tom" / "manifest.json").read_text(encoding="utf-8")
        assert hashlib.sha256(file.read_bytes()).hexdigest() in manifest
