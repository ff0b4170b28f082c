"""Where each trainer puts each picture: together, the buckets that its own code made of the golden cases."""

import json
from collections import Counter

import pytest

from lorads_core.trainers import trainer

from . import cases, cases_ai_toolkit, cases_simpletuner


def numbers(module):
    return json.loads((module.GOLDEN / "numbers.json").read_text(encoding="utf-8"))


SD_SCRIPTS, AI_TOOLKIT, SIMPLETUNER = numbers(cases), numbers(cases_ai_toolkit), numbers(cases_simpletuner)


def placed(name, config, subsets):
    """Return the samples of each bucket by the placements of single pictures, and those of unused ones apart."""
    repeats = [subset.repeats for subset in subsets for _ in subset.sizes]
    schedule = trainer(name).schedule(config, subsets)
    counts, unused = Counter(), set(schedule.unused)
    for place, (item, times) in enumerate(zip(trainer(name).placements(config, subsets), repeats, strict=True)):
        if place not in unused:
            counts[item.bucket] += times
    return counts


def golden(made):
    return {(width, height): count for width, height, count in made["buckets"]}


@pytest.mark.parametrize("name", [name for name in cases.CASES if name.endswith("alone")])
def test_of_training_pictures_alone_they_are_sd_scripts_buckets(name):
    assert placed("sd-scripts", *cases.CASES[name]) == golden(SD_SCRIPTS[cases.counted_as(name)])


@pytest.mark.parametrize("name", [name for name in cases.CASES if len(cases.CASES[name][1]) > 1])
def test_regularization_pictures_come_to_the_same_buckets(name):
    config, subsets = cases.CASES[name]
    counts, buckets = placed("sd-scripts", config, subsets), golden(SD_SCRIPTS[cases.counted_as(name)])
    assert set(counts) == set(buckets)
    assert all(counts[size] <= buckets[size] for size in counts), "sd-scripts shows some of them more often"
    others = sum(subset.repeats * len(subset.sizes) for subset in subsets if not subset.is_regularization)
    assert sum(buckets.values()) == 2 * others


@pytest.mark.parametrize("name", cases_ai_toolkit.CASES)
def test_they_are_ai_toolkits_buckets(name):
    config, subsets = cases_ai_toolkit.CASES[name]
    mirrored = 2 if config.flip_aug else 1
    counts = placed("ai-toolkit", config, subsets)
    assert {size: count * mirrored for size, count in counts.items()} == golden(AI_TOOLKIT[cases.counted_as(name)])


@pytest.mark.parametrize("name", cases_simpletuner.CASES)
def test_they_are_simpletuners_buckets_or_of_their_aspect(name):
    counts = placed("simpletuner", *cases_simpletuner.CASES[name])
    buckets = golden(SIMPLETUNER[cases.counted_as(name)])
    by_aspect, own = Counter(), Counter()
    for size, count in buckets.items():
        by_aspect[round(size[0] / size[1], 2)] += count
    for size, count in counts.items():
        own[round(size[0] / size[1], 2)] += count
    assert set(own) == set(by_aspect)
    assert all(own[aspect] <= by_aspect[aspect] for aspect in own), "more only where it fills a batch with repeats"
