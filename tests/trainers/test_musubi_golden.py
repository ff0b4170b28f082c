"""What musubi-tuner's own parsers, datasets and caching scripts made of our configs (see ``capture/musubi.py``)."""

import dataclasses
import json
import sys
from pathlib import Path

import pytest

from lorads_core.base_models import base_model, recognised_lora
from lorads_core.checkpoints.header import Tensor
from lorads_core.networks import recognised_network
from lorads_core.runs.lora_files import family_tables, loading
from lorads_core.trainers.musubi.rendering import TRAINING_FILE
from lorads_core.trainers.musubi.scripts import SCHEDULERS

from . import cases_musubi as cases
from .accepted import SUBSETS, faults

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

OPTIONS = json.loads((cases.GOLDEN / "options.json").read_text(encoding="utf-8"))
NUMBERS = json.loads((cases.GOLDEN / "numbers.json").read_text(encoding="utf-8"))
FOLDER = Path("/exports/tom")
CONVERTED = frozenset(("zimage", "hunyuan_video"))
"""Base models whose LoRAs ComfyUI has to be given under other names."""


def written(config):
    """Return the keys of a training's config, below the name of the script that reads them."""
    *_, stage = cases.MUSUBI.stages(dataclasses.replace(config, processes=1), FOLDER)
    files = cases.MUSUBI.files(config, SUBSETS, FOLDER, Path("/out"), "tom")
    return {stage.arguments[0]: tomllib.loads(files[TRAINING_FILE])}


def test_every_base_model_of_its_families_is_looked_at_with_every_network_that_it_trains():
    found = {(config.base_model, config.network) for config in cases.configs()}
    assert {base for base, _ in found} == set(cases.TRAINED)
    assert {network for _, network in found} == set(cases.MUSUBI.networks)


def test_every_key_is_an_option_of_its_script_with_a_value_that_it_takes():
    assert {fault for config in cases.configs() for fault in faults(written(config), OPTIONS)} == set()


def test_a_key_that_a_parser_does_not_have_would_be_noticed():
    config = dataclasses.replace(cases.config_of("zimage"), extra={"blocks_to_swp": 16})
    keys = written(config)
    keys["zimage_train_network.py"] |= {"timestep_sampling": "shifted", "seed": "1"}
    assert set(faults(keys, OPTIONS)) == {
        "zimage_train_network.py.blocks_to_swp",
        "zimage_train_network.py.timestep_sampling = shifted",
        "zimage_train_network.py.seed",
    }


TRAINING = json.loads((cases.GOLDEN / "training.json").read_text(encoding="utf-8"))
LORAS = [name for name in TRAINING if not name.startswith(("resumed ", "printed"))]


@pytest.mark.parametrize("name", LORAS)
def test_its_loras_begin_with_the_keys_that_a_training_can_start_from(name):
    base, _, network = name.partition(" ")
    keys = TRAINING[name]["keys"]
    assert any(key.startswith(cases.MUSUBI.initial_lora(cases.config_of(base)).keys) for key in keys)
    assert recognised_network(keys).name == network
    found = recognised_lora(key.replace("_N_", "_0_") for key in keys)
    assert found.name in base_model(base).family.lora_families


@pytest.mark.parametrize("name", LORAS)
def test_comfyui_loads_all_of_its_loras_converted_or_as_they_are(name):
    base, _, _ = name.partition(" ")
    tensors = {key.replace("_N_", "_0_"): Tensor("BF16", (8, 8)) for key in TRAINING[name]["keys"]}
    found = loading(tensors, family_tables(base_model(base).family.name))
    assert found.best.is_full, found.reason
    assert (found.conversion is not None) == (base in CONVERTED)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_a_resumed_training_has_the_options_by_which_its_learning_rates_went_on(tmp_path, scheduler):
    """The rates of both were compared where they were recorded."""
    found = TRAINING[f"resumed {scheduler}"]
    warmup = 0.0 if scheduler == "constant" else 0.2
    config = cases.config_of("zimage", scheduler=scheduler, warmup=warmup, epochs=5)
    for state, arguments in zip(("cat-000002", "cat-after-000002-000001"), found["arguments"], strict=True):
        (tmp_path / f"{state}-state").mkdir()
        (tmp_path / f"{state}-state" / "random_states_0.pkl").touch()
        saved = cases.MUSUBI.saved_state(config, tmp_path, "cat", 3)
        assert [word.replace(str(tmp_path), "/out") for word in saved.arguments] == arguments
    for name in found["checkpoints"]:
        (tmp_path / name).touch()
    assert list(cases.MUSUBI.saved_state(config, tmp_path, "cat", 3).checkpoints) == found["checkpoints"]
    assert len(found["rates"]) == 15


def test_what_it_prints_is_read():
    ticks = [cases.MUSUBI.tick(line) for line in TRAINING["printed"]["lines"]]
    assert next(tick.epoch for tick in ticks if tick and tick.epoch) == 1
    assert {1, 2, 3} <= {tick.step for tick in ticks if tick and tick.step}
    assert any(tick.loss for tick in ticks if tick)


def test_every_case_has_its_numbers():
    assert set(cases.CASES) == set(NUMBERS)


@pytest.mark.parametrize("name", cases.CASES)
def test_counts_are_what_musubi_tuner_made_of_a_case(name):
    config, subsets = cases.CASES[name]
    assert not cases.is_refused(config)
    schedule = cases.MUSUBI.schedule(config, subsets)
    assert {
        "buckets": [[*size, count] for size, count in schedule.buckets],
        "steps_per_epoch": schedule.steps_per_epoch,
        "total_steps": schedule.total_steps,
    } == NUMBERS[name]
