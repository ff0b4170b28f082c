"""Options of the network that several trainers write alike: dropouts, and the filter of layers by their names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .defaults import is_adaptive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..model import TrainingConfig

_LAYER = re.compile(r"[\w.\-]+")


def refusals(config: TrainingConfig) -> Iterator[str]:
    """Yield what is wrong with these options for every trainer."""
    if config.lora_plus_ratio and is_adaptive(config.optimizer):
        yield f"{config.optimizer} stops at two learning rates, which LoRA+ makes: set the LoRA+ ratio to 0."
    if not all(_LAYER.fullmatch(part) for part in layer_parts(config)):
        yield (
            f"The layer filter is {config.layer_filter!r}: give parts of layers' names, separated by commas, such as"
            " attn, ff.net."
        )


def layer_parts(config: TrainingConfig) -> list[str]:
    """Return the parts of names of which a layer to be trained has one; none where all usual ones are trained."""
    return [part.strip() for part in config.layer_filter.split(",")] if config.layer_filter.strip() else []


def layer_patterns(config: TrainingConfig) -> Iterator[str]:
    """Yield the ``network_args`` that let kohya-ss' modules change no other layers than those of the filter.

    It excludes whole names in which there is none of the parts; what the modules exclude themselves stays so
    (``networks/lora_anima.py`` of sd-scripts v0.10.1, ``networks/lora.py`` of musubi-tuner 0.3.4).
    """
    if parts := layer_parts(config):
        named = "|".join(map(re.escape, parts))
        yield f"exclude_patterns={[f'(?!.*(?:{named})).*']}"


def dropouts(config: TrainingConfig) -> dict[str, float]:
    """Return the shares of ranks and of layers that a step leaves out, by the names that all trainers have for them."""
    shares = {"rank_dropout": float(config.rank_dropout), "module_dropout": float(config.module_dropout)}
    return {name: share for name, share in shares.items() if share}
