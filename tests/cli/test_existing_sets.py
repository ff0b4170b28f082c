"""Import of training sets that people already have, from their folders or configs to an export."""

import json
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from lorads_core.export.layout import read_manifest


def draw(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (6, 6, 3), np.uint8)
    Image.fromarray(pixels).resize((96, 96)).save(path)
    return path


def captioned(path, seed, text):
    draw(path, seed).with_suffix(".txt").write_text(text, "utf-8")


def exported(lorads, tmp_path, name, *words):
    code, _, err = lorads("export", name, "--out", tmp_path / "out", "--resolution", 96, *words)
    assert code == 0, err
    return read_manifest(tmp_path / "out" / name)["images"], (tmp_path / "out" / name)


def test_kohyas_folders_become_a_dataset_with_repeats_and_regularization(lorads, tmp_path):
    root = tmp_path / "set"
    for n in range(3):
        captioned(root / "img" / "7_tom cat" / f"{n}.png", n, f"tom, sitting, {n}")
    draw(root / "img" / "7_tom cat" / "bare.png", 8)
    draw(root / "img" / "7_tom cat" / "0-masklabel.png", 9)
    captioned(root / "img" / "2_tom face" / "f.png", 10, "tom, face")
    for n in range(2):
        captioned(root / "reg" / "1_cat" / f"{n}.png", 20 + n, f"a cat, {n}")
    shutil.copy(root / "img" / "7_tom cat" / "0.png", root / "reg" / "1_cat" / "leak.png")
    code, out, err = lorads("import", root, "--name", "koh")
    assert code == 0, err
    assert "5 training images, 2 regularization images" in out
    assert "tom cat: 4 images × 7 repeats" in out
    assert "tom face: 1 image × 2 repeats" in out
    assert "lorads" in out.splitlines()[-1]
    assert "export koh --trainer sd-scripts" in out
    assert "1 regularization image is a training image too" in err
    assert "1 mask is no training image" in err
    images, folder = exported(lorads, tmp_path, "koh")
    captions = sorted(each["caption"] for each in images)
    assert captions == ["a cat, 0", "a cat, 1", "tom cat", "tom, face", *(f"tom, sitting, {n}" for n in range(3))]
    assert sum(each["regularization"] for each in images) == 2
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == ["1_regularization", "2_tom", "7_tom"]


def test_an_imported_dataset_is_imported_again_without_losing_edits(lorads, tmp_path):
    captioned(tmp_path / "10_tom" / "a.png", 1, "tom, hat")
    assert lorads("import", tmp_path, "--name", "koh")[0] == 0
    assert lorads("captions", "koh", "--remove-tag", "hat", "--apply")[0] == 0
    assert lorads("import", tmp_path, "--name", "koh")[0] == 0
    _, out, _ = lorads("captions", "koh", "--plain")
    assert out.strip().split("\t")[1] == "tom"


