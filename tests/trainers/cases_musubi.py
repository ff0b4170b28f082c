"""Configs and pictures that were fed to musubi-tuner 0.3.4 itself; what it made of them lies in golden/musubi.

Seen there for every case, with its own scripts that cache (only the models in them are stand-ins), argument parsers,
blueprint generator, datasets, optimizers and schedulers on pictures of these sizes: no key ignored or changed, every
picture in the bucket and every caption as it was written, and a file for each where the training looks for it.
"""

import itertools
from pathlib import Path

from lorads_core.base_models import BASE_MODELS, base_model, model_parts
from lorads_core.model import TrainingConfig
from lorads_core.networks import network_names
from lorads_core.trainers import trainer
from lorads_core.trainers.checks import is_trained
from lorads_core.trainers.musubi.scripts import OPTIMIZERS, SCHEDULERS

from .cases import OTHERS, PICTURES, subsets
from .cases_expert import EXPERT
from .cases_memory import MEMORY

__all__ = ["OTHERS", "PICTURES"]
GOLDEN = Path(__file__).parent / "golden" / "musubi"
MUSUBI = trainer("musubi-tuner")
TRAINED = tuple(base.name for base in BASE_MODELS if is_trained(base, MUSUBI.families, MUSUBI.adapters, MUSUBI.edits))
# The first of each family, and all whose versions are cached apart.
FAMILIES = (
    "zimage", "krea2", "flux2_klein_4b", "flux2_klein_9b", "flux2", "qwen_image", "wan21_14b", "wan21_1_3b",
    "wan22_high", "wan22_low", "hunyuan_video", "qwen_image_edit_2511", "ideogram4", "hidream_o1",
)  # fmt: skip
VARIANTS = {
    "accumulated": {
        "batch_size": 3, "gradient_accumulation_steps": 4, "epochs": 3, "repeats": 3, "regularization_repeats": 4,
    },
    "not enlarged": {"bucket_no_upscale": True, "batch_size": 4},
    "odd resolution": {"resolution": 800, "bucket_step": 16},
    "small": {"resolution": 500, "batch_size": 1, "repeats": 1, "epochs": 5, "save_every_epochs": 2},
    "three processes": {"processes": 3, "gradient_accumulation_steps": 2, "save_every_epochs": 2, "epochs": 5},
    "sampled": {"sample_prompts": ("a cat -- not an option --n x", "x # it's"), "sample_every_epochs": 2},
}  # fmt: skip
OPTIONS = {
    "dropout": {"network_dropout": 0.1, "weight_decay": 0.01},
    "factor": {"network": "lokr", "lokr_factor": 4},
    "full rank": {"network": "lokr", "lokr_full_rank": True},
    "initial": {"initial_lora": "/loras/cat.safetensors"},
    "8 bits": {"fp8_base": True, "blocks_to_swap": 8},
    "16 bits": {"fp8_base": False, "gradient_checkpointing": False, "save_state": False},
    **{name: {"optimizer": name, "learning_rate": 1.0} for name in OPTIMIZERS},
    **{name: {"scheduler": name, "warmup": 0.0 if name == "constant" else 0.05} for name in SCHEDULERS},
    "fp16": {"mixed_precision": "fp16"},
    "32 bits": {"mixed_precision": "no"},
    **{f"memory {number}": changes for number, changes in enumerate(MEMORY)},
}


def config_of(base, **changes):
    parts = base_model(base).family.parts
    files = {file.part: f"/models/{file.part}.safetensors" for file in model_parts() if file.part in parts}
    usual = {"checkpoint": "/models/base.safetensors", "model_files": files, "repeats": 2, "epochs": 2}
    return TrainingConfig(base_model=base, **{**usual, **changes})


def is_refused(config):
    return any(problem.severity == "error" for problem in MUSUBI.problems(config, subsets(config, "wide", others=True)))


def configs():
    """Yield every config of which the keys are looked at: all base models, networks and options."""
    for base in TRAINED:
        networks = ({"network": name} for name in network_names())
        for changes in ({}, *networks, *VARIANTS.values(), *OPTIONS.values()):
            if not is_refused(config := config_of(base, **changes)):
                yield config
    for base, network, changes in itertools.product(FAMILIES, MUSUBI.networks, EXPERT.values()):
        if not is_refused(config := config_of(base, **{"network": network, **changes})):
            yield config


def _cases():
    for base in FAMILIES:
        config = config_of(base)
        yield f"{base} usual", config, "wide", True
        yield f"{base} usual alone", config, "odd", False
    for base in ("ideogram4", "hidream_o1"):
        yield f"{base} sampled alone", config_of(base, **VARIANTS["sampled"]), "odd", False
        yield f"{base} not enlarged alone", config_of(base, **VARIANTS["not enlarged"]), "odd", False
    for name, changes in VARIANTS.items():
        yield f"zimage {name}", config_of("zimage", **changes), "many", True
        yield f"zimage {name} alone", config_of("zimage", **changes), "odd", False


CASES = {name: (config, subsets(config, pictures, others=others)) for name, config, pictures, others in _cases()}
