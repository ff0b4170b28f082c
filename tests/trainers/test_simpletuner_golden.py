"""Golden files: what SimpleTuner 4.8's own code made of our cases, and configs that were fed to it."""

import json
from pathlib import PurePosixPath

import pytest

from lorads_core.trainers import trainer

from . import cases_simpletuner as cases
from .cases import counted_as

SIMPLETUNER = trainer("simpletuner")
NUMBERS = json.loads((cases.GOLDEN / "numbers.json").read_text(encoding="utf-8"))
FOLDERS = sorted(path for path in cases.GOLDEN.iterdir() if path.is_dir())
OF_FOLDER = {name.replace(" ", "-"): case for name, case in cases.CASES.items()}


def test_every_case_has_its_numbers():
    assert {counted_as(name) for name in cases.CASES} <= set(NUMBERS)


@pytest.mark.parametrize("name", cases.CASES)
def test_counts_are_what_simpletuner_made_of_a_case(name):
    config, subsets = cases.CASES[name]
    assert [p.message for p in SIMPLETUNER.problems(config, subsets) if p.severity == "error"] == []
    schedule = SIMPLETUNER.schedule(config, subsets)
    assert {
        "buckets": [[*size, count] for size, count in schedule.buckets],
        "steps_per_epoch": schedule.steps_per_epoch,
        "total_steps": schedule.total_steps,
    } == NUMBERS[counted_as(name)]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_configs_are_those_that_were_fed_to_it(folder):
    config, subsets = OF_FOLDER[folder.name]
    texts = SIMPLETUNER.files(config, subsets, PurePosixPath("/exports/tom"), PurePosixPath("/exports/tom-lora"), "tom")
    assert texts == {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir()}
