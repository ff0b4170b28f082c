"""Every route of the panel, asked by HTTP: what it answers, and that what was written is in the store."""

import http.client
import io
import json
import shutil

import pytest
from PIL import Image

from lorads_core.export.plan import ExportOptions
from lorads_core.model import TrainingConfig
from lorads_core.panel.json_types import PanelEvent
from lorads_core.settings import Settings
from lorads_core.workflow import captions as captioning
from lorads_core.workflow import dataset as build

from ..edits import edit_caption
from ..standin_trainer import write_model
from .json_shape import mismatches


@pytest.fixture
def rows(panel, dataset):
    """Return a function that gives the rows as the page gets them."""
    return lambda: panel.get(f"datasets/{dataset}/rows")["rows"]


def edit(panel, dataset, row, after, status=200, **more):
    change = {"key": row["key"], "before": row["text"], "after": after, **more}
    return panel.post(f"datasets/{dataset}/edits", {"label": "Edit", "changes": [change]}, status)


def test_the_session_says_what_the_page_needs(panel):
    session = panel.get("session")
    assert session["where"] == "page"
    assert session["can_export"]
    assert not session["can_launch"]
    assert session["trainers"][0] == {"name": "sd-scripts", "label": "sd-scripts (kohya-ss)"}
    assert {"name": "wd", "label": session["sources"][-1]["label"]} in session["sources"]
    assert session["libraries"] == ["pictures"]
    assert len(session["token"]) > 30


def test_datasets_and_their_facts(panel, dataset):
    (listed,) = panel.get("datasets")
    assert (listed["name"], listed["training"], listed["regularization"], listed["edited"]) == ("towers", 8, 4, 0)
    facts = panel.get(f"datasets/{dataset}")
    assert facts["trigger"] == {"word": "oldlandmark", "position": "prepend"}
    assert (facts["can_undo"], facts["can_redo"], facts["problems"]) == (None, None, [])
    assert facts["token_limit"] == 225, "what lint and training use, not the shortest that a trainer can be set to"


def test_rows_come_in_parts_and_hold_no_path(panel, dataset, pictures):
    whole = panel.get(f"datasets/{dataset}/rows")
    assert whole["total"] == len(whole["rows"]) == 12
    part = panel.get(f"datasets/{dataset}/rows?from=7&count=2")
    assert part["rows"] == whole["rows"][7:9]
    assert [row["set"] for row in part["rows"]] == ["training", "regularization"]
    assert str(pictures) not in json.dumps(whole)
    first = whole["rows"][0]
    assert first["text"].startswith("oldlandmark, ")
    assert (first["source"], first["edited"], first["rejected"]) == ("wd", False, False)
    assert first["tokens"] > 5


def test_an_image_and_all_that_is_known_of_it(panel, dataset, rows):
    row = rows()[1]
    edit(panel, dataset, row, "oldlandmark, a gate")
    found = panel.get(f"datasets/{dataset}/row/{row['key']}")
    assert found["text"] == "oldlandmark, a gate"
    assert found["history"][0]["before"] == row["text"]
    assert found["history"][0]["after"] == "oldlandmark, a gate"
    assert {each["source"] for each in found["offered"]} >= {"wd"}
    assert found["bucket"]["width"] % 64 == 0
    assert found["tags"]
    assert (found["prompt"], found["prompt_parts"]) == ("", [])


def test_the_parts_of_a_prompt_have_their_certainty(make_panel, dataset, store):
    prompt = "a <random:red,blue> gate, (moss:1.2), <wildcard:sky>, (people:-1)"
    with store.connection() as connection:
        connection.execute(
            "UPDATE lorads.images SET prompt = %s, prompt_source = 'swarmui', prompt_uncertain = 'possible: a tower'",
            (prompt,),
        )
    panel = make_panel()  # served only now: it reads the dataset early
    row = panel.get(f"datasets/{dataset}/rows")["rows"][2]
    found = panel.get(f"datasets/{dataset}/row/{row['key']}")["prompt_parts"]
    assert [(each["certainty"], each["text"]) for each in found] == [
        ("certain", "a"),
        ("possible", "red, blue"),
        ("certain", "gate, moss"),
        ("generated", "sky"),
        ("excluded", "people"),
        ("possible", "a tower"),
    ]


