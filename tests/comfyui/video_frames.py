"""One frame of video models, drawn by ComfyUI's own sampler: video_frames.py COMFYUI prints the latents' sizes as JSON.

The models have the layers of the real ones, fewer and narrower, and random weights; ComfyUI recognises them by these.
The empty latents are those of its own nodes, of a length of one frame.
"""

import json
import sys

COMFYUI = sys.argv[1]
sys.path.insert(0, COMFYUI)
sys.argv[1:] = ["--cpu"]

import comfy.options  # noqa: E402

comfy.options.enable_args_parsing()

import comfy.sample  # noqa: E402
import comfy.sd  # noqa: E402
import torch  # noqa: E402
from comfy import ops  # noqa: E402
from comfy.ldm.hunyuan_video.model import HunyuanVideo  # noqa: E402
from comfy.ldm.wan.model import WanModel  # noqa: E402
from comfy_extras.nodes_hunyuan import EmptyHunyuanLatentVideo  # noqa: E402
from comfy_extras.nodes_wan import Wan22ImageToVideoLatent  # noqa: E402

WAN = {
    "model_type": "t2v", "dim": 128, "out_dim": 16, "num_heads": 1, "ffn_dim": 128, "num_layers": 1,
    "patch_size": (1, 2, 2), "in_dim": 16,
}  # fmt: skip
HUNYUAN = {
    "image_model": "hunyuan_video", "in_channels": 16, "patch_size": [1, 2, 2], "out_channels": 16, "vec_in_dim": 768,
    "axes_dim": [16, 56, 56], "context_in_dim": 4096, "hidden_size": 128, "mlp_ratio": 4.0, "num_heads": 1,
    "depth": 1, "depth_single_blocks": 1, "theta": 256, "qkv_bias": True, "guidance_embed": True, "byt5": False,
    "meanflow": False, "use_cond_type_embedding": False, "vision_in_dim": None, "meanflow_sum": False,
}  # fmt: skip
SIZE = {"width": 128, "height": 64, "length": 1, "batch_size": 1}


def drawn(kind, arguments, latent):
    """Return the class that ComfyUI takes a model for, and the size of what it draws from an empty latent."""
    made = kind(**arguments, dtype=torch.float32, device="cpu", operations=ops.disable_weight_init)
    state = {name: torch.randn(each.shape) * 0.02 for name, each in made.state_dict().items()}
    model = comfy.sd.load_diffusion_model_state_dict(state)
    samples = latent["samples"]
    text = [[torch.randn(1, 7, 4096), {"pooled_output": torch.randn(1, 768), "guidance": 6.0}]]
    noise = comfy.sample.prepare_noise(samples, 1)
    found = comfy.sample.sample(model, noise, 2, 5.0, "euler", "simple", text, text, samples, seed=1)
    if not bool(torch.isfinite(found).all()) or bool((found == samples).all()):
        raise SystemExit(f"{kind.__name__} draws nothing")
    return type(model.model.model_config).__name__, list(found.shape)


def main():
    frame = EmptyHunyuanLatentVideo.execute(**SIZE).args[0]
    wide = Wan22ImageToVideoLatent.execute(None, **SIZE).args[0]
    found = {
        "wan21": drawn(WanModel, WAN, frame),
        "wan22_5b": drawn(WanModel, WAN | {"in_dim": 48, "out_dim": 48}, wide),
        "hunyuan_video": drawn(HunyuanVideo, HUNYUAN, frame),
    }
    print(json.dumps(found))


main()
