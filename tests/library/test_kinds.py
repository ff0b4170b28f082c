"""Kinds of library by name: an unknown one is refused with those there are, and a foreign one is never written to."""

import pytest

from lorads_core.errors import LibraryError, SettingsError
from lorads_core.settings import load_settings
from lorads_core.workflow.dataset import index, open_library


def settings(tmp_path, text):
    (tmp_path / "lorads.toml").write_text(text, encoding="utf-8")
    return load_settings(tmp_path / "lorads.toml")


def test_an_unknown_kind_is_refused_with_those_there_are(store, tmp_path):
    found = settings(tmp_path, "[libraries.x]\nkind = 'cloud'\n")
    with pytest.raises(SettingsError, match="'cloud' is none of: diffusiontoolkit, diffusiontoolkit-sqlite, index"):
        open_library(store, found, "x")


def test_an_unknown_option_is_refused_by_name(store, tmp_path):
    found = settings(tmp_path, "[libraries.x]\nkind = 'index'\nfiles = 'a'\n")
    with pytest.raises(SettingsError, match=r"unknown key libraries\.x\.files"):
        open_library(store, found, "x")


def test_a_password_in_an_option_shows_nowhere(tmp_path):
    found = settings(tmp_path, "[libraries.x]\nkind = 'diffusiontoolkit'\ndsn = 'postgresql://u:hunter2@db/x'\n")
    assert "hunter2" not in repr(found)


def test_another_programs_library_is_not_indexed_into(store, tmp_path):
    found = settings(tmp_path, "[libraries.x]\nkind = 'diffusiontoolkit-sqlite'\nfile = 'x.db'\n")
    with pytest.raises(LibraryError, match="only read here"):
        index(store, found, "x", tmp_path)
