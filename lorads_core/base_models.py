"""The base models that LoRADS knows, one row each; combos, captions and trainers read this table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .errors import SettingsError

Family = Literal["sd15", "sdxl", "flux"]
"""What has one architecture, and so one way to be trained."""


@dataclass(frozen=True, slots=True)
class BaseModel:
    """A base model: ``family`` says which of a trainer's scripts trains it, ``resolution`` is its own, in pixels.

    ``parts`` are the fields of a training config that name files besides the checkpoint, without which it is not whole.
    How its captions are written stands in `captions.profiles`.
    """

    name: str
    label: str
    family: Family
    resolution: int
    parts: tuple[str, ...] = ()


BASE_MODELS: tuple[BaseModel, ...] = (
    BaseModel("sdxl", "SDXL 1.0", "sdxl", 1024),
    BaseModel("illustrious", "Illustrious XL", "sdxl", 1024),
    BaseModel("pony", "Pony Diffusion V6 XL", "sdxl", 1024),
    BaseModel("sd15", "Stable Diffusion 1.5", "sd15", 512),
    BaseModel("flux", "FLUX.1 dev", "flux", 1024, ("clip_l", "t5xxl", "ae")),
)
BASE_MODEL_NAMES = tuple(base.name for base in BASE_MODELS)


def base_model(name: str) -> BaseModel:
    """Return the row called ``name``.

    Raises:
        SettingsError: there is none; the message names those there are.
    """
    for base in BASE_MODELS:
        if base.name == name:
            return base
    raise SettingsError(f"There is no base model {name!r}; known are: {', '.join(BASE_MODEL_NAMES)}.")
