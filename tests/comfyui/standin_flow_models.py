"""Tiny models of Z-Image, Krea 2, Anima, FLUX.2 klein; run by ComfyUI's Python: standin_flow_models.py COMFYUI FOLDER.

Each file has the name and the folder that the templates ask for, and ComfyUI takes it for the real one, by its own code
with the sizes of `standin_sizes`. A table of embeddings, which is large whatever else is small, is a hole in its file.
"""

import json
import math
import os
import struct
import sys
from pathlib import Path

COMFYUI, FOLDER = sys.argv[1:]
sys.path.insert(0, COMFYUI)
sys.argv[1:] = ["--cpu"]

import comfy.options  # noqa: E402

comfy.options.enable_args_parsing()

import standin_sizes  # noqa: E402, F401 - it makes what follows small
import torch  # noqa: E402
from comfy import ops  # noqa: E402
from comfy.ldm.anima.model import Anima  # noqa: E402
from comfy.ldm.flux.model import Flux  # noqa: E402
from comfy.ldm.krea2.model import SingleStreamDiT  # noqa: E402
from comfy.ldm.lumina.model import NextDiT  # noqa: E402
from comfy.ldm.modules.diffusionmodules.model import Decoder  # noqa: E402
from comfy.ldm.wan.vae import WanVAE  # noqa: E402
from comfy.taesd.taesd import TAESD  # noqa: E402
from comfy.text_encoders import llama, qwen3vl  # noqa: E402

META = {"device": "meta", "dtype": torch.float32, "operations": ops.disable_weight_init}
WIDTH = 256
"""Of those whose width ComfyUI reads from the file, two heads wide; the stand-in for trainers has it, too."""
NUMBERS = torch.randn(2**20, generator=torch.Generator().manual_seed(1)) * 0.02
"""The weights of every matrix, over and over."""


def zimage():
    """Return one of a quarter of its layers: LoRADS converts a LoRA of musubi-tuner for what it takes for a Z-Image."""
    return NextDiT(
        patch_size=2, in_channels=16, dim=3840, cap_feat_dim=2560, n_layers=8, n_refiner_layers=1, n_heads=30,
        n_kv_heads=30, qk_norm=True, axes_dims=[32, 48, 48], axes_lens=[1536, 512, 512],
        ffn_dim_multiplier=WIDTH / 3840, z_image_modulation=True, pad_tokens_multiple=32, **META,
    )  # fmt: skip


def krea2():
    return SingleStreamDiT(features=WIDTH, heads=2, kvheads=1, multiplier=1, layers=1, **META)


def anima():
    return Anima(
        max_img_h=240, max_img_w=240, max_frames=128, in_channels=16, out_channels=16, patch_spatial=2,
        patch_temporal=1, model_channels=2048, num_blocks=1, num_heads=16, crossattn_emb_channels=1024,
        pos_emb_cls="rope3d", pos_emb_learnable=True, use_adaln_lora=True, **META,
    )  # fmt: skip


def klein():
    return Flux(
        in_channels=128, out_channels=128, hidden_size=WIDTH, context_in_dim=3 * 2560, num_heads=2,
        axes_dim=[32, 32, 32, 32], mlp_ratio=3.0, theta=2000, depth=1, depth_single_blocks=1, patch_size=1,
        vec_in_dim=None, guidance_embed=False, qkv_bias=False, ops_bias=False, global_modulation=True,
        mlp_silu_act=True, txt_ids_dims=[3], **META,
    )  # fmt: skip


def text_encoder(kind):
    return kind({}, torch.float32, "meta", ops.disable_weight_init)


def qwen3vl_4b():
    names = text_encoder(qwen3vl._make_qwen3vl_model("qwen3vl_4b")).state_dict()
    renamed = {"model.": "model.language_model.", "visual.": "model.visual."}
    for name, each in names.items():
        start = next(each for each in renamed if name.startswith(each))
        yield renamed[start] + name.removeprefix(start), each


