"""Capture: which tensors ComfyUI's own models have, and what ComfyUI recognises by them.

    COMFYUI_PATH=… python tests/checkpoints/capture/comfyui_models.py

needs ComfyUI's Python with torch. It builds each model on the meta device, so without weights, asks
``comfy/model_detection.py`` what it is, and writes tests/checkpoints/golden/comfyui_models.json: of tensors that differ
in numbers alone the first, and all that a row of our table names.
"""

import ast
import json
import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
COMFYUI = os.environ.get("COMFYUI_PATH", str(Path.home() / "comfy" / "ComfyUI"))
sys.argv = sys.argv[:1]
sys.path[:0] = [COMFYUI]

import comfy.cli_args  # noqa: E402

comfy.cli_args.args.cpu = True

import comfy.model_detection  # noqa: E402
import comfy.ops  # noqa: E402
import comfyui_version  # noqa: E402
import torch  # noqa: E402

UNET = {
    "image_size": 32, "in_channels": 4, "out_channels": 4, "model_channels": 320, "num_res_blocks": [2, 2, 2, 2],
    "channel_mult": [1, 2, 4, 4], "use_spatial_transformer": True, "legacy": False,
    "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0], "transformer_depth_middle": 1,
    "transformer_depth_output": [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0],
}  # fmt: skip
SDXL = UNET | {
    "num_res_blocks": [2, 2, 2], "channel_mult": [1, 2, 4], "transformer_depth": [0, 0, 2, 2, 10, 10],
    "transformer_depth_middle": 10, "transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10],
    "use_linear_in_transformer": True, "num_classes": "sequential", "adm_in_channels": 2816, "context_dim": 2048,
    "num_head_channels": 64,
}  # fmt: skip
FLUX = {
    "image_model": "flux", "in_channels": 16, "out_channels": 16, "vec_in_dim": 768, "context_in_dim": 4096,
    "hidden_size": 3072, "mlp_ratio": 4.0, "num_heads": 24, "depth": 19, "depth_single_blocks": 38,
    "axes_dim": [16, 56, 56], "theta": 10000, "patch_size": 2, "qkv_bias": True, "guidance_embed": True,
    "txt_ids_dims": [],
}  # fmt: skip
FLUX2 = FLUX | {
    "image_model": "flux2", "in_channels": 128, "out_channels": 128, "vec_in_dim": None, "context_in_dim": 15360,
    "hidden_size": 6144, "mlp_ratio": 3.0, "num_heads": 48, "depth": 8, "depth_single_blocks": 48,
    "axes_dim": [32, 32, 32, 32], "theta": 2000, "patch_size": 1, "qkv_bias": False, "global_modulation": True,
    "mlp_silu_act": True, "ops_bias": False, "txt_ids_dims": [3],
}  # fmt: skip
HUNYUAN = {
    "image_model": "hunyuan_video", "in_channels": 16, "patch_size": [1, 2, 2], "out_channels": 16, "vec_in_dim": 768,
    "axes_dim": [16, 56, 56], "context_in_dim": 4096, "hidden_size": 3072, "mlp_ratio": 4.0, "num_heads": 24,
    "depth": 20, "depth_single_blocks": 40, "theta": 256, "qkv_bias": True, "guidance_embed": True, "byt5": False,
    "meanflow": False, "use_cond_type_embedding": False, "vision_in_dim": None, "meanflow_sum": False,
}  # fmt: skip
LUMINA = {
    "image_model": "lumina2", "patch_size": 2, "in_channels": 16, "dim": 2304, "cap_feat_dim": 2304, "n_layers": 26,
    "n_refiner_layers": 2, "qk_norm": True, "n_heads": 24, "n_kv_heads": 8, "axes_dims": [32, 32, 32],
    "axes_lens": [300, 512, 512], "rope_theta": 10000.0, "ffn_dim_multiplier": 4.0,
}  # fmt: skip
ZIMAGE = LUMINA | {
    "dim": 3840, "cap_feat_dim": 2560, "n_layers": 30, "n_heads": 30, "n_kv_heads": 30, "axes_dims": [32, 48, 48],
    "axes_lens": [1536, 512, 512], "rope_theta": 256.0, "ffn_dim_multiplier": 8.0 / 3.0, "z_image_modulation": True,
    "time_scale": 1000.0, "pad_tokens_multiple": 32,
}  # fmt: skip
WAN = {
    "image_model": "wan2.1", "model_type": "t2v", "dim": 5120, "out_dim": 16, "num_heads": 40, "ffn_dim": 13824,
    "num_layers": 40, "patch_size": (1, 2, 2), "freq_dim": 256, "window_size": (-1, -1), "qk_norm": True,
    "cross_attn_norm": True, "eps": 1e-6, "in_dim": 16,
}  # fmt: skip
WIDE_WAN = WAN | {
    "dim": 3072, "in_dim": 48, "out_dim": 48, "ffn_dim": 14336, "num_heads": 24, "num_layers": 30,
}  # fmt: skip
# What is not told by tensors stands in the metadata of its file (Lightricks/LTX-2.3).
LTX23 = {
    "apply_gated_attention": True, "cross_attention_adaln": True, "caption_proj_before_connector": True,
    "caption_projection_first_linear": False, "connector_apply_gated_attention": True, "connector_num_layers": 8,
    "connector_num_attention_heads": 32, "audio_connector_num_attention_heads": 32,
    "audio_connector_attention_head_dim": 64,
}  # fmt: skip
COSMOS = {
    "image_model": "cosmos_predict2", "max_img_h": 240, "max_img_w": 240, "max_frames": 128, "in_channels": 16,
    "out_channels": 16, "patch_spatial": 2, "patch_temporal": 1, "model_channels": 2048, "concat_padding_mask": True,
    "crossattn_emb_channels": 1024, "pos_emb_cls": "rope3d", "pos_emb_learnable": True, "use_adaln_lora": True,
    "adaln_lora_dim": 256, "num_blocks": 28, "num_heads": 16, "extra_per_block_abs_pos_emb": False,
}  # fmt: skip
MMDIT = {
    "in_channels": 16, "patch_size": 2, "out_channels": 16, "depth": 38, "input_size": None, "adm_in_channels": 2048,
    "num_patches": 36864, "pos_embed_max_size": 192, "qk_norm": "rms", "pos_embed_scaling_factor": None,
    "context_embedder_config": {"target": "torch.nn.Linear", "params": {"in_features": 4096, "out_features": 2432}},
}  # fmt: skip
# Name of our row, the module and class of ComfyUI's model, its arguments.
MODELS = {
    "sd15": ("ldm.modules.diffusionmodules.openaimodel", "UNetModel", UNET | {"context_dim": 768, "num_heads": 8}),
    "sd2": (
        "ldm.modules.diffusionmodules.openaimodel", "UNetModel",
        UNET | {"context_dim": 1024, "num_head_channels": 64, "use_linear_in_transformer": True},
    ),
    "sdxl": ("ldm.modules.diffusionmodules.openaimodel", "UNetModel", SDXL),
    "sdxl_refiner": (
        "ldm.modules.diffusionmodules.openaimodel", "UNetModel",
        SDXL | {
            "model_channels": 384, "num_res_blocks": [2, 2, 2, 2], "channel_mult": [1, 2, 4, 4], "context_dim": 1280,
            "transformer_depth": [0, 0, 4, 4, 4, 4, 0, 0], "transformer_depth_middle": 4, "adm_in_channels": 2560,
            "transformer_depth_output": [0, 0, 0, 4, 4, 4, 4, 4, 4, 0, 0, 0],
        },
    ),
    "ssd1b": (
        "ldm.modules.diffusionmodules.openaimodel", "UNetModel",
        SDXL | {
            "transformer_depth": [0, 0, 2, 2, 4, 4], "transformer_depth_middle": -1,
            "transformer_depth_output": [0, 0, 0, 1, 1, 2, 10, 4, 4],
        },
    ),
    "koala": (
        "ldm.modules.diffusionmodules.openaimodel", "UNetModel",
        SDXL | {
            "num_res_blocks": [1, 1, 1], "transformer_depth": [0, 2, 5], "transformer_depth_middle": -2,
            "transformer_depth_output": [0, 0, 2, 2, 5, 5],
        },
    ),
    "sd35": ("ldm.modules.diffusionmodules.mmdit", "OpenAISignatureMMDITWrapper", MMDIT),
    "flux": ("ldm.flux.model", "Flux", FLUX),
    "flux:schnell": ("ldm.flux.model", "Flux", FLUX | {"guidance_embed": False}),
    "flux2": ("ldm.flux.model", "Flux", FLUX2),
    "flux2:klein": (
        "ldm.flux.model", "Flux",
        FLUX2 | {"context_in_dim": 7680, "hidden_size": 3072, "num_heads": 24, "guidance_embed": False},
    ),
    "chroma": (
        "ldm.chroma.model", "Chroma",
        {key: each for key, each in FLUX.items() if key != "guidance_embed"}
        | {
            "image_model": "chroma", "in_channels": 64, "out_channels": 64, "in_dim": 64, "out_dim": 3072,
            "hidden_dim": 5120, "n_layers": 5,
        },
    ),
    "hunyuan_video": ("ldm.hunyuan_video.model", "HunyuanVideo", HUNYUAN),
    "hunyuan_video_15": (
        "ldm.hunyuan_video.model", "HunyuanVideo",
        HUNYUAN | {
            "depth": 54, "depth_single_blocks": 0,
            "in_channels": 65, "patch_size": [1, 1, 1], "out_channels": 32, "vec_in_dim": None, "context_in_dim": 3584,
            "byt5": True, "use_cond_type_embedding": True, "vision_in_dim": 1152, "meanflow_sum": True,
            "guidance_embed": False,
        },
    ),
    "hunyuan_image": (
        "ldm.hunyuan_video.model", "HunyuanVideo",
        HUNYUAN | {
            "in_channels": 64, "out_channels": 64, "patch_size": [1, 1], "axes_dim": [64, 64], "vec_in_dim": None,
            "byt5": True, "context_in_dim": 3584, "guidance_embed": False,
        },
    ),
    "zimage": ("ldm.lumina.model", "NextDiT", ZIMAGE),
    "lumina2": ("ldm.lumina.model", "NextDiT", LUMINA),
    "wan": ("ldm.wan.model", "WanModel", WAN),
    "wan:1.3B": (
        "ldm.wan.model", "WanModel", WAN | {"dim": 1536, "ffn_dim": 8960, "num_heads": 12, "num_layers": 30},
    ),
    "wan21_i2v": ("ldm.wan.model", "WanModel", WAN | {"model_type": "i2v", "in_dim": 36}),
    "wan22_i2v": ("ldm.wan.model", "WanModel", WAN | {"in_dim": 36}),
    "wan22_5b": ("ldm.wan.model", "WanModel", WIDE_WAN),
    "anima": ("ldm.anima.model", "Anima", COSMOS | {"image_model": "anima"}),
    "cosmos_predict2": ("ldm.cosmos.predict2", "MiniTrainDIT", COSMOS),
    "qwen_image": (
        "ldm.qwen_image.model", "QwenImageTransformer2DModel",
        {"image_model": "qwen_image", "in_channels": 64, "num_layers": 60},
    ),
    "auraflow": (
        "ldm.aura.mmdit", "MMDiT",
        {"max_seq": 4096, "cond_seq_dim": 2048, "n_double_layers": 4, "n_layers": 36},
    ),
    "hidream": (
        "ldm.hidream.model", "HiDreamImageTransformer2DModel",
        {
            "image_model": "hidream", "attention_head_dim": 128, "axes_dims_rope": [64, 32, 32],
            "caption_channels": [4096, 4096],
            "max_resolution": [128, 128], "in_channels": 16,
            "llama_layers": list(range(32)) + [31] * 16, "num_attention_heads": 20,
            "num_routed_experts": 4, "num_activated_experts": 2,
            "num_layers": 16, "num_single_layers": 32, "out_channels": 16, "patch_size": 2, "text_emb_dim": 2048,
        },
    ),
    "hidream_o1": ("ldm.hidream_o1.model", "HiDreamO1Transformer", {"image_model": "hidream_o1"}),
    "krea2": ("ldm.krea2.model", "SingleStreamDiT", {"image_model": "krea2"}),
    "ideogram4": ("ldm.ideogram4.model", "Ideogram4Transformer2DModel", {"image_model": "ideogram4"}),
    "ernie_image": ("ldm.ernie.model", "ErnieImageModel", {}),
    "ltx2": ("ldm.lightricks.av_model", "LTXAVModel", {"image_model": "ltxav"}),
    "ltx2:2.3": ("ldm.lightricks.av_model", "LTXAVModel", {"image_model": "ltxav", **LTX23}),
    "ltx_video": ("ldm.lightricks.model", "LTXVModel", {"image_model": "ltxv"}),
    "omnigen2": ("ldm.omnigen.omnigen2", "OmniGen2Transformer2DModel", {}),
}  # fmt: skip


