"""The text that a node shows when it has run, on a page without ComfyUI."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

WEB = Path(__file__).resolve().parents[2] / "web"
NODE = """
globalThis.node = {
  size: [200, 100],
  widgets: [],
  computeSize() { return [180, 60 + 90 * this.widgets.length]; },
  setSize(size) { this.size = size; },
  addDOMWidget(name, type, element, options) {
    const widget = { name, type, element, options };
    this.widgets.push(widget);
    document.body.append(element);
    return widget;
  },
};
"""


@pytest.fixture
def node(page):
    """Return a function that evaluates an expression on a page with one node that has a result text."""
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.route("http://pack.test/", lambda route: route.fulfill(body="<!doctype html>", content_type="text/html"))
    page.route("http://pack.test/*.js", lambda route: route.fulfill(path=WEB / route.request.url.rsplit("/", 1)[1]))
    page.goto("http://pack.test/")
    before = set(page.evaluate("Object.keys(window)"))
    page.evaluate(NODE)
    page.evaluate(
        "import('/result_text.js').then((module) => { globalThis.show = module.addResult(globalThis.node); })"
    )
    yield page.evaluate
    assert set(page.evaluate("Object.keys(window)")) - before == {"node", "show"}, "the module writes no globals"
    assert not faults


def test_before_the_first_run(node):
    assert node("document.querySelector('[role=status]').textContent") == "Not run yet."
    assert node("node.size") == [200, 150], "the node grows to hold it, and keeps its width"
    assert node("[node.widgets.length, node.widgets[0].serialize, node.widgets[0].options.serialize]") == [
        1,
        False,
        False,
    ]


def test_text_is_shown_as_it_is(node):
    node("show('20 pictures\\n<img src=x onerror=alert(1)> & <b>bold</b>')")
    assert node("node.widgets[0].element.textContent") == "20 pictures\n<img src=x onerror=alert(1)> & <b>bold</b>"
    assert node("node.widgets[0].element.childElementCount") == 0
    node("show('again')")
    assert node("[node.widgets.length, node.widgets[0].element.textContent]") == [1, "again"]


def test_a_long_text_scrolls_and_does_not_grow_the_node(node):
    node("document.body.style.height = '120px'; node.widgets[0].element.style.width = '200px'")
    node("show(Array.from({ length: 500 }, (_, n) => `/a/very/long/path/${'x'.repeat(80)}/${n}`).join('\\n'))")
    heights = node("[node.widgets[0].element.clientHeight, node.widgets[0].element.scrollHeight]")
    assert heights[0] <= 120 < heights[1]
    assert node("node.widgets[0].element.scrollWidth <= node.widgets[0].element.clientWidth"), "long words break"
    assert node("node.widgets[0].element.tabIndex") == 0, "it is scrolled by keys too"
