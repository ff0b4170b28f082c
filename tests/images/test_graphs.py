"""ComfyUI graphs: only what ran for certain is a prompt; switches, modes, pipes, subgraphs and text that was made."""

import json

import pytest

from lorads_core.images.graph_nodes import action_of
from lorads_core.images.prompts import read_prompts


def node(kind, **inputs):
    return {"class_type": kind, "inputs": inputs}


def sampler(positive="pos", negative="neg", **inputs):
    return node("KSampler", positive=[positive, 0], negative=[negative, 0], **inputs)


def encode(text):
    return node("CLIPTextEncode", text=text, clip=["ckpt", 1])


GRAPH = {
    "ckpt": node("CheckpointLoaderSimple", ckpt_name="m.safetensors"),
    "sampler": sampler(),
    "neg": encode("photo"),
    "decode": node("VAEDecode", samples=["sampler", 0]),
    "save": node("SaveImage", images=["decode", 0]),
    "a": encode("a fox"),
    "b": encode("a hat"),
    "sa": node("PrimitiveString", value="a fox"),
    "sb": node("PrimitiveString", value="a hat"),
    "two": node("PrimitiveInt", value=2),
    "yes": node("PrimitiveBoolean", value=True),
    "any": node("RandomInt", seed=4),
}


def read(**nodes):
    found = read_prompts({"prompt": json.dumps(GRAPH | nodes)})
    return found.positive, [(part.text, part.certainty) for part in found.uncertain]


FOX, HAT = ("a fox", []), ("a hat", [])
UNKNOWN = ("", [("a fox", "possible"), ("a hat", "possible")])


@pytest.mark.parametrize(
    ("switch", "expected"),
    [
        (node("ComfySwitchNode", switch=True, on_true=["a", 0], on_false=["b", 0]), FOX),
        (node("ComfySwitchNode", switch=False, on_true=["a", 0], on_false=["b", 0]), HAT),
        (node("ComfySwitchNode", switch=["yes", 0], on_true=["a", 0], on_false=["b", 0]), FOX),
        (node("ComfySwitchNode", switch=["any", 0], on_true=["a", 0], on_false=["b", 0]), UNKNOWN),
        (node("ImpactSwitch", select=1, sel_mode=False, input1=["a", 0], input2=["b", 0]), FOX),
        (node("ImpactSwitch", select=2, sel_mode=False, input1=["a", 0], input2=["b", 0]), HAT),
        (node("ImpactSwitch", select=["two", 0], input1=["a", 0], input2=["b", 0]), HAT),
        (node("ImpactSwitch", select=["any", 0], input1=["a", 0], input2=["b", 0]), UNKNOWN),
        (node("ImpactConditionalBranch", cond=False, tt_value=["a", 0], ff_value=["b", 0]), HAT),
        (node("easy conditioningIndexSwitch", index=0, cond0=["a", 0], cond1=["b", 0]), FOX),
        (node("easy ifElse", boolean=True, on_true=["a", 0], on_false=["b", 0]), FOX),
        (node("Conditioning Input Switch", conditioning_a=["a", 0], conditioning_b=["b", 0], boolean=False), HAT),
        (node("CR Conditioning Input Switch", Input=1, conditioning1=["a", 0], conditioning2=["b", 0]), FOX),
        (node("Any Switch (rgthree)", any_02=["b", 0], any_01=["a", 0]), FOX),
        (node("Any Switch (rgthree)", any_02=["b", 0]), HAT),
        (node("My Own Switch", this=["a", 0], that=["b", 0]), UNKNOWN),
        (node("My Own Switch", this=["a", 0], that=["a", 0]), FOX),
        (node("My Own Switch", this=["a", 0]), FOX),
    ],
)
def test_a_switch_passes_on_what_it_chose_and_nothing_where_that_is_not_known(switch, expected):
    assert read(pos=switch) == expected


