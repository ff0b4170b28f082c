"""ONNX models that look at images, opened and run by onnxruntime (an optional library); it downloads none."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np

from ..errors import SettingsError
from ..system.extras import install_command
from .options import key_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy import float16, float32
    from numpy.typing import NDArray

    from ..settings import Table
    from .preprocess import Layout, Preprocess

_log = logging.getLogger(__name__)

SETTINGS = ("batch_size", "providers")
MAX_BATCH_SIZE = 4096
_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
_DTYPES: dict[str, type[float32 | float16]] = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
_COLOURS_AT: dict[Layout, int] = {"nchw": 1, "nhwc": 3}
_COLOURS = 3
_IMAGE_RANK = 4
_QUIET = 3  # onnxruntime's severity "error"

Dimension = int | str | None


class Port(Protocol):
    """An input or output of a model: its shape has numbers, names for what is free, and is empty where unknown."""

    name: str
    type: str
    shape: Sequence[Dimension]


class Session(Protocol):
    """As much of onnxruntime's InferenceSession as is used."""

    def get_inputs(self) -> Sequence[Port]:
        """Return what it takes."""
        ...

    def get_outputs(self) -> Sequence[Port]:
        """Return what it gives."""
        ...

    def get_providers(self) -> list[str]:
        """Return what it is run by."""
        ...

    def run(self, output_names: list[str], input_feed: Mapping[str, object]) -> list[NDArray[Any]]:
        """Return these outputs."""
        ...


@dataclass(frozen=True)
class OnnxModel:
    """A loaded model that takes one batch of images, ``input``, and nothing else; ``file`` is where it is from."""

    file: Path
    session: Session
    faults: tuple[type[Exception], ...]
    input: Port

    @property
    def dtype(self) -> type[float32 | float16]:
        """The numbers that it takes."""
        return _DTYPES[self.input.type]

    @property
    def fixed_batch(self) -> int | None:
        """How many images it takes, no more and no fewer; None where that is free."""
        first = self.input.shape[0]
        return first if isinstance(first, int) and first > 0 else None

    def run(self, output: str, tensor: NDArray[float32 | float16]) -> NDArray[Any]:
        """Return an output (n, …) for images (n), at most as many as `fixed_batch`.

        Raises:
            SettingsError: the model fails, or gives another number of answers than it got images.
        """
        count = len(tensor)
        if self.fixed_batch and count < self.fixed_batch:
            blank = np.zeros((self.fixed_batch - count, *tensor.shape[1:]), tensor.dtype)
            tensor = np.concatenate([tensor, blank])
        try:
            (given,) = self.session.run([output], {self.input.name: tensor})
        except self.faults as error:
            raise SettingsError(
                f"The model {self.file} cannot run a batch of {len(tensor)}: {_brief(error)} Check size and layout;"
                " where memory is short, set a smaller batch_size."
            ) from error
        answers = given.shape[0] if given.ndim else 1
        if answers != len(tensor):
            raise SettingsError(
                f"The output {output} of {self.file} has the shape {format_shape(given.shape)} for {len(tensor)}"
                " images: name another output, or export the model with a free batch size."
            )
        return given[:count]


def open_model(table: Table, key: str, file: Path) -> OnnxModel:
    """Load a model with onnxruntime; ``key`` is the setting of ``table`` that names it.

    Raises:
        SettingsError: onnxruntime or one of its providers is missing, or the file is not a model for images.
    """
    session, faults = _session(table, key, file)
    return OnnxModel(file, session, faults, _image_input(session, file))


def _session(table: Table, key: str, file: Path) -> tuple[Session, tuple[type[Exception], ...]]:
    try:
        runtime = cast("Any", import_module("onnxruntime"))
        native = cast("Any", import_module("onnxruntime.capi.onnxruntime_pybind11_state"))
    except ImportError as error:
        raise SettingsError(
            f"{table.source}: [{table.where.rstrip('.')}] needs onnxruntime ({error}): "
            f"{install_command('onnx')} (for NVIDIA cards: onnxruntime-gpu)."
        ) from error
    # They have no class in common but Exception; which there are depends on the version.
    kinds = (kind for kind in cast("dict[str, object]", vars(native)).values() if isinstance(kind, type))
    faults = (*(kind for kind in kinds if issubclass(kind, Exception)), RuntimeError, ValueError)
    wanted = _providers(table, cast("list[str]", runtime.get_available_providers()))
    options = runtime.SessionOptions()
    options.log_severity_level = _QUIET
    try:
        session = cast("Session", runtime.InferenceSession(str(file), options, providers=wanted))
    except faults as error:
        raise SettingsError(
            f"{key_path(table, key)}: {file} cannot be loaded as an ONNX model: {_brief(error)} Export or copy it"
            " again, with the .data file beside it where it has one."
        ) from error
    _check_providers(table, wanted, session.get_providers())
    return session, faults


