"""Configs and pictures that were fed to SimpleTuner 4.8 itself; what it made of them lies in golden/simpletuner.

Seen there for every case, with its own loader of configs, backends, samplers and iterator on pictures of these sizes,
on one process: no key unknown, ignored or of a wrong type, every caption read from its file, regularization where it is
asked for, and the steps of whole trainings without their model.
"""

from pathlib import Path

from lorads_core.model import TrainingConfig
from lorads_core.networks import network_names
from lorads_core.trainers import Subset

from .cases import CAPTURED, is_another

GOLDEN = Path(__file__).parent / "golden" / "simpletuner"
PICTURES = {
    "wide": ((1216, 832), (832, 1216), (1024, 1024), (3000, 2000), (1920, 1080), (700, 500), (640, 640)),
    "odd": (
        (513, 767), (1000, 480), (2048, 2048), (1024, 512), (999, 1001), (333, 1000), (1500, 400), (800, 800),
        (801, 799), (1600, 900), (640, 1536),
    ),
    "many": tuple((600 + 37 * n % 900, 500 + 61 * n % 800) for n in range(60)),
}  # fmt: skip
OTHERS = ((1024, 1024), (3000, 2000), (512, 768), (768, 512), (900, 900))

VARIANTS = {
    "shuffled": {"shuffle_caption": True, "keep_tokens": 2},
    "accumulated": {"batch_size": 3, "gradient_accumulation_steps": 4, "epochs": 3, "repeats": 12},
    "one batch each": {"batch_size": 4, "repeats": 1, "epochs": 5},
    "repeated": {"batch_size": 4, "repeats": 7, "regularization_repeats": 5, "epochs": 2},
    "odd resolution": {"resolution": 672, "batch_size": 1},
    "small": {"resolution": 500, "batch_size": 1, "gradient_accumulation_steps": 3, "epochs": 3, "repeats": 4},
    "preserved": {"regularization_method": "preservation"},
    "dropped": {"caption_dropout": 0.1, "caption_variants": True, "shuffle_caption": True},
    "not cached": {"cache_latents": False, "cache_text_encoder_outputs": False, "gradient_checkpointing": False},
    "sampled": {"sample_prompts": ("a cat -- not an option --n x", 'x # it\'s "quoted"'), "sample_every_epochs": 2},
    "optimized": {
        "optimizer": "AdaFactor", "weight_decay": 0.01, "scheduler": "polynomial", "network_dropout": 0.1,
        "save_every_epochs": 2, "epochs": 5,
    },
    "constant": {"optimizer": "Lion", "scheduler": "constant", "warmup": 0.0, "weight_decay": 0.0},
    "constant after warm-up": {"optimizer": "Prodigy", "learning_rate": 1.0, "scheduler": "constant"},
    "linear": {"optimizer": "AdamW", "scheduler": "linear", "mixed_precision": "fp16"},
    "8 bits": {"fp8_base": True, "network": "loha"},
    "velocity": {"v_prediction": True, "min_snr_gamma": 5.0, "noise_offset": 0.05, "seed": 7},
}  # fmt: skip
NOT_FOR = {"flux": ("velocity",)}


def subsets(config, pictures, *, others):
    training = Subset("2_tomcat", config.repeats, is_regularization=False, sizes=PICTURES[pictures], trigger="tomcat")
    if not others:
        return (training,)
    return training, Subset("1_regularization", config.regularization_repeats, is_regularization=True, sizes=OTHERS)


def _config(**changes):
    usual = {"checkpoint": "/models/base.safetensors", "repeats": 2, "epochs": 2, "optimizer": "AdamW"}
    return TrainingConfig(**{**usual, **changes})


def _cases():
    for base in CAPTURED:
        for network in network_names():
            if not is_another(base, network):
                config = _config(base_model=base, network=network)
                yield f"{base} {network}", config, "wide", True
                yield f"{base} {network} alone", config, "odd", False
    for base in ("sd15", "sdxl", "flux"):
        for name, changes in VARIANTS.items():
            if name not in NOT_FOR.get(base, ()):
                config = _config(base_model=base, **changes)
                yield f"{base} {name}", config, "many", True
                yield f"{base} {name} alone", config, "odd", False


CASES = {name: (config, subsets(config, pictures, others=others)) for name, config, pictures, others in _cases()}
