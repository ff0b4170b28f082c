"""Golden files: what SimpleTuner 4.8's own code made of our cases, and configs that were fed to it."""

import json
from pathlib import PurePosixPath

import pytest

from lorads_core.trainers import trainer
from lorads_core.trainers.simpletuner import names
from lorads_core.trainers.simpletuner.rendering import DATASET_FILE, PROMPTS_FILE, START_FILE

from . import cases_simpletuner as cases
from .accepted import SUBSETS, faults, trained
from .cases import counted_as
from .cases_expert import EXPERT
from .cases_memory import MEMORY

SIMPLETUNER = trainer("simpletuner")
OPTIONS = cases.GOLDEN / "options.json"
NUMBERS = json.loads((cases.GOLDEN / "numbers.json").read_text(encoding="utf-8"))
FOLDERS = sorted(path for path in cases.GOLDEN.iterdir() if path.is_dir())
VARIANTS = (
    {},
    {"lokr_factor": 4},
    {"lokr_full_rank": True, "lokr_factor": 8},
    {"initial_lora": "/loras/cat_500_steps_00001_.safetensors"},
    *({**changes, "batch_size": 1} for changes in cases.VARIANTS.values() if "network" not in changes),
    *({"optimizer": each} for each in names.OPTIMIZERS),
    *({"mixed_precision": each} for each in names.PRECISIONS),
    {"fp8_base": True},
    *MEMORY,
)
# Batches of one, as the pictures are few.
EXPERT_VARIANTS = [{**changes, "batch_size": 1} for changes in EXPERT.values()]
OF_EXPERTS = ("sd15", "sdxl", "flux", "flux_schnell", "zimage", "qwen_image")
OF_FOLDER = {name.replace(" ", "-"): case for name, case in cases.CASES.items()}


def usual(base):
    return {"checkpoint": base.usual_checkpoint or "/models/base.safetensors"}


def configs():
    yield from trained("simpletuner", SUBSETS, VARIANTS, usual)
    yield from trained("simpletuner", SUBSETS, EXPERT_VARIANTS, usual, OF_EXPERTS)


def written(config):
    """Return the config files of a config, the backends as a list under their file's name."""
    texts = SIMPLETUNER.files(config, SUBSETS, PurePosixPath("/e"), PurePosixPath("/o"), "cat")
    return {name: json.loads(text) for name, text in texts.items() if name not in {PROMPTS_FILE, START_FILE}}


def all_faults(files, accepted):
    for name, keys in files.items():
        for table in keys if name == DATASET_FILE else [keys]:
            yield from faults(table, accepted, f"{name}.")


def test_each_key_of_each_config_is_one_that_it_reads_as_it_is_written():
    accepted = json.loads(OPTIONS.read_text(encoding="utf-8"))
    assert {fault for config in configs() for fault in all_faults(written(config), accepted)} == set()
    assert {"lycoris_config.json.factor", "lycoris_config.json.full_matrix"} <= set(accepted)


def test_a_key_that_it_does_not_read_would_be_noticed():
    accepted = json.loads(OPTIONS.read_text(encoding="utf-8"))
    files = {"config.json": {"lora_typ": "lycoris", "seed": "7"}, DATASET_FILE: [{"repeat": 1}]}
    assert list(all_faults(files, accepted)) == ["config.json.lora_typ", "config.json.seed", f"{DATASET_FILE}.repeat"]


def test_every_case_has_its_numbers_and_no_network_has_numbers_of_its_own():
    assert {counted_as(name) for name in cases.CASES} == set(NUMBERS)


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
    del texts[START_FILE]  # what starts it is no config
    assert texts == {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir()}
