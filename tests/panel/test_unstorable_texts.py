"""Every text of every request to the panel, with characters that no PostgreSQL stores: refused as a wrong value."""

import copy
import json
import re

import pytest

from lorads_core.captions.operation_table import OPERATIONS
from lorads_core.captions.trigger import checked
from lorads_core.errors import CaptionError
from lorads_core.model import Trigger
from lorads_core.panel.api_spec import PREFIX, TABLE
from lorads_core.training_fields import TRAINING_FIELDS

from .test_every_route import address  # noqa: F401 - a fixture

FOREIGN = re.compile(r"PostgreSQL|0x00|byte sequence|Unicode escape|surrogates|codec|type json|internal")
TEXTS = {"NUL": "a\0b", "half a character": "half \ud800"}
IN_URLS = {"NUL": "a%00b", "not UTF-8": "half%ED%A0%80", "latin": "%E9"}
CONFIG = {
    each.name: ["x = 1"] if each.kind == "toml" else ["a cat"] if each.kind == "lines" else "a text"
    for each in TRAINING_FIELDS
    if each.kind in {"toml", "lines", "text", "choice"}
}
# A request of each writing route, with a text wherever one may stand.
BODIES = {
    "edits": [{"label": "edit", "changes": [{"key": "pictures:1", "before": "a", "after": "b"}]}],
    "undo": [],
    "redo": [],
    "duplicates": [],
    "stop": [],
    "reject": [{"keys": ["pictures:1"], "rejected": True}],
    "training-options": [{"trainer": "sd-scripts", "config": CONFIG}],
    "summary": [{"trainer": "sd-scripts", "config": CONFIG}],
    "export": [{"trainer": "sd-scripts", "folder": "towers", "images": "copy", "config": CONFIG}],
    "train": [{"profile": "local", "folder": "towers", "images": "copy", "config": CONFIG}],
    "bulk": [
        {
            "operation": name,
            "keys": ["pictures:1"],
            "arguments": {
                each.name: ["a"] if each.kind in {"tags", "problems"} else each.default or "a"
                for each in operation.fields
                if each.kind != "flag"
            },
        }
        for name, operation in OPERATIONS.items()
    ],
}
QUERIES = {
    "tags": ["begins", "limit"],
    "summary": ["trainer"],
    "rows": ["from", "count"],
    "runs": ["dataset"],
    "events": ["dataset"],
    "thumbnail": ["side"],
    "session": ["token"],
}


def spoilt(body, text):
    """Yield where a text stands in a body, and the body with another one there."""
    for path in paths(body):
        changed = copy.deepcopy(body)
        part = changed
        for step in path[:-1]:
            part = part[step]
        part[path[-1]] = text
        yield ".".join(map(str, path)), changed


def paths(value, before=()):
    """Yield the path of each text in a value."""
    if isinstance(value, str):
        yield before
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, each in parts:
        yield from paths(each, (*before, step))


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_no_text_of_a_request_ends_in_words_of_postgresql(panel, address, text):  # noqa: F811
    wrong, count = [], 0
    for _, path, *_ in (each for each in TABLE if each.method == "POST"):
        for body in BODIES[path.rpartition("/")[2]]:
            for name, changed in spoilt(body, text):
                count += 1
                given = {"Content_Type": "application/json", "X_LoRADS_Token": panel.token}
                where = PREFIX + "/api/" + address(path.removeprefix(f"{PREFIX}/api/"))
                status, _, answer = panel.raw("POST", where, json.dumps(changed).encode(), **given)
                if not (200 <= status < 500) or FOREIGN.search(answer.decode()):
                    wrong.append((path, name, status, answer))
    assert wrong == []
    assert count > 60


@pytest.mark.parametrize("text", IN_URLS.values(), ids=IN_URLS)
def test_no_text_of_an_address_ends_in_words_of_postgresql(panel, address, text):  # noqa: F811
    wrong = []
    for method, path, *_ in TABLE:
        where = path.removeprefix(f"{PREFIX}/api/")
        parts = re.findall(r"{\w+}", where)
        asked = [address(where.replace(part, text)) for part in parts]
        asked += [f"{address(where)}?{name}={text}" for name in QUERIES.get(where.split("/")[0], [])]
        asked += [f"{address(where)}?{name}={text}" for name in QUERIES.get(where.rpartition("/")[2], [])]
        given = {"Content_Type": "application/json", "X_LoRADS_Token": panel.token} if method == "POST" else {}
        for each in asked:
            if each.startswith("events?") and text not in each:
                continue
            status, _, answer = panel.raw(method, f"{PREFIX}/api/{each}", b"{}" if given else None, **given)
            if not (200 <= status < 500) or FOREIGN.search(answer.decode(errors="replace")):
                wrong.append((each, status, answer))
    assert wrong == []


@pytest.mark.parametrize("control", ["\u202e", "\u2066", "\u200f", "\x1b", "\x07"], ids=ascii)
def test_invisible_controls_in_a_caption_are_cleaned_as_a_trigger_refuses_them(panel, dataset, control):
    row = panel.get(f"datasets/{dataset}/rows")["rows"][0]
    changes = [{"key": row["key"], "before": row["text"], "after": f"tom{control}cat, a{control} hat"}]
    panel.post(f"datasets/{dataset}/edits", {"label": f"by{control}hand", "changes": changes})
    assert panel.get(f"datasets/{dataset}/rows")["rows"][0]["text"] == "tomcat, a hat"
    with pytest.raises(CaptionError, match="invisible character"):
        checked(Trigger(f"tom{control}cat"))