@pytest.mark.parametrize(
    ("switch", "expected"),
    [
        (node("Text Input Switch", text_a=["sa", 0], text_b=["sb", 0], boolean=True), FOX),
        (node("CR Text Input Switch", Input=2, text1="a fox", text2="a hat"), HAT),
        (node("easy textSwitch", input=1, text1="a fox", text2=["sb", 0]), FOX),
        (node("Text Switch", text_1="a fox", text_2="a hat"), UNKNOWN),
    ],
)
def test_switches_of_text(switch, expected):
    assert read(pos=encode(["s", 0]), s=switch) == expected


def test_a_switch_within_a_text_leaves_the_rest_certain():
    joined = node("StringConcatenate", string_a="winter", string_b=["s", 0], delimiter=", ")
    unknown = node("Text Switch", text_1="a fox", text_2="a hat")
    assert read(pos=encode(["j", 0]), j=joined, s=unknown) == ("winter", UNKNOWN[1])


def test_a_switch_of_images_hides_which_prompt_made_the_image():
    other = {"other": sampler("b"), "decode2": node("VAEDecode", samples=["other", 0]), "pos": GRAPH["a"]}
    save = {"save": node("SaveImage", images=["s", 0])}

    def switched(select):
        return read(**other, **save, s=node("ImpactSwitch", select=select, input1=["decode", 0], input2=["decode2", 0]))

    assert switched(1) == FOX
    assert switched(2) == HAT
    assert switched(["any", 0]) == UNKNOWN


def test_of_several_saved_images_it_is_not_known_which_one_a_file_is():
    other = {"other": sampler("b"), "save2": node("SaveImage", images=["other", 0]), "pos": GRAPH["a"]}
    assert read(**other) == UNKNOWN
    assert read(**other | {"save2": node("PreviewImage", images=["other", 0])}) == FOX
    refined = {"other": sampler("b", latent_image=["sampler", 0])}
    assert read(**other | refined) == FOX
    assert read(**other | {"b": encode("a fox")}) == FOX


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (node("WD14Tagger|pysssss", image=["i", 0]), ("", [("WD14Tagger|pysssss", "generated")])),
        (node("Florence2Run", image=["i", 0], text_input=""), ("", [("Florence2Run", "generated")])),
        (
            node("OllamaGenerate", prompt="write a prompt", url="http://x"),
            ("", [("OllamaGenerate: write a prompt", "generated")]),
        ),
        (node("TextGenerate", prompt=["sa", 0], clip=["ckpt", 1]), ("", [("TextGenerate: a fox", "generated")])),
        (node("GoogleTranslateTextNode", text="лиса"), ("", [("GoogleTranslateTextNode: лиса", "generated")])),
        (
            node("ShowText|pysssss", text=["llm", 0], text_0="of the run before"),
            ("", [("OllamaGenerate: x", "generated"), ("of the run before", "generated")]),
        ),
        (node("ShowText|pysssss", text=["sa", 0], text_0="stale"), FOX),
        (node("Text Random Line", text="a fox\na hat", seed=1), ("", [("a fox\na hat", "possible")])),
        (node("Text Random Line", text="a fox", seed=1), FOX),
        (node("easy promptLine", prompt="a fox\na hat", start_index=0), ("", [("a fox\na hat", "possible")])),
        (node("StringReplace", string="a cat", find="cat", replace="fox"), FOX),
        (node("Text Find and Replace", text="a cat", find=["sa", 0], replace="x"), ("", [("a cat", "possible")])),
        (node("StringSubstring", string="a fox", start=0, end=1), ("", [("a fox", "possible")])),
        (node("ImpactWildcardProcessor", wildcard_text="{a|b}", populated_text="a fox"), FOX),
        (node("DPRandomGenerator", text="a {red|blue} door", seed=1), ("a {red|blue} door", [])),
        (node("StringTrim", string="a fox"), FOX),
    ],
)
def test_text_that_is_drawn_made_or_changed_while_the_graph_runs(text, expected):
    assert read(pos=encode(["t", 0]), t=text, llm=node("OllamaGenerate", prompt="x")) == expected


def test_an_encoder_of_a_model_with_the_name_of_a_language_model_generates_nothing():
    for kind in ("TextEncodeQwenImageEdit", "CLIPTextEncode", "CLIPTextEncodeHunyuanDiT", "KSampler", "CLIPLoader"):
        assert action_of(kind) == ""


