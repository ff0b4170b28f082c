"""Operations on files that another program holds open: waited for, undone by nobody, and explained."""

import errno
import os
import shutil
import socket
import stat
import sys
import time
from pathlib import Path

import pytest

from lorads_core.system import files


def in_use(code=32):
    error = PermissionError(errno.EACCES, "The process cannot access the file because it is being used")
    error.winerror = code
    return error


@pytest.fixture
def refused(monkeypatch):
    """Return a function that lets an operation of ``os`` fail a number of times; it returns the calls so far."""

    def refuse(name, times, error=None):
        real, calls = getattr(os, name), []

        def operation(*arguments, **options):
            calls.append(arguments)
            if len(calls) <= times:
                raise error or in_use()
            return real(*arguments, **options)

        monkeypatch.setattr(os, name, operation)
        return calls

    return refuse


@pytest.fixture
def pair(tmp_path):
    """Return two files with the texts "new" and "old"."""
    (tmp_path / "new").write_text("new")
    (tmp_path / "old").write_text("old")
    return tmp_path / "new", tmp_path / "old"


@pytest.mark.parametrize("code", [5, 32, 33, 1224])
def test_a_replace_that_is_refused_for_a_moment_succeeds(pair, refused, code):
    calls = refused("replace", 3, in_use(code))
    files.replace(*pair)
    assert len(calls) == 4
    assert pair[1].read_text() == "new"
    assert not pair[0].exists()


def test_what_stays_refused_is_an_error_and_both_files_stay(pair, refused, monkeypatch):
    monkeypatch.setattr(files, "PATIENCE", 0.2)
    calls = refused("replace", 10**9)
    with pytest.raises(PermissionError):
        files.retry_in_use(lambda: os.replace(*pair), 0.2)
    assert len(calls) > 3
    assert (pair[0].read_text(), pair[1].read_text()) == ("new", "old")


def test_an_error_that_will_not_pass_is_raised_at_once(tmp_path):
    begun = time.monotonic()
    for operation in (files.replace, files.rename):
        with pytest.raises(FileNotFoundError):
            operation(tmp_path / "none", tmp_path / "target")
    with pytest.raises(FileNotFoundError):
        files.read_bytes(tmp_path / "none")
    with pytest.raises(OSError, match="full"):
        files.retry_in_use(lambda: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    assert time.monotonic() - begun < 0.5


def test_where_the_system_does_not_tell_use_from_permission_it_is_given_up_sooner(monkeypatch):
    calls = []
    monkeypatch.setattr(files, "_POSIX_PATIENCE", 0.1)

    def denied():
        calls.append(1)
        raise PermissionError(errno.EACCES, "Permission denied")

    with pytest.raises(PermissionError):
        files.retry_in_use(denied, 60)
    assert len(calls) > 1


def test_a_rename_takes_no_name_that_is_taken(pair, tmp_path):
    with pytest.raises(FileExistsError):
        files.rename(*pair)
    assert pair[1].read_text() == "old"
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()  # POSIX would put a over an empty b
    with pytest.raises(FileExistsError):
        files.rename(tmp_path / "a", tmp_path / "b")


def test_folders_are_renamed_after_a_moment(tmp_path, refused):
    (tmp_path / "a" / "deep").mkdir(parents=True)
    (tmp_path / "a" / "deep" / "file").write_text("x")
    refused("rename", 2, in_use(5))
    files.rename(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b" / "deep" / "file").read_text() == "x"
    assert not (tmp_path / "a").exists()


def test_what_is_not_there_needs_no_removal(tmp_path):
    files.remove(tmp_path / "none")
    files.remove_folder(tmp_path / "none")
    assert files.remove_tree_if_possible(tmp_path / "none")


def test_leftovers_that_are_in_use_are_left_for_later(tmp_path, refused):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_text("x")
    refused("unlink", 10**9)
    begun = time.monotonic()
    assert not files.remove_tree_if_possible(tmp_path / "a")
    assert time.monotonic() - begun < 1


def test_a_link_in_a_tree_is_removed_and_what_it_names_stays(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("x")
    (tmp_path / "tree").mkdir()
    try:
        (tmp_path / "tree" / "link").symlink_to(tmp_path / "kept", target_is_directory=True)
    except OSError:
        pytest.skip("no symbolic links here")
    assert files.remove_tree_if_possible(tmp_path / "tree")
    assert (tmp_path / "kept" / "file").read_text() == "x"


def test_a_file_that_is_being_replaced_is_read_after_a_moment(pair, monkeypatch):
    real, calls = files.open_regular, []

    def opened(path):
        calls.append(path)
        if len(calls) < 4:
            raise in_use()
        return real(path)

    monkeypatch.setattr(files, "open_regular", opened)
    assert files.read_text(pair[0]) == "new"
    assert len(calls) == 4


def test_read_only_files_are_removed_on_windows(tmp_path, monkeypatch):
    """There the attribute of a file, and not that of its folder, forbids it: a copy of a read-only picture."""
    file = tmp_path / "a" / "file"
    file.parent.mkdir()
    file.write_text("x")
    file.chmod(stat.S_IREAD)
    real = os.unlink

    def unlink(path, *arguments, **options):
        if not os.stat(file).st_mode & stat.S_IWRITE:
            raise in_use(5)
        real(path, *arguments, **options)

    monkeypatch.setattr(os, "unlink", unlink)
    monkeypatch.setattr(sys, "platform", "win32")
    # As on Windows, where no removal goes by an open folder.
    monkeypatch.setattr(shutil, "_use_fd_functions", False)
    assert files.remove_tree_if_possible(file.parent)
    file.parent.mkdir()
    file.write_text("x")
    file.chmod(stat.S_IREAD)
    files.remove(file)
    assert not file.exists()


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (in_use(32), "open in another program"),
        (in_use(145), "open in another program"),
        (in_use(5), "access is denied: it is open in another program"),
        (OSError(errno.EBUSY, "Device or resource busy"), "open in another program"),
        (PermissionError(errno.EACCES, "Permission denied"), "Permission denied: check its permissions"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (OSError("something"), "something"),
        (OSError(), "OSError"),
    ],
)
def test_the_reason_is_one_that_a_person_can_do_something_about(error, says):
    assert says in files.file_error_reason(error)
    assert not files.file_error_reason(error).endswith(".")


@pytest.fixture(params=["pipe", "socket", "device", "link to a pipe"])
def odd(request, tmp_path):
    """What is no regular file, and would make a plain reader wait or fail."""
    path = tmp_path / "odd"
    if request.param == "socket":
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(path))
    elif request.param == "device":
        path = Path("/dev/zero")
    elif request.param == "pipe":
        os.mkfifo(path)
    else:
        os.mkfifo(tmp_path / "pipe")
        path.symlink_to(tmp_path / "pipe")
    return path


@pytest.mark.posix
@pytest.mark.parametrize("read", [files.read_bytes, files.read_text, files.open_regular, files.open_descriptor])
def test_a_pipe_socket_or_device_is_refused_not_waited_for(odd, read):
    with pytest.raises(OSError, match=r"regular file|No such device"):
        read(odd)


def test_a_folder_is_no_file_to_read(tmp_path):
    with pytest.raises((IsADirectoryError, PermissionError)):
        files.read_bytes(tmp_path)


def test_text_is_read_with_line_feeds_as_line_ends(tmp_path):
    (tmp_path / "a.txt").write_bytes("\ufeffä\r\nb\rc\n".encode())
    assert files.read_text(tmp_path / "a.txt", "utf-8-sig") == "ä\nb\nc\n"
