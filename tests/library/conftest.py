"""What the tests of DiffusionToolkit's SQLite file share: the file, the program that writes it, a lorads.toml."""

import pytest

from lorads_core.library.kinds import open_library
from lorads_core.settings import load_settings

from .sqlite_fixture import ROOT, Toolkit


@pytest.fixture
def file(tmp_path):
    return tmp_path / "diffusion-toolkit.db"


@pytest.fixture
def pictures(tmp_path):
    return tmp_path / "pictures"


@pytest.fixture
def settings(tmp_path, file, pictures):
    """Return a function that reads a lorads.toml with the library `old` of our file; other lines come behind."""

    def read(*lines, paths=True):
        text = ["[libraries.old]", 'kind = "diffusiontoolkit-sqlite"', *lines]
        if not any(line.startswith("file") for line in lines):
            text.append(f"file = '{file}'")
        if paths:
            text += ["[libraries.old.paths]", f"'{ROOT}' = '{pictures}'"]
        (tmp_path / "lorads.toml").write_text("\n".join(text), encoding="utf-8")
        return load_settings(tmp_path / "lorads.toml")

    return read


@pytest.fixture
def old(store, settings):
    """Return the library `old`."""
    return open_library(store, settings().library("old"))


@pytest.fixture
def toolkit(file):
    with Toolkit(file) as program:
        yield program
