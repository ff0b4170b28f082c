"""Golden numbers: what sd-scripts v0.10.1's own parser and dataset loader printed for exports of the sample pictures.

Seen with it each time: no ignored key in training_config.toml, every caption and is_reg as in the manifest.
"""

import json
from pathlib import PurePosixPath

import pytest

from lorads_core.cli.demo import SAMPLES
from lorads_core.images.encode import ImagePolicy
from lorads_core.images.facts import read_facts
from lorads_core.model import TrainingConfig
from lorads_core.trainers import Subset, trainer

from . import cases

PICTURES = {".jpg", ".png", ".webp", ".avif"}

GOLDEN = [
    pytest.param(
        TrainingConfig(),
        ImagePolicy(),
        {(768, 1344): 14, (832, 1216): 28, (896, 1152): 34, (1024, 1024): 40, (1152, 896): 90, (1216, 832): 121,
         (1344, 768): 63, (1600, 640): 10},
        201,
        2010,
        id="defaults",
    ),
    pytest.param(
        TrainingConfig(base_model="pony", shuffle_caption=True, batch_size=4, gradient_accumulation_steps=3, epochs=7,
                       repeats=3, regularization_repeats=2),
        ImagePolicy(),
        {(768, 1344): 4, (832, 1216): 8, (896, 1152): 10, (1024, 1024): 13, (1152, 896): 27, (1216, 832): 36,
         (1344, 768): 19, (1600, 640): 3},
        11,
        77,
        id="regularization repeated, accumulation",
    ),
    pytest.param(
        TrainingConfig(base_model="illustrious", batch_size=3, bucket_no_upscale=True, scheduler="constant", warmup=0.0,
                       text_encoder_learning_rate=5e-5, min_snr_gamma=5, optimizer="Prodigy", flip_aug=True),
        ImagePolicy("max_area", 768),
        {(448, 256): 14, (448, 896): 14, (512, 512): 30, (576, 384): 15, (576, 896): 28, (640, 384): 24, (640, 448): 20,
         (640, 640): 10, (640, 832): 34, (832, 640): 60, (896, 576): 68, (896, 640): 10, (1024, 384): 10,
         (1024, 576): 63},
        138,
        1380,
        id="nothing enlarged",
    ),
    pytest.param(
        TrainingConfig(batch_size=1, repeats=1, resolution=768, max_bucket_side=1536, bucket_step=32, epochs=3,
                       mixed_precision="fp16", scheduler="constant_with_warmup", optimizer="AdaFactor"),
        ImagePolicy("max_side", 900),
        {(576, 1024): 1, (608, 928): 2, (672, 864): 3, (768, 768): 5, (864, 672): 8, (896, 640): 1, (928, 608): 12,
         (1024, 576): 7, (1184, 480): 1},
        40,
        120,
        id="more training than regularization images, steps of 32",
    ),
]  # fmt: skip


def sizes(folder, policy):
    files = sorted(path for path in (SAMPLES / folder).iterdir() if path.suffix in PICTURES)
    facts = (read_facts(path) for path in files)
    return tuple(policy.size_of(each.width, each.height) for each in facts)


@pytest.mark.parametrize(("config", "policy", "buckets", "steps_per_epoch", "total_steps"), GOLDEN)
def test_counts_come_true(config, policy, buckets, steps_per_epoch, total_steps):
    subsets = [
        Subset("train", config.repeats, is_regularization=False, sizes=sizes("subject", policy)),
        Subset("reg", config.regularization_repeats, is_regularization=True, sizes=sizes("other", policy)),
    ]
    schedule = trainer("sd-scripts").schedule(config, subsets)
    assert dict(schedule.buckets) == buckets
    assert (schedule.steps_per_epoch, schedule.total_steps) == (steps_per_epoch, total_steps)


NUMBERS = json.loads((cases.GOLDEN / "numbers.json").read_text(encoding="utf-8"))
FOLDERS = sorted(path for path in cases.GOLDEN.iterdir() if path.is_dir())
OF_FOLDER = {name.replace(" ", "-"): case for name, case in cases.CASES.items()}


def test_every_case_has_its_numbers():
    assert {cases.counted_as(name) for name in cases.CASES} == set(NUMBERS)


@pytest.mark.parametrize("name", cases.CASES)
def test_counts_are_what_sd_scripts_made_of_a_case(name):
    config, subsets = cases.CASES[name]
    assert [p.message for p in trainer("sd-scripts").problems(config, subsets) if p.severity == "error"] == []
    schedule = trainer("sd-scripts").schedule(config, subsets)
    assert {
        "buckets": [[*size, count] for size, count in schedule.buckets],
        "steps_per_epoch": schedule.steps_per_epoch,
        "total_steps": schedule.total_steps,
    } == NUMBERS[cases.counted_as(name)]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_configs_are_those_that_were_fed_to_it(folder):
    config, subsets = OF_FOLDER[folder.name]
    texts = trainer("sd-scripts").files(
        config, subsets, PurePosixPath("/exports/tom"), PurePosixPath("/exports/tom-lora"), "tom"
    )
    assert texts == {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir()}
