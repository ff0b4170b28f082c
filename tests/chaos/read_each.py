"""Reads strange files one by one, in a process of its own: `python -m tests.chaos.read_each`, paths on standard input.

It answers each path with a line: "good", "refused" and the reason, or "crashed" and the exception.
"""

from __future__ import annotations

import sys
from pathlib import Path

from lorads_core.errors import LoradsError
from lorads_core.runs.lora_file import read_header
from lorads_core.runs.read_export import read_export
from lorads_core.settings import load_settings

READERS = {
    "manifest.json": lambda path: read_export(path.parent),
    ".safetensors": read_header,
    ".toml": load_settings,
}


def main() -> None:
    """Read what is named, until nothing more is."""
    for line in sys.stdin:
        path = Path(line.rstrip("\n"))
        print(verdict(path), flush=True)


def verdict(path: Path) -> str:
    """Read a file; say how that ended."""
    try:
        READERS.get(path.name, READERS.get(path.suffix))(path)
    except LoradsError as error:
        return f"refused {str(error)[:200]!r}"
    except BaseException as error:  # noqa: BLE001 - that is what is looked for
        return f"crashed {error!r:.300}"
    return "good"


if __name__ == "__main__":
    main()
