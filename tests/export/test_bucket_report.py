"""What becomes of pictures in the trainer's buckets: named where it does harm, counted in the picture of buckets."""

import json
from dataclasses import replace
from uuid import uuid4

import pytest

from lorads_core.export.bucket_report import bucket_facts
from lorads_core.export.plan import ExportOptions, plan_export
from lorads_core.export.write import write_export
from lorads_core.images.encode import ImagePolicy
from lorads_core.model import Caption, Dataset, DatasetImage, ImageRecord, TrainingConfig
from lorads_core.problems import format_problems
from lorads_core.trainers import Subset, trainer, trainers

from ..trained import trained_by
from .conftest import dataset_image

CONFIG = TrainingConfig(checkpoint="/models/base.safetensors", batch_size=4, repeats=1)


def known(number, size, name="picture"):
    record = ImageRecord("pictures", number, f"/in/{name}{number}.png", *size, 1000, 1, f"{number:064x}", "png")
    return DatasetImage(replace(record, ready=True), Caption(f"tom, number {number}", "custom"))


def dataset_of(*sizes, others=()):
    training = tuple(known(n, size) for n, size in enumerate(sizes, 1))
    regularization = tuple(known(n, size, "other") for n, size in enumerate(others, len(sizes) + 1))
    return Dataset(uuid4(), "Tom", "pictures", training, regularization)


def problems(code, *sizes, config=CONFIG, name="sd-scripts", policy=None, others=()):
    options = ExportOptions(trainer=name, policy=policy or ImagePolicy())
    plan = plan_export(dataset_of(*sizes, others=others), config, options)
    return [problem for problem in plan.problems if problem.code == code]


def test_the_most_enlarged_images_are_named_with_what_to_do():
    (told,) = problems("upscaled", *[(1024, 1024)] * 4, (400, 400), (500, 500), (300, 300), (450, 450))
    assert told.message == (
        "4 images will be enlarged 2-fold or more, which trains blur (picture7.png 3.4-fold from 300×300 to 1024×1024;"
        " picture5.png 2.6-fold from 400×400 to 1024×1024; picture8.png 2.3-fold from 450×450 to 1024×1024; 1 more):"
        " use larger copies, train at a lower resolution, or set a minimum side."
    )
    assert told.severity == "warning"
    assert told.image is None


def test_tiny_images_are_better_left_out():
    (told,) = problems("upscaled", *[(1024, 1024)] * 4, (63, 63))
    assert "leave out those below 256 pixels (1) by a minimum side" in told.message
    assert told.subject == "/in/picture5.png"
    assert told.image == ("pictures", 5)


def test_heavy_crops_are_named_in_pixels():
    (told,) = problems("cropped", *[(1024, 1024)] * 4, (10_000, 1000))
    assert "picture5.png 20% of 2560×256, 512 of width" in told.message
    assert "leave out those longer than 4:1 (1)" in told.message


def test_a_crop_of_no_long_image_is_for_a_person_to_make():
    config = replace(CONFIG, resolution=512, bucket_step=256, max_bucket_side=512)
    (told,) = problems("cropped", *[(1024, 1024)] * 4, (800, 500), config=config)
    assert told.message.endswith("crop them yourself to what matters.")
    assert "leave out" not in told.message


def test_images_that_a_trainer_drops_are_named():
    sizes = [(1024, 1024)] * 4 + [(1024, 512)]
    (told,) = problems("dropped", *sizes, name="onetrainer")
    assert "picture5.png" in told.message
    assert "fewer samples than a batch of 4" in told.message
    plan = plan_export(dataset_of(*sizes), CONFIG, ExportOptions(trainer="onetrainer"))
    assert [item.dropped for item in plan.images] == [False] * 4 + [True]


def test_regularization_images_beyond_the_training_samples_are_dropped_by_sd_scripts():
    plan = plan_export(dataset_of((1024, 1024), (1024, 1024), others=[(1024, 1024)] * 5), CONFIG)
    assert [item.dropped for item in plan.images] == [False] * 4 + [True] * 3
    assert plan.schedule.regularization_used == 2
    assert [problem.code for problem in plan.problems if problem.code in ("dropped", "regularization-surplus")] == [
        "regularization-surplus"
    ]


@pytest.mark.parametrize(
    ("name", "rest"), [("sd-scripts", "their batches stay small"), ("ai-toolkit", "shown more often than others")]
)
def test_buckets_that_fill_no_batch_are_told(name, rest):
    (told,) = problems("small-bucket", *[(1024, 1024)] * 4, (1216, 832), name=name)
    assert "(1216×832 with 1)" in told.message
    assert rest in told.message
    assert problems("small-bucket", *[(1024, 1024)] * 4, name=name) == []