def build(module, name, arguments):
    found = __import__(f"comfy.{module}", fromlist=["_"])
    model = getattr(found, name)(**arguments, dtype=torch.float32, device="meta", operations=comfy.ops.manual_cast)
    return model.state_dict()


def recognised(tensors):
    """What ComfyUI takes a model for, with and without the prefix that a checkpoint has."""
    state = {f"model.diffusion_model.{name}": each for name, each in tensors.items()}
    names = []
    for dictionary, prefix in ((state, "model.diffusion_model."), (dict(tensors), "")):
        found = comfy.model_detection.model_config_from_unet(dictionary, prefix)
        names.append(type(found).__name__)
    if len(set(names)) != 1:
        raise SystemExit(f"ComfyUI takes it for {names}")
    return names[0]


def small(tensors, named):
    seen, kept = set(), {}
    for name, each in tensors.items():
        pattern = re.sub(r"\d+", "#", name)
        if pattern not in seen or name in named:
            kept[name] = list(each.shape)
        seen.add(pattern)
    return kept


def main():
    table = (ROOT / "lorads_core/checkpoints/architectures.py").read_text(encoding="utf-8")
    texts = (each.value for each in ast.walk(ast.parse(table)) if isinstance(each, ast.Constant))
    named = {name for text in texts if isinstance(text, str) for name in text.split("|")}
    found, failed = {}, {}
    for name, (module, model, arguments) in MODELS.items():
        try:
            tensors = build(module, model, arguments)
            found[name] = {"comfyui": recognised(tensors), "tensors": small(tensors, named)}
        except Exception as error:  # noqa: BLE001, PERF203 - each by itself; what fails is said
            failed[name] = f"{type(error).__name__}: {error}"
    target = ROOT / "tests/checkpoints/golden/comfyui_models.json"
    target.parent.mkdir(exist_ok=True)
    rows = ",\n".join(f"{json.dumps(name)}: {json.dumps(each)}" for name, each in found.items())
    target.write_text(f'{{"comfyui": "{comfyui_version.__version__}", "models": {{\n{rows}\n}}}}\n', encoding="utf-8")
    print({name: each["comfyui"] for name, each in found.items()}, failed, sep="\n")


if __name__ == "__main__":
    main()
