"""Tests that are kept with their run."""

import json
import shutil
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from lorads_core.errors import TrainerError
from lorads_core.lora_tests.archive import ArchiveInfo, list_tests, save_test
from lorads_core.lora_tests.scores import Score
from lorads_core.model import Run

PICTURE = Image.new("RGB", (20, 10), (9, 9, 9))
SCORES = [Score("base model", prompt="a cat"), Score("last × 1", 2, "a cat", 0.5, "x.png", 0.9, 0.25)]


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    return Run(uuid.uuid4(), "tom", "sd-scripts", "local", "abcdef", None, folder, tmp_path, "completed")


def test_a_test_is_read_as_it_was_kept(run):
    folder = save_test(run, PICTURE, SCORES, ArchiveInfo("mine", "cats", "clip-x", {"3": {"inputs": {"seed": 7}}}))
    assert folder == run.folder / "tests" / "0001"
    assert {file.name for file in folder.iterdir()} == {"sheet.png", "results.json"}
    with Image.open(folder / "sheet.png") as sheet:
        assert sheet.size == (20, 10)
    (trial,) = list_tests(run)
    assert (trial.title, trial.dataset, trial.version, trial.space) == ("mine", "cats", "abcdef", "clip-x")
    assert list(trial.scores) == SCORES
    assert trial.at.utcoffset().total_seconds() == 0
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    assert results["graph"]["3"]["inputs"]["seed"] == 7


def test_many_at_once_get_numbers_of_their_own_and_are_whole(run):
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda n: save_test(run, PICTURE, SCORES, ArchiveInfo(str(n))), range(16)))
    assert sorted(folder.name for folder in folders) == [f"{n:04}" for n in range(1, 17)]
    assert {each.name for each in (run.folder / "tests").iterdir()} == {folder.name for folder in folders}
    assert {trial.title for trial in list_tests(run)} == {str(n) for n in range(16)}


def test_the_newest_hundred_are_kept(run):
    tests = run.folder / "tests"
    for n in range(9_950, 10_055):
        (tests / f"{n:04}").mkdir(parents=True)
    place = save_test(run, PICTURE, SCORES, ArchiveInfo("newest"))
    names = sorted(int(each.name) for each in tests.iterdir())
    assert (place.name, len(names), names[0], names[-1]) == ("10055", 100, 9_956, 10_055)
    assert [trial.title for trial in list_tests(run)] == ["newest"]


def test_a_graph_without_end_and_one_that_is_no_json_spoil_nothing(run):
    save_test(run, PICTURE, SCORES, ArchiveInfo("long", graph={"a": "x" * 2**21}))
    save_test(run, PICTURE, SCORES, ArchiveInfo("odd", graph={"a": {1, 2}}))
    assert [trial.title for trial in list_tests(run)] == ["odd", "long"]
    assert (run.folder / "tests" / "0001" / "results.json").stat().st_size < 4096


def test_a_test_is_stored_and_read_while_a_scanner_is_in_the_way(run, faulty):
    faulty.refuse("rename", times=2)
    faulty.refuse("read", matching="*/results.json", times=2)
    folder = save_test(run, PICTURE, SCORES, ArchiveInfo("mine"))
    assert [trial.folder for trial in list_tests(run)] == [folder]
    assert len(faulty.refused) == 4


def test_a_test_that_cannot_be_stored_says_why_and_earlier_ones_stay(run, faulty):
    save_test(run, PICTURE, SCORES, ArchiveInfo("mine"))
    faulty.refuse("rename", winerror=faulty.SHARING_VIOLATION)
    with pytest.raises(TrainerError, match=r"cannot be saved in .* open in another program"):
        save_test(run, PICTURE, SCORES, ArchiveInfo("second"))
    assert [trial.title for trial in list_tests(run)] == ["mine"]
    assert [each.name for each in (run.folder / "tests").iterdir()] == ["0001"]


def test_an_old_test_that_is_open_elsewhere_keeps_nobody_from_storing(run, faulty):
    for n in range(1, 101):
        (run.folder / "tests" / f"{n:04}").mkdir(parents=True)
    faulty.refuse("rmdir", matching="*/tests/0001")
    assert save_test(run, PICTURE, SCORES, ArchiveInfo("newest")).name == "0101"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"scores": 5}', '{"scores": [{"label": 1, "x": 2}]}', "\udcff"])
def test_a_damaged_test_is_left_out(run, text):
    save_test(run, PICTURE, SCORES, ArchiveInfo("whole"))
    spoilt = run.folder / "tests" / "0002"
    spoilt.mkdir()
    (spoilt / "results.json").write_text(text, encoding="utf-8", errors="surrogateescape")
    assert [trial.title for trial in list_tests(run)] == ["whole"]


def test_what_a_newer_version_has_added_is_left_out(run):
    file = save_test(run, PICTURE, SCORES, ArchiveInfo("mine")) / "results.json"
    values = json.loads(file.read_text(encoding="utf-8"))
    values["scores"][0]["aesthetic"] = 5
    file.write_text(json.dumps(values), encoding="utf-8")
    assert list(list_tests(run)[0].scores) == SCORES


def test_a_run_whose_folder_is_gone_is_said_and_not_made_anew(run):
    assert list_tests(run) == []
    shutil.rmtree(run.folder)
    with pytest.raises(TrainerError, match="is gone"):
        save_test(run, PICTURE, SCORES, ArchiveInfo())
    assert not run.folder.exists()


def test_a_folder_that_cannot_be_written_is_said(run):
    (run.folder / "tests").write_text("a file in the way", encoding="utf-8")
    with pytest.raises(TrainerError, match=r"cannot be saved in .*tests"):
        save_test(run, PICTURE, SCORES, ArchiveInfo())
