"""What the nodes behind a training share: LoRAs on models, pictures that were drawn, their vectors; no schema."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import comfy.utils
import folder_paths

from ..lorads_core.errors import ImageError, SettingsError
from . import host

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from numpy import float32, uint8
    from numpy.typing import NDArray
    from PIL import Image

    from ..lorads_core.model import DatasetImage
    from .embedder import ClipVision


def lora_file(name: str) -> Path:
    """Return a LoRA by its name among ComfyUI's, also one that was saved just now.

    Raises:
        SettingsError: no name is given, it leads elsewhere, or there is none of it.
    """
    if not name.strip():
        raise SettingsError("No LoRA is named: wire a run from Launch Trainer, or write a name as loaders list it.")
    for folder in folder_paths.get_folder_paths("loras"):
        file = host.under(Path(folder), name.strip())
        if file and file.is_file():
            return file
    raise SettingsError(f"There is no LoRA {name!r:.80} among ComfyUI's: write its name as LoRA loaders list it.")


def with_lora(model: object, clip: object, file: Path, strength: float, strength_clip: float) -> tuple[object, object]:
    """Return a model and a text encoder with a LoRA on them, as ComfyUI's own loader puts it there."""
    from comfy.sd import load_lora_for_models  # noqa: PLC0415 - it loads torch

    lora = comfy.utils.load_torch_file(str(file), safe_load=True)
    return load_lora_for_models(model, clip, lora, strength, strength_clip)


def pictures(images: torch.Tensor) -> list[Image.Image]:
    """Return the pictures of an IMAGE, (n, height, width, 3) of 0-1."""
    import numpy as np  # noqa: PLC0415 - with us, ComfyUI starts no slower than without
    from PIL import Image  # noqa: PLC0415

    values: NDArray[float32] = np.asarray(images.detach().cpu().numpy(), np.float32)
    levels = cast("NDArray[uint8]", (values * 255).round().clip(0, 255).astype(np.uint8))
    return [Image.fromarray(levels[n, :, :, :3]) for n in range(len(levels))]


def labels_for(labels: Sequence[str], count: int) -> list[str]:
    """Return a label for each picture; several pictures of a label follow on each other.

    Raises:
        SettingsError: they do not fit.
    """
    if not labels or count % len(labels):
        raise SettingsError(
            f"There are {count} pictures and {len(labels)} labels: wire both from the same LoRA Variants, and draw as"
            " many pictures for each."
        )
    each = count // len(labels)
    return [label if each == 1 else f"{label}, {n + 1}" for label in labels for n in range(each)]


class Vectors(NamedTuple):
    """Of pictures (n, d), of the training images that could be read (m, d), and the names of these."""

    pictures: NDArray[float32]
    training: NDArray[float32] | None
    names: list[str]


def vectors(clip_vision: ClipVision, drawn: Sequence[Image.Image], training: Sequence[DatasetImage]) -> Vectors:
    """Return vectors of one space, with the node's progress and interruption."""
    from ..lorads_core.images.decode import decode  # noqa: PLC0415 - with us, ComfyUI starts no slower than without
    from .embedder import ClipVisionEmbedder  # noqa: PLC0415 - it loads torch

    encoder, show = ClipVisionEmbedder(clip_vision), host.progress()
    names: list[str] = []
    fitted: list[Any] = []
    for number, each in enumerate(training):
        with suppress(ImageError):
            fitted.append(encoder.fit(decode(each.record.path, first_frame=True)))
            names.append(Path(each.record.path.replace("\\", "/")).name)
        show("read", number + 1, len(training))
    theirs = encoder.embed(fitted) if fitted else None
    return Vectors(encoder.embed([encoder.fit(each) for each in drawn]), theirs, names)
