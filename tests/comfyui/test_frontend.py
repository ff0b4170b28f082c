"""What LoRADS adds to ComfyUI's page, in both renderers: the panel, its keys, presets, pictures put to use."""

import json
import urllib.error
import urllib.request

import pytest

from lorads_core.store.datasets import load_draft

from .frontend import PROMPT, open_comfyui, open_example, watched

pytestmark = pytest.mark.comfyui

PANEL = ".lorads-panel"
WIDGET = """([type, name]) => {
  const widget = window.app.graph.nodes.find((node) => node.type === type).widgets.find((each) => each.name === name);
  return [widget.value, Boolean(widget.hidden && widget.options.hidden)];
}"""
PUT = """([type, name, value]) => {
  const widget = window.app.graph.nodes.find((node) => node.type === type).widgets.find((each) => each.name === name);
  widget.value = value;
  widget.callback(value);
}"""
UPLOAD = """async () => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 300, height: 200 });
  canvas.getContext("2d").fillRect(0, 0, 200, 100);
  const form = new FormData();
  form.append("image", await new Promise((made) => canvas.toBlob(made)), "drawn.png");
  await fetch("/upload/image", { method: "POST", body: form });
  const node = window.LiteGraph.createNode("LoadImage");
  window.app.graph.add(node);
  const widget = node.widgets.find((each) => each.name === "image");
  widget.options.values = [...new Set([...widget.options.values, "drawn.png"])];
  widget.value = "drawn.png";
  widget.callback("drawn.png");
}"""
MENU = """() => {
  const node = window.app.graph.nodes.find((each) => each.type === "LoadImage");
  return window.app.collectNodeMenuItems(node).find((each) => each?.content?.includes("in a dataset"));
}"""


@pytest.fixture(params=["canvas", "vue"])
def page(comfy, browser, request):
    """Return a page with ComfyUI and the first example; at its end, nothing of ours may have complained."""
    with watched(browser, 1700, 1000) as page:
        open_example(comfy, page, request.param)
        yield page


def ran(comfy, page):
    """Run the graph on the page; return how it ended, what was queued, and the name of its dataset."""
    prompt = page.evaluate(PROMPT)
    ended = comfy.run(prompt)
    assert ended.status == "success", ended.messages
    return ended, prompt, prompt[place_of(prompt, "LoradsQueryImages")]["inputs"]["name"]


def place_of(prompt, node):
    """Return the place of the first node of a kind."""
    return next(place for place, each in prompt.items() if each["class_type"] == node)


def caption(store, name, number=0):
    with store.connection() as connection:
        return load_draft(connection, name, store.owner).images[number].caption


def test_captions_are_edited_in_the_sidebar_and_the_graph_takes_them_up(comfy, page, comfy_store):
    ended, prompt, name = ran(comfy, page)
    opened_panel(page, name)
    row = page.locator(f"{PANEL} .caption-row").first
    row.locator(".text").first.dblclick()
    new = f"oldlandmark, edited in the panel {page.evaluate('window.LiteGraph.vueNodesMode')}"
    page.locator(f"{PANEL} textarea[role=combobox]").fill(new)
    page.keyboard.press("Enter")
    page.locator(f"{PANEL} .top .state", has_text="saved").wait_for()
    page.wait_for_timeout(300)
    assert caption(comfy_store, name).text == new
    again = comfy.run(prompt)
    builder = place_of(prompt, "LoradsCaptionBuilder")
    assert "from custom" in again.texts[builder]
    page.keyboard.press("Control+z")
    page.locator(f"{PANEL} .caption-row .text", has_text="edited in the panel").first.wait_for(state="detached")
    assert not caption(comfy_store, name).edited
    assert ended.texts[builder] != again.texts[builder]
    trigger = prompt[builder]["inputs"]["trigger"]
    for word in ("rosevale", trigger):  # what the graph makes of the captions is shown by itself
        prompt[builder]["inputs"]["trigger"] = word
        assert comfy.run(prompt).status == "success"
        row.locator(".text", has_text=word).first.wait_for()


