"""Presets and fields that do not always count, on a page without ComfyUI."""

from pathlib import Path

import pytest

from lorads_core.trainers.presets import PRESETS, preset_values

pytestmark = pytest.mark.slow

WEB = Path(__file__).resolve().parents[2] / "web"
NODE = """
(form) => {
  const values = { preset: "(custom)", base_model: "sdxl", network: "lora", scheduler: "cosine", network_dim: 16,
    conv_dim: 0, warmup: 0.05, clip_l: "(none)", min_snr_gamma: 0, seed: 7 };
  globalThis.node = {
    size: [300, 100],
    widgets: Object.entries(values).map(([name, value]) => ({ name, value, options: {} })),
    computeSize() { return [200, 24 * this.widgets.filter((each) => !each.hidden).length]; },
    setSize(size) { this.size = size; },
  };
  globalThis.put = (name, value) => {
    const widget = globalThis.node.widgets.find((each) => each.name === name);
    widget.value = value;
    widget.callback(value);
  };
  globalThis.value = (name) => globalThis.node.widgets.find((each) => each.name === name).value;
  globalThis.hidden = () => globalThis.node.widgets.filter((each) => each.hidden && each.options.hidden)
    .map((each) => each.name);
  return import("/training_config.js").then((it) => { globalThis.refresh = it.addForm(globalThis.node, form); });
}
"""
FORM = {
    "families": {"sdxl": "sdxl", "flux": "flux"},
    "only": {
        "clip_l": {"families": ["flux"], "values": {}},
        "min_snr_gamma": {"families": ["sdxl"], "values": {}},
        "conv_dim": {"families": ["sdxl", "flux"], "values": {"network": ["locon", "loha"]}},
        "warmup": {"families": ["sdxl", "flux"], "values": {"scheduler": ["cosine"]}},
        "sample_every_epochs": {"families": ["sdxl", "flux"], "values": {"sample_prompts": ["*"]}},
        "keep_tokens": {"families": ["sdxl", "flux"], "values": {"shuffle_caption": ["true"]}},
    },
    "presets": [
        {"name": "usual", "families": ["sdxl", "flux"], "values": {"network_dim": 16, "scheduler": "cosine"}},
        {"name": "guide", "families": ["sdxl"], "values": {"network_dim": 32, "scheduler": "constant"}},
        {"name": "guide", "families": ["flux"], "values": {"network_dim": 4, "scheduler": "cosine"}},
    ],
}


@pytest.fixture
def node(page):
    """Return a function that evaluates an expression on a page with one Training Config."""
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.route("http://pack.test/", lambda route: route.fulfill(body="<!doctype html>", content_type="text/html"))
    page.route("http://pack.test/*.js", lambda route: route.fulfill(path=WEB / route.request.url.rsplit("/", 1)[1]))
    page.goto("http://pack.test/")
    page.evaluate(NODE, FORM)
    yield page.evaluate
    assert not faults


def test_only_what_counts_is_shown(node):
    assert node("hidden()") == ["conv_dim", "clip_l"]
    node("put('network', 'loha')")
    assert node("hidden()") == ["clip_l"]
    assert node("node.size") == [300, 24 * 9], "as high as what is shown, as wide as before"
    node("put('base_model', 'flux'); put('scheduler', 'constant')")
    assert node("hidden()") == ["warmup", "min_snr_gamma"]


def test_a_field_is_shown_once_the_text_or_the_switch_that_it_needs_is_set(node):
    node(
        "for (const [name, value] of [['sample_prompts', ''], ['sample_every_epochs', 1], ['shuffle_caption', false],"
        " ['keep_tokens', 1]]) globalThis.node.widgets.push({ name, value, options: {} }); refresh()"
    )
    assert node("hidden()") == ["conv_dim", "clip_l", "sample_every_epochs", "keep_tokens"]
    node("node.widgets.find((each) => each.name === 'sample_prompts').value = 'a cat'; refresh()")
    assert node("hidden()") == ["conv_dim", "clip_l", "keep_tokens"]
    node("node.widgets.find((each) => each.name === 'shuffle_caption').value = true; refresh()")
    assert node("hidden()") == ["conv_dim", "clip_l"]


def test_a_preset_fills_in_its_figures_for_the_base_model(node):
    node("put('preset', 'guide')")
    assert node("[value('network_dim'), value('scheduler'), value('seed'), value('preset')]") == [
        32,
        "constant",
        7,
        "guide",
    ]
    assert "warmup" in node("hidden()"), "what counts is told by the new figures"
    node("put('base_model', 'flux')")
    assert node("value('preset')") == "(custom)", "they were another base model's"
    node("put('preset', 'guide')")
    assert node("[value('network_dim'), value('scheduler')]") == [4, "cosine"]


def test_a_changed_figure_is_no_preset_any_more(node):
    node("put('preset', 'guide'); put('network_dim', 8)")
    assert node("[value('preset'), value('network_dim'), value('scheduler')]") == ["(custom)", 8, "constant"]
    node("put('preset', 'guide'); put('seed', 8)")
    assert node("value('preset')") == "guide", "a seed belongs to none"


def test_a_loaded_workflow_shows_what_counts_in_it(node):
    node(
        "for (const [name, to] of [['base_model', 'flux'], ['preset', 'guide']])"
        " node.widgets.find((each) => each.name === name).value = to; refresh()"
    )
    assert node("[hidden(), value('preset'), value('network_dim')]") == [
        ["conv_dim", "min_snr_gamma"],
        "guide",
        16,
    ], "the saved figures stay"
    assert node("node.widgets[0].options.values") == ["(custom)", "usual", "guide"]


def test_presets_name_every_figure_and_no_file():
    for preset in PRESETS:
        values = preset_values(preset)
        assert set(preset.values) <= set(values), preset.name
        assert not {"checkpoint", "seed", "base_model"} & set(values)
    for family in ("sd15", "sdxl", "flux"):
        names = [each.name for each in PRESETS if family in each.families]
        assert len(names) == len(set(names)) >= 4
