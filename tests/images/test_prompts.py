"""Prompts: each program's way of writing them is read; whatever strangers write, nothing raises."""

import json
import struct
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lorads_core.images.exif import read_exif
from lorads_core.images.prompts import NO_PROMPTS, Prompts, read_prompts


def node(kind, **inputs):
    return {"class_type": kind, "inputs": inputs}


def encode(text):
    return node("CLIPTextEncode", text=text, clip=["ckpt", 1])


def comfy(**nodes):
    nodes = {"ckpt": node("CheckpointLoaderSimple", ckpt_name="sdxl.safetensors")} | nodes
    return read_prompts({"prompt": json.dumps(nodes)})


SAMPLER = node(
    "KSampler", model=["ckpt", 0], positive=["pos", 0], negative=["neg", 0], latent_image=["empty", 0], seed=1, cfg=7.0
)
END = {"decode": node("VAEDecode", samples=["sampler", 0]), "save": node("SaveImage", images=["decode", 0])}
PLAIN = {"sampler": SAMPLER, "pos": encode("a red barn"), "neg": encode("people"), **END}


def test_the_plain_graph():
    assert comfy(**PLAIN) == Prompts("a red barn", "people", "comfyui")


@pytest.mark.parametrize("kind", ["KSampler", "KSamplerAdvanced", "SamplerCustom", "KSampler (Efficient)"])
def test_samplers(kind):
    assert comfy(**PLAIN | {"sampler": SAMPLER | {"class_type": kind}}).positive == "a red barn"


@pytest.mark.parametrize(
    ("guider", "negative"),
    [
        (node("CFGGuider", model=["ckpt", 0], positive=["pos", 0], negative=["neg", 0], cfg=3.0), "people"),
        (node("BasicGuider", model=["ckpt", 0], conditioning=["pos", 0]), ""),
        (node("DualCFGGuider", cond1=["pos", 0], cond2=["other", 0], negative=["neg", 0]), "people"),
    ],
)
def test_guiders(guider, negative):
    sampler = node("SamplerCustomAdvanced", noise=["n", 0], guider=["guider", 0], sampler=["s", 0], sigmas=["g", 0])
    found = comfy(**PLAIN | {"sampler": sampler, "guider": guider, "other": encode("other")})
    assert (found.positive, found.negative) == ("a red barn", negative)


@pytest.mark.parametrize(
    ("between", "expected"),
    [
        (node("FluxGuidance", conditioning=["a", 0], guidance=3.5), "one"),
        (node("ConditioningSetTimestepRange", conditioning=["a", 0], start=0.0, end=1.0), "one"),
        (node("ConditioningCombine", conditioning_1=["a", 0], conditioning_2=["b", 0]), "one, two"),
        (node("ConditioningConcat", conditioning_to=["a", 0], conditioning_from=["b", 0]), "one, two"),
        (node("ConditioningAverage", conditioning_to=["a", 0], conditioning_from=["a", 0]), "one"),
        (node("ControlNetApply", conditioning=["a", 0], control_net=["c", 0], image=["i", 0]), "one"),
        (node("ControlNetApplyAdvanced", positive=["a", 0], negative=["b", 0], image=["i", 0]), "one"),
        (node("unCLIPConditioning", conditioning=["a", 0], clip_vision_output=["v", 0]), "one"),
        (node("Reroute", **{"": ["a", 0]}), "one"),
        (node("ConditioningZeroOut", conditioning=["a", 0]), ""),
        (node("CLIPTextEncodeSDXL", text_g="large", text_l="little", clip=["ckpt", 1]), "large, little"),
        (node("CLIPTextEncodeSDXL", text_g=["s", 0], text_l=["s", 0], clip=["ckpt", 1]), "string"),
        (node("CLIPTextEncodeFlux", clip_l="a", t5xxl="a", guidance=3.5, clip=["ckpt", 1]), "a"),
        (node("TextEncodeQwenImageEdit", prompt="change it", clip=["ckpt", 1], image=["i", 0]), "change it"),
        (node("Efficient Loader", positive="both", negative="bad", ckpt_name="x"), "both"),
    ],
)
def test_what_stands_between_sampler_and_text(between, expected):
    found = comfy(
        **PLAIN | {"pos": between, "a": encode("one"), "b": encode("two"), "s": node("String", value="string")}
    )
    assert found.positive == expected


