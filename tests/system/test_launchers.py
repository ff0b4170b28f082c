"""lorads.py, lorads.sh and lorads.bat: the command where nothing is installed, by the Python of a ComfyUI."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(*words, **options):
    return subprocess.run(
        [*map(str, words)], capture_output=True, text=True, check=False, encoding="utf-8", errors="replace", **options
    )


def test_the_launcher_runs_isolated_as_in_an_embedded_python_and_from_any_folder(tmp_path):
    # -I: neither the script's folder, nor the current one, nor PYTHONPATH is on the path, as with a ._pth file.
    done = run(sys.executable, "-I", ROOT / "lorads.py", "--version", cwd=tmp_path)
    assert done.stdout.startswith("lorads "), done.stderr
    done = run(sys.executable, "-I", "-s", ROOT / "lorads.py", "doctor", "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert "example:" in done.stdout


def test_exit_codes_are_those_of_the_command():
    assert run(sys.executable, ROOT / "lorads.py", "nonsense").returncode == 2


def test_a_python_without_our_packages_gets_the_line_that_installs_them(tmp_path):
    done = run(sys.executable, "-I", "-S", ROOT / "lorads.py", "index", tmp_path)  # no site-packages
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert re.search(r"package '\w+' is missing", done.stderr)
    assert "-m pip install -r" in done.stderr
    assert str(ROOT / "requirements.txt") in done.stderr


@pytest.fixture
def pack(tmp_path):
    """Return a folder in ComfyUI/custom_nodes with the launchers, and a program for lorads.py that shows its words."""
    folder = tmp_path / "My ComfyUI" / "ComfyUI" / "custom_nodes" / "LoRADS"
    folder.mkdir(parents=True)
    for name in ("lorads.sh", "lorads.bat"):
        shutil.copy(ROOT / name, folder)
    (folder / "lorads.py").write_text("import sys; print(sys.executable, sys.flags.no_user_site, sys.argv[1:])")
    return folder


def python_in(*parts):
    place = Path(*parts)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(f'#!/bin/sh\necho "{place}"\nexec {sys.executable} "$@"\n')
    place.chmod(0o755)
    return place


@pytest.mark.posix
@pytest.mark.parametrize("where", ["../../.venv/bin/python", "../../venv/bin/python", ".venv/bin/python"])
def test_the_shell_launcher_finds_the_python_of_its_comfyui(pack, where, tmp_path):
    python = python_in(os.path.normpath(pack / where))
    done = run("sh", pack / "lorads.sh", "doctor", "two words", "$HOME", cwd=tmp_path)
    used, said = done.stdout.splitlines()
    assert Path(used) == python
    assert said.endswith("1 ['doctor', 'two words', '$HOME']")


@pytest.mark.posix
def test_the_shell_launcher_takes_the_named_python_first_and_works_through_a_link(pack, tmp_path):
    python_in(pack / ".venv" / "bin" / "python")
    named = python_in(tmp_path / "named" / "python")
    link = tmp_path / "pack"
    link.symlink_to(pack)
    done = run(link / "lorads.sh", "x", env={**os.environ, "LORADS_PYTHON": str(named)})
    assert done.stdout.splitlines()[0] == str(named)
    assert done.returncode == 0


@pytest.mark.posix
def test_the_shell_launcher_says_so_where_there_is_no_python(pack):
    done = run("/bin/sh", pack / "lorads.sh", env={"PATH": "/nowhere"})
    assert done.returncode == 1
    assert "LORADS_PYTHON" in done.stderr


def test_the_batch_file_looks_where_each_flavour_has_its_python():
    data = (ROOT / "lorads.bat").read_bytes()
    assert b"\r\n" in data
    assert data.count(b"\n") == data.count(b"\r\n")  # cmd.exe loses its labels in files with bare newlines
    text = data.decode("ascii")
    for place in ("..\\..\\..\\python_embeded", "..\\..\\.venv\\Scripts", "..\\..\\venv\\Scripts"):
        assert f"%~dp0{place}\\python.exe" in text
    assert 'lorads.py" %*' in text
