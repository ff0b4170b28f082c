"""Config files of trainers as values: TOML, JSON, YAML and lines of JSON, of bounded size and depth."""

from __future__ import annotations

import csv
import io
import json
import sys
from typing import TYPE_CHECKING, Any, cast

from ...errors import LibraryError
from ...images.files import printable_path
from ...system.extras import install_command
from ...system.files import file_error_reason, open_regular

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_LARGEST = 64 * 2**20
"""Bytes: metadata of 100,000 images with long captions are some 50 MB."""
_LARGEST_YAML = 2 * 2**20
"""Bytes: PyYAML reads about 0.3 MB a second, and a config has some 10 KB."""


def read_document(file: Path, largest: int = _LARGEST) -> object:
    """Return what a config file of at most ``largest`` bytes holds: tables are dicts, lines and rows a list of them.

    Raises:
        LibraryError: it cannot be read, is too large, or is not what its name says.
    """
    parse = _PARSERS[file.suffix.lower()]
    limit = min(largest, _LARGEST_YAML if parse is _yaml else _LARGEST)
    try:
        with open_regular(file) as stream:
            data = stream.read(limit + 1)
    except OSError as error:
        raise LibraryError(f"{printable_path(file)} cannot be read: {file_error_reason(error)}.") from error
    if len(data) > limit:
        raise LibraryError(f"{printable_path(file)} has over {limit / 2**20:.0f} MiB, too much for a config: split it.")
    try:
        return parse(data.decode("utf-8-sig"))
    except (ValueError, RecursionError, csv.Error) as error:
        # RecursionError: nested thousands deep, as no config is.
        reason = "it is nested too deep" if isinstance(error, RecursionError) else f"{error}".splitlines()[0][:200]
        raise LibraryError(
            f"{printable_path(file)} is not valid {file.suffix[1:].upper()} ({reason}): correct it."
        ) from error


def _json(text: str) -> object:
    return json.loads(text)


def _toml(text: str) -> object:
    return tomllib.loads(text)


def _lines(text: str) -> object:
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def _rows(text: str) -> object:
    return list(csv.DictReader(io.StringIO(text)))


def _yaml(text: str) -> object:
    try:
        import yaml  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise LibraryError(f"YAML cannot be read yet: {install_command('yaml')}") from error
    module = cast("Any", yaml)
    try:
        return module.safe_load(text)
    except module.YAMLError as error:
        raise ValueError(str(error).replace("\n", " ")) from error


_PARSERS: dict[str, Callable[[str], object]] = {
    ".toml": _toml,
    ".json": _json,
    ".yaml": _yaml,
    ".yml": _yaml,
    ".jsonl": _lines,
    ".csv": _rows,
}
DOCUMENTS = tuple(_PARSERS)
"""The suffixes of config files, lower case."""
LISTS = (".jsonl", ".csv")
"""Those of files with a row per image."""
