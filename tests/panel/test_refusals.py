"""What the panel refuses: other sites, other names, no token, wrong kinds of values, what is not there; clearly."""

import json
import logging
import socket
import uuid
from contextlib import suppress
from urllib.parse import quote

import pytest
from aiohttp.http_exceptions import BadHttpMessage

from lorads_core.panel.http_log import MalformedRequests

READS = ("session", "datasets", "datasets/{id}", "datasets/{id}/rows", "datasets/{id}/summary", "runs", "tags?begins=a")
WRITES = ("edits", "undo", "redo", "bulk", "reject", "export", "train")
FOREIGN = (
    {"Host": "evil.example"},
    {"Host": "127.0.0.1.evil.example"},
    {"Host": "localhost.evil.example:80"},
    {"Host": ""},
    {"Host": "evil.example@127.0.0.1"},
)
OTHER_SITES = (
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "https://localhost"},
    {"Sec_Fetch_Site": "cross-site"},
    {"Sec_Fetch_Site": "same-site"},
)


def code(answer):
    assert set(answer) >= {"error"}
    assert answer["error"]["message"].endswith((".", '"'))
    return answer["error"]["code"]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_a_foreign_host_gets_nothing(panel, dataset, headers):
    for path in READS:
        assert code(panel.get(path.format(id=dataset), 403, **headers)) == "host"
    for action in WRITES:
        assert code(panel.post(f"datasets/{dataset}/{action}", {}, 403, **headers)) == "host"


@pytest.mark.parametrize("headers", OTHER_SITES, ids=str)
def test_another_site_gets_nothing(panel, dataset, headers):
    for path in READS:
        assert code(panel.get(path.format(id=dataset), 403, **headers)) == "origin"
    for action in WRITES:
        assert code(panel.post(f"datasets/{dataset}/{action}", {}, 403, **headers)) == "origin"


def test_own_names_and_addresses_are_answered(panel):
    for host in ("localhost", f"localhost:{panel.port}", "[::1]:8188", "192.168.1.7", "127.0.0.1:99"):
        panel.get("session", Host=host)
    panel.get("session", Origin=f"http://127.0.0.1:{panel.port}", Sec_Fetch_Site="same-origin")


@pytest.mark.parametrize("action", WRITES)
def test_a_write_wants_json_and_the_token(panel, dataset, action):
    path = f"datasets/{dataset}/{action}"
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", None):
        assert code(panel.post(path, {}, 415, Content_Type=kind)) == "content-type"
    for token in (None, "", "x" * 43, "ÿ"):
        assert code(panel.post(path, {}, 403, X_LoRADS_Token=token)) == "token"
    status, _, _ = panel.raw("GET", f"/lorads/api/{path}")
    assert status == 405


def test_another_panels_token_is_none(panel, make_panel, dataset):
    assert code(panel.post(f"datasets/{dataset}/undo", {}, 403, X_LoRADS_Token=make_panel().token)) == "token"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"5", b"null", b'{"a": NaN}', b"\xff", b'{"label": "\\ud800"}'])
def test_a_body_that_is_no_object(panel, dataset, body):
    assert code(panel.post(f"datasets/{dataset}/edits", body, 400)) == "request"


def test_deep_json_is_no_harm(panel, dataset):
    assert code(panel.post(f"datasets/{dataset}/edits", b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 400)) == "request"


def test_ten_megabytes_are_too_much(panel, dataset):
    whole = json.dumps({"label": "x" * 10_000_000, "changes": []}).encode()
    head = (
        f"POST /lorads/api/datasets/{dataset}/edits HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Content-Type: application/json\r\nX-LoRADS-Token: {panel.token}\r\n"
        f"Cookie: {panel.cookie_at('127.0.0.1')}\r\n"
    )
    for length in (f"Content-Length: {len(whole)}\r\n", "Transfer-Encoding: chunked\r\n"):
        with socket.create_connection(("127.0.0.1", panel.port), timeout=20) as connection:
            connection.sendall((head + length + "\r\n").encode())
            sent = whole if "Length" in length else b"%x\r\n%b\r\n0\r\n\r\n" % (len(whole), whole)
            with suppress(BrokenPipeError, ConnectionResetError):  # it was error_response before it was read
                connection.sendall(sent)
            assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "word", ["none", str(uuid.UUID(int=0)), "..", "%2e%2e", "1;DROP TABLE lorads.lora_datasets", "%00", "é" * 500]
)
def test_datasets_runs_and_jobs_that_do_not_exist(panel, word):
    word = quote(word, safe="%")
    for path in ("datasets/{}/rows", "datasets/{}/summary", "runs/{}", "jobs/{}", "thumbnail/{}/pictures:1"):
        status, _, body = panel.raw("GET", "/lorads/api/" + path.format(word))
        assert status == 404, path
        assert b"Traceback" not in body
    assert panel.raw("GET", f"/lorads/api/events?dataset={word}")[0] in {400, 404}


