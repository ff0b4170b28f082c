"""Names of the modules of SD 1.5's and SDXL's UNet: as their own code has them, and as Diffusers has them."""

from __future__ import annotations

_BLOCK = "norm1|norm2|norm3|(attn1|attn2).(to_k|to_q|to_v|to_out.0)|ff.net.(2|0.proj)"
_RESNET = "emb_layers.1|in_layers.(0|2)|out_layers.(0|3)"
_DIFFUSERS_RESNET = "conv1|conv2|norm1|norm2|time_emb_proj"
_DIFFUSERS_SHORTCUT = "conv1|conv2|conv_shortcut|norm1|norm2|time_emb_proj"

SD15_NATIVE = (
    "(out|time_embed).(0|2) "
    f"input_blocks.((10|11).0.({_RESNET})|(1|2|5|8).(0.({_RESNET})|1.(norm|proj_in|proj_out|"
    f"transformer_blocks.0.({_BLOCK})))|(3|6|9).0.op|(4|7).(0.(skip_connection|{_RESNET})|1.(norm|proj_in|proj_out|"
    f"transformer_blocks.0.({_BLOCK})))|0.0) "
    f"middle_block.((0|2).({_RESNET})|1.(norm|proj_in|proj_out|transformer_blocks.0.({_BLOCK}))) "
    f"output_blocks.((0|1).0.(skip_connection|{_RESNET})|(3|4|6|7|9..11).(0.(skip_connection|{_RESNET})|1.(norm|"
    f"proj_in|proj_out|transformer_blocks.0.({_BLOCK})))|(5|8).(0.(skip_connection|{_RESNET})|1.(norm|proj_in|"
    f"proj_out|transformer_blocks.0.({_BLOCK}))|2.conv)|2.(0.(skip_connection|{_RESNET})|1.conv))"
)

SD15_DIFFUSERS = (
    "conv_in conv_norm_out conv_out "
    f"down_blocks.((1|2).(attentions.(0|1).(norm|proj_in|proj_out|transformer_blocks.0.({_BLOCK}))|"
    f"downsamplers.0.conv|resnets.(0.({_DIFFUSERS_SHORTCUT})|1.({_DIFFUSERS_RESNET})))|0.(attentions.(0|1).(norm|"
    f"proj_in|proj_out|transformer_blocks.0.({_BLOCK}))|downsamplers.0.conv|resnets.(0|1).({_DIFFUSERS_RESNET}))|"
    f"3.resnets.(0|1).({_DIFFUSERS_RESNET})) "
    f"mid_block.(attentions.0.(norm|proj_in|proj_out|transformer_blocks.0.({_BLOCK}))|resnets.(0|"
    f"1).({_DIFFUSERS_RESNET})) "
    "time_embedding.(linear_1|linear_2) "
    f"up_blocks.((1|2).(attentions.(0..2).(norm|proj_in|proj_out|transformer_blocks.0.({_BLOCK}))|"
    f"resnets.(0..2).({_DIFFUSERS_SHORTCUT})|upsamplers.0.conv)|0.(resnets.(0..2).({_DIFFUSERS_SHORTCUT})|"
    f"upsamplers.0.conv)|3.(attentions.(0..2).(norm|proj_in|proj_out|transformer_blocks.0.({_BLOCK}))|"
    f"resnets.(0..2).({_DIFFUSERS_SHORTCUT})))"
)

SDXL_NATIVE = (
    "(out|time_embed).(0|2) "
    f"input_blocks.((1|2).0.({_RESNET})|(3|6).0.op|0.0|4.(0.(skip_connection|{_RESNET})|1.(norm|proj_in|proj_out|"
    f"transformer_blocks.(0|1).({_BLOCK})))|5.(0.({_RESNET})|1.(norm|proj_in|proj_out|transformer_blocks.(0|"
    f"1).({_BLOCK})))|7.(0.(skip_connection|{_RESNET})|1.(norm|proj_in|proj_out|"
    f"transformer_blocks.(0..9).({_BLOCK})))|8.(0.({_RESNET})|1.(norm|proj_in|proj_out|"
    f"transformer_blocks.(0..9).({_BLOCK})))) "
    "label_emb.0.(0|2) "
    f"middle_block.((0|2).({_RESNET})|1.(norm|proj_in|proj_out|transformer_blocks.(0..9).({_BLOCK}))) "
    f"output_blocks.((0|1).(0.(skip_connection|{_RESNET})|1.(norm|proj_in|proj_out|"
    f"transformer_blocks.(0..9).({_BLOCK})))|(3|4).(0.(skip_connection|{_RESNET})|1.(norm|proj_in|proj_out|"
    f"transformer_blocks.(0|1).({_BLOCK})))|(6..8).0.(skip_connection|{_RESNET})|2.(0.(skip_connection|{_RESNET})|"
    f"1.(norm|proj_in|proj_out|transformer_blocks.(0..9).({_BLOCK}))|2.conv)|5.(0.(skip_connection|{_RESNET})|"
    f"1.(norm|proj_in|proj_out|transformer_blocks.(0|1).({_BLOCK}))|2.conv))"
)

SDXL_DIFFUSERS = (
    "conv_in conv_norm_out conv_out "
    "(add_embedding|class_embedding|time_embedding).(linear_1|linear_2) "
    f"down_blocks.(0.(downsamplers.0.conv|resnets.(0|1).({_DIFFUSERS_RESNET}))|1.(attentions.(0|1).(norm|proj_in|"
    f"proj_out|transformer_blocks.(0|1).({_BLOCK}))|downsamplers.0.conv|resnets.(0.({_DIFFUSERS_SHORTCUT})|"
    f"1.({_DIFFUSERS_RESNET})))|2.(attentions.(0|1).(norm|proj_in|proj_out|transformer_blocks.(0..9).({_BLOCK}))|"
    f"resnets.(0.({_DIFFUSERS_SHORTCUT})|1.({_DIFFUSERS_RESNET})))) "
    f"mid_block.(attentions.(0.(norm|proj_in|proj_out|transformer_blocks.(0..9).({_BLOCK})))|resnets.(0|"
    f"1).({_DIFFUSERS_RESNET})) "
    f"up_blocks.(0.(attentions.(0..2).(norm|proj_in|proj_out|transformer_blocks.(0..9).({_BLOCK}))|"
    f"resnets.(0..2).({_DIFFUSERS_SHORTCUT})|upsamplers.0.conv)|1.(attentions.(0..2).(norm|proj_in|proj_out|"
    f"transformer_blocks.(0|1).({_BLOCK}))|resnets.(0..2).({_DIFFUSERS_SHORTCUT})|upsamplers.0.conv)|"
    f"2.(resnets.(0..2).({_DIFFUSERS_SHORTCUT})))"
)
