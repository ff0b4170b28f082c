"""Exports of what people have: odd names, odd pictures, folders in each other; every trainer takes or refuses."""

import json
import os
import sys
from dataclasses import replace
from uuid import uuid4

import pytest

from lorads_core.errors import ExportError, LoradsError
from lorads_core.export.plan import ExportOptions, plan_export
from lorads_core.export.write import write_export
from lorads_core.images.encode import ImagePolicy
from lorads_core.model import Dataset, TrainingConfig, Trigger
from lorads_core.trainers import trainers

from ..trained import trained_by
from .conftest import dataset_image, files

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

NAMES = (
    *(
        'it\'s "quoted"',
        "äöü \u6f22\u5b57 \U0001f408",
        "back\\slash",
        "con",
        "a.png.b",
        "..a",
        "-rf",
        "tab\there",
        "%20&amp;",
    ),
    "x" * 200,
)


CONFIG = TrainingConfig(checkpoint="/models/base.safetensors", batch_size=1, repeats=2, epochs=2)


def dataset_of(*images):
    return Dataset(uuid4(), "Tom", "pictures", tuple(images), (), Trigger("tom"))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows itself has no files of such names")
@pytest.mark.parametrize("name", trainers())
def test_files_of_any_name_become_files_that_every_trainer_reads(picture, root, name):
    images = [dataset_image(n, picture(f"in/{odd}.png", (512, 512)), f"tom, {odd}") for n, odd in enumerate(NAMES)]
    result = write_export(plan_export(dataset_of(*images), trained_by(name, CONFIG), ExportOptions(trainer=name)), root)
    written = [file for file in files(result.export.folder) if file.endswith(".png")]
    assert len(written) == len(NAMES)
    assert all(file.isascii() and file.count(".") == 1 and not set(file) & set(" '\"\\&%") for file in written)
    rows = json.loads((result.export.folder / "manifest.json").read_text(encoding="utf-8"))["images"]
    assert [row["caption"] for row in rows] == [f"tom, {odd}" for odd in NAMES]


@pytest.mark.parametrize("name", trainers())
@pytest.mark.parametrize("size", [(1024, 1024), (4000, 400), (400, 4000), (63, 63), (1, 700)])
def test_one_picture_of_any_shape_is_placed_or_refused_with_a_reason(picture, root, name, size):
    dataset = dataset_of(dataset_image(1, picture("in/one.png", size), "tom"))
    plan = plan_export(dataset, trained_by(name, CONFIG), ExportOptions(trainer=name))
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


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(trainers()) - {"comfyui"}))
def test_more_regularization_images_than_are_used_do_no_harm(picture, root, name):
    dataset = replace(
        dataset_of(dataset_image(1, picture("in/one.png", (1024, 1024)), "tom")),
        regularization=tuple(dataset_image(n, picture(f"in/{n}.png", (1024, 1024)), f"cat {n}") for n in range(2, 12)),
    )
    plan = plan_export(dataset, trained_by(name, CONFIG), ExportOptions(trainer=name))
    used = write_export(plan, root).schedule.regularization_used
    told = [problem for problem in plan.problems if problem.code == "regularization-surplus"]
    assert used == 10 or told


def test_without_captions_there_is_nothing_to_train_on(picture, root):
    plan = plan_export(dataset_of(dataset_image(1, picture("in/one.png", (1024, 1024)), "")), CONFIG)
    with pytest.raises(ExportError, match="no training image"):
        write_export(plan, root)


def test_the_source_folder_is_no_place_for_an_export(picture, tmp_path):
    dataset = dataset_of(dataset_image(1, picture("tom/one.png", (1024, 1024)), "tom"))
    with pytest.raises(ExportError, match="is not an export of LoRADS"):
        write_export(plan_export(dataset, CONFIG), tmp_path, "tom")
    assert files(tmp_path / "tom") == ["one.png"]


def test_an_export_in_its_source_folder_leaves_the_source_as_it_is(picture, tmp_path):
    dataset = dataset_of(dataset_image(1, picture("tom/one.png", (1024, 1024)), "tom"))
    result = write_export(plan_export(dataset, CONFIG), tmp_path / "tom" / "exports", "tom")
    assert (tmp_path / "tom" / "one.png").is_file()
    assert result.export.training_images == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", trainers())
def test_a_bucket_policy_gives_pictures_the_trainer_neither_scales_nor_crops(picture, root, name):
    sizes = [(1500, 1000), (1000, 1500), (1100, 1100), (2000, 600)]
    images = [dataset_image(n, picture(f"in/{n}.png", size), f"tom {n}") for n, size in enumerate(sizes)]
    options = ExportOptions(trainer=name, policy=ImagePolicy("bucket"))
    result = write_export(plan_export(dataset_of(*images), trained_by(name, CONFIG), options), root)
    rows = json.loads((result.export.folder / "manifest.json").read_text())["images"]
    assert [(row["width"], row["height"]) for row in rows] == [tuple(row["bucket"]) for row in rows]
    assert [(row["scale"], row["cropped"]) for row in rows] == [(1.0, 0.0)] * 4


