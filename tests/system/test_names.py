"""Paths in the spelling of the file system, and all the ways to spell one."""

import os
import sys
import unicodedata
from pathlib import Path

import pytest

from lorads_core.system.names import spelling_key, spellings, true_path, without_long_prefix

NFC, NFD = "Größe", unicodedata.normalize("NFD", "Größe")


@pytest.fixture
def macos(monkeypatch):
    """A macOS on which an open file tells its path in the spelling of the disk, as F_GETPATH has it."""

    fcntl = pytest.importorskip("fcntl")

    def as_macos_spells(spelled):
        def told(descriptor, what, room):
            assert what == 50
            path = os.readlink(f"/proc/self/fd/{descriptor}")
            return os.fsencode(spelled.get(path, path)).ljust(len(room), b"\0")

        monkeypatch.setattr(sys, "platform", "darwin")
        monkeypatch.setattr(fcntl, "fcntl", told)

    return as_macos_spells


@pytest.mark.posix
@pytest.mark.parametrize(("typed", "stored"), [("pictures", "Pictures"), (NFC, NFD)])
def test_a_folder_is_spelled_as_macos_stores_it_however_it_was_typed(macos, tmp_path, typed, stored):
    (tmp_path / typed).mkdir()  # stands for the folder that macOS finds under either spelling
    macos({str(tmp_path / typed): str(tmp_path / stored)})
    assert str(true_path(tmp_path / typed)) == str(tmp_path / stored)
    assert str(true_path(tmp_path / typed / "new" / "Below")) == str(tmp_path / stored / "new" / "Below")


@pytest.mark.posix
def test_a_file_system_that_does_not_tell_leaves_the_real_path(macos, tmp_path, monkeypatch):
    macos({})

    def refused(*_):
        raise OSError(45, "Operation not supported")

    monkeypatch.setattr("fcntl.fcntl", refused)
    assert true_path(tmp_path / "x") == (tmp_path / "x").resolve()


@pytest.mark.posix
def test_elsewhere_it_is_the_real_path(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert true_path(tmp_path / "link" / "x") == tmp_path / "real" / "x"


def test_what_a_file_system_may_take_for_one_has_one_key():
    assert spelling_key(f"/A/{NFC}") == spelling_key(f"/a/{NFD}") == spelling_key(f"/a/{NFC.upper()}")
    assert spelling_key("/a/b") != spelling_key("/a/c")


def test_every_mixture_of_unicode_forms_is_a_spelling_the_given_one_first():
    found = spellings(f"/{NFC}/x/{NFD}")
    assert found[0] == f"/{NFC}/x/{NFD}"
    assert set(found) == {f"/{one}/x/{two}" for one in (NFC, NFD) for two in (NFC, NFD)}
    assert spellings("C:\\a/b") == ("C:\\a/b",)
    assert len(spellings("/ä" * 40)) == 16


def test_a_nul_character_is_an_error():
    with pytest.raises(ValueError, match="null"):
        true_path(Path("a\0b"))


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        ("\\\\?\\C:\\x\\y", "C:\\x\\y"),
        ("\\\\?\\UNC\\server\\share\\x", "\\\\server\\share\\x"),
        ("\\\\?\\unc\\server\\share", "\\\\server\\share"),
        ("\\\\server\\share\\x", "\\\\server\\share\\x"),
        ("\\\\.\\pipe\\x", "\\\\.\\pipe\\x"),
        ("\\\\?\\pipe\\x", "\\\\?\\pipe\\x"),
        ("C:\\x", "C:\\x"),
    ],
)
def test_long_paths_of_windows_are_spelled_as_others(path, plain):
    assert without_long_prefix(path) == plain
