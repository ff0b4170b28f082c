"""Image encoders as ONNX files: which output is the vector, and which space that is."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, replace
from mmap import ACCESS_READ, mmap
from typing import TYPE_CHECKING, Any, cast, get_args

import numpy as np
from PIL import Image

from ...errors import SettingsError
from ...store.vectors import MAX_DIMENSIONS, Space
from ...system.files import open_regular
from .. import session as sessions
from ..options import choice, integer, key_path
from ..session import MAX_BATCH_SIZE, describe_ports, format_shape, match_input, open_model
from .preprocess import SETTINGS, Pool, read_preprocess, read_preset

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy import float16, float32
    from numpy.typing import NDArray

    from ...settings import EmbedderProfile, Table
    from ..preprocess import Preprocess
    from ..session import OnnxModel, Port
    from .preprocess import Preset

_KEYS = ("model", "preset", *SETTINGS, "output", "pool", "space", *sessions.SETTINGS)
_BATCH = 16
_TOKENS_RANK = 3
_VECTOR_RANK = 2
_PIECE = 1 << 20  # bytes
# How a tensor names the file that its data is in (onnx.proto, TensorProto.external_data): this, a length, the name.
_EXTERNAL = re.compile(rb"\x0a\x08location\x12")


@dataclass(frozen=True)
class _Encoder:
    """A loaded model, and how one vector an image is had of it."""

    model: OnnxModel
    output: str
    pool: Pool

    def run(self, tensor: NDArray[float32 | float16]) -> NDArray[float32]:
        """Return vectors (n, dimensions) of images (n)."""
        return self._pooled(self.model.run(self.output, tensor)).astype(np.float32, copy=False)

    def _pooled(self, given: NDArray[Any]) -> NDArray[Any]:
        kept = [number for number in given.shape[1:] if number != 1]
        flat = given.reshape(given.shape[0], *kept) if kept else given.reshape(given.shape[0], -1)
        if flat.ndim == _TOKENS_RANK and self.pool:
            return flat[:, 0] if self.pool == "cls" else flat.mean(axis=1, dtype=np.float32)
        if flat.ndim != _VECTOR_RANK:
            raise SettingsError(
                f"The output {self.output} of {self.model.file} has the shape {format_shape(given.shape)}, not a vector"
                " for each image: name another output, or set pool to cls or mean."
            )
        return flat


@dataclass(frozen=True)
class OnnxEmbedder:
    """An image encoder that onnxruntime runs; see `Embedder`."""

    space: Space
    batch_size: int
    preprocess: Preprocess
    _encoder: _Encoder

    def fit(self, picture: Image.Image) -> Image.Image:
        """Return an image in the size that the encoder sees."""
        return self.preprocess.fit(picture)

    def embed(self, pictures: Sequence[Image.Image]) -> NDArray[float32]:
        """Return the vectors (n, dimensions) of images (n) that `fit` gave; NaN where the model fails.

        Raises:
            SettingsError: the model cannot be run.
        """
        most = self._encoder.model.fixed_batch or self.batch_size
        parts = [
            self._encoder.run(self.preprocess.tensor(pictures[at : at + most], self._encoder.model.dtype))
            for at in range(0, len(pictures), most)
        ]
        return np.concatenate([np.empty((0, self.space.dimensions), np.float32), *parts])


def open_onnx(profile: EmbedderProfile) -> OnnxEmbedder:
    """Load a profile's model, find out how it is fed and what it gives, and try it on a blank image.

    Without ``space`` in the profile, vectors are stored under its name and a fingerprint of the model's files, the
    preprocessing and the output, so that what another model gives is never compared with them.

    Raises:
        SettingsError: a setting is wrong, onnxruntime is missing, or the model is not one for images.
    """
    table = profile.options.only(*_KEYS)
    preset = read_preset(table)
    asked = read_preprocess(table, preset)
    encoder = _load(table, preset)
    model = encoder.model
    preprocess = match_input(asked, model, table)
    blank = Image.new("RGB", (preprocess.size, preprocess.size))
    dimensions = encoder.run(preprocess.tensor([blank], model.dtype)).shape[1]
    name = table.text("space") or _known_space(preset, preprocess, dimensions, table)
    if not 1 <= dimensions <= MAX_DIMENSIONS:
        raise SettingsError(
            f"The output {encoder.output} of {model.file} has {dimensions:,} numbers an image; {MAX_DIMENSIONS:,} at"
            " most can be stored: name another output."
        )
    return OnnxEmbedder(
        space=Space(
            name or f"{profile.name}-{_fingerprint(encoder, preprocess)}",
            dimensions,
            f"{model.file.name} ({encoder.output})",
        ),
        batch_size=model.fixed_batch or integer(table, "batch_size", _BATCH, 1, MAX_BATCH_SIZE),
        preprocess=preprocess,
        _encoder=encoder,
    )


def _known_space(preset: Preset, preprocess: Preprocess, dimensions: int, table: Table) -> str:
    """Return the space that a preset stands for, empty where it stands for none or something was changed."""
    if not preset.space or replace(preprocess, layout=preset.preprocess.layout) != preset.preprocess:
        return ""
    if dimensions != preset.dimensions:
        raise SettingsError(
            f"{key_path(table, 'preset')} stands for vectors of {preset.dimensions:,} dimensions, the model gives"
            f" {dimensions:,}: name its pooled output before the projection, or use the preset clip."
        )
    return preset.space


def _load(table: Table, preset: Preset) -> _Encoder:
    file = table.path("model")
    if file is None:
        raise SettingsError(f"{key_path(table, 'model')} is missing: give the path of an ONNX file.")
    if not file.is_file():
        raise SettingsError(f"{key_path(table, 'model')}: there is no file {file}.")
    model = open_model(table, "model", file)
    pool = cast("Pool", choice(table, "pool", preset.pool, get_args(Pool)))
    output = _output(model.session.get_outputs(), table.text("output"), preset, pool, file)
    return _Encoder(model, output, pool)


def _output(listed: Sequence[Port], named: str, preset: Preset, pool: Pool, file: Path) -> str:
    names = [port.name for port in listed]
    if named in names:
        return named
    # Names alone do not tell: some exports call the pooled vectors last_hidden_state.
    vectors = [port.name for port in listed if _rank(port) == _VECTOR_RANK]
    tokens = [port.name for port in listed if pool and _rank(port) == _TOKENS_RANK]
    unknown = [port.name for port in listed if not port.shape]
    preferred = [name for name in preset.outputs if name in (*vectors, *tokens, *unknown)]
    chosen = preferred[:1] or next((one for one in (vectors, tokens) if one), unknown)
    if named or len(chosen) != 1:
        fault = f"has no output {named!r}" if named else "leaves open which output holds one vector an image"
        raise SettingsError(
            f"The model {file} {fault}; it gives {describe_ports(listed)}. Set output to one of them (and pool to"
            " cls or mean where it has three dimensions)."
        )
    return chosen[0]


def _rank(port: Port) -> int:
    return len(port.shape[:1]) + sum(number != 1 for number in port.shape[1:])


def _fingerprint(encoder: _Encoder, preprocess: Preprocess) -> str:
    """Return eight letters that change with the model's files, its preprocessing and its output.

    Models over 2 GB keep their weights in files beside them, which they name.
    """
    digest = hashlib.blake2b(repr((preprocess, encoder.output, encoder.pool)).encode(), digest_size=4)
    file = encoder.model.file
    with open_regular(file) as opened, mmap(opened.fileno(), 0, access=ACCESS_READ) as mapped:
        beside = {_external(mapped, found.end()) for found in _EXTERNAL.finditer(mapped)}
        digest.update(mapped)
    for name in sorted(beside):
        with open_regular(file.parent / os.fsdecode(name)) as opened:
            while piece := opened.read(_PIECE):
                digest.update(piece)
    return digest.hexdigest()


def _external(model: mmap, at: int) -> bytes:
    """Return the name whose length begins at this byte; a length of 128 and more takes a second one."""
    low, high = model[at : at + 2]
    start, length = (at + 1, low) if low < 128 else (at + 2, low - 128 + 128 * high)  # noqa: PLR2004 - bits of a byte
    return model[start : start + length]
