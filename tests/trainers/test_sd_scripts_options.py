"""Every key of a training config is an option of sd-scripts' own argument parser (see ``capture/sd_scripts.py``)."""

import dataclasses
import itertools
import json
import sys
from pathlib import Path

import pytest

from lorads_core.base_models import base_model
from lorads_core.model import TrainingConfig
from lorads_core.networks import network, network_names
from lorads_core.trainers import Subset, trainer
from lorads_core.trainers.sd_scripts.rules import OPTIMIZERS
from lorads_core.trainers.sd_scripts.scripts import script

from .cases import CAPTURED, FILES, LATER, first_of
from .cases_expert import EXPERT
from .cases_memory import MEMORY
from .test_onetrainer_golden import EVERYTHING

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

OPTIONS = Path(__file__).parent / "golden" / "sd_scripts" / "options.json"
SUBSETS = (Subset("10_cat", 10, is_regularization=False, sizes=((1216, 832), (1024, 1024))),)
VARIANTS = (
    {},
    EVERYTHING,
    {"v_prediction": True},
    {"fp8_base": True, "blocks_to_swap": 18},
    {"lokr_factor": 4, "lokr_full_rank": True},
    {"initial_lora": "/loras/cat_500_steps_00001_.safetensors"},
)


def configs():
    for base, name, variant in itertools.product((*CAPTURED, *map(first_of, LATER)), network_names(), VARIANTS):
        family = base_model(base).family
        if not family.is_diffusion and (variant.get("v_prediction") or network(name).without):
            continue  # both are refused
        yield TrainingConfig(base_model=base, network=name, **FILES, **variant)
    for base, name, variant in itertools.product(("sd15", "sdxl", *map(first_of, LATER)), ("lora", "lokr"), EXPERT):
        yield TrainingConfig(base_model=base, network=name, **{**FILES, **EXPERT[variant]})
    for optimizer in OPTIMIZERS:
        yield TrainingConfig(checkpoint="/b.safetensors", optimizer=optimizer)
    for base, variant in itertools.product((*CAPTURED, *map(first_of, LATER)), MEMORY):
        config = TrainingConfig(base_model=base, **FILES, **variant)
        if not any(each.severity == "error" for each in trainer("sd-scripts").problems(config, SUBSETS)):
            yield config


def written(config):
    files = trainer("sd-scripts").files(config, SUBSETS, Path("/exports/cat"), Path("/out"), "cat")
    return tomllib.loads(files["training_config.toml"])


def faults(options, keys):
    """Yield each key that the parser does not have, or whose value it would not take."""
    for key, value in keys.items():
        known = options.get(key)
        values = value if isinstance(value, list) else [value]
        if known is None or (isinstance(value, list) and not known["several"]):
            yield key
        elif not all(fits(known, each) for each in values):
            yield f"{key} = {value!r}"


def fits(known, value):
    types = {
        "bool": bool,
        "int": int,
        "float": (int, float),
        "int_or_float": (int, float),
        "str": (str, int),
        "Path": str,
    }
    return isinstance(value, types[known["type"]]) and value in known.get("choices", [value])


@pytest.fixture(scope="module")
def known():
    return json.loads(OPTIONS.read_text(encoding="utf-8"))


def test_every_key_is_an_option_of_its_script_with_a_value_that_it_takes(known):
    found = {(script(each).name, *faults(known[script(each).name], written(each))) for each in configs()}
    assert {each for each in found if len(each) > 1} == set()


def test_a_key_that_the_parser_does_not_have_would_be_noticed(known):
    keys = written(dataclasses.replace(next(configs()), extra={"loss_typ": "huber"})) | {"max_token_length": 100}
    assert set(faults(known["sdxl_train_network.py"], keys)) == {"loss_typ", "max_token_length = 100"}