@pytest.mark.parametrize(
    ("string", "expected"),
    [
        (node("PrimitiveString", value="a cat"), "a cat"),
        (node("PrimitiveStringMultiline", value="a\ncat"), "a\ncat"),
        (node("StringConcatenate", string_a="a", string_b=["more", 0], delimiter=" + "), "a + more"),
        (node("StringConcatenate", string_a="a", string_b=["more", 0], delimiter=""), "amore"),
        (node("Text Concatenate", delimiter=", ", text_a=["more", 0], text_b="b", text_c="c"), "more, b, c"),
        (node("JoinStrings", string1="a", string2=["more", 0], delimiter=" "), "a more"),
        (node("Text Multiline", text="a cat"), "a cat"),
        (node("ShowText|pysssss", text=["more", 0], text_0="more"), "more"),
        (node("ImpactWildcardProcessor", wildcard_text="__animal__", populated_text="a cat", seed=1), "a cat"),
        (node("CR Prompt Text", prompt="a cat"), "a cat"),
        (node("Unknown", anything=["more", 0]), "more"),
        (node("Reroute", **{"": ["more", 0]}), "more"),
        (node("Unknown", number=3), ""),
    ],
)
def test_strings_that_come_over_links(string, expected):
    found = comfy(**PLAIN | {"pos": encode(["string", 0]), "string": string, "more": node("String", value="more")})
    assert found.positive == expected


def test_of_several_samplers_the_first_in_the_chain_counts():
    second = node("KSampler", positive=["detail", 0], negative=["neg", 0], latent_image=["sampler", 0])
    found = comfy(
        **PLAIN
        | {"second": second, "detail": encode("highly detailed"), "decode": node("VAEDecode", samples=["second", 0])}
    )
    assert found.positive == "a red barn"


def test_keys_may_be_numbers_of_either_kind():
    graph = {"3": node("KSampler", positive=[6, 0], negative=["7", 0]), "6": encode("six"), "7": encode("seven")}
    assert read_prompts({"prompt": json.dumps(graph)}) == Prompts("six", "seven", "comfyui")


def test_nan_as_comfyui_writes_it():
    graph = PLAIN | {"sampler": SAMPLER | {"is_changed": [float("nan")]}}
    assert "NaN" in json.dumps(graph)
    assert comfy(**graph).positive == "a red barn"


def test_cycles_missing_nodes_and_oddities_end():
    loop = node("ConditioningCombine", conditioning_1=["pos", 0], conditioning_2=["a", 0])
    assert comfy(**PLAIN | {"pos": loop, "a": encode("one")}).positive == "one"
    ring = node("StringConcatenate", string_a="x", string_b=["ring", 0], delimiter="")
    assert comfy(**PLAIN | {"pos": encode(["ring", 0]), "ring": ring}).positive == "x"
    assert comfy(**PLAIN | {"pos": {}}) == Prompts("", "people", "comfyui")
    assert comfy(sampler=SAMPLER, pos=None, neg=3, **END) == NO_PROMPTS
    assert (
        comfy(sampler={"class_type": 3, "inputs": []}, other={"class_type": "KSampler", "inputs": None}) == NO_PROMPTS
    )


