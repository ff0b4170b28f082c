"""What every trainer asks of a training config before its own rules: figures, words, sizes; it knows no trainer."""

from __future__ import annotations

import os
import re
from dataclasses import fields, replace
from functools import lru_cache
from pathlib import PurePath
from typing import TYPE_CHECKING, Protocol, get_args

from ..base_models import GATED, base_model, base_model_names
from ..captions.profiles import profile
from ..captions.structured import structured
from ..errors import TrainerError
from ..model import MaskedLoss, Problem, RegularizationMethod, TrainingConfig
from ..networks import network, network_names
from ..problems import counted, did_you_mean
from ..training_fields import ANY, LOSSES, TIMESTEPS, TRAINING_FIELDS, WEIGHT_PRECISIONS, training_field
from . import Stage, extra, network_options, optimizer_args, trainers
from .checkpoint_checks import checkpoint_problems
from .defaults import counts, is_adaptive
from .memory import USUAL

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from ..base_models import BaseModel
    from ..buckets import Placement
    from ..training_fields import TrainingField
    from . import Subset
    from .extra import OptionSource

    Written = Callable[[TrainingConfig, Sequence[Subset]], Mapping[str, object]]

UPSCALED_TOO_MUCH = 2.0
CROPPED_TOO_MUCH = 0.1
"""From this scale, and from this share of an image, on a warning is due."""

HIGHEST_HADAMARD_DIM = 32
"""LoHa's rank is up to the square of its dim; LyCORIS advises 32 at most (docs/Network-Args.md)."""

HIGHEST_RATE, LOWEST_RATE = 1e-3, 1e-6
"""Learning rates beyond which an optimizer that does not find its own ruins a LoRA, or learns nothing."""
HIGHEST_SELF_TAUGHT_RATE = 10.0
_SELF_TAUGHT_RATE = 0.1
_DEFAULT = TrainingConfig()
_ANYWAY = ("it always", "it does so anyway")
_NUMBERS = ("whole", "number")
_SECOND_LAST = 2
# Others that count with another option alone are refused, or said in sentences of their own (`doubts`).
_NEED_ANOTHER = ("huber_delta", "timestep_shift", "sample_steps", "sample_guidance")


DISTINCT: Mapping[str, str] = {}
"""A trainer's `Trainer.same` where it trains no two networks alike."""
NO_ADAPTERS: frozenset[str] = frozenset()
"""A trainer's `Trainer.adapters` where it takes no training adapter."""
NEEDS_CONTROL = "it needs a control image with each image"
"""A row of a trainer's ``REASONS`` for an edit model."""
NO_EDITS: frozenset[str] = frozenset()
"""A trainer's `Trainer.edits` where it trains no edit model on single images."""


class Rules(Protocol):
    """The module ``rules`` of a trainer: what it trains, and what it would stop at, ignore or do badly.

    ``FAMILIES`` and ``NETWORKS`` are closed: what is not in them is refused, with the reason in ``REASONS`` if any, by
    family or `BaseModel.kind`. Distilled models are trained of the families in ``ADAPTERS`` only, edit models of those
    in ``EDITS``. All functions take a settled config, `notes` also the one before.
    """

    @property
    def LABEL(self) -> str: ...  # noqa: N802, D102 - a constant of the module

    @property
    def FAMILIES(self) -> Mapping[str, object]: ...  # noqa: N802, D102

    @property
    def ADAPTERS(self) -> Collection[str]: ...  # noqa: N802, D102

    @property
    def EDITS(self) -> Collection[str]: ...  # noqa: N802, D102

    @property
    def NETWORKS(self) -> Mapping[str, object]: ...  # noqa: N802, D102

    @property
    def REASONS(self) -> Mapping[str, str]: ...  # noqa: N802, D102

    def refusals(self, config: TrainingConfig, /) -> Iterator[str]: ...  # noqa: D102

    def missing(self, config: TrainingConfig, home: Path | None, /) -> Iterator[str]: ...  # noqa: D102

    def doubts(self, config: TrainingConfig, /) -> Iterator[str]: ...  # noqa: D102

    def lacks(self, config: TrainingConfig, /) -> Mapping[str, str]: ...  # noqa: D102

    def needs(self, config: TrainingConfig, /) -> Iterator[str]: ...  # noqa: D102

    def notes(  # noqa: D102
        self, config: TrainingConfig, subsets: Sequence[Subset], unsettled: TrainingConfig, /
    ) -> Iterator[Problem]: ...

    @property
    def OPTIONS(self) -> OptionSource: ...  # noqa: N802, D102

    def subset_problems(self, config: TrainingConfig, subsets: Sequence[Subset], /) -> Iterator[Problem]: ...  # noqa: D102


