"""The audit of a training set: each thing that spoils a training is found, counted and named."""

import json
import os
import shutil
from math import inf

import numpy as np
import pytest
from PIL import Image

from lorads_core.cli.main import main
from lorads_core.library.layouts import read_layout
from lorads_core.workflow.check.plot import audit_plot
from lorads_core.workflow.check.report import as_json, audit, figures, folder_rows

SIZE = (96, 96)
SMALL = {"resolution": 96}


def draw(path, seed, size=SIZE):
    """Write an image that is like no other of another seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (6, 6, 3), np.uint8)
    Image.fromarray(pixels).resize(size).save(path)
    return path


def captioned(path, seed, text, size=SIZE):
    draw(path, seed, size).with_suffix(".txt").write_text(text, "utf-8")
    return path


@pytest.fixture
def sets(tmp_path):
    """A sound set in kohya's folders."""
    for n in range(4):
        captioned(tmp_path / "img" / "10_tom cat" / f"{n}.png", n, f"tom, cat, {n}")
    for n in range(2):
        captioned(tmp_path / "reg" / "1_cat" / f"{n}.png", 50 + n, f"cat, {n}")
    return tmp_path


def audited(path, given=SMALL, trainer="", words=()):
    return audit(read_layout(path), given, trainer, words=words, seconds=inf)


def found(path, code, **more):
    """Return the findings of a kind, as their lines."""
    return [each.line for each in audited(path, **more).findings if each.code == code]


def test_a_sound_set_has_no_finding_but_how_its_captions_are_read(sets):
    result = audited(sets)
    assert [each.code for each in result.findings] == ["caption-extension", "amount"]
    assert not result.failed
    assert folder_rows(result.checked) == [
        ("10_tom cat", "training: 4 images × 10 repeats = 40 samples"),
        ("1_cat", "regularization: 2 images × 1 repeat = 2 samples"),
    ]
    said = dict(figures(result.checked))
    assert said["Steps"] == "80 an epoch, 800 in 10 epochs"  # doubled by regularization
    assert "batch size 1, epochs 10" in said["Assumed"]


@pytest.mark.parametrize("name", ["1_regularization", "1_reg", "5_reg cats"])
def test_regularization_beside_the_training_folder_is_trained_as_the_subject(tmp_path, name):
    captioned(tmp_path / "10_tom" / "a.png", 1, "tom")
    captioned(tmp_path / name / "b.png", 2, "a cat")
    (line,) = found(tmp_path, "regularization-as-subject")
    assert line.startswith("1 regularization image is trained as the subject (")
    assert os.path.join(name, "b.png") in line


def test_a_regularization_folder_within_a_concept_with_subfolders_is_trained_as_the_subject(tmp_path):
    captioned(tmp_path / "tom" / "a.png", 1, "tom")
    captioned(tmp_path / "tom" / "reg" / "b.png", 2, "a cat")
    concepts = [
        {"path": "tom", "include_subdirectories": True, "text": {}},
        {"path": "tom/reg", "type": "PRIOR_PREDICTION", "text": {}},
    ]
    (tmp_path / "concepts.json").write_text(json.dumps(concepts))
    lines = found(tmp_path, "regularization-as-subject")
    assert [line.split(" (")[0] for line in lines] == [
        "1 regularization image is trained as the subject",
        "1 image is trained as the subject too",
    ]


@pytest.mark.parametrize(("name", "ending"), [("0.caption", ".caption"), ("0.png.txt", ".png.txt")])
def test_captions_under_another_name_are_not_read(sets, name, ending):
    folder = sets / "img" / "10_tom cat"
    (folder / "0.txt").rename(folder / name)
    (line,) = found(sets, "captions-unread")
    assert line.startswith("1 caption is not read (")
    assert f"looks for NAME.txt, and they are NAME{ending}" in line


def test_sd_scripts_does_not_read_txt_where_a_config_does_not_say_so(tmp_path):
    captioned(tmp_path / "a" / "0.png", 1, "tom")
    (tmp_path / "c.toml").write_text(
        "[[datasets]]\nenable_bucket = true\n[[datasets.subsets]]\nimage_dir = 'a'\nclass_tokens = 'tom'\n"
    )
    (line,) = found(tmp_path, "captions-unread")
    assert "looks for NAME.caption, and they are NAME.txt" in line


@pytest.mark.parametrize(
    ("text", "code", "severity"),
    [
        ("", "empty-caption", "error"),
        (" \n", "empty-caption", "error"),
        ("tom, hat\nNegative prompt: bad\nSteps: 20, Sampler: Euler a, CFG scale: 7", "caption-is-infotext", "warning"),
        ('{"tags": ["tom", "hat"]}', "caption-is-json", "error"),
        ("tom\ntom, hat\n", "first-line-only", "warning"),
    ],
)
def test_captions_that_are_no_captions_are_named(sets, text, code, severity):
    (sets / "img" / "10_tom cat" / "2.txt").write_text(text)
    (finding,) = [each for each in audited(sets).findings if each.code == code]
    assert finding.severity == severity
    assert finding.subjects == (os.path.join("img", "10_tom cat", "2.txt"),)


