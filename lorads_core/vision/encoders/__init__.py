"""Image encoders: what each promises, and how one of ``lorads.toml`` is opened; none is ever downloaded from here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ..batches import ImageModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy import float32
    from numpy.typing import NDArray
    from PIL import Image

    from ...settings import EmbedderProfile
    from ...store.vectors import Space


class Embedder(ImageModel, Protocol):
    """An image encoder with the preprocessing that it was trained with."""

    @property
    def space(self) -> Space:
        """What the vectors are: the same name only where they may be compared."""
        ...

    def embed(self, pictures: Sequence[Image.Image]) -> NDArray[float32]:
        """Return the vectors (n, dimensions) of images (n) that `fit` gave, of any length; NaN where it fails.

        Raises:
            SettingsError: the encoder cannot be run, for instance for want of memory.
        """
        ...


def open_embedder(profile: EmbedderProfile) -> Embedder:
    """Load the image encoder of ``[embedders.NAME]`` and try it out on a blank image.

    Raises:
        SettingsError: a setting is wrong, onnxruntime is missing, or the model is not one for images.
    """
    from .onnx import open_onnx  # noqa: PLC0415 - it needs an optional library

    return open_onnx(profile)
