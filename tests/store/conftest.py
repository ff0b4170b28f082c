"""What the tests of the embedded server share: a place for one, and other processes that use it."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

import lorads_core
from lorads_core.store import postmaster

ATTACH = """
    import sys
    from pathlib import Path
    from lorads_core.store.embedded import attach
    attached = attach(Path(sys.argv[1]))
    print("attached", flush=True)
    sys.stdin.readline()
    {close}
"""


@pytest.fixture
def pid_of():
    """Return a function: the process number of the server of a folder, None where there is none."""

    def pid_of(folder):
        found = postmaster.running(postmaster.Cluster(folder, None))
        return found.pid if found else None

    return pid_of


@pytest.fixture
def home(folder, pid_of):
    """Return where a store is to be; whatever server is left there is killed at the end."""
    yield folder / "store"
    if pid := pid_of(folder / "store"):
        psutil.Process(pid).kill()


@pytest.fixture
def start():
    """Return a function that starts Python on a script; what still runs at the end is killed."""
    started = []

    def start(script, *arguments, python=sys.executable, places=(), **options):
        path = [*map(str, places), str(Path(lorads_core.__file__).parent.parent), *sys.path]
        process = subprocess.Popen(
            [python, "-c", textwrap.dedent(script), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
            **options,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def start_client(start):
    """Return a function that starts a client of a folder's server; it says "attached", and leaves on a line."""

    def start_client(folder, *, close=True, **options):
        return start(ATTACH.format(close="attached.close()" if close else ""), folder, **options)

    return start_client
