"""Safetensors headers: read and checked against the file's size; tensors are not loaded.

The format: eight bytes with the header's length, the header as JSON, the tensors' bytes without a gap
(https://github.com/huggingface/safetensors, README "Format").
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

from ..errors import TrainerError
from ..system import files
from .header import Header, Tensor
from .json_file import read_json_object
from .starts import LONGEST, what_it_is

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

LENGTH = 8
"""Bytes in front of the header."""
METADATA = "__metadata__"
_LONGEST_HEADER = 100 * 1024**2  # as safetensors itself has it
_LARGEST_SIZE = 2**63  # bytes of a file, as file systems count them
_LONGEST_INDEX = 32 * 1024**2  # bytes of an index.json; that of 100,000 tensors has some 10 MB
_MOST_SHARDS = 256


@dataclass(frozen=True, slots=True)
class SafetensorsFile:
    """The header of a file: shapes and places of its tensors, and its metadata."""

    path: Path
    tensors: Mapping[str, Mapping[str, Any]] = field(repr=False)
    metadata: Mapping[str, str] = field(repr=False)
    data_start: int  # byte where the tensors begin

    @property
    def header(self) -> Header:
        """Its tensors without their places."""
        tensors = {name: Tensor(each["dtype"], tuple(each["shape"])) for name, each in self.tensors.items()}
        return Header(tensors, self.metadata)


def read_safetensors(path: Path) -> SafetensorsFile:
    """Read the header of a file, and check that the file is whole.

    Raises:
        TrainerError: it cannot be read, is not a safetensors file, or is cut off.
    """
    try:
        size, length, header = files.retry_in_use(lambda: read_head(path))
    except OSError as error:
        raise TrainerError(f"{path} cannot be read: {files.file_error_reason(error)}.") from error
    if length > _LONGEST_HEADER or len(header) < length or not length:
        is_length = 0 < length <= _LONGEST_HEADER
        what = "" if is_length else what_it_is((length.to_bytes(LENGTH, "little") + header)[:size])
        raise TrainerError(f"{path} {what or f'is not a safetensors file, or is cut off ({size:,} bytes)'}.")
    found = _parsed(path, header)
    ends = max((int(tensor["data_offsets"][1]) for tensor in found.tensors.values()), default=0)
    if size < found.data_start + ends:
        raise TrainerError(f"{path} is cut off: {size:,} bytes of {found.data_start + ends:,}.")
    return found


def read_head(path: Path) -> tuple[int, int, bytes]:
    """Return the size of a file, of the header that it shall have, and of that what is there.

    Raises:
        OSError: it cannot be read.
    """
    with files.open_regular(path) as file:
        length = int.from_bytes(file.read(LENGTH), "little")
        wanted = length if length <= _LONGEST_HEADER else LONGEST  # what is too long is no header
        return os.fstat(file.fileno()).st_size, length, file.read(wanted)


def read_shards(index: Path) -> Header:
    """Return the header of a model in several files, by its ``….safetensors.index.json``.

    Raises:
        TrainerError: the index or one of its files cannot be read, or it names files of other folders.
    """
    names = _shard_names(index)
    tensors: dict[str, Tensor] = {}
    metadata: dict[str, str] = {}
    for name in names:
        header = read_safetensors(index.with_name(name)).header
        tensors.update(header.tensors)
        metadata.update(header.metadata)
    return Header(tensors, metadata)


def _shard_names(index: Path) -> list[str]:
    document = read_json_object(index, _LONGEST_INDEX, "an index of model files")
    places = document.get("weight_map")
    values = list(cast("dict[str, object]", places).values()) if isinstance(places, dict) else []
    names = sorted({each for each in values if isinstance(each, str) and _is_file_name(each)})
    if not names or len(names) > _MOST_SHARDS or any(each not in names for each in values):
        raise TrainerError(f"{index} is no index of model files: it names none, too many, or such of other folders.")
    return names


def _is_file_name(name: str) -> bool:
    return name.endswith(".safetensors") and not {"/", "\\", ":", "\0"} & set(name)


def _parsed(path: Path, header: bytes) -> SafetensorsFile:
    try:
        values = cast("dict[str, Any]", json.loads(header))
        said = cast("dict[str, object]", values.pop(METADATA, None) or {})
        metadata = {key: str(value) for key, value in said.items()}
        is_sound = all(_is_sound(tensor) for tensor in values.values()) and not _overlap(values.values())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise TrainerError(f"{path} is not a safetensors file: its header is damaged.") from error
    if not is_sound:
        raise TrainerError(f"{path} is not a safetensors file: its header is damaged.")
    return SafetensorsFile(path, values, metadata, LENGTH + len(header))


def _is_sound(tensor: Mapping[str, Any]) -> bool:
    begin, end = tensor["data_offsets"]
    sides: object = tensor["shape"]
    whole = isinstance(sides, list) and all(map(_is_size, (begin, end, *cast("list[object]", sides))))
    return whole and begin <= end and isinstance(tensor["dtype"], str)


def _is_size(value: object) -> bool:
    """Say whether a value is a whole number from 0 that a file's size can be; JSON also has 0.5, true and 1e400."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LARGEST_SIZE


def _overlap(tensors: Iterable[Mapping[str, Any]]) -> bool:
    """Say whether two tensors share bytes, which the format forbids: a small file would claim to hold any number."""
    spans = sorted(tuple(tensor["data_offsets"]) for tensor in tensors)
    return any(end > begin for (_, end), (begin, _) in pairwise(spans))