def test_an_info_text_is_worse_where_all_of_it_is_trained(tmp_path):
    captioned(tmp_path / "a.png", 1, "tom\nNegative prompt: bad\nSteps: 20, Sampler: Euler a, CFG scale: 7")
    (finding,) = [each for each in audited(tmp_path).findings if each.code == "caption-is-infotext"]
    assert finding.severity == "error"


def test_a_caption_that_is_not_utf_8_is_named(sets):
    (sets / "img" / "10_tom cat" / "2.txt").write_bytes("tom, café".encode("cp1252"))
    assert len(found(sets, "caption-not-text")) == 1


def test_images_without_captions_are_trained_as_their_folders_name(sets):
    (sets / "img" / "10_tom cat" / "1.txt").unlink()
    (line,) = found(sets, "no-caption")
    assert "1 image has no caption" in line
    assert "trained as 'tom cat'" in line


@pytest.mark.parametrize("name", ["0-masklabel.png", "0-mask.png", "0_mask.png"])
def test_masks_beside_images_are_trained_as_images_but_onetrainer_knows_its_own(sets, name):
    draw(sets / "img" / "10_tom cat" / name, 90)
    assert len(found(sets, "mask-as-image")) == 1
    known = found(sets, "masks", trainer="onetrainer")
    assert bool(known) == name.endswith("-masklabel.png")


def test_files_that_the_trainer_does_not_read_are_counted(sets):
    folder = sets / "img" / "10_tom cat"
    (folder / "x.heic").write_bytes(b"x")
    draw(folder / "y.Png", 91)
    (folder / "z.psd").write_bytes(b"x")
    draw(folder / "deeper" / "w.png", 92)
    (folder / "lonely.txt").write_text("tom")
    draw(sets / "img" / "5_face" / "f.png", 93)
    assert "2 images are of kinds that are not read" in found(sets, "kind-not-read")[0]
    assert "1 other file (1 .psd)" in found(sets, "other-files")[0]
    assert "1 image is in a subfolder" in found(sets, "not-in-folder")[0]
    assert "lonely.txt" in found(sets, "text-without-image")[0]


def test_images_beside_the_numbered_folders_are_not_trained(tmp_path):
    captioned(tmp_path / "10_tom" / "a.png", 1, "tom")
    draw(tmp_path / "b.png", 2)
    assert "b.png" in found(tmp_path, "not-in-folder")[0]


def test_broken_animated_and_lying_images_are_named(sets):
    folder = sets / "img" / "10_tom cat"
    (folder / "broken.png").write_bytes(b"<!doctype html>")
    frames = [Image.new("RGB", SIZE, color) for color in ("red", "green")]
    frames[0].save(folder / "moving.webp", save_all=True, append_images=frames[1:])
    turned = Image.open(folder / "0.png")
    exif = turned.getexif()
    exif[274] = 6
    turned.convert("RGB").rotate(7).save(folder / "turned.jpg", exif=exif)
    assert "web page" in found(sets, "unreadable")[0]
    assert "moving.webp" in found(sets, "animated")[0]
    assert "turned.jpg" in found(sets, "lying")[0]
    assert found(sets, "lying", trainer="onetrainer") == []


def test_enlarged_cropped_and_unusable_images_are_named(sets):
    draw(sets / "img" / "10_tom cat" / "small.png", 90, (100, 100))
    draw(sets / "img" / "10_tom cat" / "long.png", 91, (3000, 300))
    given = {"resolution": 512}
    assert "up to 5.3-fold" in found(sets, "enlarged", given=given)[0]
    assert "long.png" in found(sets, "cropped", given=given)[0]
    draw(sets / "img" / "10_tom cat" / "tiny.png", 92, (20, 20))
    result = audited(sets, {"resolution": 512, "bucket_no_upscale": True})
    assert [each.code for each in result.findings if each.severity == "error"] == ["too-small"]
    assert result.checked.schedule is None


def test_regularization_images_beyond_the_training_samples_are_never_trained(tmp_path):
    captioned(tmp_path / "img" / "1_tom" / "a.png", 1, "tom")
    for n in range(3):
        captioned(tmp_path / "reg" / "1_cat" / f"{n}.png", 10 + n, "cat")
    assert "2 regularization images are never trained" in found(tmp_path, "unused-regularization")[0]


def test_images_that_fill_no_batch_are_dropped_by_onetrainer(sets):
    draw(sets / "img" / "10_tom cat" / "wide.png", 80, (192, 96))
    shutil.rmtree(sets / "reg")
    lines = found(sets, "dropped", given={"resolution": 96, "batch_size": 16}, trainer="onetrainer")
    assert "wide.png" in lines[0]


