"""Parts of a model that are no denoiser: LoRAs, ControlNets, VAEs, text encoders, each by names of its tensors."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .architectures import Size

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .header import Tensor

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


@dataclass(frozen=True, slots=True)
class KnownPart:
    """A text encoder or VAE that several models have in common, called as ComfyUI calls it.

    A file is one where it has all tensors of ``needs``, none of ``lacks`` and all ``sizes``.
    """

    kind: Kind
    name: str
    label: str
    needs: tuple[str, ...]
    sizes: tuple[Size, ...] = ()
    lacks: tuple[str, ...] = ()

    def fits(self, tensors: Mapping[str, Tensor]) -> bool:
        """Whether these tensors are its own."""
        whole = all(name in tensors for name in self.needs) and not any(name in tensors for name in self.lacks)
        return whole and all(each.fits(tensors) for each in self.sizes)


_T5 = "encoder.block.23.layer.1.DenseReluDense.wi_1.weight"
_BYT5 = "encoder.block.0.layer.0.SelfAttention.k.weight"
_NORM = "model.layers.0.post_attention_layernorm.weight"
_QK_NORM = "model.layers.0.self_attn.q_norm.weight"
_QWEN3VL = "model.visual.merger.linear_fc2.weight"
_DEEPSTACK = "model.visual.deepstack_merger_list.0.norm.weight"
_QWEN25 = "model.layers.0.self_attn.k_proj.bias"
_GEMMA = "model.layers.0.post_feedforward_layernorm.weight"
_UMT5 = "encoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight"
_VAE_IN, _WAN_VAE_IN = "decoder.conv_in.weight", "decoder.conv1.weight"
_VIDEO_VAE_IN = "decoder.conv_in.conv.weight"


def _qwen3(name: str, label: str, width: int) -> KnownPart:
    return KnownPart("text encoder", name, label, (_NORM, _QK_NORM), (Size(_NORM, 0, (width,)),), (_DEEPSTACK, _GEMMA))


def _vae(name: str, label: str, channels: int, first: str = _VAE_IN) -> KnownPart:
    return KnownPart("vae", name, label, (first,), (Size(first, 1, (channels,)),))


KNOWN_PARTS: tuple[KnownPart, ...] = (
    KnownPart("text encoder", "clip_g", "CLIP-G", ("text_model.encoder.layers.30.mlp.fc1.weight",)),
    KnownPart(
        "text encoder", "clip_l", "CLIP-L", ("text_model.encoder.layers.0.mlp.fc1.weight",),
        lacks=("text_model.encoder.layers.22.mlp.fc1.weight",),
    ),
    KnownPart("text encoder", "umt5xxl", "UMT5-XXL", (_T5, _UMT5), (Size(_T5, 0, (10240,)),)),
    KnownPart("text encoder", "t5xxl", "T5-XXL", (_T5,), (Size(_T5, 0, (10240,)),), (_UMT5,)),
    KnownPart("text encoder", "pile_t5xl", "Pile-T5-XL", (_T5,), (Size(_T5, 0, (5120,)),)),
    KnownPart("text encoder", "byt5", "ByT5", (_BYT5,), (Size(_BYT5, 0, (384,)),)),
    KnownPart(
        "text encoder", "qwen3vl_4b", "Qwen3-VL 4B", (_DEEPSTACK, _QWEN3VL), (Size(_QWEN3VL, 0, (2560,)),)
    ),
    KnownPart(
        "text encoder", "qwen3vl_8b", "Qwen3-VL 8B", (_DEEPSTACK, _QWEN3VL), (Size(_QWEN3VL, 0, (4096,)),)
    ),
    KnownPart("text encoder", "gemma2_2b", "Gemma 2 2B", (_GEMMA,), lacks=(_QK_NORM,)),
    KnownPart(
        "text encoder", "gemma3_12b", "Gemma 3 12B", (_GEMMA, _QK_NORM, "model.layers.47.self_attn.q_norm.weight"),
        lacks=("model.layers.59.self_attn.q_norm.weight",),
    ),
    KnownPart("text encoder", "qwen25_7b", "Qwen2.5-VL 7B", (_QWEN25,), (Size(_QWEN25, 0, (512,)),)),
    _qwen3("qwen3_4b", "Qwen3 4B", 2560),
    _qwen3("qwen3_8b", "Qwen3 8B", 4096),
    _qwen3("qwen3_06b", "Qwen3 0.6B", 1024),
    KnownPart("text encoder", "mistral3", "Mistral Small 3", (_NORM,), (Size(_NORM, 0, (5120,)),), (_QK_NORM,)),
    KnownPart("text encoder", "ministral3_3b", "Ministral 3 3B", (_NORM,), (Size(_NORM, 0, (3072,)),), (_QK_NORM,)),
    KnownPart(
        "text encoder", "llama3_8b", "Llama 3 8B", (_NORM,), (Size(_NORM, 0, (4096,)),),
        (_QK_NORM, _GEMMA, _QWEN25, _DEEPSTACK),
    ),
    _vae("sd", "of SD 1.5 or SDXL", 4),
    _vae("flux", "of Flux, or of SD 3.5", 16),
    _vae("flux2", "of FLUX.2", 32),
    _vae("hunyuan_image", "of HunyuanImage 2.1", 64),
    _vae("hunyuan_video", "of HunyuanVideo", 16, _VIDEO_VAE_IN),
    _vae("hunyuan_video_15", "of HunyuanVideo 1.5", 32, _VIDEO_VAE_IN),
    _vae("qwen_image", "of Qwen-Image, or of Wan 2.1", 16, _WAN_VAE_IN),
    _vae("wan22", "of Wan 2.2", 48, _WAN_VAE_IN),
)  # fmt: skip
"""Distinguished as in ComfyUI 0.26.0 (``comfy/sd.py``, ``detect_te_model``, ``VAE``); the first row that fits wins."""


def known_part(tensors: Mapping[str, Tensor], kind: Kind) -> KnownPart | None:
    """Return which text encoder or VAE a file of that kind (empty: of any) holds; None where no row knows it."""
    return next((each for each in KNOWN_PARTS if kind in ("", each.kind) and each.fits(tensors)), None)


def known_part_label(name: str) -> str:
    """Return what a text encoder or VAE of `KNOWN_PARTS` is called in a sentence."""
    found = next((each for each in KNOWN_PARTS if each.name == name), None)
    if found is None:
        return name
    return f"the VAE {found.label}" if found.kind == "vae" else found.label


def part_of(names: Iterable[str], table: Iterable[Part]) -> Part | None:
    """Return what the tensors called ``names`` are, by a table; None where no row knows them."""
    names = list(names)
    return next((each for each in table if any(map(re.compile(each.pattern).match, names))), None)


def parts_in(names: Iterable[str]) -> tuple[str, ...]:
    """Return the parts besides the denoiser that a checkpoint's tensors hold."""
    names = list(names)
    return tuple(label for label, begin in OTHERS if any(map(re.compile(begin).match, names)))