def test_the_buckets_of_images(panel, dataset, rows):
    buckets = panel.get(f"datasets/{dataset}/buckets")
    keys = [row["key"] for row in rows()]
    assert set(buckets) == set(keys)
    sizes = {f"{each['width']}×{each['height']}" for each in panel.get(f"datasets/{dataset}/summary")["buckets"]}
    assert set(buckets.values()) == sizes
    panel.post(f"datasets/{dataset}/reject", {"keys": keys[:1], "rejected": True})
    assert keys[0] not in panel.get(f"datasets/{dataset}/buckets"), "what is rejected is not trained"


def test_problems_tags_and_completions(panel, dataset, rows):
    edit(panel, dataset, rows()[0], "a tower without the word")
    problems = panel.get(f"datasets/{dataset}/problems")
    mended = next(each for each in problems if each["code"] == "trigger-missing")
    assert mended["key"] == rows()[0]["key"]
    assert mended["fix"]["text"].startswith("oldlandmark")
    tags = panel.get(f"datasets/{dataset}/tags")
    assert tags == sorted(tags, key=lambda each: -(each["training"] + each["regularization"]))
    found = panel.get("tags?begins=arm&limit=3")
    assert len(found) == 3
    assert {"tag": "arm up", "alias": "arm raised", "count": 0} in panel.get("tags?begins=arm&limit=50")
    assert panel.get("tags?begins=") == []


def test_what_was_written_says_whether_others_wrote_before(panel, dataset, rows, store):
    first = edit(panel, dataset, rows()[0], "oldlandmark, first")
    assert edit(panel, dataset, rows()[0], "oldlandmark, second")["was"] == first["revision"]
    written_elsewhere(store, dataset, rows()[1])
    third = edit(panel, dataset, rows()[0], "oldlandmark, third")
    assert third["was"] not in {first["revision"], third["revision"]}


def written_elsewhere(store, dataset, row):
    """Change a caption as a graph does, or another program."""
    library, image = row["key"].rsplit(":", 1)
    with store.connection() as connection:
        edit_caption(connection, dataset, (library, int(image)), "not by the panel")


def test_an_edit_is_kept_and_taken_back_by_another_panel(panel, make_panel, dataset, rows):
    row = rows()[0]
    written = edit(panel, dataset, row, "oldlandmark,  my   tower\n")
    assert written["rows"][0]["text"] == "oldlandmark, my tower", "one tidy line"
    assert (written["rows"][0]["edited"], written["can_undo"]) == (True, "Edit")
    assert panel.get(f"datasets/{dataset}")["revision"] == written["revision"]
    other = make_panel()
    taken = other.post(f"datasets/{dataset}/undo", {})
    assert taken["rows"][0]["text"] == row["text"]
    assert (taken["can_undo"], taken["can_redo"]) == (None, "Edit")
    again = panel.post(f"datasets/{dataset}/redo", {})
    assert again["rows"][0]["text"] == "oldlandmark, my tower"
    assert panel.post(f"datasets/{dataset}/redo", {}, 409)["error"]["code"] == "nothing"


def test_two_who_edit_the_same_caption_get_both_texts(panel, make_panel, dataset, rows):
    row = rows()[0]
    edit(make_panel(), dataset, row, "theirs")
    error_response = edit(panel, dataset, row, "mine", 409)
    assert error_response["error"]["code"] == "conflict"
    assert error_response["conflicts"] == [{"key": row["key"], "theirs": "theirs", "source": "custom"}]
    assert rows()[0]["text"] == "theirs"