@pytest.mark.parametrize(
    "key",
    [
        *("pictures:999999", "pictures:-1", "pictures:1e3", "pictures:", ":1", "1", "other:1"),
        *("..%2F..%2Fetc%2Fpasswd", "%2Fetc%2Fpasswd:1", "pictures:%31%00", "pictures:99999999999999999999999"),
    ],
)
def test_images_are_asked_for_by_id_alone(panel, dataset, key):
    for path in (f"thumbnail/{dataset}/{key}", f"image/{dataset}/{key}", f"datasets/{dataset}/row/{key}"):
        status, _, body = panel.raw("GET", f"/lorads/api/{path}")
        assert status == 404, path
        assert b"root:" not in body


@pytest.mark.parametrize(
    "path",
    [
        *("../pyproject.toml", "%2e%2e/pyproject.toml", "..%2fpyproject.toml", "panel/../../pyproject.toml"),
        *("/etc/passwd", "panel", "%00", "panel/%00.js", "x" * 5000),
    ],
)
def test_no_file_outside_the_page_is_served(panel, path):
    status, _, body = panel.raw("GET", f"/lorads/web/{path}")
    assert status == 404
    assert b"[project]" not in body


@pytest.mark.parametrize("query", ["from=-1", "from=x", "count=0", "count=5001", "count=1e3", "from=" + "9" * 30])
def test_rows_out_of_bounds(panel, dataset, query):
    assert code(panel.get(f"datasets/{dataset}/rows?{query}", 400)) == "request"


@pytest.mark.parametrize(
    ("action", "body", "said"),
    [
        ("edits", {"changes": []}, "changes must be a non-empty list of objects"),
        ("edits", {"changes": [{"key": "pictures:1", "before": None}]}, "changes[0].after is missing"),
        ("edits", {"changes": [{"key": "pictures:1", "before": 5, "after": "x"}]}, "before must be a string"),
        ("edits", {"changes": [{"key": "pictures:1", "before": None, "after": " \n"}]}, "is empty"),
        ("edits", {"changes": [{"key": "pictures:1", "before": None, "after": "x" * 30_000}]}, "at most 20,000"),
        ("edits", {"changes": [{"key": "pictures:1", "before": None, "after": "a\u0000b"}]}, "after must be a string"),
        ("edits", {"changes": 5, "more": 1}, "'more' is not a known field"),
        ("undo", {"why": 1}, "'why' is not a known field"),
        ("bulk", {"operation": "drop", "arguments": {}}, "There is no operation 'drop'"),
        ("bulk", {"operation": "sort", "arguments": {"x": 1}}, "arguments.'x' is not a known field"),
        ("bulk", {"operation": "sort", "keys": []}, "keys must be a non-empty list of strings"),
        ("bulk", {"operation": "remove_tags", "arguments": {"tags": [5]}}, "tags must be a non-empty list of strings"),
        ("bulk", {"operation": "find_replace", "arguments": {"find": "(", "regex": True}}, "("),
        ("bulk", {"operation": "add_tags", "arguments": {"tags": ["a"], "place": "middle"}}, "place is 'middle'"),
        ("bulk", {"operation": "replace_tag", "arguments": {"old": "a, b", "new": "c"}}, "is not one tag"),
        ("bulk", {"operation": "apply_source", "arguments": {"source": "nobody"}}, "nobody"),
        ("reject", {"keys": ["pictures:1"], "rejected": "yes"}, "rejected must be true or false"),
        ("export", {"trainer": "nobody"}, "There is no trainer 'nobody'"),
        ("export", {"trainer": "sd-scripts", "folder": "../x"}, "is not a valid folder name"),
        ("export", {"trainer": "sd-scripts", "folder": ".."}, "is not a valid folder name"),
        ("export", {"trainer": "sd-scripts", "images": "max_side=-1"}, "no size"),
        (
            "export",
            {"trainer": "sd-scripts", "config": {"checkpoint": "/etc/passwd"}},
            "There is no file '/etc/passwd' in ComfyUI's folder",
        ),
        (
            "export",
            {"trainer": "sd-scripts", "config": {"epochs": "3"}},
            "number of epochs is '3': give a whole number",
        ),
        (
            "export",
            {"trainer": "sd-scripts", "config": {"epochs": 2.5}},
            "number of epochs is 2.5: give a whole number",
        ),
        ("export", {"trainer": "sd-scripts", "config": {"network": "magic"}}, "magic"),
        ("export", {"trainer": "sd-scripts", "config": {"epochs": -3}}, "epochs"),
    ],
)
def test_wrong_values_are_named(panel, dataset, action, body, said):
    answer = panel.post(f"datasets/{dataset}/{action}", body, 400)
    assert said in answer["error"]["message"]