def problems(
    rules: Rules, written: Written, config: TrainingConfig, subsets: Sequence[Subset], home: Path | None = None
) -> list[Problem]:
    """Return all that a trainer would refuse, ignore or do badly; see `Trainer.problems`.

    ``written`` returns the options of the trainer's main config file without extra ones.
    """
    if senseless := list(refusals(config)) or list(_untrained(rules, config)):
        return [Problem("error", "config", message) for message in senseless]
    ready = settled(config)
    found = [Problem("error", "config", message) for message in (*rules.refusals(ready), *rules.missing(ready, home))]
    found += [Problem("warning", "config", message) for message in (*doubts(config), *rules.doubts(ready))]
    found += checkpoint_problems(ready)
    found += _usual_layer(config)
    found += _idle(config, rules.lacks(ready))
    found += not_in_trainer(rules.LABEL, config, rules.lacks(ready))
    found += [Problem("info", "needs", message) for message in rules.needs(ready)]
    found += _on_single_images(ready)
    if all(problem.severity != "error" for problem in found):
        found += rules.notes(ready, subsets, config)
        found += rules.subset_problems(ready, subsets)
    if config.extra and all(problem.severity != "error" for problem in found):
        found += extra.problems(rules.LABEL, config.extra, written(ready, subsets), rules.OPTIONS, home)
    return found


def _takes_usual_layer(config: TrainingConfig) -> bool:
    """Say whether the layer of the text encoders that is set is the one that is taken anyway."""
    return config.clip_skip == _SECOND_LAST and base_model(config.base_model).family.takes_second_last


def _usual_layer(config: TrainingConfig) -> Iterator[Problem]:
    """Yield that a CLIP skip changes nothing."""
    if _takes_usual_layer(config):
        label = base_model(config.base_model).family.label
        said = f"{label} takes the second-last layer of its text encoders anyway, so that CLIP skip 2 changes nothing."
        yield Problem("info", "not-in-trainer", said)


def _idle(config: TrainingConfig, lacks: Collection[str]) -> Iterator[Problem]:
    """Yield options that were set and count only with another one, with what to set; see `TrainingField.when`."""
    for name in _NEED_ANOTHER:
        idle = training_field(name)
        if name in lacks or getattr(config, name) == idle.default or counts(config, name):
            continue
        ((other, wanted),) = idle.when.values.items()
        needed = training_field(other).title
        instead = f"add {needed}" if ANY in wanted else f"set the {needed} to {' or '.join(wanted)}"
        yield Problem("warning", "config", f"The {idle.title} does nothing as it stands: {instead}, or leave it out.")


def _on_single_images(config: TrainingConfig) -> Iterator[Problem]:
    """Yield that an edit model learns no edits here."""
    base = base_model(config.base_model)
    if base.edits:
        yield Problem(
            "info",
            "edit-model",
            f"{base.label} is an edit model, and pairs of images are not exported yet: it is trained on single images,"
            " and learns to draw them from their captions.",
        )


def lacks(rules: Rules, config: TrainingConfig) -> Mapping[str, str]:
    """Return the options that a trainer has not; see `Trainer.lacks`."""
    if list(refusals(config)) or list(_untrained(rules, config)):
        return {}  # a trainer's own tables have no row for it
    return rules.lacks(settled(config))