def test_the_panel_opens_large_and_goes_back(page):
    page.keyboard.press("Alt+l")
    page.locator(f"{PANEL} .app").wait_for()
    page.keyboard.press("Alt+Shift+L")
    dialog = page.get_by_role("dialog", name="LoRADS")
    dialog.locator(f"{PANEL} .app").wait_for()
    assert page.locator(PANEL).count() == 1, "it is one panel that moves"
    assert dialog.bounding_box()["width"] > 1500
    dialog.get_by_role("button", name="Close", exact=True).click()
    dialog.wait_for(state="detached")
    assert page.locator(f"{PANEL} .app").bounding_box()["width"] < 800


def test_the_button_of_caption_builder_opens_the_panel_at_its_dataset(comfy, page):
    _, prompt, name = ran(comfy, page)
    ours = place_of(prompt, "LoradsCaptionBuilder")
    page.evaluate(
        "([id, output]) => window.app.graph.getNodeById(id).onExecuted(output)",
        [ours, next(iter(comfy.request("/history?max_items=1").values()))["outputs"][ours]],
    )
    page.evaluate(
        "(id) => window.app.graph.getNodeById(id).widgets.find((each) => each.name === 'Edit captions').callback()",
        ours,
    )
    page.locator(f"{PANEL} .caption-row").first.wait_for()
    shown = page.locator(f"{PANEL} select").first
    assert shown.locator("option:checked").inner_text().startswith(name)


def test_a_preset_fills_in_and_only_what_counts_is_shown(page):
    of = "LoradsTrainingConfig"
    assert page.evaluate(WIDGET, [of, "t5xxl"]) == ["(none)", True]
    page.evaluate(PUT, [of, "preset", "anime character or style (Prodigy)"])
    assert page.evaluate(WIDGET, [of, "optimizer"])[0] == "Prodigy"
    page.evaluate(PUT, [of, "base_model", "flux"])
    assert page.evaluate(WIDGET, [of, "t5xxl"]) == ["(none)", False]
    assert page.evaluate(WIDGET, [of, "min_snr_gamma"])[1]
    assert page.evaluate(WIDGET, [of, "preset"])[0] == "(custom)"
    saved = page.evaluate("window.app.graph.serialize()")
    page.evaluate("(saved) => window.app.loadGraphData(saved, true, true, 'again')", saved)
    assert page.evaluate(WIDGET, [of, "optimizer"])[0] == "Prodigy", "figures are saved with the workflow"
    assert page.evaluate(WIDGET, [of, "min_snr_gamma"])[1]


def test_a_picture_is_put_to_use_in_a_dataset(comfy, page):
    page.evaluate(UPLOAD)
    page.wait_for_function(f"({MENU})()")
    page.evaluate(f"void ({MENU})().callback()")  # it ends with the dialog
    page.get_by_role("dialog").get_by_role("textbox").fill("../from: the menu")
    page.get_by_role("button", name="Confirm").click()
    page.wait_for_function(
        "window.app.graph.nodes.some((node) => node.widgets?.some((each) => each.value === 'lorads/from the menu'))"
    )
    assert [file.name for file in (comfy.input / "lorads" / "from the menu").iterdir()] == ["drawn.png"]
    prompt = page.evaluate(PROMPT)
    query = next(node["inputs"] for node in prompt.values() if node["inputs"].get("name") == "from the menu")
    index = prompt[query["index"][0]]
    assert index["inputs"]["folder"] == "lorads/from the menu"


def test_settings_and_commands_are_there(page):
    page.wait_for_function("'LoRADS.Library.Default' in window.app.extensionManager.setting.settings")
    ids = page.evaluate("Object.keys(window.app.extensionManager.setting.settings)")
    assert {"LoRADS.Panel.Opens", "LoRADS.Library.Default"} <= set(ids)
    commands = page.evaluate("window.app.extensionManager.command.commands.map((each) => each.id)")
    assert {"LoRADS.OpenPanel", "LoRADS.OpenLarge"} <= set(commands)


def test_strangers_get_nothing_of_the_panel_in_comfyui(comfy):
    for headers in ({"Host": "evil.example"}, {"Host": "evil.example", "Origin": "http://evil.example"}):
        request = urllib.request.Request(f"{comfy.url}/lorads/api/session", headers=headers)
        with pytest.raises(urllib.error.HTTPError) as refused, urllib.request.urlopen(request, timeout=20):
            pass
        assert refused.value.code == 403
        assert "token" not in json.loads(refused.value.read())


