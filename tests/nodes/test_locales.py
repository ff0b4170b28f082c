"""What locales/ say of every name and tooltip that nodes show, in the form that ComfyUI's frontend reads."""

import json
import re

import pytest

from .pack import ROOT, loaded

TRANSLATIONS = ("de", "es", "fr", "ja", "zh")
# Words that are said so in that language too; every other text differs from the English one.
SAME = {
    "de": "album, buckets, checkpoint, clip, export, format, index, name, prompt, prompts, seed, tagger, trainer",
    "es": "buckets, checkpoint, clip, prompt, prompts",
    "fr": "album, buckets, checkpoint, clip, export, format, images, index, mode, position, prompt, prompts, scores, "
    "seed, source",
    "ja": "",
    "zh": "",
}
# Titles of ComfyUI's own nodes: translations call them as ComfyUI does in that language.
COMFYUIS_NODES = ("Load CLIP Vision", "Make Training Dataset", "Train LoRA", "Save LoRA", "KSampler")
COMFYUIS_NODES += ("CLIP Text Encode", "VAE Decode")
# What is typed as it stands, where neither its look nor a list of choices tells.
TYPED = {
    ("LoradsExportDataset", "background"): {"white"},
    ("LoradsLoadTrainedLora", "epoch"): {"last"},
    ("LoradsLoraVariants", "epochs"): {"last", "all"},
}
CODE = re.compile(
    r"""
      \[[\w.]+\] | \{\w+\}            # [trainers.NAME], {trigger}
    | (?!e\.g)\.?[\w-]+(?:[./=]\w+)+ # lorads.toml, input/lorads, .txt=wd
    | \#?\d+(?:[a-z]\w*)?            # 1024, #808080, 1girl
    | [a-z0-9]+(?:_[a-z0-9]+)+        # max_side
    | [A-Za-z]*[a-z][A-Z]\w*          # LoRA, ComfyUI
    | [A-Z]{2,}[A-Za-z]*              # PNG
    """,
    re.VERBOSE,
)


@pytest.fixture(scope="module")
def schemas(tmp_path_factory):
    base = tmp_path_factory.mktemp("base")
    (base / "lorads.toml").touch()
    with loaded(base, base / "lorads.toml") as pack:
        return {name: node.define_schema() for name, node in pack.nodes.items()}


def read(language):
    return json.loads((ROOT / "locales" / language / "nodeDefs.json").read_text(encoding="utf-8"))


def key(name):
    # The frontend looks for an id with its dots, as inputs of dynamic inputs have them, made underscores.
    return name.replace(".", "_")


def flat(said, path=()):
    """Return every text by its path: node, (inputs or outputs, which one,) what it is."""
    if isinstance(said, str):
        return {path: said}
    return {at: text for name, inner in said.items() for at, text in flat(inner, (*path, name)).items()}


def named(each):
    return {"name": each.display_name or each.id, "tooltip": each.tooltip}


def test_english_is_what_schemas_say(schemas):
    expected = {
        name: {
            "display_name": schema.display_name,
            "description": schema.description,
            "inputs": {key(each.id): named(each) for each in schema.inputs},
            "outputs": {str(n): named(each) for n, each in enumerate(schema.outputs)},
        }
        for name, schema in schemas.items()
    }
    assert flat(read("en")) == flat(expected)
    assert list(flat(read("en"))) == list(flat(expected)), "in another order"


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_a_translation_says_all_that_english_says_and_no_more(language):
    english, said = flat(read("en")), flat(read(language))
    assert [path for path in english if not said.get(path)] == []
    assert [path for path in said if path not in english] == []
    assert list(said) == list(english), "in another order"


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_a_translation_is_not_english(language):
    english, said = flat(read("en")), flat(read(language))
    left = {text for path, text in english.items() if said[path].casefold() == text.casefold()}
    assert ", ".join(sorted(left)) == SAME[language]


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_the_same_is_called_the_same_in_all_nodes(language):
    english, said = flat(read("en")), flat(read(language))
    words = {}
    for path, text in english.items():
        words.setdefault(text, set()).add(said[path])
    assert {text: those for text, those in words.items() if len(those) > 1} == {}


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_no_two_inputs_of_a_node_are_called_the_same(language):
    for node, said in read(language).items():
        names = [each["name"] for each in said["inputs"].values()]
        assert len(set(names)) == len(names), node


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_a_tooltip_keeps_what_is_typed_and_calls_nodes_and_inputs_as_they_are_shown(schemas, language):
    english, said = read("en"), read(language)
    lost = []
    for node, schema in schemas.items():
        for each in schema.inputs:
            # A library's name, "pictures", is a word of sentences too.
            choices = each.options.get("options", ()) if each.id != "library" else ()
            typed = {choice for choice in choices if " " not in choice} | TYPED.get((node, each.id), set())
            there = said[node]["inputs"][key(each.id)]["tooltip"]
            wanted = meant(each.tooltip, english, said, node, typed)
            lost += [f"{node}.{each.id}: {word}" for word in wanted if word not in there]
        for n, each in enumerate(schema.outputs):
            wanted = meant(each.tooltip, english, said, node)
            lost += [f"{node}.{n}: {word}" for word in wanted if word not in said[node]["outputs"][str(n)]["tooltip"]]
        wanted = meant(schema.description, english, said, node)
        lost += [f"{node}: {word}" for word in wanted if word not in said[node]["description"]]
    assert lost == []


def meant(text, english, said, node, typed=()):
    """Return the words that a translation of a text must hold."""
    wanted = set()
    for other, names in english.items():
        if names["display_name"] in text:
            text = text.replace(names["display_name"], "")
            wanted.add(said[other]["display_name"])
    for title in COMFYUIS_NODES:
        text = text.replace(title, "")
    inputs = said[node]["inputs"]
    for word in CODE.findall(text):
        # 12 MB is 12 Mo in French; a plural's s goes.
        if word not in {"MB", ""}:
            wanted.add(inputs[word]["name"] if word in inputs and "_" in word else re.sub(r"(?<=[A-Z])s$", "", word))
    return wanted | {word for word in typed if re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text)}


@pytest.mark.parametrize("language", ["en", *TRANSLATIONS])
def test_names_are_plain_messages(language):
    # The frontend shows tooltips as they stand, but compiles names and descriptions, where these have a meaning.
    for path, text in flat(read(language)).items():
        assert text == text.strip(), path
        assert path[-1] == "tooltip" or not re.search(r"[{}@|$]", text), path