def is_diffusion(config: TrainingConfig) -> bool:
    """Say whether the base model is trained by noise prediction; the others match flows."""
    return base_model(config.base_model).family.is_diffusion


def is_denoiser_alone(config: TrainingConfig) -> bool:
    """Say whether the checkpoint, one file, holds no more than the denoiser; else it is a folder or repository."""
    return bool(base_model(config.base_model).family.files) and (
        not config.checkpoint or PurePath(config.checkpoint).suffix == ".safetensors"
    )


def is_diffusers_folder(checkpoint: str) -> bool:
    """Say whether a checkpoint is a folder of this machine that holds all parts in Diffusers' form."""
    return os.path.isfile(os.path.join(checkpoint, "model_index.json"))  # noqa: PTH113, PTH118 - Path's own may raise


def lacks_model_files(config: TrainingConfig) -> dict[str, str]:
    """Return what `Rules.lacks` says of the family's files where a trainer reads all parts from one place."""
    if not base_model(config.base_model).family.files:
        return {}
    files = [*config.model_files.values()]
    are = "is" if len(files) == 1 else "are"
    return {"model_files": f"it reads all parts from one folder or repository; {', '.join(files)} {are} left out."}


def _untrained(rules: Rules, config: TrainingConfig) -> Iterator[str]:
    """Yield what is not in a trainer's closed tables, with the trainers that have it in theirs."""
    base, kind = base_model(config.base_model), network(config.network)
    if not is_trained(base, rules.FAMILIES, rules.ADAPTERS, rules.EDITS):
        able = able_trainers(base, kind.name) or able_trainers(base)
        why = _why(_not_trained(rules, base))
        yield f"{rules.LABEL} does not train {base.label}{why}{_able(able)}, or choose another base model."
    if kind.name not in rules.NETWORKS:
        why = _why(rules.REASONS.get(kind.name, ""))
        others, instead = able_trainers(base, kind.name), chosen_of("network", tuple(rules.NETWORKS))
        yield f"{rules.LABEL} does not train {kind.label}{why}{_able(others)}, or {instead}."


def able_trainers(base: BaseModel, kind: str = "") -> list[str]:
    """Return the labels of the trainers that train a base model, with the network ``kind`` if one is named."""
    return [
        each.label
        for each in trainers().values()
        if is_trained(base, each.families, each.adapters, each.edits) and (not kind or kind in each.networks)
    ]


def chosen_of(what: str, names: Sequence[str]) -> str:
    """Return what to choose instead: the only one of its kind, or one of several."""
    return f"choose the {what} {names[0]}" if len(names) == 1 else f"choose one of the {what}s {', '.join(names)}"


def _not_trained(rules: Rules, base: BaseModel) -> str:
    """Return why a trainer does not train a base model, empty where no more is known."""
    reasons = rules.REASONS
    if base.family.name in rules.FAMILIES and base.adapter:
        return "it is distilled, and a training adapter is needed"
    return reasons.get(base.kind) or reasons.get(base.family.name) or ("it is an edit model" if base.edits else "")


def is_trained(base: BaseModel, families: Collection[str], adapters: Collection[str], edits: Collection[str]) -> bool:
    """Say whether a trainer of these families, and of distilled and edit models of these, trains a base model."""
    name = base.family.name
    return name in families and (not base.adapter or name in adapters) and (not base.edits or name in edits)


def _why(reason: str) -> str:
    return f" ({reason})" if reason else ""


def unmergeable(label: str, config: TrainingConfig, able: Collection[str]) -> Iterator[str]:
    """Yield that a trainer's network of a base model could not be made to load in ComfyUI; all can with no ``able``."""
    if able and config.network not in able:
        base, kind = base_model(config.base_model), network(config.network)
        yield (
            f"ComfyUI has the projections of {base.label} in one, and those of {label}'s {kind.label} cannot be merged"
            f" exactly: choose the network {' or '.join(able)}, or train it with sd-scripts."
        )


