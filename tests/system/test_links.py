"""Links, junctions and online-only files, told apart on any system."""

import os
import sys
from types import SimpleNamespace

import pytest

from lorads_core.system import links

JUNCTION, CLOUD = 0xA0000003, 0x9000601A


class Entry:
    """A `DirEntry` of Windows: a junction is no symbolic link, and a folder also without links followed."""

    path = "C:\\pictures\\up"

    def __init__(self, tag=0, *, is_symlink=False):
        self.tag, self.symlink = tag, is_symlink

    def is_symlink(self):
        return self.symlink

    def stat(self, *, follow_symlinks=True):
        assert not follow_symlinks, "that would look at what it leads to"
        return SimpleNamespace(st_reparse_tag=self.tag)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [(Entry(JUNCTION), True), (Entry(CLOUD), False), (Entry(), False), (Entry(is_symlink=True), True)],
)
def test_a_junction_is_a_link(monkeypatch, entry, expected):
    monkeypatch.setattr(sys, "platform", "win32")
    assert links.is_link(entry) is expected


@pytest.mark.skipif(sys.platform == "win32", reason="there a stat without links followed is free")
def test_elsewhere_no_entry_is_looked_at_for_it():
    entry = Entry(JUNCTION)
    entry.stat = None
    assert not links.is_link(entry)


def test_a_walk_enters_no_junction_before_python_3_12_either(monkeypatch, tmp_path):
    (tmp_path / "plain").mkdir()
    (tmp_path / "up" / "plain").mkdir(parents=True)
    real = os.stat

    def stat(path, **options):
        if os.path.basename(path) == "up":
            return SimpleNamespace(st_reparse_tag=JUNCTION)
        return real(path, **options)

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(links.os, "stat", stat)
    assert [os.path.basename(base) for base, _, _ in links.walk(tmp_path)] == [tmp_path.name, "plain"]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"st_file_attributes": 0x20}, False),
        ({"st_file_attributes": 0x20 | 0x400000}, True),  # FILE_ATTRIBUTE_RECALL_ON_DATA_ACCESS
        ({"st_file_attributes": 0x40000}, True),  # FILE_ATTRIBUTE_RECALL_ON_OPEN
        ({"st_file_attributes": 0x1000}, True),  # FILE_ATTRIBUTE_OFFLINE
        ({"st_file_attributes": 0x80000}, False),  # FILE_ATTRIBUTE_PINNED: always on this device
        ({"st_flags": 0x40000000}, True),  # SF_DATALESS
        ({}, False),
    ],
)
def test_online_only_files_are_known_by_their_attributes(facts, expected):
    assert links.is_online_only(SimpleNamespace(**facts)) is expected


def test_on_windows_the_file_itself_is_looked_at_and_not_its_folders_list(monkeypatch, tmp_path):
    (tmp_path / "one.png").write_bytes(b"new content")
    stale = SimpleNamespace(path=str(tmp_path / "one.png"), stat=lambda: SimpleNamespace(st_size=3))
    monkeypatch.setattr(sys, "platform", "linux")
    assert links.true_stat(stale).st_size == 3  # elsewhere the list has nothing that could be stale
    monkeypatch.setattr(sys, "platform", "win32")
    assert links.true_stat(stale).st_size == 11
