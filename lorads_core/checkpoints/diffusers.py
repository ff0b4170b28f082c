"""Diffusers folders: what a model is by ``model_index.json`` and its parts' configs; weights are not looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import TrainerError
from .architectures import architecture_of_pipeline
from .json_file import read_json_object

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .architectures import Architecture

INDEX = "model_index.json"
_LONGEST = 1024**2  # bytes; the configs of models have some 2,000
# Pipelines of one architecture that are of one variant of it (diffusers, ``pipelines``).
_VARIANTS = {
    "FluxKontextPipeline": "Kontext",
    "QwenImageEditPipeline": "Edit",
    "QwenImageEditPlusPipeline": "Edit 2509/Edit 2511",
}
_PARTS = (("text encoder", "text_encoder"), ("VAE", "vae"))


@dataclass(frozen=True, slots=True)
class DiffusersFolder:
    """What a folder's configs say; ``architecture`` is None for a pipeline that no row has."""

    pipeline: str
    architecture: Architecture | None
    variant: str = ""
    parts: tuple[str, ...] = ()
    v_prediction: bool = False
    distilled_from: str = ""


def read_folder(folder: Path) -> DiffusersFolder:
    """Read a Diffusers folder.

    Raises:
        TrainerError: it is none, or its index cannot be read.
    """
    index = _document(folder / INDEX)
    pipeline = index.get("_class_name")
    if not isinstance(pipeline, str) or not pipeline.isidentifier():
        raise TrainerError(f"{folder} is no Diffusers folder: its {INDEX} names no pipeline.")
    architecture = architecture_of_pipeline(pipeline)
    scheduler = _config(folder / "scheduler" / "scheduler_config.json")
    # FLUX.1 schnell is known by this alone (diffusers, FluxTransformer2DModel).
    unguided = _config(folder / "transformer" / "config.json").get("guidance_embeds") is False
    schnell = unguided and architecture is not None and architecture.name == "flux"
    return DiffusersFolder(
        pipeline,
        architecture,
        "schnell" if schnell else _VARIANTS.get(pipeline, ""),
        tuple(label for label, part in _PARTS if part in index),
        scheduler.get("prediction_type") == "v_prediction",
        "FLUX.1 dev" if schnell else "",
    )


def _config(file: Path) -> Mapping[str, object]:
    """Return a part's config; an empty one where it has none that can be read."""
    try:
        return _document(file)
    except TrainerError:
        return {}


def _document(file: Path) -> Mapping[str, object]:
    return read_json_object(file, _LONGEST, "a config")