def own_system_prompt(label: str, config: TrainingConfig) -> Iterator[Problem]:
    """Yield that captions get the system prompt of Diffusers' pipeline, where the base model has one of its own."""
    base = base_model(config.base_model)
    if base.system_prompt:
        yield Problem(
            "info",
            "not-in-trainer",
            f"{label} puts a system prompt of its own before captions of {base.label}, that of Diffusers' pipeline, not"
            f" {base.system_prompt!r}: sd-scripts has yours.",
        )


def usual_checkpoint(base: BaseModel) -> str:
    """Return what to do where a checkpoint has a form that a trainer does not load."""
    if not base.usual_checkpoint:
        return "choose such a folder as the checkpoint"
    return f"choose {base.usual_checkpoint} as the checkpoint, or none, for which it downloads that"


def downloads(label: str, what: str, repositories: Sequence[str]) -> str:
    """Return that a trainer downloads something from repositories, and which of them ask for a licence first."""
    gated = [each for each in repositories if each in GATED]
    text = f"{label} takes {what} from {' and '.join(repositories)} at Hugging Face"
    if not gated:
        return f"{text}, which it downloads the first time."
    return f"{text}: accept the licence of {' and '.join(gated)} there, and log in (hf auth login)."


def _able(labels: Sequence[str]) -> str:
    return f": {chosen_of('trainer', labels)}" if labels else "; no trainer supports it"


def settled(config: TrainingConfig) -> TrainingConfig:
    """Return the config with what is usual in the place of every 0 that stands for it; None stays the trainer's matter.

    Raises:
        SettingsError: there is no such base model.
    """
    return _settled(config, base_model(config.base_model))


@lru_cache(maxsize=64)
def _settled(config: TrainingConfig, base: BaseModel) -> TrainingConfig:
    resolution = config.resolution or base.resolution
    return replace(
        config,
        resolution=resolution,
        max_bucket_side=config.max_bucket_side or 2 * resolution,
        conv_dim=config.conv_dim or config.network_dim,
        conv_alpha=config.conv_alpha or config.network_alpha,
        max_token_length=config.max_token_length or max(profile(base.name).limits),
        sample_prompts=_prompts(config, base),
    )


def _prompts(config: TrainingConfig, base: BaseModel) -> tuple[str, ...]:
    """Return the sample prompts in the form of the captions."""
    if not profile(base.name).structured:
        return config.sample_prompts
    return tuple(structured(prompt) if prompt.strip() else prompt for prompt in config.sample_prompts)


def refusals(config: TrainingConfig) -> Iterator[str]:
    """Yield what no trainer can make sense of, of a config that may come from anywhere."""
    words: tuple[tuple[str, str, Sequence[str]], ...] = (
        ("base model", config.base_model, base_model_names()),
        ("network", config.network, network_names()),
        ("loss", config.loss_type, LOSSES),
        ("timestep sampling", config.timestep_sampling, TIMESTEPS),
        ("masked loss", config.masked_loss, get_args(MaskedLoss)),
        ("regularization method", config.regularization_method, get_args(RegularizationMethod)),
        ("precision of weights", config.base_precision, WEIGHT_PRECISIONS),
        ("precision of text encoders", config.text_encoder_precision, WEIGHT_PRECISIONS),
    )
    for what, value, known in words:
        yield from unknown("LoRADS", what, value, known)
    if config.base_model not in base_model_names():
        return
    config = settled(config)
    yield from _out_of_range(config)
    yield from _contradictions(config)


def unknown(trainer: str, what: str, value: str, known: Sequence[str]) -> Iterator[str]:
    """Yield a sentence that names the nearest of what is ``known`` where ``value`` is none of it."""
    if value in known:
        return
    hint = did_you_mean(value, known)
    choice = f"choose {'one of ' if len(known) > 1 else ''}{', '.join(known)}."
    yield f"{trainer} has no {what} {value!r}: {f'{hint} C{choice[1:]}' if hint else choice}"


