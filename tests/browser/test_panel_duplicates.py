"""Near-duplicates in the panel: found by a click, filtered, rejected but for the best, and restored by Undo."""

import shutil

import pytest
from PIL import Image

from lorads_core.cli.demo import SAMPLES
from lorads_core.settings import Settings

from .world import World, make_dataset

PHOTOGRAPHS = ["astronaut.jpg", "cameraman.jpg", "kingfisher.jpg", "rocket.jpg"]


@pytest.fixture
def panel(opened, store, make_folder):
    """The panel over four photographs, a copy of the first, and two small ones of the second."""
    folder = make_folder()
    training = folder / "training"
    training.mkdir()
    for name in PHOTOGRAPHS:
        shutil.copy(SAMPLES / "other" / name, training)
    shutil.copy(SAMPLES / "other" / PHOTOGRAPHS[0], training / "astronaut copy.jpg")
    with Image.open(SAMPLES / "other" / PHOTOGRAPHS[1]) as image:
        for part in (2, 3):
            image.resize((image.width // part, image.height // part)).save(training / f"cameraman {part}.png")
    for file in list(training.iterdir()):
        file.with_suffix(".txt").write_text("a picture", encoding="utf-8")
    world = World(store, make_dataset(store, Settings(), folder), folder)
    panel = opened(world)
    panel.row(0).wait_for()
    yield panel
    world.close()


def shown(panel):
    return sorted(each.inner_text() for each in panel.page.locator("[role=row] .file").all())


def filter_by(panel, text):
    panel.page.get_by_role("textbox", name="Filter").fill(text)


def until(panel, holds):
    """Wait until the store has what the page shows already."""
    for _ in range(100):
        if holds():
            return
        panel.page.wait_for_timeout(50)
    raise AssertionError


def test_near_duplicates_are_found_filtered_rejected_and_restored(panel):
    page = panel.page
    filter_by(panel, "duplicate:")
    page.locator("#filter-says", has_text="not known yet").wait_for()
    filter_by(panel, "")
    page.get_by_role("button", name="Find near-duplicates").click()
    page.get_by_text("3 images with a better near-duplicate, in 2 groups.").wait_for()
    filter_by(panel, "duplicate:worse")
    page.locator("#filter-says", has_text="3 of 7 images").wait_for()
    assert shown(panel) == ["astronaut copy.jpg", "cameraman 2.png", "cameraman 3.png"]
    filter_by(panel, "duplicate:best")
    page.locator("#filter-says", has_text="2 of 7 images").wait_for()
    assert shown(panel) == ["astronaut.jpg", "cameraman.jpg"]
    filter_by(panel, "")
    page.get_by_role("button", name="Reject 3 images, keep the best").click()
    page.get_by_text("3 near-duplicates rejected.").wait_for()
    page.get_by_text("No near-duplicates are left.").wait_for()
    numbers = {image.record.path.rpartition("/")[2]: n for n, image in enumerate(panel.world.dataset.images)}
    assert {name for name, n in numbers.items() if panel.world.rejected(n)} == {
        "astronaut copy.jpg",
        "cameraman 2.png",
        "cameraman 3.png",
    }
    page.locator(".notice", has_text="rejected").get_by_role("button", name="Undo").click()
    page.get_by_text("3 images with a better near-duplicate, in 2 groups.").wait_for()
    until(panel, lambda: not [name for name, n in numbers.items() if panel.world.rejected(n)])


def test_where_the_best_was_rejected_by_hand_the_next_best_stays(panel):
    page = panel.page
    page.get_by_role("button", name="Find near-duplicates").click()
    page.get_by_text("3 images with a better near-duplicate, in 2 groups.").wait_for()
    names = [image.record.path.rpartition("/")[2] for image in panel.world.dataset.images]
    panel.row(names.index("cameraman.jpg")).click()
    page.keyboard.press(" ")
    page.get_by_text("2 images with a better near-duplicate, in 2 groups.").wait_for()
    page.get_by_role("button", name="Reject 2 images, keep the best").click()
    page.get_by_text("2 near-duplicates rejected.").wait_for()
    assert not panel.world.rejected(names.index("cameraman 2.png"))
    assert panel.world.rejected(names.index("cameraman 3.png"))
