"""Taggers as real files: what they are shown, what their numbers mean, and what is no tagger at all."""

import json
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

from lorads_core.captions.merge import MergeRules, merge, said_by
from lorads_core.errors import SettingsError
from lorads_core.settings import load_settings
from lorads_core.system.extras import install_command
from lorads_core.vision.taggers import open_tagger

from .models import FREE, JOYTAG, WD, Label, profile, settings, write_model, write_tagger

MEAN, STD = np.array([0.48145466, 0.4578275, 0.40821073]), np.array([0.26862954, 0.26130258, 0.27577711])


def opened(folder, **options):
    return open_tagger(profile(folder, **options))


def tags(tagger, picture):
    (found,) = tagger.tag([tagger.fit(picture)])
    return {(tag.source, tag.text): tag.confidence for tag in found}


def plain(colour, size=(8, 8)):
    return Image.new("RGB", size, colour)


# What a model is shown


@pytest.mark.parametrize(
    ("size", "share"), [((8, 8), 1.0), ((32, 32), 1.0), ((32, 16), 0.5), ((16, 32), 0.5), ((64, 16), 0.25)]
)
def test_wd_sees_bgr_from_0_to_255_in_a_white_square(tmp_path, size, share):
    red, green, blue = (np.array([204, 51, 102]) * share + 255 * (1 - share)) / 255
    found = tags(opened(write_tagger(tmp_path), lowest_character=0), plain((204, 51, 102), size))
    seen = [found["wd:general", tag] for tag in ("1girl", "long hair", "^_^")]
    np.testing.assert_allclose(seen, [red, green, blue], atol=0.01)
    assert found["wd:character", "hakurei reimu (cosplay)"] == pytest.approx(red, abs=0.01)


@pytest.mark.parametrize(("size", "share"), [((8, 8), 1.0), ((32, 16), 0.5), ((16, 64), 0.25)])
def test_joytag_sees_normalised_rgb_in_a_white_square(tmp_path, size, share):
    colours = (np.array([204, 51, 102]) * share + 255 * (1 - share)) / 255
    expected = 1 / (1 + np.exp(-(colours - MEAN) / STD))
    found = tags(opened(write_tagger(tmp_path, "joytag"), lowest=0), plain((204, 51, 102), size))
    assert set(found) == {("joytag:general", tag) for tag in ("1girl", "long hair", "+_+")}
    seen = [found["joytag:general", tag] for tag in ("1girl", "long hair", "+_+")]
    np.testing.assert_allclose(seen, expected, atol=0.02)


@pytest.mark.parametrize(("side", "kind"), [(8, "wd"), (12, "wd"), (20, "joytag")])
def test_the_side_is_the_models(tmp_path, side, kind):
    shape = ("n", side, side, 3) if kind == "wd" else ("n", 3, side, side)
    assert opened(write_tagger(tmp_path, kind, shape=shape)).fit(plain("red", (30, 20))).size == (side, side)


@pytest.mark.parametrize(("kind", "shape"), [("wd", ("n", "h", "w", 3)), ("joytag", ("n", 3, "h", "w"))])
def test_where_the_model_leaves_it_open_the_side_is_448(tmp_path, kind, shape):
    tagger = opened(write_tagger(tmp_path, kind, shape=shape))
    assert tagger.fit(plain("red", (30, 20))).size == (448, 448)
    assert "448 × 448" in tagger.about


@pytest.mark.parametrize("shape", [(1, 8, 8, 3), (3, 8, 8, 3), ("n", 8, 8, 3)])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_any_number_of_pictures(tmp_path, shape, dtype):
    tagger = opened(write_tagger(tmp_path, shape=shape, dtype=dtype), batch_size=2)
    assert tagger.batch_size == (shape[0] if isinstance(shape[0], int) else 2)
    shades = [255, 128, 64, 230, 51]
    found = tagger.tag([tagger.fit(plain((shade, 0, 0))) for shade in shades])
    reds = [next(tag.confidence for tag in each if tag.text == "1girl") for each in found]
    np.testing.assert_allclose(reds, np.array(shades) / 255, atol=2e-3)
    assert tagger.tag([]) == []


# What its numbers mean


