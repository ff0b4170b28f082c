"""Every example workflow in a real ComfyUI: opened in both renderers, run to its end with tiny models."""

import json
import shutil
from urllib.parse import quote

import pytest

from .frontend import MISSING, PROMPT, open_example, watched
from .server import ROOT

pytestmark = pytest.mark.comfyui

EXAMPLES = sorted(path.stem for path in (ROOT / "example_workflows").glob("*.json"))
FLOW = {  # these train and draw stand-ins of their own models, by the profile of their own trainer
    "train and test Z-Image": "musubi-tuner",
    "train and test Krea 2": "musubi-tuner",
    "train and test Anima": "good",
    "train and test FLUX.2 klein": "ai-toolkit",
}
SMALL = {
    "EmptyLatentImage": {"width": 64, "height": 64},
    "EmptySD3LatentImage": {"width": 64, "height": 64},
    "EmptyFlux2LatentImage": {"width": 64, "height": 64},
    "KSampler": {"steps": 1},
    "Flux2Scheduler": {"steps": 1, "width": 64, "height": 64},
    "LoradsTrainingConfig": {"base_model": "sd15", "epochs": 2, "repeats": 1, "resolution": 256},
    "LoradsLaunchTrainer": {"profile": "good"},
    # A processor without bfloat16 arithmetic (no AVX-512) takes minutes for a step in bf16.
    "TrainLoraNode": {"rank": 2, "training_dtype": "fp32", "lora_dtype": "fp32"},
}
FEW = {"LoradsQueryImages": {"maximum_images": 2}}  # for what trains with real arithmetic, if little of it
ENDS = {
    "from DiffusionToolkit": ("LoradsExportDataset", "Total steps"),
    "train with ComfyUI's own trainer": ("LoradsDatasetToImages", "2 images"),
    "train a LoRA": ("LoradsLaunchTrainer", "completed, step 20 of 20"),
    "train and test SDXL": ("LoradsLoraTestGrid", "1 of 1 module loads"),
    "A-B two caption styles": ("LoradsLoraTestGrid", "base model"),
    **dict.fromkeys(FLOW, ("LoradsLoraTestGrid", "1 of 1 module loads")),
}
SET = """(values) => {
  for (const node of window.app.graph.nodes)
    for (const [name, value] of Object.entries(values[node.type] ?? {})) {
      const widget = node.widgets.find((each) => each.name === name);
      widget.value = value;
      widget.callback?.(value);
    }
}"""


@pytest.fixture
def page(browser):
    """Return a page; at its end, nothing of ours may have complained."""
    with watched(browser) as page:
        yield page


def prompt_of(comfy, page, renderer, name, values):
    """Open an example in a renderer with some values changed, and return what would be queued."""
    open_example(comfy, page, renderer, name)
    assert page.evaluate(MISSING) == []
    page.evaluate(SET, values)
    return page.evaluate(PROMPT)


def few_samples(comfy):
    """Copy sixteen of the sample photographs into ComfyUI's input; return the folder: each takes an encoder seconds."""
    for part in ("subject", "other"):
        place = comfy.input / "few samples" / part
        place.mkdir(parents=True)
        samples = ROOT / "lorads_core" / "samples" / part
        for image in sorted(samples.glob("*.jpg"))[:8]:
            for file in samples.glob(f"{image.stem}.*"):
                shutil.copy(file, place)
    return "few samples"


def of_its_family(name):
    """Return values for a template that trains a newer family: all but the base model and its files are small."""
    config = {key: value for key, value in SMALL["LoradsTrainingConfig"].items() if key != "base_model"}
    return {"LoradsTrainingConfig": config, "LoradsLaunchTrainer": {"profile": FLOW[name]}}


def of_sd15(models):
    """Return values for any other template: the small SD 1.5 takes the place of its base model."""
    checkpoint, clip_vision = models
    return {
        "CheckpointLoaderSimple": {"ckpt_name": checkpoint},
        "CLIPVisionLoader": {"clip_name": clip_vision},
        "LoradsTrainingConfig": {**SMALL["LoradsTrainingConfig"], "checkpoint": checkpoint},
    }


@pytest.mark.slow
@pytest.mark.usefixtures("flow_models")
@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_opens_in_both_renderers_and_runs_to_its_end(comfy, models, page, name):
    files = of_its_family(name) if name in FLOW else of_sd15(models)
    if name == "train with ComfyUI's own trainer":
        files |= FEW  # two epochs of them: ComfyUI's Loss Graph divides by zero after a single step
    if name == "regularization by likeness":
        files["LoradsIndexImages"] = {"folder": few_samples(comfy)}
    values = {**SMALL, **files}
    prompt = prompt_of(comfy, page, "canvas", name, values)
    assert prompt == prompt_of(comfy, page, "vue", name, values)
    ended = comfy.wait(comfy.queue(prompt), seconds=1800)  # on two busy cores an image encoder takes minutes
    assert ended.status == "success", ended.messages.get("execution_error", {}).get("exception_message")
    kind, said = ENDS.get(name, ("LoradsExportDataset", "Total steps"))
    assert any(said in ended.texts[place] for place, node in prompt.items() if node["class_type"] == kind)


def test_a_template_has_its_picture_in_the_browser(comfy, browser):
    shown = comfy.request("/api/workflow_templates")
    assert sorted(shown["LoRADS"]) == EXAMPLES
    page = browser.new_page()
    for name in EXAMPLES:
        answer = page.request.get(f"{comfy.url}/api/workflow_templates/LoRADS/{quote(name)}.jpg")
        assert answer.headers["content-type"] == "image/jpeg", name
        assert len(answer.body()) > 10_000
    page.close()


def test_exports_of_the_examples_are_whole(comfy):
    """What ran above is on disk; it is taken away for the other tests."""
    made = [folder for folder in comfy.exports.iterdir() if (folder / "manifest.json").is_file()]
    assert made
    for folder in made:
        listed = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["images"]
        assert all((folder / image["file"]).is_file() for image in listed)
        shutil.rmtree(folder)
