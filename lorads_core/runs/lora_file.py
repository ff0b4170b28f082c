"""A LoRA file (safetensors) as it lies there: whether it is whole, its rank, its metadata; tensors are not loaded."""

from __future__ import annotations

import json
import math
import os
import re
import struct
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from ..checkpoints.safetensors import LENGTH, METADATA, SafetensorsFile, read_head, read_safetensors
from ..errors import TrainerError
from ..system import files
from .lora_files.merging import Merged, alpha_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from .lora_files import Conversion

    _Span = tuple[int, int] | bytes
    """Bytes of the old file's data, from where to before where, or new ones."""

# The side of a matrix that is the rank, by the end of its name: PEFT, kohya and LyCORIS, LoHa.
_RANK_SIDE = (
    (".lora_down.weight", 0),
    (".lora_a.weight", 0),
    (".lora_a.default.weight", 0),
    (".lora.down.weight", 0),
    (".hada_w1_b", 0),
    (".lokr_w1_b", 0),
    (".lokr_w2_b", 0),
)
# LoKr's matrices at full rank: all of ComfyUI's and of full rank by choice, LyCORIS's where the dim would save nothing.
_WHOLE = (".lokr_w1", ".lokr_w2")
# All ones in the exponent: infinite, or no number. Type, bytes, those bits.
_NO_NUMBERS = {"F16": (2, 0x7C00), "BF16": (2, 0x7F80), "F32": (4, 0x7F800000)}
# Type: bytes of a single number, and its form for struct.
_SCALARS = {"F16": (2, "<e"), "BF16": (2, ""), "F32": (4, "<f"), "F64": (8, "<d")}
_DOWN = (".lora_down.weight", ".lora_a.weight", ".lora.down.weight")
_CONVOLUTION = 4  # dimensions of its weight
_CHUNK = 16 * 1024**2
_PATH = re.compile(r"(?:[A-Za-z]:[\\/]|\\\\|/)[^\x00]*")


@dataclass(frozen=True, slots=True)
class LoraFile(SafetensorsFile):
    """The header of a LoRA: shapes and places of its tensors, and its metadata."""

    @property
    def ranks(self) -> frozenset[int]:
        """The ranks of its pairs of matrices; those of convolutions may be others than those of the rest.

        A LoKr at full rank has none.
        """
        found = (
            tensor["shape"][side]
            for name, tensor in self.tensors.items()
            for end, side in _RANK_SIDE
            if name.lower().endswith(end) and len(tensor["shape"]) > side
        )
        return frozenset(found)

    @property
    def is_lora(self) -> bool:
        """Whether it has a LoRA's tensors, of any network that LoRADS trains."""
        return bool(self.ranks) or any(name.lower().endswith(_WHOLE) for name in self.tensors)


def read_lora(path: Path) -> LoraFile:
    """Read a LoRA's header and check that the file is whole.

    Raises:
        TrainerError: it cannot be read, is not a safetensors file, is cut off, or has no LoRA in it.
    """
    lora = read_header(path)
    if not lora.is_lora:
        raise TrainerError(f"{path} holds no LoRA: none of its {len(lora.tensors):,} tensors is one's.")
    return lora


def read_header(path: Path) -> LoraFile:
    """Read the header of a file that may be a LoRA of any kind, such as OFT, and check that the file is whole.

    Raises:
        TrainerError: it cannot be read, is not a safetensors file, or is cut off.
    """
    found = read_safetensors(path)
    return LoraFile(found.path, found.tensors, found.metadata, found.data_start)


def read_alphas(lora: LoraFile) -> frozenset[float]:
    """Return the alphas of a LoRA's layers; none where it has none, as in PEFT's form.

    Raises:
        OSError: it cannot be read.
    """
    return frozenset(_read_alphas(lora, [name for name in lora.tensors if name.endswith(".alpha")]))


def _read_alphas(lora: LoraFile, names: Iterable[str]) -> Iterator[float]:
    with files.retry_in_use(lambda: files.open_regular(lora.path)) as file:
        for tensor in (lora.tensors[name] for name in names):
            width, form = _SCALARS.get(tensor["dtype"], (0, ""))
            begin, end = tensor["data_offsets"]
            if width == end - begin:
                file.seek(lora.data_start + begin)
                # bfloat16 is the first half of a float32.
                data = file.read(width) if form else b"\0\0" + file.read(width)
                yield struct.unpack(form or "<f", data)[0]


def has_wide_convolutions(lora: LoraFile) -> bool:
    """Say whether a LoRA changes convolutions of more than one pixel, as LoCon does."""
    shapes = (tensor["shape"] for name, tensor in lora.tensors.items() if name.lower().endswith(_DOWN))
    return any(len(shape) == _CONVOLUTION and max(shape[2:]) > 1 for shape in shapes)


def find_nonfinite_tensor(lora: LoraFile) -> str:
    """Return the name of a tensor with an infinite value or one that is NaN, empty where there is none.

    Types without such values, and 8-bit ones, are passed over.
    """
    with files.retry_in_use(lambda: files.open_regular(lora.path)) as file:
        for name, tensor in lora.tensors.items():
            kind = _NO_NUMBERS.get(tensor["dtype"])
            if kind and math.prod(tensor["shape"]):
                begin, end = tensor["data_offsets"]
                file.seek(lora.data_start + begin)
                if any(_has_nonfinite(chunk, *kind) for chunk in _chunks(file, end - begin)):
                    return name
    return ""


def _chunks(file: Any, size: int) -> Iterator[bytes]:  # noqa: ANN401 - a file opened for bytes
    while size > 0 and (chunk := file.read(min(size, _CHUNK))):
        yield chunk
        size -= len(chunk)


