"""`lorads` as a person runs it: a program of its own, with settings and an embedded store of its own."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from lorads_core.store.embedded import attach

from .. import standin_trainer

PATIENCE = 300  # seconds for a command; a slow runner makes a store in thirty


@dataclass(frozen=True)
class Lorads:
    """The command, run in ``folder`` with the lorads.toml there."""

    folder: Path

    @property
    def environment(self):
        """Return the environment of the command and of what tests start beside it."""
        return {**os.environ, "LORADS_SETTINGS": str(self.folder / "lorads.toml")}

    def command(self, *words):
        """Return the command line of this Python's ``lorads``."""
        return [sys.executable, "-m", "lorads_core", *map(str, words)]

    def run(self, *words, cwd=None, code=0):
        """Run it to its end; return all that it printed. It must end with this exit code, None for any."""
        ended = subprocess.run(
            self.command(*words),
            cwd=cwd or self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            check=False,
        )
        assert code in (None, ended.returncode), ended.stdout
        return ended.stdout


def write_settings(folder, store, *more):
    """Write a lorads.toml with an embedded store in ``store``."""
    text = "\n".join([f"[embedded]\nfolder = '{store}'", *more, ""])
    (folder / "lorads.toml").write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def lorads(make_folder):
    """Return the command with a store that runs as long as the module's tests, and two stand-ins for a trainer."""
    folder = make_folder()
    trainer = standin_trainer.install(folder / "the trainer's folder")
    profiles = [
        f"[trainers.{name}]\nkind = 'sd-scripts'\nfolder = '''{trainer}'''\npython = '{sys.executable}'\n"
        f"stop_seconds = 2\n[trainers.{name}.environment]\nSTANDIN_PAUSE = '0.05'\nSTANDIN_STEPS = '{steps}'"
        for name, steps in (("short", 200), ("endless", 100_000))
    ]
    write_settings(folder, folder / "store", *profiles)
    with attach(folder / "store"):
        yield Lorads(folder)


@pytest.fixture
def plain(lorads, tmp_path):
    """Return the same command, and the same store, without a trainer: the stand-in lacks what a real one needs."""
    write_settings(tmp_path, lorads.folder / "store")
    return Lorads(tmp_path)


@pytest.fixture(scope="module")
def exports(lorads):
    """Return the folder of exports, which holds the demo; its name is not of the easiest."""
    root = lorads.folder / "my exports & more (2)"
    lorads.run("demo", "--out", root, *base_model(lorads))
    return root


def base_model(lorads):
    """Return the words that name a base model; nobody reads it here."""
    file = lorads.folder / "base.safetensors"
    standin_trainer.write_model(file)
    return "--checkpoint", str(file), "--epochs", "2"
