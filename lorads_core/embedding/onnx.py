"""Image encoders as ONNX files, run by onnxruntime (an optional library); it makes and downloads none."""

from __future__ import annotations

import hashlib
import logging
import os
import re
from dataclasses import dataclass, replace
from importlib import import_module
from mmap import ACCESS_READ, mmap
from typing import TYPE_CHECKING, Any, Protocol, cast, get_args

import numpy as np
from PIL import Image

from ..errors import SettingsError
from ..store.vectors import MOST_DIMENSIONS, Space
from .preprocess import SETTINGS, Pool, choice, place, read_preprocess, read_preset, whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy import float16, float32
    from numpy.typing import NDArray

    from ..settings import EmbedderProfile, Table
    from .preprocess import Layout, Preprocess, Preset

_log = logging.getLogger(__name__)

_KEYS = ("model", "preset", *SETTINGS, "output", "pool", "space", "batch_size", "providers")
_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
_DTYPES: dict[str, type[float32 | float16]] = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
_COLOURS_AT: dict[Layout, int] = {"nchw": 1, "nhwc": 3}
_BATCH = 16
_COLOURS = 3
_PICTURE_RANK = 4
_TOKENS_RANK = 3
_VECTOR_RANK = 2
_PIECE = 1 << 20  # bytes
# How a tensor names the file that its data is in (onnx.proto, TensorProto.external_data): this, a length, the name.
_EXTERNAL = re.compile(rb"\x0a\x08location\x12")
_QUIET = 3  # onnxruntime's severity "error"

_Dimension = int | str | None


class _Port(Protocol):
    """An input or output of a model: its shape has numbers, names for what is free, and is empty where unknown."""

    name: str
    type: str
    shape: Sequence[_Dimension]


class _Session(Protocol):
    def get_inputs(self) -> Sequence[_Port]: ...
    def get_outputs(self) -> Sequence[_Port]: ...
    def get_providers(self) -> list[str]: ...
    def run(self, output_names: list[str], input_feed: Mapping[str, object]) -> list[NDArray[Any]]: ...


@dataclass(frozen=True)
class _Model:
    """A loaded model: where it is from, and what it takes and gives."""

    file: Path
    session: _Session
    faults: tuple[type[Exception], ...]
    picture: _Port
    output: str
    pool: Pool

    @property
    def dtype(self) -> type[float32 | float16]:
        return _DTYPES[self.picture.type]

    @property
    def fixed_batch(self) -> int | None:
        """How many pictures it takes, no more and no fewer; None where that is free."""
        first = self.picture.shape[0]
        return first if isinstance(first, int) and first > 0 else None

    def run(self, tensor: NDArray[float32 | float16]) -> NDArray[float32]:
        """Return vectors (n, dimensions) of pictures (n)."""
        count = len(tensor)
        if self.fixed_batch and count < self.fixed_batch:
            blank = np.zeros((self.fixed_batch - count, *tensor.shape[1:]), tensor.dtype)
            tensor = np.concatenate([tensor, blank])
        try:
            (given,) = self.session.run([self.output], {self.picture.name: tensor})
        except self.faults as error:
            raise SettingsError(
                f"The model {self.file} cannot encode a batch of {len(tensor)}: {_brief(error)} Check size and layout;"
                " where memory is short, set a smaller batch_size."
            ) from error
        vectors = self._pooled(given)
        if len(vectors) != len(tensor):
            raise SettingsError(
                f"The model {self.file} gives {len(vectors)} vectors for {len(tensor)} pictures: name another output."
            )
        return vectors[:count].astype(np.float32, copy=False)

    def _pooled(self, given: NDArray[Any]) -> NDArray[Any]:
        kept = [number for number in given.shape[1:] if number != 1]
        flat = given.reshape(given.shape[0], *kept) if kept else given.reshape(given.shape[0], -1)
        if flat.ndim == _TOKENS_RANK and self.pool:
            return flat[:, 0] if self.pool == "cls" else flat.mean(axis=1, dtype=np.float32)
        if flat.ndim != _VECTOR_RANK:
            raise SettingsError(
                f"The output {self.output} of {self.file} has the shape {_shown(given.shape)}, not a vector for each"
                " picture: name another output, or set pool to cls or mean."
            )
        return flat


@dataclass(frozen=True)
class OnnxEmbedder:
    """An image encoder that onnxruntime runs; see `Embedder`."""

    space: Space
    batch_size: int
    preprocess: Preprocess
    _model: _Model

    def fit(self, picture: Image.Image) -> Image.Image:
        """Return a picture in the size that the encoder sees."""
        return self.preprocess.fit(picture)

    def embed(self, pictures: Sequence[Image.Image]) -> NDArray[float32]:
        """Return the vectors (n, dimensions) of pictures (n) that `fit` gave; NaN where the model fails.

        Raises:
            SettingsError: the model cannot be run.
        """
        most = self._model.fixed_batch or self.batch_size
        parts = [
            self._model.run(self.preprocess.tensor(pictures[at : at + most], self._model.dtype))
            for at in range(0, len(pictures), most)
        ]
        return np.concatenate([np.empty((0, self.space.dimensions), np.float32), *parts])


