"""ComfyUI's loader of LoRAs on models that know what was put on them."""


class Model:
    """A model, or the text encoder's model; ``for_it`` are the files that hold something for it (None: all do)."""

    def __init__(self, patches=(), for_it=None):
        self.put_on = tuple(patches)
        self.for_it = for_it

    @property
    def patches(self):
        return {"a.weight": self.put_on} if self.put_on else {}

    def patched(self, lora, strength):
        if self.for_it is not None and lora["file"] not in self.for_it:
            return Model(self.put_on, self.for_it)
        return Model((*self.put_on, (lora["file"], strength)), self.for_it)


class Clip:
    """A text encoder."""

    def __init__(self, patcher=None):
        self.patcher = patcher or Model()


def load_lora_for_models(model, clip, lora, strength_model, strength_clip):
    encoder = None if clip is None else Clip(clip.patcher.patched(lora, strength_clip))
    return model.patched(lora, strength_model), encoder
