"""Paths for programs that know Windows' code page only."""

from pathlib import Path, PurePosixPath

import pytest

from lorads_core.errors import StoreError
from lorads_core.store import embedded
from lorads_core.system import codepage
from lorads_core.system.codepage import ansi_name, ansi_path

LONG = Path("C:/Users/日本語/AppData/Local/lorads")
SHORT = Path("C:/Users/65E5~1/AppData/Local/lorads")


def test_a_name_that_the_code_page_has_stays():
    for name in ("C:/Users/Jürgen Tom & Co", "C:/Users/it's %x ^!"):
        assert ansi_name(Path(name), "cp1252", lambda _path: pytest.fail("not asked for")) == Path(name)
    assert ansi_name(LONG, "cp932", lambda _path: pytest.fail("not asked for")) == LONG


def test_one_that_it_lacks_is_replaced_by_its_short_name():
    assert ansi_name(LONG, "cp1252", lambda _path: SHORT) == SHORT
    assert ansi_name(Path("C:/Users/Łukasz"), "cp1252", lambda _path: SHORT) == SHORT


def test_without_a_short_name_there_is_none():
    assert ansi_name(LONG, "cp1252", lambda _path: None) is None
    assert ansi_name(LONG, "cp1252", lambda _path: LONG) is None  # 8.3 names are off: it returns the long one


@pytest.mark.posix
def test_other_systems_take_every_name():
    assert ansi_path(LONG) == LONG
    assert codepage._short_name(LONG) is None


def test_a_store_that_postgresql_cannot_open_says_which_setting_helps(folder, monkeypatch):
    monkeypatch.setattr(embedded, "ansi_path", lambda _path: None)
    with pytest.raises(StoreError, match=r"code page .*lorads\.toml: \[embedded\] folder"):
        embedded.attach(folder / "日本語")


@pytest.mark.slow
def test_a_store_lies_under_its_short_name_for_postgresql(folder, monkeypatch):
    (folder / "short").mkdir()
    monkeypatch.setattr(embedded, "ansi_path", lambda _path: folder / "short")
    with embedded.attach(folder / "日本語") as attached:
        assert attached.folder == folder / "short"
        assert (folder / "short" / "data" / "PG_VERSION").exists()


def test_on_windows_a_variable_in_a_folders_name_is_refused(monkeypatch):
    monkeypatch.setattr(embedded.sys, "platform", "win32")
    with pytest.raises(StoreError, match="%TEMP%"):
        embedded._check_name(Path("C:/a%TEMP%b"))
    embedded._check_name(Path("C:/50% of $x"))


@pytest.mark.posix
def test_elsewhere_what_a_shell_reads_in_double_quotes_is_refused():
    with pytest.raises(StoreError, match=r"'\$'"):
        embedded._check_name(PurePosixPath("/a$b"))
    embedded._check_name(PurePosixPath("/a%TEMP%b"))