@pytest.mark.slow
def test_graphs_that_grow_end_soon():
    chain = {
        f"c{i}": node("ConditioningCombine", conditioning_1=[f"c{i + 1}", 0], conditioning_2=[f"c{i + 1}", 0])
        for i in range(100)
    }
    strings = {
        f"s{i}": node("StringConcatenate", string_a=[f"s{i + 1}", 0], string_b=[f"s{i + 1}", 0]) for i in range(100)
    }
    strings["s100"] = node("String", value="x" * 1000)
    started = time.process_time()
    comfy(**PLAIN | chain | {"pos": node("FluxGuidance", conditioning=["c0", 0])})
    comfy(**PLAIN | strings | {"pos": encode(["s0", 0])})
    comfy(
        **PLAIN
        | {f"n{i}": node("FluxGuidance", conditioning=[f"n{i + 1}", 0]) for i in range(10_000)}
        | {"pos": encode(["n0", 0])}
    )
    comfy(**{f"n{i}": node("SaveImage", images=[f"n{i + 1}", 0]) for i in range(30_000)})
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    "text",
    ["[" * 200_000, '{"a":' * 200_000, '{"a": ' + "9" * 5000 + "}", "{}", "null", '"a"', '{"bad'],
)
def test_json_that_is_none(text):
    assert read_prompts({"prompt": text, "workflow": text}) == NO_PROMPTS or text in {"null", '"a"'}


def workflow(*nodes, links=()):
    return read_prompts({"workflow": json.dumps({"nodes": nodes, "links": links, "version": 0.4})})


def test_a_workflow_without_a_prompt():
    found = workflow(
        {
            "id": 3,
            "type": "KSampler",
            "inputs": [{"name": "positive", "link": 4}, {"name": "negative", "link": 6}],
            "widgets_values": [1, "randomize", 20, 8, "euler"],
        },
        {"id": 6, "type": "CLIPTextEncode", "inputs": [{"name": "clip", "link": 9}], "widgets_values": ["a red barn"]},
        {
            "id": 7,
            "type": "CLIPTextEncode",
            "inputs": [{"name": "clip", "link": 9}, {"name": "text", "link": 8, "widget": {"name": "text"}}],
            "widgets_values": ["stale"],
        },
        {"id": 8, "type": "PrimitiveNode", "widgets_values": ["people", "fixed"]},
        {"id": 9, "type": "CheckpointLoaderSimple", "widgets_values": ["sdxl.safetensors"]},
        links=[
            [4, 6, 0, 3, 1, "CONDITIONING"],
            [6, 7, 0, 3, 2, "CONDITIONING"],
            [8, 8, 0, 7, 1, "STRING"],
            [9, 9, 1, 6, 0, "CLIP"],
            None,
            [],
        ],
    )
    assert (found.positive, found.source) == ("a red barn", "comfyui")
    assert found.negative.startswith("people")


def test_workflow_widgets_by_name():
    found = workflow(
        {"id": 1, "type": "KSampler", "inputs": [{"name": "positive", "link": 1}]},
        {
            "id": 2,
            "type": "Efficient Loader",
            "inputs": [{"name": "ckpt_name", "widget": {}}, {"name": "positive", "widget": {}}],
            "widgets_values": ["x.ckpt", "a barn"],
        },
        links=[[1, 2, 1, 1, 0, "CONDITIONING"]],
    )
    assert found.positive == "a barn"


A1111 = (
    "a red barn, <lora:x:1>\nsecond line\nNegative prompt: people,\ncars\n"
    "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512"
)


@pytest.mark.parametrize(
    ("text", "positive", "negative"),
    [
        (A1111, "a red barn, <lora:x:1>\nsecond line", "people,\ncars"),
        ("a red barn\nSteps: 20, Sampler: Euler a, Seed: 1", "a red barn", ""),
        ("Negative prompt: people\nSteps: 20, Sampler: Euler a, Seed: 1", "", "people"),
        ("a red barn", "a red barn", ""),
        ("ratio 3: 2", "ratio 3: 2", ""),
        ("a\nSteps: 20, Sampler: Euler a, Seed: 1\nTemplate: x", "a", ""),
        (A1111.replace("\n", "\r\n"), "a red barn, <lora:x:1>\nsecond line", "people,\ncars"),
    ],
)
def test_a1111(text, positive, negative):
    assert read_prompts({"parameters": text}) == Prompts(positive, negative, "a1111")


