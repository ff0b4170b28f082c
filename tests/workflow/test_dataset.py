"""The story from folders to an export, on a real store; what a person edits and what a library changes is picked up."""

import dataclasses
from datetime import date
from pathlib import Path

import pytest

from lorads_core.errors import LibraryError, SettingsError
from lorads_core.export.plan import ExportOptions
from lorads_core.library.filter import DatasetFilter
from lorads_core.model import TrainingConfig
from lorads_core.settings import Settings, load_settings
from lorads_core.store.images import set_marked_bad, set_rating
from lorads_core.workflow.captions import caption, edits_mark
from lorads_core.workflow.dataset import add_regularization, export, index, open_library, query, summary_text
from lorads_core.workflow.parse import caption_settings

from ..edits import edit_caption
from ..library import shelf, sqlite_fixture

SETTINGS = Settings()
CONFIG = TrainingConfig(checkpoint="/models/base.safetensors")


@pytest.fixture
def source(store, tmp_path, picture):
    for n in range(4):
        picture(f"cats/{n}.png", (640, 512))
        (tmp_path / f"cats/{n}.txt").write_text(f"cat, number {n}")
        picture(f"others/{n}.jpg", (512, 640))
        (tmp_path / f"others/{n}.txt").write_text(f"dog, number {n}")
    index(store, SETTINGS, "pictures", tmp_path)
    return open_library(store, SETTINGS, "pictures")


def folder(path):
    return DatasetFilter(folders=(str(path),))


@pytest.fixture
def captioned(store, source, tmp_path):
    dataset = query(store, source, "tom", folder(tmp_path / "cats")).dataset
    dataset = add_regularization(dataset, source, folder(tmp_path / "others")).dataset
    settings = caption_settings("sidecar", (), "tom", "prepend", "sdxl")
    return lambda: caption(store, SETTINGS, dataset, settings)


def test_a_query_says_what_each_filter_leaves_out(store, source, picture, tmp_path):
    picture("cats/tiny.png", (64, 48))
    index(store, SETTINGS, "pictures", tmp_path)
    wanted = dataclasses.replace(folder(tmp_path / "cats"), minimum_side=500, maximum_images=2)
    small, most = query(store, source, "tom", wanted).problems
    assert (small.severity, small.code) == ("warning", "left-out-by-minimum-side")
    assert small.message == (
        "1 image is left out of 5: below 500 pixels on its shorter side, first tiny.png (64×48). --minimum-side decides"
        " (minimum_side of Query Images)."
    )
    assert most.message.startswith("2 images are beyond the maximum of 2 in the order path: left out")


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"required_tags": ("number 1",)}, "3 images are left out of 4: without 'number 1', first 0.png. --require"),
        ({"excluded_tags": ("number 1",)}, "1 image is left out of 4: tagged 'number 1', first 1.png. --exclude"),
        ({"minimum_rating": 5}, "1 image is left out of 4: rated below 5, or not rated, first 0.png. --minimum-rating"),
        ({}, "1 image is left out of 4: marked as bad, first 2.png. --with-marked-bad"),
    ],
)
def test_each_filter_names_its_first_image_and_its_option(store, source, tmp_path, wanted, says):
    ids = source.ids(dataclasses.replace(folder(tmp_path / "cats"), maximum_images=9))
    with store.connection() as connection:
        if "minimum_rating" in wanted:
            set_rating(connection, "pictures", ids[1:], 7)
        if not wanted:
            set_marked_bad(connection, "pictures", ids[2:3], bad=True)
    problems = query(store, source, "tom", dataclasses.replace(folder(tmp_path / "cats"), **wanted)).problems
    assert [problem.message.startswith(says) for problem in problems] == [True]


def test_nothing_is_said_where_nothing_is_left_out(store, source, tmp_path):
    assert query(store, source, "tom", folder(tmp_path / "cats")).problems == ()


def test_a_query_without_a_result_says_what_left_all_out(store, source, tmp_path):
    wanted = dataclasses.replace(folder(tmp_path / "cats"), required_tags=("unicorn",))
    with pytest.raises(LibraryError, match=r"passes the filter: .* 4 images are left out of 4: without 'unicorn'"):
        query(store, source, "tom", wanted)


