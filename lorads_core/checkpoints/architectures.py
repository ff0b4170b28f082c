"""Architectures of models: the table of tensors by which each is known, those that LoRADS cannot train included.

The names of tensors are facts of the models' own files; the order is that of ComfyUI 0.26.0
(``comfy/model_detection.py``), against which `tests/checkpoints/golden` holds the table. The first row that fits wins.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .header import Tensor

PREFIXES = ("model.diffusion_model.", "diffusion_model.", "net.", "model.model.", "model.", "")
"""What stands before a denoiser's tensors (``comfy/model_detection.py``, ``unet_prefix_from_state_dict``)."""

V_PREDICTION = ("v_pred", "edm_vpred.sigma_max")
"""Tensors by which a checkpoint says that it predicts velocity (ComfyUI 0.26.0, comfy/supported_models.py, SDXL)."""


@dataclass(frozen=True, slots=True)
class Size:
    """A size of a tensor: that along ``axis`` is one of ``values``; one that is missing fits none."""

    tensor: str
    axis: int
    values: tuple[int, ...]

    def fits(self, tensors: Mapping[str, Tensor]) -> bool:
        """Whether these tensors have it."""
        shape = tensors[self.tensor].shape if self.tensor in tensors else ()
        return -len(shape) <= self.axis < len(shape) and shape[self.axis] in self.values


@dataclass(frozen=True, slots=True)
class Variant:
    """What tells models of one architecture apart.

    ``distilled_from`` names what is trained instead where it is a distilled model, which training spoils. With
    ``apart`` it has LoRAs of its family, of which LoRADS trains none: it needs more than images and captions.
    """

    label: str
    needs: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    sizes: tuple[Size, ...] = ()
    distilled_from: str = ""
    apart: bool = False

    def fits(self, tensors: Mapping[str, Tensor]) -> bool:
        """Whether these tensors, without a prefix, are its own."""
        return _fits(self.needs, self.lacks, self.sizes, tensors)


@dataclass(frozen=True, slots=True)
class Architecture:
    """An architecture of a denoiser.

    ``families`` are the families of `base_models` that it can be: none where LoRADS has none, several where tensors
    alone do not tell. A file is of it where it has all tensors of ``needs`` (``a|b``: one of them), none of ``lacks``
    and all ``sizes``. ``apart`` is that of a `Variant`. Its depth is the count of blocks named ``blocks``. ``unsaid``
    names what tensors cannot tell. ``pipelines`` are Diffusers' classes of it (``model_index.json``); those of its
    families that have two denoisers, of which a pipeline then has both, are in ``pairs``.
    """

    name: str
    label: str
    families: tuple[str, ...]
    needs: tuple[str, ...]
    lacks: tuple[str, ...] = ()
    sizes: tuple[Size, ...] = ()
    variants: tuple[Variant, ...] = ()
    blocks: str = ""
    unsaid: str = ""
    pipelines: tuple[str, ...] = ()
    pairs: tuple[str, ...] = ()
    apart: bool = False

    def fits(self, tensors: Mapping[str, Tensor]) -> bool:
        """Whether these tensors, without a prefix, are its own."""
        return _fits(self.needs, self.lacks, self.sizes, tensors)

    def variant(self, tensors: Mapping[str, Tensor]) -> Variant | None:
        """Return the variant that tensors are of, None where none is known."""
        return next((each for each in self.variants if each.fits(tensors)), None)

    def depth(self, names: Iterable[str]) -> int:
        """Return the number of its blocks, 0 where that does not matter."""
        pattern = re.compile(rf"{re.escape(self.blocks)}\.(\d{{1,4}})\.")
        found = {int(match[1]) for name in names if (match := pattern.match(name))} if self.blocks else ()
        return len(found)


def _fits(needs: Iterable[str], lacks: Iterable[str], sizes: Iterable[Size], tensors: Mapping[str, Tensor]) -> bool:
    has_all = all(any(name in tensors for name in each.split("|")) for each in needs)
    return has_all and not any(name in tensors for name in lacks) and all(each.fits(tensors) for each in sizes)


