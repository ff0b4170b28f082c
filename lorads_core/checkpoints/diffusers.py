"""Diffusers folders: what a model is by ``model_index.json`` and its parts' configs; weights are not looked at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from ..errors import TrainerError
from .architectures import ARCHITECTURES, architecture_of_pipeline
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
_SECOND_DENOISER = "transformer_2"
# What a value in the config of the denoiser tells of a pipeline: architecture and variant; the first that fits.
_BY_CONFIG: tuple[tuple[str, str, object, str, str], ...] = (
    ("FluxPipeline", "guidance_embeds", False, "flux", "schnell"),
    ("WanPipeline", "in_channels", 48, "wan22_5b", ""),
    ("WanPipeline", "num_attention_heads", 12, "wan", "1.3B"),
    ("WanPipeline", "num_attention_heads", 40, "wan", "14B"),
)


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
    architecture, variant = _of_pipeline(pipeline, index, _config(folder / "transformer" / "config.json"))
    scheduler = _config(folder / "scheduler" / "scheduler_config.json")
    known = next((each for each in architecture.variants if each.label == variant), None) if architecture else None
    return DiffusersFolder(
        pipeline,
        architecture,
        variant,
        tuple(label for label, part in _PARTS if part in index),
        scheduler.get("prediction_type") == "v_prediction",
        known.distilled_from if known else "",
    )


def _of_pipeline(
    pipeline: str, index: Mapping[str, object], denoiser: Mapping[str, object]
) -> tuple[Architecture | None, str]:
    """Return architecture and variant of a pipeline; its families are those with as many denoisers as it has."""
    rows = (row for row in _BY_CONFIG if row[0] == pipeline and denoiser.get(row[1]) == row[2])
    _, _, _, name, variant = next(rows, ("", "", None, "", _VARIANTS.get(pipeline, "")))
    found = next((each for each in ARCHITECTURES if each.name == name), None) or architecture_of_pipeline(pipeline)
    if found is None or not found.pairs:
        return found, variant
    second = index.get(_SECOND_DENOISER)
    has_both = isinstance(second, list) and any(cast("list[object]", second))
    return replace(found, families=tuple(each for each in found.families if (each in found.pairs) == has_both)), variant


def _config(file: Path) -> Mapping[str, object]:
    """Return a part's config; an empty one where it has none that can be read."""
    try:
        return _document(file)
    except TrainerError:
        return {}


def _document(file: Path) -> Mapping[str, object]:
    return read_json_object(file, _LONGEST, "a config")