def opened_panel(page, name):
    """Open the panel in the sidebar at a dataset; return its locator of something within."""
    page.keyboard.press("Alt+l")
    chosen = page.locator(f"{PANEL} select").first
    chosen.wait_for()
    label = next(text for text in chosen.locator("option").all_inner_texts() if text.startswith(name))
    chosen.select_option(label=label)
    page.locator(f"{PANEL} .caption-row").first.wait_for()
    return page.locator(PANEL)


def texts(store, name):
    with store.connection() as connection:
        return [image.caption.text for image in load_draft(connection, name, store.owner).images]


def until(page, so):
    for _ in range(100):
        if so():
            return
        page.wait_for_timeout(100)
    pytest.fail("it did not come to that")


def test_filter_bulk_rejection_and_undo_in_comfyui_by_keys(comfy, page, comfy_store):
    _, prompt, name = ran(comfy, page)
    panel = opened_panel(page, name)
    before = texts(comfy_store, name)
    panel.get_by_label("Filter", exact=True).fill("set:training tag:castle")
    panel.get_by_text("of 34 images").wait_for()
    page.keyboard.press("Enter")
    with_castle = sum("castle" in text.split(", ") for text in before[:20])
    until(page, lambda: panel.locator(".caption-row").count() == with_castle)
    page.keyboard.press("Control+a")
    panel.get_by_text(f"{with_castle} images selected").wait_for()
    panel.get_by_role("button", name="Bulk edit").press("Enter")
    panel.get_by_label("Tags comma-separated").fill("stronghold")
    panel.get_by_role("button", name=f"Change {with_castle} captions").press("Enter")
    until(page, lambda: sum("stronghold" in text for text in texts(comfy_store, name)) == with_castle)
    panel.locator(".notice").get_by_role("button", name="Undo").press("Enter")
    until(page, lambda: texts(comfy_store, name) == before)
    panel.get_by_label("Clear the filter").click()
    panel.locator(".captions").focus()
    page.keyboard.press("Home")
    page.keyboard.press("Space")
    panel.locator(".caption-row.rejected").first.wait_for()
    builder = place_of(prompt, "LoradsCaptionBuilder")
    until(page, lambda: "1 rejected image is left out" in comfy.run(prompt).texts[builder])
    page.keyboard.press("Space")
    panel.locator(".caption-row.rejected").first.wait_for(state="detached")


def test_two_windows_of_comfyui_that_edit_one_caption_see_both_texts(comfy, page, comfy_store):
    _, _, name = ran(comfy, page)
    second = page.context.browser.new_page(viewport={"width": 1400, "height": 900})
    open_comfyui(comfy, second)
    first_panel, second_panel = opened_panel(page, name), opened_panel(second, name)
    second_panel.locator(".caption-row .text").first.dblclick()
    second_panel.locator("textarea[role=combobox]").fill("oldlandmark, of the second window")
    first_panel.locator(".caption-row .text").first.dblclick()
    first_panel.locator("textarea[role=combobox]").fill("oldlandmark, of the first window")
    page.keyboard.press("Enter")
    until(page, lambda: texts(comfy_store, name)[0] == "oldlandmark, of the first window")
    second.keyboard.press("Enter")
    conflict = second_panel.locator(".conflict").first
    conflict.wait_for()
    assert "of the first window" in conflict.inner_text()
    assert "of the second window" in conflict.inner_text()
    assert texts(comfy_store, name)[0] == "oldlandmark, of the first window"
    second.evaluate("localStorage.clear()")
    second.close(run_before_unload=False)
    page.keyboard.press("Control+z")
    until(page, lambda: "of the first window" not in texts(comfy_store, name)[0])


def test_an_export_from_the_panel_in_comfyui(comfy, page):
    _, _, name = ran(comfy, page)
    panel = opened_panel(page, name)
    panel.get_by_role("button", name="Train", exact=True).click()
    panel.get_by_label("Folder").fill("from the panel")
    panel.get_by_role("button", name="Export", exact=True).click()
    panel.get_by_text("34 images written to from-the-panel.").wait_for()
    assert (comfy.exports / "from-the-panel" / "manifest.json").is_file()