_FLUX_KEY = "double_blocks.0.img_attn.norm.key_norm.scale|double_blocks.0.img_attn.norm.key_norm.weight"
_CHROMA_KEY = "|".join(
    f"distilled_guidance_layer.{each}.{end}" for each in ("norms.0", "0.norms.0") for end in ("scale", "weight")
)
_NERF = "nerf_blocks.0.norm.scale|nerf_blocks.0.norm.weight"
_HUNYUAN = "txt_in.individual_token_refiner.blocks.0.norm1.weight"
_LUMINA = ("cap_embedder.1.weight", "noise_refiner.0.attention.k_norm.weight")
_LTX = "adaln_single.emb.timestep_embedder.linear_1.bias"
_LTX23 = "prompt_adaln_single.linear.weight"
_COSMOS = "blocks.0.mlp.layer1.weight"
_ANIMA_ADAPTER = "llm_adapter.blocks.0.cross_attn.q_proj.weight"
_WAN = "head.modulation"
_WAN_IMAGE = "img_emb.proj.0.bias"
_WAN_EXTRAS = (
    "vace_patch_embedding.weight", "control_adapter.conv.weight",
    "casual_audio_encoder.encoder.final_linear.weight", "audio_proj.audio_proj_glob_1.layer.bias",
    "face_adapter.fuser_blocks.0.k_norm.weight", "patch_embedding_mask.weight", "patch_embedding_pose.weight",
    "patch_embedding_global.weight",
)  # fmt: skip
_UNET = "input_blocks.0.0.weight"
_SD_ATTENTION = "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
_TIME_STACKS = (
    "input_blocks.1.1.time_stack.0.attn1.to_q.weight", "input_blocks.1.1.time_mix_blocks.0.attn1.to_q.weight",
)  # fmt: skip
_LABELS = "label_emb.0.0.weight"
_INPAINTING = Variant("inpainting", sizes=(Size(_UNET, 1, (9,)),))
_EDITING = Variant("InstructPix2Pix", sizes=(Size(_UNET, 1, (8,)),))
_WAN_WIDTHS = (
    Variant("1.3B", sizes=(Size(_WAN, -1, (1536,)),)),
    Variant("14B", sizes=(Size(_WAN, -1, (5120,)),)),
)

