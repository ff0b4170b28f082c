"""LoRA files as trainers write them: names and sizes of their tensors, and whole files with numbers."""

import json
import struct

import numpy as np

from lorads_core.checkpoints.header import Tensor

KOHYA = {".lora_down.weight": ("rank", "columns"), ".lora_up.weight": ("rows", "rank"), ".alpha": ()}
PEFT = {".lora_A.weight": ("rank", "columns"), ".lora_B.weight": ("rows", "rank")}
DIFFUSERS = {".lora.down.weight": ("rank", "columns"), ".lora.up.weight": ("rows", "rank")}
PROCESSOR = {"_lora.down.weight": ("rank", "columns"), "_lora.up.weight": ("rows", "rank")}
LOHA = {
    ".hada_w1_a": ("rows", "rank"), ".hada_w1_b": ("rank", "columns"), ".hada_w2_a": ("rows", "rank"),
    ".hada_w2_b": ("rank", "columns"), ".alpha": (),
}  # fmt: skip
LOKR = {".lokr_w1": (12, 4), ".lokr_w2_a": (8, "rank"), ".lokr_w2_b": ("rank", 16), ".alpha": ()}
DORA = {**KOHYA, ".dora_scale": ("rows", 1)}


def tensors(modules, ends=KOHYA, rank=4, rows=96, columns=64):
    """Return the tensors of a file that changes these modules."""
    sizes = {"rank": rank, "rows": rows, "columns": columns}
    return {
        module + end: Tensor("F32", tuple(sizes.get(side, side) for side in shape))
        for module in modules
        for end, shape in ends.items()
    }


def names(pattern, *blocks):
    """Return a name for each block: ``{}`` in the pattern is its number."""
    return [pattern.format(number) for number in blocks]


def many(patterns, count):
    """Return names by several patterns, for ``count`` blocks."""
    return [pattern.format(number) for number in range(count) for pattern in patterns]


def write(path, shapes, metadata=None, seed=0):
    """Write a file of random numbers (F32, or BF16 where a shape says so), and return its tensors as arrays."""
    chance = np.random.default_rng(seed)
    arrays, header, data = {}, {"__metadata__": metadata or {}}, b""
    for name, tensor in shapes.items():
        array = chance.standard_normal(tensor.shape).astype(np.float32)
        piece = array.tobytes() if tensor.dtype == "F32" else (array.view(np.uint32) >> 16).astype(np.uint16).tobytes()
        span = [len(data), len(data) + len(piece)]
        header[name] = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": span}
        arrays[name] = array
        data += piece
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return arrays


ZIMAGE = many([f"lora_unet_layers_{{}}_attention_to_{part}" for part in ("q", "k", "v", "out_0")], 30) + many(
    [f"lora_unet_layers_{{}}_feed_forward_w{part}" for part in (1, 2, 3)], 30
)
"""Z-Image by musubi-tuner: 210 modules, of which ComfyUI 0.26 loads 90 (musubi-tuner, issue 807)."""
ANIMA = many(
    [
        f"transformer.core.transformer_blocks.{{}}.attn{n}.to_{part}"
        for n in (1, 2)
        for part in ("q", "k", "v", "out.0")
    ],
    28,
)
"""Anima by SimpleTuner, of which it loads nothing."""
KREA2 = many([f"lycoris_transformer_blocks_{{}}_attn_to_{part}" for part in ("qkv", "out_0")], 28)
"""Krea 2 by SimpleTuner with fused projections (its issue 3222)."""
SDXL = many(
    [f"unet.down_blocks.1.attentions.{{}}.transformer_blocks.0.attn1.to_{part}" for part in ("q", "k", "v", "out.0")], 2
)
"""SDXL as Diffusers has saved it since its version 0.22."""


def lumina(prefix, ends=KOHYA, blocks=(0, 25), parts="qkv"):
    """Return a file of Lumina 2 with Diffusers' names, whose queries have three times the rows of keys and values."""
    dot = "_" if prefix.endswith("_") else "."
    rows = {"q": 2304, "k": 768, "v": 768}
    found = {}
    for part in parts:
        modules = [f"{prefix}layers{dot}{block}{dot}attn{dot}to_{part}" for block in blocks]
        found |= tensors(modules, ends, rows=rows[part], columns=2304)
    others = (f"attn{dot}to_out{dot}0", f"feed_forward{dot}linear_2", f"norm1{dot}linear")
    return found | tensors([f"{prefix}layers{dot}{block}{dot}{end}" for block in blocks for end in others], ends)


