"""Golden files: what OneTrainer's own code (23df383, mgds 3a6994a) held, counted and named.

``accepted.json``: every key of the configs that its ``TrainConfig.default_values().from_dict`` held unchanged, with its
types, and the words of its enumerations; nothing was printed. ``numbers.json``: buckets and batches of its own data
loader over real pictures, updates and saves of its own clock of actions. The others: configs that were fed to it.
"""

import dataclasses
import itertools
import json
from pathlib import Path, PurePosixPath

import pytest

from lorads_core.base_models import base_model
from lorads_core.captions.profiles import profile
from lorads_core.model import TrainingConfig
from lorads_core.networks import network_names
from lorads_core.trainers import Subset, trainer
from lorads_core.trainers.onetrainer.names import kind

from . import accepted
from .cases import CAPTURED, is_another
from .cases_expert import EXPERT
from .cases_memory import MEMORY

# Base models of families that came later, with which fewer variants are enough: the rest does not ask for the family.
LATER = (
    "flux2_klein_9b", "zimage", "krea2", "qwen_image", "chroma", "anima", "ernie_image", "ideogram4", "hidream",
    "hunyuan_video",
)  # fmt: skip
LATER_VARIANTS = ("plain", "full")
OF_EXPERTS = ("sd15", "sdxl", "flux", "zimage")
REFUSED = ("smooth",)  # a loss that it has not
ONETRAINER = trainer("onetrainer")
GOLDEN = Path(__file__).parent / "golden" / "onetrainer"
ACCEPTED = json.loads((GOLDEN / "accepted.json").read_text(encoding="utf-8"))
NUMBERS = json.loads((GOLDEN / "numbers.json").read_text(encoding="utf-8"))
CONFIG = TrainingConfig(checkpoint="/models/base.safetensors")
EVERYTHING = {
    "text_encoder_learning_rate": 5e-5,
    "shuffle_caption": True,
    "keep_tokens": 2,
    "caption_dropout": 0.1,
    "caption_variants": True,
    "flip_aug": True,
    "color_aug": True,
    "random_crop": True,
    "masked_loss": "sidecar",
    "min_snr_gamma": 5.0,
    "noise_offset": 0.05,
    "weight_decay": 0.02,
    "network_dropout": 0.1,
    "sample_prompts": ('a cat, "quoted"', "é"),
    "gradient_accumulation_steps": 3,
    "batch_size": 4,
    "epochs": 7,
    "regularization_method": "preservation",
    "prior_loss_weight": 0.5,
    "save_every_epochs": 2,
    "gradient_checkpointing": False,
    "scheduler": "cosine_with_restarts",
}
VARIANTS = {
    "plain": {},
    "full": EVERYTHING,
    "nocache": {
        "cache_latents": False,
        "batch_size": 3,
        "fp8_base": True,
        "mixed_precision": "fp16",
        "optimizer": "Prodigy",
        "learning_rate": 1.0,
        "scheduler": "constant",
        "warmup": 0.0,
    },
    "multi": {
        "processes": 2,
        "batch_size": 2,
        "optimizer": "AdaFactor",
        "scheduler": "linear",
        "mixed_precision": "no",
        "fp8_base": False,
    },
    "continued": {"initial_lora": "/loras/cat_500_steps_00001_.safetensors"},
    "velocity": {"v_prediction": True, "optimizer": "PagedAdamW8bit"},
    **EXPERT,
}
SUBSETS = (
    Subset("10_cat", 10, is_regularization=False, sizes=((1216, 832), (832, 1216), (1024, 1024))),
    Subset("1_regularization", 1, is_regularization=True, sizes=((1024, 1024), (3000, 2000))),
)


def subsets_of(data):
    return [
        Subset(folder, repeats, is_regularization, tuple(map(tuple, sizes)))
        for folder, repeats, is_regularization, sizes in NUMBERS["datasets"][data]
    ]


def config_of(base_model, network, variant):
    config = dataclasses.replace(CONFIG, base_model=base_model, network=network, **VARIANTS[variant])
    if profile(base_model).structured:  # shuffling is refused
        config = dataclasses.replace(config, shuffle_caption=False)
    # A single file, or a folder where it reads none.
    return config if kind(config).file else dataclasses.replace(config, checkpoint="/models/base")


def combinations():
    for base, network, variant in itertools.product((*CAPTURED, *LATER), network_names(), VARIANTS):
        if is_another(base, network) or (variant == "velocity" and not base_model(base).family.is_diffusion):
            continue  # both are refused
        if variant in EXPERT:
            if base in OF_EXPERTS and network in ("lora", "lokr") and variant not in REFUSED:
                yield base, network, variant
        elif base in CAPTURED or variant in LATER_VARIANTS:
            yield base, network, variant


def memory_configs():
    """Yield a config for each option of memory and speed that a base model is not refused with."""
    for base, variant in itertools.product((*CAPTURED, *LATER), MEMORY):
        config = dataclasses.replace(CONFIG, base_model=base, **variant)
        if not any(each.severity == "error" for each in ONETRAINER.problems(config, SUBSETS)):
            yield config


def written(config, home=None):
    files = ONETRAINER.files(
        config, SUBSETS, PurePosixPath("/exports/cat"), PurePosixPath("/exports/cat-lora"), "cat", home
    )
    (text,) = files.values()
    return json.loads(text)


def faults(keys):
    return accepted.faults(keys, ACCEPTED, aside="__version")


@pytest.mark.parametrize(("base_model", "network", "variant"), list(combinations()))
def test_every_key_is_one_that_it_has_in_its_type_and_words(base_model, network, variant):
    config = config_of(base_model, network, variant)
    assert [p for p in ONETRAINER.problems(config, SUBSETS) if p.severity == "error"] == []
    assert list(faults(written(config))) == []


def test_every_key_of_memory_and_speed_is_one_that_it_has():
    configs = list(memory_configs())
    assert {fault for config in configs for fault in faults(written(config))} == set()
    keys = {key for config in configs for key in written(config).get("transformer", {})}
    assert {"offload_fraction", "activation_offloading"} <= keys


def test_a_key_that_it_has_not_would_be_noticed():
    assert list(faults({"learning_rat": 1.0, "epochs": "7", "optimizer": {"optimizer": "ADAMW8BIT"}})) == [
        "learning_rat",
        "epochs",
        "optimizer.optimizer = ADAMW8BIT",
    ]


@pytest.mark.parametrize("case", NUMBERS["cases"], ids=lambda case: case["id"])
def test_buckets_batches_and_saves_are_its_own(case):
    base_model, network, variant, data = case["id"].split("/")
    config = config_of(base_model, network, variant)
    found = ONETRAINER.schedule(config, subsets_of(data))
    assert found.total_steps == case["updates"]
    assert found.steps_per_epoch == case["batches"] // config.gradient_accumulation_steps
    if case["buckets"] is not None:
        assert [[list(size), count] for size, count in found.buckets] == case["buckets"]
    names = ONETRAINER.checkpoints(config, found, "cat")
    assert list(names) == [*(f"save/{name}" for name in case["saves"]), "cat.safetensors"]


CONFIGS = {
    "sdxl-lora": ("sdxl", "lora", "plain"),
    "sd15-locon-everything": ("sd15", "locon", "full"),
    "pony-loha": ("pony", "loha", "nocache"),
    "illustrious-dora-velocity": ("illustrious", "dora", "velocity"),
    "flux-lora-everything": ("flux", "lora", "full"),
    "flux-dora-two-processes": ("flux", "dora", "multi"),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_the_configs_are_those_that_were_fed_to_it(name):
    assert written(config_of(*CONFIGS[name])) == json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
