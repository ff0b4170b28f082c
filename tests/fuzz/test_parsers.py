"""Fuzzed parsers: whatever a stranger's file or text holds, a parser raises LoradsError or nothing.

`PARSERS` has a row for each module that parses what others have written, `EXCLUDED` the modules that only look as if
they did. `LORADS_FUZZ=5000` gives the slow test as many examples for each parser.
"""

import ast
import json
import os
import struct
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lorads_core.captions import tag_files
from lorads_core.captions.patterns import check_pattern, substitution
from lorads_core.captions.structured import structured
from lorads_core.checkpoints import read_checkpoint
from lorads_core.errors import LoradsError
from lorads_core.export.layout import parsed_manifest
from lorads_core.export.write import _read_journal
from lorads_core.images.exif import read_exif
from lorads_core.images.facts import read_facts
from lorads_core.images.prompt_dialects import dialects
from lorads_core.images.prompts import prompt_parts, read_prompts
from lorads_core.images.xmp import read_orientation, read_rating
from lorads_core.library.layouts.document import DOCUMENTS, read_document
from lorads_core.library.sidecars import Reading, read_sidecar
from lorads_core.library.sidecars.folder_lists import read_list
from lorads_core.library.sidecars.rule import FORMS
from lorads_core.library.sidecars.xmp import read_xmp
from lorads_core.library.walk import is_own_output
from lorads_core.lora_tests.archive import _read as read_archive
from lorads_core.panel.params import Body
from lorads_core.panel.responses import RefusedError, read_body
from lorads_core.runs.lora_file import read_header, without_local_paths
from lorads_core.runs.lora_loading import lora_loading, saved_loadings
from lorads_core.runs.read_export import read_export
from lorads_core.runs.run_folder import _read as read_status
from lorads_core.settings import load_settings
from lorads_core.trainers.extra import parse_extra
from lorads_core.trainers.simpletuner import _of_metrics
from lorads_core.vision.taggers.labels import read_labels
from lorads_core.workflow.check.texts import TrainedCaption

from ..images import corpus

ROOT = Path(__file__).parents[2]
EXAMPLES = 15
MANY = int(os.environ.get("LORADS_FUZZ", "300"))

# Values of JSON, the odd ones of it too, which Python's json writes and reads: NaN, infinities, lone surrogates.
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NESTED = st.sampled_from(
    ["[" * 100_000, '{"a":' * 100_000, "a = " + "[" * 100_000, "a = " + "{a=" * 100_000, "(" * 100_000]
)
BYTES = st.binary(max_size=300)


def trained(data):
    return TrainedCaption(data.decode(errors="replace"), "read")


def either(*strategies):
    """What a parser gets: its own form with odd values, text, nested text, and any bytes; always bytes."""
    texts = st.one_of(*strategies, st.text(max_size=80), NESTED)
    return st.one_of(texts.map(lambda text: text if isinstance(text, bytes) else text.encode(errors="replace")), BYTES)


def keyed(*names):
    """JSON objects with the keys that a parser looks for, and any values under them."""
    return st.dictionaries(st.sampled_from(names), JSON, max_size=len(names)).map(json.dumps) | JSON.map(json.dumps)


def mutated(*files):
    """Whole files with a few bytes exchanged, cut off, or doubled."""

    def change(drawn):
        data, at, new, end = drawn
        at %= len(data)
        return (data[:at] + new + data[at + len(new) :])[: max(8, end)] if end < 5_000 else data[:at] + new + data[at:]

    return st.tuples(st.sampled_from(files), st.integers(0, 2**31), st.binary(max_size=8), st.integers(0, 10_000)).map(
        change
    )


def pictures():
    scene = corpus.scene(8, 8)
    kinds = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP")
    texts = (("parameters", "a cat\nNegative prompt: dog\nSteps: 1, CFG: 2, Seed: 3"), ("prompt", "{}"))
    return [
        *(corpus.saved(scene, kind) for kind in kinds),
        corpus.png_with(*(corpus.text_chunk(*each) for each in texts)),
    ]


def safetensors(text):
    header = text.encode(errors="replace") if isinstance(text, str) else text
    return struct.pack("<Q", len(header)) + header + bytes(16)


