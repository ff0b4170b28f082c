"""The config files and commands of musubi-tuner, with its own option names (0.3.4)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import tomli_w

from ...captions.profiles import profile
from ...errors import TrainerError
from ...networks import network
from .. import CACHE, LOGS, Stage, checks
from ..extra import merged
from ..memory import swapped
from ..network_options import dropouts, layer_patterns
from ..optimizer_args import python_args
from .scripts import (
    FULL_RANK,
    LABEL,
    NETWORKS,
    OPTIMIZERS,
    has_full_rank,
    in_8_bits,
    model_files,
    option,
    script,
    version,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ...model import TrainingConfig
    from .. import Subset

    Keys = Iterator[tuple[str, object]]

TRAINING_FILE = "training_config.toml"
DATASET_FILE = "dataset_config.toml"
PROMPTS_FILE = "sample_prompts.json"
_SAMPLE_STEPS = 28
_WORKERS = 2  # its pages in docs have it
_COMPILED = 32
"""How many forms of a block are compiled at most, one for each size of buckets; docs/torch_compile.md advises it."""
# It looks for what it has cached by a pattern that begins with the folder (``prepare_for_training``).
_PATTERN = "*?["


def files(config: TrainingConfig, subsets: Sequence[Subset], folder: Path, output: Path, name: str) -> dict[str, str]:
    """Return the config files of a settled config by name; see `Trainer.files`.

    Raises:
        TrainerError: musubi-tuner would find nothing in a folder of this name.
    """
    if any(letter in str(folder) for letter in _PATTERN):
        raise TrainerError(
            f"{LABEL} takes {folder} for a pattern, and would find no image that it has cached: choose a folder of"
            " exports without any of * ? [ in its path."
        )
    texts = {
        TRAINING_FILE: tomli_w.dumps(merged(dict(_training_keys(config, folder, output, name)), config.extra)),
        DATASET_FILE: _dataset(config, subsets, folder),
    }
    if config.sample_prompts:
        texts[PROMPTS_FILE] = _prompts(config)
    return texts


def options(config: TrainingConfig, _subsets: Sequence[Subset]) -> dict[str, object]:
    """Return what ``training_config.toml`` holds besides extra options."""
    return dict(_training_keys(config, Path(), Path(), ""))


def stages(config: TrainingConfig, folder: Path, accelerate: Sequence[str]) -> tuple[Stage, ...]:
    """Return the three programs of a training; see `Trainer.stages`.

    The scripts that cache read no config file. They encode one image, one caption at a time, as a batch of the
    training may be larger than the memory for that.
    """
    chosen, known = script(config), version(config)
    name, architecture = (known.name, known.architecture) if known else ("", "")
    usual = ("--dataset_config", str(folder / DATASET_FILE), "--batch_size", "1")
    version_of = ("--model_version", name) if name else ()
    go_on = ("--skip_existing",)
    of_latents, of_texts = chosen.caches
    encoders = _files(config, (option(config, part) for part in chosen.encoders))
    held = tuple(f"--{key}" for key in _encoder_keys(config))
    latents = (of_latents, *usual, *go_on, *version_of, *_files(config, ("vae",)))
    texts = (of_texts, *usual, *(() if chosen.in_turns else go_on), *version_of, *encoders, *held)
    training = (chosen.training, "--config_file", str(folder / TRAINING_FILE))
    return (
        Stage("cache latents", latents, f"_{architecture}.safetensors"),
        Stage("cache text encoder outputs", texts, f"_{architecture}_te.safetensors"),
        Stage("train", tuple(checks.accelerated(config, training, accelerate))),
    )


def _encoder_keys(config: TrainingConfig) -> tuple[str, ...]:
    known = version(config)
    return (known.encoder_8_bits,) if known and config.text_encoder_precision == "fp8" else ()


def _files(config: TrainingConfig, options: Iterable[str]) -> Iterator[str]:
    """Yield the words that name files of a base model, by their options."""
    chosen = model_files(config)
    for each in options:
        if each in chosen:
            yield from (f"--{each}", chosen[each])


def _training_keys(config: TrainingConfig, folder: Path, output: Path, name: str) -> Keys:
    """Yield the keys of ``training_config.toml``: each is an option of the script, spelled as in its ``--help``."""
    yield from _model_keys(config)
    yield "dataset_config", str(folder / DATASET_FILE)
    yield "output_dir", str(output)
    yield "output_name", name
    yield "save_precision", "bf16"
    yield "save_every_n_epochs", config.save_every_epochs
    if config.save_state:
        yield "save_state", True
        yield "save_last_n_epochs_state", 1  # the former is removed when the new one is whole
    yield "max_train_epochs", config.epochs
    yield "gradient_accumulation_steps", config.gradient_accumulation_steps
    yield from _network_keys(config)
    yield from _learning_keys(config)
    yield "mixed_precision", config.mixed_precision
    yield "gradient_checkpointing", config.gradient_checkpointing
    if config.activation_offload:
        yield "gradient_checkpointing_cpu_offload", True
    if blocks := swapped(config):
        yield "blocks_to_swap", blocks
    yield "sdpa", True
    if config.compile:
        yield "compile", True
        yield "compile_cache_size_limit", _COMPILED
    workers = _WORKERS if config.loader_workers is None else config.loader_workers
    yield "max_data_loader_n_workers", workers
    yield "persistent_data_loader_workers", workers > 0
    if config.sample_prompts:
        yield "sample_prompts", str(folder / PROMPTS_FILE)
        yield "sample_every_n_epochs", config.sample_every_epochs
    yield "seed", config.seed
    if config.tensorboard:
        yield "log_with", "tensorboard"
        yield "logging_dir", str(output / LOGS)


def _model_keys(config: TrainingConfig) -> Keys:
    if config.checkpoint:
        yield "dit", config.checkpoint
    yield from model_files(config).items()
    known = version(config)
    if known and known.name:
        yield "model_version", known.name
    if in_8_bits(config):  # norms in 8 bits would break most models, so that both belong together
        yield "fp8_base", True
        if script(config).scales:
            yield "fp8_scaled", True
    for key in _encoder_keys(config):  # for samples: captions are cached before
        yield key, True


def _network_keys(config: TrainingConfig) -> Keys:
    if config.initial_lora:
        yield "network_weights", config.initial_lora
    yield "network_module", NETWORKS[config.network] or script(config).lora
    yield "network_dim", FULL_RANK if has_full_rank(config) else config.network_dim
    yield "network_alpha", float(config.network_alpha)
    if config.network_dropout and not NETWORKS[config.network]:
        yield "network_dropout", float(config.network_dropout)
    if args := list(_network_args(config)):
        yield "network_args", args


def _network_args(config: TrainingConfig) -> Iterator[str]:
    if network(config.network).kronecker:
        yield f"factor={config.lokr_factor or -1}"
    yield from (f"{name}={share:g}" for name, share in dropouts(config).items())
    if config.lora_plus_ratio and not NETWORKS[config.network]:
        yield f"loraplus_lr_ratio={config.lora_plus_ratio:g}"
    yield from layer_patterns(config)


def _learning_keys(config: TrainingConfig) -> Keys:
    optimizer = OPTIMIZERS[config.optimizer]
    yield "optimizer_type", optimizer.name
    decay = () if config.weight_decay is None else (f"weight_decay={config.weight_decay:g}",)
    own = (each for each in optimizer.args if each.partition("=")[0] not in config.optimizer_args)
    if args := (*own, *decay, *python_args(config.optimizer_args)):
        yield "optimizer_args", list(args)
    yield "learning_rate", float(config.learning_rate)
    yield "max_grad_norm", 1.0
    yield "lr_scheduler", config.scheduler
    if config.warmup:
        yield "lr_warmup_steps", float(config.warmup)  # below 1: a share of all steps
    yield from _timestep_keys(config)
    yield "weighting_scheme", "none"


def _timestep_keys(config: TrainingConfig) -> Keys:
    known = version(config)
    own = dict(known.keys) if known else {}
    if config.timestep_sampling == "default":
        yield from {**script(config).keys, **own}.items()
        return
    yield "timestep_sampling", config.timestep_sampling
    if config.timestep_sampling == "shift":
        yield "discrete_flow_shift", float(config.timestep_shift)
    yield from ((name, value) for name, value in own.items() if name not in script(config).keys)


def _dataset(config: TrainingConfig, subsets: Sequence[Subset], folder: Path) -> str:
    """Return ``dataset_config.toml``: a dataset for each subset, each with a folder of its own for what is cached."""
    tables: list[tuple[str, dict[str, object]]] = [("[general]", dict(_general_keys(config)))]
    for subset in subsets:
        if subset.sizes:
            keys: dict[str, object] = {
                "image_directory": str(folder / subset.folder),
                "cache_directory": str(folder / CACHE / subset.folder),
                "num_repeats": subset.repeats,
            }
            tables.append(("[[datasets]]", keys))
    return "\n".join(f"{heading}\n{tomli_w.dumps(table)}" for heading, table in tables)


def _general_keys(config: TrainingConfig) -> Keys:
    yield "resolution", config.resolution
    yield "batch_size", config.batch_size
    yield "enable_bucket", True
    yield "bucket_no_upscale", config.bucket_no_upscale
    yield "caption_extension", ".txt"


_GUIDANCE = ("cfg_scale", "guidance_scale")


def _prompts(config: TrainingConfig) -> str:
    """Return the prompts as JSON: in a text file, what follows two hyphens would be an option."""
    known = version(config)
    usual: dict[str, object] = {
        "width": config.resolution,
        "height": config.resolution,
        "seed": config.seed,
        "sample_steps": _SAMPLE_STEPS,
        # Without a negative prompt, some of its models are drawn with no guidance at all.
        "negative_prompt": profile(config.base_model).negative,
        **script(config).sampling,
        **(known.sampling if known else {}),
    }
    if config.sample_steps:
        usual["sample_steps"] = config.sample_steps
    if config.sample_guidance:
        usual |= {name: float(config.sample_guidance) for name in usual if name in _GUIDANCE}  # it has one kind
    return json.dumps([{"prompt": prompt, **usual} for prompt in config.sample_prompts], ensure_ascii=False, indent=1)
