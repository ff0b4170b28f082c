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


@pytest.mark.posix
@pytest.mark.parametrize("printed", ["print('x' * 9)", "Screen().line('x' * 9)", "Screen().path('x' * 9)"])
def test_a_reader_that_has_seen_enough_ends_a_command_without_a_word(printed):
    code = textwrap.dedent(f"""
        from lorads_core.cli.console import Screen
        from lorads_core.cli.output import written_output
        input()
        with written_output():
            for _ in range(100_000):
                {printed}
    """)
    command = [sys.executable, "-c", code]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as ended:
        ended.stdout.close()
        ended.stdin.write("\n")
        ended.stdin.close()
        said = ended.stderr.read()
    assert (ended.returncode, said) == (141, "")


@pytest.mark.posix
def test_another_pipe_that_breaks_is_no_reader_of_the_output():
    with pytest.raises(BrokenPipeError), written_output():
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")