def _out_of_range(config: TrainingConfig) -> Iterator[str]:
    for each in TRAINING_FIELDS:
        value = getattr(config, each.name) if each.kind in _NUMBERS else None
        if value is not None and not each.low <= value <= each.high:  # also false for NaN
            yield out_of_range(each, f"{value:.15g}")


def out_of_range(each: TrainingField, value: str) -> str:
    """Return the message for a number that is not one, or out of its option's range; ``value`` is as it was given."""
    number = "a whole number" if each.kind == "whole" else "a number"
    return f"The {each.title} is {value}: give {number} from {each.low:.10g} to {each.high:.10g}."


def _contradictions(config: TrainingConfig) -> Iterator[str]:
    if config.steps and not {"epochs", "repeats"} & set(config.automatic):
        yield (
            f"{config.steps:,} steps contradict {config.epochs:,} epochs and {config.repeats:,} repeats: leave one of"
            " the three unset."
        )
    yield from _contradicting_sizes(config)
    yield from _contradicting_memory(config)
    yield from _unfit(config)
    yield from optimizer_args.refusals(config)
    yield from network_options.refusals(config)


def of_base_model(config: TrainingConfig) -> dict[str, str]:
    """Return what `Rules.lacks` says of options that mean nothing for the base model, whatever the trainer."""
    found, family = dict[str, str](), base_model(config.base_model).family
    if family.takes_second_last:
        found["clip_skip"] = f"{family.label} always takes the second-last layer, which is 2; OneTrainer has a choice."
    elif not family.skips_clip:
        found["clip_skip"] = "the layer of its text encoders is always the same."
    if is_diffusion(config):
        alike = "noise is predicted for all timesteps alike; OneTrainer has a choice."
        return {**found, "timestep_sampling": alike, "timestep_shift": alike}
    weightless = "flow matching has no signal-to-noise weights; it is left out."
    return {**found, "min_snr_gamma": weightless, "debiased_estimation": weightless}


def _contradicting_sizes(config: TrainingConfig) -> Iterator[str]:
    if config.max_bucket_side < config.resolution:
        yield (
            f"The longest bucket side {config.max_bucket_side} is below the resolution {config.resolution}:"
            " raise it, best to twice the resolution."
        )
    if config.shuffle_caption and profile(config.base_model).structured:
        yield f"{base_model(config.base_model).label} reads captions as JSON, which has no tags: turn shuffling off."
    if config.tag_dropout and profile(config.base_model).structured:
        yield f"{base_model(config.base_model).label} reads captions as JSON, which has no tags: set tag dropout to 0."
    if config.shuffle_caption and config.keep_tokens < 1:
        yield "Shuffling with keep tokens 0 would move the trigger: keep at least 1."
    limits = profile(config.base_model).limits
    if config.max_token_length not in limits:
        yield (
            f"{base_model(config.base_model).label} does not support captions of {config.max_token_length} tokens:"
            f" choose one of {', '.join(map(str, limits))}."
        )


def _contradicting_memory(config: TrainingConfig) -> Iterator[str]:
    if config.blocks_to_swap and config.layer_offload:
        yield "Blocks to swap and the layer offload both say what of the base model waits in RAM: leave one at 0."
    if config.fp8_base is not None and config.base_precision != USUAL:
        yield (
            f"fp8_base and a base precision of {config.base_precision} both say how the weights are held: leave"
            " fp8_base unset."
        )
    if config.activation_offload and not config.gradient_checkpointing:
        yield "The activation offload keeps what gradient checkpointing keeps in RAM: turn gradient checkpointing on."
    if config.cache_to_disk and not (config.cache_latents or config.cache_text_encoder_outputs):
        yield "Only what is cached can lie on the disk: turn the caching of latents on, or leave cache_to_disk unset."


