"""Names of modules that trainers write and ComfyUI 0.26.0 does not know, each with its own name for the same layer.

Names whose parts ComfyUI knows, in another form (``lora_unet_layers_0_attention_to_q``), need no row: they are found in
`key_tables`. ``#`` stands for a number, the same one on both sides.
"""

from __future__ import annotations

# Anima: SimpleTuner bc8e6ab, helpers/models/anima/lora_pipeline.py and transformer.py, whose layers are those of
# Diffusers' Cosmos.
_COSMOS_BLOCK = {
    "attn1.to_q": "self_attn.q_proj",
    "attn1.to_k": "self_attn.k_proj",
    "attn1.to_v": "self_attn.v_proj",
    "attn1.to_out.0": "self_attn.output_proj",
    "attn2.to_q": "cross_attn.q_proj",
    "attn2.to_k": "cross_attn.k_proj",
    "attn2.to_v": "cross_attn.v_proj",
    "attn2.to_out.0": "cross_attn.output_proj",
    "ff.net.0.proj": "mlp.layer1",
    "ff.net.2": "mlp.layer2",
    "norm1.linear_1": "adaln_modulation_self_attn.1",
    "norm1.linear_2": "adaln_modulation_self_attn.2",
    "norm2.linear_1": "adaln_modulation_cross_attn.1",
    "norm2.linear_2": "adaln_modulation_cross_attn.2",
    "norm3.linear_1": "adaln_modulation_mlp.1",
    "norm3.linear_2": "adaln_modulation_mlp.2",
}
_COSMOS = {
    "patch_embed.proj": "x_embedder.proj.1",
    "time_embed.t_embedder.linear_1": "t_embedder.1.linear_1",
    "time_embed.t_embedder.linear_2": "t_embedder.1.linear_2",
    "norm_out.linear_1": "final_layer.adaln_modulation.1",
    "norm_out.linear_2": "final_layer.adaln_modulation.2",
    "proj_out": "final_layer.linear",
    **{f"transformer_blocks.#.{theirs}": f"blocks.#.{ours}" for theirs, ours in _COSMOS_BLOCK.items()},
}
# HunyuanImage 2.1: sd-scripts v0.10.1, networks/convert_hunyuan_image_lora_to_comfy.py.
_HUNYUAN = {
    **{
        f"double_blocks.#.{stream}_{theirs}": f"double_blocks.#.{stream}_{ours}"
        for stream in ("img", "txt")
        for theirs, ours in (("mlp.fc1", "mlp.0"), ("mlp.fc2", "mlp.2"), ("mod.linear", "mod.lin"))
    },
    "single_blocks.#.modulation.linear": "single_blocks.#.modulation.lin",
}
# Wan: Diffusers' WanTransformer3DModel, whose layers SimpleTuner has too (bc8e6ab, helpers/models/wan/transformer.py);
# the other names are those of its authors' code, as ai-toolkit 27a03a9, toolkit/models/wan21/wan_lora_convert.py.
_WAN_BLOCK = {
    **{
        f"{theirs}.{end}": f"{ours}.{own}"
        for theirs, ours in (("attn1", "self_attn"), ("attn2", "cross_attn"))
        for end, own in (("to_q", "q"), ("to_k", "k"), ("to_v", "v"), ("to_out.0", "o"))
    },
    "ffn.net.0.proj": "ffn.0",
    "ffn.net.2": "ffn.2",
}
_WAN = {
    "condition_embedder.text_embedder.linear_1": "text_embedding.0",
    "condition_embedder.text_embedder.linear_2": "text_embedding.2",
    "condition_embedder.time_embedder.linear_1": "time_embedding.0",
    "condition_embedder.time_embedder.linear_2": "time_embedding.2",
    "condition_embedder.time_proj": "time_projection.1",
    "proj_out": "head.head",
    **{f"blocks.#.{theirs}": f"blocks.#.{ours}" for theirs, ours in _WAN_BLOCK.items()},
}
_WAN_IMAGE = {
    **_WAN,
    "blocks.#.attn2.add_k_proj": "blocks.#.cross_attn.k_img",
    "blocks.#.attn2.add_v_proj": "blocks.#.cross_attn.v_img",
}
# What Diffusers makes of three projections with fuse_qkv_projections, where the model's own code has them fused too.
_FUSED_FLUX = {
    "transformer_blocks.#.attn.to_qkv": "double_blocks.#.img_attn.qkv",
    "transformer_blocks.#.attn.to_added_qkv": "double_blocks.#.txt_attn.qkv",
    "single_transformer_blocks.#.attn.to_qkv": "single_blocks.#.linear1_qkv",
}
_FUSED_SD3 = {
    "transformer_blocks.#.attn.to_qkv": "joint_blocks.#.x_block.attn.qkv",
    "transformer_blocks.#.attn.to_added_qkv": "joint_blocks.#.context_block.attn.qkv",
    "transformer_blocks.#.attn2.to_qkv": "joint_blocks.#.x_block.attn2.qkv",
}
_FUSED_ZIMAGE = {
    f"{block}.#.attention.to_qkv": f"{block}.#.attention.qkv"
    for block in ("layers", "noise_refiner", "context_refiner")
}

