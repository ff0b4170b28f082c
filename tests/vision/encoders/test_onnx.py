"""ONNX encoders: real files of a tiny model, found out and run by onnxruntime."""

import json
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

from lorads_core.errors import SettingsError
from lorads_core.store.vectors import CLIP_VIT_H
from lorads_core.system.extras import install_command
from lorads_core.vision.encoders import open_embedder

from .models import PLAIN, profile, weights, write_model

COLOURS = [(255, 0, 0), (0, 255, 0), (51, 102, 153)]


def pictures(embedder, *colours):
    return [embedder.fit(Image.new("RGB", (30, 20), colour)) for colour in colours]


def opened(path, **options):
    return open_embedder(profile(**{"model": str(path), **PLAIN, **options}))


def expected(colours, **options):
    return (np.array(colours, np.float32) / 255) @ weights(**options)


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        (("batch", 3, "height", "width"), "float32"),
        (("batch", "channels", "height", "width"), "float32"),
        (("batch", 3, 8, 8), "float16"),
        ((1, 3, 8, 8), "float32"),
        ((2, 3, 8, 8), "float32"),
        (("batch", 8, 8, 3), "float32"),
        (("batch", "height", "width", 3), "float16"),
    ],
)
def test_vectors_are_the_models(tmp_path, shape, kind):
    embedder = opened(write_model(tmp_path / "m.onnx", shape=shape, kind=kind), batch_size=2)
    vectors = embedder.embed(pictures(embedder, *COLOURS))
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, expected(COLOURS), atol=3e-3 if kind == "float16" else 1e-5)
    assert embedder.space.dimensions == 4
    assert embedder.batch_size == (shape[0] if isinstance(shape[0], int) else 2)
    assert embedder.embed([]).shape == (0, 4)


def test_the_size_is_the_models_own(tmp_path):
    path = write_model(tmp_path / "m.onnx", shape=("batch", 3, 12, 12))
    embedder = open_embedder(profile(model=str(path), preset="clip"))
    assert embedder.fit(Image.new("RGB", (30, 20))).size == (12, 12)
    with pytest.raises(
        SettingsError, match=r"size is 8; the model takes pixel_values \[batch × 3 × 12 × 12\] \(float\)"
    ):
        opened(path)


def test_nan_is_told_per_picture(tmp_path):
    embedder = opened(write_model(tmp_path / "m.onnx", spoil=True))
    vectors = embedder.embed(pictures(embedder, (255, 255, 255), (51, 102, 153)))
    assert np.isnan(vectors[0]).all()
    np.testing.assert_allclose(vectors[1:], expected([(51, 102, 153)]), atol=1e-5)


@pytest.mark.parametrize(
    ("outputs", "options", "taken"),
    [
        (("image_embeds", "pooler_output"), {"preset": "clip"}, "pooler_output"),
        (("text", "image_embeds"), {"preset": "clip"}, "image_embeds"),
        (("other",), {}, "other"),
        (("a_tokens", "last_hidden_state"), {"preset": "clip"}, "last_hidden_state"),
        (("a", "b"), {"output": "b"}, "b"),
        (("tokens", "b", "c"), {"output": "tokens", "pool": "cls"}, "tokens"),
        (("only_tokens",), {"preset": "dinov2"}, "only_tokens"),
    ],
)
def test_the_output_that_is_taken(tmp_path, outputs, options, taken):
    embedder = opened(write_model(tmp_path / "m.onnx", outputs=outputs), mean=[0.0] * 3, std=[1.0] * 3, **options)
    assert f"({taken})" in embedder.space.origin
    np.testing.assert_allclose(embedder.embed(pictures(embedder, *COLOURS)), expected(COLOURS), atol=1e-5)


def test_pooling_by_the_mean(tmp_path):
    embedder = opened(write_model(tmp_path / "m.onnx", outputs=("tokens",)), pool="mean")
    np.testing.assert_allclose(embedder.embed(pictures(embedder, *COLOURS)), expected(COLOURS) / 3, atol=1e-5)


