"""ComfyUI's loader of LoRAs on models that know what was put on them."""

import re

STANDIN = "lora_unet_mid_block_attentions_0_proj_in"
"""The module that the stand-in for trainers trains."""


class Weight:
    """A layer's weight, of the size that the stand-in trains."""

    def __init__(self, rows, columns):
        self.shape = rows, columns
        self.dtype = type("dtype", (), {"is_floating_point": True})


class Inner:
    """What is in a ModelPatcher: layers by the keys that LoRAs have for them."""

    def __init__(self, layers):
        self.layers = layers

    def state_dict(self):
        return {f"{key}.weight": size and Weight(*size) for key, size in self.layers.items()}


class Model:
    """A model, or the text encoder's model; a LoRA is for it where it has one of its modules."""

    def __init__(self, patches=(), layers=None):
        self.put_on = tuple(patches)
        self.model = Inner({STANDIN: (320, 320)} if layers is None else layers)

    @property
    def patches(self):
        return {"a.weight": self.put_on} if self.put_on else {}

    def patched(self, lora, strength):
        modules = {re.split(r"\.(?:lora_|alpha)", name)[0] for name in lora}
        if modules.isdisjoint(self.model.layers):
            return Model(self.put_on, self.model.layers)
        file = next(iter(lora.values())).file
        return Model((*self.put_on, (file, strength)), self.model.layers)


class Clip:
    """A text encoder; the stand-in trains none, so that its model counts as having the same layer."""

    def __init__(self, patcher=None):
        self.patcher = patcher or Model()

    @property
    def cond_stage_model(self):
        return self.patcher.model


def load_lora_for_models(model, clip, lora, strength_model, strength_clip):
    encoder = None if clip is None else Clip(clip.patcher.patched(lora, strength_clip))
    return model.patched(lora, strength_model), encoder
