"""The rule of permissions: what is made of files gives nobody a right that one of them does not give."""

import os

import pytest

from lorads_core.system import rights
from lorads_core.system.rights import EVERYONE, OWNER, common_rights, gives_more, limit_rights, make_private_folder

from ..rights import mode

pytestmark = [pytest.mark.posix, pytest.mark.usefixtures("usual_umask")]


def made(path, bits):
    path.touch()
    path.chmod(bits)
    return path


def test_several_files_give_what_each_of_them_gives(tmp_path):
    files = [made(tmp_path / str(bits), bits) for bits in (0o644, 0o640, 0o664)]
    assert common_rights(files) & 0o077 == 0o040
    assert common_rights([]) == EVERYONE


def test_a_file_that_is_not_there_counts_for_nothing(tmp_path):
    assert common_rights([tmp_path / "none", tmp_path / "a\0b", made(tmp_path / "a", 0o604)]) & 0o077 == 0o004


@pytest.mark.parametrize(
    ("given", "of_file", "of_folder"),
    [(0o600, 0o600, 0o700), (0o640, 0o640, 0o750), (0o644, 0o644, 0o755), (0o700, 0o600, 0o700), (0o777, 0o644, 0o755)],
)
def test_those_who_may_not_read_can_neither_read_nor_enter(tmp_path, given, of_file, of_folder):
    file, folder = made(tmp_path / "file", 0o644), tmp_path / "folder"
    folder.mkdir()
    for each in (file, folder):
        limit_rights(each, given)
    assert (mode(file), mode(folder)) == (of_file, of_folder)


def test_rights_are_never_given(tmp_path):
    file = made(tmp_path / "file", 0o600)
    limit_rights(file, 0o644)
    assert mode(file) == 0o600


def test_a_folder_that_passes_its_group_on_goes_on_doing_so(tmp_path):
    tmp_path.chmod(0o2775)
    limit_rights(tmp_path, 0o640)
    assert mode(tmp_path) == 0o2770


def test_an_open_file_is_limited_before_anything_is_in_it(tmp_path):
    with (tmp_path / "file").open("w") as file:
        limit_rights(file.fileno(), OWNER)
    assert mode(tmp_path / "file") == 0o600


def test_a_drive_without_permissions_is_left_as_it_is_and_noticed(tmp_path, monkeypatch):
    def refused(*_):
        raise PermissionError(1, "Operation not permitted")

    file = made(tmp_path / "file", 0o644)
    monkeypatch.setattr(os, "chmod", refused)
    limit_rights(file, OWNER)
    assert gives_more(file, OWNER)
    assert not gives_more(file, 0o644)
    assert not gives_more(tmp_path / "none", OWNER)


def test_a_private_folder_is_made_and_one_that_is_there_becomes_private(tmp_path):
    there = tmp_path / "there"
    there.mkdir(0o755)
    for folder in (there, tmp_path / "new"):
        make_private_folder(folder)
        assert mode(folder) == 0o700


def test_nothing_is_changed_on_windows(tmp_path, monkeypatch):
    file = made(tmp_path / "file", 0o644)
    monkeypatch.setattr(rights.sys, "platform", "win32")
    limit_rights(file, OWNER)
    assert mode(file) == 0o644
    assert not gives_more(file, OWNER)