def test_of_several_changes_all_are_written_or_none(panel, dataset, rows):
    first, second = rows()[:2]
    changes = [
        {"key": first["key"], "before": first["text"], "after": "one"},
        {"key": second["key"], "before": "something else", "after": "two"},
    ]
    panel.post(f"datasets/{dataset}/edits", {"label": "both", "changes": changes}, 409)
    assert rows()[0]["text"] == first["text"]


@pytest.mark.parametrize(
    ("operation", "arguments", "text"),
    [
        ("find_replace", {"find": "sky", "replace": "heaven"}, "heaven"),
        ("find_replace", {"find": "s.y", "replace": "air", "regex": True}, "air"),
        ("add_tags", {"tags": ["old photo"], "place": "end"}, ", old photo"),
        ("remove_tags", {"tags": ["outdoors"]}, None),
        ("replace_tag", {"old": "outdoors", "new": "outside"}, "outside"),
        ("prune", {"tags": ["outdoors"]}, None),
        ("apply_source", {"source": "joycaption"}, None),
        ("apply_source", {"source": "joycaption", "trigger": "newword", "position": "append"}, "newword"),
    ],
)
def test_bulk_operations_are_shown_then_done_then_undone(panel, dataset, rows, operation, arguments, text):
    before = rows()
    wish = {"operation": operation, "arguments": arguments, "unedited_only": True}
    shown = panel.post(f"datasets/{dataset}/bulk", {**wish, "preview": True})
    assert 0 < shown["count"] <= 12
    assert len(shown["examples"]) == shown["count"]
    assert rows() == before, "a preview writes nothing"
    done = panel.post(f"datasets/{dataset}/bulk", {**wish, "preview": False})
    assert len(done["rows"]) == shown["count"]
    assert done["label"] == shown["label"]
    after = {row["key"]: row["text"] for row in done["rows"]}
    assert after == {each["key"]: each["after"] for each in shown["examples"]}
    assert text is None or any(text in each for each in after.values())
    panel.post(f"datasets/{dataset}/undo", {})
    assert [row["text"] for row in rows()] == [row["text"] for row in before]


def test_all_problems_of_a_kind_are_fixed_at_once(panel, dataset, rows):
    first, second = rows()[:2]
    for row in (first, second):
        edit(panel, dataset, row, "a tower without the word")
    wish = {"operation": "fix", "arguments": {"codes": ["trigger-missing"]}, "unedited_only": False}
    shown = panel.post(f"datasets/{dataset}/bulk", {**wish, "preview": True})
    assert shown["count"] == 2
    done = panel.post(f"datasets/{dataset}/bulk", wish)
    assert [row["text"].startswith("oldlandmark") for row in done["rows"]] == [True, True]
    assert panel.post(f"datasets/{dataset}/bulk", wish, 400)["error"]["code"] == "caption", "nothing is left to fix"


def test_tags_are_put_in_the_order_of_the_base_model(panel, dataset, rows):
    first = rows()[0]
    edit(panel, dataset, first, "oldlandmark, sky, 1girl, outdoors")
    wish = {"operation": "sort", "arguments": {}, "keys": [first["key"]], "unedited_only": False}
    done = panel.post(f"datasets/{dataset}/bulk", wish)
    assert done["rows"][0]["text"].startswith("oldlandmark, 1girl, ")
    assert panel.post(f"datasets/{dataset}/undo", {})["rows"][0]["text"] == "oldlandmark, sky, 1girl, outdoors"


def test_a_bulk_operation_leaves_other_images_and_what_people_wrote(panel, dataset, rows):
    first, second, third = rows()[:3]
    edit(panel, dataset, first, "oldlandmark, outdoors, by hand")
    keys = [first["key"], second["key"]]
    wish = {"operation": "remove_tags", "arguments": {"tags": ["outdoors"]}, "keys": keys}
    done = panel.post(f"datasets/{dataset}/bulk", wish)
    assert [row["key"] for row in done["rows"]] == [second["key"]]
    assert rows()[2]["text"] == third["text"]
    done = panel.post(f"datasets/{dataset}/bulk", {**wish, "unedited_only": False})
    assert [row["key"] for row in done["rows"]] == [first["key"]]