def test_what_is_not_in_the_dataset_cannot_be_written(panel, dataset):
    edit = {"changes": [{"key": "pictures:999", "before": None, "after": "x"}]}
    for action, body in (
        ("edits", edit),
        ("reject", {"keys": ["pictures:999"], "rejected": True}),
        ("bulk", {"operation": "sort", "keys": ["pictures:999"]}),
    ):
        assert code(panel.post(f"datasets/{dataset}/{action}", body, 404)) == "unknown"


def test_exports_and_trainings_that_the_server_does_not_allow(make_panel, dataset, closed):
    panel = make_panel(closed)
    assert not panel.get("session")["can_export"]
    assert code(panel.post(f"datasets/{dataset}/export", {"trainer": "sd-scripts"}, 403)) == "forbidden"
    assert code(panel.post(f"datasets/{dataset}/train", {"profile": "local"}, 403)) == "forbidden"


@pytest.mark.slow
def test_a_slow_pattern_ends(panel, dataset):
    changes = [{"key": panel.get(f"datasets/{dataset}/rows")["rows"][0]["key"]}]
    changes[0] |= {"before": panel.get(f"datasets/{dataset}/rows")["rows"][0]["text"], "after": "a" * 5000}
    panel.post(f"datasets/{dataset}/edits", {"changes": changes})
    wish = {"operation": "find_replace", "arguments": {"find": "(a+)+$b", "replace": "", "regex": True}}
    answer = panel.post(f"datasets/{dataset}/bulk", {**wish, "unedited_only": False, "preview": True}, 400)
    assert code(answer) == "caption"


def record_of(error):
    return logging.LogRecord(
        "aiohttp.server", logging.ERROR, "", 0, "Error handling request", (), (type(error), error, None)
    )


def test_malformed_http_is_a_line_in_the_log_and_no_traceback():
    record = record_of(BadHttpMessage("Invalid method\nencountered"))
    assert MalformedRequests().filter(record)
    assert (
        logging.Formatter().format(record) == "A request was refused, it is not valid HTTP: Invalid method encountered"
    )


def test_of_a_port_scan_a_few_lines_a_minute_are_logged_and_the_rest_is_counted():
    now = [0.0]
    log = MalformedRequests(lambda: now[0])

    def lines(count):
        records = [record_of(BadHttpMessage("no method")) for _ in range(count)]
        return [logging.Formatter().format(record) for record in records if log.filter(record)]

    assert len(lines(3000)) == 5
    assert lines(1) == []
    now[0] = 61.0
    assert lines(1) == ["A request was refused, it is not valid HTTP: no method (2,996 more before it are not shown)"]
    now[0] = 122.0
    assert "more" not in lines(1)[0]


def test_other_errors_of_the_server_keep_their_traceback():
    log = MalformedRequests()
    for _ in range(20):
        record = record_of(KeyError("a"))
        assert log.filter(record)
        assert "KeyError" in logging.Formatter().format(record)


MALFORMED = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"G\x00T / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost x\r\n\r\n",
    b"GET / HTTP/1.1\r\nA: " + b"x" * 20_000 + b"\r\n\r\n",
    b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n",
    b"POST /lorads/api/x HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nabc",
    b"\xff" * 50 + b"\r\n\r\n",
    b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /%zz\xff HTTP/1.1\r\nHost: \xff\r\n\r\n",
)


def test_what_a_real_port_scan_leaves_in_the_log_is_a_few_lines(panel, caplog):
    with caplog.at_level(logging.DEBUG):
        for sent in MALFORMED * 4:
            with (
                suppress(ConnectionResetError, BrokenPipeError),
                socket.create_connection(("127.0.0.1", panel.port), timeout=20) as connection,
            ):
                connection.sendall(sent)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(4096):
                    pass
    assert "Traceback" not in caplog.text
    assert len(caplog.text.splitlines()) <= 10, caplog.text
