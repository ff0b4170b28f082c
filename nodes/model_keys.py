"""Keys of LoRAs that a loaded model takes: ComfyUI's own maps, with the sizes of the layers behind them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Target = str | tuple[Any, ...]
    """A weight's name, or with it the part of it that a key is for: (dimension, first, length)."""


def model_keys(model: Any, clip: Any = None) -> dict[str, tuple[int, int] | None]:  # noqa: ANN401 - ComfyUI's own
    """Return the keys that a model (ModelPatcher) and its text encoder (CLIP) take, each with rows and columns.

    They are those of comfy/lora.py, less the ones for weights that the model lacks (comfy/model_patcher.py,
    add_patches). Sizes are None where they do not show, as those of weights packed for fewer bits.
    """
    import comfy.lora  # noqa: PLC0415 - it loads torch

    found = dict(_sized(comfy.lora.model_lora_keys_unet(model.model, {}), model.model.state_dict()))
    if clip is not None:
        encoder = clip.cond_stage_model
        found.update(_sized(comfy.lora.model_lora_keys_clip(encoder, {}), encoder.state_dict()))
    return found


def _sized(keys: Mapping[str, Target], weights: Mapping[str, Any]) -> Iterator[tuple[str, tuple[int, int] | None]]:
    for key, target in keys.items():
        name, part = (target, None) if isinstance(target, str) else (target[0], target[1] if len(target) > 1 else None)
        if name in weights:
            yield key, _size(name, weights[name], part)


def _size(name: str, weight: Any, part: tuple[int, int, int] | None) -> tuple[int, int] | None:  # noqa: ANN401 - a tensor
    shape = tuple(weight.shape)
    if not name.endswith(".weight") or len(shape) <= 1 or not weight.dtype.is_floating_point:
        return None
    if part is not None and part[0] != 0:
        return None
    return part[2] if part else shape[0], math.prod(shape[1:])
