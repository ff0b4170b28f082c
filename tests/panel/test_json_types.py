"""The panel's JSON types: the page's are rendered from them, and every answer of these tests is compared with them."""

import pytest

from lorads_core.captions.operation_table import OPERATIONS
from lorads_core.panel import api_spec, json_types

from .. import panel_types
from .json_shape import mismatches, route_of

WITHOUT_JSON = {"thumbnail", "image", "sample", "events"}


def test_the_types_of_the_page_are_those_of_the_api():
    text = panel_types.FILE.read_text(encoding="utf-8")
    assert text == panel_types.page(), "run python -m tests.panel_types"


def test_a_new_field_makes_the_types_of_the_page_outdated(monkeypatch):
    monkeypatch.setitem(json_types.Named.__annotations__, "colour", str)
    assert "\n  colour: string;\n" in panel_types.page()


def test_every_route_but_images_and_events_names_the_type_of_its_answer():
    assert {route.name for route in api_spec.TABLE if route.answer is None} == WITHOUT_JSON


@pytest.mark.parametrize(
    ("value", "kind", "what"),
    [
        ({"name": "a"}, json_types.Named, "label is missing"),
        ({"name": "a", "label": "A", "colour": "red"}, json_types.Named, "colour is not in the type"),
        ({"name": "a", "label": None}, json_types.Named, "label is None"),
        ([{"width": 1, "height": True}], list[json_types.Size], "height is True"),
        ("paused", json_types.JobState, "is 'paused'"),
        ([1, 0.5], tuple[int, float, float], "not a list of 3"),
        ({"a": 1}, dict[str, str], "is 1"),
        ({"job": 1}, json_types.JobResult, "none of"),
    ],
)
def test_a_value_that_is_not_of_its_type_is_found(value, kind, what):
    assert what in "; ".join(mismatches(value, kind))


def test_values_of_their_types_are_accepted():
    assert not list(mismatches([[1, 2, None], [2, 0.5, 1e-4]], list[tuple[int, float, float | None]]))
    assert not list(mismatches({"a": "832×1216"}, route_of("GET", "datasets/x/buckets").answer))


def test_the_session_has_the_operations_for_the_dialog(panel):
    found = panel.get("session")["operations"]
    assert [each["name"] for each in found] == list(OPERATIONS)
    fields = {each["name"]: each for each in found[0]["fields"]}
    assert fields["tags"]["default"] is None, "it must be filled in"
    assert fields["place"]["default"] == "front"
    assert [each["name"] for each in fields["place"]["choices"]] == ["front", "end"]