@pytest.mark.parametrize(
    ("outputs", "options", "fault"),
    [
        (("a", "b"), {}, r"leaves open .*a \[batch × 4\] \(float\), b \[batch × 4\]"),
        (("a_tokens",), {}, "leaves open .*pool to cls or mean"),
        (("a", "b"), {"output": "c"}, "no output 'c'; it gives a .*, b "),
        (("a_tokens",), {"output": "a_tokens"}, r"has the shape \[1 × 3 × 4\], not a vector for each image"),
        (("a",), {"pool": "max"}, "pool is 'max'; known are: cls, mean"),
        (("a",), {"batch_size": 0}, "batch_size must be a number from 1"),
        (("a",), {"layout": "nhwc"}, "layout is nhwc; the model takes"),
        (("a",), {"providers": ["TPU"]}, "providers: this onnxruntime has no TPU; it has .*CPUExecutionProvider"),
        (("a",), {"modle": "x"}, "unknown key embedders.tiny.modle; did you mean model"),
    ],
)
def test_unclear_or_wrong_settings(tmp_path, outputs, options, fault):
    with pytest.raises(SettingsError, match=fault):
        opened(write_model(tmp_path / "m.onnx", outputs=outputs), **options)


def test_a_provider_may_be_listed(tmp_path):
    assert opened(write_model(tmp_path / "m.onnx"), providers=["CPUExecutionProvider"]).space.dimensions == 4


def test_spaces_of_different_models_are_apart(tmp_path):
    def space(name="m", **options):
        made = {key: options.pop(key) for key in ("seed", "outputs") if key in options}
        return opened(write_model(tmp_path / f"{name}.onnx", **made), **options).space

    first = space()
    assert first.name.startswith("tiny-")
    assert len(first.name) == len("tiny-") + 8
    assert space("copy").name == first.name, "a model is the same under another name"
    assert space(batch_size=3).name == first.name
    others = [
        space(seed=1),
        space(resize="crop"),
        space(mean=[0.1, 0.0, 0.0]),
        space(outputs=("a", "b"), output="a"),
        space(outputs=("a", "b"), output="b"),
    ]
    assert len({first.name, *(other.name for other in others)}) == 6
    assert space(seed=1, space="mine").name == "mine"


def test_weights_beside_the_model_count(tmp_path):
    names = []
    for seed, beside in ((0, "w.data"), (1, "w.data"), (1, "w" * 130)):
        for file in tmp_path.iterdir():
            file.unlink()
        path = write_model(tmp_path / "m.onnx", seed=seed, external=beside)
        assert (tmp_path / beside).exists()
        names.append(opened(path).space.name)
        graph = path.read_bytes()
    assert len(set(names)) == 3
    changed = bytearray((tmp_path / beside).read_bytes())
    changed[0] ^= 1
    (tmp_path / beside).write_bytes(changed)
    assert path.read_bytes() == graph
    assert opened(path).space.name != names[-1]
    (tmp_path / beside).unlink()
    with pytest.raises(SettingsError, match=r"cannot be loaded as an ONNX model.*\.data file beside it"):
        opened(path)


def test_clip_vit_h_is_one_space_whatever_its_file(tmp_path):
    # DiffusionToolkit's model calls the pooled output last_hidden_state, and the tokens pooler_output.
    swapped = ("pooler_output_tokens", "last_hidden_state")
    path = write_model(tmp_path / "model.onnx", shape=("b", 3, 224, 224), outputs=swapped, dimensions=1280)
    graph = onnx.load(path)
    for value in (*graph.graph.output, *graph.graph.node):
        if getattr(value, "name", "") == swapped[0]:
            value.name = "pooler_output"
    for node in graph.graph.node:
        node.output[:] = ["pooler_output" if name == swapped[0] else name for name in node.output]
    onnx.save(graph, path)
    embedder = open_embedder(profile(model=str(path), preset="clip-vit-h"))
    assert embedder.space[:2] == (CLIP_VIT_H, 1280)
    assert "last_hidden_state" in embedder.space.origin
    changed = open_embedder(profile("mine", model=str(path), preset="clip-vit-h", resize="crop"))
    assert changed.space.name.startswith("mine-"), "what was preprocessed otherwise is another space"