def test_rejected_images_are_left_out_of_all_that_follows(panel, dataset, rows, store):
    keys = [rows()[0]["key"], rows()[-1]["key"]]
    done = panel.post(f"datasets/{dataset}/reject", {"keys": keys, "rejected": True})
    assert [row["rejected"] for row in done["rows"]] == [True, True]
    assert [row["rejected"] for row in rows()].count(True) == 2, "they stay to be seen"
    assert len(captioning.draft(store, Settings(), "towers").dataset.images) == 10
    assert panel.get(f"datasets/{dataset}/summary")["training"] == 7
    panel.post(f"datasets/{dataset}/reject", {"keys": keys, "rejected": False})
    assert len(captioning.draft(store, Settings(), "towers").dataset.images) == 12


def test_thumbnails_are_small_cached_and_known_to_the_browser(panel, dataset, rows, tmp_path):
    key = rows()[0]["key"]
    status, headers, body = panel.raw("GET", f"/lorads/api/thumbnail/{dataset}/{key}?side=200")
    assert status == 200
    assert headers["Content-Type"] == "image/webp"
    assert max(Image.open(io.BytesIO(body)).size) == 256, "the next of a few sizes"
    assert len(list((tmp_path / "thumbnails").rglob("*.webp"))) == 1
    path = f"/lorads/api/thumbnail/{dataset}/{key}?side=256"
    assert panel.raw("GET", path, If_None_Match=headers["ETag"])[0] == 304
    status, headers, body = panel.raw("GET", f"/lorads/api/image/{dataset}/{key}")
    assert (status, headers["Content-Type"]) == (200, "image/jpeg")
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_a_picture_that_is_gone_is_told(panel, dataset, rows, pictures, tmp_path):
    row = rows()[0]
    shutil.move(pictures / "subject" / row["file"], tmp_path)
    try:
        assert panel.get(f"thumbnail/{dataset}/{row['key']}", 404)["error"]["code"] == "image"
    finally:
        shutil.move(tmp_path / row["file"], pictures / "subject")


def test_the_summary_is_what_an_export_will_be(panel, dataset):
    summary = panel.get(f"datasets/{dataset}/summary?trainer=sd-scripts")
    job = panel.post(f"datasets/{dataset}/export", {"trainer": "sd-scripts", "folder": "mine"})["job"]
    ended = panel.ended(job)
    assert ended["state"] == "done", ended
    assert ended["message"] == "12 images written to mine."
    facts = dict(ended["result"]["summary"])
    assert facts["Total steps"].startswith(f"{summary['total_steps']:,} in")
    assert sum(each["count"] for each in summary["buckets"]) == 8 * 25 * 2, "as many others as sd-scripts shows"
    assert (panel.exports / "mine" / "manifest.json").is_file()
    assert (summary["training"], summary["regularization"], summary["seconds"]) == (8, 4, None)


def test_an_export_takes_figures_of_the_request_and_keeps_them(panel, dataset):
    wish = {"trainer": "sd-scripts", "folder": "", "images": "max_side=512", "config": {"epochs": 3, "network_dim": 4}}
    ended = panel.ended(panel.post(f"datasets/{dataset}/export", wish)["job"])
    assert "in 3 epochs" in dict(ended["result"]["summary"])["Total steps"]
    assert panel.get(f"datasets/{dataset}/summary")["total_steps"] * 10 > 0
    manifest = json.loads((panel.exports / "towers" / "manifest.json").read_text(encoding="utf-8"))
    assert max(max(image["width"], image["height"]) for image in manifest["images"]) <= 512


