"""Permissions of an export: who may not read an image reads nothing of it there, neither its caption nor its mask."""

import json
import os
from dataclasses import replace

import pytest
from PIL import Image

from lorads_core.export.plan import ExportOptions, plan_export
from lorads_core.export.write import write_export
from lorads_core.images.encode import ImagePolicy
from lorads_core.system.paths import STAGING
from lorads_core.trainers import trainers

from ..rights import mode, modes
from .conftest import CONFIG, export, files

pytestmark = [pytest.mark.posix, pytest.mark.usefixtures("usual_umask")]

MASKED = replace(CONFIG, masked_loss="sidecar")
NORMALISED = ImagePolicy("normalised")


def private(dataset, number, bits=0o600):
    path = dataset.images[number].record.path
    os.chmod(path, bits)
    return path


def of(folder, number):
    """Return the names of all files of an export that were made of an image."""
    return {name for name in files(folder) if f"{number:06}-" in name}


@pytest.mark.parametrize("name", ["sd-scripts", "onetrainer", "ai-toolkit"])
def test_copy_caption_and_mask_of_a_private_image_are_private(dataset, root, name):
    dataset = replace(dataset, regularization=())  # sd-scripts takes none beside masks
    private(dataset, 0)
    folder = write_export(plan_export(dataset, MASKED, ExportOptions(name)), root).export.folder
    found = modes(folder)
    assert len(of(folder, 1)) == 3
    assert {found[name] for name in of(folder, 1)} == {0o600}
    assert {found[name] for name in of(folder, 2)} == {0o644}


@pytest.mark.parametrize(("of_image", "of_folder", "of_manifest"), [(0o600, 0o700, 0o600), (0o640, 0o750, 0o640)])
def test_a_folder_with_a_private_image_can_be_entered_by_those_who_may_read_it(
    dataset, root, of_image, of_folder, of_manifest
):
    private(dataset, 3, of_image)
    folder = export(dataset, root).export.folder
    assert (mode(folder), mode(folder / "manifest.json")) == (of_folder, of_manifest)
    (version,) = (root / STAGING / ".versions" / folder.name).iterdir()
    assert mode(version) == of_manifest, "it has the captions, too"


@pytest.mark.parametrize("name", sorted(trainers().keys() - {"comfyui"}))  # it takes no regularization images
def test_without_a_private_image_an_export_has_the_usual_rights(dataset, root, name):
    folder = export(dataset, root, trainer=name).export.folder
    assert mode(folder) == 0o755
    assert set(modes(folder).values()) == {0o644}


@pytest.mark.parametrize("another_caption", [False, True])
def test_an_image_that_became_private_is_private_in_the_export_that_is_there(dataset, root, another_caption):
    folder = export(dataset, root, policy=NORMALISED).export.folder
    assert mode(folder) == 0o755
    private(dataset, 0)
    if another_caption:  # the copy is taken over from the version before
        first, *others = dataset.training
        dataset = replace(dataset, training=(replace(first, caption=replace(first.caption, text="tom, new")), *others))
    export(dataset, root, policy=NORMALISED)
    assert mode(folder) == 0o700
    assert {modes(folder)[name] for name in of(folder, 1)} == {0o600}


def test_nobody_can_enter_an_export_while_it_is_written(dataset, root):
    private(dataset, 0)
    seen = []

    def look(_step, done, _total):
        if done:
            seen.extend(mode(path) for path in (root / STAGING).iterdir() if path.is_dir() and path.name[:1] == "_")

    write_export(plan_export(dataset, CONFIG, ExportOptions()), root, progress=look)
    assert seen
    assert set(seen) == {0o700}


def test_the_mask_of_a_public_image_may_be_private(dataset, root):
    path = dataset.images[0].record.path
    mask = path.replace(".png", "-masklabel.png")
    Image.new("L", (640, 480), 128).save(mask)
    os.chmod(mask, 0o600)
    dataset = replace(dataset, regularization=())
    folder = write_export(plan_export(dataset, MASKED, ExportOptions()), root).export.folder
    masks = {name: bits for name, bits in modes(folder).items() if "_masks/" in name}
    assert sorted(masks.values()) == [0o600, 0o644, 0o644]


def test_a_drive_without_permissions_is_warned_of(dataset, root, monkeypatch):
    private(dataset, 0)
    monkeypatch.setattr(os, "chmod", lambda *_: (_ for _ in ()).throw(PermissionError(1, "not permitted")))
    result = export(dataset, root).export
    (found,) = [each for each in result.problems if each.code == "permissions"]
    assert found.message.startswith("Other users of this machine can read this export")
    assert json.loads((result.folder / "manifest.json").read_text(encoding="utf-8"))["files"]


def test_the_mask_of_an_image_that_became_private_is_private_in_the_export_that_is_there(dataset, root):
    plan = plan_export(replace(dataset, regularization=()), MASKED, ExportOptions())
    folder = write_export(plan, root).export.folder
    private(dataset, 0)
    write_export(plan, root)
    assert sorted(bits for name, bits in modes(folder).items() if "_masks/" in name) == [0o600, 0o644, 0o644]
