"""Shell completion: real shells complete what the parser knows, and nothing that it does not."""

import re
import shlex
import shutil
import subprocess

import pytest

from lorads_core.cli.commands.completion import LISTS
from lorads_core.cli.completion import LIST_NAMES, Values, commands_of
from lorads_core.cli.completion.shells import SCRIPTS
from lorads_core.cli.main import main
from lorads_core.cli.parser import parser
from lorads_core.trainers import trainers


def commands():
    return commands_of(parser(lambda *_: 0, lambda *_: 0))


@pytest.fixture(scope="module")
def scripts():
    return {shell: script(commands()) for shell, script in SCRIPTS.items()}


def shell(name):
    return pytest.param(name, marks=pytest.mark.skipif(not shutil.which(name), reason=f"{name} is not installed"))


FAKE = "lorads() { printf '%s\\n' pictures 'my renders'; }\n"
"""Stands in for the command where a script has it list names."""


def bash(script, *typed):
    words = " ".join(map(shlex.quote, ["lorads", *typed]))
    code = (
        f"{script}\n{FAKE}COMP_WORDS=({words}); COMP_CWORD={len(typed)}; _lorads; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    )
    return run("bash", "-c", code)


def zsh(script, *typed):
    """Call the function with zsh's own parts replaced by ones that print what they are given."""
    stubs = (
        'compdef() { :; }; _files() { ls }; compadd() { print -l -- "${(@P)2}" }\n'
        '_describe() { print -l -- "${(@P)2%%:*}" }\n'
    )
    words = " ".join(map(shlex.quote, ["lorads", *typed]))
    code = f"{stubs}{FAKE}{script}\nwords=({words}); CURRENT={len(typed) + 1}; _lorads"
    # The real ones leave only what begins as the word does.
    return [line for line in run("zsh", "-f", "-c", code) if line.startswith(typed[-1])]


def fish(script, *typed):
    words = " ".join(map(shlex.quote, ["lorads", *typed[:-1]]))
    fake = "function lorads; printf '%s\\n' pictures 'my renders'; end\n"
    return [
        line.split("\t")[0]
        for line in run("fish", "-c", f"{fake}{script}\ncomplete -C {shlex.quote(f'{words} {typed[-1]}')}")
    ]


def run(*words):
    ended = subprocess.run(words, capture_output=True, text=True, check=True)
    assert not ended.stderr
    return [line for line in ended.stdout.splitlines() if line]


SHELLS = {"bash": bash, "zsh": zsh, "fish": fish}


@pytest.fixture(params=[shell(name) for name in SHELLS])
def complete(request, scripts, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a folder").mkdir()
    return lambda *typed: sorted(SHELLS[request.param](scripts[request.param], *typed))


@pytest.mark.posix
@pytest.mark.parametrize(
    ("typed", "found"),
    [
        (("exp",), ["export"]),
        (("re",), ["regularize", "remove", "rename", "restore"]),
        (("export", "--fre"), ["--fresh"]),
        (("doctor", "--"), ["--fix", "--help", "--json", "--settings", "--verbose"]),
        (("build", "--trainer", ""), sorted(trainers())),
        (("build", "x", "--trainer", "one"), ["onetrainer"]),
        (("query", "--library", ""), ["my renders", "pictures"]),
        (("train", "pic"), ["pictures"]),
        (("completion", "f"), ["fish"]),
        (("export", "--name", "x"), []),
    ],
)
def test_a_shell_completes(typed, found, complete):
    assert complete(*typed) == found


@pytest.mark.posix
def test_a_shell_completes_files(complete):
    assert [name.rstrip("/").replace("\\ ", " ") for name in complete("check", "a")] == ["a folder"]


def test_every_command_and_option_is_in_every_script(scripts):
    for command in commands():
        for name in (command.name, *(name for option in command.options for name in option.names)):
            for of, script in scripts.items():
                wanted = (
                    f" -l {name[2:]} "
                    if of == "fish" and name.startswith("--")
                    else name.lstrip("-" if of == "fish" else "")
                )
                assert wanted in f"{script} ", (of, command.name, name)


def test_scripts_are_ascii_and_hold_no_format_of_argparse(scripts):
    for script in scripts.values():
        assert script.isascii()
        assert "%(" not in script
        assert "==SUPPRESS==" not in script


def test_the_strings_of_powershell_are_closed(scripts):
    for line in scripts["powershell"].splitlines():
        if re.match(r"\s+'", line):
            assert line.count("'") % 2 == 0, line
    assert scripts["powershell"].count("{") == scripts["powershell"].count("}")


def test_what_an_option_takes_is_read_from_the_parser():
    options = {
        name: option.values
        for each in commands()
        if each.name == "build"
        for option in each.options
        for name in option.names
    }
    assert options["--settings"] == Values("files")
    assert options["--library"] == Values("list", ("libraries",))
    assert options["--verbose"] is None
    assert options["--trigger"] == Values("text")


# The command


def test_the_command_prints_a_script(capsys, scripts):
    assert main(["completion", "bash"]) == 0
    assert capsys.readouterr().out == scripts["bash"]


@pytest.mark.parametrize("arguments", [[], ["bash", "--list", "libraries"], ["tcsh"]])
def test_one_shell_or_one_list_is_to_be_named(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["completion", *arguments])
    assert "usage" in capsys.readouterr().err


def test_names_come_from_settings_and_the_folder_of_exports(tmp_path, capsys):
    settings = tmp_path / "lorads.toml"
    settings.write_text(
        "[libraries.renders]\nkind = 'index'\n[trainers.local]\nkind = 'onetrainer'\n"
        "[base_models.mine]\nlike = 'sdxl'\n[roots]\nexports = 'sets'\n"
    )
    (tmp_path / "sets" / "tom").mkdir(parents=True)
    (tmp_path / "sets" / "tom" / "manifest.json").touch()
    (tmp_path / "sets" / "else").mkdir()
    printed = {}
    for name in LIST_NAMES:
        assert main(["completion", "--list", name, "--settings", str(settings)]) == 0
        printed[name] = capsys.readouterr().out.split()
    assert printed["libraries"] == ["pictures", "renders"]
    assert printed["trainers"] == ["local"]
    assert "mine" in printed["base-models"]
    assert printed["exports"] == ["tom"]
    assert printed["taggers"] == []
    assert set(LISTS) == set(LIST_NAMES)
