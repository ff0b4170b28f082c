"""Tests that cannot hold under wine, by wine's own doing, each with its reason; Windows itself runs them."""

from __future__ import annotations

from fnmatch import fnmatchcase

# Test ids as pytest prints them, with * and ?; whoever adds a row says what wine does otherwise than Windows.
DIFFERENCES: tuple[tuple[str, str], ...] = (
    (
        "tests/cli/test_cli.py::test_the_installed_command_answers",
        "imported from the checkout there",
    ),
    (
        "tests/export/test_start_script.py::test_letters_of_all_alphabets_are_read_from_the_script",
        "chcp is not understood by wine 8's cmd, which reads a batch file in the code page of the system",
    ),
    (
        "tests/store/test_postmaster.py::test_a_server_whose_command_line_may_not_be_read_is_alive_*",
        "wine does not tell a process's name by its number (SystemProcessIdInformation): psutil's name() always fails",
    ),
)

# Folders and files that are not run at all.
LEFT_OUT: tuple[tuple[str, str], ...] = (
    ("tests/test_wheel.py", "pip of the environment there builds nothing"),
    ("tests/test_house.py", "it reads our source, the same everywhere, with the import linter, not installed there"),
    ("tests/browser/*", "no Chromium runs under wine"),
    ("tests/comfyui/*", "no ComfyUI with torch runs under wine, and no Chromium"),
)


def reason_for(test: str) -> str | None:
    """Return why a test (or file) is not run under wine, None where it is."""
    return next((reason for pattern, reason in (*DIFFERENCES, *LEFT_OUT) if fnmatchcase(test, pattern)), None)