def open_onnx(profile: EmbedderProfile) -> OnnxEmbedder:
    """Load a profile's model, find out how it is fed and what it gives, and try it on a blank picture.

    Without ``space`` in the profile, vectors are kept under its name and a fingerprint of the model's files, the
    preprocessing and the output, so that what another model gives is never compared with them.

    Raises:
        SettingsError: a setting is wrong, onnxruntime is missing, or the model is not one for pictures.
    """
    table = profile.options.only(*_KEYS)
    preset = read_preset(table)
    asked = read_preprocess(table, preset)
    model = _load(table, preset)
    preprocess = _fitted(asked, model, table)
    blank = Image.new("RGB", (preprocess.size, preprocess.size))
    dimensions = model.run(preprocess.tensor([blank], model.dtype)).shape[1]
    name = table.text("space") or _known_space(preset, preprocess, dimensions, table)
    if not 1 <= dimensions <= MOST_DIMENSIONS:
        raise SettingsError(
            f"The output {model.output} of {model.file} has {dimensions:,} numbers a picture; {MOST_DIMENSIONS:,} at"
            " most can be kept: name another output."
        )
    return OnnxEmbedder(
        space=Space(
            name or f"{profile.name}-{_fingerprint(model, preprocess)}",
            dimensions,
            f"{model.file.name} ({model.output})",
        ),
        batch_size=model.fixed_batch or whole(table, "batch_size", _BATCH, 1, 4096),
        preprocess=preprocess,
        _model=model,
    )


def _known_space(preset: Preset, preprocess: Preprocess, dimensions: int, table: Table) -> str:
    """Return the space that a preset stands for, empty where it stands for none or something was changed."""
    if not preset.space or replace(preprocess, layout=preset.preprocess.layout) != preset.preprocess:
        return ""
    if dimensions != preset.dimensions:
        raise SettingsError(
            f"{place(table, 'preset')} stands for vectors of {preset.dimensions:,} dimensions, the model gives"
            f" {dimensions:,}: name its pooled output before the projection, or use the preset clip."
        )
    return preset.space


def _load(table: Table, preset: Preset) -> _Model:
    file = table.path("model")
    if file is None:
        raise SettingsError(f"{place(table, 'model')} is missing: give the path of an ONNX file.")
    if not file.is_file():
        raise SettingsError(f"{place(table, 'model')}: there is no file {file}.")
    session, faults = _session(table, file)
    picture = _picture_input(session, file)
    pool = cast("Pool", choice(table, "pool", preset.pool, get_args(Pool)))
    output = _output(session.get_outputs(), table.text("output"), preset, pool, file)
    return _Model(file, session, faults, picture, output, pool)


def _session(table: Table, file: Path) -> tuple[_Session, tuple[type[Exception], ...]]:
    try:
        runtime = cast("Any", import_module("onnxruntime"))
        native = cast("Any", import_module("onnxruntime.capi.onnxruntime_pybind11_state"))
    except ImportError as error:
        raise SettingsError(
            f"{table.source}: [{table.where.rstrip('.')}] needs onnxruntime ({error}): pip install lorads[onnx], or"
            " onnxruntime-gpu for NVIDIA cards."
        ) from error
    # They have no class in common but Exception; which there are depends on the version.
    kinds = (kind for kind in cast("dict[str, object]", vars(native)).values() if isinstance(kind, type))
    faults = (*(kind for kind in kinds if issubclass(kind, Exception)), RuntimeError, ValueError)
    wanted = _providers(table, cast("list[str]", runtime.get_available_providers()))
    options = runtime.SessionOptions()
    options.log_severity_level = _QUIET
    try:
        session = cast("_Session", runtime.InferenceSession(str(file), options, providers=wanted))
    except faults as error:
        raise SettingsError(
            f"{place(table, 'model')}: {file} cannot be loaded as an ONNX model: {_brief(error)} Export or copy it"
            " again, with the .data file beside it where it has one."
        ) from error
    _check_providers(table, wanted, session.get_providers())
    return session, faults


def _providers(table: Table, available: list[str]) -> list[str]:
    listed = table.texts("providers")
    unknown = [name for name in listed if name not in available]
    if unknown:
        raise SettingsError(
            f"{place(table, 'providers')}: this onnxruntime has no {', '.join(unknown)}; it has {', '.join(available)}."
        )
    return listed or [name for name in (_CUDA, _CPU) if name in available]


def _check_providers(table: Table, wanted: list[str], running: list[str]) -> None:
    """Onnxruntime goes on without a provider whose libraries it cannot load."""
    lost = ", ".join(name for name in wanted if name not in running)
    if not lost:
        return
    if table.texts("providers"):
        raise SettingsError(f"{place(table, 'providers')}: {lost} cannot be started: check its driver and libraries.")
    _log.warning("onnxruntime cannot start %s: images are encoded by the processor, which is slow.", lost)