EASY = node("easy fullLoader", positive="a fox", positive_token_normalization="none", negative="photo", ckpt_name="m")


@pytest.mark.parametrize(
    "nodes",
    [
        {
            "1": EASY,
            "2": node("easy preSampling", steps=20, pipe=["1", 0]),
            "3": node("easy kSampler", save_prefix="ComfyUI", pipe=["2", 0]),
            "4": node("SaveImage", images=["3", 1]),
        },
        {
            "1": node("ttN pipeLoader_v2", positive="a fox", negative="photo", seed=1),
            "2": node("ttN pipeKSampler_v2", pipe=["1", 0], lora_name="None"),
            "4": node("SaveImage", images=["2", 8]),
        },
        {
            "1": node("ttN pipeLoaderSDXL_v2", positive=["s", 0], negative="photo"),
            "s": node("PrimitiveString", value="a fox"),
            "2": node("ttN pipeKSamplerSDXL_v2", sdxl_pipe=["1", 0]),
            "4": node("PreviewImage", images=["2", 8]),
        },
        {
            "1": EASY | {"inputs": {"positive": "old", "negative": "photo"}},
            "5": node("easy pipeIn", pipe=["1", 0], positive=["6", 0]),
            "6": node("CLIPTextEncode", text="a fox"),
            "3": node("easy kSampler", pipe=["5", 0]),
        },
        {
            "1": node("ToBasicPipe", positive=["6", 0], negative=["7", 0]),
            "6": node("CLIPTextEncode", text="a fox"),
            "7": node("CLIPTextEncode", text="photo"),
            "3": node("ImpactKSamplerBasicPipe", basic_pipe=["1", 0]),
            "4": node("SaveImage", images=["3", 0]),
        },
    ],
)
def test_texts_in_a_loader_reach_the_sampler_by_a_pipe(nodes):
    found = read_prompts({"prompt": json.dumps(nodes)})
    assert (found.positive, found.negative) == ("a fox", "photo")


def test_pipes_that_lead_round_end():
    nodes = {"1": node("easy pipeIn", pipe=["2", 0]), "2": node("easy pipeIn", pipe=["1", 0])}
    assert read_prompts({"prompt": json.dumps(nodes | {"3": node("easy kSampler", pipe=["1", 0])})}).positive == ""


# Workflows


def drawn(number, kind, inputs=(), widgets=(), mode=0, outputs=("CONDITIONING",), **more):
    """A node as the editor saves it; inputs are (name, link, type)."""
    entries = [{"name": name, "link": link, "type": of} for name, link, of in inputs]
    slots = [{"name": each, "type": each} for each in outputs]
    return {
        "id": number,
        "type": kind,
        "mode": mode,
        "inputs": entries,
        "outputs": slots,
        "widgets_values": list(widgets),
    } | more


def read_workflow(nodes, links, **more):
    found = read_prompts({"workflow": json.dumps({"nodes": nodes, "links": links} | more)})
    return found.positive, found.negative


END = [
    drawn(1, "KSampler", [("positive", 1, "CONDITIONING"), ("negative", 2, "CONDITIONING")], outputs=("LATENT",)),
    drawn(2, "CLIPTextEncode", widgets=["photo"]),
    drawn(9, "SaveImage", [("images", 9, "IMAGE")], outputs=()),
]
LINKS = [[2, 2, 0, 1, 1, "CONDITIONING"], [9, 1, 0, 9, 0, "IMAGE"]]


@pytest.mark.parametrize(("mode", "expected"), [(0, "a fox"), (4, "a fox"), (2, "")])
def test_a_bypassed_node_hands_its_input_on_and_a_muted_one_is_gone(mode, expected):
    guidance = drawn(3, "FluxGuidance", [("conditioning", 3, "CONDITIONING")], [3.5], mode)
    nodes = [*END, guidance, drawn(4, "CLIPTextEncode", widgets=["a fox"])]
    links = [*LINKS, [1, 3, 0, 1, 0, "CONDITIONING"], [3, 4, 0, 3, 0, "CONDITIONING"]]
    assert read_workflow(nodes, links) == (expected, "photo")


