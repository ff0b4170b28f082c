"""The words of the command line for a training config, one for each field that people set, and the config they make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..base_models import base_model_names, model_parts
from ..model import TrainingConfig
from ..networks import network_names

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    Words = argparse._ArgumentGroup  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]

_PREFIX = "training_"
_FILE = "model_file_"
_USUAL = TrainingConfig()

# field, what stands for its value, what it is
_FIELDS: tuple[tuple[str, str, str], ...] = (
    ("checkpoint", "FILE", "the base model's file"),
    ("network_dim", "N", "rank of the network (default: %(default)s)"),
    ("network_alpha", "X", "it counts alpha / dim (default: %(default)s)"),
    ("conv_dim", "N", "rank in convolutions, of locon and loha (default: as the network's)"),
    ("conv_alpha", "X", "the same for alpha"),
    ("network_dropout", "0-0.9", "share of the network that a step leaves out"),
    ("lokr_factor", "N", "factor of lokr's smaller matrix (default: chosen for each layer)"),
    ("resolution", "PIXELS", "side of a square picture (default: the base model's own)"),
    ("batch_size", "N", "images per step (default: %(default)s)"),
    ("gradient_accumulation_steps", "N", "batches that make one step (default: %(default)s)"),
    ("processes", "N", "that train together, one per GPU (default: %(default)s)"),
    ("epochs", "N", "passes over the dataset (default: %(default)s)"),
    ("repeats", "N", "times an epoch shows each training image (default: %(default)s)"),
    ("regularization_repeats", "N", "the same for regularization images (default: %(default)s)"),
    ("regularization_method", "METHOD", "prior, or preservation of the base model's output (default: %(default)s)"),
    ("prior_loss_weight", "X", "weight of regularization images (default: %(default)s)"),
    ("learning_rate", "X", "(default: %(default)s)"),
    ("text_encoder_learning_rate", "X", "0 leaves the text encoders alone (default: %(default)s)"),
    ("scheduler", "NAME", "of the learning rate (default: %(default)s)"),
    ("warmup", "0-0.99", "share of the steps in which the learning rate rises (default: %(default)s)"),
    ("optimizer", "NAME", "(default: %(default)s)"),
    ("mixed_precision", "NAME", "no, fp16 or bf16 (default: %(default)s)"),
    ("max_token_length", "N", "longest caption in tokens (default: the longest there is)"),
    ("keep_tokens", "N", "tags that stay in front at least, where they are shuffled (default: %(default)s)"),
    ("caption_dropout", "0-0.99", "share of images shown without caption"),
    ("masked_loss", "WHERE", "masks: none, alpha or sidecar (default: %(default)s)"),
    ("min_snr_gamma", "X", "5 is usual, 0 is off (default: %(default)s)"),
    ("noise_offset", "X", "noise that all pixels share (default: %(default)s)"),
    ("max_bucket_side", "PIXELS", "longest side of a bucket (default: twice the resolution)"),
    ("bucket_step", "PIXELS", "(default: %(default)s)"),
    ("sample_every_epochs", "N", "(default: %(default)s)"),
    ("save_every_epochs", "N", "(default: %(default)s)"),
    ("seed", "N", "(default: %(default)s)"),
)

_SWITCHES: tuple[tuple[str, str], ...] = (
    ("v_prediction", "the base model predicts velocity, e.g. NoobAI v-pred"),
    ("lokr_full_rank", "train lokr's larger matrix whole; dim and alpha do not count then"),
    ("shuffle_caption", "shuffle tags; trigger, counts and characters stay in front"),
    ("caption_variants", "lines of a caption are variants, one is taken at random"),
    ("flip_aug", "mirror half of the images"),
    ("bucket_no_upscale", "never enlarge an image"),
)


def add_training_words(group: Words, text: Callable[[str], str]) -> None:
    """Add the words; ``text`` turns a word of the command line into text, or refuses it."""
    bases = f"{', '.join(base_model_names())} (default: %(default)s)"
    _add(group, "base_model", type=text, default=_USUAL.base_model, metavar="NAME", help=bases)
    _add(group, "network", choices=network_names(), default=_USUAL.network)
    for file in model_parts():
        _add(group, f"{_FILE}{file.part}", option=file.part, type=text, default="", metavar="FILE", help=file.label)
    for field, metavar, summary in _FIELDS:
        default: str | float = getattr(_USUAL, field)
        kind = text if isinstance(default, str) else type(default)
        _add(group, field, type=kind, default=default, metavar=metavar, help=summary)
    for field, summary in _SWITCHES:
        _add(group, field, action="store_true", help=summary)
    _add(group, "weight_decay", type=float, metavar="X", help="of the weights (default: the optimizer's)")
    group.add_argument(
        "--sample-prompt", dest=f"{_PREFIX}sample_prompts", action="append", default=[], type=text, metavar="PROMPT",
        help="draw it after each epoch",
    )  # fmt: skip


def _add(group: Words, field: str, option: str = "", **how: Any) -> None:  # noqa: ANN401 - argparse's own
    word = (option or field).replace("_", "-")
    word = "training-seed" if field == "seed" else word  # --seed is that of the order random
    group.add_argument(f"--{word}", dest=f"{_PREFIX}{field}", **how)


def training_config(options: argparse.Namespace) -> TrainingConfig:
    """Return the training config that the words make."""
    given = dict(_given(options))
    files = {name.removeprefix(_FILE): given.pop(name) for name in [*given] if name.startswith(_FILE)}
    return TrainingConfig(**given, model_files={part: file for part, file in files.items() if file})


def _given(options: argparse.Namespace) -> Iterator[tuple[str, Any]]:
    for name, value in vars(options).items():
        if name.startswith(_PREFIX):
            field = name.removeprefix(_PREFIX)
            yield field, tuple(value) if field == "sample_prompts" else value
