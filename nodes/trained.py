"""What the nodes behind a training share: LoRAs on models, images that were drawn, their vectors; no schema."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import comfy.model_management
import comfy.utils
import folder_paths

from ..lorads_core.checkpoints.header import Tensor
from ..lorads_core.errors import SettingsError, TrainerError
from ..lorads_core.model import FileStamp
from ..lorads_core.problems import counted
from . import core, host
from .model_keys import model_keys

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch
    from numpy import float32, uint8
    from numpy.typing import NDArray
    from PIL import Image

    from ..lorads_core.lora_tests.scores import Score
    from ..lorads_core.model import DatasetImage, Run
    from ..lorads_core.runs.lora_files import Loading, Merged, Piece
    from .embedder import ClipVision

COMFYUI = "ComfyUI"
"""Who says how much of a LoRA loads, where it loads one."""
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

    ComfyUI keeps the tensors of every LoRA that is on a model: read once, they lie in memory once. ``loadings`` says by
    file how much of it the model takes.
    """

    def __init__(self, model: object, clip: object) -> None:
        self._model = model
        self._clip = clip
        self._read: dict[Path, dict[str, Any]] = {}
        self.loadings: dict[Path, Loading] = {}

    @cached_property
    def _keys(self) -> dict[str, tuple[int, int] | None]:
        return model_keys(self._model, self._clip)

    def with_lora(self, file: Path, strength: float, strength_clip: float) -> tuple[object, object]:
        """Return both with a LoRA on them, as ComfyUI's own loader puts it there.

        One whose modules have names that ComfyUI does not know is converted in memory.

        Raises:
            TrainerError: the file is cut off, or nothing in it is for this model.
        """
        from comfy.sd import load_lora_for_models  # noqa: PLC0415 - it loads torch

        comfy.model_management.throw_exception_if_processing_interrupted()
        if file not in self._read:
            core.variants.check_file(file)
            self._read[file] = self._converted(file, comfy.utils.load_torch_file(str(file), safe_load=True))
        made = load_lora_for_models(self._model, self._clip, self._read[file], strength, strength_clip)
        if _patches(*made) == _patches(self._model, self._clip):
            raise TrainerError(self._nothing(file))
        return made

    def _converted(self, file: Path, tensors: dict[str, Any]) -> dict[str, Any]:
        """Note what the model takes of a LoRA's tensors, and return them as it takes most of them."""
        header = {name: _header(each) for name, each in tensors.items() if hasattr(each, "shape")}
        tables = core.lora_files.model_tables(self._keys)
        found = core.lora_files.loading(header, tables, self._keys, with_text=self._clip is not None)
        if found is None:
            return tensors
        self.loadings[file] = found
        if not found.best.loaded:
            raise TrainerError(self._nothing(file))
        if not found.converted or not found.conversion:
            return tensors
        others = {name: each for name, each in tensors.items() if name not in header}
        return {**others, **{piece.name: _piece(piece, tensors) for piece in found.conversion.pieces}}

    def _nothing(self, file: Path) -> str:
        said = f" {self.loadings[file].reason}" if file in self.loadings else ""
        return (
            f"Nothing in {file.name} is for this model: it was trained for another base model. Load the one that it was"
            f" trained on.{said}"
        )

    def text(self, file: Path) -> str:
        """Say how much of a LoRA the model takes, a warning in front where that is not all of it."""
        found = self.loadings.get(file)
        if found is None:
            return ""
        return f"warning: ComfyUI does not load all of it. {found.reason}" if found.reason else found.text

    def keep(self, run: Run) -> None:
        """Keep with a run how much of its LoRAs the model takes."""
        for file, found in self.loadings.items():
            core.training.save_lora_load(run, file, found.best, found.text, COMFYUI)


def _header(tensor: Any) -> Tensor:  # noqa: ANN401 - torch's
    return Tensor(str(tensor.dtype), tuple(tensor.shape))


def _piece(piece: Piece | Merged, tensors: Mapping[str, Any]) -> Any:  # noqa: ANN401 - torch's
    if isinstance(piece, core.lora_files.Piece):
        tensor = tensors[piece.source]
        return tensor[piece.rows[0] : piece.rows[1]] if piece.rows else tensor
    return _merged(piece, [tensors[name] for name in piece.parts], tensors)


def _merged(piece: Merged, parts: list[Any], tensors: Mapping[str, Any]) -> Any:  # noqa: ANN401 - torch's
    if piece.how == "alpha":
        value = core.lora_files.alpha_of(float(each) for each in parts)
        if value is None:
            raise TrainerError(f"{piece.name} cannot be made of {', '.join(piece.parts)}, which have different alphas.")
        return parts[0].float() * 0 + value
    shape = (sum(piece.rows), sum(each.shape[1] for each in parts))
    if piece.how == "below":
        shape = (sum(each.shape[0] for each in parts), parts[0].shape[1])
    made = parts[0].new_zeros(shape)
    above = before = 0
    sizes = piece.rows or [each.shape[0] for each in parts]
    for name, rows in zip(piece.sources if piece.rows else piece.parts, sizes, strict=True):
        if name:
            width = tensors[name].shape[1]
            made[above : above + rows, before : before + width] = tensors[name]
            before += width if piece.rows else 0
        above += rows
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
