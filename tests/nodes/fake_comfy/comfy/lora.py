"""ComfyUI's maps of keys, for models whose layers are named by a test."""


def model_lora_keys_unet(model, key_map):
    return {**key_map, **{key: f"{key}.weight" for key in model.layers}}


def model_lora_keys_clip(model, key_map):
    return model_lora_keys_unet(model, key_map)
