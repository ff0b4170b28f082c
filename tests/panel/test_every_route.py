"""Rules that hold for every route of the table, whichever is added to it."""

import gzip
import json
import re
import uuid

import pytest

from lorads_core.panel.api_spec import PREFIX, TABLE

ROUTES = [(each.method, each.path.removeprefix(f"{PREFIX}/api/")) for each in TABLE]
WRITING = [path for method, path in ROUTES if method == "POST"]


@pytest.fixture
def address(dataset):
    """Return a function that fills a path of the table in."""
    values = {
        "dataset": dataset,
        "key": "pictures:1",
        "run": uuid.UUID(int=1),
        "job": uuid.UUID(int=1),
        "name": "a.png",
    }

    def fill(path):
        return re.sub(r"{(\w+)}", lambda found: str(values[found[1]]), path)

    return fill


def asked(panel, method, path, **headers):
    """Return status and code of an answer; the request is the page's own but for these headers."""
    usual = {"Content_Type": "application/json", "X_LoRADS_Token": panel.token} if method == "POST" else {}
    body = b"{}" if method == "POST" else None
    status, _, answer = panel.raw(method, f"{PREFIX}/api/{path}", body, **{**usual, **headers})
    return status, json.loads(answer)["error"]["code"]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_no_route_answers_a_foreign_host_or_another_site(panel, address, method, path):
    assert asked(panel, method, address(path), Host="evil.example") == (403, "host")
    assert asked(panel, method, address(path), Host="") == (403, "host")
    assert asked(panel, method, address(path), Origin="http://evil.example") == (403, "origin")
    assert asked(panel, method, address(path), Sec_Fetch_Site="cross-site") == (403, "origin")


@pytest.mark.parametrize("path", WRITING)
def test_no_route_writes_without_json_and_the_token(panel, address, path):
    assert asked(panel, "POST", address(path), Content_Type="text/plain") == (415, "content-type")
    assert asked(panel, "POST", address(path), X_LoRADS_Token=None) == (403, "token")
    assert asked(panel, "POST", address(path), X_LoRADS_Token=panel.token[:-1]) == (403, "token")


@pytest.mark.parametrize("path", WRITING)
def test_every_writing_route_wants_an_object_with_names_that_it_knows(panel, address, path):
    assert panel.post(address(path), b"[1]", 400)["error"]["code"] == "request"
    assert panel.post(address(path), {"an unknown name": 1}, 400)["error"]["code"] == "request"


@pytest.mark.parametrize(("method", "path"), [each for each in ROUTES if "{dataset}" in each[1]])
def test_every_route_of_a_dataset_says_that_there_is_none(panel, method, path):
    path = path.replace("{dataset}", str(uuid.uuid4())).replace("{key}", "pictures:1")
    bodies = {
        "edits": {"changes": [{"key": "pictures:1", "before": None, "after": "x"}]},
        "bulk": {"operation": "sort"},
        "reject": {"keys": ["pictures:1"], "rejected": True},
        "train": {"profile": "local"},
    }
    name = path.split("/")[-1]
    if method == "GET":
        assert panel.get(path, 404)["error"]["code"] == "unknown"
    elif name == "train":  # whether the server allows it comes first
        assert panel.post(path, bodies[name], 403)["error"]["code"] == "forbidden"
    else:
        assert panel.post(path, bodies.get(name, {}), 404)["error"]["code"] == "unknown"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_do_nothing(panel, address, method):
    for _, path in ROUTES:
        status, headers, _ = panel.raw(method, f"{PREFIX}/api/{address(path)}")
        assert status == 405
        assert "Access-Control-Allow-Origin" not in headers


def test_no_answer_allows_another_site_to_read_it(panel, address):
    for method, path in ROUTES:
        if method == "GET" and not path.startswith("events"):
            _, headers, _ = panel.raw("GET", f"{PREFIX}/api/{address(path)}")
            assert not [name for name in headers if name.lower().startswith("access-control")]
            assert headers["X-Content-Type-Options"] == "nosniff"


def test_large_answers_are_packed_where_the_browser_takes_that(panel, dataset):
    path = f"{PREFIX}/api/datasets/{dataset}/rows"
    status, headers, packed = panel.raw("GET", path, Accept_Encoding="gzip")
    assert (status, headers["Content-Encoding"]) == (200, "gzip")
    assert json.loads(gzip.decompress(packed)) == panel.get(f"datasets/{dataset}/rows")
