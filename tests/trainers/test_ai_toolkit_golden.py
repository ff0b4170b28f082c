"""Golden files: what ai-toolkit 0.12.26's own code made of our cases, and configs that were fed to it."""

import json
from pathlib import PurePosixPath

import pytest

from lorads_core.trainers import trainer
from lorads_core.trainers.ai_toolkit import names

from . import cases_ai_toolkit as cases
from .accepted import SUBSETS, faults, trained
from .cases import counted_as
from .cases_expert import EXPERT
from .cases_memory import MEMORY

AI_TOOLKIT = trainer("ai-toolkit")
OPTIONS = cases.GOLDEN / "options.json"
NUMBERS = json.loads((cases.GOLDEN / "numbers.json").read_text(encoding="utf-8"))
FOLDERS = sorted(path for path in cases.GOLDEN.iterdir() if path.is_dir())
VARIANTS = (
    {},
    {"lokr_factor": 4},
    {"lokr_full_rank": True, "lokr_factor": 8},
    {"initial_lora": "/loras/cat_500_steps_00001_.safetensors"},
    {"checkpoint": "/models/denoiser.safetensors"},
    *cases.VARIANTS.values(),
    *({"optimizer": each} for each in names.OPTIMIZERS),
    *({"mixed_precision": each} for each in names.PRECISIONS),
    *MEMORY,
)
OF_EXPERTS = ("sd15", "sdxl", "flux", "zimage")
OF_FOLDER = {name.replace(" ", "-"): case for name, case in cases.CASES.items()}


def usual(base):
    folder = base.usual_checkpoint
    return {"checkpoint": folder or "/models/base.safetensors", "optimizer": "AdamW"}


def configs():
    yield from trained("ai-toolkit", SUBSETS, VARIANTS, usual)
    yield from trained("ai-toolkit", SUBSETS, EXPERT.values(), usual, OF_EXPERTS)


def test_each_key_of_each_config_is_one_that_its_config_classes_hold_as_it_is_written():
    accepted = json.loads(OPTIONS.read_text(encoding="utf-8"))
    found = set()
    for config in configs():
        (text,) = AI_TOOLKIT.files(config, SUBSETS, PurePosixPath("/e"), PurePosixPath("/o"), "cat").values()
        found |= set(faults(json.loads(text)["config"]["process"][0], accepted))
    assert found == set()
    assert {"network.lokr_factor", "network.lokr_full_rank", "datasets[].prior_reg"} <= set(accepted)


def test_a_key_that_it_does_not_hold_would_be_noticed():
    accepted = json.loads(OPTIONS.read_text(encoding="utf-8"))
    keys = {"network": {"type": "loha", "lokr_facto": 4}, "datasets": [{"num_repeats": "2"}]}
    assert list(faults(keys, accepted)) == ["network.type = loha", "network.lokr_facto", "datasets[].num_repeats"]


def test_every_case_has_its_numbers():
    assert list(NUMBERS) == list(dict.fromkeys(map(counted_as, cases.CASES)))


@pytest.mark.parametrize("name", cases.CASES)
def test_counts_are_what_ai_toolkit_made_of_a_case(name):
    config, subsets = cases.CASES[name]
    numbers = NUMBERS[counted_as(name)]
    assert [p.message for p in AI_TOOLKIT.problems(config, subsets) if p.severity == "error"] == []
    schedule = AI_TOOLKIT.schedule(config, subsets)
    assert [[*size, count] for size, count in schedule.buckets] == numbers["buckets"]
    wanted = numbers["batches"]["2_tomcat"] * config.epochs
    training, others = numbers["trained"]
    accumulation = config.gradient_accumulation_steps
    assert wanted <= training < wanted + accumulation
    assert schedule.total_steps * accumulation == training + others
    assert bool(others) is (len(subsets) == 2)


@pytest.mark.parametrize("name", cases.CASES)
def test_it_saves_at_the_steps_that_its_loop_saved_at(name):
    config, subsets = cases.CASES[name]
    planned = AI_TOOLKIT.checkpoints(config, AI_TOOLKIT.schedule(config, subsets), "tom")
    assert planned == (
        *(f"tom/tom_{step:09d}.safetensors" for step in NUMBERS[counted_as(name)]["saved"]),
        "tom/tom.safetensors",
    )


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_configs_are_those_that_were_fed_to_it(folder):
    config, subsets = OF_FOLDER[folder.name]
    texts = AI_TOOLKIT.files(config, subsets, PurePosixPath("/exports/tom"), PurePosixPath("/exports/tom-lora"), "tom")
    assert texts == {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir()}