def _unfit(config: TrainingConfig) -> Iterator[str]:
    """Yield what the base model's family cannot have, and files and texts that cannot be used."""
    base = base_model(config.base_model)
    family = base.family
    if config.v_prediction and not family.is_diffusion:
        yield f"{family.label} matches flows and predicts no velocity: turn v-prediction off."
    if base.denoiser and config.checkpoint == base.repository:
        yield (
            f"{base.repository} holds another denoiser than that of {base.label}: choose {base.denoiser} as the"
            " checkpoint, or a file or folder of yours."
        )
    kind = network(config.network) if config.network in network_names() else None
    if kind and kind.without and not family.convolutions:
        same = network(kind.without)
        yield (
            f"{family.label} has no convolutions, so that a {kind.label} of it is a {same.label}: choose the network"
            f" {same.name}."
        )
    if config.initial_lora and not config.initial_lora.lower().endswith(".safetensors"):
        yield (
            f"The LoRA to start from is {config.initial_lora}, and other formats than safetensors can hold programs,"
            " which trainers would run: choose a .safetensors file."
        )
    if not all(prompt.strip() for prompt in config.sample_prompts):
        yield "A sample prompt is empty: write it, or take it out."


def doubts(config: TrainingConfig) -> Iterator[str]:
    """Yield what trains, though hardly as it is meant."""
    if config.network_alpha > config.network_dim:
        yield (
            f"The alpha {config.network_alpha:g} is above the dim {config.network_dim}, which multiplies the learning"
            " rate: use the dim, or half of it."
        )
    kind = network(config.network)
    if config.conv_dim and not (kind.convolutions and base_model(config.base_model).family.convolutions):
        yield "The convolution dim is not used, as this network changes no convolutions: choose locon, or set it to 0."
    if (config.lokr_factor or config.lokr_full_rank) and not kind.kronecker:
        yield f"The factor and full rank are LoKr's, and {kind.label} has none: choose the network lokr, or unset them."
    if is_adaptive(config.optimizer) and config.learning_rate < _SELF_TAUGHT_RATE:
        yield f"{config.optimizer} finds its rate itself: a learning rate of {config.learning_rate:g} slows it; use 1."
    yield from _doubtful_rates(config)
    if kind.hadamard and config.network_dim > HIGHEST_HADAMARD_DIM:
        yield (
            f"The network dim {config.network_dim} is high for {kind.label}, whose rank is up to its square"
            f" ({config.network_dim**2:,}): use {HIGHEST_HADAMARD_DIM} or less, 8 is usual."
        )
    if config.min_snr_gamma and config.debiased_estimation:
        yield "Min-SNR and debiased estimation weight the same timesteps, one over the other: use one of them."
    if config.conv_dim and config.conv_alpha > config.conv_dim:
        yield (
            f"The convolution alpha {config.conv_alpha:g} is above the convolution dim {config.conv_dim}, which"
            " multiplies the learning rate: use the dim, or half of it."
        )


def _doubtful_rates(config: TrainingConfig) -> Iterator[str]:
    """Yield learning rates that an optimizer learns nothing with, or that burn a LoRA."""
    rates = (("learning rate", config.learning_rate), ("text encoder learning rate", config.text_encoder_learning_rate))
    for name, rate in rates:
        if is_adaptive(config.optimizer):
            if rate > HIGHEST_SELF_TAUGHT_RATE:
                yield f"The {name} {rate:g} is high for {config.optimizer}, which scales its own by it: use 1."
        elif rate > HIGHEST_RATE and not config.optimizer.startswith("SGD"):  # whose usual rates are up to 0.1
            yield (
                f"The {name} {rate:g} is very high for {config.optimizer} and ruins a LoRA within a few steps: 1e-4 is"
                " usual, 1 is for Prodigy and D-Adaptation."
            )
        elif 0 < rate < LOWEST_RATE:
            yield f"The {name} {rate:g} is very low for {config.optimizer}, which learns nothing: 1e-4 is usual."


def not_in_trainer(trainer: str, config: TrainingConfig, lacks: Mapping[str, str]) -> Iterator[Problem]:
    """Yield a warning for each field that was set and that the trainer lacks, and for files of another family.

    ``lacks`` gives for each such field what is done instead, as an end of the sentence.
    """
    for field in fields(config):
        if field.name == "clip_skip" and _takes_usual_layer(config):
            continue
        if field.name in lacks and getattr(config, field.name) != getattr(_DEFAULT, field.name):
            name, instead = _named(field.name), lacks[field.name]
            switch = "switch for " if instead.startswith(_ANYWAY) else ""
            yield Problem("warning", "not-in-trainer", f"{trainer} has no {switch}{name}: {instead}")
    yield from _other_files(config)


