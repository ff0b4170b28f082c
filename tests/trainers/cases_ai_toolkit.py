"""Configs and pictures that were fed to ai-toolkit 0.12.26 itself; what it made of them lies in golden/ai_toolkit.

Seen there for every case, with its own reader of configs, its config classes and its dataset class on pictures of these
sizes: each key read, kept as it was written, and used by the code that trains; every caption read from its file,
regularization and masks where they are asked for, and the batches of its data loaders. ``trained`` are the batches of
training and of regularization images that its loop takes in the steps that we ask for, ``saved`` the steps at which it
saves (the choice of batches in ``BaseSDTrainProcess.run``, run with numbers for batches).
"""

from pathlib import Path

from lorads_core.base_models import base_model as row
from lorads_core.model import TrainingConfig
from lorads_core.trainers import Subset, trainer

from .cases import CAPTURED, is_another
from .cases_simpletuner import LORA_ALONE, OTHERS, PICTURES

GOLDEN = Path(__file__).parent / "golden" / "ai_toolkit"
VARIANTS = {
    "accumulated": {"batch_size": 3, "gradient_accumulation_steps": 4, "epochs": 3, "repeats": 12},
    "one batch each": {"batch_size": 4, "repeats": 1, "epochs": 5},
    "repeated": {"batch_size": 4, "repeats": 7, "regularization_repeats": 5, "epochs": 2},
    "odd resolution": {"resolution": 672, "batch_size": 1},
    "small": {"resolution": 500, "batch_size": 1, "gradient_accumulation_steps": 3, "epochs": 3, "repeats": 4},
    "preserved": {"regularization_method": "preservation", "prior_loss_weight": 0.5},
    "mirrored": {"flip_aug": True, "batch_size": 3},
    "dropped": {"caption_dropout": 0.1},
    "not cached": {"cache_latents": False, "cache_text_encoder_outputs": False, "gradient_checkpointing": False},
    "text cached": {"cache_text_encoder_outputs": True},
    "sampled": {"sample_prompts": ("a cat ${HOME} [name]", 'it\'s "quoted"'), "sample_every_epochs": 2},
    "optimized": {
        "optimizer": "AdaFactor", "weight_decay": 0.01, "scheduler": "linear", "network_dropout": 0.1,
        "save_every_epochs": 2, "epochs": 5,
    },
    "constant": {"optimizer": "Lion", "scheduler": "constant", "warmup": 0.0, "weight_decay": 0.0},
    "constant after warm-up": {"optimizer": "Prodigy", "learning_rate": 1.0, "scheduler": "constant_with_warmup"},
    "restarts": {"optimizer": "AdamW8bit", "scheduler": "cosine_with_restarts", "mixed_precision": "fp16"},
    "8 bits": {"fp8_base": True},
    "adapting": {"optimizer": "DAdaptAdam", "learning_rate": 1.0},
    "masked": {"masked_loss": "sidecar"},
    "transparent": {"masked_loss": "alpha"},
    "text trained": {"text_encoder_learning_rate": 1e-4},
    "velocity": {"v_prediction": True, "min_snr_gamma": 5.0, "noise_offset": 0.05, "seed": 7},
}  # fmt: skip
NOT_FOR = {"flux": ("velocity", "text trained")}
# More base models, each of another kind.
LATER = (
    "flux_krea", "flux_schnell", "sd35", "chroma", "anima", "zimage", "zimage_deturbo", "zimage_turbo", "krea2",
    "krea2_turbo", "flux2", "flux2_klein_4b", "flux2_klein_9b", "qwen_image", "qwen_image_2512", "flux_kontext",
    "ernie_image", "ideogram4", "hidream", "hidream_o1", "lumina2",
    "wan21_14b", "wan21_1_3b", "wan22_high", "wan22_low", "wan22_5b", "ltx2", "ltx23",
)  # fmt: skip
LATER_VARIANTS = ("accumulated", "odd resolution", "small", "mirrored", "text cached", "8 bits")
SAMPLED = ("ideogram4", "hidream_o1")  # whose samples need more keys


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
        for network in trainer("ai-toolkit").networks:
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
        for network in ("lora",) if base in LORA_ALONE else ("lora", "lokr"):
            yield f"{base} {network}", _config(base, network=network), "wide", True
        for name in (*LATER_VARIANTS, *(("sampled",) if base in SAMPLED else ())):
            yield f"{base} {name} alone", _config(base, **VARIANTS[name]), "odd", False


CASES = {name: (config, subsets(config, pictures, others=others)) for name, config, pictures, others in _cases()}