def test_the_whole_story(store, captioned, tmp_path):
    done = captioned()
    assert done.sentence == "captions for 8 images: 8 from sidecar"
    result = export(store, done.dataset, CONFIG, ExportOptions(), tmp_path / "out")
    assert (result.export.training_images, result.export.regularization_images) == (4, 4)
    # 40 samples a side, two buckets, two images a step
    assert (result.schedule.steps_per_epoch, result.schedule.total_steps) == (40, 400)
    text = summary_text(result)
    assert "Steps per epoch: 40" in text
    with store.connection() as connection:
        row = connection.execute("SELECT status, training_count FROM lorads.lora_datasets").fetchone()
        assert row == ("exported", 4)


def test_an_edit_is_picked_up_by_the_next_run(store, captioned, tmp_path):
    dataset = captioned().dataset
    image = dataset.training[2].record
    before = edits_mark(store)
    with store.connection() as connection:
        edit_caption(connection, dataset.id, (image.library, image.id), "tom sleeps")
    assert edits_mark(store) != before
    again = captioned()
    assert again.dataset.training[2].caption.text == "tom sleeps"
    assert again.sentence == "captions for 8 images: 7 from sidecar, 1 from custom"
    result = export(store, again.dataset, CONFIG, ExportOptions(), tmp_path / "out")
    file = result.files[image.library, image.id]
    assert (tmp_path / "out/tom" / file).with_suffix(".txt").read_text() == "tom sleeps"


def test_the_same_name_finds_the_same_dataset(store, source, captioned):
    dataset = captioned().dataset
    assert query(store, source, "tom", DatasetFilter()).dataset.id == dataset.id
    assert query(store, source, "other", DatasetFilter()).dataset.id != dataset.id


def test_nothing_found_is_an_error(store, source, tmp_path):
    with pytest.raises(LibraryError, match="passes the filter"):
        query(store, source, "tom", DatasetFilter(required_tags=("unicorn",)))
    dataset = query(store, source, "tom", folder(tmp_path / "cats")).dataset
    with pytest.raises(LibraryError, match="not a training image too"):
        add_regularization(dataset, source, folder(tmp_path / "cats"))
    with pytest.raises(SettingsError, match="no name"):
        query(store, source, " ", DatasetFilter())


def test_regularization_never_repeats_a_training_image(store, source, tmp_path):
    dataset = query(store, source, "tom", folder(tmp_path / "cats")).dataset
    both = add_regularization(dataset, source, DatasetFilter()).dataset
    assert len(both.regularization) == 4
    assert not {image.record.id for image in both.training} & {image.record.id for image in both.regularization}


def test_a_copy_of_a_training_image_is_no_regularization_image(store, source, tmp_path):
    dataset = query(store, source, "tom", folder(tmp_path / "cats")).dataset
    (tmp_path / "others/copy.png").write_bytes((tmp_path / "cats/0.png").read_bytes())
    index(store, SETTINGS, "pictures", tmp_path)
    both = add_regularization(dataset, source, folder(tmp_path / "others")).dataset
    assert len(both.regularization) == 4


