"""Output that cannot be written ends a command in one sentence."""

import errno
import subprocess
import sys
import textwrap

import pytest

from lorads_core.cli.output import written_output
from lorads_core.errors import LoradsError


def test_a_full_disk_behind_standard_output_is_said():
    with pytest.raises(LoradsError, match="output cannot be written"), written_output():
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full", "/a/file"), OSError(errno.ENOENT, "gone")])
def test_errors_of_files_are_not_taken_for_those_of_the_output(error):
    with pytest.raises(OSError, match=error.strerror), written_output():
        raise error


@pytest.mark.posix
def test_a_command_printing_to_a_full_device_says_one_sentence_and_nothing_else():
    code = textwrap.dedent("""
        import sys
        from lorads_core.cli.output import written_output
        from lorads_core.errors import LoradsError
        try:
            with written_output():
                print("a caption")
        except LoradsError as error:
            sys.exit(str(error))
    """)
    with open("/dev/full", "w", encoding="utf-8") as full:
        ended = subprocess.run(
            [sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert ended.returncode == 1
    assert ended.stderr.startswith("The output cannot be written (No space left on device)")
    assert ended.stderr.count("\n") == 1
