"""What the nodes behind a training share: LoRAs on models, images that were drawn, their vectors; no schema."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import comfy.model_management
import comfy.utils
import folder_paths

from ..lorads_core.errors import SettingsError, TrainerError
from ..lorads_core.model import FileStamp
from ..lorads_core.problems import counted
from . import core, host

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch
    from numpy import float32, uint8
    from numpy.typing import NDArray
    from PIL import Image

    from ..lorads_core.lora_tests.scores import Score
    from ..lorads_core.model import DatasetImage
    from .embedder import ClipVision

_LORAS = "loras"


def lora_file(name: str) -> Path:
    """Return a LoRA by its name among ComfyUI's, also one that was saved just now.

    Raises:
        SettingsError: no name is given, it leads elsewhere, or there is none of it.
    """
    name = name.strip()
    if not name:
        raise SettingsError("No LoRA is named: wire a run from Launch Trainer, or write a name as loaders list it.")
    for folder in folder_paths.get_folder_paths(_LORAS):
        file = host.under(Path(folder), name)
        if file and file.is_file():
            return file
    # What ComfyUI itself lists may be a link that leads elsewhere.
    if name in folder_paths.get_filename_list(_LORAS):
        return Path(folder_paths.get_full_path_or_raise(_LORAS, name))
    raise SettingsError(f"There is no LoRA {name!r:.80} among ComfyUI's: write its name as LoRA loaders list it.")


def file_marks(names: Sequence[str]) -> list[str]:
    """Return a text for each LoRA by its name that changes when the file does."""
    return [_file_mark(name) for name in names]


def _file_mark(name: str) -> str:
    try:
        found = lora_file(name).stat()
    except (SettingsError, OSError) as error:
        return f"{name}: {error}"
    return f"{name} {FileStamp.of(found)}"


class Patched:
    """A model and its text encoder (None without one), to put LoRAs on; each file is read once for all strengths.

    ComfyUI keeps the tensors of every LoRA that is on a model: read once, they lie in memory once.
    """

    def __init__(self, model: object, clip: object) -> None:
        self._model = model
        self._clip = clip
        self._read: dict[Path, object] = {}

    def with_lora(self, file: Path, strength: float, strength_clip: float) -> tuple[object, object]:
        """Return both with a LoRA on them, as ComfyUI's own loader puts it there.

        Raises:
            TrainerError: the file is cut off, or nothing in it is for this model.
        """
        from comfy.sd import load_lora_for_models  # noqa: PLC0415 - it loads torch

        comfy.model_management.throw_exception_if_processing_interrupted()
        if file not in self._read:
            core.variants.check_file(file)
            self._read[file] = comfy.utils.load_torch_file(str(file), safe_load=True)
        made = load_lora_for_models(self._model, self._clip, self._read[file], strength, strength_clip)
        if _patches(*made) == _patches(self._model, self._clip):
            raise TrainerError(
                f"Nothing in {file.name} is for this model: it was trained for another base model. Load the one that"
                " it was trained on."
            )
        return made


def _patches(model: Any, clip: Any) -> int:  # noqa: ANN401 - ComfyUI's ModelPatcher and CLIP
    """Return how many changes of weights wait on a model and its text encoder (comfy/model_patcher.py, add_patches)."""
    patchers = [model, *([clip.patcher] if clip is not None else [])]
    patches: list[Mapping[str, Sequence[object]]] = [patcher.patches for patcher in patchers]
    return sum(len(changes) for each in patches for changes in each.values())


def pil_images(images: torch.Tensor) -> list[Image.Image]:
    """Return the images of an IMAGE, (n, height, width, 3) of 0-1."""
    import numpy as np  # noqa: PLC0415 - with us, ComfyUI starts no slower than without
    from PIL import Image  # noqa: PLC0415

    values: NDArray[float32] = np.asarray(images.detach().cpu().numpy(), np.float32)
    levels = cast("NDArray[uint8]", (values * 255).round().clip(0, 255).astype(np.uint8))
    return [Image.fromarray(levels[n, :, :, :3]) for n in range(len(levels))]


def scored(
    clip_vision: ClipVision, drawn: Sequence[Image.Image], found: Sequence[Score], training: Sequence[DatasetImage]
) -> tuple[list[Score], str, str]:
    """Return scores with numbers, the name of the encoder's space, and what to know of the training set."""
    from .embedder import ClipVisionEmbedder  # noqa: PLC0415 - it loads torch

    encoder = ClipVisionEmbedder(clip_vision)
    known = core.training_set.training_set(host.store(), host.settings(), training, encoder, host.progress())
    vectors = encoder.embed([encoder.fit(each) for each in drawn])
    unread = f"{counted(known.unread, 'training image')} could not be read: nothing was compared with them."
    return (
        core.scores.score_images(found, vectors, known.vectors, known.names),
        encoder.space.name,
        unread if known.unread else "",
    )