TENSOR = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "BF16"]) | JSON,
        "shape": st.lists(st.integers() | JSON, max_size=3),
        "data_offsets": st.lists(st.integers(-4, 40) | JSON, min_size=1, max_size=3),
    }
)
TENSORS = st.dictionaries(st.sampled_from(["a.lora_down.weight", "b", "__metadata__"]), TENSOR | JSON).map(json.dumps)
KEYS = st.dictionaries(
    st.sampled_from(
        [
            f"lycoris_transformer_blocks_0_attn_to_qkv.{end}"
            for end in ("lora_up.weight", "lora_down.weight", "lokr_w1", "lokr_w2", "dora_scale", "alpha", "diff")
        ]
    ),
    TENSOR,
).map(json.dumps)
GGUF = (
    b"GGUF"
    + struct.pack("<IQQ", 3, 1, 2)
    + b"".join(
        struct.pack("<Q", len(text)) + text + rest
        for text, rest in (
            (b"general.architecture", struct.pack("<IQ", 8, 4) + b"flux"),
            (b"a.list", struct.pack("<IIQ3f", 9, 6, 3, 1, 2, 3)),
            (b"blocks.0.weight", struct.pack("<IQQIQ", 2, 3, 4, 12, 0)),
        )
    )
)
EXIF = st.tuples(st.sampled_from([b"II*\0", b"MM\0*"]), BYTES).map(b"".join)
XMP = st.text(max_size=30).map(
    lambda value: '<a xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="{}"/>'.format(value.replace('"', ""))
)
CSV = st.lists(st.lists(st.text(max_size=6), max_size=4).map(",".join), max_size=5).map("\n".join)
NODE = st.fixed_dictionaries(
    {"class_type": st.sampled_from(["KSampler", "SaveImage", "CLIPTextEncode"]) | JSON, "inputs": JSON}
)
GRAPH = st.dictionaries(st.sampled_from("1234"), NODE | JSON).map(json.dumps)
PROMPT_KEYS = (
    "parameters",
    "prompt",
    "workflow",
    "Comment",
    "sd-metadata",
    "invokeai_metadata",
    "Dream",
    "Description",
    "Prompt",
    "extraMetadata",
)
FIELDS = (
    *("prompt", "uc", "c", "v4_prompt", "sui_image_params", "image", "caption", "nodes", "links"),
    *("definitions", "extraMetadata", "software", "Prompt"),
)
TOML = JSON.map(lambda value: f"store = {json.dumps(value)}\n[libraries.x]\nkind = {json.dumps(value)}\n")


def from_file(name, read):
    """A parser that reads a file of that name, with what is fuzzed in it."""

    def parse(folder, data):
        (folder / name).write_bytes(data)
        read(folder / name)

    return parse


def prompts(_folder, data):
    text = data.decode(errors="replace")
    for key in PROMPT_KEYS:
        read_prompts({key: text}, (f"{key}:{text}",), text, text)
    for dialect in dialects():
        prompt_parts(text, dialect)


def journal(folder, data):
    (folder / "journal.jsonl").write_bytes(data)
    _read_journal(SimpleNamespace(journal=folder / "journal.jsonl"))


def request(_folder, data):
    class Request:
        content_length = None

        class content:  # noqa: N801 - as aiohttp has it
            @staticmethod
            async def iter_chunked(_size):
                yield data

    try:
        step = read_body(Request())
        while True:
            step.send(None)
    except StopIteration as found:
        body = Body(found.value)
    except RefusedError:
        return
    for name in body.values:
        for read in (body.text, body.texts, body.number, body.flag, body.keys, body.object, body.objects):
            try:
                list(read(name)) if read == body.objects else read(name)
            except RefusedError:  # noqa: PERF203 - each field by itself
                continue


def pattern(_folder, data):
    text = data.decode(errors="replace")
    check_pattern(text)
    substitution(text, text, match_case=False)("tom, 1girl, long hair")


def sidecar(path):
    readings = [Reading(".txt", "wd"), Reading(".json", "x"), *(Reading(".txt", "x", form) for form in FORMS)]
    for reading in readings:
        with suppress(LoradsError):
            read_sidecar(path, reading)


def folder_lists(path):
    for name in ("metadata.jsonl", "captions.json", "metadata.csv"):
        with suppress(LoradsError):
            read_list(path.rename(path.with_name(name)))
        path.with_name(name).rename(path)


