"""The faulty file system of the tests itself, and the ground package's patience with it."""

import os
import shutil
import sys

import pytest

from lorads_core.system import files


@pytest.fixture
def tree(tmp_path):
    """A folder with a file in it."""
    (tmp_path / "tom").mkdir()
    (tmp_path / "tom" / "1.png").write_bytes(b"picture")
    return tmp_path / "tom"


def test_nothing_is_refused_unasked(faulty, tree):
    (tree / "1.png").rename(tree / "2.png")
    os.replace(tree / "2.png", tree / "3.png")
    assert (tree / "3.png").read_bytes() == b"picture"
    shutil.rmtree(tree)
    assert (faulty.refused, faulty.waited) == ([], 0)


def _empty(tree):
    (tree / "empty").mkdir(exist_ok=True)
    return tree / "empty"


@pytest.mark.parametrize(
    ("operation", "do"),
    [
        ("rename", lambda tree: (tree / "1.png").rename(tree / "2.png")),
        ("rename", lambda tree: os.rename(tree / "1.png", tree / "2.png")),
        ("replace", lambda tree: (tree / "1.png").replace(tree / "2.png")),
        ("unlink", lambda tree: (tree / "1.png").unlink()),
        ("unlink", shutil.rmtree),
        ("rmdir", lambda tree: os.rmdir(_empty(tree))),
        ("read", lambda tree: (tree / "1.png").read_bytes()),
        ("read", lambda tree: open(tree / "1.png", "rb").close()),
        ("write", lambda tree: (tree / "1.png").write_bytes(b"")),
        ("mkdir", lambda tree: (tree / "1.png.d").mkdir()),
        ("link", lambda tree: (tree / "2.png").hardlink_to(tree / "1.png")),
        ("symlink", lambda tree: (tree / "2.png").symlink_to(tree / "1.png")),
    ],
)
def test_an_operation_is_refused_as_often_as_asked(faulty, tree, operation, do):
    faulty.refuse(operation, times=1, winerror=32)
    with pytest.raises(PermissionError) as caught:
        do(tree)
    assert caught.value.winerror == 32
    assert (tree / "1.png").read_bytes() == b"picture"
    assert [each for each, _ in faulty.refused] == [operation]
    do(tree)


def test_only_what_matches_is_refused(faulty, tree):
    faulty.refuse("rename", matching="*/tom")
    (tree / "1.png").rename(tree / "2.png")
    with pytest.raises(PermissionError):
        tree.rename(tree.with_name("old"))
    (tree / "2.png").rename(tree / "1.png")
    faulty.allow()
    tree.rename(tree.with_name("old"))


def test_a_link_without_the_privilege_is_no_permission_error(faulty, tree):
    faulty.refuse("symlink", winerror=faulty.NO_PRIVILEGE)
    with pytest.raises(OSError, match="1314") as caught:
        (tree / "2.png").symlink_to(tree / "1.png")
    assert not isinstance(caught.value, PermissionError)


def test_what_is_open_elsewhere_can_be_read_but_not_moved_and_nor_can_its_folder(faulty, tree):
    with faulty.held_open(tree / "1.png"):
        assert (tree / "1.png").read_bytes() == b"picture"
        for move in (
            lambda: (tree / "1.png").rename(tree / "2.png"),
            (tree / "1.png").unlink,
            lambda: tree.rename(tree.with_name("old")),
        ):
            with pytest.raises(PermissionError):
                move()
        (tree / "2.png").touch()
        with pytest.raises(PermissionError):
            (tree / "2.png").replace(tree / "1.png")
    tree.rename(tree.with_name("old"))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process has open")
def test_what_this_process_has_open_is_held_too(faulty, tree):  # noqa: ARG001 - it is at work
    with (tree / "1.png").open("rb"), pytest.raises(PermissionError):
        tree.rename(tree.with_name("old"))


def test_the_ground_package_waits_and_no_time_passes(faulty, tree):
    faulty.refuse("rename", times=3)
    files.rename(tree, tree.with_name("old"))
    assert 0.05 < faulty.waited < 1
    faulty.refuse("unlink")
    with pytest.raises(PermissionError):
        files.remove(tree.with_name("old") / "1.png")
    assert 4 < faulty.waited < 6