# Lumina 2 with Diffusers' names, as ai-toolkit 0.12.26 and SimpleTuner 4.8 train it (diffusers,
# scripts/convert_lumina_to_diffusers.py; feed-forward and modulation are of the same order in both).
_LUMINA_BLOCKS = ("layers", "noise_refiner", "context_refiner")
_LUMINA = {
    f"{block}.#.{theirs}": f"{block}.#.{ours}"
    for block in _LUMINA_BLOCKS
    for theirs, ours in (
        ("attn.to_out.0", "attention.out"),
        ("feed_forward.linear_1", "feed_forward.w1"),
        ("feed_forward.linear_2", "feed_forward.w2"),
        ("feed_forward.linear_3", "feed_forward.w3"),
        ("norm1.linear", "adaLN_modulation.1"),
    )
    if (block, ours) != ("context_refiner", "adaLN_modulation.1")  # it has none
}

FOREIGN: dict[str, dict[str, str]] = {
    "anima": _COSMOS,
    "cosmos_predict2": _COSMOS,
    "hunyuan_image": _HUNYUAN,
    "wan": _WAN,
    "wan22_i2v": _WAN,
    "wan21_i2v": _WAN_IMAGE,
    "wan22_5b": _WAN,
    "flux": _FUSED_FLUX,
    "flux2": _FUSED_FLUX,
    "chroma": _FUSED_FLUX,
    "sd35": _FUSED_SD3,
    "zimage": _FUSED_ZIMAGE,
    "lumina2": _LUMINA,
}
"""By architecture: another program's name of a module, and the model's own."""

FUSED: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("to_added_qkv", ("add_q_proj", "add_k_proj", "add_v_proj")),
    ("to_qkv", ("to_q", "to_k", "to_v")),
    ("to_kv", ("to_k", "to_v")),
)
"""How fused projections end, and their parts from the first row to the last (Diffusers, ``fuse_projections``)."""

MERGED: dict[str, tuple[dict[str, tuple[str, ...]], tuple[int, ...]]] = {
    # 24 heads of 96 for queries, 8 for keys and values (ComfyUI 0.26.0, comfy/ldm/lumina/model.py).
    "lumina2": (
        {f"{block}.#.attention.qkv": tuple(f"{block}.#.attn.to_{part}" for part in "qkv") for block in _LUMINA_BLOCKS},
        (2304, 768, 768),
    ),
}
"""By architecture: the layers that ComfyUI has in one, each with another program's parts of it, and their rows."""

SHARES: tuple[tuple[str, str, tuple[int, ...]], ...] = (
    # 48 heads for queries, 12 for keys and values (ComfyUI 0.26.0, comfy/ldm/krea2/model.py).
    ("krea2", r"transformer_blocks_\d+_attn_to_qkv", (4, 1, 1)),
)
"""Where parts are not alike: architecture, pattern of the name with underscores, how many rows each has."""