# A name, the module that parses, what it gets, and how it is called.
PARSERS = (
    ("image", "images/facts.py", mutated(*pictures()) | BYTES, from_file("a.png", read_facts)),
    ("exif", "images/exif.py", EXIF | BYTES, lambda _folder, data: read_exif(data)),
    ("xmp", "images/xmp.py", either(XMP), lambda _folder, data: (read_rating(data), read_orientation(data))),
    ("prompts", "images/prompt_dialects/texts.py", either(GRAPH, keyed(*FIELDS)), prompts),
    (
        "sidecar",
        "library/sidecars/data.py",
        either(JSON.map(json.dumps), keyed("tags", "captions", "tags_general", "prompt")),
        from_file("a.txt", sidecar),
    ),
    (
        "folder list",
        "library/sidecars/folder_lists.py",
        either(JSON.map(json.dumps), keyed("file_name", "text"), CSV),
        from_file("a.txt", folder_lists),
    ),
    ("xmp sidecar", "library/sidecars/xmp.py", either(XMP), from_file("a.xmp", read_xmp)),
    (
        "foreign manifest",
        "library/walk.py",
        either(keyed("lorads")),
        from_file("manifest.json", lambda path: is_own_output(str(path.parent), ["manifest.json"])),
    ),
    (
        "manifest",
        "export/layout.py",
        either(keyed("manifest", "dataset", "plan", "files", "texts", "config", "training")),
        lambda _folder, data: parsed_manifest(data.decode(errors="replace")),
    ),
    (
        "export",
        "runs/read_export.py",
        either(keyed("manifest")),
        from_file("manifest.json", lambda path: read_export(path.parent)),
    ),
    (
        "structured caption",
        "captions/structured.py",
        either(keyed("high_level_description", "compositional_deconstruction")),
        lambda _folder, data: structured(data.decode(errors="replace")),
    ),
    ("journal", "export/write.py", either(JSON.map(json.dumps)), journal),
    ("settings", "settings.py", either(TOML), from_file("lorads.toml", load_settings)),
    (
        "extra options",
        "trainers/extra.py",
        either(TOML),
        lambda _folder, data: parse_extra(data.decode(errors="replace")),
    ),
    (
        "metrics",
        "trainers/simpletuner/__init__.py",
        either(keyed("metrics", "step", "epoch")),
        lambda _folder, data: _of_metrics(data.decode(errors="replace")),
    ),
    (
        "LoRA",
        "runs/lora_file.py",
        TENSORS.map(safetensors) | either().map(safetensors) | BYTES,
        from_file("a.safetensors", read_header),
    ),
    (
        "checkpoint",
        "checkpoints/safetensors.py",
        TENSORS.map(safetensors) | either().map(safetensors) | BYTES,
        from_file("a.safetensors", read_checkpoint),
    ),
    (
        "index of shards",
        "checkpoints/json_file.py",
        either(keyed("weight_map")),
        from_file("a.safetensors.index.json", read_checkpoint),
    ),
    (
        "Diffusers folder",
        "checkpoints/diffusers.py",
        either(keyed("_class_name", "vae")),
        from_file("model_index.json", lambda path: read_checkpoint(path.parent)),
    ),
    (
        "GGUF",
        "checkpoints/gguf.py",
        mutated(GGUF) | BYTES.map(lambda data: GGUF[:24] + data) | BYTES,
        from_file("a.gguf", read_checkpoint),
    ),
    (
        "metadata",
        "runs/lora_file.py",
        either(JSON.map(json.dumps)),
        lambda _folder, data: without_local_paths(data.decode(errors="replace")),
    ),
    (
        "LoRA's modules",
        "runs/lora_files/modules.py",
        KEYS.map(safetensors) | TENSORS.map(safetensors) | BYTES,
        from_file("a.safetensors", lambda path: lora_loading(read_header(path), "krea2")),
    ),
    (
        "kept figures",
        "runs/lora_loading.py",
        either(keyed("a.safetensors", "kinds")),
        from_file("lora_loads.json", lambda path: saved_loadings(path.parent)),
    ),
    ("status", "runs/run_folder.py", either(keyed("state", "step")), from_file("status.json", read_status)),
    (
        "saved test",
        "lora_tests/archive.py",
        either(keyed("scores", "at", "title")),
        from_file("results.json", lambda path: read_archive(path.parent)),
    ),
    (
        "labels",
        "vision/taggers/labels.py",
        either(CSV, CSV.map(lambda rows: f"name,category\n{rows}")),
        from_file("tags.csv", lambda path: (read_labels("joytag", path), read_labels("wd", path))),
    ),
    (
        "dictionary",
        "captions/tag_files.py",
        either(CSV, keyed("a", "b")),
        from_file("a.txt", tag_files.read_dictionary),
    ),
    (
        "aliases",
        "captions/tag_files.py",
        either(CSV, keyed("antecedent_name")),
        from_file("a.txt", tag_files.read_aliases),
    ),
    (
        "implications",
        "captions/tag_files.py",
        either(CSV, keyed("antecedent_name")),
        from_file("a.txt", tag_files.read_implications),
    ),
    ("tags", "captions/tag_files.py", either(CSV), from_file("a.txt", tag_files.read_tags)),
    *(
        (
            f"training set{suffix}",
            "library/layouts/document.py",
            either(CSV, keyed("datasets", "concepts", "image_dir", "repeats"), JSON.map(json.dumps)),
            from_file(f"a{suffix}", read_document),
        )
        for suffix in DOCUMENTS
    ),
    (
        "trained caption",
        "workflow/check/texts.py",
        either(JSON.map(json.dumps), st.text()),
        lambda _folder, data: (trained(data).is_json, trained(data).is_infotext),
    ),
    ("request", "panel/responses.py", either(JSON.map(json.dumps), keyed("changes", "text")), request),
    ("pattern", "captions/patterns.py", st.from_regex(r"[()?RP>&a-c|*+{}0-9,\\\[\]]{0,30}").map(str.encode), pattern),
)