def test_clip_vit_h_has_1280_dimensions(tmp_path):
    path = write_model(tmp_path / "model.onnx", outputs=("image_embeds",), dimensions=1024)
    with pytest.raises(SettingsError, match=r"1,280 dimensions, the model gives 1,024: .*before the projection"):
        open_embedder(profile(model=str(path), preset="clip-vit-h"))


def test_a_model_that_is_none(tmp_path):
    with pytest.raises(SettingsError, match="model is missing: give the path"):
        open_embedder(profile(preset="clip"))
    with pytest.raises(SettingsError, match=r"there is no file .*none\.onnx"):
        opened(tmp_path / "none.onnx")
    for content in (b"", b"no model at all", b"\x08\x08" + bytes(100)):
        (tmp_path / "m.onnx").write_bytes(content)
        with pytest.raises(SettingsError, match="cannot be loaded as an ONNX model"):
            opened(tmp_path / "m.onnx")
    whole = write_model(tmp_path / "m.onnx").read_bytes()
    (tmp_path / "m.onnx").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SettingsError, match="cannot be loaded as an ONNX model"):
        opened(tmp_path / "m.onnx")


def identity(path, shape, kind=TensorProto.FLOAT, inputs=1):
    """Write a model that gives back what it takes."""
    values = [helper.make_tensor_value_info(f"in{n}", kind, shape) for n in range(inputs)]
    nodes = [helper.make_node("Identity", [f"in{n}"], [f"out{n}"]) for n in range(inputs)]
    outputs = [helper.make_tensor_value_info(f"out{n}", kind, shape) for n in range(inputs)]
    graph = helper.make_graph(nodes, "g", values, outputs)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    return path


@pytest.mark.parametrize(
    ("model", "fault"),
    [
        ({"shape": ["n", 3]}, r"must take one batch of images .*it takes in0 \[n × 3\]"),
        ({"shape": ["n", 3, 8, 8], "inputs": 2}, "nothing else.*vision_model.onnx"),
        ({"shape": ["n", 3, 8, 8], "kind": TensorProto.UINT8}, r"takes in0 .*\(uint8\); LoRADS feeds 32-bit"),
        ({"shape": ["n", 3, 8, 8]}, "leaves open which output"),
    ],
)
def test_models_for_something_else(tmp_path, model, fault):
    with pytest.raises(SettingsError, match=fault):
        opened(identity(tmp_path / "m.onnx", **model))


@pytest.mark.parametrize("shape", [("b", 3, 8, 12), ("b", 1, 8, 8), ("b", 4, 8, 8)])
def test_pictures_that_are_not_square_or_not_rgb(tmp_path, shape):
    path = write_model(tmp_path / "m.onnx", shape=shape)
    with pytest.raises(SettingsError, match=rf"takes pixel_values \[b × {shape[1]} × 8 × .*no square RGB images"):
        opened(path)


def test_a_wrong_layout_is_told_by_the_trial(tmp_path):
    path = write_model(tmp_path / "m.onnx", shape=("b", "h", "w", "c"))
    assert opened(path).space.dimensions == 4
    with pytest.raises(SettingsError, match=r"cannot run a batch of 1: .*Check size and layout"):
        opened(path, layout="nhwc")


def test_without_onnxruntime(tmp_path):
    options = {"model": str(write_model(tmp_path / "m.onnx")), **PLAIN}
    program = (
        "import sys, json\n"
        "sys.modules['onnxruntime'] = None\n"  # as if it were not installed
        "from lorads_core.vision.encoders import open_embedder\n"
        "from lorads_core.errors import SettingsError\n"
        "from lorads_core.settings import EmbedderProfile, Table\n"
        "try:\n"
        "    open_embedder(EmbedderProfile('tiny', Table(json.loads(sys.argv[1]), 'embedders.tiny.')))\n"
        "except SettingsError as error:\n"
        "    sys.exit(str(error))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, json.dumps(options)], capture_output=True, text=True, check=False
    )
    assert "[embedders.tiny] needs onnxruntime" in ended.stderr
    assert install_command("onnx") in ended.stderr
    assert ended.returncode == 1


def test_onnxruntime_is_imported_when_an_embedder_is_opened():
    program = "import sys, lorads_core.vision.encoders.run; sys.exit('onnxruntime' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
