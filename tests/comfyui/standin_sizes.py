"""Sizes at which ComfyUI builds models of the newer families in tests: this module is one of its custom nodes there.

ComfyUI reads most sizes from a model's file, but some stand in its code for the one model that there is of a family.
Those that make it large are smaller here; what a model is recognised by stays as it is.
"""

import dataclasses

import comfy.model_detection
from comfy.text_encoders import llama, qwen3vl

NODE_CLASS_MAPPINGS = {}
TEXT = {"intermediate_size": 64, "num_attention_heads": 2, "num_key_value_heads": 1}
"""Of a text encoder; its layers are as many as ever, as several of them are read by their numbers."""
VISION = {"hidden_size": 64, "intermediate_size": 64, "depth": 1, "deepstack_visual_indexes": [0]}
_TEXT_CONFIGS = ("Qwen3_06BConfig", "Qwen3_4BConfig", "Qwen3VL_4BConfig")
_detect = comfy.model_detection.detect_unet_config


def smaller(config):
    """Return a class of configs with smaller defaults."""
    fields = [(name, int, value) for name, value in TEXT.items()]
    return dataclasses.make_dataclass(config.__name__, fields, bases=(config,))


def detect(state_dict, key_prefix, metadata=None):
    """Return what ComfyUI makes of a denoiser's tensors, with sizes of these where it has sizes of its own."""
    found = _detect(state_dict, key_prefix, metadata=metadata)
    match found and found.get("image_model"):  # a U-Net has none
        case "lumina2":
            wide = state_dict[f"{key_prefix}layers.0.feed_forward.w1.weight"].shape[0]
            found |= {"n_refiner_layers": 1, "ffn_dim_multiplier": wide / found["dim"], "allow_fp16": False}
        case "anima":
            found["num_blocks"] = comfy.model_detection.count_blocks(state_dict.keys(), key_prefix + "blocks.{}.")
        case "krea2":
            found["multiplier"] = 1  # of the inner width of each block, those that read the text included
    return found


for name in _TEXT_CONFIGS:
    setattr(llama, name, smaller(getattr(llama, name)))
qwen3vl.QWEN3VL_CONFIGS["qwen3vl_4b"] = llama.Qwen3VL_4BConfig
qwen3vl.QWEN3VL_VISION["qwen3vl_4b"] = VISION
comfy.model_detection.detect_unet_config = detect