def test_long_lines_take_no_time():
    started = time.process_time()
    read_prompts({"parameters": "a " * 500_000})
    read_prompts({"Dream": '"' + "[" * 100_000})
    assert time.process_time() - started < 5


V4 = {
    "prompt": "old",
    "uc": "old",
    "v4_prompt": {"caption": {"base_caption": "barn", "char_captions": [{"char_caption": "girl"}, {}]}},
    "v4_negative_prompt": {"caption": {"base_caption": "people"}},
}


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (
            {"invokeai_metadata": '{"positive_prompt": "a barn", "negative_prompt": "people"}'},
            ("a barn", "people", "invokeai"),
        ),
        (
            {"sd-metadata": '{"image": {"prompt": [{"prompt": "a barn [people]", "weight": 1}]}}'},
            ("a barn", "people", "invokeai"),
        ),
        ({"sd-metadata": '{"image": {"prompt": "a barn"}}'}, ("a barn", "", "invokeai")),
        ({"Dream": '"a barn [people]" -s 50 -S 1'}, ("a barn", "people", "invokeai")),
        ({"Dream": "a barn -s 50"}, ("a barn", "", "invokeai")),
        (
            {"Software": "NovelAI", "Description": "a barn", "Comment": '{"steps": 28, "uc": "people"}'},
            ("a barn", "people", "novelai"),
        ),
        ({"Software": "NovelAI", "Description": "a barn"}, ("a barn", "", "novelai")),
        ({"Comment": json.dumps(V4)}, ("barn, girl", "people", "novelai")),
        (
            {"parameters": '{"prompt": "a barn", "negative_prompt": "people", "full_prompt": []}'},
            ("a barn", "people", "fooocus"),
        ),
        (
            {"parameters": '{"sui_image_params": {"prompt": "a barn", "negativeprompt": "people"}}'},
            ("a barn", "people", "swarmui"),
        ),
        ({"prompt": "a barn", "negative_prompt": "people"}, ("a barn", "people", "plain")),
        ({"Comment": "made with an editor", "Description": "holiday"}, ("", "", "")),
        ({}, ("", "", "")),
    ],
)
def test_other_programs(texts, expected):
    assert read_prompts(texts) == Prompts(*expected)


GRAPH = json.dumps(PLAIN)


@pytest.mark.parametrize(
    ("exif_texts", "comment", "expected"),
    [
        ((f"prompt:{GRAPH}", 'workflow:{"nodes": []}'), "", "a red barn"),
        (("Workflow: {}", f"Prompt: {GRAPH}"), "", "a red barn"),
        (("Canon", "EOS 5D", "2020:01:01"), "", ""),
        ((), A1111, "a red barn, <lora:x:1>\nsecond line"),
        ((), GRAPH, "a red barn"),
        ((), json.dumps({"prompt": PLAIN, "workflow": {}}), "a red barn"),
        ((), json.dumps({"Description": "old", "Comment": json.dumps(V4)}), "barn, girl"),
        ((), json.dumps({"sui_image_params": {"prompt": "a barn"}}), "a barn"),
        ((), json.dumps({"prompt": "a barn", "negative_prompt": "x"}), "a barn"),
        ((), "Created with GIMP", ""),
    ],
)
def test_exif(exif_texts, comment, expected):
    assert read_prompts({}, exif_texts, comment).positive == expected


def test_what_postgresql_cannot_hold_is_taken_out():
    found = read_prompts({"parameters": "a\0b\ud800c"})
    assert found.positive == "abc"
    assert comfy(**PLAIN | {"pos": encode("a\ud800\0b")}).positive == "ab"