# Modules that parse JSON, TOML or CSV which no stranger writes.
EXCLUDED = {
    "cli/init/additions.py": "a settings file that `parse_settings` has passed, with tables of our own behind its end",
    "library/mirror.py": "a mark that it has written itself, from our store",
    "export/versions.py": "a manifest of our own folder that `parsed_manifest` has passed",
    "runs/configs.py": "configs that it has just rendered itself",
    "trainers/probes.py": "jobs that we have just written, in the trainer's own Python",
    "trainers/onetrainer/probe.py": "configs that we have just written, there too",
    "trainers/ai_toolkit/probe.py": "as OneTrainer's",
    "trainers/simpletuner/probe.py": "as OneTrainer's",
    "workflow/trainer_check.py": "what our own probe has written",
    "runs/watch.py": "what its own launcher sends by a pipe",
}
PARSING = {"json.loads", "json.load", "tomllib.loads", "csv.reader", "ElementTree.fromstring", "tomllib.load"}


def check(parser, folder, data):
    *_, parse = parser
    with suppress(LoradsError):
        parse(folder, data)


@pytest.mark.slow
@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser[0])
def test_a_parser_raises_our_errors_or_nothing(parser, tmp_path):
    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(parser[2])
    def run(data):
        check(parser, tmp_path, data)

    run()


@pytest.mark.slow
@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser[0])
def test_a_parser_raises_our_errors_or_nothing_whatever_it_gets(parser, tmp_path):
    @settings(max_examples=MANY, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(parser[2])
    def run(data):
        check(parser, tmp_path, data)

    run()


def parses(source):
    """Say whether a module calls a parser of a format."""
    calls = (node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return any(ast.unparse(call) in PARSING for call in calls if isinstance(call, ast.Attribute))


def test_every_module_that_parses_a_format_is_fuzzed_or_excluded_with_a_reason():
    core = ROOT / "lorads_core"
    texts = {path.relative_to(core).as_posix(): path.read_text(encoding="utf-8") for path in core.rglob("*.py")}
    found = {
        name for name, text in texts.items() if any(each.split(".")[0] in text for each in PARSING) and parses(text)
    }
    fuzzed = {module for _, module, *_ in PARSERS}
    assert found - fuzzed - EXCLUDED.keys() == set()
    assert fuzzed | EXCLUDED.keys() <= texts.keys()


def test_a_parser_that_raises_something_else_is_found(tmp_path):
    def careless(_folder, data):
        json.loads(data)

    with pytest.raises(ValueError, match="Expecting value"):
        check(("careless", "", None, careless), tmp_path, b"")
