"""Detached processes, which outlive the process that starts them, also where a whole process tree or job is ended.

ComfyUI Desktop and Stability Matrix end ComfyUI with all its descendants, found by the ids of parents; some terminals
end all processes of a session or of a Windows job. So a detached process is started by a short-lived one in between,
in a session of its own, and on Windows outside the job where the job allows it.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

# What the process in between does: start its arguments, pass standard input and error on, and end.
_MIDDLE = """
import subprocess, sys
def start(flags):
    return subprocess.Popen(sys.argv[1:], stdin=sys.stdin, stdout=subprocess.DEVNULL, stderr=sys.stderr,
                            start_new_session=True, creationflags=flags)
if sys.platform == "win32":
    quiet = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
    try:
        start(quiet | subprocess.CREATE_BREAKAWAY_FROM_JOB)
    except PermissionError:  # a job that lets nobody out
        start(quiet)
else:
    start(0)
"""


def python_command(code: str, *arguments: str) -> list[str]:
    """Return the command that runs ``code`` in this Python, with our packages; ``arguments`` are its sys.argv[1:]."""
    return [sys.executable, "-c", code, *arguments]


def start_detached(
    command: Sequence[str],
    *,
    cwd: Path,
    faults: BinaryIO,
    given: bytes = b"",
    environment: Mapping[str, str] | None = None,
) -> None:
    """Start a process that goes on without us, and return at once.

    Args:
        command: what to start.
        cwd: its working folder.
        faults: an open file that takes its standard error.
        given: what it reads from its standard input.
        environment: its environment, ours where None.

    Raises:
        OSError: this Python cannot be started; why ``command`` cannot is written to ``faults``.
    """
    middle = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _MIDDLE, *command],
        cwd=cwd,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=faults,
        start_new_session=True,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    # Somebody must take note of its end, or it stays as a zombie for as long as we are here.
    threading.Thread(target=middle.wait, name="lorads-detached", daemon=True).start()
    if middle.stdin:
        with middle.stdin as pipe:
            pipe.write(given)
