"""Base models and model families: the tables that combos, captions, trainers, panel and docs read, one row each.

A *family* has one architecture, and so one way to be trained; its facts are attributes of its row. A *base model* is a
checkpoint of a family with what differs: name, caption profile, own resolution.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from .errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable

Objective = Literal["noise", "flow"]
"""What a step predicts: the noise (or its velocity) of a diffusion model, or the flow of a rectified-flow model."""

Half = Literal["", "high noise", "low noise"]
"""The denoiser that draws first, from noise, or the one that goes on from it; empty for a model of one denoiser."""

TokenizerName = Literal["clip", "t5"]


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file that a family needs besides its checkpoint.

    ``part`` is its key in `TrainingConfig.model_files`, on the command line and on the node; ``folders`` are
    ComfyUI's folders that hold it (``folder_paths.py``), the first one first.
    """

    part: str
    label: str
    folders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Family:
    """A model architecture.

    ``convolutions`` says whether its denoiser has convolution layers besides those at its ends. ``files`` are needed
    besides the checkpoint, which lies in ``folders`` of ComfyUI. ``text_encoders`` are named as in ComfyUI.
    ``token_limits`` are the caption lengths that trainers can be set to; the largest is the default. ``alpha_share`` is
    the default alpha as a share of the network's dim. ``lora_prefixes`` begin the keys of a LoRA that ComfyUI loads for
    it (``comfy/lora.py``), kohya's form first. A LoRA is recognised by ``lora_signature``, a regular expression for
    names of layers that only this family has; ``lora_as`` names the family that it is taken for where both have the
    same names, which may itself be taken for another (`lora_families`). A checkpoint is recognised by the rows of
    `checkpoints.architectures` that name the family. ``repository`` at Hugging Face has all parts of its usual base
    model, in Diffusers' form. ``vae`` names the VAE that is not in its checkpoints, as `checkpoints.parts` does; text
    encoders have the same names there.
    """

    name: str
    label: str
    objective: Objective
    convolutions: bool
    resolution: int
    text_encoders: tuple[str, ...]
    tokenizer: TokenizerName
    token_limits: tuple[int, ...]
    lora_prefixes: tuple[str, ...]
    lora_signature: str = ""
    lora_as: str = ""
    files: tuple[ModelFile, ...] = ()
    folders: tuple[str, ...] = ("checkpoints",)
    alpha_share: float = 0.5
    repository: str = ""
    vae: str = ""

    @property
    def is_diffusion(self) -> bool:
        """Whether it predicts noise: v-prediction, Min-SNR and noise offset mean something only then."""
        return self.objective == "noise"

    @property
    def skips_clip(self) -> bool:
        """Whether CLIP-L is its only text encoder, the last layers of which some of its models leave out."""
        return self.text_encoders == ("clip_l",)

    @property
    def takes_second_last(self) -> bool:
        """Whether it always takes the second-last layer of two CLIPs, as all its models were trained (SDXL)."""
        return self.text_encoders == ("clip_l", "clip_g")

    @property
    def parts(self) -> tuple[str, ...]:
        """The keys of its files in `TrainingConfig.model_files`."""
        return tuple(file.part for file in self.files)

    @property
    def lora_families(self) -> tuple[str, ...]:
        """The families, by name, that a LoRA of it may be taken for, itself first."""
        return (self.name, *(family(self.lora_as).lora_families if self.lora_as else ()))


_TEXT_ENCODERS = ("text_encoders",)  # ComfyUI maps its former name, clip, to it (``folder_paths.map_legacy``)
_CLIP = (75, 150, 225)  # sd-scripts v0.10.1, --max_token_length: chunks of CLIP's 77 less its two marks
_T5 = (512,)  # FLUX.1 dev, Chroma; sd-scripts v0.10.1, flux_train_utils.py, --t5xxl_max_token_length

