"""Tiny image encoders as real ONNX files: the mean of each channel, then a matrix; so every vector is known by hand."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, checker, external_data_helper, helper, numpy_helper, save

from lorads_core.settings import EmbedderProfile, Table

PLAIN = {"mean": [0.0, 0.0, 0.0], "size": 8, "resize": "stretch"}
"""Preprocessing that leaves values from 0 to 1 as they are."""

KINDS = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16, "uint8": TensorProto.UINT8}


def weights(dimensions=4, seed=0, channels=3):
    """Return the matrix (channels, dimensions)."""
    return np.random.default_rng(seed).normal(size=(channels, dimensions)).astype(np.float32)


def write_model(
    path,
    *,
    shape=("batch", 3, "height", "width"),
    kind="float32",
    outputs=("pooler_output",),
    dimensions=4,
    seed=0,
    spoil=False,
    external="",
):
    """Write a model whose outputs are, by name, the vector, or with ``tokens`` in the name a vector and two of zeros.

    ``spoil`` makes NaN of white pictures. ``external`` puts the matrix into a file of that name beside the model.
    """
    axes, channels = ([1, 2], 3) if shape[3] == 3 else ([2, 3], shape[1] if isinstance(shape[1], int) else 3)
    matrix = numpy_helper.from_array(weights(dimensions, seed, channels).astype(kind), "matrix")
    nodes = [
        helper.make_node("ReduceMean", ["pixel_values"], ["mean"], axes=axes, keepdims=0),
        helper.make_node("MatMul", ["mean", "matrix"], ["vector"]),
    ]
    if spoil:  # the logarithm of one minus the brightness, times nothing: 0, or NaN for white
        one = numpy_helper.from_array(np.ones(3, kind), "one")
        nodes[1:] = [
            helper.make_node("Sub", ["one", "mean"], ["dark"]),
            helper.make_node("Log", ["dark"], ["log"]),
            helper.make_node("Sub", ["log", "log"], ["nothing"]),
            helper.make_node("Add", ["mean", "nothing"], ["spoilt"]),
            helper.make_node("MatMul", ["spoilt", "matrix"], ["vector"]),
        ]
    nodes += [node for name in outputs for node in _output(name)]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("pixel_values", KINDS[kind], list(shape))],
        [helper.make_tensor_value_info(name, KINDS[kind], _shape(name, shape[0], dimensions)) for name in outputs],
        [matrix, *([one] if spoil else []), *_constants(kind)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    if external:
        external_data_helper.convert_model_to_external_data(model, location=external, size_threshold=0)
    else:
        checker.check_model(model)
    save(model, str(path))
    return path


def _constants(kind):
    return [
        numpy_helper.from_array(np.array([1], np.int64), "axis"),
        numpy_helper.from_array(np.zeros(1, kind), "zero"),
    ]


def _output(name):
    if "tokens" not in name:
        return [helper.make_node("Identity", ["vector"], [name])]
    return [
        helper.make_node("Unsqueeze", ["vector", "axis"], [f"{name}_first"]),
        helper.make_node("Mul", [f"{name}_first", "zero"], [f"{name}_rest"]),
        helper.make_node("Concat", [f"{name}_first", f"{name}_rest", f"{name}_rest"], [name], axis=1),
    ]


def _shape(name, batch, dimensions):
    return [batch, 3, dimensions] if "tokens" in name else [batch, dimensions]


def profile(name="tiny", **options):
    """Return [embedders.NAME] with these options."""
    return EmbedderProfile(name, Table(options, f"embedders.{name}."))