def test_every_category_is_said_by_the_source(tmp_path):
    found = tags(opened(write_tagger(tmp_path)), plain((255, 255, 255)))
    assert {key: round(score, 2) for key, score in found.items()} == {
        ("wd:rating", "general"): 0.2,
        ("wd:rating", "sensitive"): 0.6,
        ("wd:rating", "questionable"): 0.05,
        ("wd:rating", "explicit"): 0.01,
        ("wd:general", "1girl"): 1.0,
        ("wd:general", "long hair"): 1.0,
        ("wd:general", "^_^"): 1.0,
        ("wd:general", "species of another booru"): 0.5,
        ("wd:character", "hakurei reimu (cosplay)"): 1.0,
        ("wd:artist", "somebody"): 0.5,
        ("wd:copyright", "touhou"): 0.5,
        ("wd:meta", "scan"): 0.15,
    }


def test_merging_knows_taggers_thresholds_and_categories_by_the_source(tmp_path):
    tagger = opened(write_tagger(tmp_path / "wd"))
    (found,) = tagger.tag([tagger.fit(plain((204, 76, 20)))])  # 1girl and the character 0.8, long hair 0.3
    assert all(said_by(tag) == {"wd"} for tag in found)
    rules = MergeRules()
    assert "1girl" in merge(found, rules)
    assert "hakurei reimu (cosplay)" not in merge(found, rules), "0.8 is too little for a character"
    assert "long hair" not in merge(found, rules)
    joytag = opened(write_tagger(tmp_path / "joytag", "joytag"))
    (others,) = joytag.tag([joytag.fit(plain((204, 110, 20)))])
    assert all(said_by(tag) == {"joytag"} for tag in others)
    assert 0.28 < next(tag.confidence for tag in others if tag.text == "long hair") < 0.5
    assert "long hair" in merge([*found, *others], rules), "both have a notion of it"


def test_what_a_tagger_is_too_unsure_of_is_left_out_but_never_a_rating(tmp_path):
    folder = write_tagger(tmp_path)
    found = tags(opened(folder), plain((51, 23, 0)))  # 0.2 and 0.09
    assert {source for source, _ in found} == {"wd:rating", "wd:general", "wd:meta"}
    assert len([source for source, _ in found if source == "wd:rating"]) == 4
    assert ("wd:general", "1girl") in found
    assert ("wd:general", "long hair") not in found
    assert ("wd:character", "hakurei reimu (cosplay)") not in found, "0.3 is the least for a character"
    assert ("wd:general", "long hair") in tags(opened(folder, lowest=0.05), plain((51, 23, 0)))
    assert ("wd:character", "hakurei reimu (cosplay)") in tags(opened(folder, lowest_character=0.1), plain((51, 0, 0)))
    assert ("wd:character", "hakurei reimu (cosplay)") not in tags(opened(folder, lowest=0.5), plain((102, 0, 0)))


def test_logits_are_told_from_probabilities_by_trying(tmp_path):
    logits = opened(write_tagger(tmp_path / "logits", "joytag"))
    already = opened(write_tagger(tmp_path / "already", "joytag", sigmoid=True))
    assert "gives logits" in logits.about
    assert "gives probabilities" in already.about
    picture = plain((204, 51, 102), (30, 20))
    assert tags(logits, picture) == pytest.approx(tags(already, picture), abs=1e-6)
    labels = [Label("1girl", 0, red=8, always=-2), Label("solo", 0, blue=1)]
    of_wd = opened(write_tagger(tmp_path / "wd", labels=labels))
    assert "gives logits" in of_wd.about
    assert tags(of_wd, plain((255, 0, 0)))["wd:general", "1girl"] == pytest.approx(1 / (1 + np.exp(-6)), abs=1e-5)


def test_numbers_that_are_neither_are_refused_when_they_come(tmp_path):
    labels = [Label("1girl", 0, red=2, green=-1, always=0)]  # white 1, black 0, grey 0 to 1; red 2
    tagger = opened(write_tagger(tmp_path, labels=labels))
    with pytest.raises(SettingsError, match="below 0 or above 1 for some images"):
        tagger.tag([tagger.fit(plain((255, 0, 0)))])


def test_the_same_tag_twice_is_one_with_the_larger_score(tmp_path):
    labels = [Label("Long_Hair", 0, red=1), Label("long hair", 0, green=1), Label("___", 0, always=1)]
    found = tags(opened(write_tagger(tmp_path, labels=labels)), plain((102, 204, 0)))
    assert found == {("wd:general", "long hair"): pytest.approx(0.8, abs=1e-3)}


