"""Taggers: what each promises, and how one of ``lorads.toml`` is opened; none is ever downloaded from here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ..batches import ImageModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image

    from ...model import Tag
    from ...settings import TaggerProfile
    from .labels import Kind


class Tagger(ImageModel, Protocol):
    """A model that says which tags an image has, with the preprocessing that it was trained with."""

    @property
    def kind(self) -> Kind:
        """Whose tagger it is: what `said_by` says of its tags."""
        ...

    @property
    def source(self) -> str:
        """What its tags are stored under: ``source:category`` is the source of each."""
        ...

    def tag(self, pictures: Sequence[Image.Image]) -> list[tuple[Tag, ...] | None]:
        """Return the tags of each of the images that `fit` gave, None where the model fails (NaN).

        Tags are canonical, each once for its source, with a confidence of 0-1; what the model is too unsure of is left
        out, ratings never.

        Raises:
            SettingsError: the tagger cannot be run, for instance for want of memory.
        """
        ...

    @property
    def about(self) -> str:
        """What it is, in a few words for people."""
        ...


def open_tagger(profile: TaggerProfile) -> Tagger:
    """Load the tagger of ``[taggers.NAME]`` and try it out on plain images.

    Raises:
        SettingsError: a setting is wrong, onnxruntime is missing, or model and list of tags do not fit each other.
    """
    from .onnx import open_onnx  # noqa: PLC0415 - it needs an optional library

    return open_onnx(profile)