ARCHITECTURES: tuple[Architecture, ...] = (
    Architecture(
        "sd35",
        "Stable Diffusion 3",
        ("sd35",),
        ("joint_blocks.0.context_block.attn.qkv.weight",),
        variants=(
            Variant("3.5 medium", needs=("joint_blocks.0.x_block.attn2.qkv.weight",)),
            Variant("3.5 large", sizes=(Size("x_embedder.proj.weight", 0, (2432,)),)),
            Variant("3 medium", sizes=(Size("x_embedder.proj.weight", 0, (1536,)),)),
        ),
        unsaid="large and large turbo",
        pipelines=("StableDiffusion3Pipeline",),
    ),
    Architecture("stable_cascade", "Stable Cascade", (), ("clf.1.weight",), pipelines=("StableCascadePriorPipeline",)),
    Architecture("stable_audio", "Stable Audio", (), ("transformer.rotary_pos_emb.inv_freq",)),
    Architecture(
        "auraflow",
        "AuraFlow",
        ("auraflow",),
        ("double_layers.0.attn.w1q.weight",),
        unsaid="AuraFlow and Pony 7",
        pipelines=("AuraFlowPipeline",),
    ),
    Architecture("hunyuan_dit", "HunyuanDiT", (), ("mlp_t5.0.weight",), pipelines=("HunyuanDiTPipeline",)),
    Architecture(
        "hunyuan_video_15",
        "HunyuanVideo 1.5",
        (),
        (_HUNYUAN, "vision_in.proj.0.weight"),
        pipelines=("HunyuanVideo15Pipeline",),
    ),
    Architecture(
        "hunyuan_video",
        "HunyuanVideo",
        ("hunyuan_video",),
        (_HUNYUAN, "vector_in.in_layer.weight"),
        variants=(
            Variant("text to video", sizes=(Size("img_in.proj.weight", 1, (16,)),)),
            Variant("image to video", sizes=(Size("img_in.proj.weight", 1, (33,)),), apart=True),
            Variant("SkyReels, image to video", sizes=(Size("img_in.proj.weight", 1, (32,)),), apart=True),
        ),
        pipelines=("HunyuanVideoPipeline",),
    ),
    Architecture(
        "hunyuan_image_refiner",
        "HunyuanImage 2.1 refiner",
        (),
        (_HUNYUAN,),
        sizes=(Size("img_in.proj.weight", 4, (1,)),),
    ),
    Architecture(
        "hunyuan_image",
        "HunyuanImage 2.1",
        ("hunyuan_image",),
        (_HUNYUAN,),
        variants=(Variant("distilled", needs=("guidance_in.in_layer.weight",), distilled_from="HunyuanImage 2.1"),),
        pipelines=("HunyuanImagePipeline",),
    ),
    Architecture(
        "flux2",
        "FLUX.2",
        ("flux2",),
        (_FLUX_KEY, "double_stream_modulation_img.lin.weight"),
        variants=(
            Variant("dev", sizes=(Size("txt_in.weight", 1, (15360,)),)),
            Variant("klein 4B", sizes=(Size("txt_in.weight", 1, (7680,)),)),
            Variant("klein 9B", sizes=(Size("txt_in.weight", 1, (12288,)),)),
        ),
        unsaid="klein base and distilled klein",
        pipelines=("Flux2Pipeline", "Flux2KleinPipeline"),
    ),
    Architecture("chroma_radiance", "Chroma Radiance", (), (_FLUX_KEY, _CHROMA_KEY, _NERF)),
    Architecture(
        "chroma",
        "Chroma",
        ("chroma",),
        (_FLUX_KEY, _CHROMA_KEY),
        unsaid="base, HD and flash",
        pipelines=("ChromaPipeline",),
    ),
    Architecture(
        "ovis_image",
        "Ovis-Image",
        (),
        (_FLUX_KEY, "double_blocks.0.img_mlp.gate_proj.weight", "txt_norm.weight|txt_norm.scale"),
        pipelines=("OvisImagePipeline",),
    ),
    Architecture(
        "longcat_image",
        "LongCat-Image",
        (),
        (_FLUX_KEY,),
        ("vector_in.in_layer.weight",),
        (Size("txt_in.weight", 1, (3584,)),),
        pipelines=("LongCatImagePipeline",),
    ),
    Architecture(
        "flux",
        "FLUX.1",
        ("flux",),
        (_FLUX_KEY,),
        variants=(
            Variant("Fill", needs=("guidance_in.in_layer.weight",), sizes=(Size("img_in.weight", 1, (384,)),)),
            Variant(
                "Canny or Depth", needs=("guidance_in.in_layer.weight",), sizes=(Size("img_in.weight", 1, (128,)),)
            ),
            Variant("dev, Krea dev or Kontext", needs=("guidance_in.in_layer.weight",)),
            Variant(
                "schnell",
                needs=("img_in.weight",),
                lacks=("guidance_in.in_layer.weight",),
                distilled_from="FLUX.1 dev",
            ),
        ),
        unsaid="dev, Krea dev and Kontext",
        pipelines=("FluxPipeline", "FluxKontextPipeline", "FluxFillPipeline"),
    ),
    Architecture("mochi", "Mochi", (), ("t5_yproj.weight",), pipelines=("MochiPipeline",)),
    Architecture(
        "ltx2",
        "LTX-2",
        ("ltx2",),
        (_LTX, "audio_adaln_single.linear.weight"),
        ("pos_embed.proj.bias",),
        variants=(Variant("2.3", needs=(_LTX23,)), Variant("2.0", lacks=(_LTX23,))),
        unsaid="2.3 and 2.5",
        pipelines=("LTX2Pipeline",),
    ),
    Architecture(
        "ltx_video",
        "LTX-Video",
        (),
        (_LTX,),
        ("pos_embed.proj.bias",),
        pipelines=("LTXPipeline",),
    ),
    Architecture(
        "pixart",
        "PixArt",
        (),
        ("t_block.1.weight|pos_embed.proj.bias",),
        pipelines=("PixArtAlphaPipeline", "PixArtSigmaPipeline"),
    ),
    Architecture(
        "ace_step", "ACE-Step", (), ("genre_embedder.weight|encoder.lyric_encoder.layers.0.input_layernorm.weight",)
    ),
    Architecture("cosmos", "Cosmos 1", (), ("blocks.block0.blocks.0.block.attn.to_q.0.weight",)),
    Architecture("pixeldit", "PixelDiT", (), ("core.pixel_embedder.proj.weight",)),
    Architecture("zimage_pixel", "Z-Image in pixel space", (), (*_LUMINA, "dec_net.cond_embed.weight")),
    Architecture(
        "zimage",
        "Z-Image",
        ("zimage",),
        _LUMINA,
        sizes=(Size("cap_embedder.1.weight", 0, (3840,)),),
        unsaid="base and Turbo",
        pipelines=("ZImagePipeline",),
    ),
    Architecture("newbie", "NewBie", (), (*_LUMINA, "clip_text_pooled_proj.0.weight")),
    Architecture(
        "lumina2",
        "Lumina 2",
        ("lumina2",),
        _LUMINA,
        sizes=(Size("cap_embedder.1.weight", 0, (2304,)),),
        unsaid="Lumina 2 and NetaYume",
        pipelines=("Lumina2Pipeline", "Lumina2Text2ImgPipeline"),
    ),
    Architecture("cogvideox", "CogVideoX", (), ("blocks.0.norm1.linear.weight",), pipelines=("CogVideoXPipeline",)),
    *(
        Architecture(
            f"wan_variant_{place}", "Wan with added inputs (VACE, camera, sound, animation)", (), (_WAN, extra)
        )
        for place, extra in enumerate(_WAN_EXTRAS)
    ),
    Architecture(
        "wan22_5b",
        "Wan 2.2 5B",
        ("wan22_5b",),
        (_WAN,),
        sizes=(Size("head.head.weight", 0, (192,)),),
    ),
    Architecture(
        "wan21_i2v",
        "Wan 2.1 image to video",
        ("wan21",),
        (_WAN, _WAN_IMAGE),
        variants=_WAN_WIDTHS,
        pipelines=("WanImageToVideoPipeline",),
        apart=True,
    ),
    Architecture(
        "wan22_i2v",
        "Wan 2.2 image to video",
        ("wan22",),
        (_WAN,),
        (_WAN_IMAGE,),
        (Size("patch_embedding.weight", 1, (36,)),),
        unsaid="high and low noise",
        apart=True,
    ),
    Architecture(
        "wan",
        "Wan 2.1 or 2.2 text to video",
        ("wan21", "wan22"),
        (_WAN,),
        variants=_WAN_WIDTHS,
        unsaid="2.1, and 2.2's high and low noise",
        pipelines=("WanPipeline",),
        pairs=("wan22",),
    ),
    Architecture("hunyuan_3d", "Hunyuan3D", (), ("latent_in.weight",)),
    Architecture("hunyuan_3d_21", "Hunyuan3D 2.1", (), ("t_embedder.mlp.2.weight", "blocks.0.attn1.k_norm.weight")),
    Architecture(
        "hidream_o1",
        "HiDream O1",
        ("hidream_o1",),
        ("t_embedder1.mlp.0.weight", "x_embedder.proj1.weight"),
        unsaid="full and dev",
    ),
    Architecture(
        "hidream",
        "HiDream I1",
        ("hidream",),
        ("caption_projection.0.linear.weight",),
        unsaid="full, dev, fast and E1",
        pipelines=("HiDreamImagePipeline",),
    ),
    Architecture(
        "anima", "Anima", ("anima",), (_COSMOS, _ANIMA_ADAPTER), blocks="blocks", pipelines=("AnimaPipeline",)
    ),
    Architecture(
        "cosmos_predict2",
        "Cosmos Predict 2",
        (),
        (_COSMOS,),
        blocks="blocks",
        pipelines=("Cosmos2TextToImagePipeline",),
    ),
    Architecture(
        "boogu",
        "Boogu-Image",
        (),
        ("double_stream_layers.0.img_instruct_attn.processor.img_to_q.weight",),
    ),
    Architecture(
        "omnigen2",
        "OmniGen 2",
        (),
        ("time_caption_embed.timestep_embedder.linear_1.bias",),
        pipelines=("OmniGen2Pipeline",),
    ),
    Architecture(
        "lens",
        "Lens",
        (),
        ("transformer_blocks.0.attn.norm_added_q.weight", "transformer_blocks.0.img_mlp.w1.weight"),
    ),
    Architecture(
        "qwen_image",
        "Qwen-Image",
        ("qwen_image",),
        ("txt_norm.weight", "transformer_blocks.0.attn.norm_added_q.weight"),
        variants=(
            Variant("Edit 2511", needs=("__index_timestep_zero__",)),
            Variant("Layered", needs=("time_text_embed.addition_t_embedding.weight",)),
        ),
        unsaid="Qwen-Image, 2512 and Edit",
        pipelines=(
            "QwenImagePipeline",
            "QwenImageEditPipeline",
            "QwenImageEditPlusPipeline",
            "QwenImageLayeredPipeline",
        ),
    ),
    Architecture(
        "ideogram4",
        "Ideogram 4",
        ("ideogram4",),
        ("embed_image_indicator.weight",),
        pipelines=("Ideogram4Pipeline",),
    ),
    Architecture(
        "krea2",
        "Krea 2",
        ("krea2",),
        ("txtfusion.projector.weight",),
        unsaid="Raw and Turbo",
        pipelines=("Krea2Pipeline",),
    ),
    Architecture("kandinsky5", "Kandinsky 5", (), ("visual_transformer_blocks.0.cross_attention.key_norm.weight",)),
    Architecture(
        "ernie_image",
        "ERNIE-Image",
        ("ernie_image",),
        ("layers.0.mlp.linear_fc2.weight",),
        unsaid="base and Turbo",
        pipelines=("ErnieImagePipeline",),
    ),
    Architecture("video_unet", "Stable Video Diffusion", (), (_UNET, "|".join(_TIME_STACKS))),
    Architecture(
        "sdxl_refiner",
        "SDXL refiner",
        (),
        (_UNET, _LABELS),
        sizes=(Size(_LABELS, 1, (2560,)),),
    ),
    Architecture(
        "koala",
        "KOALA, a smaller SDXL",
        (),
        (_UNET, _LABELS, "input_blocks.5.1.transformer_blocks.4.attn1.to_k.weight"),
    ),
    Architecture(
        "ssd1b",
        "SSD-1B or Vega, a smaller SDXL",
        (),
        (_UNET, _LABELS, "input_blocks.7.1.transformer_blocks.0.attn1.to_k.weight"),
        ("input_blocks.7.1.transformer_blocks.9.attn1.to_k.weight",),
    ),
    Architecture(
        "sdxl",
        "SDXL",
        ("sdxl",),
        (_UNET, _LABELS),
        ("input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight",),
        (Size(_LABELS, 1, (2816,)),),
        variants=(_INPAINTING, _EDITING),
        unsaid="SDXL, Illustrious, NoobAI and Pony",
        pipelines=("StableDiffusionXLPipeline", "StableDiffusionXLImg2ImgPipeline"),
    ),
    Architecture("sd2", "Stable Diffusion 2", (), (_UNET, _SD_ATTENTION), sizes=(Size(_SD_ATTENTION, 1, (1024,)),)),
    Architecture(
        "sd15",
        "Stable Diffusion 1.5",
        ("sd15",),
        (_UNET, _SD_ATTENTION),
        sizes=(Size(_SD_ATTENTION, 1, (768,)),),
        variants=(_INPAINTING, _EDITING),
        pipelines=("StableDiffusionPipeline",),
    ),
)


def architecture_of(tensors: Mapping[str, Tensor]) -> tuple[Architecture, dict[str, Tensor]] | None:
    """Return the architecture of a model and its denoiser's tensors without their prefix; None where no row fits."""
    for prefix in PREFIXES:
        own = {name[len(prefix) :]: each for name, each in tensors.items() if name.startswith(prefix)}
        if found := next((each for each in ARCHITECTURES if each.fits(own)), None):
            return found, own
    return None


def architecture_of_pipeline(name: str) -> Architecture | None:
    """Return the architecture of a class of Diffusers; None where no row has it."""
    return next((each for each in ARCHITECTURES if name in each.pipelines), None)
