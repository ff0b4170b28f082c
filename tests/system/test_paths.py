"""Names made from any text are safe on every system, and a path from outside stays inside its root."""

import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorads_core.errors import SettingsError
from lorads_core.system.paths import contained, has_device, slug

DEVICES = ["CON", "con", "prn", "AUX", "nul", "com1", "LPT9"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("../x", "x"),
        ("a/b", "a-b"),
        ("a\\b:c", "a-b-c"),
        ("", "concept"),
        ("\u521d\u97f3\u30df\u30af", "concept-1ac87a"),
        ("Zoë's cat", "Zoe-s-cat"),
        ("a_b_c_d_e_f", "a-b-c-d-e-f"),
        ("...", "concept"),
        ("x" * 300, "x" * 41 + "-0d4e2c"),
        ("tom \u732b", "tom-0731e8"),
    ],
)
def test_slug(text, name):
    assert slug(text, "concept") == name


def test_names_that_would_be_the_same_stay_apart():
    assert len({slug(text, "concept") for text in ("\u732b", "\u72ac", "x" * 60 + "1", "x" * 60 + "2")}) == 4


@pytest.mark.parametrize("device", DEVICES)
def test_windows_devices_are_no_names(device):
    assert slug(device, "concept").lower() != device.lower()


@given(st.text())
def test_any_text_becomes_a_plain_name(text):
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,48}", slug(text, "concept"))
    assert slug(text, "concept").lower() not in {device.lower() for device in DEVICES}


@pytest.mark.posix
def test_contained_follows_links(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(tmp_path)
    (root / "loop").symlink_to(root / "loop")
    for path in ("link", "link/x"):
        with pytest.raises(SettingsError, match="The folder"):
            contained(root, path, "The folder")


def test_contained(tmp_path):
    root = tmp_path / "root"
    (root / "inside").mkdir(parents=True)
    assert contained(root, "inside/new", "The folder") == root / "inside" / "new"
    assert contained(root, "", "The folder") == root
    for path in ("..", "inside/../..", "/etc", "a\0b"):
        with pytest.raises(SettingsError, match="The folder"):
            contained(root, path, "The folder")


@pytest.mark.posix
@pytest.mark.parametrize("path", ["link", "link/x"])
def test_a_link_that_leads_out_is_not_contained(tmp_path, path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(tmp_path)
    with pytest.raises(SettingsError, match="The folder"):
        contained(root, path, "The folder")


def test_a_path_that_the_system_will_not_look_at_is_a_settings_error(tmp_path, monkeypatch):
    def resolve(self, strict=False):  # noqa: ARG001, FBT002 - as pathlib's
        if self.name in faults:
            raise faults[self.name]
        return self

    faults = {
        "held": OSError(9, "Invalid handle"),
        "pipe": PermissionError(13, "All pipe instances are busy"),
        "loop": RuntimeError("Symlink loop"),
        "odd": ValueError("embedded null character"),
    }
    monkeypatch.setattr(Path, "resolve", resolve)
    for name in faults:
        with pytest.raises(SettingsError, match=r"The folder '.*' cannot be looked at"):
            contained(tmp_path, name, "The folder")
    with pytest.raises(SettingsError, match=r"The folder .*held cannot be looked at"):
        contained(tmp_path / "held", "x", "The name")


@pytest.mark.parametrize(
    ("path", "expected"),
    [(device, True) for device in DEVICES]
    + [("a/nul", True), ("a\\Con.txt", True), ("CONIN$", True), ("com\u00b9", True), ("nul .png", True), ("con:", True)]
    + [("console", False), ("a/null", False), ("my con", False), ("C:\\x", False), ("", False)],
)
def test_devices_are_found_anywhere_in_a_path(path, expected):
    assert has_device(path) is expected


def test_devices_are_refused_on_windows_alone(tmp_path, monkeypatch):
    if sys.platform != "win32":
        assert contained(tmp_path, "aux/pictures", "The folder")
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(SettingsError, match="device of Windows"):
        contained(tmp_path, "aux/pictures", "The folder")


@pytest.mark.skipif(sys.platform != "win32", reason="paths of Windows")
@pytest.mark.parametrize(
    "path",
    ["con", "nul", "a/con", "con.txt", "CONIN$", "\\\\.\\pipe\\x", "\\\\?\\C:\\", "\\\\server\\share\\x", "C:\\",
     "\\etc", "x:y",
     "\\\\?\\UNC\\server\\share", "a\0b", "..\\x", "\\\\?\\pipe\\x"],
)  # fmt: skip
def test_paths_that_lead_elsewhere_on_windows_are_refused(tmp_path, path):
    with pytest.raises(SettingsError, match="The folder"):
        contained(tmp_path, path, "The folder")


@pytest.mark.skipif(sys.platform != "win32", reason="paths of Windows")
@pytest.mark.parametrize("path", ["x. ", "x...", "\ud800", "...", " ", "x" * 300, "\N{CAT FACE}", "a|b", "a*?"])
def test_odd_names_on_windows_stay_inside_or_are_refused(tmp_path, path):
    try:
        found = contained(tmp_path, path, "The folder")
    except SettingsError:
        return
    assert found.is_relative_to(contained(tmp_path, "", "The folder"))


@pytest.mark.skipif(sys.platform != "win32", reason="paths of Windows")
def test_a_long_path_is_spelled_as_any_other(tmp_path):
    long = Path("\\\\?\\" + str(contained(tmp_path, "", "The folder")))
    assert contained(long, "x", "The folder") == contained(tmp_path, "x", "The folder")