def test_a_bypassed_node_hands_on_the_input_of_the_same_type():
    both = [("positive", 3, "CONDITIONING"), ("negative", 4, "CONDITIONING"), ("image", 5, "IMAGE")]
    control = drawn(3, "ControlNetApplyAdvanced", both, mode=4, outputs=("CONDITIONING", "CONDITIONING"))
    nodes = [
        END[0],
        END[2],
        control,
        drawn(4, "CLIPTextEncode", widgets=["a fox"]),
        drawn(5, "CLIPTextEncode", widgets=["photo"]),
    ]
    links = [[1, 3, 0, 1, 0], [2, 3, 1, 1, 1], [3, 4, 0, 3, 0], [4, 5, 0, 3, 1], LINKS[1]]
    assert read_workflow(nodes, links) == ("a fox", "photo")


def subgraph(inner, links, name="sub"):
    return {"id": name, "nodes": inner, "links": links}


def link(number, origin, slot, target, end):
    return {"id": number, "origin_id": origin, "origin_slot": slot, "target_id": target, "target_slot": end}


def test_a_subgraph_gives_out_what_is_within_it():
    inner = [drawn(7, "CLIPTextEncode", [("text", 20, "STRING")], ["old"], widgets_values=["a fox"])]
    definitions = {"subgraphs": [subgraph(inner, [link(21, 7, 0, -20, 0)])]}
    links = [*LINKS, [1, 3, 0, 1, 0, "CONDITIONING"]]
    assert read_workflow([*END, drawn(3, "sub")], links, definitions=definitions) == ("a fox", "photo")


def test_a_subgraph_takes_links_and_widgets_from_outside():
    inner = [drawn(7, "CLIPTextEncode", [("text", 20, "STRING")], ["old"])]
    definitions = {"subgraphs": [subgraph(inner, [link(20, -10, 0, 7, 0), link(21, 7, 0, -20, 0)])]}
    linked = drawn(3, "sub", [("text", 5, "STRING")])
    links = [*LINKS, [1, 3, 0, 1, 0, "CONDITIONING"], [5, 6, 0, 3, 0, "STRING"]]
    text = drawn(6, "PrimitiveString", widgets=["a fox"])
    assert read_workflow([*END, linked, text], links, definitions=definitions) == ("a fox", "photo")
    own = drawn(3, "sub", widgets=["a fox"]) | {"inputs": [{"name": "text", "link": None, "widget": {"name": "text"}}]}
    assert read_workflow([*END, own], links[:-1], definitions=definitions) == ("a fox", "photo")


def test_subgraphs_within_each_other_and_within_themselves_end():
    inner = [drawn(7, "CLIPTextEncode", widgets=["a fox"])]
    outer = [drawn(8, "inner")]
    round_ = [drawn(8, "round"), drawn(7, "CLIPTextEncode", widgets=["a fox"])]
    definitions = {
        "subgraphs": [
            subgraph(inner, [link(21, 7, 0, -20, 0)], "inner"),
            subgraph(outer, [link(22, 8, 0, -20, 0)], "outer"),
            subgraph(round_, [link(22, 8, 0, -20, 0)], "round"),
        ]
    }
    links = [*LINKS, [1, 3, 0, 1, 0, "CONDITIONING"]]
    assert read_workflow([*END, drawn(3, "outer")], links, definitions=definitions) == ("a fox", "photo")
    assert read_workflow([*END, drawn(3, "round")], links, definitions=definitions) == ("", "photo")


def test_get_takes_what_set_was_given():
    nodes = [
        *END,
        drawn(3, "GetNode", widgets=["prompt"]),
        drawn(4, "SetNode", [("CONDITIONING", 4, "CONDITIONING")], ["prompt"]),
        drawn(5, "CLIPTextEncode", widgets=["a fox"]),
    ]
    links = [*LINKS, [1, 3, 0, 1, 0, "CONDITIONING"], [4, 5, 0, 4, 0, "CONDITIONING"]]
    assert read_workflow(nodes, links) == ("a fox", "photo")
