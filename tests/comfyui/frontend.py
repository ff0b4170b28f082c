"""ComfyUI's page in a browser: opened in one of its renderers, with an example workflow, and listened to."""

from contextlib import contextmanager
from urllib.parse import quote

EXAMPLE = "first dataset from a folder"
READY = """() => Boolean(window.app?.graph && window.app.extensionManager
  && window.LiteGraph?.registered_node_types?.LoradsExportDataset)"""
OPEN = """async (url) => {
  const workflow = await (await fetch(url)).json();
  await window.app.loadGraphData(workflow, true, true, "example");
}"""
MISSING = """() => window.app.graph.nodes
  .filter((node) => !(node.type in window.LiteGraph.registered_node_types)).map((node) => node.type)"""
PROMPT = "window.app.graphToPrompt().then((each) => each.output)"


@contextmanager
def watched(browser, width=1950, height=1100):
    """Give a page; at its end, nothing of ours may have complained."""
    complaints = []
    page = browser.new_page(viewport={"width": width, "height": height})
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if _is_ours(message) else None)
    yield page
    page.close()
    assert not complaints


def _is_ours(message):
    return message.type in ("error", "warning") and "lorads" in (message.text + message.location["url"]).lower()


def open_comfyui(comfy, page):
    """Go to ComfyUI and wait until our nodes are there."""
    page.goto(comfy.url)
    page.wait_for_function(READY)


def open_example(comfy, page, renderer, name=EXAMPLE):
    """Open an example workflow in a renderer, ``canvas`` or ``vue``."""
    comfy.request("/api/settings/Comfy.TutorialCompleted", True)  # noqa: FBT003 (JSON's true)
    comfy.request("/api/settings/Comfy.VueNodes.Enabled", renderer == "vue")
    open_comfyui(comfy, page)
    page.evaluate(OPEN, f"/api/workflow_templates/LoRADS/{quote(name)}.json")