def test_the_config_of_an_export_elsewhere_is_taken_up(panel, dataset, store):
    before, facts = panel.get(f"datasets/{dataset}/summary"), panel.get(f"datasets/{dataset}")
    found = captioning.draft(store, panel.settings, "towers")
    config = TrainingConfig(epochs=30, repeats=25, max_token_length=150)  # 10 epochs before, of 25 repeats
    build.export(store, found.dataset, config, ExportOptions(), panel.exports, "elsewhere")
    after, now = panel.get(f"datasets/{dataset}/summary"), panel.get(f"datasets/{dataset}")
    assert after["total_steps"] == 3 * before["total_steps"]
    assert now["config"] != facts["config"]
    assert now["token_limit"] == 150
    assert {**now, "config": "", "token_limit": 225} == {**facts, "config": ""}


def test_a_training_without_a_base_model_is_told(training_panel, dataset):
    panel = training_panel()
    assert panel.get("session")["can_launch"]
    job = panel.post(f"datasets/{dataset}/train", {"profile": "local", "folder": "run"})["job"]
    ended = panel.ended(job)
    assert ended["state"] == "failed", "no checkpoint was ever chosen for this dataset"
    assert "base model" in ended["message"]


def test_a_training_from_the_panel_is_watched_and_stopped(training_panel, dataset, store):
    panel = training_panel(pause="0.05", steps="4000")
    choose_checkpoint(store, panel)
    job = panel.post(f"datasets/{dataset}/train", {"profile": "local", "folder": "run"})["job"]
    ended = panel.ended(job)
    assert ended["state"] == "done", ended
    run = ended["result"]["run"]
    (listed,) = panel.get(f"runs?dataset={dataset}")
    assert listed["id"] == run
    found = panel.get(f"runs/{run}")
    assert found["state"] in {"starting", "running"}
    assert found["manifest_hash"] == ended["result"]["manifest_hash"]
    panel.until(f"runs/{run}", lambda found: found["log"])
    stopped = panel.ended(panel.post(f"runs/{run}/stop", {})["job"])
    assert stopped["result"]["state"] == "cancelled"
    assert panel.get(f"runs/{run}")["log"], "it stays to be read"
    assert panel.get(f"runs/{run}/sample/none.png", 404)["error"]["code"] == "unknown"


def choose_checkpoint(store, panel):
    """Export once with a base model, as the graph does."""
    checkpoint = panel.exports.parent / "base.safetensors"
    write_model(checkpoint)
    found = captioning.draft(store, panel.settings, "towers")
    config = TrainingConfig(checkpoint=str(checkpoint), epochs=2, repeats=1)
    build.export(store, found.dataset, config, ExportOptions(), panel.exports, "before")


def test_edits_here_and_elsewhere_are_events(panel, dataset, rows, store):
    connection = http.client.HTTPConnection("127.0.0.1", panel.port, timeout=20)
    connection.request("GET", f"/lorads/api/events?dataset={dataset}", headers={"Cookie": panel.cookie})
    stream = connection.getresponse()
    assert stream.headers["Content-Type"] == "text/event-stream"
    assert stream.readline() == b": hello\n"
    facts = panel.get(f"datasets/{dataset}")

    def event_of(revision):
        line = next(line for line in stream if line.startswith(b"data: ") and revision.encode() in line)
        event = json.loads(line.removeprefix(b"data: "))
        assert not list(mismatches(event, PanelEvent))
        return event

    now = {"kind": "edited", "revision": facts["revision"], "config": facts["config"]}
    assert event_of(facts["revision"]) == now, "who comes late sees that at once"
    written = edit(panel, dataset, rows()[0], "oldlandmark, new")
    assert event_of(written["revision"]) == {"kind": "edited", "revision": written["revision"], "config": None}
    written_elsewhere(store, dataset, rows()[1])
    elsewhere = panel.get(f"datasets/{dataset}")["revision"]
    assert event_of(elsewhere)["revision"] == elsewhere
    connection.close()
    stream.close()


def test_the_page_and_its_modules(panel):
    status, headers, body = panel.raw("GET", "/lorads/")
    assert status == 200
    assert b"lorads-page" in body
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    status, headers, _ = panel.raw("GET", "/lorads/web/panel/app.js")
    assert (status, headers["Content-Type"]) == (200, "text/javascript")
    assert panel.raw("GET", "/")[0] == 302