def test_captions_of_one_file_for_all_are_taken_along(lorads, tmp_path):
    root = tmp_path / "set"
    draw(root / "train" / "0001.png", 1)
    draw(root / "train" / "0002.png", 2)
    rows = [{"file_name": "0001.png", "text": "a cat"}, {"file_name": "0002.png", "text": "a dog"}]
    (root / "train" / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    code, _, err = lorads("import", root / "train", "--name", "hf", "--trigger", "sks")
    assert code == 0, err
    images, _ = exported(lorads, tmp_path, "hf")
    assert sorted(each["caption"] for each in images) == ["a cat", "a dog"]


def test_a_dataset_config_brings_its_options_and_caption_extension(lorads, tmp_path):
    root = tmp_path / "set"
    draw(root / "a" / "x.png", 1).with_suffix(".caption").write_text("tom, hat")
    captioned(root / "a" / "deeper" / "not.png", 2, "tom")
    draw(root / "reg" / "y.png", 3).with_suffix(".caption").write_text("a cat")
    (root / "dataset_config.toml").write_text(
        "[[datasets]]\nresolution = 768\nbatch_size = 3\nenable_bucket = true\n"
        "[[datasets.subsets]]\nimage_dir = 'a'\nnum_repeats = 4\nclass_tokens = 'tom cat'\n"
        "[[datasets.subsets]]\nimage_dir = 'reg'\nis_reg = true\nclass_tokens = 'cat'\n"
    )
    code, out, err = lorads("import", root / "dataset_config.toml", "--name", "cfg")
    assert code == 0, err
    assert "1 training image, 1 regularization image" in out
    assert "--trainer sd-scripts --resolution 768 --batch-size 3" in out
    images, _ = exported(lorads, tmp_path, "cfg")
    assert {each["caption"] for each in images} == {"tom, hat", "a cat"}


def test_validation_masks_and_missing_folders_are_said(lorads, tmp_path):
    captioned(tmp_path / "tom" / "a.png", 1, "tom")
    captioned(tmp_path / "val" / "b.png", 2, "tom")
    concepts = [{"path": "tom", "text": {}}, {"path": "val", "type": "VALIDATION", "text": {}}]
    (tmp_path / "concepts.json").write_text(json.dumps(concepts))
    code, _, err = lorads("import", tmp_path, "--name", "one")
    assert code == 0
    assert "1 folder is left out, as it is not trained (val: validation)" in err
    (tmp_path / "concepts.json").write_text(json.dumps([{"path": "gone", "text": {}}]))
    code, _, err = lorads("import", tmp_path, "--name", "two")
    assert code == 5
    assert "1 folder is not there" in err


def test_build_says_that_a_folder_is_kohyas_and_what_reads_it(lorads, tmp_path):
    captioned(tmp_path / "set" / "img" / "7_tom" / "a.png", 1, "tom")
    captioned(tmp_path / "set" / "reg" / "1_cat" / "b.png", 2, "a cat")
    code, _, err = lorads("build", tmp_path / "set", "--name", "plain", "--out", tmp_path / "out")
    assert code == 0
    assert "looks like kohya's (7_tom, 1_cat)" in err
    assert "lorads import" in err
    captioned(tmp_path / "other" / "a.png", 3, "tom")
    _, _, err = lorads("build", tmp_path / "other", "--name", "other", "--out", tmp_path / "out")
    assert "kohya" not in err


def mask_levels(images, folder):
    """Return how bright the mask of each image is in an export, by its caption."""
    levels = {}
    for each in images:
        (file,) = folder.glob(f"*_masks/{Path(each['file']).stem}.png")
        with Image.open(file) as image:
            levels[each["caption"]] = image.convert("L").getextrema()[0]
    return levels


def grey(path, level):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (96, 96), level).save(path)


def test_masks_of_another_folder_are_those_of_their_own_images(lorads, tmp_path):
    """Two folders with images of the same names, each with masks of its own, as sd-scripts' subsets have them."""
    for part, level in (("a", 40), ("b", 90)):
        captioned(tmp_path / part / "1.png", level, f"tom {part}")
        grey(tmp_path / f"masks {part}" / "1.png", level)
    captioned(tmp_path / "a" / "2.png", 3, "tom a, unmasked")
    subsets = "".join(
        f"[[datasets.subsets]]\nimage_dir = '{tmp_path / part}'\ncaption_extension = '.txt'\n"
        f"conditioning_data_dir = '{tmp_path / f'masks {part}'}'\n"
        for part in ("a", "b")
    )
    config = "[[datasets]]\nresolution = 96\nenable_bucket = true\n" + subsets
    (tmp_path / "dataset_config.toml").write_text(config, encoding="utf-8")
    code, out, err = lorads("import", tmp_path / "dataset_config.toml", "--name", "masked")
    assert code == 0, err
    assert "--masked-loss sidecar" in out
    assert "1 mask of" in err
    assert "1 image has none there" in err
    images, folder = exported(lorads, tmp_path, "masked", "--masked-loss", "sidecar")
    assert mask_levels(images, folder) == {"tom a": 40, "tom b": 90, "tom a, unmasked": 255}


