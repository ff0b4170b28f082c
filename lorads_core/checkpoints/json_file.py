"""JSON files beside models: configs and indexes, read only up to a size, as the authors of models wrote them."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, cast

from ..errors import TrainerError
from ..system import files

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def read_json_object(file: Path, most: int, what: str) -> Mapping[str, object]:
    """Return the values of a JSON object in a file of at most ``most`` bytes; ``what`` names it in messages.

    Raises:
        TrainerError: it cannot be read, is larger, or holds no JSON object.
    """
    try:
        if os.stat(file).st_size > most:  # noqa: PTH116 - a Path's own is the same
            raise TrainerError(f"{file} is too large for {what}.")
        found: object = json.loads(files.read_bytes(file))
    except OSError as error:
        raise TrainerError(f"{file} cannot be read: {files.file_error_reason(error)}.") from error
    except (ValueError, RecursionError) as error:
        raise TrainerError(f"{file} is damaged: it is no JSON.") from error
    if not isinstance(found, dict):
        raise TrainerError(f"{file} is damaged: it is no JSON object.")
    return cast("dict[str, object]", found)