def _named(name: str) -> str:
    """Return what a sentence calls a field that a trainer has none of."""
    label = "" if name == "model_files" else training_field(name).label
    return label if label != label.lower() else name.replace("_", " ")  # such as EMA decay


def _other_files(config: TrainingConfig) -> Iterator[Problem]:
    """Yield the model files that the base model's family has no use for."""
    base = base_model(config.base_model)
    for part, file in config.model_files.items():
        if part not in base.family.parts:
            yield Problem("warning", "not-in-trainer", f"{base.label} needs no {part}: {file} is left out.")


def size_problems(trainer: str, placed: Sequence[Placement], step: int) -> Iterator[Problem]:
    """Yield what happens to images on their way into their buckets that would do harm; ``step`` is the buckets'."""
    unusable = [item for item in placed if not item.usable]
    if unusable:
        worst = unusable[0].source
        yield Problem(
            "error",
            "too-small",
            f"{counted(len(unusable), 'image')} (e.g. {worst[0]}×{worst[1]}) with a side smaller than a bucket step of"
            f" {step} pixels at this resolution would stop {trainer}: raise the minimum size, leave out very long ones,"
            " or allow upscaling.",
        )
    upscaled = _count(item.scale >= UPSCALED_TOO_MUCH for item in placed)
    if upscaled:
        yield Problem(
            "warning",
            "upscaled",
            f"{counted(upscaled, 'image')} will be enlarged {UPSCALED_TOO_MUCH:g}-fold or more, which trains blur:"
            " raise the minimum resolution.",
        )
    cropped = _count(item.cropped >= CROPPED_TOO_MUCH for item in placed if item.usable)
    if cropped:
        yield Problem(
            "warning",
            "cropped",
            f"{counted(cropped, 'image')} will lose {CROPPED_TOO_MUCH:.0%} or more to the crop: leave out very long"
            " ones.",
        )


def _count(truths: Iterable[bool]) -> int:
    return sum(truths)


def numbered_states(output: Path, pattern: str) -> dict[int, Path]:
    """Return the whole states in a folder that accelerate saved, by the number in their names.

    The states of random numbers are written last (``accelerate/checkpointing.py``, ``save_accelerator_state``).

    Raises:
        OSError: the folder cannot be read.
    """
    named = ((re.fullmatch(pattern, each.name), each) for each in output.iterdir()) if output.is_dir() else ()
    return {int(found[1]): each for found, each in named if found and (each / "random_states_0.pkl").is_file()}


def launch_options(config: TrainingConfig, more: Sequence[str]) -> list[str]:
    """Return the options of ``accelerate launch`` for a config; ``more`` may name several machines."""
    options = ["--num_processes", str(config.processes), "--mixed_precision", config.mixed_precision]
    if config.processes > 1:
        options.append("--multi_gpu")
    if "--num_machines" not in more:
        options += ["--num_machines", "1"]
    return [*options, *more]


def accelerated(config: TrainingConfig, words: Sequence[str], more: Sequence[str]) -> list[str]:
    """Return the arguments that start a script, by accelerate where there are several processes or options for it."""
    if config.processes == 1 and not more:
        return [*words]
    return ["-m", "accelerate.commands.launch", *launch_options(config, more), *words]


def one_stage(*arguments: str) -> tuple[Stage, ...]:
    """Return the stages of a training that is one program."""
    return (Stage("train", arguments),)


def no_accelerate(label: str, options: Sequence[str]) -> None:
    """Refuse options of accelerate for a trainer that starts its processes itself.

    Raises:
        TrainerError: there are some.
    """
    if options:
        raise TrainerError(f"{label} is not started by accelerate: take `accelerate` out of its profile.")
