"""Parts of a model that are no denoiser: LoRAs, ControlNets, VAEs, text encoders, each by names of its tensors."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

Kind = Literal["checkpoint", "denoiser", "lora", "controlnet", "vae", "text encoder", "image encoder", "embedding", ""]
"""A checkpoint has a denoiser with other parts, a denoiser is alone; empty for what is not known."""


@dataclass(frozen=True, slots=True)
class Part:
    """What a file is where the name of one of its tensors matches ``pattern``, from its first letter on."""

    kind: Kind
    label: str
    pattern: str


ADDED: tuple[Part, ...] = (
    Part(
        "lora", "a LoRA",
        r".+\.(?:lora_(?:up|down|[AB])(?:\.\w+)?\.weight|lora\.(?:up|down)\.weight|hada_w1_[ab]|lokr_w[12](?:_[ab])?"
        r"|oft_blocks|oft_R\.weight|lora_[AB])$",
    ),
    Part(
        "controlnet", "a ControlNet",
        r"control_model\.|controlnet_cond_embedding\.|input_hint_block\.|controlnet_x_embedder\.|controlnet_blocks\."
        r"|zero_convs\.\d|lllite_unet_",
    ),
)  # fmt: skip
"""Looked for before a denoiser: their tensors bear the names of its own."""

ALONE: tuple[Part, ...] = (
    Part(
        "vae", "a VAE",
        r"(?:first_stage_model\.|vae\.)?(?:decoder\.(?:conv_in|mid\.|conv1\.|middle\.|up_blocks\.|head\.)|post_quant_conv\.)",
    ),
    Part("image encoder", "an image encoder", r"(?:vision_model|visual)\.(?:embeddings|transformer|conv1)"),
    Part(
        "text encoder", "a text encoder",
        r"(?:.*\.)?text_model\.(?:embeddings|encoder)\.|(?:encoder\.)?block\.0\.layer\.0\.SelfAttention\.q\."
        r"|encoder\.block\.0\.|(?:.*\.)?(?:language_model\.|model\.)?layers\.0\.(?:self_attn|post_attention_layernorm|linear_attn)"
        r"|(?:.*\.)?transformer\.resblocks\.0\.|blk\.0\.attn_q\.",
    ),
    Part("embedding", "a textual inversion", r"(?:emb_params|clip_[lg])$"),
)  # fmt: skip
"""Looked for where there is no denoiser: a checkpoint has them too."""

OTHERS: tuple[tuple[str, str], ...] = (
    ("text encoder", r"cond_stage_model\.|conditioner\.|text_encoders?\."),
    ("VAE", r"first_stage_model\.|vae\."),
)
"""Parts besides the denoiser that a whole checkpoint has, with how their tensors begin (``comfy/sd.py``)."""


def part_of(names: Iterable[str], table: Iterable[Part]) -> Part | None:
    """Return what the tensors called ``names`` are, by a table; None where no row knows them."""
    names = list(names)
    return next((each for each in table if any(map(re.compile(each.pattern).match, names))), None)


def parts_in(names: Iterable[str]) -> tuple[str, ...]:
    """Return the parts besides the denoiser that a checkpoint's tensors hold."""
    names = list(names)
    return tuple(label for label, begin in OTHERS if any(map(re.compile(begin).match, names)))
