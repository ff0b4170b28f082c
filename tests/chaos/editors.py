"""Editors, bulk edits and exporters at once, by two panels and the command line: nothing is lost or stuck."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from .caption_kills import Editor, make_dataset
from .panel_client import Panel, labels_of
from .tally import LostError
from .world import wait_until

if TYPE_CHECKING:
    from .tally import Tally
    from .world import Ended, World

SECONDS = 0.5  # for each round that is wanted: a round is an acknowledged edit, at least
EDITORS = 4
# A command that meets another's work says so: 7 captions were edited meanwhile, 8 the export is being written.
HONEST = {0, 7, 8}


def attack(world: World, tally: Tally) -> None:
    """Let all of them work for a while, and compare."""
    make_dataset(world)
    panels = [Panel(world).open() for _ in range(2)]
    dataset = panels[0].dataset()
    keys = list(panels[0].captions(dataset))
    editors = [Editor(f"editor {n}", keys, panels[n % 2], dataset).start() for n in range(EDITORS)]
    ended = threading.Event()
    with ThreadPoolExecutor(3) as pool:
        jobs = [
            pool.submit(repeat, world, ended, words)
            for words in (
                lambda n: (
                    "captions",
                    "tom",
                    f"--{'remove' if n % 2 else 'add'}-tag",
                    f"bulk{n // 2}",
                    "--by-hand",
                    "--apply",
                ),
                lambda n: ("export", "tom", "--epochs", 2 + n % 3),
                lambda n: ("export", "tom", "--epochs", 5 + n % 3),
            )
        ]
        deadline = time.monotonic() + max(60.0, SECONDS * tally.wanted)
        wait_until(lambda: time.monotonic() > deadline or acknowledged(editors) >= tally.wanted, 600)
        ended.set()
        commands = [each for job in jobs for each in job.result()]
    for editor in editors:
        editor.end()
    tally.survive(acknowledged(editors))
    tally.check("commands", lambda: check_commands(commands))
    tally.check("panels", lambda: check_alike(panels, dataset))
    for panel in panels:
        tally.check("the panel's end", panel.end)
    labels = set(labels_of(world))
    for editor in editors:
        tally.check(editor.name, lambda editor=editor: editor.check(labels))
    conflicts = sum(each.conflicts for each in editors)
    tally.notes.append(f"acknowledged edits; {conflicts} honest conflicts, {len(commands)} commands beside them")


def acknowledged(editors: list[Editor]) -> int:
    """Return how many edits were acknowledged."""
    return sum(len(each.acknowledged) for each in editors)


def repeat(world: World, ended: threading.Event, words) -> list[Ended]:
    """Run commands one after another, twice at least."""
    found: list[Ended] = []
    while len(found) < 2 or not ended.is_set():
        found.append(world.run(*words(len(found))))
    return found


def check_commands(commands: list[Ended]) -> None:
    """Check that commands did their work or said why not, and that some did."""
    if wrong := [each for each in commands if each.code not in HONEST]:
        raise LostError(f"{len(wrong)} commands failed, e.g. with {wrong[0].code}: {wrong[0].text[-300:]!r}")
    if not any(each.code == 0 for each in commands):
        raise LostError(f"no command beside the editors did its work: {commands[0].text[-300:]!r}")


def check_alike(panels: list[Panel], dataset: str) -> None:
    """Check that both panels show the same captions."""
    if not wait_until(lambda: panels[0].captions(dataset) == panels[1].captions(dataset), 20):
        raise LostError("the two panels show different captions")
