"""The watcher: a small process of its own that starts one trainer, follows what it prints, and sees it end.

It outlives the process that launched it, and writes what it sees into the run's folder. The trainer outlives it in
turn: another watcher reads on where it was cut off.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from ..system.files import open_regular
from . import run_folder as files
from .caching import cached_files, count_missing, judge_stage, remove_broken
from .card_memory import MemoryWatch, Peak
from .console_output import ConsoleOutput
from .failure_reasons import signed
from .follow import Follower
from .log import Lines, Log, tail
from .lora_loading import save_loadings
from .outcome import determine_outcome, saved_loras
from .processes import ProcessTree, adopt_orphans, alive, environment_of, identity, stoppable
from .run_folder import Order, Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .outcome import Outcome
    from .run_folder import Caching

_LOOK = 0.25  # seconds between two looks at the trainer
_STATUS_SECONDS = 1.0  # seconds between two statuses
_COUNT = 2.0  # seconds between two looks for what it has started
_CHUNKS = 64  # pieces of output read between two looks at the trainer, of a flood of it
_SHORTEST_SECRET = 6
_LONGEST_PAUSE = 10.0  # seconds between two tries to write the last status
_LOCK_PATIENCE = 5.0  # seconds: who looks whether a watcher is there holds its lock for a moment


class Watcher:
    """One training from its start, or from where an earlier watcher was cut off, to its end."""

    def __init__(self, folder: Path, order: Order, secrets: tuple[str, ...] = (), former: Status | None = None) -> None:
        self._folder = folder
        self._order = order
        self._secrets = re.compile("|".join(map(re.escape, secrets))) if secrets else None
        self._follower = Follower(order)
        self._console = ConsoleOutput(folder, former.printed if former else 0)
        self._lines = Lines()
        self._log = Log(folder, former.log if former else None)
        self._reports = _Reports(Path(order.reports), order.reports_from) if order.reports else None
        self._told = self._counted = 0.0
        self._is_noted = False  # who the trainer is
        self._memory = MemoryWatch(Peak(former.peak_memory, former.peak_of_card) if former else Peak())
        self._status = Status(
            watcher=identity(os.getpid()), started=time.time(), total_steps=order.total_steps, message=order.note
        )

    def start(self, environment: Mapping[str, str]) -> None:
        """Run the stages of a training one after the other and watch them to their end."""
        order = self._order
        begun = Status(step=order.steps_done, epoch=order.epochs_done, total_steps=order.total_steps)
        self._follower.resume(begun, files.read_history(self._folder))
        self._write_status()
        self._measure_memory()
        # Whoever ignores Ctrl-C passes that on to what it starts: the trainer must hear it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._run_stages(order.caching, environment)

    def _measure_memory(self) -> None:
        if self._order.is_here:
            self._memory.start()

    def _run_stages(self, caching: Sequence[Caching], environment: Mapping[str, str]) -> None:
        """Run these stages, as far as what they make is not there, and then the training."""
        for stage in caching:
            self._status = dataclasses.replace(self._status, stage=stage.name, cached=0, to_cache=self._order.images)
            self._write_status()
            remove_broken(self._order, stage)
            if not count_missing(self._order, stage):
                continue
            ended = self._run(stage.argv, environment)
            if ended is None or not self._goes_on(stage, *ended):
                return
        self._status = dataclasses.replace(self._status, stage="", cached=0, to_cache=0)
        if ended := self._run(self._order.argv, environment):
            exit_code, stopped = ended
            self._judge(exit_code, stopped=stopped)

    def _run(self, argv: Sequence[str], environment: Mapping[str, str]) -> tuple[int, bool] | None:
        """Start a program of the trainer and watch it to its end.

        Returns its exit code and whether it was stopped; None where it could not be started, which is then the end.
        """
        try:
            with self._console.written() as output:
                process = subprocess.Popen(
                    list(argv),
                    cwd=self._order.cwd,
                    env=stoppable(environment),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
                )
        except (OSError, ValueError) as error:
            self._end("failed", f"{argv[0]} could not be started: {error}.")
            return None
        trainer = identity(process.pid)
        self._status = dataclasses.replace(self._status, state="running", trainer=trainer)
        self._is_noted = False
        self._write_status()
        tree = ProcessTree(trainer, with_own_children=True)
        stopped = self._watch(tree, lambda: process.poll() is None)
        return process.wait(), stopped

    def resume(self, former: Status, environment: Mapping[str, str] | None) -> None:
        """Watch a trainer whose watcher was cut off: from where that one read to, and to its end if it has ended.

        ``environment`` is that of the trainer, for the stages that follow, None where it has ended and took it along.
        """
        self._status = dataclasses.replace(former, watcher=self._status.watcher)
        self._follower.resume(former, files.read_history(self._folder))
        self._write_status()
        self._measure_memory()
        with self._follower.catching_up():
            while self._read_output():
                pass
            if self._reports:
                self._follower.read(self._reports.new_lines())
        trainer = former.trainer
        stopped = trainer is not None and self._watch(
            ProcessTree(trainer, with_own_children=False), lambda: alive(trainer)
        )
        stopped = stopped or files.stop_requested(self._folder)
        names = [stage.name for stage in self._order.caching]
        if former.stage not in names:
            self._judge(None, stopped=stopped)
            return
        at = names.index(former.stage)
        if self._goes_on(self._order.caching[at], None, stopped):
            self._run_other_stages(self._order.caching[at + 1 :], environment)

    def _run_other_stages(self, caching: Sequence[Caching], environment: Mapping[str, str] | None) -> None:
        if environment is None:
            self._end("lost", "Nobody was there to start its next stage: resume the training.")
        else:
            self._run_stages(caching, environment)

    def _watch(self, tree: ProcessTree, runs: Any) -> bool:  # noqa: ANN401 - says whether the first process still runs
        """Look at the trainer until it and all that it has started are gone; say whether it was stopped."""
        while runs() or tree.living():
            if files.stop_requested(self._folder):
                self._memory.stop()
                tree.end(self._order.grace)
                return True
            now = time.monotonic()
            if now - self._counted > _COUNT:
                self._counted = now
                self._memory.follow(each.id for each in tree.living())
            has_more = self._read_output()
            if now - self._told > _STATUS_SECONDS:
                self._write_status()
            if not has_more:
                time.sleep(_LOOK)
        return files.stop_requested(self._folder)

    def _read_output(self, *, last: bool = False) -> bool:
        """Take in what was printed since, and say whether there is more than is read at once."""
        for _ in range(_CHUNKS):
            chunk = self._console.read(last=last)
            self._take(self._lines.feed(chunk, last=last and not chunk))
            if not chunk:
                return False
        return True

    def _take(self, lines: list[tuple[str, bool]]) -> None:
        if self._secrets:
            lines = [(self._secrets.sub("***", text), stays) for text, stays in lines]
        self._follower.read(text for text, _ in lines)
        self._log.write(lines)

    def _write_status(self) -> None:
        """Write how it stands; what cannot be written just now is written at the next turn."""
        self._told = time.monotonic()
        if self._reports:
            self._follower.read(self._reports.new_lines())
        if self._status.trainer and self._follower.points:
            self._status = self._follower.status(self._status)
        loras = saved_loras(self._order, self._status.started)
        memory, of_card = self._memory.peak
        self._status = dataclasses.replace(
            self._status,
            at=time.time(),
            loras=loras,
            cached=self._count_cached(),
            peak_memory=memory,
            peak_of_card=of_card,
        )
        try:
            if self._status.trainer and not self._is_noted:
                files.write_trainer(self._folder, self._status.trainer)
                self._is_noted = True
            self._write_how_far()
        except OSError:
            self._told = 0.0

    def _count_cached(self) -> int:
        """Return how many images the stage that runs has done, those of an earlier run too."""
        stage = next((each for each in self._order.caching if each.name == self._status.stage), None)
        return min(self._order.images, sum(1 for _ in cached_files(self._order, stage))) if stage else 0

    def _write_how_far(self) -> None:
        """Write history and status, which says what of the output is in them and in the log; room is made after that.

        Raises:
            OSError: one of them cannot be written.
        """
        if self._follower.points:
            files.write_history(self._folder, self._follower.points)
        self._status = dataclasses.replace(self._status, printed=self._console.place, log=self._log.mark)
        files.write_status(self._folder, self._status)
        if self._console.is_full():
            files.write_status(self._folder, dataclasses.replace(self._status, printed=0))
            self._console.empty()

    def _goes_on(self, stage: Caching, exit_code: int | None, stopped: bool) -> bool:  # noqa: FBT001 - as `_run` has it
        """Say whether another stage follows on one that has ended; else that is the run's end."""
        self._read_rest()
        outcome = judge_stage(self._order, stage, exit_code, tail(self._folder), stopped=stopped)
        if outcome is None:
            return True
        self._log.close()
        self._end_with(outcome, exit_code)
        return False

    def _judge(self, exit_code: int | None, *, stopped: bool) -> None:
        self._read_rest()
        self._log.close()
        self._write_status()
        outcome = determine_outcome(
            self._order,
            exit_code,
            tail(self._folder),
            since=self._status.started,
            stopped=stopped,
            reached=self._status.is_at_the_end,
        )
        save_loadings(self._folder, Path(self._order.output), outcome.loras, self._order.family)
        self._end_with(outcome, exit_code)

    def _read_rest(self) -> None:
        while self._read_output(last=True):
            pass

    def _end_with(self, outcome: Outcome, exit_code: int | None) -> None:
        code = None if exit_code is None else signed(exit_code)
        self._status = dataclasses.replace(self._status, loras=outcome.loras, exit_code=code)
        self._end(outcome.state, outcome.message)

    def _end(self, state: Any, message: str) -> None:  # noqa: ANN401 - a RunState
        """Write the last word; it must be heard, so that a full disk is waited for."""
        self._status = dataclasses.replace(
            self._status, state=state, message=message, ended=time.time(), at=time.time()
        )
        self._console.remove()
        for tries in itertools.count(1):
            if self._write_final_status():
                return
            time.sleep(min(tries, _LONGEST_PAUSE))

    def _write_final_status(self) -> bool:
        try:
            files.write_status(self._folder, self._status)
        except FileNotFoundError:  # somebody has removed the run's folder: there is nobody to tell
            return True
        except OSError:
            return False
        return True


