"""Keys of LoRAs that ComfyUI 0.26.0 takes for text encoders; `key_tables` says which model has which."""

from __future__ import annotations

from .names import Names

_CLIP = "text_model.encoder.layers.(0..{last}).(mlp.(fc1|fc2)|self_attn.(k_proj|out_proj|q_proj|v_proj))"
_CLIP_REST = (
    "text_projection text_model.final_layer_norm text_model.embeddings.(position|token)_embedding"
    " text_model.encoder.layers.(0..{last}).layer_norm(1|2)"
)
_T5 = (
    "shared encoder.final_layer_norm encoder.block.(0..{last}).layer.(0.(layer_norm|SelfAttention.(k|o|q|v))"
    "|1.(layer_norm|DenseReluDense.(wi_0|wi_1|wo)))"
)
_T5_BIAS = " encoder.block.{blocks}.layer.0.SelfAttention.relative_attention_bias"
_LAYER = "input_layernorm|post_attention_layernorm|mlp.(down|gate|up)_proj|self_attn.(k|o|q|v)_proj"
_QK_NORMS = "|self_attn.(k|q)_norm"


def _clip(number: str, name: str, last: int, *, first: bool) -> tuple[Names, ...]:
    generic = f"text_encoders.{name}.transformer."
    alone = ("lora_te_",) if first else ()
    diffusers = "text_encoder." if first else f"text_encoder_{number}."
    projection = (f"lora_te{number}_",) if first else (f"lora_te{number}_", "lora_prior_te_")
    return (
        Names((f"lora_te{number}_", *alone, diffusers, generic), _CLIP.format(last=last)),
        Names((generic,), _CLIP_REST.format(last=last)),
        Names(projection, "text_projection"),
    )


def _t5(name: str, last: int, *kohya: str, blocks: str = "0") -> tuple[Names, ...]:
    forms = (f"text_encoders.{name}.transformer.", "text_encoders.transformer.", *kohya)
    return (Names(forms, _T5.format(last=last) + _T5_BIAS.format(blocks=blocks)),)


def _language_model(
    name: str, last: int, *, more: str = "", ends: str = "embed_tokens norm", visual: str = "", kohya: bool = True
) -> tuple[Names, ...]:
    """Return the names of a language model, and of what looks at images in it; alone it has kohya's names too."""
    generic = (f"text_encoders.{name}.transformer.", "text_encoders.transformer.")
    forms = (*(f"{each}model." for each in generic), *(("lora_te_",) if kohya else ()))
    found = Names(forms, f"{ends} layers.(0..{last}).({_LAYER}{more})")
    return (found, Names(generic, visual)) if visual else (found,)


_QWEN25_VISUAL = (
    "visual.merger.ln_q visual.patch_embed.proj visual.merger.mlp.(0|2)"
    " visual.blocks.(0..31).(norm1|norm2|attn.(proj|qkv)|mlp.(down|gate|up)_proj)"
)
_QWEN3_VISUAL = (
    "visual.pos_embed visual.patch_embed.proj visual.merger.(norm|linear_fc1|linear_fc2)"
    " visual.deepstack_merger_list.(0..2).(norm|linear_fc1|linear_fc2)"
    " visual.blocks.(0..23).(norm1|norm2|attn.(proj|qkv)|mlp.(linear_fc1|linear_fc2))"
)
_GEMMA_NORMS = "|pre_feedforward_layernorm|post_feedforward_layernorm"

TEXT_ENCODERS: dict[str, tuple[Names, ...]] = {
    "clip_l": _clip("1", "clip_l", 11, first=True),
    "clip_g": _clip("2", "clip_g", 31, first=False),
    # Kohya numbers text encoders as they stand in the model.
    "t5xxl_alone": _t5("t5xxl", 23, "lora_te1_"),
    "t5xxl_flux": _t5("t5xxl", 23, "lora_te2_", "lora_te3_"),
    "t5xxl_sd3": _t5("t5xxl", 23, "lora_te3_"),
    "umt5xxl": _t5("umt5xxl", 23, blocks="(0..23)"),
    "pile_t5xl": _t5("pile_t5xl", 23, blocks="(0..23)"),
    "byt5_small": _t5("byt5_small", 11),
    "qwen3_06b": _language_model("qwen3_06b", 27, more=_QK_NORMS),
    "qwen3_4b": _language_model("qwen3_4b", 35, more=_QK_NORMS),
    "qwen3_8b": _language_model("qwen3_8b", 35, more=_QK_NORMS, ends="embed_tokens norm lm_head"),
    "qwen3vl_4b": _language_model("qwen3vl_4b", 35, more=_QK_NORMS, visual=_QWEN3_VISUAL),
    "qwen3vl_8b": _language_model("qwen3vl_8b", 35, more=_QK_NORMS, ends="embed_tokens"),
    "qwen25_7b": _language_model("qwen25_7b", 27, visual=_QWEN25_VISUAL),
    "qwen25_7b_pair": _language_model("qwen25_7b", 27, visual=_QWEN25_VISUAL, kohya=False),
    "mistral3_24b": _language_model("mistral3_24b", 39),
    "ministral3_3b": _language_model("ministral3_3b", 25),
    "gemma2_2b": _language_model("gemma2_2b", 25, more=_GEMMA_NORMS),
    "llama": _language_model("llama", 31, kohya=False),
}  # fmt: skip
"""Text encoders by name, as ComfyUI calls them; where kohya's numbers differ by model, a row for each."""
