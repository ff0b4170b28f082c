"""Configs and pictures that were fed to SimpleTuner 4.8 itself; what it made of them lies in golden/simpletuner.

Seen there for every case, with its own loader of configs, backends, samplers and iterator on pictures of these sizes,
on one process: no key unknown, ignored or of a wrong type, every caption read from its file, regularization where it is
asked for, and the steps of whole trainings without their model.
"""

from pathlib import Path

from lorads_core.base_models import base_model as row
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
# More base models, each of another kind.
LATER = (
    "flux_krea", "flux_schnell", "anima", "sd35", "chroma", "zimage", "zimage_deturbo", "zimage_turbo", "krea2",
    "flux2", "flux2_klein_4b", "flux2_klein_9b", "qwen_image", "qwen_image_2512", "ernie_image",
    "ideogram4", "hidream", "auraflow", "pony7", "lumina2",
    "wan21_14b", "wan21_1_3b", "ltx2", "ltx23",
)  # fmt: skip
LORA_ALONE = ("lumina2",)
LATER_VARIANTS = ("accumulated", "one batch each", "odd resolution", "small", "not cached", "8 bits")


def subsets(config, pictures, *, others):
    training = Subset("2_tomcat", config.repeats, is_regularization=False, sizes=PICTURES[pictures], trigger="tomcat")
    if not others:
        return (training,)
    return training, Subset("1_regularization", config.regularization_repeats, is_regularization=True, sizes=OTHERS)


def _config(base_model, **changes):
    checkpoint = row(base_model).usual_checkpoint or "/models/base.safetensors"
    usual = {"checkpoint": checkpoint, "repeats": 2, "epochs": 2, "optimizer": "AdamW"}
    return TrainingConfig(base_model=base_model, **{**usual, **changes})


def _cases():
    for base in CAPTURED:
        for network in network_names():
            if not is_another(base, network):
                config = _config(base, network=network)
                yield f"{base} {network}", config, "wide", True
                yield f"{base} {network} alone", config, "odd", False
    for base in ("sd15", "sdxl", "flux"):
        for name, changes in VARIANTS.items():
            if name not in NOT_FOR.get(base, ()):
                config = _config(base, **changes)
                yield f"{base} {name}", config, "many", True
                yield f"{base} {name} alone", config, "odd", False
    yield from _later_cases()


def _later_cases():
    for base in LATER:
        networks = ("lora",) if base in LORA_ALONE else ("lora", "loha", "lokr", "dora")
        for network in networks:
            yield f"{base} {network}", _config(base, network=network), "wide", True
        for name in LATER_VARIANTS:
            if VARIANTS[name].get("network", "lora") in networks:
                yield f"{base} {name} alone", _config(base, **VARIANTS[name]), "odd", False


CASES = {name: (config, subsets(config, pictures, others=others)) for name, config, pictures, others in _cases()}
