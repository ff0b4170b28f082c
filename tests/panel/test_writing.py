"""How the panel writes exports: as the last one was written, unless a request says otherwise; animations included."""

import pytest
from PIL import Image

from lorads_core.library.filter import DatasetFilter
from lorads_core.settings import Settings
from lorads_core.workflow import captions as captioning
from lorads_core.workflow import dataset as build
from lorads_core.workflow.parse import caption_settings

PLAIN = {"images": "copy", "first_frame": False, "keep_alpha": False, "strip": False}


@pytest.fixture
def moving(store, tmp_path):
    """Return the id of a dataset of a picture and an animation."""
    folder = tmp_path / "moving"
    folder.mkdir()
    frames = [Image.effect_noise((640, 512), spread).convert("P") for spread in (20, 60)]
    frames[0].convert("RGB").save(folder / "still.png")
    frames[0].save(folder / "moving.gif", save_all=True, append_images=frames[1:], duration=100)
    build.index(store, Settings(), "pictures", folder)
    library = build.open_library(store, Settings(), "pictures")
    dataset = build.query(store, library, "moving", DatasetFilter(folders=(str(folder),))).dataset
    captions = caption_settings("trigger", (), "oldlandmark", "prepend", "sdxl")
    return captioning.caption(store, Settings(), dataset, captions).dataset.id


def exported(panel, dataset, **body):
    job = panel.ended(panel.post(f"datasets/{dataset}/export", {"folder": "mine", **body})["job"])
    assert job["state"] == "done", job
    return job["message"]


def writing(panel, dataset):
    return panel.get(f"datasets/{dataset}/training-options")["writing"]


def test_an_export_is_written_as_the_last_one_unless_the_request_says_otherwise(panel, moving):
    assert writing(panel, moving) == PLAIN
    assert exported(panel, moving) == "1 image written to mine."
    chosen = {"images": "max_area=512", "first_frame": True, "keep_alpha": True, "strip": True}
    assert exported(panel, moving, **chosen) == "2 images written to mine."
    assert writing(panel, moving) == chosen
    assert exported(panel, moving, strip=False) == "2 images written to mine."
    assert writing(panel, moving) == {**chosen, "strip": False}
    exported(panel, moving, images="link", first_frame=False)
    assert writing(panel, moving) == {**PLAIN, "images": "link", "keep_alpha": True}


def test_the_summary_counts_animations_as_the_request_or_the_last_export_has_them(panel, moving):
    def steps(**body):
        return panel.post(f"datasets/{moving}/summary", body)["buckets"]

    assert sum(each["count"] for each in steps()) < sum(each["count"] for each in steps(first_frame=True))
    exported(panel, moving, first_frame=True)
    assert steps() == steps(first_frame=True) == panel.get(f"datasets/{moving}/summary")["buckets"]


@pytest.mark.parametrize("body", [{"first_frame": "yes"}, {"strip": 1}, {"keep_alpha": None}, {"images": "huge"}])
def test_what_is_no_way_of_writing_is_refused(panel, moving, body):
    panel.post(f"datasets/{moving}/export", {"folder": "mine", **body}, 400)