def test_nan_is_told_for_each_picture(tmp_path):
    tagger = opened(write_tagger(tmp_path, spoil=True))
    black, red = tagger.tag([plain("black"), plain("red")])
    assert black is None
    assert red


def test_a_source_of_its_own(tmp_path):
    found = tags(opened(write_tagger(tmp_path), source="wd-eva02"), plain("red"))
    assert {source for source, _ in found} >= {"wd-eva02:general", "wd-eva02:character", "wd-eva02:rating"}


def test_settings_of_a_file(tmp_path):
    write_tagger(tmp_path / "models" / "wd")
    file = tmp_path / "lorads.toml"
    file.write_text("[taggers.wd]\nfolder = 'models/wd'\nbatch_size = 3\nproviders = ['CPUExecutionProvider']\n")
    read = load_settings(file)
    assert open_tagger(read.tagger("wd")).batch_size == 3
    with pytest.raises(SettingsError, match=r"no tagger 'joytag'; known are: wd\. Add \[taggers.joytag\]"):
        read.tagger("joytag")
    with pytest.raises(SettingsError, match="known are: none"):
        settings().tagger("wd")


# What is no tagger


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"folder": ""}, r"taggers\.tiny\.folder is missing: give the folder with model\.onnx and selected_tags"),
        ({"folder": "/no/such/folder"}, "there is no folder"),
        ({"kind": "deepbooru"}, "kind is 'deepbooru'; known are: wd, joytag"),
        ({"kind": "joytag"}, r"There is no file .*top_tags\.txt"),
        ({"source": "joytag"}, "source is 'joytag'; it must begin with wd"),
        ({"source": "wd:character"}, "must begin with wd, so that its thresholds are known, and contain neither : nor"),
        ({"source": "wd+joytag"}, "neither : nor"),
        ({"lowest": 2}, "lowest must be a number from 0 to 1"),
        ({"lowest_character": "high"}, "lowest_character must be a number"),
        ({"batch_size": 0}, "batch_size must be a number from 1"),
        ({"batch_size": 1.5}, "batch_size must be a whole number"),
        ({"providers": ["TPU"]}, "this onnxruntime has no TPU"),
        ({"threshold": 0.3}, "unknown key taggers.tiny.threshold"),
    ],
)
def test_wrong_settings(tmp_path, options, fault):
    folder = write_tagger(tmp_path)
    with pytest.raises(SettingsError, match=fault):
        opened(**{"folder": folder, **options})


def test_missing_files(tmp_path):
    folder = write_tagger(tmp_path)
    (folder / "top_tags.txt").write_text("1girl\n")
    with pytest.raises(SettingsError, match=r"there is both of selected_tags\.csv and top_tags\.txt: set kind to one"):
        opened(folder)
    assert opened(folder, kind="wd").kind == "wd"
    (folder / "top_tags.txt").unlink()
    (folder / "model.onnx").unlink()
    with pytest.raises(SettingsError, match=r"there is no model\.onnx in"):
        opened(folder)
    (folder / "selected_tags.csv").unlink()
    with pytest.raises(SettingsError, match="there is neither of selected_tags"):
        opened(folder)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b"", r"selected_tags\.csv, line 1: the columns are none; name and category"),
        (b"id,tag,kind\n1,1girl,0\n", r"line 1: the columns are id, tag, kind; name and category"),
        (b"tag_id,name,category,count\n", "has no tags"),
        (b"tag_id,name,category,count\n1,1girl,0,9\n2,solo\n", r"line 3: it has no name or no category"),
        (b"tag_id,name,category,count\n1,,0,9\n", "line 2: it has no name"),
        (b"tag_id,name,category,count\n1,1girl,general,9\n", "line 2: the category 'general' is not a number"),
        (b'tag_id,name,category,count\n1,"1girl,0,9\n', "line 2: unexpected end of data"),
        (b"tag_id,name,category,count\n1,\xff\xfe,0,9\n", "cannot be read"),
    ],
)
def test_a_list_that_is_malformed(tmp_path, text, fault):
    (write_tagger(tmp_path) / "selected_tags.csv").write_bytes(text)
    with pytest.raises(SettingsError, match=fault):
        opened(tmp_path)


def test_an_empty_list_of_joytag(tmp_path):
    (write_tagger(tmp_path, "joytag") / "top_tags.txt").write_text("\n\n")
    with pytest.raises(SettingsError, match="has no tags"):
        opened(tmp_path)


