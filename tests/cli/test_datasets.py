"""Datasets by the command line: listed, renamed, removed, and exported as they were the last time."""

import json
import sys

import pytest

from lorads_core.cli.main import main
from lorads_core.export.layout import read_manifest
from lorads_core.library.index import index_folder
from lorads_core.settings import load_settings
from lorads_core.workflow.dataset import open_store

from ..conftest import write_settings
from ..standin_trainer import write_model

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@pytest.fixture(scope="module")
def built(filled, make_folder):
    """Return the name of a database with a dataset that was exported in a way of its own."""
    from PIL import Image  # noqa: PLC0415

    folder = make_folder()
    (folder / "images").mkdir()
    for number in range(3):
        Image.new("RGB", (640, 640), (60 * number, 100, 50)).save(folder / "images" / f"{number}.png")
        (folder / "images" / f"{number}.txt").write_text(f"tom, number {number}")

    def fill(conninfo):
        file = write_settings(folder / "lorads.toml", conninfo)
        words = ("--name", "mem", "--trigger", "tom", "--out", folder / "out", "--base-model", "illustrious")
        words += ("--trainer", "onetrainer", "--epochs", 3, "--images", "max_side=512", "--format", "webp", "--strip")
        given = ["build", folder / "images", "--minimum-side", 0, *words, "--settings", file]
        assert main([str(word) for word in given]) == 0

    return filled(fill)


@pytest.fixture
def store_template(built):
    return built


def listed(lorads):
    return {each["name"]: each for each in json.loads(lorads("datasets", "--json")[1])}


def test_datasets_are_listed_as_text_and_as_json(lorads):
    code, out, _ = lorads("datasets")
    assert code == 0
    assert "mem" in out
    assert "3 training images; library pictures" in out
    assert listed(lorads)["mem"]["training_images"] == 3


def test_a_renamed_dataset_keeps_its_edited_captions_and_its_history(lorads):
    assert lorads("captions", "mem", "--add-tag", "old photo", "--at", "end", "--apply")[0] == 0
    before = lorads("captions", "mem", "--plain")[1]
    assert "old photo" in before
    assert lorads("rename", "mem", "memory")[0] == 0
    assert lorads("captions", "memory", "--plain")[1] == before
    assert lorads("captions", "memory", "--undo")[0] == 0
    code, _, err = lorads("captions", "mem")
    assert code == 7
    assert "did you mean memory?" in err


@pytest.mark.parametrize(("new", "says"), [("", "cannot be called"), ("a/b", "cannot be called"), ("two", "already")])
def test_a_name_that_cannot_be_changes_nothing(lorads, new, says):
    assert lorads("query", "--name", "two")[0] == 0
    code, _, err = lorads("rename", "mem", new)
    assert code == 7
    assert says in err
    assert set(listed(lorads)) == {"mem", "two"}


def test_a_dataset_is_removed_but_edited_captions_only_on_request(lorads):
    assert lorads("query", "--name", "two")[0] == 0
    assert lorads("remove", "two")[0] == 0
    assert set(listed(lorads)) == {"mem"}
    assert lorads("captions", "mem", "--add-tag", "old photo", "--apply")[0] == 0
    code, _, err = lorads("remove", "mem")
    assert code == 7
    assert "3 captions that people edited" in err
    assert set(listed(lorads)) == {"mem"}
    assert lorads("remove", "mem", "--yes")[0] == 0
    assert lorads("datasets")[1].startswith("No dataset yet")


def test_a_combination_that_does_not_work_out_leaves_no_empty_dataset(lorads):
    assert lorads("combine", "twice", "mem", "mem")[0] == 7
    assert set(listed(lorads)) == {"mem"}


def test_an_export_is_as_the_last_one_where_nothing_else_is_said(lorads, tmp_path):
    code, out, err = lorads("export", "mem", "--out", tmp_path)
    assert code == 0, err
    assert "as in the last export (OneTrainer, Illustrious XL)" in out
    manifest = read_manifest(tmp_path / "mem")
    assert (manifest["trainer"], manifest["config"]["base_model"]) == ("onetrainer", "illustrious")
    assert manifest["config"]["epochs"] == 3
    assert {each.suffix for each in (tmp_path / "mem").rglob("*") if each.suffix in {".png", ".webp"}} == {".webp"}


def test_options_change_what_they_name_and_the_next_export_goes_on_from_them(lorads, tmp_path):
    assert lorads("export", "mem", "--out", tmp_path, "--epochs", 5, "--images", "original", "--no-strip")[0] == 0
    assert lorads("export", "mem", "--out", tmp_path)[0] == 0
    manifest = read_manifest(tmp_path / "mem")
    assert (manifest["trainer"], manifest["config"]["epochs"]) == ("onetrainer", 5)
    assert [each.suffix for each in (tmp_path / "mem").rglob("*.png")] == [".png"] * 3