def test_a_trainer_that_tells_small_buckets_itself_is_left_the_word():
    (told,) = problems("small-bucket", *[(1024, 1024)] * 4, (1216, 832), name="simpletuner")
    assert "SimpleTuner shows the images over and over" in told.message


def test_pictures_are_placed_as_they_will_be_written():
    size = (3000, 2000)
    assert problems("upscaled", *[size] * 4) == []
    (told,) = problems("upscaled", *[size] * 4, policy=ImagePolicy("max_side", 320))
    assert "from 320×213" in told.message
    plan = plan_export(dataset_of(size), CONFIG, ExportOptions(policy=ImagePolicy("max_area", 512)))
    assert [item.placement.source for item in plan.images] == [(627, 418)]


def test_what_a_bucket_policy_cuts_off_is_told_too():
    (told,) = problems("cropped", *[(1024, 1024)] * 4, (10_000, 1000), policy=ImagePolicy("bucket"))
    assert "picture5.png" in told.message


def test_problems_of_a_thousand_images_are_a_few_lines():
    plan = plan_export(dataset_of(*[(200, 2000)] * 500, *[(100, 100)] * 500), CONFIG)
    assert len(format_problems(plan.problems).splitlines()) <= 3


@pytest.mark.parametrize("name", trainers())
def test_placements_are_what_the_schedule_counts(name):
    """A bucket has as many samples as the pictures placed in it, those apart that the trainer leaves out or repeats."""
    sizes = [(600 + 37 * n % 900, 500 + 61 * n % 800) for n in range(60)]
    plan = plan_export(dataset_of(*sizes), trained_by(name, replace(CONFIG, repeats=8)), ExportOptions(trainer=name))
    counts = {}
    for item in plan.images:
        counts[item.placement.bucket] = counts.get(item.placement.bucket, 0) + 8
    assert sum(counts.values()) == sum(count for _, count in plan.schedule.buckets)
    if name != "simpletuner":  # of two buckets of the same aspect, the first one takes the pictures of both
        assert tuple(sorted(counts.items())) == plan.schedule.buckets


@pytest.mark.parametrize("name", sorted(set(trainers()) - {"comfyui"}))
def test_bars_hold_every_sample_and_every_batch(picture, root, name):
    sizes = [(512, 512), (512, 512), (640, 448), (448, 640), (512, 512)]
    images = [dataset_image(n, picture(f"in/{n}.png", size), f"tom {n}") for n, size in enumerate(sizes)]
    others = [dataset_image(n, picture(f"in/{n}.png", (512, 512)), f"cat {n}") for n in (8, 9)]
    dataset = Dataset(uuid4(), "Tom", "pictures", tuple(images), tuple(others))
    config = replace(CONFIG, base_model="sd15", batch_size=3, repeats=4, regularization_repeats=3)
    config = trained_by(name, config)
    result = write_export(plan_export(dataset, config, ExportOptions(trainer=name)), root)
    assert sum(bar.training for bar in result.bars) == 20
    assert {(bar.width, bar.height): bar.samples for bar in result.bars} == dict(result.schedule.buckets)
    schedule = result.schedule
    batches = [bar.batches(schedule.full_batch, schedule.rest) for bar in result.bars]
    lost = sum(rest for _, rest in batches)
    assert lost == (
        schedule.dropped
        if schedule.rest == "dropped"
        else sum(n for n, _ in batches) * 3 - sum(bar.samples for bar in result.bars)
    )
    if name in ("sd-scripts", "onetrainer"):
        assert sum(number for number, _ in batches) == schedule.steps_per_epoch


def test_the_manifest_says_what_becomes_of_each_picture(picture, root):
    images = [dataset_image(n, picture(f"in/{n}.png", (512, 512)), "tom") for n in range(4)]
    odd = dataset_image(9, picture("in/9.png", (512, 256)), "tom")
    dataset = Dataset(uuid4(), "Tom", "pictures", (*images, odd))
    config = replace(CONFIG, base_model="sd15")
    write_export(plan_export(dataset, config, ExportOptions(trainer="onetrainer")), root)
    rows = json.loads((root / "Tom" / "manifest.json").read_text(encoding="utf-8"))["images"]
    assert [row["dropped"] for row in rows] == [False] * 4 + [True]
    assert rows[0]["bucket"] == [512, 512]


def test_facts_are_figures_of_all_pictures():
    subset = Subset("1_tom", 1, is_regularization=False, sizes=((1024, 1024), (700, 500), (10_000, 1000)))
    placed = trainer("sd-scripts").placements(CONFIG, [subset])
    assert bucket_facts(placed) == [
        ("Enlarged", "1 image, up to 1.7-fold"),
        ("Cropped", "2 images, up to 20.0%, of all 8.1%"),
    ]
    assert bucket_facts(placed[:1]) == [("Enlarged", "no image"), ("Cropped", "no image")]