def test_a_config_that_the_trainer_would_refuse_writes_nothing(store, captioned, tmp_path):
    bad = dataclasses.replace(CONFIG, network_dim=0)
    with pytest.raises(Exception, match="network dim is 0"):
        export(store, captioned().dataset, bad, ExportOptions(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def old_library(tmp_path, *, paths=True):
    """Return settings with a library that another program keeps, on SQLite."""
    text = "[libraries.old]\nkind = 'diffusiontoolkit-sqlite'\nfile = 'old.db'\nindex = ''\n"
    mapped = f"[libraries.old.paths]\n'{sqlite_fixture.ROOT}' = '{tmp_path / 'pictures'}'\n" if paths else ""
    (tmp_path / "lorads.toml").write_text(text + mapped, encoding="utf-8")
    return load_settings(tmp_path / "lorads.toml")


def test_a_library_that_vanishes_between_query_and_captions_is_one_error(store, tmp_path):
    """Its captions cannot be asked for any more; what was captioned before can still be exported."""
    shelf.draw(tmp_path / "pictures")
    sqlite_fixture.fill(tmp_path / "old.db", tmp_path / "pictures")
    settings = old_library(tmp_path)
    dataset = query(store, open_library(store, settings, "old"), "anna", DatasetFilter(minimum_rating=4)).dataset
    assert all(image.record.mtime_ns and image.record.hash for image in dataset.training), "their files were read"
    words = caption_settings("prompt", ("combined",), "annax", "prepend", "sdxl")
    captioned = caption(store, settings, dataset, words).dataset
    (tmp_path / "old.db").unlink()
    with pytest.raises(LibraryError, match=r"old\.db"):
        caption(store, settings, dataset, words)
    result = export(store, captioned, CONFIG, ExportOptions(), tmp_path / "out")
    assert result.export.training_images == len([image for image in captioned.training if image.caption]) > 0


ORIGINS = {
    "favorite": (True, "6 images are left out of 8: no favorites, first 2.png. --favorite decides (favorite of Query"),
    "nsfw": (False, "2 images are left out of 8: marked NSFW, first 2.png. --nsfw decides (nsfw of Query Images)."),
    "models": (
        ("pony*",),
        "5 images are left out of 8: not made with checkpoint 'pony*', first 1.jpg. --made-with-check",
    ),
    "loras": (("x", "y"), "6 images are left out of 8: not made with LoRA 'x' or 'y', first 2.png. --made-with-lora"),
    "created_since": (date(2025, 2, 1), "7 images are left out of 8: created before 2025-02-01, or not known when"),
    "created_before": (date(2025, 2, 1), "1 image is left out of 8: created since 2025-02-01, or not known when"),
}


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    """Return the folder of DiffusionToolkit's file and its images, which all of these tests only read."""
    base = tmp_path_factory.mktemp("foreign")
    shelf.draw(base / "pictures")
    sqlite_fixture.fill(base / "old.db", base / "pictures")
    return base


def test_filters_by_what_a_program_wrote_say_what_they_leave_out(store, foreign):
    old = open_library(store, old_library(foreign), "old")
    for field, (value, says) in ORIGINS.items():
        problems = query(store, old, "x", DatasetFilter(exclude_marked_bad=False, **{field: value})).problems
        messages = {problem.code: problem.message for problem in problems}
        assert messages.pop(f"left-out-by-{field.replace('_', '-')}").startswith(says)
        assert messages == (
            {"unknown-lora": "No image of library old was made with LoRA 'y': check how it is written."}
            if field == "loras"
            else {}
        )


def test_a_tag_that_no_image_has_is_named(store, foreign):
    old = open_library(store, old_library(foreign), "old")
    with pytest.raises(LibraryError, match="No image of library old has the tag '1gril': check its"):
        query(store, old, "x", DatasetFilter(required_tags=("1gril",)))
    problems = query(store, old, "x", DatasetFilter(excluded_tags=("unicorn",))).problems
    (unknown,) = (problem for problem in problems if problem.code == "unknown-tag")
    assert (unknown.severity, unknown.subject) == ("info", "unicorn")


def test_files_that_are_not_here_are_told_and_left_out(store, tmp_path):
    paths = shelf.draw(tmp_path / "pictures")
    sqlite_fixture.fill(tmp_path / "old.db", tmp_path / "pictures")
    with pytest.raises(LibraryError, match=r"\[libraries\.old\.paths\]"):
        query(store, open_library(store, old_library(tmp_path, paths=False), "old"), "anna", DatasetFilter())
    paths["anna/1.png"].unlink()
    queried = query(store, open_library(store, old_library(tmp_path), "old"), "anna", DatasetFilter())
    missing, marked = queried.problems[-1], queried.problems[0]
    assert (missing.code, missing.subject) == ("left-out", str(paths["anna/1.png"]))
    assert (marked.code, len(queried.problems)) == ("left-out-by-exclude-marked-bad", 2)
    assert str(paths["anna/1.png"]) not in {image.record.path for image in queried.dataset.training}


def test_a_maximum_counts_images_that_can_be_used_and_says_how_many_were_replaced(store, source, tmp_path):
    everything = query(store, source, "all", folder(tmp_path / "cats")).dataset.training
    Path(everything[0].record.path).unlink()
    changed = Path(everything[1].record.path)
    changed.write_bytes(changed.read_bytes() + b"x")
    queried = query(store, source, "few", dataclasses.replace(folder(tmp_path / "cats"), maximum_images=2))
    assert [image.record for image in queried.dataset.training] == [image.record for image in everything[2:4]]
    (replaced,) = (problem for problem in queried.problems if problem.code == "replaced")
    assert "2 images that pass the filter cannot be used and the next ones were selected instead" in replaced.message
    assert [problem.code for problem in queried.problems].count("left-out") == 2
    more = query(store, source, "more", dataclasses.replace(folder(tmp_path / "cats"), maximum_images=100))
    assert len(more.dataset.training) == len(everything) - 2
    assert "replaced" not in {problem.code for problem in more.problems}


def test_a_maximum_of_regularization_images_counts_only_new_ones(store, source, tmp_path):
    dataset = query(store, source, "tom", folder(tmp_path / "cats")).dataset
    assert len(add_regularization(dataset, source, DatasetFilter(maximum_images=3)).dataset.regularization) == 3