def _picture_input(session: _Session, file: Path) -> _Port:
    inputs = session.get_inputs()
    pictures = [port for port in inputs if len(port.shape) == _PICTURE_RANK]
    if len(pictures) != 1 or len(inputs) != 1:
        raise SettingsError(
            f"The model {file} must take one batch of pictures (four dimensions) and nothing else; it takes"
            f" {_ports(inputs)}. Of a model for pictures and text, take the part for pictures (vision_model.onnx)."
        )
    if pictures[0].type not in _DTYPES:
        raise SettingsError(
            f"The model {file} takes {_ports(pictures)}; LoRADS feeds 32-bit and 16-bit floats: export it for those."
        )
    return pictures[0]


def _output(ports: Sequence[_Port], named: str, preset: Preset, pool: Pool, file: Path) -> str:
    names = [port.name for port in ports]
    if named in names:
        return named
    # Names alone do not tell: some exports call the pooled vectors last_hidden_state.
    vectors = [port.name for port in ports if _rank(port) == _VECTOR_RANK]
    tokens = [port.name for port in ports if pool and _rank(port) == _TOKENS_RANK]
    unknown = [port.name for port in ports if not port.shape]
    preferred = [name for name in preset.outputs if name in (*vectors, *tokens, *unknown)]
    chosen = preferred[:1] or next((one for one in (vectors, tokens) if one), unknown)
    if named or len(chosen) != 1:
        fault = f"has no output {named!r}" if named else "leaves open which output holds one vector a picture"
        raise SettingsError(
            f"The model {file} {fault}; it gives {_ports(ports)}. Set output to one of them (and pool to cls or mean"
            " where it has three dimensions)."
        )
    return chosen[0]


def _rank(port: _Port) -> int:
    return len(port.shape[:1]) + sum(number != 1 for number in port.shape[1:])


def _fitted(asked: Preprocess, model: _Model, table: Table) -> Preprocess:
    """Return the preprocessing with layout and size as the model's input has them, where it says so."""
    shape = model.picture.shape
    found: list[Layout] = [layout for layout, at in _COLOURS_AT.items() if shape[at] == _COLOURS]
    layout = found[0] if len(found) == 1 else asked.layout
    if "layout" in table.values and layout != asked.layout:
        raise SettingsError(f"{place(table, 'layout')} is {asked.layout}; the model takes {_ports([model.picture])}.")
    sides = shape[2:] if layout == "nchw" else shape[1:3]
    fixed = {side for side in sides if isinstance(side, int) and side > 0}
    colours = shape[_COLOURS_AT[layout]]
    if len(fixed) > 1 or (isinstance(colours, int) and colours > 0 and colours != _COLOURS):
        raise SettingsError(
            f"The model {model.file} takes {_ports([model.picture])}, which are no square RGB pictures."
        )
    size = fixed.pop() if fixed else asked.size
    if "size" in table.values and size != asked.size:
        raise SettingsError(f"{place(table, 'size')} is {asked.size}; the model takes {_ports([model.picture])}.")
    to = asked.resize_to
    if 0 < to < size:
        to = 0
    return replace(asked, layout=layout, size=size, resize_to=to)


def _ports(ports: Sequence[_Port]) -> str:
    return ", ".join(f"{port.name} {_shown(port.shape)} {port.type.removeprefix('tensor')}" for port in ports)


def _shown(shape: Sequence[_Dimension]) -> str:
    return "[" + " × ".join("?" if number is None else str(number) for number in shape) + "]"


def _brief(error: Exception) -> str:
    """Return the first line of a foreign error as a sentence."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return f"{lines[0][:300].rstrip('.')}."


def _fingerprint(model: _Model, preprocess: Preprocess) -> str:
    """Return eight letters that change with the model's files, its preprocessing and its output.

    Models over 2 GB keep their weights in files beside them, which they name.
    """
    digest = hashlib.blake2b(repr((preprocess, model.output, model.pool)).encode(), digest_size=4)
    with model.file.open("rb") as opened, mmap(opened.fileno(), 0, access=ACCESS_READ) as mapped:
        beside = {_external(mapped, found.end()) for found in _EXTERNAL.finditer(mapped)}
        digest.update(mapped)
    for name in sorted(beside):
        with (model.file.parent / os.fsdecode(name)).open("rb") as opened:
            while piece := opened.read(_PIECE):
                digest.update(piece)
    return digest.hexdigest()


def _external(model: mmap, at: int) -> bytes:
    """Return the name whose length begins at this byte; a length of 128 and more takes a second one."""
    low, high = model[at : at + 2]
    start, length = (at + 1, low) if low < 128 else (at + 2, low - 128 + 128 * high)  # noqa: PLR2004 - bits of a byte
    return model[start : start + length]
