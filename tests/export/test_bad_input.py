"""Exports of what people have: odd names, odd pictures, folders in each other; every trainer takes or refuses."""

import json
import sys
from dataclasses import replace
from uuid import uuid4

import pytest

from lorads_core.errors import ExportError
from lorads_core.export.plan import ExportOptions, plan_export
from lorads_core.export.write import write_export
from lorads_core.images.encode import ImagePolicy
from lorads_core.model import Dataset, TrainingConfig, Trigger
from lorads_core.trainers import trainers

from .conftest import dataset_image, files

NAMES = (
    *('it\'s "quoted"', "äöü 漢字 🐈", "back\\slash", "con", "a.png.b", "..a", "-rf", "tab\there", "%20&amp;"),
    "x" * 200,
)


CONFIG = TrainingConfig(checkpoint="/models/base.safetensors", batch_size=1, repeats=2, epochs=2)


def dataset_of(*images):
    return Dataset(uuid4(), "Tom", "pictures", tuple(images), (), Trigger("tom"))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows itself has no files of such names")
@pytest.mark.parametrize("name", trainers())
def test_files_of_any_name_become_files_that_every_trainer_reads(picture, root, name):
    images = [dataset_image(n, picture(f"in/{odd}.png", (512, 512)), f"tom, {odd}") for n, odd in enumerate(NAMES)]
    result = write_export(plan_export(dataset_of(*images), CONFIG, ExportOptions(trainer=name)), root)
    written = [file for file in files(result.export.folder) if file.endswith(".png")]
    assert len(written) == len(NAMES)
    assert all(file.isascii() and file.count(".") == 1 and not set(file) & set(" '\"\\&%") for file in written)
    rows = json.loads((result.export.folder / "manifest.json").read_text(encoding="utf-8"))["images"]
    assert [row["caption"] for row in rows] == [f"tom, {odd}" for odd in NAMES]


@pytest.mark.parametrize("name", trainers())
@pytest.mark.parametrize("size", [(1024, 1024), (4000, 400), (400, 4000), (63, 63), (1, 700)])
def test_one_picture_of_any_shape_is_placed_or_refused_with_a_reason(picture, root, name, size):
    dataset = dataset_of(dataset_image(1, picture("in/one.png", size), "tom"))
    plan = plan_export(dataset, CONFIG, ExportOptions(trainer=name))
    errors = [problem.message for problem in plan.problems if problem.severity == "error"]
    if errors:
        with pytest.raises(ExportError, match=r"\w"):
            write_export(plan, root)
        assert not root.exists() or files(root) == []
        return
    result = write_export(plan, root)
    assert result.schedule.total_steps > 0
    row = json.loads((result.export.folder / "manifest.json").read_text())["images"][0]
    assert min(row["bucket"]) > 0
    assert 0 <= row["cropped"] < 1


@pytest.mark.parametrize("name", sorted(set(trainers()) - {"comfyui"}))
def test_more_regularization_images_than_are_used_do_no_harm(picture, root, name):
    dataset = replace(
        dataset_of(dataset_image(1, picture("in/one.png", (1024, 1024)), "tom")),
        regularization=tuple(dataset_image(n, picture(f"in/{n}.png", (1024, 1024)), f"cat {n}") for n in range(2, 12)),
    )
    plan = plan_export(dataset, CONFIG, ExportOptions(trainer=name))
    used = write_export(plan, root).schedule.regularization_used
    told = [problem for problem in plan.problems if problem.code == "regularization-surplus"]
    assert used == 10 or told


def test_without_captions_there_is_nothing_to_train_on(picture, root):
    plan = plan_export(dataset_of(dataset_image(1, picture("in/one.png", (1024, 1024)), "")), CONFIG)
    with pytest.raises(ExportError, match="no training image"):
        write_export(plan, root)


def test_the_source_folder_is_no_place_for_an_export(picture, tmp_path):
    dataset = dataset_of(dataset_image(1, picture("tom/one.png", (1024, 1024)), "tom"))
    with pytest.raises(ExportError, match="is no export of LoRADS"):
        write_export(plan_export(dataset, CONFIG), tmp_path, "tom")
    assert files(tmp_path / "tom") == ["one.png"]


def test_an_export_in_its_source_folder_leaves_the_source_as_it_is(picture, tmp_path):
    dataset = dataset_of(dataset_image(1, picture("tom/one.png", (1024, 1024)), "tom"))
    result = write_export(plan_export(dataset, CONFIG), tmp_path / "tom" / "exports", "tom")
    assert (tmp_path / "tom" / "one.png").is_file()
    assert result.export.training_images == 1


@pytest.mark.parametrize("name", trainers())
def test_a_bucket_policy_gives_pictures_the_trainer_neither_scales_nor_crops(picture, root, name):
    sizes = [(3000, 2000), (2000, 3000), (1500, 1500), (4000, 1200)]
    images = [dataset_image(n, picture(f"in/{n}.png", size), f"tom {n}") for n, size in enumerate(sizes)]
    options = ExportOptions(trainer=name, policy=ImagePolicy("bucket"))
    result = write_export(plan_export(dataset_of(*images), CONFIG, options), root)
    rows = json.loads((result.export.folder / "manifest.json").read_text())["images"]
    assert [(row["width"], row["height"]) for row in rows] == [tuple(row["bucket"]) for row in rows]
    assert [(row["scale"], row["cropped"]) for row in rows] == [(1.0, 0.0)] * 4