def test_copies_and_near_copies_are_counted_once_each(sets):
    folder = sets / "img" / "10_tom cat"
    shutil.copy(folder / "0.png", folder / "0 copy.png")
    Image.open(folder / "1.png").save(folder / "1 resaved.jpg", quality=80)
    assert "1 image is a copy" in found(sets, "identical")[0]
    assert "1 image is nearly the same" in found(sets, "near-duplicate")[0]


def test_a_training_image_among_regularization_is_a_leak(sets):
    shutil.copy(sets / "img" / "10_tom cat" / "0.png", sets / "reg" / "1_cat" / "leak.png")
    Image.open(sets / "img" / "10_tom cat" / "1.png").save(sets / "reg" / "1_cat" / "near.jpg", quality=80)
    assert "leak.png" in found(sets, "identity-leak")[0]
    assert "near.jpg" in found(sets, "near-identity-leak")[0]


def test_the_trigger_in_a_regularization_caption_is_found_by_the_folders_name_or_by_word(sets):
    (sets / "reg" / "1_cat" / "0.txt").write_text("a cat, Tom, tomato")
    assert "teach 'tom' to be the class" in found(sets, "trigger-in-regularization")[0]
    (sets / "reg" / "1_cat" / "0.txt").write_text("a cat, tomato")
    assert found(sets, "trigger-in-regularization") == []
    assert found(sets, "trigger-in-regularization", words=["tomato"])


def test_images_that_were_not_compared_are_said(sets):
    result = audit(read_layout(sets), SMALL, seconds=0)
    assert result.checked.uncompared == 6
    assert any("6 images were not compared" in each.line for each in result.findings)


def test_missing_and_empty_folders_and_those_without_repeats_are_named(tmp_path):
    captioned(tmp_path / "a" / "0.png", 1, "tom")
    (tmp_path / "b").mkdir()
    subsets = "".join(
        f"[[datasets.subsets]]\nimage_dir = '{name}'\nnum_repeats = {repeats}\ncaption_extension = '.txt'\n"
        for name, repeats in (("a", 0), ("b", 1), ("gone", 1))
    )
    (tmp_path / "c.toml").write_text(f"[[datasets]]\nenable_bucket = true\n{subsets}")
    codes = [each.code for each in audited(tmp_path / "c.toml").findings]
    assert {"missing-folder", "empty-folder", "no-repeats"} <= set(codes)


def test_uneven_repeats_are_said(tmp_path):
    for n in range(2):
        captioned(tmp_path / "10_tom" / f"{n}.png", n, "tom")
    captioned(tmp_path / "1_hat" / "h.png", 9, "hat")
    assert "10_tom has 20 samples an epoch and 1_hat 1" in found(tmp_path, "unbalanced")[0]


def test_a_folder_without_images_is_an_error(tmp_path):
    assert next(each.code for each in audited(tmp_path).findings) == "no-images"


def test_the_json_has_all_files_of_each_finding(sets):
    for n in range(4):
        (sets / "img" / "10_tom cat" / f"{n}.txt").write_text("")
    document = json.loads(json.dumps(as_json(audited(sets))))
    (finding,) = [each for each in document["findings"] if each["code"] == "empty-caption"]
    assert finding["count"] == len(finding["files"]) == 4
    assert document["steps_per_epoch"] == 80
    assert document["folders"][1]["role"] == "regularization"


@pytest.mark.slow
def test_the_plot_shows_buckets_and_the_images_of_findings(sets):
    (sets / "img" / "10_tom cat" / "2.txt").write_text("")
    (sets / "img" / "10_tom cat" / "broken.png").write_bytes(b"no")
    plot = audit_plot(audited(sets))
    assert plot.width >= 600
    assert len(np.unique(np.asarray(plot).reshape(-1, 3), axis=0)) > 100


def test_the_command_changes_nothing_and_ends_by_what_it_found(sets, capsys):
    before = sorted((path, path.stat().st_mtime_ns) for path in sets.rglob("*"))
    words = ["check", str(sets), "--resolution", "96", "--compare-all"]
    assert main(words) == 0
    assert "80 an epoch, 800 in 10 epochs" in capsys.readouterr().out
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["trainer"] == "sd-scripts"
    assert sorted((path, path.stat().st_mtime_ns) for path in sets.rglob("*")) == before
    (sets / "img" / "10_tom cat" / "2.txt").write_text("")
    assert main([*words, "--plot", str(sets / "plot.png")]) == 1
    assert "sd-scripts stops at it" in capsys.readouterr().out
    assert (sets / "plot.png").is_file()


def test_the_steps_are_judged_where_the_set_or_the_user_says_the_epochs(sets):
    (line,) = found(sets, "amount")
    assert "An epoch has 40 samples" in line
    assert "50 epochs make about 2,000 samples" in line
    assert found(sets, "amount", given={**SMALL, "epochs": 10}) == []
    assert "80 steps are few" in found(sets, "few-steps", given={**SMALL, "epochs": 1})[0]
    assert "8,000 steps are many" in found(sets, "many-steps", given={**SMALL, "epochs": 100})[0]