class _Reports:
    """The new lines of a file that a trainer writes."""

    def __init__(self, path: Path, place: int) -> None:
        self._path = path
        self._place = place
        self._lines = Lines()

    def new_lines(self) -> list[str]:
        try:
            with open_regular(self._path) as file:
                size = os.fstat(file.fileno()).st_size
                file.seek(self._place if self._place <= size else 0)
                chunk = file.read()
                self._place = file.tell()
        except OSError:
            return []
        return [text for text, _ in self._lines.feed(chunk)]


def main(folder: Path, words: Mapping[str, Any]) -> None:
    """Watch the run in ``folder``; ``words`` came by a pipe: the trainer's environment, which no file may hold."""
    try:
        with FileLock(folder / files.LOCK).acquire(timeout=_LOCK_PATIENCE):
            _watch(folder, words)
    except Timeout:
        return  # another watcher is at it


def _watch(folder: Path, words: Mapping[str, Any]) -> None:
    order = files.read_order(folder)
    if words.get("attach"):
        former = files.read_status(folder)
        if former and former.ended is None:
            found = environment_of(former.trainer)
            known = found if alive(former.trainer) else None
            Watcher(folder, order, _secrets(order, found), former).resume(former, known)
    elif files.claim(folder):
        environment: dict[str, str] = words.get("environment", {})
        Watcher(folder, order, _secrets(order, environment)).start(environment)


def _secrets(order: Order, environment: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(value for name in order.masked if len(value := environment.get(name, "")) >= _SHORTEST_SECRET)


def main_of_process() -> None:
    """Watch the run whose folder is the last argument; what goes wrong is on standard error, a file in that folder."""
    if sys.platform == "win32":
        signal.signal(signal.SIGBREAK, signal.SIG_IGN)  # it is for the trainer, whose console is ours
    adopt_orphans()  # it changes the whole process
    words = json.loads(sys.stdin.buffer.read())
    main(Path(sys.argv[-1]), words)