# Names of layers as Diffusers and as Stability's own code have them, with dots or, in kohya's form, underscores. SD 1.5
# has attention in its outermost blocks, where SDXL has none; SDXL has several transformer blocks in a row.
_SD15_LAYERS = (
    r"down_blocks[._]0[._]attentions|up_blocks[._]3[._]attentions"
    r"|input_blocks[._][12][._]1[._]|output_blocks[._](?:9|10|11)[._]1[._]"
)
_SDXL_LAYERS = r"(?:attentions[._]\d+|_blocks?[._]\d+[._]1|middle_block[._]1)[._]transformer_blocks[._][1-9]"
# Z-Image has adaLN_modulation.0 where Lumina 2 has .1.
_LUMINA_LAYERS = r"(?:layers|noise_refiner)[._]\d+[._](?:adaLN_modulation[._]1|attn[._]to_)"  # the second of Diffusers
# By the names of its authors' code and by Diffusers'.
_WAN_LAYERS = (
    r"(?:^|(?<!transformer)(?<!1d)[._])blocks[._]\d+[._]"
    r"(?:(?:self|cross)_attn[._](?:[qkvo]|[kv]_img)(?:\.|$)|attn[12][._]to_|ffn[._])"
)
_FLUX_LAYERS = r"(?:^|[._])(?:double_blocks|single_blocks|single_transformer_blocks)[._]\d"

_CLIP_L = ModelFile("clip_l", "Small text encoder of Flux, SD 3.5 and HunyuanVideo (CLIP-L)", _TEXT_ENCODERS)
_CLIP_G = ModelFile("clip_g", "Second text encoder of SD 3.5 (CLIP-G)", _TEXT_ENCODERS)
_T5XXL = ModelFile("t5xxl", "Large text encoder of Flux, Chroma and SD 3.5 (T5-XXL)", _TEXT_ENCODERS)
_AE = ModelFile("ae", "Flux's autoencoder, which Chroma, Lumina 2 and Z-Image have too", ("vae",))
_TEXT_ENCODER = ModelFile(
    "text_encoder", "Text encoder that is a language model (Qwen, Gemma, Mistral, Llama), or UMT5", _TEXT_ENCODERS
)
_BYT5 = ModelFile("byt5", "Small text encoder of HunyuanImage (byT5)", _TEXT_ENCODERS)
_VAE = ModelFile("vae", "Autoencoder (VAE) of newer models such as Anima, Qwen-Image, HunyuanImage and Wan", ("vae",))