def user_comment(content, order="<"):
    """EXIF with a UserComment alone."""
    head = b"II*\0" if order == "<" else b"MM\0*"
    main = struct.pack(f"{order}IHHHIII", 8, 1, 0x8769, 4, 1, 26, 0)
    return head + main + struct.pack(f"{order}HHHIII", 1, 0x9286, 7, len(content), 44, 0) + content


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    "content",
    [
        b"UNICODE\0" + "a cat, \u732b".encode("utf-16-be"),
        b"UNICODE\0" + "a cat, \u732b".encode("utf-16-le"),
        b"UNICODE\0" + "a cat, \u732b".encode("utf-16"),
        b"UNICODE\0" + "a cat, \u732b".encode(),
        b"ASCII\0\0\0" + "a cat, \u732b".encode(),
        bytes(8) + "a cat, \u732b".encode(),
        "a cat, \u732b".encode(),
        b"UNICODE\0" + "a cat, \u732b\0\0".encode("utf-16-be"),
    ],
)
def test_user_comments_of_every_coding(order, content):
    assert read_exif(user_comment(content, order)).comment == "a cat, \u732b"


def test_user_comment_in_chinese_goes_by_the_order_of_the_exif():
    for order, coding in (("<", "utf-16-le"), (">", "utf-16-be")):
        assert (
            read_exif(user_comment(b"UNICODE\0" + "\u4e00\u53ea\u7ea2\u8272\u7684\u732b".encode(coding), order)).comment
            == "\u4e00\u53ea\u7ea2\u8272\u7684\u732b"
        )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(
    ["positive", "negative", "guider", "text", "conditioning", "string_a", "delimiter", "model", "samples", "", "value"]
)
KINDS = st.sampled_from(
    ["KSampler", "CFGGuider", "CLIPTextEncode", "ConditioningCombine", "SaveImage", "StringConcatenate", "Reroute"]
)
KEYS = st.sampled_from("123456")
NODES = st.fixed_dictionaries(
    {},
    optional={
        "class_type": KINDS | JSON,
        "inputs": st.dictionaries(
            NAMES, st.tuples(KEYS, st.integers(0, 2)).map(list) | st.text(max_size=5) | JSON, max_size=5
        )
        | JSON,
    },
)
TEXT_KEYS = [
    "prompt",
    "workflow",
    "parameters",
    "Comment",
    "invokeai_metadata",
    "sd-metadata",
    "Dream",
    "Software",
    "Description",
]


@given(st.dictionaries(KEYS, NODES | JSON))
@settings(max_examples=60, deadline=None)
def test_graphs_of_any_kind_never_raise(graph):
    found = read_prompts({"prompt": json.dumps(graph)})
    (found.positive + found.negative).encode()


@given(
    st.dictionaries(st.sampled_from(TEXT_KEYS), JSON.map(json.dumps) | st.text()),
    st.lists(st.text(), max_size=3),
    st.text() | JSON.map(json.dumps),
)
@settings(max_examples=60, deadline=None)
def test_texts_of_any_kind_never_raise(texts, exif_texts, comment):
    found = read_prompts(texts, exif_texts, comment)
    assert "\0" not in found.positive
    (found.positive + found.negative).encode()


@pytest.mark.slow
@given(
    st.fixed_dictionaries(
        {
            "nodes": st.lists(
                st.fixed_dictionaries(
                    {},
                    optional={"id": JSON, "type": KINDS | JSON, "inputs": JSON, "widgets_values": JSON, "mode": JSON},
                )
                | JSON
            ),
            "links": JSON | st.lists(st.lists(st.integers(0, 5), max_size=6)),
        }
    )
)
@settings(max_examples=60, deadline=None)
def test_workflows_of_any_kind_never_raise(graph):
    read_prompts({"workflow": json.dumps(graph)})


@given(st.binary(max_size=300), st.sampled_from([b"II*\0", b"MM\0*", b""]))
@settings(max_examples=60, deadline=None)
def test_exif_of_any_kind_never_raises(data, head):
    read_exif(head + data)