def flux2_decoder():
    """Return FLUX.2's VAE with a narrow decoder; nothing is encoded."""
    decoder = Decoder(
        ch=32, out_ch=3, ch_mult=(1, 2, 4, 4), num_res_blocks=2, attn_resolutions=[], in_channels=3, resolution=256,
        z_channels=32,
    )  # fmt: skip
    norm = torch.nn.BatchNorm2d(4 * 32, affine=False).state_dict()
    return {
        **{f"decoder.{name}": each for name, each in decoder.state_dict().items()},
        **{f"bn.{name}": each for name, each in norm.items() if each.ndim},
        **{f"post_quant_conv.{name}": each for name, each in torch.nn.Conv2d(32, 32, 1).state_dict().items()},
    }


FILES = {
    "diffusion_models/z_image_bf16.safetensors": lambda: zimage().state_dict(),
    "diffusion_models/krea2_raw_bf16.safetensors": lambda: krea2().state_dict(),
    "diffusion_models/anima-base-v1.0.safetensors": lambda: anima().state_dict(),
    "diffusion_models/flux-2-klein-base-4b.safetensors": lambda: klein().state_dict(),
    "text_encoders/qwen_3_4b.safetensors": lambda: text_encoder(llama.Qwen3_4B).state_dict(),
    "text_encoders/qwen_3_06b_base.safetensors": lambda: text_encoder(llama.Qwen3_06B).state_dict(),
    "text_encoders/qwen3vl_4b_bf16.safetensors": lambda: dict(qwen3vl_4b()),
    "vae/ae.safetensors": lambda: TAESD(latent_channels=16).state_dict(),
    "vae/qwen_image_vae.safetensors": lambda: WanVAE(dim=16, z_dim=16, dim_mult=[1, 2, 4, 4]).state_dict(),
    "vae/flux2-vae.safetensors": flux2_decoder,
}
DISTILLED = {
    "diffusion_models/z_image_bf16.safetensors": "diffusion_models/z_image_turbo_bf16.safetensors",
    "diffusion_models/krea2_raw_bf16.safetensors": "diffusion_models/krea2_turbo_fp8_scaled.safetensors",
    "diffusion_models/flux-2-klein-base-4b.safetensors": "diffusion_models/flux-2-klein-4b.safetensors",
}


def save(file, tensors):
    """Write a safetensors file; embeddings are a hole in it, all of them 0."""
    # Of 16 bits but for text encoders, which ComfyUI computes in the file's type: a processor has no fast one of 16.
    name, dtype = ("F32", torch.float32) if file.parent.name == "text_encoders" else ("F16", torch.float16)
    header, end = {}, 0
    for key, each in tensors.items():
        size = dtype.itemsize * math.prod(each.shape)
        header[key] = {"dtype": name, "shape": list(each.shape), "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    with file.open("wb") as stream:
        stream.write(struct.pack("<Q", len(text)) + text)
        for key, each in tensors.items():
            if "embed_tokens" in key:
                stream.seek(dtype.itemsize * math.prod(each.shape), os.SEEK_CUR)
            else:
                stream.write(numbers(key, each).to(dtype).numpy().tobytes())


def numbers(name, tensor):
    """Return a tensor's numbers: random ones for a matrix, 0 for what is added (biases), 1 for what scales (norms)."""
    count = math.prod(tensor.shape)
    if tensor.ndim > 1:
        return NUMBERS.repeat(-(-count // len(NUMBERS)))[:count]
    return torch.full((count,), 0.0 if name.endswith("bias") else 1.0)


for name, model in FILES.items():
    place = Path(FOLDER) / name
    place.parent.mkdir(parents=True, exist_ok=True)
    save(place, model())
for base, distilled in DISTILLED.items():  # what tells them apart is not in their tensors' names and sizes
    os.link(Path(FOLDER) / base, Path(FOLDER) / distilled)
