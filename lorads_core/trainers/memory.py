"""How a base model fits into graphics memory: blocks and layers that wait in RAM, weights in fewer bits.

Some trainers count the blocks of a base model that wait, others take a share of its layers. A share is turned into a
number of blocks where all blocks of the family have one size; elsewhere the message names the option that counts.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..base_models import base_model

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from ..model import TrainingConfig

USUAL = "usual"
"""In ``base_precision`` and ``text_encoder_precision``: as ``fp8_base`` and the base model have it."""

BLOCKS: Mapping[str, int] = {
    "sd35": 38, "lumina2": 26, "anima": 28, "zimage": 30, "krea2": 28, "qwen_image": 60,
    "wan21": 40, "wan21:1.3b": 30, "wan22": 40,
}  # fmt: skip
"""How many blocks the denoiser of a family, or of a `BaseModel.kind`, has, where they are of one size: SD 3.5 Large's
``joint_blocks``, Lumina 2's and Z-Image's ``layers`` besides their refiners, the ``blocks`` of Anima, Krea 2 and Wan,
Qwen-Image's ``transformer_blocks``."""


def swapped(config: TrainingConfig) -> int:
    """Return how many blocks wait in RAM: those that are counted, or the share of a family's, rounded."""
    if config.blocks_to_swap or not config.layer_offload:
        return config.blocks_to_swap
    return max(1, round(config.layer_offload * _blocks(config)))


def _blocks(config: TrainingConfig) -> int:
    base = base_model(config.base_model)
    return BLOCKS.get(base.kind) or BLOCKS.get(base.family.name, 0)


def swap_refusals(label: str, config: TrainingConfig, most: int) -> Iterator[str]:
    """Yield what a trainer that swaps up to ``most`` blocks cannot do; nothing where it swaps none (`Rules.lacks`)."""
    base = base_model(config.base_model).label
    if not most:
        return
    blocks = _blocks(config)
    if config.layer_offload and not blocks:
        yield (
            f"{label} counts the blocks of {base} that wait in RAM, which have several sizes, and takes no share of"
            f" layers: set blocks to swap (at most {most}) instead of the layer offload."
        )
    elif swapped(config) > most:
        share = f" (a layer offload of {math.floor(100 * most / blocks) / 100:g})" if config.layer_offload else ""
        yield f"{label} swaps at most {most} blocks of {base}{share}: swap no more than that."


def share_refusals(label: str, config: TrainingConfig, blocks: int = 0) -> Iterator[str]:
    """Yield that a trainer takes a share of the layers and counts no blocks, unless all layers are those ``blocks``."""
    if config.blocks_to_swap and not blocks:
        yield (
            f"{label} takes a share of the layers of {base_model(config.base_model).label}, and counts no blocks: set"
            " the layer offload, e.g. to 0.5, instead of blocks to swap."
        )
    elif config.blocks_to_swap > blocks:
        yield f"{base_model(config.base_model).label} has {blocks} blocks: swap no more than that."


def precision_refusals(
    label: str, config: TrainingConfig, base: Collection[str], text_encoder: Collection[str]
) -> Iterator[str]:
    """Yield which precisions of weights a trainer has for the config's base model where it lacks the chosen one.

    ``base`` and ``text_encoder`` are those that it has, without the usual one.
    """
    chosen = base_model(config.base_model).label
    for what, value, known in (
        ("the weights", config.base_precision, base),
        ("the text encoder", config.text_encoder_precision, text_encoder),
    ):
        if value not in (USUAL, *known):
            yield f"{label} does not hold {what} of {chosen} in {value}: choose one of {', '.join((USUAL, *known))}."
