"""Near-duplicates in the panel: a job finds them, the best of a group first; rejected images are not looked at."""

import shutil

import pytest
from PIL import Image

from lorads_core.library.filter import DatasetFilter
from lorads_core.settings import Settings
from lorads_core.workflow import captions as captioning
from lorads_core.workflow import dataset as build
from lorads_core.workflow.parse import caption_settings


@pytest.fixture
def crowded(store, samples, tmp_path):
    """Return the id of a dataset of three photographs, a copy of the first and a small one of the second."""
    folder = tmp_path / "crowded"
    folder.mkdir()
    photographs = sorted(file for file in (samples / "other").iterdir() if file.suffix != ".txt")
    photographs = [file for file in photographs if file.suffix in {".jpg", ".webp", ".png"}][:3]
    for letter, file in zip("abc", photographs, strict=True):
        shutil.copy(file, folder / f"{letter}{file.suffix}")
    shutil.copy(photographs[0], folder / f"a (1){photographs[0].suffix}")
    with Image.open(photographs[1]) as image:
        image.convert("RGB").resize((image.width // 2, image.height // 2)).save(folder / "b small.png")
    build.index(store, Settings(), "pictures", folder)
    library = build.open_library(store, Settings(), "pictures")
    dataset = build.query(store, library, "crowded", DatasetFilter(folders=(str(folder),))).dataset
    captions = caption_settings("trigger", (), "oldlandmark", "prepend", "sdxl")
    return captioning.caption(store, Settings(), dataset, captions).dataset.id


def found_in(panel, dataset):
    """Return what the job found, as file names."""
    job = panel.ended(panel.post(f"datasets/{dataset}/duplicates", {})["job"])
    assert job["state"] == "done", job
    files = {row["key"]: row["file"] for row in panel.get(f"datasets/{dataset}/rows")["rows"]}
    groups = [
        (files[group["best"]], [(files[each["key"]], each["identical"]) for each in group["duplicates"]])
        for group in job["result"]["groups"]
    ]
    return sorted(groups), job["message"], {file: key for key, file in files.items()}


def test_a_job_finds_the_groups_with_the_best_image_first(panel, crowded):
    groups, message, keys = found_in(panel, crowded)
    suffix = {name[0]: name[name.rindex(".") :] for name in keys if len(name) < 7}
    assert groups == [
        (f"a{suffix['a']}", [(f"a (1){suffix['a']}", True)]),
        (f"b{suffix['b']}", [("b small.png", False)]),
    ]
    assert message == "2 images have a better duplicate."


def test_rejected_images_are_not_compared(panel, crowded):
    _, _, keys = found_in(panel, crowded)
    panel.post(f"datasets/{crowded}/reject", {"keys": [keys["b small.png"]], "rejected": True})
    groups, message, _ = found_in(panel, crowded)
    assert [best[0] for best, _ in groups] == ["a"]
    assert message == "1 image has a better duplicate."


def test_a_file_that_is_gone_is_named(panel, crowded, tmp_path):
    (tmp_path / "crowded" / "b small.png").unlink()
    job = panel.ended(panel.post(f"datasets/{crowded}/duplicates", {})["job"])
    assert [problem["code"] for problem in job["result"]["problems"]] == ["missing-file"]
    assert len(job["result"]["groups"]) == 1


def test_a_set_without_any_says_how_many_images_were_compared(panel, dataset):
    groups, message, _ = found_in(panel, dataset)
    assert (groups, message) == ([], "No near-duplicates among 8 training images.")
