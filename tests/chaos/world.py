"""World of an attack: a temporary folder with settings and a store of its own; commands run and killed there."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psutil
import psycopg
from PIL import Image

from lorads_core.store.binaries import server_account
from lorads_core.store.embedded import attach
from lorads_core.store.postmaster import DATABASE, USER, Cluster, running

from .processes import PAUSE, ForkServer
from .tally import LostError, StuckError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .tally import Tally

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120.0  # seconds; what has not ended by then is stuck
LOOK = 0.2  # seconds between two looks at all processes
MOST_PATIENCE = 4  # times that
AT_WORK = 0.01  # share of a processor that a command uses which is slow and not stuck
QUIET = 30.0  # seconds in which the processes of a store end after its last client; its keeper looks for ten


class Ended(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    text: str


class Command:
    """A running command of LoRADS; what it prints goes into a file, so that nothing waits for a reader."""

    def __init__(self, world: World, words: tuple[object, ...], largest_file: int = 0) -> None:
        self._world = world
        self.label = f"lorads {words[0]}"
        self._file = world.new_file("output")
        self._file.touch()
        self.process = world.forks.start([*map(str, words)], world.environment, world.root, self._file, largest_file)

    @property
    def text(self) -> str:
        """What it has printed so far."""
        return self._file.read_text(encoding="utf-8", errors="replace")

    @property
    def runs(self) -> bool:
        """Whether it has not ended yet."""
        return not self.process.ended.is_set()

    def _ends_within(self, seconds: float) -> bool:
        """Wait for its end; on a busy machine one that computes gets more time, up to a multiple."""
        for _ in range(MOST_PATIENCE):
            used = self.process.used
            if self.process.ended.wait(seconds):
                return True
            if self.process.used - used < AT_WORK * seconds:
                return False
        return False

    def end(self, seconds: float = PATIENCE) -> Ended:
        """Wait for its end; one that does not end is killed, and stuck."""
        if not self._ends_within(seconds):
            kill(self.process.pid)
            raise StuckError(f"{self.label} did not end within {seconds:.0f} s; it said {self.text[-200:]!r}")
        ended = Ended(self.process.code or 0, self.text)
        self._world.tally.read(self.label, ended.text)
        self._file.unlink(missing_ok=True)
        return ended


class World:
    """A temporary folder with all that an attack needs; nothing of the user's is read or written."""

    def __init__(self, tally: Tally, seed: int) -> None:
        self.tally = tally
        self.random = random.Random(f"{seed} {tally.name}")
        self.root = Path(tempfile.mkdtemp(prefix="lorads-chaos-")).resolve()
        self.root.chmod(0o755)  # the server's account goes through it
        self.home = self.root / "store"
        self.exports = self.root / "exports"
        self.settings = self.root / "lorads.toml"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("LORADS", "PG"))},
            "LORADS_SETTINGS": str(self.settings),
            "HOME": str(self.root / "home"),
            "XDG_CACHE_HOME": str(self.root / "cache"),
            "PYTHONPATH": str(ROOT),
        }
        self.forks = ForkServer(ROOT)
        (self.root / "home").mkdir()
        self._files = 0
        self.set()

    def set(self, more: str = "") -> None:
        """Write the settings."""
        own = f"[embedded]\nfolder = '''{self.home}'''\n[roots]\nexports = '''{self.exports}'''\n"
        self.settings.write_text(own + more, encoding="utf-8")

    def new_file(self, stem: str) -> Path:
        """Return the name of a new file."""
        self._files += 1
        return self.root / f"{stem}-{self._files}"

    @property
    def cluster(self) -> Cluster:
        """The embedded store's cluster."""
        return Cluster(self.home.resolve(), server_account(self.home / "data"))

    def start(self, *words: object, largest_file: int = 0) -> Command:
        """Start a command; no file that it writes may have more bytes than that, if it is given."""
        return Command(self, words, largest_file)

    def run(self, *words: object, largest_file: int = 0) -> Ended:
        """Run a command to its end."""
        return self.start(*words, largest_file=largest_file).end()

    def must(self, *words: object) -> str:
        """Run a command that has to do what it is there for; return what it printed."""
        ended = self.run(*words)
        if ended.code:
            raise LostError(f"lorads {words[0]} ended with {ended.code}: {ended.text[-300:].strip()!r}")
        return ended.text

    def timed(self, *words: object) -> float:
        """Run a command that has to work; return how many seconds of processor time it took."""
        command, used = self.start(*words), 0.0
        while command.runs:
            used = max(used, command.process.used)
            time.sleep(PAUSE)
        if (ended := command.end()).code:
            raise LostError(f"{command.label} ended with {ended.code}: {ended.text[-300:]!r}")
        return used

    @contextmanager
    def connected(self) -> Iterator[psycopg.Connection]:
        """Be a client of the store for a while."""
        with attach(self.home) as client, psycopg.connect(client.conninfo, autocommit=True) as connection:
            yield connection

    def strike(self, words: tuple[object, ...], victim: str, delay: float, before: Callable[[], None] | None = None):
        """Kill a process of a command after some processor time; return how it ended, and whether that hit."""
        command = self.start(*words)
        command.process.wait_for_use(delay)
        if before and command.runs:
            before()
        hit = self.kill_while_it_runs(victim, command)
        return command.end(), hit

    def kill_while_it_runs(self, victim: str, command: Command) -> bool:
        """Kill as soon as there is such a process; return whether that came while the command was at work."""
        hits: list[bool] = []

        def struck() -> bool:
            hits.append(command.runs and self.kill(victim, command.process.pid))
            return hits[-1] or not command.runs

        wait_until(struck, PATIENCE)
        return hits[-1]

    def kill(self, victim: str, command: int) -> bool:
        """Kill ``command``, ``server``, ``both`` or ``backend``; return whether there was one."""
        if victim == "command":
            return kill(command)
        if victim == "backend":
            return kill(self.backend())
        found = running(self.cluster) if (self.home / "data").is_dir() else None
        hit = found is not None and kill(found.pid)
        return hit and (victim == "server" or kill(command))

    def backend(self) -> int | None:
        """Return the process of a connection to the store."""
        found = running(self.cluster) if (self.home / "data").is_dir() else None
        with suppress(psutil.Error):
            for child in psutil.Process(found.pid).children() if found else ():
                if f"{USER} {DATABASE} " in " ".join(child.cmdline()):
                    return child.pid
        return None

    def ended_store(self) -> None:
        """Check that the store has ended with its last client and left no file of one."""
        if not wait_until(lambda: not self.processes(self.cluster.name), QUIET, LOOK):
            raise StuckError(f"these did not end with the store's last client: {self.processes(self.cluster.name)}")
        if left := [path.name for path in (self.home / "clients").iterdir()]:
            raise LostError(f"files of clients were left: {left}")

    def processes(self, *words: str) -> list[str]:
        """Return the command lines of processes that name one of these words, or our folder."""
        found = [" ".join(each.info["cmdline"] or ()) for each in psutil.process_iter(["cmdline"])]
        return [line[:200] for line in found if any(word in line for word in words or (str(self.root),))]

    def close(self) -> None:
        """Check that no process is left, read the logs of detached ones, and remove everything."""
        self.forks.close()
        self.tally.check("the end", self._nothing_runs)
        for log in (*self.home.glob("keeper*.log"), *self.root.rglob("watcher.txt")):
            self.tally.read(log.name, log.read_text(encoding="utf-8", errors="replace"))
        for process in psutil.process_iter(["cmdline"]):
            line = " ".join(process.info["cmdline"] or ())
            if str(self.root) in line or self.cluster.name in line:
                with suppress(psutil.Error):
                    process.kill()
        shutil.rmtree(self.root, ignore_errors=True)

    def _nothing_runs(self) -> None:
        def left():
            return self.processes(str(self.root), self.cluster.name)

        if not wait_until(lambda: not left(), QUIET, LOOK):
            raise StuckError(f"processes were left: {left()}")


def libraries(*names: str) -> str:
    """Return settings with these libraries of our own index."""
    return "".join(f"[libraries.{name}]\nkind = 'index'\n" for name in names)


def kill(process: int | None) -> bool:
    """Kill a process as `kill -9` does; return whether it lived."""
    try:
        psutil.Process(process or -1).kill()
    except (psutil.Error, ValueError):
        return False
    return True


def wait_until(holds: Callable[[], object], seconds: float, pause: float = 0.02) -> bool:
    """Wait until something holds, at most so many seconds; return whether it does."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


def make_pictures(folder: Path, count: int, size: tuple[int, int] = (48, 32)) -> Path:
    """Make pictures of noise, no two alike, with tags and a caption beside each."""
    folder.mkdir(parents=True)
    for number in range(count):
        noise = random.Random(number).randbytes(size[0] * size[1] * 3)
        Image.frombytes("RGB", size, noise).save(folder / f"{number:04}.png")
        (folder / f"{number:04}.txt").write_text(f"1cat, tag {number}, tag {number % 7}, sitting", encoding="utf-8")
        (folder / f"{number:04}.caption").write_text(f"A cat, number {number}.", encoding="utf-8")
    return folder