@pytest.mark.parametrize("name", trainers())
@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        *[("learning_rate", value, "learning rate is") for value in (0.0, -1e-4, float("nan"), float("inf"))],
        ("text_encoder_learning_rate", float("nan"), "text encoder learning rate is nan"),
        ("network_dim", 0, "network dim is 0"),
        ("network_alpha", 0.0, "network alpha is 0"),
        ("epochs", 0, "number of epochs is 0"),
        ("repeats", 0, "number of repeats is 0"),
        ("batch_size", 0, "batch size is 0"),
        ("resolution", 32, "resolution is 32"),
        ("base_model", "sdxxl", "did you mean sdxl"),
    ],
)
def test_senseless_figures_are_refused_for_every_trainer(picture, root, name, field, value, says):
    dataset = dataset_of(dataset_image(1, picture("in/one.png", (1024, 1024)), "tom"))
    if field == "base_model":
        with pytest.raises(LoradsError, match=value):
            plan_export(dataset, replace(CONFIG, **{field: value}), ExportOptions(trainer=name))
        return
    plan = plan_export(dataset, trained_by(name, replace(CONFIG, **{field: value})), ExportOptions(trainer=name))
    assert any(says in problem.message for problem in plan.problems if problem.severity == "error")
    with pytest.raises(ExportError, match=says):
        write_export(plan, root)
    assert not root.exists()


@pytest.mark.parametrize("name", trainers())
def test_an_alpha_above_the_rank_is_told_and_done(picture, root, name):
    dataset = dataset_of(dataset_image(1, picture("in/one.png", (1024, 1024)), "tom"))
    plan = plan_export(dataset, trained_by(name, replace(CONFIG, network_alpha=64.0)), ExportOptions(trainer=name))
    assert [p.severity for p in plan.problems if "is above the dim" in p.message] == ["warning"]
    assert write_export(plan, root).export.training_images == 1


@pytest.mark.parametrize(
    "name",
    [
        "CON",
        "nul",
        "../../etc",
        "C:\\Windows",
        'say "tom"',
        "tom's",
        "\u6f22\u5b57",
        "  ",
        ".hidden",
        "a/b",
        "x" * 300,
        "-rf",
    ],
)
def test_an_export_of_any_name_is_one_plain_folder_in_its_root(picture, root, name):
    dataset = replace(dataset_of(dataset_image(1, picture("in/one.png", (1024, 1024)), "tom")), name=name)
    folder = write_export(plan_export(dataset, CONFIG), root).export.folder
    assert folder.parent == root
    assert folder.name.isascii()
    assert folder.name.lower() not in {"con", "nul"}
    assert {path.name for path in root.iterdir()} <= {folder.name, ".lorads"}
    again = write_export(plan_export(dataset, CONFIG), root)
    assert again.export.folder == folder


@pytest.mark.parametrize("name", trainers())
def test_triggers_and_paths_of_any_kind_keep_their_meaning_in_the_configs(picture, tmp_path, name):
    """Quotes, backslashes and marks of TOML, JSON and YAML neither end a value nor begin another."""
    trigger = 'tom\'s "cat" \\ # {x}: [y] \u6f22'
    # Windows allows neither quotation marks nor backslashes in a name.
    place = tmp_path / ("it's here # \u6f22\u5b57 &" if os.name == "nt" else 'it\'s "here" # \u6f22\u5b57 \\ &')
    image = dataset_image(1, picture("in/one.png", (1024, 1024)), f"{trigger} asleep")
    dataset = replace(dataset_of(image), trigger=Trigger(trigger))
    result = write_export(plan_export(dataset, trained_by(name, CONFIG), ExportOptions(trainer=name)), place)
    folder = result.export.folder
    parsed = [_parsed(file) for file in folder.iterdir() if file.suffix in (".json", ".toml", ".yaml")]
    assert len(parsed) >= 2, "the manifest and a config at least"
    configs = [each for each in parsed if "manifest" not in each]
    assert any(str(folder) in text for each in configs for text in _texts(each))
    (caption,) = folder.glob("2_*/*.txt")
    assert caption.read_text(encoding="utf-8") == f"{trigger} asleep"


def _parsed(file):
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".toml":
        return tomllib.loads(text)
    return json.loads(text)  # YAML of ours is JSON too, or it would be read otherwise by some of its readers


def _texts(value):
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, str):
        yield value
