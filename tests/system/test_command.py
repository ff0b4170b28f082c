"""Command lines that people copy: quoted for their shell, and naming a `lorads` that they really have."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lorads_core.system import command as commands
from lorads_core.system.command import command, quoted
from lorads_core.system.extras import install_command

ROOT = Path(__file__).resolve().parents[2]
WORDS = [
    "plain", "", "two words", "a&b", "50%", "^caret", "(x)", "semi;colon", "comma,ed", "it's", "tab\tbed", "a|b>c<d",
    "!bang", "C:\\with space\\", "C:\\plain\\", 'quo"te', "日本語", "Jürgen", "$HOME", "`tick`", "\\\\nas\\share 1\\x",
]  # fmt: skip


def by_windows(line):
    """Split a command line as Windows' C runtime does; cmd.exe's own characters may stand in quotes only."""
    assert not re.search(r"[&|<>^()]", re.sub(r'"(?:[^"\\]|\\.)*"', "", line))
    words, word, quotes, at, begun = [], "", False, 0, False
    while at < len(line):
        slashes = len(line[at:]) - len(line[at:].lstrip("\\"))
        after = line[at + slashes : at + slashes + 1]
        if slashes and after == '"':
            word, begun = word + "\\" * (slashes // 2), True
            at += slashes
            if slashes % 2:
                word, at = word + '"', at + 1
        elif slashes:
            word, at, begun = word + "\\" * slashes, at + slashes, True
        elif after == '"':
            quotes, begun, at = not quotes, True, at + 1
        elif after in " \t" and not quotes:
            words, word, begun, at = words + [word] * begun, "", False, at + 1
        else:
            word, begun, at = word + after, True, at + 1
    return words + [word] * begun


def test_windows_reads_back_every_word(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    for word in WORDS:
        assert by_windows(quoted(["python", word, "end"])) == ["python", word, "end"], word
    assert by_windows(quoted(WORDS)) == WORDS
    assert quoted(["python", "--config_file", "Z:\\my demo\\x.toml"]) == 'python --config_file "Z:\\my demo\\x.toml"'
    assert "'" not in quoted(["a b", "c"])


@pytest.mark.posix
def test_a_posix_shell_reads_back_every_word():
    shown = subprocess.run(
        ["sh", "-c", f"{quoted([sys.executable, '-c', 'import sys; print(sys.argv[1:])', *WORDS])}"],
        capture_output=True, text=True, check=True, encoding="utf-8",
    )  # fmt: skip
    assert shown.stdout.strip() == str(WORDS)
    assert shlex.split(quoted(WORDS)) == WORDS


@pytest.fixture
def fresh():
    """Forget which program was found, before and after the test."""
    commands._program.cache_clear()
    yield
    commands._program.cache_clear()


def program(monkeypatch, *, on_path="", in_scripts="", is_this_copy=True):
    def which(name, path=None):
        bare = path is None and Path(name).name == name
        return (on_path if bare else in_scripts) or None

    monkeypatch.setattr(shutil, "which", which)
    monkeypatch.setattr(commands, "_is_of_this_copy", lambda: is_this_copy)
    return command("doctor")


@pytest.mark.usefixtures("fresh")
def test_the_short_name_where_the_shell_finds_ours(monkeypatch):
    assert program(monkeypatch, on_path="/env/bin/lorads", in_scripts="/env/bin/lorads") == "lorads doctor"


@pytest.mark.usefixtures("fresh")
@pytest.mark.posix
def test_its_full_path_where_the_shell_finds_another_or_none(monkeypatch):
    assert program(monkeypatch, on_path="/usr/bin/lorads", in_scripts="/env/bin/lorads") == "/env/bin/lorads doctor"
    commands._program.cache_clear()
    assert program(monkeypatch, in_scripts="/my env/bin/lorads") == "'/my env/bin/lorads' doctor"


@pytest.mark.usefixtures("fresh")
def test_the_launcher_of_this_folder_where_it_is_not_installed(monkeypatch):
    line = program(monkeypatch)
    assert line == quoted([sys.executable, "-s", str(ROOT / "lorads.py"), "doctor"])
    commands._program.cache_clear()
    other = program(monkeypatch, on_path="/env/bin/lorads", in_scripts="/env/bin/lorads", is_this_copy=False)
    assert other == line


@pytest.mark.usefixtures("fresh")
def test_a_lorads_bat_in_the_current_folder_is_not_the_installed_one(monkeypatch):
    def which(name, **_path):  # as on Windows: for a bare name the current folder comes first, also with a path
        return ".\\lorads.bat" if Path(name).name == name else None

    monkeypatch.setattr(shutil, "which", which)
    monkeypatch.setattr(commands, "_is_of_this_copy", lambda: True)
    assert command("doctor") == quoted([sys.executable, "-s", str(ROOT / "lorads.py"), "doctor"])


@pytest.mark.usefixtures("fresh")
def test_a_copy_that_its_launcher_runs_names_the_launcher_again(monkeypatch):
    monkeypatch.setattr(sys, "argv", [str(ROOT / "lorads.py"), "doctor"])
    assert not commands._is_of_this_copy()


@pytest.mark.parametrize(
    ("is_installed", "wanted"),
    [(True, ["lorads[onnx]"]), (False, ["onnxruntime"])],
    ids=["installed", "a pack"],
)
def test_an_extra_is_named_where_pip_knows_it_and_its_packages_elsewhere(monkeypatch, is_installed, wanted):
    monkeypatch.setattr(commands, "_is_of_this_copy", lambda: is_installed)
    monkeypatch.setattr(commands, "_is_known_to_pip", lambda: True)
    assert install_command("onnx") == quoted([sys.executable, "-m", "pip", "install", *wanted])


def test_a_message_with_a_command_can_be_run_as_it_stands():
    done = subprocess.run(command("--version"), shell=True, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("lorads "), done.stderr


def test_no_message_names_the_bare_command():
    """Help texts and examples do; what tells a person to run something goes through `command`."""
    verbs = "doctor|stop|panel|index|build|embed|tag|libraries|runs|train|lint|cluster"
    bare = re.compile(rf"(?:[Rr]un|See|see|stop it \(|: |`)\s*\"?\s*f?\"?lorads (?:{verbs})\b")
    allowed = {"words.py", "parser.py", "command.py"}
    for folder in ("lorads_core", "nodes"):
        for file in (ROOT / folder).rglob("*.py"):
            text = re.sub(r'""".*?"""', "", file.read_text(encoding="utf-8"), flags=re.DOTALL)
            text = "\n".join(line for line in text.splitlines() if not line.strip().startswith("#"))
            if file.name not in allowed:
                assert not bare.search(text), (file, bare.search(text)[0])
