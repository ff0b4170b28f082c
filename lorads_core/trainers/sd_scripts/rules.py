"""What sd-scripts would stop at, ignore or do badly; its config file is read without any check of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...base_models import base_model
from ...buckets import assign_bucket
from ...model import Problem
from ...networks import network
from ...problems import counted
from ...system.files import read_text
from .. import checks, optimizer_args
from ..defaults import is_adaptive
from ..extra import OptionSource
from ..memory import precision_refusals, swap_refusals, swapped
from .counting import bucket_rule, regularization, regularization_repeats, training
from .scripts import FAMILIES, NETWORKS, cache_obstacles, in_8_bits, script, text_rate, undropped, uses_lycoris

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from ...model import TrainingConfig
    from .. import Subset

LABEL = "sd-scripts"
REASONS: Mapping[str, str] = {}
ADAPTERS = checks.NO_ADAPTERS
EDITS = checks.NO_EDITS
# Every script and what they import.
OPTIONS = OptionSource(("*.py", "library/*.py"), r'add_argument\(\s*"--([\w-]+)"')
__all__ = ["FAMILIES", "NETWORKS"]
# library/train_util.py get_scheduler_fix and get_optimizer: what they know by name.
SCHEDULERS = ("constant", "constant_with_warmup", "linear", "cosine", "cosine_with_restarts", "polynomial")
OPTIMIZERS = (
    "AdamW8bit", "AdamW", "AdaFactor", "Prodigy", "Lion", "Lion8bit", "PagedAdamW8bit", "PagedAdamW", "PagedLion8bit",
    "DAdaptAdam", "DAdaptLion", "SGDNesterov", "SGDNesterov8bit",
)  # fmt: skip
PRECISIONS = ("no", "fp16", "bf16")
_PRESERVATION = "Differential output preservation"


def refusals(config: TrainingConfig) -> Iterator[str]:
    """Yield what sd-scripts stops at, or would train nonsense with, in a settled config."""
    yield from _unknown(config)
    yield from _learning(config)
    yield from _caching(config)
    yield from _precision(config)
    yield from _preservation(config)
    step = script(config).step
    if config.bucket_step % step or not 1 <= config.bucket_step <= config.resolution:
        label = base_model(config.base_model).label
        yield f"The bucket step {config.bucket_step} is no multiple of {step}, which {label} needs: use 64."


def _unknown(config: TrainingConfig) -> Iterator[str]:
    choices = (
        ("scheduler", config.scheduler, SCHEDULERS),
        ("optimizer", config.optimizer, OPTIMIZERS),
        ("mixed precision", config.mixed_precision, PRECISIONS),
    )
    for what, value, known in choices:
        yield from checks.unknown(LABEL, what, value, known)


def _learning(config: TrainingConfig) -> Iterator[str]:
    if config.scheduler == "constant" and config.warmup:
        yield "The scheduler constant takes no warm-up: choose constant_with_warmup, or set the warm-up to 0."
    yield from optimizer_args.no_warmup(LABEL, config)
    rate = text_rate(config)
    if is_adaptive(config.optimizer) and rate and rate != config.learning_rate:
        yield (
            f"{config.optimizer} stops at two learning rates: set that of the text encoder to {config.learning_rate:g}"
            " too, or to 0."
        )


def _caching(config: TrainingConfig) -> Iterator[str]:
    if config.cache_latents and (config.color_aug or config.random_crop):
        what = "Colour augmentation" if config.color_aug else "Random cropping"
        yield f"{what} cannot be learned from cached latents: turn it off, or the caching of latents."
    if config.cache_text_encoder_outputs and script(config).caches_text:
        for what in cache_obstacles(config):
            yield (
                f"{what} cannot be learned from cached outputs of the text encoders: leave that caching to us, or turn"
                " it off."
            )
    if config.masked_loss == "sidecar" and config.random_crop:
        yield "Masks in files of their own are cropped about the centre: turn random cropping off."


def _precision(config: TrainingConfig) -> Iterator[str]:
    yield from _memory(config)
    if not in_8_bits(config):
        return
    if config.mixed_precision == "no":
        yield "A base model in 8 bits needs mixed precision: choose bf16, or turn fp8 off."
    if network(config.network).decomposed:
        yield "DoRA cannot be trained on a base model in 8 bits: turn fp8 off, or choose the network lora."


def _memory(config: TrainingConfig) -> Iterator[str]:
    chosen = script(config)
    yield from swap_refusals(LABEL, config, chosen.swaps)
    weights = ("16-bit", "fp8") if chosen.key_8_bits else ("16-bit",)
    encoder = ("16-bit", "fp8") if chosen.encoder_8_bits else ("16-bit",)
    yield from precision_refusals(LABEL, config, weights, encoder)
    if config.activation_offload and chosen.offloads and swapped(config):
        yield f"{LABEL} keeps either blocks or activations in RAM: swap no blocks, or turn the activation offload off."


def _preservation(config: TrainingConfig) -> Iterator[str]:
    if config.regularization_method != "preservation":
        return
    otherwise = "or use regularization images as prior"
    label = base_model(config.base_model).label
    if not script(config).preserves:
        yield f"{LABEL} has no differential output preservation of {label}: use regularization images as prior."
        return
    if config.processes > 1:
        yield f"{_PRESERVATION} stops with several processes: use one, {otherwise}."
    if not script(config).preserves_mixed and config.batch_size > 1:
        yield f"{_PRESERVATION} of {label} stops with batches: set the batch size to 1, {otherwise}."
    if network(config.network).decomposed:
        # lycoris 4.1.3 at multiplier 0: the decomposed weight without the base model's magnitude, not the base model.
        yield f"{_PRESERVATION} with DoRA would preserve DoRA's own output: choose the network lora, {otherwise}."


def doubts(config: TrainingConfig) -> Iterator[str]:
    """Yield what sd-scripts trains, though hardly as it is meant."""
    if not config.checkpoint:
        yield (
            "No checkpoint is chosen, so training_config.toml names none: start the trainer with"
            " --pretrained_model_name_or_path and its file."
        )
    chosen, base = script(config), base_model(config.base_model)
    unnamed = [part for part in base.family.parts if not config.model_files.get(part)]
    if unnamed and not chosen.finds_parts:
        options = " ".join(f"--{chosen.option(part)} FILE" for part in unnamed)
        yield f"{base.label} needs more files than its checkpoint: choose them, or start the trainer with {options}."
    if chosen.converter:
        yield (
            f"ComfyUI does not know the names of all layers in {LABEL}' LoRAs of {base.label}: convert the trained file"
            f" with {LABEL}' {chosen.converter} before you load it."
        )
    if config.regularization_method == "preservation" and text_rate(config):
        yield (
            f"{_PRESERVATION} keeps what the base model makes of the text encoders as they are trained:"
            " set their learning rate to 0."
        )


def needs(config: TrainingConfig) -> Iterator[str]:
    """Yield what must be installed besides sd-scripts."""
    if uses_lycoris(config):
        yield f"{network(config.network).label} needs LyCORIS: pip install lycoris-lora in sd-scripts' own Python."
    if config.optimizer.startswith("DAdapt"):
        yield f"{config.optimizer} needs D-Adaptation: pip install dadaptation in sd-scripts' own Python."


def lacks(config: TrainingConfig) -> dict[str, str]:
    """Return the fields that sd-scripts lacks for this base model and network, and what is done instead."""
    chosen = script(config)
    found = {
        "text_encoder_offload": "text encoders leave graphics memory as a whole once their outputs are cached.",
        "fused_backward": "it is for full fine-tuning alone; a LoRA has few gradients.",
        "ema_decay": "it averages no weights; OneTrainer and ai-toolkit do.",
        **_lacks_of_network(config),
        **checks.of_base_model(config),
    }
    if not checks.is_diffusion(config):
        found["noise_offset"] = "flow matching is trained without one; it is left out."
    if not chosen.caches_text and config.cache_text_encoder_outputs:
        found["cache_text_encoder_outputs"] = "SD 1.5's text encoder is cheap and runs along."
    label = base_model(config.base_model).label
    if not chosen.text_encoders:
        found["text_encoder_learning_rate"] = f"the text encoders of {label} are not trained; it is left out."
    if config.fp8_base and not chosen.key_8_bits:
        found["fp8_base"] = f"{label} is trained in 16 bits; it is left out."
    if not chosen.length_keys:
        found["max_token_length"] = f"captions of {label} have a fixed length; it is left out."
    return found | _stays(config)


def _stays(config: TrainingConfig) -> dict[str, str]:
    """Return what of the base model cannot wait in RAM."""
    chosen, stays = script(config), f"all of {base_model(config.base_model).label} stays in graphics memory."
    found = {} if chosen.swaps else {"blocks_to_swap": stays, "layer_offload": stays}
    return found if chosen.offloads else {**found, "activation_offload": stays}


def _lacks_of_network(config: TrainingConfig) -> dict[str, str]:
    chosen, kind, label = script(config), network(config.network).label, base_model(config.base_model).label
    found = dict.fromkeys(undropped(config), f"LyCORIS has none for {kind} in 8 bits; it is left out.")
    if uses_lycoris(config):
        found["network_dropout"] = f"LyCORIS has none for {kind}; it is left out."
        found["lora_plus_ratio"] = f"not every LyCORIS has it for {kind}; it is left out."
    if uses_lycoris(config):
        found["layer_filter"] = "LyCORIS picks layers by its presets alone (network_args preset)."
    elif not chosen.filters:
        picks = (
            f"picks whole blocks alone (network_args {chosen.picks})" if chosen.picks else "always has the same layers"
        )
        found["layer_filter"] = f"its {kind} of {label} {picks}."
    return found


def missing(config: TrainingConfig, home: Path | None) -> Iterator[str]:
    """Yield what the sd-scripts in ``home`` lacks; before v0.10 it has no Flux and no attributes of subsets."""
    if home is None:
        return
    name = script(config).name
    if not (home / name).is_file():
        yield f"There is no {name} in {home}: update sd-scripts to v0.10 or newer, or fix the folder in lorads.toml."
        return
    reader = home / "library" / "config_util.py"
    if config.regularization_method == "preservation" and not _mentions(reader, "custom_attributes"):
        yield (
            f"The sd-scripts in {home} knows no differential output preservation: update it to v0.10 or newer, or use"
            " regularization images as prior."
        )


def _mentions(file: Path, word: str) -> bool:
    try:
        return word in read_text(file, errors="replace")
    except OSError:
        return False


def notes(config: TrainingConfig, subsets: Sequence[Subset], unsettled: TrainingConfig) -> Iterator[Problem]:  # noqa: ARG001
    """Yield nothing: what sd-scripts does is what others are compared with."""
    yield from ()


# The images


def subset_problems(config: TrainingConfig, subsets: Sequence[Subset]) -> Iterator[Problem]:
    """Yield what is wrong with the images, for a settled config without errors."""
    samples = sum(len(subset.sizes) * subset.repeats for subset in training(subsets))
    if not samples:
        yield Problem("error", "no-images", "There is no training image: widen the query, or fix the captions.")
        return
    others = sum(len(subset.sizes) for subset in regularization(subsets))
    if others and config.masked_loss == "sidecar":
        yield Problem(
            "error",
            "config",
            f"{LABEL} reads no regularization images beside masks in files of their own: put the masks into the"
            " images' alpha channel, or train without regularization images.",
        )
    if not others and config.regularization_method == "preservation":
        yield Problem(
            "warning",
            "nothing-to-preserve",
            f"{_PRESERVATION} has no regularization images to work on: add some, or it changes nothing.",
        )
    surplus = others - len(list(regularization_repeats(subsets)))
    if surplus > 0:
        yield Problem(
            "warning",
            "regularization-surplus",
            f"{counted(surplus, 'regularization image')} will never be used: sd-scripts takes as many samples"
            f" of them as there are training samples ({samples}). Use fewer, or more repeats.",
        )
    rule = bucket_rule(config)
    placed = [assign_bucket(size, rule) for subset in subsets for size in subset.sizes]
    yield from checks.size_problems(LABEL, placed, rule.step)