def test_masks_of_a_simpletuner_set_lie_as_their_images_do(lorads, tmp_path):
    for name, level in (("x/1.png", 40), ("y/1.png", 90)):
        captioned(tmp_path / "set" / name, level, f"tom {name[0]}")
        grey(tmp_path / "drawn" / name, level)
    backends = [
        {"id": "tom", "instance_data_dir": "set", "caption_strategy": "textfile", "conditioning_data": "masks"},
        {"id": "masks", "dataset_type": "conditioning", "conditioning_type": "mask", "instance_data_dir": "drawn"},
    ]
    (tmp_path / "multidatabackend.json").write_text(json.dumps(backends))
    code, _, err = lorads("import", tmp_path / "multidatabackend.json", "--name", "tuned")
    assert code == 0, err
    images, folder = exported(lorads, tmp_path, "tuned", "--trainer", "sd-scripts", "--masked-loss", "sidecar")
    assert mask_levels(images, folder) == {"tom x": 40, "tom y": 90}


def test_masks_that_are_none_and_masks_of_no_image_are_said_at_once(lorads, tmp_path):
    for name in ("1", "2"):
        captioned(tmp_path / "set" / f"{name}.png", int(name), "tom")
    captioned(tmp_path / "set" / "beside.png", 9, "tom")
    (tmp_path / "set" / "beside-mask.png").write_bytes(b"<!DOCTYPE html>")
    captioned(tmp_path / "set" / "3.png", 3, "tom")
    (tmp_path / "drawn").mkdir()
    Image.new("L", (10, 40)).save(tmp_path / "drawn" / "3.png")
    grey(tmp_path / "drawn" / "1.png", 40)
    (tmp_path / "drawn" / "2.png").write_bytes(b"")
    for name in ("gone", "deep/gone"):
        grey(tmp_path / "drawn" / f"{name}.png", 40)
    job = {"datasets": [{"folder_path": "set", "mask_path": "drawn", "caption_ext": "txt"}], "train": {}}
    process = {"type": "sd_trainer", **job}
    (tmp_path / "job.json").write_text(json.dumps({"job": "extension", "config": {"name": "x", "process": [process]}}))
    code, _, err = lorads("import", tmp_path / "job.json", "--name", "kit", "--verbose")
    assert code == 0, err
    assert err.count("An export with masks will stop") == 2
    assert "2.png is empty (0 bytes)" in err
    assert "2 files are the mask of no training image" in err
    assert "Its mask has another shape (10 × 40)" in err


def test_masks_below_the_images_are_not_trained(lorads, tmp_path):
    captioned(tmp_path / "set" / "1.png", 4, "tom")
    grey(tmp_path / "set" / "drawn" / "1.png", 40)
    job = {"datasets": [{"folder_path": "set", "mask_path": "set/drawn", "caption_ext": "txt"}], "train": {}}
    process = {"type": "sd_trainer", **job}
    (tmp_path / "job.json").write_text(json.dumps({"job": "extension", "config": {"name": "x", "process": [process]}}))
    code, out, err = lorads("import", tmp_path / "job.json", "--name", "kit")
    assert code == 0, err
    assert "1 training image" in out
    images, folder = exported(lorads, tmp_path, "kit", "--trainer", "sd-scripts", "--masked-loss", "sidecar")
    assert mask_levels(images, folder) == {"tom": 40}


def test_another_import_of_the_same_images_leaves_their_masks(lorads, tmp_path):
    captioned(tmp_path / "a" / "1.png", 4, "tom")
    grey(tmp_path / "drawn" / "1.png", 40)
    config = "[[datasets]]\nresolution = 96\nenable_bucket = true\n[[datasets.subsets]]\n"
    config += f"image_dir = '{tmp_path / 'a'}'\ncaption_extension = '.txt'\nconditioning_data_dir = "
    file = tmp_path / "dataset_config.toml"
    file.write_text(f"{config}'{tmp_path / 'drawn'}'\n", encoding="utf-8")
    assert lorads("import", file, "--name", "masked")[0] == 0
    file.write_text(f"{config}'{tmp_path / 'gone'}'\n", encoding="utf-8")
    _, out, err = lorads("import", file, "--name", "other")
    assert "are not there" in err
    assert "taken along" not in err
    assert "--masked-loss" not in out
    images, folder = exported(lorads, tmp_path, "masked", "--masked-loss", "sidecar")
    assert mask_levels(images, folder) == {"tom": 40}
