"""Kills while captions are edited in the panel: no edit that was acknowledged is lost, and the panel answers again."""

from __future__ import annotations

import http.client
import itertools
import threading
from typing import TYPE_CHECKING

from .panel_client import Answer, Panel, labels_of
from .tally import LostError, StuckError
from .world import PATIENCE, make_pictures, wait_until

if TYPE_CHECKING:
    from .tally import Tally
    from .world import World

VICTIMS = ("command", "server", "both", "backend")
HONEST = {0, http.client.OK, http.client.CONFLICT, http.client.SERVICE_UNAVAILABLE}  # 0: it was killed


class Editor:
    """Edits captions one after another, and remembers which edits were acknowledged."""

    def __init__(self, name: str, keys: list[str], panel: Panel, dataset: str) -> None:
        self.name, self.panel, self._dataset = name, panel, dataset
        self.acknowledged: list[str] = []
        self.last: dict[str, str] = {}
        """The last acknowledged caption of each image that was not edited since, acknowledged or not."""
        self.conflicts = 0
        self.wrong: list[Answer] = []
        self._now: dict[str, str] = {}
        self._order = enumerate(itertools.cycle(keys))
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> Editor:
        """Begin to edit."""
        self._thread.start()
        return self

    def end(self) -> None:
        """Stop editing."""
        self._ends.set()
        self._thread.join(PATIENCE)

    def _run(self) -> None:
        for number, key in self._order:
            if self._ends.is_set():
                return
            try:
                self._edit(key, f"{self.name} {number}")
            except StuckError as error:
                self.wrong.append(Answer(0, str(error)))

    def _edit(self, key: str, text: str) -> None:
        if key not in self._now:
            self._now = self.panel.captions(self._dataset)
        if key not in self._now:
            self._ends.wait(0.02)
            return
        self.last.pop(key, None)
        answer = self.panel.edit(self._dataset, key, self._now.pop(key), text)
        if answer.status == http.client.OK:
            self.acknowledged.append(text)
            self._now[key] = self.last[key] = text
        elif answer.status == http.client.CONFLICT:
            self.conflicts += 1
        elif answer.status not in HONEST:
            self.wrong.append(answer)

    def check(self, labels: set[str]) -> None:
        """Check that the history has all acknowledged edits, and that every answer was an honest one."""
        if missing := [text for text in self.acknowledged if text not in labels]:
            raise LostError(f"{len(missing)} of {len(self.acknowledged)} acknowledged edits, e.g. {missing[0]!r}")
        if self.wrong:
            raise LostError(f"{len(self.wrong)} answers, e.g. {self.wrong[0]}")


def make_dataset(world: World, count: int = 12) -> None:
    """Make a dataset to edit."""
    world.must("build", make_pictures(world.root / "pictures", count), "--trigger", "tom", "--minimum-side", 0)


def attack(world: World, tally: Tally) -> None:
    """Kill the panel, its store, both or one connection while an editor is at work."""
    make_dataset(world)
    panel = Panel(world).open()
    dataset = panel.dataset()
    editor = Editor("edit", list(panel.captions(dataset)), panel, dataset).start()

    def one(number: int) -> bool:
        wait_for_more(editor, 3)
        wait_until(lambda: False, world.random.uniform(0, 0.3))
        victim = VICTIMS[number % len(VICTIMS)]
        hit = world.kill(victim, editor.panel.command.process.pid)
        if hit and victim in {"command", "both"}:
            editor.panel.command.end()
            editor.panel = Panel(world).open()
        wait_for_more(editor, 1)
        return hit

    tally.repeat(one)
    editor.end()
    tally.check("the panel's end", editor.panel.end)
    tally.check("edits", lambda: check_edits(world, editor))
    tally.notes.append(f"{len(editor.acknowledged)} edits acknowledged")


def wait_for_more(editor: Editor, count: int) -> None:
    """Wait until so many more edits were acknowledged."""
    before = len(editor.acknowledged)
    if not wait_until(lambda: len(editor.acknowledged) >= before + count, PATIENCE):
        raise StuckError(f"no edit was acknowledged for {PATIENCE:.0f} s; last answers: {editor.wrong[-2:]}")


def check_edits(world: World, editor: Editor) -> None:
    """Compare the store with what was acknowledged: the history, and the captions themselves."""
    editor.check(set(labels_of(world)))
    with world.connected() as connection:
        rows = connection.execute("SELECT library || ':' || image_id, caption FROM lorads.lora_dataset_images")
        captions = dict(rows.fetchall())
    other = [key for key, text in editor.last.items() if captions[key] != text]
    if other:
        raise LostError(f"captions other than the last acknowledged ones: {other}")
