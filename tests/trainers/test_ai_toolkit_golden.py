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
    wanted = NUMBERS[name]["batches"]["2_tomcat"] * config.epochs
    training, others = NUMBERS[name]["trained"]
    accumulation = config.gradient_accumulation_steps
    assert wanted <= training < wanted + accumulation
    assert schedule.total_steps * accumulation == training + others
    assert bool(others) is (len(subsets) == 2)


@pytest.mark.parametrize("name", cases.CASES)
def test_it_saves_at_the_steps_that_its_loop_saved_at(name):
    config, subsets = cases.CASES[name]
    planned = AI_TOOLKIT.checkpoints(config, AI_TOOLKIT.schedule(config, subsets), "tom")
    assert planned == (*(f"tom/tom_{step:09d}.safetensors" for step in NUMBERS[name]["saved"]), "tom/tom.safetensors")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_configs_are_those_that_were_fed_to_it(folder):
    config, subsets = OF_FOLDER[folder.name]
    texts = AI_TOOLKIT.files(config, subsets, PurePosixPath("/exports/tom"), PurePosixPath("/exports/tom-lora"), "tom")
    assert texts == {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir()}