def test_more_columns_quotes_and_a_byte_order_mark_are_no_harm(tmp_path):
    labels = [Label("1girl", 0, red=1), Label("a_b", 4, green=1)]
    text = 'id,tag_id,name,category,count,ips\r\n0,1,1girl,0,9,[]\r\n1,2,"a_b",4,9,"[""x,y""]"\r\n\r\n'
    (write_tagger(tmp_path, labels=labels) / "selected_tags.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert set(tags(opened(tmp_path), plain("white"))) == {("wd:general", "1girl"), ("wd:character", "a b")}


@pytest.mark.parametrize("kind", ["wd", "joytag"])
def test_a_model_and_a_list_of_another_one(tmp_path, kind):
    write_tagger(tmp_path, kind)
    labels = WD if kind == "wd" else JOYTAG
    write_model(tmp_path / "model.onnx", labels[:-1], FREE[kind])
    with pytest.raises(
        SettingsError, match=rf"gives {len(labels) - 1} numbers an image, .* has {len(labels)}: copy both"
    ):
        opened(tmp_path)


def test_another_export_is_not_fed_in_another_way(tmp_path):
    write_tagger(tmp_path, shape=("n", 3, 8, 8))
    with pytest.raises(SettingsError, match=r"takes input \[n × 3 × 8 × 8\] \(float\); a WD tagger takes .* NHWC"):
        opened(tmp_path)
    write_tagger(tmp_path / "joytag", "joytag", shape=("n", 8, 8, 3))
    with pytest.raises(SettingsError, match="a JoyTag takes images as NCHW"):
        opened(tmp_path / "joytag")


def identity(path, shape, kind=TensorProto.FLOAT):
    values = [helper.make_tensor_value_info(name, kind, shape) for name in ("in", "out")]
    graph = helper.make_graph([helper.make_node("Identity", ["in"], ["out"])], "g", values[:1], values[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))


@pytest.mark.parametrize(
    ("shape", "kind", "fault"),
    [
        (["n", 77], TensorProto.INT64, "must take one batch of images"),
        (["n", 8, 8, 3], TensorProto.UINT8, "LoRADS feeds 32-bit and 16-bit floats"),
        (["n", 8, 9, 3], TensorProto.FLOAT, "no square RGB images"),
        (["n", 8, 8, 3], TensorProto.FLOAT, "gives 192 numbers an image"),
    ],
)
def test_a_model_for_something_else(tmp_path, shape, kind, fault):
    identity(write_tagger(tmp_path) / "model.onnx", shape, kind)
    with pytest.raises(SettingsError, match=fault):
        opened(tmp_path)


def test_a_file_that_is_no_model(tmp_path):
    (write_tagger(tmp_path) / "model.onnx").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(SettingsError, match=r"taggers\.tiny\.folder: .*cannot be loaded as an ONNX model"):
        opened(tmp_path)


def test_of_several_outputs_the_one_with_a_number_for_each_tag(tmp_path):
    model = onnx.load(write_tagger(tmp_path) / "model.onnx")
    model.graph.node.append(helper.make_node("Identity", ["mean"], ["embedding"]))
    model.graph.output.insert(0, helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", 3]))
    onnx.save(model, tmp_path / "model.onnx")
    assert tags(opened(tmp_path), plain("red"))["wd:general", "1girl"] == pytest.approx(1)


def test_without_onnxruntime(tmp_path):
    program = (
        "import sys, json\n"
        "sys.modules['onnxruntime'] = None\n"  # as if it were not installed
        "from lorads_core.vision.taggers import open_tagger\n"
        "from lorads_core.errors import SettingsError\n"
        "from lorads_core.settings import Table, TaggerProfile\n"
        "try:\n"
        "    open_tagger(TaggerProfile('wd', Table(json.loads(sys.argv[1]), 'taggers.wd.')))\n"
        "except SettingsError as error:\n"
        "    sys.exit(str(error))\n"
    )
    options = json.dumps({"folder": str(write_tagger(tmp_path))})
    ended = subprocess.run([sys.executable, "-c", program, options], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "[taggers.wd] needs onnxruntime" in ended.stderr
    assert install_command("onnx") in ended.stderr


def test_onnxruntime_is_imported_when_a_tagger_is_opened():
    program = "import sys, lorads_core.workflow.dataset; sys.exit('onnxruntime' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
