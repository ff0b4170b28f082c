"""Golden files: what ai-toolkit 0.12.26's own code made of our cases, and configs that were fed to it."""

import json
from pathlib import PurePosixPath

import pytest

from lorads_core.trainers import trainer

from . import cases_ai_toolkit as cases

AI_TOOLKIT = trainer("ai-toolkit")
NUMBERS = json.loads((cases.GOLDEN / "numbers.json").read_text(encoding="utf-8"))
FOLDERS = sorted(path for path in cases.GOLDEN.iterdir() if path.is_dir())
OF_FOLDER = {name.replace(" ", "-"): case for name, case in cases.CASES.items()}


def test_every_case_has_its_numbers():
    assert list(NUMBERS) == list(cases.CASES)


@pytest.mark.parametrize("name", cases.CASES)
def test_counts_are_what_ai_toolkit_made_of_a_case(name):
    config, subsets = cases.CASES[name]
    assert [p.message for p in AI_TOOLKIT.problems(config, subsets) if p.severity == "error"] == []
    schedule = AI_TOOLKIT.schedule(config, subsets)
    assert [[*size, count] for size, count in schedule.buckets] == NUMBERS[name]["buckets"]
    batches = NUMBERS[name]["batches"]["2_tomcat"]
    steps = -(-batches * config.epochs // config.gradient_accumulation_steps)
    if len(subsets) == 1:
        assert schedule.total_steps == steps
    else:  # every other step is one of regularization images, but for some
        assert steps < schedule.total_steps <= 2 * steps


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_configs_are_those_that_were_fed_to_it(folder):
    config, subsets = OF_FOLDER[folder.name]
    texts = AI_TOOLKIT.files(config, subsets, PurePosixPath("/exports/tom"), PurePosixPath("/exports/tom-lora"), "tom")
    assert texts == {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir()}
