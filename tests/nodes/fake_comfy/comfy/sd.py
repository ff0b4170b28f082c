"""ComfyUI's loader of LoRAs: it says what it put on what."""


def load_lora_for_models(model, clip, lora, strength_model, strength_clip):
    return (model, lora["file"], strength_model), None if clip is None else (clip, lora["file"], strength_clip)
