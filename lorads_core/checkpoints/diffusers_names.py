"""Architectures by the tensors that Diffusers has in them, for single files such as ``diffusion_pytorch_model``.

The names are those of Diffusers' classes (``models/transformers``, ``models/unets``); where ComfyUI 0.26.0 maps them
(``comfy/utils.py``), `tests/checkpoints/test_diffusers_names.py` holds the rows against that. They are looked for
before the rows of `architectures`: some of these fit them too (``pos_embed.proj.bias`` is also PixArt's).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .architectures import ARCHITECTURES, Architecture, Size, Variant

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .header import Tensor

_UNET_KEY = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight"
_UNET_IN = "conv_in.weight"
_VIDEO_UNET = "down_blocks.0.attentions.0.temporal_transformer_blocks.0.attn1.to_q.weight"
_LABELS = "add_embedding.linear_1.weight"
_PATCHES = "pos_embed.proj.weight"
_IN, _CONTEXT = "x_embedder.weight", "context_embedder.weight"
_JOINT = "transformer_blocks.0.attn.add_q_proj.weight"
_SINGLE = "single_transformer_blocks.0.proj_mlp.weight"
_GUIDANCE = "time_text_embed.guidance_embedder.linear_1.weight"
_WAN = ("condition_embedder.time_embedder.linear_1.weight", "blocks.0.attn1.to_q.weight")
_WAN_IN, _WAN_IMAGE = "patch_embedding.weight", "condition_embedder.image_embedder.ff.net.0.proj.weight"
_CAPTION = "time_caption_embed.caption_embedder.1.weight"
_EDITS = (
    Variant("inpainting", sizes=(Size(_UNET_IN, 1, (9,)),)),
    Variant("InstructPix2Pix", sizes=(Size(_UNET_IN, 1, (8,)),)),
)


def _row(
    name: str,
    *needs: str,
    lacks: tuple[str, ...] = (),
    sizes: tuple[Size, ...] = (),
    variants: tuple[Variant, ...] = (),
    label: str = "",
) -> Architecture:
    """Return the row of `ARCHITECTURES` called ``name``, with the tensors that Diffusers has in it."""
    own = next(each for each in ARCHITECTURES if each.name == name)
    return replace(
        own, needs=needs, lacks=lacks, sizes=sizes, variants=variants, label=label or own.label, blocks="", pipelines=()
    )


DIFFUSERS_NAMES: tuple[Architecture, ...] = (
    _row("sd2", _UNET_KEY, _UNET_IN, lacks=(_VIDEO_UNET,), sizes=(Size(_UNET_KEY, 1, (1024,)),)),
    _row("sd15", _UNET_KEY, _UNET_IN, lacks=(_VIDEO_UNET,), sizes=(Size(_UNET_KEY, 1, (768,)),), variants=_EDITS),
    _row("sdxl_refiner", _LABELS, _UNET_IN, sizes=(Size(_LABELS, 1, (2560,)),)),
    _row(
        "sdxl", _LABELS, "mid_block.attentions.0.transformer_blocks.9.attn1.to_k.weight",
        "down_blocks.2.attentions.1.transformer_blocks.9.attn1.to_k.weight",
        sizes=(Size(_LABELS, 1, (2816,)),), variants=_EDITS,
    ),
    _row(
        "sd35", _JOINT, _PATCHES, _CONTEXT, lacks=(_SINGLE,),
        variants=(
            Variant("3.5 medium", needs=("transformer_blocks.0.attn2.to_q.weight",)),
            Variant("3.5 large", sizes=(Size(_PATCHES, 0, (2432,)),)),
            Variant("3 medium", sizes=(Size(_PATCHES, 0, (1536,)),)),
        ),
    ),
    _row("auraflow", "joint_transformer_blocks.0.attn.add_q_proj.weight", _PATCHES, _CONTEXT),
    _row(
        "flux2", "double_stream_modulation_img.linear.weight",
        "single_transformer_blocks.0.attn.to_qkv_mlp_proj.weight", _CONTEXT,
        variants=(
            Variant("dev", sizes=(Size(_CONTEXT, 1, (15360,)),)),
            Variant("klein 4B", sizes=(Size(_CONTEXT, 1, (7680,)),)),
            Variant("klein 9B", sizes=(Size(_CONTEXT, 1, (12288,)),)),
        ),
    ),
    _row("chroma", "distilled_guidance_layer.in_proj.weight", _SINGLE, _JOINT),
    _row(
        "flux", _SINGLE, _JOINT, _IN, "time_text_embed.text_embedder.linear_1.weight",
        variants=(
            Variant("Fill", needs=(_GUIDANCE,), sizes=(Size(_IN, 1, (384,)),)),
            Variant("Canny or Depth", needs=(_GUIDANCE,), sizes=(Size(_IN, 1, (128,)),)),
            Variant("dev, Krea dev or Kontext", needs=(_GUIDANCE,)),
            Variant("schnell", distilled_from="FLUX.1 dev"),
        ),
    ),
    _row(
        "zimage", "all_x_embedder.2-1.weight", "layers.0.attention.to_q.weight", "cap_embedder.1.weight",
        sizes=(Size("cap_embedder.1.weight", 0, (3840,)),),
    ),
    _row(
        "lumina2", _CAPTION, "layers.0.attn.to_q.weight", lacks=("ref_image_patch_embedder.weight",),
        sizes=(Size(_CAPTION, 0, (2304,)),),
    ),
    _row("krea2", "text_fusion.projector.weight", "transformer_blocks.0.attn.to_gate.weight"),
    # Cosmos' own class, without the adapter for the text encoder, which lies in a file of its own.
    _row(
        "anima", "patch_embed.proj.weight", "transformer_blocks.0.norm1.linear_1.weight",
        "time_embed.t_embedder.linear_1.weight", label="Anima or Cosmos Predict 2",
    ),
    _row("wan22_5b", *_WAN, _WAN_IN, sizes=(Size("proj_out.weight", 0, (192,)),)),
    _row("wan21_i2v", *_WAN, _WAN_IN, _WAN_IMAGE),
    _row("wan22_i2v", *_WAN, _WAN_IN, sizes=(Size(_WAN_IN, 1, (36,)),)),
    _row("wan", *_WAN, _WAN_IN),
)  # fmt: skip


def architecture_by_diffusers(tensors: Mapping[str, Tensor]) -> Architecture | None:
    """Return the architecture of a model with Diffusers' names; None where no row fits."""
    return next((each for each in DIFFUSERS_NAMES if each.fits(tensors)), None)
