"""Names made from any text are safe on every system, and a path from outside stays inside its root."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorads_core.errors import SettingsError
from lorads_core.paths import contained, slug

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
