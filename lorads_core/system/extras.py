"""Optional packages: what each extra of LoRADS installs, and what it is for, as `pyproject.toml` has it."""

from __future__ import annotations

import sys
from typing import NamedTuple

from .command import is_installed_package, quoted


class Extra(NamedTuple):
    """An extra: any one of ``packages`` does, the first is the one that is installed; ``purpose`` begins a sentence."""

    packages: tuple[str, ...]
    purpose: str


EXTRAS = {
    "onnx": Extra(("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml"), "taggers and image encoders"),
    "cluster": Extra(("scikit-learn",), "proposed clusters"),
    "heif": Extra(("pillow-heif",), "HEIC images"),
    "jxl": Extra(("pillow-jxl-plugin",), "JPEG XL images"),
    "yaml": Extra(("PyYAML",), "ai-toolkit's configs"),
}


def install_command(extra: str) -> str:
    """Return pip's command line that installs an optional extra of LoRADS, for the Python that runs it.

    An installed LoRADS has extras by name; ComfyUI's copy of the pack is no package that pip knows, so that there the
    extra's first package is named.

    Raises:
        KeyError: there is no such extra.
    """
    wanted = f"lorads[{extra}]" if is_installed_package() else EXTRAS[extra].packages[0]
    return quoted([sys.executable, "-m", "pip", "install", wanted])