# Chroma, HunyuanImage and FLUX.2 have layers of Flux's names too, and stand before it.
FAMILIES: tuple[Family, ...] = (
    Family(
        "sd15", "SD 1.5", "noise", convolutions=True, resolution=512,
        text_encoders=("clip_l",), tokenizer="clip", token_limits=_CLIP,
        lora_prefixes=(
            "lora_unet_", "lora_te_", "lora_te1_", "unet.", "text_encoder.", "lycoris_", "diffusion_model.",
            "text_encoders.",
        ),
        lora_signature=_SD15_LAYERS,
    ),
    Family(
        "sdxl", "SDXL", "noise", convolutions=True, resolution=1024,
        text_encoders=("clip_l", "clip_g"), tokenizer="clip", token_limits=_CLIP,
        lora_prefixes=(
            "lora_unet_", "lora_te1_", "lora_te2_", "unet.", "text_encoder.", "text_encoder_2.", "lycoris_",
            "diffusion_model.", "text_encoders.",
        ),
        lora_signature=_SDXL_LAYERS,
    ),
    Family(
        "sd35", "SD 3.5", "flow", convolutions=False, resolution=1024,
        text_encoders=("clip_l", "clip_g", "t5xxl"), tokenizer="t5",
        token_limits=(256,),  # sd-scripts v0.10.1, sd3_train_utils.py, --t5xxl_max_token_length  # SD 3 has none
        lora_prefixes=(
            "lora_unet_", "lora_te1_", "lora_te2_", "lora_te3_", "transformer.", "lora_transformer_", "lycoris_",
            "base_model.model.", "diffusion_model.", "text_encoders.",
        ),
        lora_signature=r"joint_blocks[._]\d",
        files=(_CLIP_L, _CLIP_G, _T5XXL),
        folders=("checkpoints", "diffusion_models"),
    ),
    Family(
        "chroma", "Chroma", "flow", convolutions=False, resolution=1024,
        text_encoders=("t5xxl",), tokenizer="t5", token_limits=_T5,
        lora_prefixes=(
            "lora_unet_", "transformer.", "lora_transformer_", "lycoris_", "diffusion_model.", "text_encoders.",
        ),
        lora_as="flux",
        files=(_T5XXL, _AE), vae="flux",
        folders=("diffusion_models", "checkpoints"),
    ),
    Family(
        "anima", "Anima", "flow", convolutions=False, resolution=1024,
        text_encoders=("qwen3_06b",), tokenizer="t5",  # its adapter reads T5's tokens beside Qwen3's
        token_limits=(512,),  # sd-scripts v0.10.1, anima_train_utils.py, --qwen3_max_token_length
        lora_prefixes=("lora_unet_", "lora_te_", "diffusion_model.", "text_encoders."),
        # The second as SimpleTuner writes it (helpers/models/anima/transformer.py).
        lora_signature=r"(?:^|[._])blocks[._]\d+[._]cross_attn[._][qkv]_proj|core[._]transformer_blocks[._]\d+[._]attn",
        files=(_TEXT_ENCODER, _VAE), vae="qwen_image",
        folders=("diffusion_models",),
    ),
    Family(
        "lumina2", "Lumina 2", "flow", convolutions=False, resolution=1024,
        text_encoders=("gemma2_2b",), tokenizer="t5",  # assumed to count no fewer than Gemma's
        token_limits=(256,),  # sd-scripts v0.10.1, lumina_train_util.py, --gemma2_max_token_length
        lora_prefixes=("lora_unet_", "lora_te_", "diffusion_model.", "text_encoders."),
        lora_signature=_LUMINA_LAYERS,
        files=(_TEXT_ENCODER, _AE), vae="flux",
        folders=("diffusion_models", "checkpoints"),
    ),
    Family(
        "hunyuan_image", "HunyuanImage 2.1", "flow", convolutions=False, resolution=2048,
        text_encoders=("qwen25_7b", "byt5"), tokenizer="t5",  # assumed to count no fewer than Qwen's
        token_limits=(1000,),  # sd-scripts v0.10.1, hunyuan_image_text_encoder.py
        lora_prefixes=("lora_unet_", "diffusion_model.", "text_encoders."),
        lora_signature=r"(?:double|single)_blocks[._]\d+[._](?:(?:img|txt)_mlp[._]fc\d|\w*mod\w*[._]linear)",
        lora_as="flux",  # where it has attention layers alone
        files=(_TEXT_ENCODER, _BYT5, _VAE), vae="hunyuan_image",
        folders=("diffusion_models",),
    ),
    # Video models, trained on single images as clips of one frame. ComfyUI 0.26.0 knows the layers of Wan by the names
    # of its authors' code alone (``comfy/lora.py``); its 1.3B and 14B, and 2.1 and 2.2, have the same ones.
    Family(
        "wan21", "Wan 2.1", "flow", convolutions=False, resolution=960,
        text_encoders=("umt5xxl",), tokenizer="t5", token_limits=(512,),
        lora_prefixes=("lora_unet_", "diffusion_model."), lora_signature=_WAN_LAYERS,
        files=(_TEXT_ENCODER, _VAE), vae="qwen_image",  # the same autoencoder but for its latents' scale
        folders=("diffusion_models",),
        repository="Wan-AI/Wan2.1-T2V-14B-Diffusers",
    ),
    Family(
        "wan22", "Wan 2.2", "flow", convolutions=False, resolution=960,
        text_encoders=("umt5xxl",), tokenizer="t5", token_limits=(512,),
        lora_prefixes=("lora_unet_", "diffusion_model."), lora_as="wan21",
        files=(_TEXT_ENCODER, _VAE), vae="qwen_image",
        folders=("diffusion_models",),
        # In bf16, as ai-toolkit's window has it (ui/src/app/jobs/new/options.tsx); Wan-AI's own is in fp32.
        repository="ai-toolkit/Wan2.2-T2V-A14B-Diffusers-bf16",
    ),
    Family(
        "wan22_5b", "Wan 2.2 5B", "flow", convolutions=False, resolution=960,
        text_encoders=("umt5xxl",), tokenizer="t5", token_limits=(512,),
        lora_prefixes=("lora_unet_", "diffusion_model."), lora_as="wan21",
        files=(_TEXT_ENCODER, _VAE), vae="wan22",
        folders=("diffusion_models",),
        repository="Wan-AI/Wan2.2-TI2V-5B-Diffusers",
    ),
    # It draws sound too. Trainers read it from a folder of all parts, or from a checkpoint with all but its encoder.
    Family(
        "ltx2", "LTX-2", "flow", convolutions=False, resolution=768,
        text_encoders=("gemma3_12b",), tokenizer="t5",  # assumed to count no fewer than Gemma's
        token_limits=(1024,),  # SimpleTuner 4.8, helpers/models/ltxvideo2/model.py, check_user_config
        lora_prefixes=("lora_unet_", "diffusion_model.", "transformer_blocks."),
        lora_signature=r"transformer_blocks[._]\d+[._](?:audio_(?:attn|ff|to_video)|video_to_audio)",
        files=(_TEXT_ENCODER,),
        folders=("checkpoints", "diffusion_models"),
        repository="Lightricks/LTX-2",
    ),
    # Its encoders in the order of Diffusers. Its layers have the names of HunyuanImage's.
    Family(
        "hunyuan_video", "HunyuanVideo", "flow", convolutions=False, resolution=960,
        text_encoders=("llama3_8b", "clip_l"), tokenizer="t5",  # assumed to count no fewer than Llama's
        token_limits=(256,),  # musubi-tuner 0.3.4, hunyuan_model/text_encoder.py, load_text_encoder_1
        lora_prefixes=("lora_unet_", "transformer.", "diffusion_model."), lora_as="hunyuan_image",
        files=(_TEXT_ENCODER, _CLIP_L, _VAE), vae="hunyuan_video",
        folders=("diffusion_models",),
        repository="hunyuanvideo-community/HunyuanVideo",
    ),
    # Their limits: OneTrainer 23df383, modules/model/*Model.py, PROMPT_MAX_LENGTH. T5's estimate is assumed to count
    # no fewer tokens than those of Qwen and Mistral; not measured. Keys that ComfyUI 0.26 loads: comfy/lora.py.
    Family(
        "flux2", "FLUX.2", "flow", convolutions=False, resolution=1024,
        text_encoders=("qwen3_or_mistral3",), tokenizer="t5", token_limits=(512,),
        lora_prefixes=("lora_unet_", "transformer.", "lora_transformer_", "lycoris_", "diffusion_model."),
        lora_signature=r"single_transformer_blocks[._]\d+[._]attn[._]to_qkv_mlp_proj",
        lora_as="flux",  # where its layers have the names of its authors' code
        files=(_TEXT_ENCODER, _VAE), vae="flux2",
        folders=("diffusion_models",),
    ),
    Family(
        "zimage", "Z-Image", "flow", convolutions=False, resolution=1024,
        text_encoders=("qwen3_4b",), tokenizer="t5", token_limits=(512,),
        lora_prefixes=("lora_unet_", "transformer.", "lycoris_", "diffusion_model."),
        # Lumina 2 has adaLN_modulation.1 and, in Diffusers' names, attn.
        lora_signature=r"layers[._]\d+[._](?:adaLN_modulation[._]0|attention[._]to_(?:q|k|v|out))",
        files=(_TEXT_ENCODER, _AE), vae="flux",
        folders=("diffusion_models",),
    ),
    Family(
        "krea2", "Krea 2", "flow", convolutions=False, resolution=1024,
        text_encoders=("qwen3vl_4b",), tokenizer="t5", token_limits=(512,),
        lora_prefixes=("lora_unet_", "transformer.", "lycoris_", "diffusion_model."),
        # The others are Diffusers' names.
        lora_signature=r"(?:^|[._])blocks[._]\d+[._]attn[._]w[qkvo](?:[._]|$)|text_fusion[._]|attn[._]to_gate(?:\.|$)",
        files=(_TEXT_ENCODER, _VAE), vae="qwen_image",
        folders=("diffusion_models",),
    ),
    Family(
        "qwen_image", "Qwen-Image", "flow", convolutions=False, resolution=1024,
        text_encoders=("qwen25_7b",), tokenizer="t5", token_limits=(512,),
        lora_prefixes=("lora_unet_", "transformer.", "lycoris_", "diffusion_model.", "transformer_blocks."),
        # With attention alone: only this family has more than 38 blocks of that name.
        lora_signature=(
            r"transformer_blocks[._]\d+[._](?:img|txt)_m(?:lp|od)"
            r"|(?<!single_)transformer_blocks[._](?:3[89]|[45]\d)[._]attn[._]"
        ),
        files=(_TEXT_ENCODER, _VAE), vae="qwen_image",
        folders=("diffusion_models",),
    ),
    # SimpleTuner 4.8, check_user_config of its AuraFlow: 768 for Pony V7, and less before.
    Family(
        "auraflow", "AuraFlow", "flow", convolutions=False, resolution=1024,
        text_encoders=("pile_t5xl",), tokenizer="t5", token_limits=(768,),
        lora_prefixes=("lora_unet_", "transformer.", "diffusion_model."),
        lora_signature=r"(?:joint_transformer_blocks|double_layers|single_layers)[._]\d",
        files=(_TEXT_ENCODER, _VAE), vae="sd",
        folders=("checkpoints", "diffusion_models"),
    ),
    Family(
        "hidream", "HiDream I1", "flow", convolutions=False, resolution=1024,
        text_encoders=("clip_l", "clip_g", "t5xxl", "llama3_8b"), tokenizer="t5",
        token_limits=(128,),  # OneTrainer, modules/model/HiDreamModel.py, for each of its four text encoders
        lora_prefixes=("lora_unet_", "transformer.", "lycoris_", "diffusion_model."),
        lora_signature=r"(?:double|single)_stream_blocks[._]\d",
        files=(_CLIP_L, _CLIP_G, _T5XXL, _TEXT_ENCODER, _AE), vae="flux",
        folders=("diffusion_models",),
    ),
    # It reads tokens as a language model does, and has neither text encoder nor VAE; no trainer cuts captions.
    Family(
        "hidream_o1", "HiDream O1", "flow", convolutions=False, resolution=2048,
        text_encoders=(), tokenizer="t5", token_limits=(1024,),
        lora_prefixes=("lora_unet_", "diffusion_model."),
        lora_signature=r"language_model[._]layers[._]\d+[._](?:self_attn|mlp)[._]",
    ),
    Family(
        "ernie_image", "ERNIE-Image", "flow", convolutions=False, resolution=1024,
        text_encoders=("ministral3_3b",), tokenizer="t5", token_limits=(512,),
        lora_prefixes=("lora_unet_", "transformer.", "diffusion_model."),
        lora_signature=r"layers[._]\d+[._](?:self_attention[._]to_|mlp[._](?:gate_proj|up_proj|linear_fc2))",
        files=(_TEXT_ENCODER, _VAE), vae="flux2",
        folders=("diffusion_models",),
    ),
    Family(
        "ideogram4", "Ideogram 4", "flow", convolutions=False, resolution=1024,
        text_encoders=("qwen3vl_8b",), tokenizer="t5", token_limits=(2048,),
        lora_prefixes=("lora_unet_", "diffusion_model."),
        lora_signature=r"layers[._]\d+[._](?:attention[._]o(?:[._]|$)|adaln_modulation)",
        files=(_TEXT_ENCODER, _VAE), vae="flux2",
        folders=("diffusion_models",),
    ),
    Family(
        "flux", "Flux", "flow", convolutions=False, resolution=1024,
        text_encoders=("clip_l", "t5xxl"), tokenizer="t5", token_limits=_T5,
        lora_prefixes=(
            "lora_unet_", "lora_te1_", "lora_te2_", "transformer.", "lora_transformer_", "text_encoder.", "lycoris_",
            "diffusion_model.", "text_encoders.",
        ),
        lora_signature=_FLUX_LAYERS,
        files=(_CLIP_L, _T5XXL, _AE), vae="flux",
        folders=("diffusion_models", "checkpoints"),
        repository="black-forest-labs/FLUX.1-dev",
        alpha_share=1.0,  # ai-toolkit's example for Flux (train_lora_flux_24gb.yaml)
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class BaseModel:
    """A base model of a family.

    ``own_resolution`` is in pixels, 0 for its family's. ``captions`` names the base model whose caption profile it has,
    empty for one of its own. ``checkpoint`` is its file, if it is always the same; with ``v_prediction`` it predicts
    velocity. ``system_prompt`` stands before every caption that its text encoder reads.
    ``own_repository`` at Hugging Face has all its parts in Diffusers' form, empty for its family's. ``variant`` names
    it in the tables of trainers that tell the base models of a family apart, empty for the usual one. A distilled model
    is trained with an ``adapter`` (repository at Hugging Face, or a file of it) that takes the distillation back
    meanwhile. ``denoiser`` is the repository of its denoiser, where that of its other parts has the one of another base
    model. One that ``edits`` is made to be trained on pairs of images; where a trainer can do without the first one of
    a pair, it is trained on single images. ``half`` says of a model with two denoisers, which draw
    one after the other, which of them it is.
    """

    name: str
    label: str
    family: Family
    own_resolution: int = 0
    captions: str = ""
    checkpoint: str = ""
    v_prediction: bool = False
    system_prompt: str = ""
    own_repository: str = ""
    variant: str = ""
    adapter: str = ""
    denoiser: str = ""
    edits: bool = False
    half: Half = ""

    @property
    def kind(self) -> str:
        """The family and, after a colon, the variant if it is not the family's usual one."""
        return f"{self.family.name}:{self.variant}" if self.variant else self.family.name

    @property
    def repository(self) -> str:
        """Where trainers take from what a checkpoint of the denoiser alone lacks; empty where none has to."""
        return self.own_repository or self.family.repository

    @property
    def usual_checkpoint(self) -> str:
        """The repository that is its checkpoint for a trainer that downloads it; empty where none is known."""
        return self.denoiser or self.repository

    @property
    def resolution(self) -> int:
        """The side of a square image that it was trained on, in pixels: the default of a training."""
        return self.own_resolution or self.family.resolution


def family(name: str) -> Family:
    """Return the family called ``name``.

    Raises:
        SettingsError: there is none; the message names those there are.
    """
    for each in FAMILIES:
        if each.name == name:
            return each
    raise SettingsError(f"There is no model family {name!r}; known are: {', '.join(each.name for each in FAMILIES)}.")


def _prose(*rows: tuple[str, str, str, str]) -> tuple[BaseModel, ...]:
    """Return the base models of (name, label, kind, repository) that are captioned in sentences, as Flux is."""
    return tuple(
        BaseModel(
            name, label, family(kind.partition(":")[0]), captions="flux", own_repository=repository,
            variant=kind.partition(":")[2],
        )
        for name, label, kind, repository in rows
    )  # fmt: skip


def _edits(*rows: tuple[str, str, str, str]) -> tuple[BaseModel, ...]:
    """Return the edit models of (name, label, kind, repository)."""
    return tuple(replace(base, edits=True) for base in _prose(*rows))


BASE_MODELS: tuple[BaseModel, ...] = (
    BaseModel("sdxl", "SDXL 1.0", family("sdxl")),
    BaseModel("illustrious", "Illustrious XL", family("sdxl")),
    BaseModel("pony", "Pony Diffusion V6 XL", family("sdxl")),
    BaseModel("sd15", "Stable Diffusion 1.5", family("sd15")),
    BaseModel("flux", "FLUX.1 dev", family("flux")),
    BaseModel("noobai", "NoobAI-XL (epsilon)", family("sdxl"), captions="illustrious"),
    BaseModel("noobai_v", "NoobAI-XL (v-prediction)", family("sdxl"), captions="illustrious", v_prediction=True),
    BaseModel(
        "flux_krea", "FLUX.1 Krea dev", family("flux"), captions="flux",
        own_repository="black-forest-labs/FLUX.1-Krea-dev", variant="krea",
    ),
    BaseModel(
        "sd35", "Stable Diffusion 3.5", family("sd35"), own_repository="stabilityai/stable-diffusion-3.5-large",
    ),
    BaseModel("chroma", "Chroma1", family("chroma"), own_repository="lodestones/Chroma1-HD"),
    BaseModel("anima", "Anima", family("anima"), own_repository="circlestone-labs/Anima-Base-v1.0-Diffusers"),
    # The prompts of Lumina's own authors (sd-scripts v0.10.1, docs/lumina_train_network.md) and of Neta's.
    BaseModel(
        "lumina2", "Lumina Image 2.0", family("lumina2"), own_repository="Alpha-VLLM/Lumina-Image-2.0",
        system_prompt="You are an assistant designed to generate high-quality images based on user prompts.",
    ),
    BaseModel(
        "netayume", "NetaYume Lumina", family("lumina2"),
        system_prompt="You are an assistant designed to generate anime images based on textual prompts.",
    ),
    BaseModel("hunyuan_image", "HunyuanImage 2.1", family("hunyuan_image")),
    *_prose(("zimage", "Z-Image", "zimage", "Tongyi-MAI/Z-Image")),
    # What Z-Image Turbo is trained on: its distillation is taken back, and a LoRA of it works on Turbo.
    BaseModel(
        "zimage_deturbo", "Z-Image De-Turbo", family("zimage"), captions="flux",
        own_repository="Tongyi-MAI/Z-Image-Turbo", variant="deturbo", denoiser="ostris/Z-Image-De-Turbo",
    ),
    *_prose(
        ("krea2", "Krea 2 Raw", "krea2", "krea/Krea-2-Raw"),
        ("flux2_klein_4b", "FLUX.2 klein base 4B", "flux2:klein_4b", "black-forest-labs/FLUX.2-klein-base-4B"),
        ("flux2_klein_9b", "FLUX.2 klein base 9B", "flux2:klein_9b", "black-forest-labs/FLUX.2-klein-base-9B"),
        ("flux2", "FLUX.2 dev", "flux2", "black-forest-labs/FLUX.2-dev"),
        ("qwen_image", "Qwen-Image", "qwen_image", "Qwen/Qwen-Image"),
        ("qwen_image_2512", "Qwen-Image 2512", "qwen_image:2512", "Qwen/Qwen-Image-2512"),
    ),
    BaseModel(
        "flux_schnell", "FLUX.1 schnell", family("flux"), captions="flux",
        own_repository="black-forest-labs/FLUX.1-schnell", variant="schnell",
        adapter="ostris/FLUX.1-schnell-training-adapter",
    ),
    BaseModel(
        "zimage_turbo", "Z-Image Turbo", family("zimage"), captions="flux",
        own_repository="Tongyi-MAI/Z-Image-Turbo", variant="turbo",
        adapter="ostris/zimage_turbo_training_adapter/zimage_turbo_training_adapter_v2.safetensors",
    ),
    BaseModel(
        "krea2_turbo", "Krea 2 Turbo", family("krea2"), captions="flux",
        own_repository="krea/Krea-2-Turbo", variant="turbo",
        adapter="ostris/krea2_turbo_training_adapter/krea2_turbo_training_adapter_v1.safetensors",
    ),
    *_edits(
        ("flux_kontext", "FLUX.1 Kontext dev", "flux:kontext", "black-forest-labs/FLUX.1-Kontext-dev"),
        ("qwen_image_edit", "Qwen-Image-Edit", "qwen_image:edit", "Qwen/Qwen-Image-Edit"),
        ("qwen_image_edit_2509", "Qwen-Image-Edit 2509", "qwen_image:edit_2509", "Qwen/Qwen-Image-Edit-2509"),
        ("qwen_image_edit_2511", "Qwen-Image-Edit 2511", "qwen_image:edit_2511", "Qwen/Qwen-Image-Edit-2511"),
    ),
    *_prose(
        ("ernie_image", "ERNIE-Image", "ernie_image", "baidu/ERNIE-Image"),
        ("hidream", "HiDream I1 Full", "hidream", "HiDream-ai/HiDream-I1-Full"),
        ("hidream_o1", "HiDream O1", "hidream_o1", "HiDream-ai/HiDream-O1-Image"),
        ("auraflow", "AuraFlow 0.3", "auraflow", "terminusresearch/auraflow-v0.3"),
    ),
    BaseModel(
        "pony7", "Pony V7", family("auraflow"), own_repository="purplesmartai/pony-v7-base", variant="pony",
    ),
    BaseModel("ideogram4", "Ideogram 4", family("ideogram4"), own_repository="ideogram-ai/ideogram-4-fp8"),
    # Resolutions of the same area as the videos that their authors name: 832 × 480 and 1280 × 720.
    BaseModel("wan21_14b", "Wan 2.1 14B", family("wan21"), captions="flux"),
    BaseModel(
        "wan21_1_3b", "Wan 2.1 1.3B", family("wan21"), own_resolution=640, captions="flux", variant="1.3b",
        own_repository="Wan-AI/Wan2.1-T2V-1.3B-Diffusers",
    ),
    # Two denoisers, and a LoRA of each: that of one does not fit the other.
    BaseModel(
        "wan22_high", "Wan 2.2 14B (high noise)", family("wan22"), captions="flux", variant="high_noise",
        half="high noise",
    ),
    BaseModel(
        "wan22_low", "Wan 2.2 14B (low noise)", family("wan22"), captions="flux", variant="low_noise", half="low noise",
    ),
    BaseModel("wan22_5b", "Wan 2.2 5B", family("wan22_5b"), captions="flux"),
    BaseModel("hunyuan_video", "HunyuanVideo", family("hunyuan_video"), captions="flux"),
    BaseModel("ltx2", "LTX-2", family("ltx2"), captions="flux"),
    BaseModel(
        "ltx23", "LTX-2.3", family("ltx2"), captions="flux", variant="2.3", own_repository="dg845/LTX-2.3-Diffusers",
    ),
)  # fmt: skip

GATED = frozenset((
    "black-forest-labs/FLUX.1-dev",
    "black-forest-labs/FLUX.1-Kontext-dev",
    "black-forest-labs/FLUX.1-Krea-dev",
    "black-forest-labs/FLUX.1-schnell",
    "black-forest-labs/FLUX.2-dev",
    "black-forest-labs/FLUX.2-klein-base-9B",
    "ideogram-ai/ideogram-4-fp8",
    "krea/Krea-2-Raw",
    "krea/Krea-2-Turbo",
    "meta-llama/Llama-3.1-8B-Instruct",
    "stabilityai/stable-diffusion-3.5-large",
))  # fmt: skip
"""Repositories at Hugging Face that are downloaded only after one has accepted their licence and logged in."""


_custom: list[BaseModel] = []


def set_custom_base_models(rows: Iterable[BaseModel]) -> None:
    """Set the base models of ``lorads.toml``, in place of those of a file read before."""
    _custom[:] = rows


def base_models() -> tuple[BaseModel, ...]:
    """Return all base models: ours, then those of ``lorads.toml``."""
    return (*BASE_MODELS, *_custom)


def base_model_names() -> tuple[str, ...]:
    """Return the names of all base models, as combos and the command line offer them."""
    return tuple(base.name for base in base_models())


def base_model(name: str) -> BaseModel:
    """Return the row called ``name``.

    Raises:
        SettingsError: there is none; the message names those there are.
    """
    for base in base_models():
        if base.name == name:
            return base
    raise SettingsError(f"There is no base model {name!r}; known are: {', '.join(base_model_names())}.")


def model_parts() -> tuple[ModelFile, ...]:
    """Return the files that any family needs besides its checkpoint, each part once."""
    return tuple({file.part: file for each in FAMILIES for file in each.files}.values())


def checkpoint_folders() -> tuple[str, ...]:
    """Return ComfyUI's folders that hold checkpoints of any family, each once."""
    return tuple(dict.fromkeys(folder for each in FAMILIES for folder in each.folders))


def recognised_lora(tensors: Iterable[str]) -> Family | None:
    """Return the family of a LoRA by the names of its tensors; None where no row knows them."""
    names = "\n".join(tensors)
    rows = (each for each in FAMILIES if each.lora_signature)
    return next((each for each in rows if re.search(each.lora_signature, names, re.MULTILINE)), None)
