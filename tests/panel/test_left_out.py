"""What the panel writes, seen by all else: the graph, the command line, exports, other programs at the same moment."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lorads_core.cli.main import main
from lorads_core.settings import Settings
from lorads_core.workflow import captions as captioning
from lorads_core.workflow.parse import caption_settings


@pytest.fixture
def rows(panel, dataset):
    """Return the rows as they are at first."""
    return panel.get(f"datasets/{dataset}/rows")["rows"]


@pytest.fixture
def rejected(panel, dataset, rows):
    """Return the files of two images, one to train and one other, that were rejected."""
    chosen = [rows[0], rows[-1]]
    panel.post(f"datasets/{dataset}/reject", {"keys": [row["key"] for row in chosen], "rejected": True})
    return [row["file"] for row in chosen]


def build(store, source="wd"):
    """Caption the dataset anew, as the graph does when it runs again."""
    settings = Settings()
    dataset = captioning.draft(store, settings, "towers", with_rejected=True).dataset
    return captioning.caption(store, settings, dataset, caption_settings(source, (), "oldlandmark", "prepend", "sdxl"))


def names(folder):
    return {Path(image["source"]["path"]).name for image in manifest(folder)["images"]}


def manifest(folder):
    return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))


def test_the_graph_leaves_rejected_images_out_and_says_how_many(store, rejected):
    made = build(store)
    assert (len(made.dataset.training), len(made.dataset.regularization), made.rejected) == (7, 3, 2)
    assert "2 rejected images are left out" in made.sentence
    assert [each.message for each in made.problems if each.code == "rejected"] == [
        "2 images were rejected by a person: left out. The panel takes them back."
    ]
    assert not {Path(image.record.path).name for image in made.dataset.images} & set(rejected)


def test_they_are_rejected_still_after_the_graph_ran_again(panel, dataset, store, rejected):
    build(store)
    again = panel.get(f"datasets/{dataset}/rows")["rows"]
    assert [row["file"] for row in again if row["rejected"]] == rejected
    assert panel.get("datasets")[0]["rejected"] == 2


def test_the_panels_export_leaves_them_out(panel, dataset, rejected):
    job = panel.post(f"datasets/{dataset}/export", {"folder": "mine"})["job"]
    assert panel.ended(job)["message"] == "10 images written to mine."
    assert len(names(panel.exports / "mine")) == 10
    assert not names(panel.exports / "mine") & set(rejected)


def test_the_command_line_leaves_them_out(store_settings, tmp_path, capsys, rejected):
    wish = ["export", "towers", "--settings", str(store_settings), "--out", str(tmp_path / "out")]
    assert main(wish) == 0
    assert "2 images were rejected by a person" in capsys.readouterr().err
    assert not names(tmp_path / "out" / "towers") & set(rejected)
    assert len(names(tmp_path / "out" / "towers")) == 10


def test_rejected_images_are_no_matter_of_problems_tags_and_summary(panel, dataset, rows, rejected):
    keys = {row["key"] for row in rows if row["file"] in rejected}
    assert not keys & {each["key"] for each in panel.get(f"datasets/{dataset}/problems")}
    summary = panel.get(f"datasets/{dataset}/summary")
    assert (summary["training"], summary["regularization"], summary["rejected"]) == (7, 3, 2)
    assert max(each["training"] for each in panel.get(f"datasets/{dataset}/tags")) <= 7
    assert panel.get(f"datasets/{dataset}/row/{min(keys)}")["bucket"] is None


def test_a_dataset_of_which_all_is_rejected_is_told_and_can_be_taken_back(panel, dataset, rows):
    keys = [row["key"] for row in rows if row["set"] == "training"]
    panel.post(f"datasets/{dataset}/reject", {"keys": keys, "rejected": True})
    summary = panel.get(f"datasets/{dataset}/summary")
    assert (summary["training"], summary["total_steps"]) == (0, None)
    assert "error" in {each["severity"] for each in summary["problems"]}
    ended = panel.ended(panel.post(f"datasets/{dataset}/export", {})["job"])
    assert ended["state"] == "failed"
    assert "All 8 training images" in ended["message"]
    panel.post(f"datasets/{dataset}/reject", {"keys": keys[:1], "rejected": False})
    assert panel.get(f"datasets/{dataset}/summary")["training"] == 1


def test_an_export_has_the_captions_of_the_moment_that_its_turn_comes(panel, dataset, rows):
    change = {"key": rows[0]["key"], "before": rows[0]["text"], "after": "oldlandmark, written just now"}
    panel.post(f"datasets/{dataset}/edits", {"changes": [change]})
    panel.ended(panel.post(f"datasets/{dataset}/export", {"folder": "mine"})["job"])
    captions = [image["caption"] for image in manifest(panel.exports / "mine")["images"]]
    assert captions.count("oldlandmark, written just now") == 1


def test_what_was_written_here_stays_when_the_graph_runs_again(panel, dataset, rows, store):
    change = {"key": rows[0]["key"], "before": rows[0]["text"], "after": "oldlandmark, by hand"}
    panel.post(f"datasets/{dataset}/edits", {"changes": [change]})
    build(store, "joycaption")
    now = panel.get(f"datasets/{dataset}/rows")["rows"]
    assert now[0]["text"] == "oldlandmark, by hand"
    assert now[1]["source"] == "joycaption", "the panel shows what the graph has made meanwhile"


def test_what_the_graph_has_changed_since_is_not_written_over_by_a_redo(panel, dataset, rows, store):
    change = {"key": rows[0]["key"], "before": rows[0]["text"], "after": "oldlandmark, by hand"}
    panel.post(f"datasets/{dataset}/edits", {"changes": [change]})
    panel.post(f"datasets/{dataset}/undo", {})
    build(store, "joycaption")
    made = panel.get(f"datasets/{dataset}/rows")["rows"][0]["text"]
    assert made != rows[0]["text"]
    assert panel.post(f"datasets/{dataset}/redo", {}, 409)["error"]["code"] == "conflict"
    assert panel.get(f"datasets/{dataset}/rows")["rows"][0]["text"] == made


def test_the_command_line_takes_the_panels_edit_back(panel, dataset, rows, store_settings):
    change = {"key": rows[0]["key"], "before": rows[0]["text"], "after": "oldlandmark, by hand"}
    written = panel.post(f"datasets/{dataset}/edits", {"label": "Mine", "changes": [change]})
    assert main(["captions", "towers", "--settings", str(store_settings), "--undo"]) == 0
    facts = panel.get(f"datasets/{dataset}")
    assert facts["revision"] != written["revision"]
    assert (facts["can_undo"], facts["can_redo"]) == (None, "Mine")
    assert panel.get(f"datasets/{dataset}/rows")["rows"][0]["text"] == rows[0]["text"]


def test_of_many_who_write_the_same_caption_at_once_one_wins(panel, make_panel, dataset, rows):
    panels = [panel, make_panel()]
    row = rows[0]

    def write(number):
        change = {"key": row["key"], "before": row["text"], "after": f"oldlandmark, of {number}"}
        body = json.dumps({"changes": [change]}).encode()
        each = panels[number % 2]
        headers = {"Content_Type": "application/json", "X_LoRADS_Token": each.token}
        status, _, answer = each.raw("POST", f"/lorads/api/datasets/{dataset}/edits", body, **headers)
        return status, json.loads(answer)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(write, range(16)))
    won = [answer for status, answer in answers if status == 200]
    lost = [answer for status, answer in answers if status == 409]
    assert (len(won), len(lost)) == (1, 15)
    text = won[0]["rows"][0]["text"]
    assert {answer["conflicts"][0]["theirs"] for answer in lost} == {text}
    assert [each.get(f"datasets/{dataset}/rows")["rows"][0]["text"] for each in panels] == [text, text]
    assert len(panel.get(f"datasets/{dataset}/row/{row['key']}")["history"]) == 1


def test_edits_of_different_captions_at_once_are_all_kept(panel, dataset, rows):
    def write(row):
        change = {"key": row["key"], "before": row["text"], "after": f"oldlandmark, {row['key']}"}
        panel.post(f"datasets/{dataset}/edits", {"changes": [change]})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, rows))
    now = panel.get(f"datasets/{dataset}/rows")["rows"]
    assert [row["text"] for row in now] == [f"oldlandmark, {row['key']}" for row in rows]
    for _ in rows:
        panel.post(f"datasets/{dataset}/undo", {})
    assert [row["text"] for row in panel.get(f"datasets/{dataset}/rows")["rows"]] == [row["text"] for row in rows]
