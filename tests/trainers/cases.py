"""Configs and pictures that were fed to sd-scripts v0.10.1 itself; what it made of them lies in golden/sd_scripts.

Seen there for every case, with its own argument parser, blueprint generator and dataset classes on pictures of these
sizes: no key ignored or of a wrong type, no assertion, every caption and is_reg as written, the head of a shuffled
caption in front; and with lycoris-lora 4.1.3 and models of the real layout, a network of the right layers.
"""

from pathlib import Path

from lorads_core.base_models import BASE_MODELS, base_model, model_parts
from lorads_core.model import TrainingConfig
from lorads_core.networks import network, network_names
from lorads_core.trainers import Subset

GOLDEN = Path(__file__).parent / "golden" / "sd_scripts"
# The base models that the numbers were captured with; another one of their families is trained as they are.
CAPTURED = ("sdxl", "illustrious", "pony", "sd15", "flux")
# More families, by whose first base model each is captured, and the smallest step of buckets that the script takes.
LATER = {"sd35": 32, "chroma": 64, "anima": 16, "lumina2": 64, "hunyuan_image": 64}
PICTURES = {
    "wide": ((1216, 832), (832, 1216), (1024, 1024), (3000, 2000), (1920, 1080), (700, 500), (640, 640)),
    "odd": (
        (513, 767), (1000, 480), (2048, 2048), (1024, 512), (999, 1001), (333, 1000), (1500, 400), (800, 800),
        (801, 799), (1600, 900), (640, 1536),
    ),
    "many": tuple((600 + 37 * n % 900, 500 + 61 * n % 800) for n in range(60)),
}  # fmt: skip
OTHERS = ((1024, 1024), (3000, 2000), (512, 768), (768, 512), (900, 900))
FILES = {
    "checkpoint": "/models/base.safetensors",
    "model_files": {file.part: f"/models/{file.part}.safetensors" for file in model_parts()},
}

VARIANTS = {
    "text encoder": {"text_encoder_learning_rate": 5e-5},
    "shuffled": {"shuffle_caption": True, "keep_tokens": 2},
    "accumulated": {
        "batch_size": 3, "gradient_accumulation_steps": 4, "epochs": 3, "repeats": 3, "regularization_repeats": 4,
    },
    "not enlarged": {"bucket_no_upscale": True, "batch_size": 4},
    "odd resolution": {"bucket_step": 128, "resolution": 800, "max_bucket_side": 1500},
    "alpha": {"masked_loss": "alpha"},
    "preserved": {"regularization_method": "preservation", "batch_size": 1},
    "dropped": {"caption_dropout": 0.1, "caption_variants": True, "shuffle_caption": True},
    "augmented": {"color_aug": True, "random_crop": True, "cache_latents": False, "flip_aug": True},
    "three processes": {"processes": 3, "gradient_accumulation_steps": 2, "save_every_epochs": 2, "epochs": 5},
    "sampled": {"sample_prompts": ("a cat -- not an option --n x", "x # it's"), "sample_every_epochs": 2},
    "optimized": {
        "optimizer": "AdaFactor", "weight_decay": 0.01, "scheduler": "cosine_with_restarts", "network_dropout": 0.1,
    },
    "8 bits": {"fp8_base": True},
    "tags dropped": {"tag_dropout": 0.2},
    "velocity": {"v_prediction": True, "min_snr_gamma": 5.0, "noise_offset": 0.05, "max_token_length": 75},
}  # fmt: skip
NOT_FOR = {"flux": ("velocity",)}
LATER_VARIANTS = {
    "text encoder": {"text_encoder_learning_rate": 5e-5},
    "accumulated": VARIANTS["accumulated"],
    "dropped": {"caption_dropout": 0.1},
    "sampled": VARIANTS["sampled"],
    "16 bits": {"fp8_base": False},
}


def subsets(config, pictures, *, others):
    training = Subset("2_tomcat", config.repeats, is_regularization=False, sizes=PICTURES[pictures], trigger="tomcat")
    if not others:
        return (training,)
    return training, Subset("1_regularization", config.regularization_repeats, is_regularization=True, sizes=OTHERS)


def first_of(family):
    """Return the name of a family's first base model."""
    return next(base.name for base in BASE_MODELS if base.family.name == family)


def is_another(base, name):
    """Say whether a network is the same as another one on this base model, and refused."""
    return bool(network(name).without) and not base_model(base).family.convolutions


def _config(**changes):
    return TrainingConfig(**{**FILES, "repeats": 2, "epochs": 2, **changes})


def _cases():
    for base in CAPTURED:
        for name in network_names():
            if not is_another(base, name):
                config = _config(base_model=base, network=name)
                yield f"{base} {name}", config, "wide", True
                yield f"{base} {name} alone", config, "odd", False
    for base in ("sd15", "sdxl", "flux"):
        for name, changes in VARIANTS.items():
            if name not in NOT_FOR.get(base, ()):
                config = _config(base_model=base, **changes)
                yield f"{base} {name}", config, "many", True
                yield f"{base} {name} alone", config, "odd", False
        yield f"{base} masks", _config(base_model=base, masked_loss="sidecar"), "odd", False
    yield from _later_cases()
    yield "sdxl velocity scaled", _config(v_prediction=True), "many", True
    yield "sdxl loha preserved", _config(network="loha", regularization_method="preservation"), "wide", True
    yield "flux loha 8 bits", _config(base_model="flux", network="loha", text_encoder_learning_rate=1e-5), "wide", True


def _later_cases():
    for family, step in LATER.items():
        base = first_of(family)
        for name in network_names():
            if not is_another(base, name):
                yield f"{family} {name}", _config(base_model=base, network=name), "wide", True
        for name, changes in LATER_VARIANTS.items():
            yield f"{family} {name}", _config(base_model=base, **changes), "many", True
        smallest = {"bucket_step": step, "resolution": 768, "bucket_no_upscale": True}
        yield f"{family} smallest step alone", _config(base_model=base, **smallest), "odd", False


def counted_as(name):
    """Return the case whose numbers count: buckets and steps do not depend on the network."""
    base, _, network = name.removesuffix(" alone").partition(" ")
    counted = f"{base} lora" if network in network_names() else name
    return f"{counted} alone" if name.endswith(" alone") and not counted.endswith(" alone") else counted


CASES = {name: (config, subsets(config, pictures, others=others)) for name, config, pictures, others in _cases()}
