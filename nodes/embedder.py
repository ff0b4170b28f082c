"""ComfyUI's CLIP_VISION as an image encoder of the core; it loads no model, and is imported only where one is wired."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from ..lorads_core.store.vectors import Space
from ..lorads_core.vision.encoders.run import embed_library
from ..lorads_core.vision.preprocess import Preprocess
from . import core, host

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy import float32
    from numpy.typing import NDArray
    from PIL import Image

    from ..lorads_core.vision.encoders.run import EmbedReport

_TOKENS_RANK = 3


class _Given(Protocol):
    def __getitem__(self, key: str) -> torch.Tensor: ...


class ClipVision(Protocol):
    """What flows through a CLIP_VISION socket (comfy/clip_vision.py, ClipVisionModel, ComfyUI 0.26.0)."""

    image_size: int
    config: Mapping[str, object]
    model: torch.nn.Module

    def encode_image(self, image: torch.Tensor, crop: bool = ...) -> _Given:  # noqa: FBT001 - ComfyUI's own signature
        """Return the outputs for images (n, height, width, 3) of 0-1."""
        ...

    def get_sd(self) -> Mapping[str, torch.Tensor]:
        """Return the weights by name."""
        ...


class ClipVisionEmbedder:
    """An image encoder from the graph; see the core's `Embedder`.

    Images are stretched to the model's square as DiffusionToolkit does it, so that nothing at their edges is lost.
    ComfyUI then finds them at its own size and resizes nothing; it only normalises them.

    Of CLIP it takes the class token behind post_layernorm, before the projection: what Hugging Face calls pooler_output
    and DiffusionToolkit keeps (ViT-H: 1280 numbers). ComfyUI gives out last_hidden_state without that layer
    (clip_model.py, CLIPVision.forward), so the layer is applied here. DINO gives its class token as image_embeds.
    SigLIP gives its tokens, for ComfyUI has no pooling head; they are averaged.

    The space is named by the weights and the output, never ``clip-vit-h-14``: which ViT-H it is that was loaded
    (LAION's, DFN's, a fine-tune) cannot be recognized by its shape, and vectors of two of them must not be compared.
    """

    def __init__(self, clip_vision: ClipVision, batch_size: int = 16) -> None:
        self.batch_size = batch_size
        self._clip_vision = clip_vision
        self._preprocess = Preprocess(_side(clip_vision), "stretch", resample="imagesharp")
        blank = np.zeros((1, self._preprocess.size, self._preprocess.size, 3), np.float32)
        output, vectors = self._encode(blank)
        name = f"clip-vision-{_fingerprint(clip_vision)}-{output}"
        kind = clip_vision.config.get("model_type", "model")
        self.space = Space(name, vectors.shape[1], f"CLIP_VISION of ComfyUI: {kind}, {output}")

    def fit(self, picture: Image.Image) -> Image.Image:
        """Return an image in the size that the encoder sees."""
        return self._preprocess.fit(picture)

    def embed(self, pictures: Sequence[Image.Image]) -> NDArray[float32]:
        """Return the vectors (n, dimensions) of images (n) that `fit` gave."""
        parts = [
            self._encode(_batch(pictures[at : at + self.batch_size]))[1]
            for at in range(0, len(pictures), self.batch_size)
        ]
        return np.concatenate([np.empty((0, self.space.dimensions), np.float32), *parts])

    def _encode(self, pictures: NDArray[float32]) -> tuple[str, NDArray[float32]]:
        """Return which output it is, and the vectors of images (n, size, size, 3) of 0-1."""
        given = self._clip_vision.encode_image(torch.from_numpy(pictures), crop=False)
        vision = getattr(self._clip_vision.model, "vision_model", None)
        if vision is not None and not vision.output_layernorm:
            return "pooled", _array(vision.post_layernorm(given["last_hidden_state"][:, 0].float()))
        embeds = _array(given["image_embeds"])
        return ("mean", embeds.mean(axis=1)) if embeds.ndim == _TOKENS_RANK else ("image_embeds", embeds)


def embed_folder(library: str, folder: str, clip_vision: ClipVision) -> EmbedReport:
    """Embed a folder of a library, with the node's progress and interruption."""
    store = host.store()
    wanted = core.filters.DatasetFilter(folders=(folder,), exclude_marked_bad=False)
    opened = core.dataset.open_library(store, host.settings(), library)
    return embed_library(store, opened, ClipVisionEmbedder(clip_vision), wanted, host.progress())


def _side(clip_vision: ClipVision) -> int:
    """Return the width and height that the model sees; SigLIP 2 NaFlex takes any shape of that many patches."""
    if clip_vision.image_size > 0:
        return clip_vision.image_size
    config = clip_vision.config
    return int(str(config["patch_size"])) * math.isqrt(int(str(config["num_patches"])))


def _fingerprint(clip_vision: ClipVision) -> str:
    """Return eight letters that change with the weights, and not with their precision where that is 16 bits or more.

    Biases and norms (a megabyte) tell models and fine-tunes apart; the matrices would take seconds.
    """
    digest = hashlib.blake2b(digest_size=4)
    for name, weight in sorted(clip_vision.get_sd().items()):
        if weight.ndim == 1:
            digest.update(name.encode() + weight.detach().half().cpu().numpy().tobytes())
    return digest.hexdigest()


def _batch(pictures: Sequence[Image.Image]) -> NDArray[float32]:
    """Return images (n) as ComfyUI's IMAGE, (n, size, size, 3) of 0-1."""
    levels = np.stack([np.asarray(picture, np.float32) for picture in pictures])
    return np.divide(levels, 255, dtype=np.float32)


def _array(tensor: torch.Tensor) -> NDArray[float32]:
    return tensor.detach().float().cpu().numpy()