def _has_nonfinite(chunk: bytes, width: int, exponent: int) -> bool:
    import numpy as np  # noqa: PLC0415 - launching shall be light

    values = np.frombuffer(chunk, f"<u{width}", len(chunk) // width)
    return bool(((values & exponent) == exponent).any())


def write_copy(
    lora: LoraFile,
    target: Path,
    added: Mapping[str, str],
    *,
    without_paths: bool,
    conversion: Conversion | None = None,
) -> None:
    """Write the same tensors with more metadata to a new file; without local paths, if requested.

    With a conversion the tensors are its own: renamed, rows of the old ones, or several merged. A copy that is there
    already stays as it is: ComfyUI may have it loaded, and Windows replaces no such file.

    Raises:
        OSError: it cannot be written; nothing is left of it, and what was there stays.
    """
    metadata = {key: without_local_paths(value) for key, value in lora.metadata.items()} if without_paths else {}
    metadata = {**lora.metadata, **metadata, **added}
    spans: list[_Span] = [_all_data(lora)]
    tensors: Mapping[str, Mapping[str, Any]] = lora.tensors
    if conversion:
        tensors, spans = _converted(lora, conversion)
    header = json.dumps({METADATA: metadata, **tensors}, ensure_ascii=False, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)  # as safetensors aligns it
    size = sum(map(_length, spans)) + LENGTH + len(header)
    if target.is_file() and files.retry_in_use(lambda: read_head(target)) == (size, len(header), header):
        return
    unfinished = target.with_name(f".{target.name}.new")
    try:
        with files.retry_in_use(lambda: files.open_regular(lora.path)) as source, unfinished.open("wb") as file:
            file.write(len(header).to_bytes(LENGTH, "little") + header)
            for span in spans:
                if isinstance(span, bytes):
                    file.write(span)
                    continue
                source.seek(lora.data_start + span[0])
                file.writelines(_chunks(source, span[1] - span[0]))
            file.flush()
            os.fsync(file.fileno())
        files.replace(unfinished, target)
    except OSError:
        with suppress(OSError):
            files.remove(unfinished)
        raise


def _all_data(lora: LoraFile) -> tuple[int, int]:
    return 0, lora.path.stat().st_size - lora.data_start


def _length(span: _Span) -> int:
    return len(span) if isinstance(span, bytes) else span[1] - span[0]


def _converted(lora: LoraFile, conversion: Conversion) -> tuple[dict[str, Mapping[str, Any]], list[_Span]]:
    """Return the header of the new file, and what stands in it in turn: bytes of the old one's data, or new ones."""
    header: dict[str, Mapping[str, Any]] = {}
    spans: list[_Span] = []
    place = 0
    for piece in conversion.pieces:
        if isinstance(piece, Merged):
            made = list(_merged(lora, piece))
            size = sum(map(_length, made))
            tensor = piece.tensor(lora.header.tensors)
            header[piece.name] = {
                "dtype": tensor.dtype,
                "shape": list(tensor.shape),
                "data_offsets": [place, place + size],
            }
            spans += made
            place += size
            continue
        old = lora.tensors[piece.source]
        begin, end = old["data_offsets"]
        shape = list(old["shape"])
        if piece.rows:  # rows lie one after the other
            row = (end - begin) // shape[0]
            begin, end = begin + piece.rows[0] * row, begin + piece.rows[1] * row
            shape[0] = piece.rows[1] - piece.rows[0]
        header[piece.name] = {**old, "shape": shape, "data_offsets": [place, place + end - begin]}
        spans.append((begin, end))
        place += end - begin
    return header, spans


def _merged(lora: LoraFile, piece: Merged) -> Iterator[_Span]:
    """Yield what follows each other in a tensor that is made of several.

    Raises:
        TrainerError: their alphas are not alike.
    """
    if piece.how == "alpha":
        value = alpha_of(_read_alphas(lora, piece.parts))
        if value is None:
            raise TrainerError(
                f"{piece.name} cannot be made of {', '.join(piece.parts)}, which have different alphas: train a LoRA"
                " with one."
            )
        yield struct.pack("<f", value)
        return
    if piece.how == "below":
        yield from (tuple(lora.tensors[name]["data_offsets"]) for name in piece.parts)
        return
    width = _width(lora, piece.parts[0])
    for name, rows, before, behind in piece.blocks(lora.header.tensors):
        if not name:
            yield bytes(rows * (before + behind) * width)
            continue
        begin, end = lora.tensors[name]["data_offsets"]
        row = (end - begin) // rows
        left, right = bytes(before * width), bytes(behind * width)
        for number in range(rows):
            yield left
            yield begin + number * row, begin + (number + 1) * row
            yield right


def _width(lora: LoraFile, name: str) -> int:
    """Return the bytes of one number of a tensor."""
    begin, end = lora.tensors[name]["data_offsets"]
    return (end - begin) // math.prod(lora.tensors[name]["shape"])


def without_local_paths(value: str) -> str:
    """Return metadata with every absolute path in it replaced by its last part; JSON is looked through."""
    try:
        inside: object = json.loads(value)
        if isinstance(inside, (dict, list)):
            return json.dumps(_without(cast("object", inside)))
    except RecursionError:
        return ""  # nothing that a trainer wrote; paths may be in it
    except ValueError:
        pass
    return _last_part(value)


def _without(value: object) -> object:
    if isinstance(value, str):
        return _last_part(value)
    if isinstance(value, list):
        return [_without(each) for each in cast("list[object]", value)]
    if isinstance(value, dict):
        return {_last_part(key): _without(each) for key, each in cast("dict[str, object]", value).items()}
    return value


def _last_part(text: str) -> str:
    return re.split(r"[\\/]", text.rstrip("\\/"))[-1] if _PATH.fullmatch(text.strip()) else text
