"""Tiny models that ComfyUI takes for real ones; run by its own Python: standin_models.py COMFYUI CHECKPOINT VISION.

The checkpoint is an SD 1.5 of one level, with the autoencoder TAESD; the CLIP vision model is a ViT-L that projects
what the patches of a picture have in the mean. What is the same number everywhere takes no room: PyTorch keeps it once.
"""

import sys

COMFYUI, *FILES = sys.argv[1:]
sys.path.insert(0, COMFYUI)
sys.argv[1:] = ["--cpu"]

import comfy.options  # noqa: E402

comfy.options.enable_args_parsing()

import torch  # noqa: E402
from comfy import ops  # noqa: E402
from comfy.clip_vision import ClipVisionModel  # noqa: E402
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel  # noqa: E402
from comfy.sd1_clip import SDClipModel  # noqa: E402
from comfy.taesd.taesd import TAESD  # noqa: E402

UNET = {
    "image_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 320,
    "num_res_blocks": [1],
    "channel_mult": [1],
    "transformer_depth": [1],
    "transformer_depth_output": [1, 1],
    "transformer_depth_middle": 1,
    "context_dim": 768,
    "num_heads": 8,
    "use_spatial_transformer": True,
    "use_linear_in_transformer": False,
}


def random(tensors, prefix="", scale=0.05):
    """Return random weights by name, half as many bytes as usual."""
    return {f"{prefix}{name}": (torch.randn(each.shape) * scale).half() for name, each in tensors.items()}


def passing(tensors, prefix="", besides=()):
    """Return weights that let everything pass: norms of one, the rest 0; those named ``besides`` are random."""
    made = {}
    for name, each in tensors.items():
        if any(part in name for part in besides):
            made[f"{prefix}{name}"] = torch.randn(each.shape).half() * 0.05
        else:
            value = float("norm" in name and name.endswith("weight"))
            made[f"{prefix}{name}"] = torch.full((1,), value).half().expand(each.shape) if each.ndim else each
    return made


def checkpoint():
    unet = UNetModel(**UNET, operations=ops.disable_weight_init, dtype=torch.float32, device="meta")
    text = SDClipModel(device="meta", dtype=torch.float32)
    return {
        **random(unet.state_dict(), "model.diffusion_model."),
        **passing(text.transformer.state_dict(), "cond_stage_model.transformer.", besides=("embedding",)),
        **random(TAESD(latent_channels=4).state_dict(), "first_stage_model."),
    }


def clip_vision():
    model = ClipVisionModel(f"{COMFYUI}/comfy/clip_vision_config_vitl.json")
    made = passing(model.model.state_dict(), besides=("patch_embedding", "class_embedding", "visual_projection"))
    edges = made["vision_model.embeddings.patch_embedding.weight"]  # not the brightness, which all pictures have
    edges -= edges.mean(dim=(2, 3), keepdim=True)
    for part in ("v_proj", "out_proj"):  # the first layer looks at all of the picture alike
        name = f"vision_model.encoder.layers.0.self_attn.{part}.weight"
        made[name] = torch.eye(made[name].shape[0]).half() * 8
    return made


torch.manual_seed(1)
torch.save(checkpoint(), FILES[0])
torch.save(clip_vision(), FILES[1])
