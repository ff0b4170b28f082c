"""Keys of LoRAs that ComfyUI 0.26.0 takes for each architecture: the table that is used where no ComfyUI runs.

The names are facts of the models' own files and of what trainers write; `tests/comfyui/test_lora_keys.py` holds
each row against ComfyUI's own map (``comfy/lora.py``, ``model_lora_keys_unet`` and ``model_lora_keys_clip``, on models
without weights). A key of that map for a weight that the model lacks is in no row: ComfyUI passes over it.
"""

from __future__ import annotations

from .key_table import KeyTable
from .names import Names
from .unet_names import SD15_DIFFUSERS, SD15_NATIVE, SDXL_DIFFUSERS, SDXL_NATIVE


def _unet(architectures: tuple[str, ...], native: str, diffusers: str, *text_encoders: str) -> KeyTable:
    others = (Names(("lora_unet_", "lycoris_"), diffusers), Names(("unet.", ""), diffusers, processor=True))
    return KeyTable(architectures, native, others=others, text_encoders=text_encoders)


KEY_TABLES: tuple[KeyTable, ...] = (
    _unet(("sd15", "sd2"), SD15_NATIVE, SD15_DIFFUSERS, "clip_l"),
    _unet(("sdxl",), SDXL_NATIVE, SDXL_DIFFUSERS, "clip_l", "clip_g"),
    KeyTable(
        ("sd35",),
        "context_embedder x_embedder.proj "
        "(t_embedder|y_embedder).mlp.(0|2) "
        "final_layer.(linear|adaLN_modulation.1) "
        "joint_blocks.((0..12).(context_block.(adaLN_modulation.1|attn.(ln_k|ln_q|proj|qkv)|mlp.(fc1|fc2))|"
        "x_block.((attn|attn2).(ln_k|ln_q|proj|qkv)|adaLN_modulation.1|mlp.(fc1|fc2)))|(13..36).(context_block|"
        "x_block).(adaLN_modulation.1|attn.(ln_k|ln_q|proj|qkv)|mlp.(fc1|fc2))|"
        "37.(context_block.(adaLN_modulation.1|attn.(ln_k|ln_q|qkv))|x_block.(adaLN_modulation.1|attn.(ln_k|ln_q|"
        "proj|qkv)|mlp.(fc1|fc2))))",
        others=(
            Names(
                ("base_model.model.", "transformer.", "lycoris_", "lora_transformer_"),
                "context_embedder norm_out.linear pos_embed.proj proj_out "
                "time_text_embed.(text_embedder|timestep_embedder).(linear_1|linear_2) "
                "transformer_blocks.((0..12).((ff|ff_context).net.(2|0.proj)|(norm1|norm1_context).linear|"
                "attn.(add_k_proj|add_q_proj|add_v_proj|norm_added_k|norm_added_q|norm_k|norm_q|to_add_out|to_k|"
                "to_q|to_v|to_out.0)|attn2.(norm_k|norm_q|to_k|to_q|to_v|to_out.0))|(13..36).((ff|"
                "ff_context).net.(2|0.proj)|(norm1|norm1_context).linear|attn.(add_k_proj|add_q_proj|add_v_proj|"
                "norm_added_k|norm_added_q|norm_k|norm_q|to_add_out|to_k|to_q|to_v|to_out.0))|37.((norm1|"
                "norm1_context).linear|attn.(add_k_proj|add_q_proj|add_v_proj|norm_added_k|norm_added_q|norm_k|"
                "norm_q|to_k|to_q|to_v|to_out.0)|ff.net.(2|0.proj)))",
            ),
        ),
        text_encoders=("clip_l", "clip_g", "t5xxl_sd3"),
    ),
    KeyTable(
        ("flux",),
        "img_in txt_in "
        "(guidance_in|time_in|vector_in).(in_layer|out_layer) "
        "double_blocks.(0..18).((img_attn|txt_attn).(proj|qkv|norm.(key_norm|query_norm))|(img_mlp|txt_mlp).(0|2)|"
        "(img_mod|txt_mod).lin) "
        "final_layer.(linear|adaLN_modulation.1) "
        "single_blocks.(0..37).(linear1|linear2|modulation.lin|norm.(key_norm|query_norm))",
        others=(
            Names(
                ("transformer.", "lycoris_", "lora_transformer_", ""),
                "context_embedder norm_out.linear proj_out x_embedder "
                "single_transformer_blocks.(0..37).(proj_mlp|proj_out|attn.(norm_k|norm_q|to_k|to_out|to_q|"
                "to_qkv_mlp_proj|to_v)|norm.linear) "
                "time_text_embed.(guidance_embedder|text_embedder|timestep_embedder).(linear_1|linear_2) "
                "transformer_blocks.(0..18).((ff|ff_context).(linear_in|linear_out|net.(2|0.proj))|(norm1|"
                "norm1_context).linear|attn.(add_k_proj|add_q_proj|add_v_proj|norm_added_k|norm_added_q|norm_k|"
                "norm_q|to_add_out|to_k|to_q|to_v|to_out.0))",
            ),
            Names(
                ("diffusion_model.",),
                "single_blocks.(0..37).linear1_qkv",
            ),
        ),
        text_encoders=("clip_l", "t5xxl_flux"),
    ),
    KeyTable(
        ("flux2",),
        "img_in txt_in "
        "(double_stream_modulation_img|double_stream_modulation_txt|single_stream_modulation).lin "
        "(guidance_in|time_in).(in_layer|out_layer) "
        "double_blocks.(0..7).((img_attn|txt_attn).(proj|qkv|norm.(key_norm|query_norm))|(img_mlp|txt_mlp).(0|2)) "
        "final_layer.(linear|adaLN_modulation.1) "
        "single_blocks.(0..47).(linear1|linear2|norm.(key_norm|query_norm))",
        others=(
            Names(
                ("transformer.", "lora_transformer_", "lycoris_", ""),
                "context_embedder norm_out.linear proj_out x_embedder "
                "single_transformer_blocks.(0..47).(proj_mlp|proj_out|attn.(norm_k|norm_q|to_k|to_out|to_q|"
                "to_qkv_mlp_proj|to_v)) "
                "time_text_embed.(guidance_embedder|timestep_embedder).(linear_1|linear_2) "
                "transformer_blocks.(0..7).((ff|ff_context).(linear_in|linear_out|net.(2|0.proj))|attn.(add_k_proj|"
                "add_q_proj|add_v_proj|norm_added_k|norm_added_q|norm_k|norm_q|to_add_out|to_k|to_q|to_v|to_out.0))",
            ),
            Names(
                ("diffusion_model.",),
                "single_blocks.(0..47).linear1_qkv",
            ),
        ),
        text_encoders=("mistral3_24b", "qwen3_4b", "qwen3_8b"),
    ),
    KeyTable(
        ("chroma",),
        "final_layer.linear img_in txt_in "
        "distilled_guidance_layer.(in_proj|out_proj|layers.(0..4).(in_layer|out_layer)|norms.(0..4)) "
        "double_blocks.(0..18).((img_attn|txt_attn).(proj|qkv|norm.(key_norm|query_norm))|(img_mlp|txt_mlp).(0|2)) "
        "single_blocks.(0..37).(linear1|linear2|norm.(key_norm|query_norm))",
        others=(
            Names(
                ("transformer.", "lycoris_", "lora_transformer_", ""),
                "context_embedder proj_out x_embedder "
                "single_transformer_blocks.(0..37).(proj_mlp|proj_out|attn.(norm_k|norm_q|to_k|to_out|to_q|"
                "to_qkv_mlp_proj|to_v)) "
                "transformer_blocks.(0..18).((ff|ff_context).(linear_in|linear_out|net.(2|0.proj))|"
                "attn.(add_k_proj|add_q_proj|add_v_proj|norm_added_k|norm_added_q|norm_k|norm_q|to_add_out|to_k|"
                "to_q|to_v|to_out.0))",
            ),
            Names(
                ("diffusion_model.",),
                "single_blocks.(0..37).linear1_qkv",
            ),
        ),
        text_encoders=("t5xxl_alone",),
    ),
    KeyTable(
        ("hunyuan_video",),
        "img_in.proj "
        "(guidance_in|time_in|vector_in).(in_layer|out_layer) "
        "double_blocks.(0..19).((img_attn|txt_attn).(proj|qkv|norm.(key_norm|query_norm))|(img_mlp|txt_mlp).(0|2)|"
        "(img_mod|txt_mod).lin) "
        "final_layer.(linear|adaLN_modulation.1) "
        "single_blocks.(0..39).(linear1|linear2|modulation.lin|norm.(key_norm|query_norm)) "
        "txt_in.(input_embedder|(c_embedder|t_embedder).(in_layer|out_layer)|individual_token_refiner.blocks.(0|"
        "1).(norm1|norm2|adaLN_modulation.1|mlp.(0|2)|self_attn.(proj|qkv)))",
        others=(
            Names(
                ("transformer.",),
                "img_in.proj "
                "(guidance_in|time_in|vector_in).(in_layer|out_layer) "
                "double_blocks.(0..19).(img_attn_proj|img_attn_qkv|txt_attn_proj|txt_attn_qkv|(img_attn|"
                "txt_attn).norm.(key_norm|query_norm)|(img_mlp|txt_mlp).(fc1|fc2)|(img_mod|txt_mod).linear) "
                "final_layer.(linear|adaLN_modulation.1) "
                "single_blocks.(0..39).(linear1|linear2|modulation.linear|norm.(key_norm|query_norm)) "
                "txt_in.(input_embedder|(c_embedder|t_embedder).(in_layer|out_layer)|"
                "individual_token_refiner.blocks.(0|1).(norm1|norm2|self_attn_proj|self_attn_qkv|"
                "adaLN_modulation.1|mlp.(fc1|fc2)))",
            ),
            Names(
                ("diffusion_model.",),
                "double_blocks.(0..19).(img_attn_proj|img_attn_qkv|txt_attn_proj|txt_attn_qkv|(img_mlp|"
                "txt_mlp).(fc1|fc2)|(img_mod|txt_mod).linear) "
                "single_blocks.(0..39).modulation.linear "
                "txt_in.individual_token_refiner.blocks.(0|1).(self_attn_proj|self_attn_qkv|mlp.(fc1|fc2))",
            ),
        ),
        text_encoders=("clip_l", "llama"),
    ),
    KeyTable(
        ("hunyuan_video_15",),
        "cond_type_embedding img_in.proj "
        "byt5_in.(fc1|fc2|fc3|layernorm) "
        "double_blocks.(0..53).((img_attn|txt_attn).(proj|qkv|norm.(key_norm|query_norm))|(img_mlp|txt_mlp).(0|2)|"
        "(img_mod|txt_mod).lin) "
        "final_layer.(linear|adaLN_modulation.1) "
        "time_in.(in_layer|out_layer) "
        "txt_in.(input_embedder|(c_embedder|t_embedder).(in_layer|out_layer)|individual_token_refiner.blocks.(0|"
        "1).(norm1|norm2|adaLN_modulation.1|mlp.(0|2)|self_attn.(proj|qkv))) "
        "vision_in.proj.(0|1|3|4)",
        others=(
            Names(
                ("transformer.",),
                "cond_type_embedding img_in.proj "
                "byt5_in.(fc1|fc2|fc3|layernorm) "
                "double_blocks.(0..53).(img_attn_proj|img_attn_qkv|txt_attn_proj|txt_attn_qkv|(img_attn|"
                "txt_attn).norm.(key_norm|query_norm)|(img_mlp|txt_mlp).(fc1|fc2)|(img_mod|txt_mod).linear) "
                "final_layer.(linear|adaLN_modulation.1) "
                "time_in.(in_layer|out_layer) "
                "txt_in.(input_embedder|(c_embedder|t_embedder).(in_layer|out_layer)|"
                "individual_token_refiner.blocks.(0|1).(norm1|norm2|self_attn_proj|self_attn_qkv|"
                "adaLN_modulation.1|mlp.(fc1|fc2))) "
                "vision_in.proj.(0|1|3|4)",
            ),
            Names(
                ("diffusion_model.",),
                "double_blocks.(0..53).(img_attn_proj|img_attn_qkv|txt_attn_proj|txt_attn_qkv|(img_mlp|"
                "txt_mlp).(fc1|fc2)|(img_mod|txt_mod).linear) "
                "txt_in.individual_token_refiner.blocks.(0|1).(self_attn_proj|self_attn_qkv|mlp.(fc1|fc2))",
            ),
        ),
        text_encoders=("qwen25_7b_pair", "byt5_small"),
    ),
    KeyTable(
        ("hunyuan_image",),
        "img_in.proj "
        "byt5_in.(fc1|fc2|fc3|layernorm) "
        "double_blocks.(0..19).((img_attn|txt_attn).(proj|qkv|norm.(key_norm|query_norm))|(img_mlp|txt_mlp).(0|2)|"
        "(img_mod|txt_mod).lin) "
        "final_layer.(linear|adaLN_modulation.1) "
        "single_blocks.(0..39).(linear1|linear2|modulation.lin|norm.(key_norm|query_norm)) "
        "time_in.(in_layer|out_layer) "
        "txt_in.(input_embedder|(c_embedder|t_embedder).(in_layer|out_layer)|individual_token_refiner.blocks.(0|"
        "1).(norm1|norm2|adaLN_modulation.1|mlp.(0|2)|self_attn.(proj|qkv)))",
        text_encoders=("qwen25_7b_pair", "byt5_small"),
    ),
    KeyTable(
        ("zimage",),
        "x_embedder "
        "cap_embedder.(0|1) "
        "context_refiner.(0|1).(attention_norm1|attention_norm2|ffn_norm1|ffn_norm2|attention.(k_norm|out|q_norm|"
        "qkv)|feed_forward.(w1|w2|w3)) "
        "final_layer.(linear|adaLN_modulation.1) "
        "layers.(0..29).(attention_norm1|attention_norm2|ffn_norm1|ffn_norm2|adaLN_modulation.0|attention.(k_norm|"
        "out|q_norm|qkv)|feed_forward.(w1|w2|w3)) "
        "noise_refiner.(0|1).(attention_norm1|attention_norm2|ffn_norm1|ffn_norm2|adaLN_modulation.0|"
        "attention.(k_norm|out|q_norm|qkv)|feed_forward.(w1|w2|w3)) "
        "t_embedder.mlp.(0|2)",
        others=(
            Names(
                ("transformer.", "lycoris_", ""),
                "all_x_embedder.2-1 "
                "all_final_layer.2-1.(linear|adaLN_modulation.1) "
                "cap_embedder.(0|1) "
                "context_refiner.(0|1).(attention_norm1|attention_norm2|ffn_norm1|ffn_norm2|attention.(norm_k|"
                "norm_q|to_k|to_q|to_v|to_out.0)|feed_forward.(w1|w2|w3)) "
                "layers.(0..29).(attention_norm1|attention_norm2|ffn_norm1|ffn_norm2|adaLN_modulation.0|"
                "attention.(norm_k|norm_q|to_k|to_q|to_v|to_out.0)|feed_forward.(w1|w2|w3)) "
                "noise_refiner.(0|1).(attention_norm1|attention_norm2|ffn_norm1|ffn_norm2|adaLN_modulation.0|"
                "attention.(norm_k|norm_q|to_k|to_q|to_v|to_out.0)|feed_forward.(w1|w2|w3)) "
                "t_embedder.mlp.(0|2)",
            ),
            Names(
                ("diffusion_model.",),
                "all_x_embedder.2-1 "
                "(context_refiner|noise_refiner).(0|1).attention.(norm_k|norm_q|to_k|to_q|to_v|to_out.0) "
                "all_final_layer.2-1.(linear|adaLN_modulation.1) "
                "layers.(0..29).attention.(norm_k|norm_q|to_k|to_q|to_v|to_out.0)",
            ),
        ),
        text_encoders=("qwen3_4b",),
    ),
    KeyTable(
        ("lumina2",),
        "x_embedder "
        "cap_embedder.(0|1) "
        "context_refiner.(0|1).(attention_norm1|attention_norm2|ffn_norm1|ffn_norm2|attention.(k_norm|out|q_norm|"
        "qkv)|feed_forward.(w1|w2|w3)) "
        "final_layer.(linear|adaLN_modulation.1) "
        "layers.(0..25).(attention_norm1|attention_norm2|ffn_norm1|ffn_norm2|adaLN_modulation.1|attention.(k_norm|"
        "out|q_norm|qkv)|feed_forward.(w1|w2|w3)) "
        "noise_refiner.(0|1).(attention_norm1|attention_norm2|ffn_norm1|ffn_norm2|adaLN_modulation.1|"
        "attention.(k_norm|out|q_norm|qkv)|feed_forward.(w1|w2|w3)) "
        "t_embedder.mlp.(0|2)",
        others=(
            Names(
                ("transformer.", "lycoris_", ""),
                "all_x_embedder.2-1 "
                "(context_refiner|noise_refiner).(0|1).(attention_norm1|attention_norm2|ffn_norm1|ffn_norm2|"
                "attention.(norm_k|norm_q|to_k|to_q|to_v|to_out.0)|feed_forward.(w1|w2|w3)) "
                "all_final_layer.2-1.(linear|adaLN_modulation.1) "
                "cap_embedder.(0|1) "
                "layers.(0..25).(attention_norm1|attention_norm2|ffn_norm1|ffn_norm2|attention.(norm_k|norm_q|to_k|"
                "to_q|to_v|to_out.0)|feed_forward.(w1|w2|w3)) "
                "t_embedder.mlp.(0|2)",
            ),
            Names(
                ("diffusion_model.",),
                "all_x_embedder.2-1 "
                "(context_refiner|noise_refiner).(0|1).attention.(norm_k|norm_q|to_k|to_q|to_v|to_out.0) "
                "all_final_layer.2-1.(linear|adaLN_modulation.1) "
                "layers.(0..25).attention.(norm_k|norm_q|to_k|to_q|to_v|to_out.0)",
            ),
        ),
        text_encoders=("gemma2_2b",),
    ),
    KeyTable(
        ("wan", "wan22_i2v"),
        "head.head patch_embedding time_projection.1 "
        "(text_embedding|time_embedding).(0|2) "
        "blocks.(0..39).(norm3|(cross_attn|self_attn).(k|norm_k|norm_q|o|q|v)|ffn.(0|2))",
        text_encoders=("umt5xxl",),
    ),
    KeyTable(
        ("wan21_i2v",),
        "head.head patch_embedding time_projection.1 "
        "(text_embedding|time_embedding).(0|2) "
        "blocks.(0..39).(norm3|cross_attn.(k|k_img|norm_k|norm_k_img|norm_q|o|q|v|v_img)|ffn.(0|2)|self_attn.(k|"
        "norm_k|norm_q|o|q|v)) "
        "img_emb.proj.(0|1|3|4)",
        text_encoders=("umt5xxl",),
    ),
    KeyTable(
        ("wan22_5b",),
        "head.head patch_embedding time_projection.1 "
        "(text_embedding|time_embedding).(0|2) "
        "blocks.(0..29).(norm3|(cross_attn|self_attn).(k|norm_k|norm_q|o|q|v)|ffn.(0|2))",
        text_encoders=("umt5xxl",),
    ),
    KeyTable(
        ("anima",),
        "t_embedding_norm x_embedder.proj.1 "
        "blocks.(0..27).((adaln_modulation_cross_attn|adaln_modulation_mlp|adaln_modulation_self_attn).(1|2)|"
        "(cross_attn|self_attn).(k_norm|k_proj|output_proj|q_norm|q_proj|v_proj)|mlp.(layer1|layer2)) "
        "final_layer.(linear|adaln_modulation.(1|2)) "
        "llm_adapter.(embed|norm|out_proj|blocks.(0..5).(norm_cross_attn|norm_mlp|norm_self_attn|(cross_attn|"
        "self_attn).(k_norm|k_proj|o_proj|q_norm|q_proj|v_proj)|mlp.(0|2))) "
        "t_embedder.1.(linear_1|linear_2)",
        text_encoders=("qwen3_06b",),
    ),
    KeyTable(
        ("cosmos_predict2",),
        "t_embedding_norm x_embedder.proj.1 "
        "blocks.(0..27).((adaln_modulation_cross_attn|adaln_modulation_mlp|adaln_modulation_self_attn).(1|2)|"
        "(cross_attn|self_attn).(k_norm|k_proj|output_proj|q_norm|q_proj|v_proj)|mlp.(layer1|layer2)) "
        "final_layer.(linear|adaln_modulation.(1|2)) "
        "t_embedder.1.(linear_1|linear_2)",
    ),
    KeyTable(
        ("qwen_image",),
        "img_in norm_out.linear proj_out txt_in txt_norm "
        "time_text_embed.timestep_embedder.(linear_1|linear_2) "
        "transformer_blocks.(0..59).((img_mlp|txt_mlp).net.(2|0.proj)|(img_mod|txt_mod).1|attn.(add_k_proj|"
        "add_q_proj|add_v_proj|norm_added_k|norm_added_q|norm_k|norm_q|to_add_out|to_k|to_q|to_v|to_out.0))",
        forms=("transformer.", "lycoris_", ""),
        text_encoders=("qwen25_7b",),
    ),
    KeyTable(
        ("auraflow",),
        "cond_seq_linear final_linear init_x_linear modF.1 "
        "double_layers.(0..3).((mlpC|mlpX).(c_fc1|c_fc2|c_proj)|(modC|modX).1|attn.(w1k|w1o|w1q|w1v|w2k|w2o|w2q|"
        "w2v)) "
        "single_layers.(0..31).(attn.(w1k|w1o|w1q|w1v)|mlp.(c_fc1|c_fc2|c_proj)|modCX.1) "
        "t_embedder.mlp.(0|2)",
        others=(
            Names(
                ("transformer.",),
                "context_embedder norm_out.linear pos_embed.proj proj_out "
                "joint_transformer_blocks.(0..3).((ff|ff_context).(linear_1|linear_2|out_projection)|(norm1|"
                "norm1_context).linear|attn.(add_k_proj|add_q_proj|add_v_proj|to_add_out|to_k|to_q|to_v|to_out.0)) "
                "single_transformer_blocks.(0..31).(attn.(to_k|to_q|to_v|to_out.0)|ff.(linear_1|linear_2|"
                "out_projection)|norm1.linear) "
                "time_step_proj.(linear_1|linear_2)",
            ),
        ),
        text_encoders=("pile_t5xl",),
    ),
    KeyTable(
        ("hidream",),
        "x_embedder.proj "
        "caption_projection.(0..48).linear "
        "double_stream_blocks.(0..15).(block.(adaLN_modulation.1|attn1.(k_rms_norm|k_rms_norm_t|q_rms_norm|"
        "q_rms_norm_t|to_k|to_k_t|to_out|to_out_t|to_q|to_q_t|to_v|to_v_t)|ff_i.(gate|experts.(0..3).(w1|w2|w3)|"
        "shared_experts.(w1|w2|w3))|ff_t.(w1|w2|w3))) "
        "final_layer.(linear|adaLN_modulation.1) "
        "p_embedder.pooled_embedder.(linear_1|linear_2) "
        "single_stream_blocks.(0..31).(block.(adaLN_modulation.1|attn1.(k_rms_norm|q_rms_norm|to_k|to_out|to_q|"
        "to_v)|ff_i.(gate|experts.(0..3).(w1|w2|w3)|shared_experts.(w1|w2|w3)))) "
        "t_embedder.timestep_embedder.(linear_1|linear_2)",
        forms=("transformer.", "lycoris_"),
        text_encoders=("clip_l", "clip_g", "t5xxl_sd3", "llama"),
    ),
    KeyTable(
        ("hidream_o1",),
        "final_layer2.linear t_embedder1.mlp.(0|2) x_embedder.(proj1|proj2) "
        "language_model.(embed_tokens|norm|layers.(0..35).(input_layernorm|post_attention_layernorm|mlp.(down_proj|"
        "gate_proj|up_proj)|self_attn.(k_norm|k_proj|o_proj|q_norm|q_proj|v_proj))) "
        "visual.(pos_embed|patch_embed.proj|merger.(linear_fc1|linear_fc2|norm)|blocks.(0..26).(norm1|norm2|"
        "attn.(proj|qkv)|mlp.(linear_fc1|linear_fc2)))",
    ),
    KeyTable(
        ("krea2",),
        "first last.linear tproj.1 "
        "blocks.(0..27).(attn.(gate|wk|wo|wq|wv)|mlp.(down|gate|up)) "
        "tmlp.(0|2) "
        "txtfusion.(projector|(layerwise_blocks|refiner_blocks).(0|1).(attn.(gate|wk|wo|wq|wv)|mlp.(down|gate|up))) "
        "txtmlp.(1|3)",
        others=(
            Names(
                ("diffusion_model.", "transformer.", "lycoris_", ""),
                "final_layer.linear img_in time_mod_proj "
                "(time_embed|txt_in).(linear_1|linear_2) "
                "text_fusion.(projector|(layerwise_blocks|refiner_blocks).(0|1).(attn.(to_gate|to_k|to_out|to_q|"
                "to_v|to_out.0)|ff.(down|gate|up))) "
                "transformer_blocks.(0..27).(attn.(to_gate|to_k|to_out|to_q|to_v|to_out.0)|ff.(down|gate|up))",
            ),
        ),
        text_encoders=("qwen3vl_4b",),
    ),
    KeyTable(
        ("ideogram4",),
        "adaln_proj embed_image_indicator input_proj llm_cond_norm llm_cond_proj "
        "final_layer.(adaln_modulation|linear) "
        "layers.(0..33).(adaln_modulation|attention_norm1|attention_norm2|ffn_norm1|ffn_norm2|attention.(norm_k|"
        "norm_q|o|qkv)|feed_forward.(w1|w2|w3)) "
        "t_embedding.(mlp_in|mlp_out)",
        text_encoders=("qwen3vl_8b",),
    ),
    KeyTable(
        ("ernie_image",),
        "adaLN_modulation.1 final_linear final_norm.linear text_proj x_embedder.proj "
        "layers.(0..35).(adaLN_mlp_ln|adaLN_sa_ln|mlp.(gate_proj|linear_fc2|up_proj)|self_attention.(norm_k|norm_q|"
        "to_k|to_q|to_v|to_out.0)) "
        "time_embedding.(linear_1|linear_2)",
        forms=("transformer.",),
        text_encoders=("ministral3_3b",),
    ),
    KeyTable(
        ("ltx2",),
        "audio_patchify_proj audio_proj_out patchify_proj proj_out "
        "(adaln_single|audio_adaln_single|audio_prompt_adaln_single|prompt_adaln_single|av_ca_a2v_gate_adaln_single|av_ca_audio_scale_shift_adaln_single|"
        "av_ca_v2a_gate_adaln_single|av_ca_video_scale_shift_adaln_single).(linear|emb.timestep_embedder.(linear_1|"
        "linear_2)) "
        "(audio_caption_projection|caption_projection).(linear_1|linear_2) "
        "(audio_embeddings_connector|video_embeddings_connector).transformer_1d_blocks.(0..7).(attn1.(k_norm|q_norm|to_gate_logits|"
        "to_k|to_q|to_v|to_out.0)|ff.net.(2|0.proj)) "
        "transformer_blocks.(0..47).((attn1|attn2|audio_attn1|audio_attn2|audio_to_video_attn|"
        "video_to_audio_attn).(k_norm|q_norm|to_gate_logits|to_k|to_q|to_v|to_out.0)|(audio_ff|ff).net.(2|0.proj))",
        forms=("",),
    ),
    KeyTable(
        ("ltx_video",),
        "patchify_proj proj_out "
        "adaln_single.(linear|emb.timestep_embedder.(linear_1|linear_2)) "
        "caption_projection.(linear_1|linear_2) "
        "transformer_blocks.(0..27).((attn1|attn2).(k_norm|q_norm|to_k|to_q|to_v|to_out.0)|ff.net.(2|0.proj))",
        forms=("",),
    ),
    KeyTable(
        ("omnigen2",),
        "ref_image_patch_embedder x_embedder "
        "(noise_refiner|ref_image_refiner).(0|1).(ffn_norm1|ffn_norm2|norm2|attn.(norm_k|norm_q|to_k|to_q|to_v|"
        "to_out.0)|feed_forward.(linear_1|linear_2|linear_3)|norm1.(linear|norm)) "
        "context_refiner.(0|1).(ffn_norm1|ffn_norm2|norm1|norm2|attn.(norm_k|norm_q|to_k|to_q|to_v|to_out.0)|"
        "feed_forward.(linear_1|linear_2|linear_3)) "
        "layers.(0..31).(ffn_norm1|ffn_norm2|norm2|attn.(norm_k|norm_q|to_k|to_q|to_v|to_out.0)|"
        "feed_forward.(linear_1|linear_2|linear_3)|norm1.(linear|norm)) "
        "norm_out.(linear_1|linear_2) "
        "time_caption_embed.(caption_embedder.(0|1)|timestep_embedder.(linear_1|linear_2))",
        forms=("",),
    ),
)