WAN = many(
    [f"lycoris_blocks_{{}}_attn{n}_to_{part}" for n in (1, 2) for part in ("q", "k", "v", "out_0")]
    + ["lycoris_blocks_{}_ffn_net_0_proj", "lycoris_blocks_{}_ffn_net_2"],
    40,
)
"""Wan 2.1 14B by SimpleTuner, of which it loads nothing."""
CASES = {
    "Z-Image by musubi-tuner": ("zimage", tensors(ZIMAGE)),
    "Z-Image by ai-toolkit": (
        "zimage",
        tensors(many([f"diffusion_model.layers.{{}}.attention.to_{part}" for part in ("q", "v", "out.0")], 30), PEFT),
    ),
    "Anima by SimpleTuner": ("anima", tensors(ANIMA, PEFT)),
    "Anima by sd-scripts": ("anima", tensors(names("lora_unet_blocks_{}_self_attn_q_proj", 0, 27, 28))),
    "Krea 2, fused": ("krea2", tensors(KREA2, LOKR)),
    "SDXL by Diffusers": ("sdxl", tensors(SDXL, DIFFUSERS)),
    "SDXL by Diffusers, processors": (
        "sdxl",
        tensors(names("unet.down_blocks.1.attentions.0.transformer_blocks.{}.attn1.processor.to_q", 0, 1), PROCESSOR),
    ),
    "SDXL with text encoders": (
        "sdxl",
        tensors([
            "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q",
            *names("lora_te1_text_model_encoder_layers_{}_mlp_fc1", 0, 11, 12),
            *names("lora_te2_text_model_encoder_layers_{}_mlp_fc1", 0, 31, 32),
        ]),
    ),
    "SD 1.5, LoHa": ("sd15", tensors(names("lora_unet_down_blocks_{}_attentions_0_proj_in", 0, 2, 3), LOHA)),
    "SD 1.5, LoKr": ("sd15", tensors(names("lora_unet_down_blocks_{}_resnets_0_conv1", 0, 3, 4), LOKR)),
    "Flux, DoRA": ("flux", tensors(names("lora_unet_double_blocks_{}_img_attn_qkv", 0, 18, 19), DORA)),
    "Flux by Diffusers": (
        "flux", tensors(names("transformer.single_transformer_blocks.{}.attn.to_q", 0, 37, 38), PEFT),
    ),
    "Flux, half a pair": ("flux", {"lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight": Tensor("F32", (4, 64))}),
    "Flux, for Z-Image": ("zimage", tensors(names("lora_unet_double_blocks_{}_img_attn_qkv", 0, 1))),
    "HunyuanImage by sd-scripts": (
        "hunyuan_image", tensors([*names("lora_unet_double_blocks_{}_img_mlp_fc1", 0, 1),
                                  "lora_unet_double_blocks_0_img_attn_qkv"]),
    ),
    "AuraFlow by SimpleTuner": (
        "auraflow",
        tensors(
            [
                *names("lycoris_joint_transformer_blocks_{}_attn_add_q_proj", 0, 3),
                *names("lycoris_single_transformer_blocks_{}_attn_to_out_0", 0, 31),
            ],
        ),
    ),
    "ERNIE-Image by SimpleTuner": (
        "ernie_image",
        tensors(
            many(
                [f"lycoris_layers_{{}}_{part}" for part in ("self_attention_to_q", "mlp_gate_proj")], 36
            ),
            LOKR,
        ),
    ),
    "Ideogram 4 by SimpleTuner": (
        "ideogram4",
        tensors(many([f"lycoris_layers_{{}}_{part}" for part in ("attention_qkv", "attention_o")], 34), LOHA),
    ),
    "Ideogram 4 by musubi-tuner": ("ideogram4", tensors(names("lora_unet_layers_{}_attention_qkv", 0, 33))),
    "HiDream I1 by SimpleTuner": (
        "hidream", tensors(names("lycoris_double_stream_blocks_{}_block_attn1_to_q_t", 0, 15), LOKR),
    ),
    "HiDream O1 by musubi-tuner": (
        "hidream_o1",
        tensors(
            [
                *names("lora_unet_model_language_model_layers_{}_self_attn_q_proj", 0, 35),
                "lora_unet_model_x_embedder_proj1",
                "lora_unet_model_final_layer2_linear",
            ],
        ),
    ),
    "HiDream O1 by ai-toolkit": (
        "hidream_o1",
        tensors(names("diffusion_model.language_model.layers.{}.mlp.up_proj", 0, 35), PEFT),
    ),
    "Lumina 2 by ai-toolkit": ("lumina2", lumina("transformer.", PEFT)),
    "Lumina 2 by SimpleTuner": ("lumina2", lumina("lycoris_")),
    "Wan by SimpleTuner": ("wan", tensors(WAN)),
    "Wan by musubi-tuner": (
        "wan", tensors([*names("lora_unet_blocks_{}_self_attn_q", 0, 39, 40), "lora_unet_blocks_0_ffn_2"]),
    ),
    "Wan 5B by ai-toolkit": (
        "wan22_5b", tensors(names("diffusion_model.blocks.{}.cross_attn.o", 0, 29, 30), PEFT),
    ),
    "Wan Fun": ("wan", tensors(names("lora_unet__blocks_{}_cross_attn_k", 0, 39, 40))),
    "full weights": (
        "flux",
        {"diffusion_model.img_in.diff": Tensor("F32", (8, 8)), "diffusion_model.img_in.diff_b": Tensor("F32", (8,))},
    ),
}  # fmt: skip
"""By name: the architecture of the model, and the tensors of a file for it."""
