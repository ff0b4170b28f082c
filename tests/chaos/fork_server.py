"""Fork server: `python -m tests.chaos.fork_server` imports LoRADS once and forks a process for each command.

An import takes longer than most commands; a process that is forked after it is as real, and is killed where it works.
Orders come as lines of JSON: argv, environment, cwd, output, largest_file; answers are `started PID` and
`ended PID CODE SECONDS`, with the seconds of processor time that it took.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from importlib import import_module

from lorads_core.cli.commands import MODULES as COMMAND_MODULES
from lorads_core.cli.main import main as lorads

MODULES = (
    *(f"lorads_core.cli.commands.{module}" for module in COMMAND_MODULES),
    *(
        "lorads_core.cli.console",
        "lorads_core.trainers.sd_scripts",
        "psycopg_pool",
        "regex",
    ),
    *("matplotlib.figure", "PIL.PngImagePlugin", "PIL.JpegImagePlugin", "PIL.WebPImagePlugin"),
)


def serve() -> list[str]:
    """Fork a process for each order; return the arguments of a command, in its process."""
    signal.signal(signal.SIGCHLD, lambda *_: reap())
    for line in sys.stdin:
        order = json.loads(line)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})  # that it ended is not said before its start
        process = os.fork()
        if process == 0:
            become(order)
            return order["argv"]
        os.write(1, b"started %d\n" % process)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    sys.exit(0)


def reap() -> None:
    """Say which processes have ended."""
    while True:
        try:
            process, status, used = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if process == 0:
            return
        code = os.waitstatus_to_exitcode(status)
        os.write(1, b"ended %d %d %f\n" % (process, code, used.ru_utime + used.ru_stime))


def become(order: dict) -> None:
    """Turn this process into one that was started for a command alone."""
    import resource  # noqa: PLC0415 - Windows has none

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a shell ignores Ctrl-C
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # and nohup this
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["cwd"])
    for number, name, flags in ((0, os.devnull, os.O_RDONLY), (1, order["output"], os.O_WRONLY | os.O_CREAT)):
        file = os.open(name, flags, 0o600)
        os.dup2(file, number)
        os.close(file)
    os.dup2(1, 2)
    os.lseek(1, 0, os.SEEK_SET)
    if order["largest_file"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["largest_file"],) * 2)


if __name__ == "__main__":
    for each in MODULES:
        import_module(each)
    sys.argv = ["lorads", *serve()]
    sys.exit(lorads())
