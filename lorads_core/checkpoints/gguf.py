"""GGUF headers: metadata and the names, sizes and types of tensors; the format's versions 2 and 3.

The format: https://github.com/ggml-org/ggml, docs/gguf.md. All numbers are little-endian; sizes of a tensor stand
with the innermost first, and are turned round here.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, BinaryIO

from ..errors import TrainerError
from ..system import files
from .header import Header, Tensor
from .starts import LONGEST, what_it_is

if TYPE_CHECKING:
    from pathlib import Path

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_MOST_TENSORS, _MOST_VALUES, _MOST_DIMENSIONS = 100_000, 10_000, 8
_LONGEST_HEADER = 64 * 1024**2  # bytes; a vocabulary of 256,000 tokens takes some 10 MB
_LONGEST_NAME = 1024  # bytes; ggml itself takes 64
_STRING, _ARRAY = 8, 9
# Type of a value: its form for struct.
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
# ggml.h, enum ggml_type, those that models are distributed in; numbers 4 and 5 were removed.
_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 9: "Q8_1", 10: "Q2_K", 11: "Q3_K",
    12: "Q4_K", 13: "Q5_K", 14: "Q6_K", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S",
    20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS", 24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64",
    29: "IQ1_M", 30: "BF16",
}  # fmt: skip


def read_gguf(path: Path) -> Header:
    """Read the header of a GGUF file; metadata has its texts and numbers, lists are left out.

    Raises:
        TrainerError: it cannot be read, or is not a GGUF file of a version that is known.
    """
    try:
        return files.retry_in_use(lambda: _read(path))
    except OSError as error:
        raise TrainerError(f"{path} cannot be read: {files.file_error_reason(error)}.") from error
    except (ValueError, struct.error) as error:
        raise TrainerError(f"{path} is not a GGUF file, or its header is damaged.") from error


def _read(path: Path) -> Header:
    with files.open_regular(path) as file:
        source = _Source(file)
        start = source.peek()
        if not start.startswith(_MAGIC) and (what := what_it_is(start)):
            raise TrainerError(f"{path} {what}.")
        version, tensors, values = source.numbers("4sIQQ")[1:] if start.startswith(_MAGIC) else (0, 0, 0)
        if version not in _VERSIONS or tensors > _MOST_TENSORS or values > _MOST_VALUES:
            raise ValueError(path)
        metadata = {name: text for name, text in (_value(source) for _ in range(values)) if text}
        return Header(dict(_tensor(source) for _ in range(tensors)), metadata)


class _Source:
    """Bytes of a header from the front, up to the longest that one may be."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._left = _LONGEST_HEADER

    def peek(self) -> bytes:
        """Return how the file begins, and go back there."""
        found = self._file.read(LONGEST)
        self._file.seek(0)
        return found

    def bytes(self, size: int) -> bytes:
        """Return the next bytes, all of them.

        Raises:
            ValueError: there are fewer, or the header is too long.
        """
        self._left -= size
        found = self._file.read(size) if self._left >= 0 else b""
        if len(found) < size or self._left < 0:
            raise ValueError(size)
        return found

    def numbers(self, form: str) -> tuple[int, ...]:
        """Return the next numbers, of a form for struct."""
        return struct.unpack(f"<{form}", self.bytes(struct.calcsize(f"<{form}")))

    def text(self, longest: int = _LONGEST_HEADER) -> str:
        """Return the next text, which stands behind its length in bytes."""
        (length,) = self.numbers("Q")
        if length > longest:
            raise ValueError(length)
        return self.bytes(length).decode(errors="replace")


def _value(source: _Source) -> tuple[str, str]:
    """Return the next name and its value as text, which is empty for a list."""
    name = source.text(_LONGEST_NAME)
    (kind,) = source.numbers("I")
    if kind == _STRING:
        return name, source.text()
    if kind == _ARRAY:
        _pass_list(source)
        return name, ""
    if kind not in _NUMBERS:
        raise ValueError(kind)
    return name, str(source.numbers(_NUMBERS[kind])[0])


def _pass_list(source: _Source) -> None:
    kind, count = source.numbers("IQ")
    if count > _LONGEST_HEADER:
        raise ValueError(count)
    if kind == _STRING:
        for _ in range(count):
            source.text()
    elif kind in _NUMBERS:
        source.bytes(count * struct.calcsize(f"<{_NUMBERS[kind]}"))
    else:  # lists of lists too, which no model has
        raise ValueError(kind)


def _tensor(source: _Source) -> tuple[str, Tensor]:
    name = source.text(_LONGEST_NAME)
    (dimensions,) = source.numbers("I")
    if dimensions > _MOST_DIMENSIONS:
        raise ValueError(dimensions)
    shape = source.numbers(f"{dimensions}Q")
    kind, _ = source.numbers("IQ")
    return name, Tensor(_TYPES.get(kind, f"type {kind}"), tuple(reversed(shape)))
