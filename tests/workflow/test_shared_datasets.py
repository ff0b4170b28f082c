"""Datasets of a store that people share: namesakes are named, and hand-edited captions do not leave unnoticed."""

import io

import pytest
from PIL import Image
from rich.console import Console

from lorads_core.cli.commands.workflow import confirm_replacing
from lorads_core.cli.console import Screen
from lorads_core.errors import CaptionError
from lorads_core.library.filter import DatasetFilter
from lorads_core.settings import Settings, load_settings
from lorads_core.workflow import captions as captioning
from lorads_core.workflow.dataset import index, open_library, query
from lorads_core.workflow.parse import caption_settings

from ..edits import edit_caption

CAPTIONS = caption_settings("sidecar", (), "tomcat", "prepend", "sdxl")


@pytest.fixture
def queried(store, tmp_path):
    """Return a function that queries "tomcat" from one of two folders with two images each."""
    for folder in ("cats", "dogs"):
        (tmp_path / folder).mkdir()
        for number in range(2):
            Image.new("RGB", (64, 64), (90 * number, 40, len(folder))).save(tmp_path / folder / f"{number}.png")
            (tmp_path / folder / f"{number}.txt").write_text(f"one of the {folder}", encoding="utf-8")
    index(store, Settings(), "pictures", tmp_path)
    library = open_library(store, Settings(), "pictures")
    return lambda folder: query(store, library, "tomcat", DatasetFilter(folders=(str(tmp_path / folder),)))


@pytest.fixture
def edited(store, queried):
    """Return the dataset "tomcat" of cats, one caption of which was edited by hand."""
    dataset = captioning.caption(store, Settings(), queried("cats").dataset, CAPTIONS).dataset
    with store.connection() as connection:
        edit_caption(connection, dataset.id, dataset.training[0].key, "tomcat, by hand")
    return dataset


def test_it_is_said_that_images_with_hand_edited_captions_leave_a_dataset(store, queried, edited):
    again = captioning.caption(store, Settings(), queried("cats").dataset, CAPTIONS)
    assert "replaced" not in {problem.code for problem in again.problems}
    other = captioning.caption(store, Settings(), queried("dogs").dataset, CAPTIONS)
    found = next(problem for problem in other.problems if problem.code == "replaced")
    assert found.message.startswith("1 image with a hand-edited caption leaves the dataset 'tomcat'")
    back = captioning.caption(store, Settings(), queried("cats").dataset, CAPTIONS).dataset
    assert back.training[0].caption.text == "tomcat, by hand"
    assert back.id == edited.id


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.usefixtures("edited")
@pytest.mark.parametrize(("answer", "goes_on"), [("y\n", True), ("n\n", False), ("\n", False), ("", False)])
def test_the_command_asks_before_they_leave(store, queried, monkeypatch, answer, goes_on):
    screen, shown = Screen(), io.StringIO()
    screen.err = Console(file=shown, force_terminal=True, width=500, highlight=False)
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    if goes_on:
        confirm_replacing(store, queried("dogs").dataset, screen)
    else:
        with pytest.raises(CaptionError, match="Nothing was changed in 'tomcat'"):
            confirm_replacing(store, queried("dogs").dataset, screen)
    assert "hand-edited caption" in shown.getvalue()
    assert "[y/N]" in shown.getvalue()


@pytest.mark.usefixtures("edited")
def test_a_program_that_runs_the_command_is_not_asked(store, queried, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    confirm_replacing(store, queried("dogs").dataset, Screen())


def test_another_owner_s_dataset_of_the_name_is_named_and_left_alone(store, queried):
    store.owner = "anna@studio"
    hers = captioning.caption(store, Settings(), queried("cats").dataset, CAPTIONS).dataset
    store.owner = "ben@attic"
    found = queried("dogs")
    his = captioning.caption(store, Settings(), found.dataset, CAPTIONS).dataset
    assert his.id != hers.id
    assert "anna@studio/tomcat" in next(each.message for each in found.problems if each.code == "namesake")
    read = captioning.draft(store, Settings(), "anna@studio/tomcat").dataset
    assert (read.id, [image.key for image in read.training]) == (hers.id, [image.key for image in hers.training])
    assert captioning.draft(store, Settings(), "tomcat").dataset.id == his.id


def test_edits_are_the_person_s_who_uses_the_store(store, edited):
    store.person = "ben@attic"
    assert captioning.undo_edit(store, edited)
    assert captioning.edit_history(store, edited)[0].undone_by == "ben@attic"


def test_the_owner_is_the_settings_or_user_and_machine_of_a_shared_store(tmp_path):
    file = tmp_path / "lorads.toml"
    file.write_text("store = 'x'\n[stores.x]\ndsn = 'postgresql://db/lorads'\n", encoding="utf-8")
    shared = load_settings(file)
    assert shared.name_space == shared.person != ""
    assert "@" in shared.person
    assert "/" not in shared.person
    file.write_text("owner = 'anna'\n", encoding="utf-8")
    assert (load_settings(file).name_space, load_settings(file).person) == ("anna", "anna")
    assert Settings().name_space == ""
