"""The example workflow in a real ComfyUI, opened and run by a real browser, in both of its renderers."""

import json
import shutil
import sys

import pytest

from .frontend import MISSING, open_example, watched

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

pytestmark = pytest.mark.comfyui

RESULTS = "Array.from(document.querySelectorAll('[role=status][aria-label=Result]'), (each) => each.textContent)"


@pytest.fixture(params=["canvas", "vue"])
def page(comfy, browser, request):
    """Return a page with the example workflow open; at its end, nothing of ours may have complained."""
    with watched(browser) as page:
        open_example(comfy, page, request.param)
        yield page


def test_the_example_runs_from_folders_to_a_dataset(comfy, page):
    folder = comfy.exports / "first-dataset"
    shutil.rmtree(folder, ignore_errors=True)  # of the other renderer's run
    assert page.evaluate(MISSING) == []
    assert page.locator("[role=dialog]").count() == 0
    page.wait_for_function(f"{RESULTS}.length === 6")
    assert page.evaluate(RESULTS) == ["Not run yet."] * 6
    page.evaluate("window.app.extensionManager.command.execute('Comfy.QueuePrompt')")
    page.wait_for_function(f"{RESULTS}.some((text) => text.includes('Total steps'))", timeout=60_000)
    page.wait_for_function(f"{RESULTS}.every((text) => text !== 'Not run yet.')")
    texts = "\n".join(page.evaluate(RESULTS))
    for expected in ("20 training images", "14 regularization images", "captions for 34 images", str(folder)):
        assert expected in texts
    check_dataset(folder)


def check_dataset(folder):
    training, regularization = folder / "10_oldlandmark", folder / "1_regularization"
    images = [file for file in training.iterdir() if file.suffix != ".txt"]
    assert len(images) == 20
    for image in images:
        assert image.with_suffix(".txt").read_text(encoding="utf-8").startswith("oldlandmark, ")
    others = sorted(regularization.glob("*.txt"))
    assert len(others) == 14
    assert not any("oldlandmark" in file.read_text(encoding="utf-8") for file in others)
    config = tomllib.loads((folder / "training_config.toml").read_text(encoding="utf-8"))
    assert config["dataset_config"].startswith(str(folder))
    subsets = tomllib.loads((folder / "dataset_config.toml").read_text(encoding="utf-8"))["datasets"][0]["subsets"]
    assert [bool(subset.get("is_reg")) for subset in subsets] == [False, True]
    listed = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["images"]
    assert all((folder / image["file"]).is_file() for image in listed)


def test_the_saved_workflow_holds_no_results(page):
    page.wait_for_function(f"{RESULTS}.length === 6")
    saved = json.dumps(page.evaluate("window.app.graph.serialize()"))
    assert "Not run yet" not in saved
    queued = page.evaluate("window.app.graphToPrompt().then((each) => each.output)")
    assert len(queued) == 7
    assert not any("result" in node["inputs"] for node in queued.values())


def test_help_pages_are_served(comfy, browser):
    page = browser.new_page()
    for node in ("IndexImages", "QueryImages", "CaptionBuilder", "TrainingConfig", "ExportDataset"):
        answer = page.request.get(f"{comfy.url}/extensions/LoRADS/docs/Lorads{node}/en.md")
        assert answer.ok
        assert answer.text().startswith("# ")
    page.close()
