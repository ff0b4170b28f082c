"""Tiny taggers as real ONNX files in real folders: each score is a known mixture of a picture's mean colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper, save

from lorads_core.settings import Settings, Table, TaggerProfile


@dataclass(frozen=True)
class Label:
    """A tag, its category in selected_tags.csv, and its score: weights of red, green and blue, and a constant."""

    name: str
    category: int
    red: float = 0
    green: float = 0
    blue: float = 0
    always: float = 0


WD = (
    Label("general", 9, always=0.2),
    Label("sensitive", 9, red=0.5, always=0.1),
    Label("questionable", 9, always=0.05),
    Label("explicit", 9, always=0.01),
    Label("1girl", 0, red=1),
    Label("long_hair", 0, green=1),
    Label("^_^", 0, blue=1),
    Label("hakurei_reimu_(cosplay)", 4, red=1),
    Label("somebody", 1, blue=0.5),
    Label("touhou", 3, green=0.5),
    Label("scan", 5, always=0.15),
    Label("species_of_another_booru", 77, always=0.5),
)
JOYTAG = (
    Label("1girl", 0, red=1),
    Label("long_hair", 0, green=1),
    Label("+_+", 0, blue=1),
)
DTYPES = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16}
FREE = {"wd": ("batch_size", 8, 8, 3), "joytag": ("batch", 3, 8, 8)}


def write_tagger(folder, kind="wd", labels=None, **model):
    """Write model and list of tags into a folder; return it."""
    labels = labels or (WD if kind == "wd" else JOYTAG)
    folder.mkdir(parents=True, exist_ok=True)
    write_model(folder / "model.onnx", labels, **{"shape": FREE[kind], **model})
    if kind == "wd":
        rows = [f"{n},{label.name},{label.category},{1000 - n}" for n, label in enumerate(labels)]
        (folder / "selected_tags.csv").write_text("\n".join(["tag_id,name,category,count", *rows, ""]))
    else:
        (folder / "top_tags.txt").write_text("".join(f"{label.name}\n" for label in labels))
    return folder


def write_model(path, labels, shape, *, dtype="float32", sigmoid=False, spoil=False):
    """Write a model whose numbers are mixtures of the mean of each channel of its input.

    An input as NHWC is WD's: its first channel is blue, from 0 to 255. Another is JoyTag's: its first is red, and its
    values are taken as they are. A model with ``spoil`` gives NaN for black pictures.
    """
    nhwc = shape[3] == 3
    scale = 1 / 255 if nhwc else 1
    weights = [(each.red, each.green, each.blue) for each in labels]
    matrix = np.array(weights, dtype).T[:: -1 if nhwc else 1] * np.array(scale, dtype)
    constants = {
        "matrix": matrix.astype(dtype),
        "always": np.array([label.always for label in labels], dtype),
        "nothing": np.zeros(1, dtype),
    }
    nodes = [
        helper.make_node("ReduceMean", ["input"], ["mean"], axes=[1, 2] if nhwc else [2, 3], keepdims=0),
        helper.make_node("MatMul", ["mean", "matrix"], ["mixed"]),
        helper.make_node("Add", ["mixed", "always"], ["sum"]),
    ]
    last = "sum"
    if spoil:  # zero divided by the mean colour
        nodes += [
            helper.make_node("ReduceMean", ["mean"], ["grey"], axes=[1], keepdims=1),
            helper.make_node("Div", ["nothing", "grey"], ["nan"]),
            helper.make_node("Add", ["sum", "nan"], ["spoilt"]),
        ]
        last = "spoilt"
    nodes.append(helper.make_node("Sigmoid" if sigmoid else "Identity", [last], ["output"]))
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("input", DTYPES[dtype], list(shape))],
        [helper.make_tensor_value_info("output", DTYPES[dtype], [shape[0], len(labels)])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    checker.check_model(model)
    save(model, str(path))
    return path


def profile(folder, name="tiny", **options):
    """Return [taggers.NAME] of a folder with these options."""
    return TaggerProfile(name, Table({"folder": str(folder), **options}, f"taggers.{name}."))


def settings(*profiles, libraries=()):
    """Return settings with these taggers, and libraries besides ``pictures``."""
    return Settings(taggers=profiles, libraries=(*Settings().libraries, *libraries))