def _providers(table: Table, available: list[str]) -> list[str]:
    listed = table.texts("providers")
    unknown = [name for name in listed if name not in available]
    if unknown:
        raise SettingsError(
            f"{key_path(table, 'providers')}: this onnxruntime has no {', '.join(unknown)};"
            f" it has {', '.join(available)}."
        )
    return listed or [name for name in (_CUDA, _CPU) if name in available]


def _check_providers(table: Table, wanted: list[str], running: list[str]) -> None:
    """Onnxruntime goes on without a provider whose libraries it cannot load."""
    lost = ", ".join(name for name in wanted if name not in running)
    if not lost:
        return
    if table.texts("providers"):
        raise SettingsError(
            f"{key_path(table, 'providers')}: {lost} cannot be started: check its driver and libraries."
        )
    _log.warning("onnxruntime cannot start %s: images are looked at by the processor, which is slow.", lost)


def _image_input(session: Session, file: Path) -> Port:
    inputs = session.get_inputs()
    pictures = [port for port in inputs if len(port.shape) == _IMAGE_RANK]
    if len(pictures) != 1 or len(inputs) != 1:
        raise SettingsError(
            f"The model {file} must take one batch of images (four dimensions) and nothing else; it takes"
            f" {describe_ports(inputs)}. Of a model for images and text, use the part for images"
            " (vision_model.onnx)."
        )
    if pictures[0].type not in _DTYPES:
        raise SettingsError(
            f"The model {file} takes {describe_ports(pictures)}; LoRADS feeds 32-bit and 16-bit floats:"
            " export it for those."
        )
    return pictures[0]


def layout_of(model: OnnxModel) -> Layout | None:
    """Return where a model has the colours, None where its input does not say so."""
    found: list[Layout] = [layout for layout, at in _COLOURS_AT.items() if model.input.shape[at] == _COLOURS]
    return found[0] if len(found) == 1 else None


def match_input(asked: Preprocess, model: OnnxModel, table: Table) -> Preprocess:
    """Return the preprocessing with layout and size as the model's input has them, where it says so.

    Raises:
        SettingsError: the input is not a square RGB image, or a setting says otherwise than it.
    """
    shape = model.input.shape
    layout = layout_of(model) or asked.layout
    if "layout" in table.values and layout != asked.layout:
        raise SettingsError(
            f"{key_path(table, 'layout')} is {asked.layout}; the model takes {describe_ports([model.input])}."
        )
    sides = shape[2:] if layout == "nchw" else shape[1:3]
    fixed = {side for side in sides if isinstance(side, int) and side > 0}
    colours = shape[_COLOURS_AT[layout]]
    if len(fixed) > 1 or (isinstance(colours, int) and colours > 0 and colours != _COLOURS):
        raise SettingsError(
            f"The model {model.file} takes {describe_ports([model.input])}, which are no square RGB images."
        )
    size = fixed.pop() if fixed else asked.size
    if "size" in table.values and size != asked.size:
        raise SettingsError(
            f"{key_path(table, 'size')} is {asked.size}; the model takes {describe_ports([model.input])}."
        )
    to = asked.resize_to
    if 0 < to < size:
        to = 0
    return replace(asked, layout=layout, size=size, resize_to=to)


def describe_ports(listed: Sequence[Port]) -> str:
    """Return inputs or outputs with their shapes and types, to be shown."""
    return ", ".join(f"{port.name} {format_shape(port.shape)} {port.type.removeprefix('tensor')}" for port in listed)


def format_shape(shape: Sequence[Dimension]) -> str:
    """Return a shape as people write it."""
    return "[" + " × ".join("?" if number is None else str(number) for number in shape) + "]"


def _brief(error: Exception) -> str:
    """Return the first line of a foreign error as a sentence."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return f"{lines[0][:300].rstrip('.')}."