def test_a_fresh_export_starts_from_the_defaults(lorads, tmp_path):
    code, out, _ = lorads("export", "mem", "--out", tmp_path, "--fresh")
    assert code == 0
    assert "last export" not in out
    config = tomllib.loads((tmp_path / "mem" / "training_config.toml").read_text(encoding="utf-8"))
    assert config["max_train_epochs"] == 10


def test_a_path_is_made_absolute_and_a_missing_one_is_named(lorads, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_model(tmp_path / "m.safetensors")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for written in ("m.safetensors", "~/m.safetensors"):
        code, _, err = lorads("export", "mem", "--out", "out", "--trainer", "sd-scripts", "--checkpoint", written)
        assert (code, "not on this machine" in err) == (0, False)
        assert read_manifest(tmp_path / "out" / "mem")["config"]["checkpoint"] == str(tmp_path / "m.safetensors")
    code, _, err = lorads("export", "mem", "--out", "out", "--checkpoint", "n.safetensors")
    assert code == 3
    assert f"There is no file {tmp_path / 'n.safetensors'}" in err
    code, _, err = lorads("export", "mem", "--out", "out", "--checkpoint", tmp_path / "n.safetensors")
    assert (code, "not on this machine: check --checkpoint" in err) == (0, True)


def test_versions_of_an_export_that_is_not_there_are_no_empty_list(lorads, tmp_path):
    code, _, err = lorads("diff", "nosuch", "--out", tmp_path)
    assert code == 9
    assert "There is no export 'nosuch'" in err


def test_an_index_that_the_settings_do_not_name_is_listed_with_what_to_add(lorads, store_settings, picture):
    """The samples of the demo are in one, whose images nothing would show otherwise."""
    folder = picture("demo/one.png").parent
    with open_store(load_settings(store_settings)) as store:
        index_folder(store, "demo", folder)
    found = json.loads(lorads("libraries", "--json")[1])
    assert [(each["name"], each["images"]) for each in found] == [("pictures", 3), ("demo", 1)]
    code, _, err = lorads("libraries")
    assert code == 0
    assert err.strip() == "To select images of it (--library demo), add [libraries.demo] to lorads.toml."
    assert "1 image," in lorads("libraries", "demo")[1]
    assert lorads("libraries", "nosuch")[0] == 3
    with store_settings.open("a", encoding="utf-8") as file:
        file.write("[libraries.demo]\n[libraries.pictures]\n")
    assert lorads("libraries")[2] == ""
    assert lorads("query", "--library", "demo")[0] == 0


@pytest.mark.parametrize(
    "words", [("query", "--library", "pictures"), ("captions", "mem"), ("lint", "mem"), ("libraries",), ("runs",)]
)
def test_what_lists_or_reports_prints_json_alone_on_request(lorads, words):
    found = json.loads(lorads(*words, "--json")[1])
    assert len(found) == {"query": 3, "captions": 3, "libraries": 1, "runs": 0}.get(words[0], len(found))


def test_images_leave_the_index_but_not_with_captions_that_were_edited(lorads, picture, store_settings):
    """Three images are in the dataset, one with an edited caption; of two others the file of one is gone."""
    more = picture("more/gone.png").parent
    picture("more/left.png")
    assert lorads("index", more)[0] == 0
    (more / "gone.png").unlink()
    assert lorads("index", more)[0] == 0
    assert lorads("captions", "mem", "--add-tag", "hat", "--containing", "number 1", "--apply")[0] == 0

    def known():
        with open_store(load_settings(store_settings)) as store, store.connection() as connection:
            return connection.execute(
                "SELECT count(*), count(missing_since) FROM lorads.images WHERE library = 'pictures'"
            ).fetchone()

    assert known() == (5, 1)
    assert lorads("unindex")[0] == 3, "all is not what is meant without --all"
    assert "0 images taken out" in lorads("unindex", "--missing", "--folder", more / "below")[1]
    assert "1 image taken out of pictures; the files stay" in lorads("unindex", "--missing", "--folder", more.parent)[1]
    assert known() == (4, 0)
    assert "1 image taken out" in lorads("unindex", "--folder", more)[1]
    assert (more / "left.png").exists()
    code, out, err = lorads("unindex", "--all")
    assert code == 0
    assert "2 images taken out" in out
    assert "1 image stays in the index, with captions edited by hand in a dataset" in " ".join(err.split())
    assert "They leave datasets too, which need to be built again: mem (2)" in " ".join(err.split())
    assert known() == (1, 0)
    assert "1 new" in lorads("index", more)[1], "indexed again it is a new image"
