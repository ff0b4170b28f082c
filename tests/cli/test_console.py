"""The command line on a console of a code page that lacks letters: it never fails for what it prints."""

import importlib
import io
import sys

import pytest
from rich.console import Console

from lorads_core.cli.commands import COMMANDS, MODULES
from lorads_core.cli.console import Screen
from lorads_core.cli.main import main

SCRIPTS = ["\N{CAT FACE}", "\u732b", "\u05d7\u05ea\u05d5\u05dc", "\u0141ukasz", "a\u0301 b\u0308", "Gr\u00f6\u00dfe"]
SCRIPTS += ["\u202etac"] if sys.platform != "darwin" else []
UNKNOWN = [] if sys.platform in {"win32", "darwin"} else ["not\udcff\udcfeutf8", "behind ", "dot."]


class Streams:
    """Standard output and error of a code page, strict as Windows' standard output is."""

    def __init__(self, encoding):
        self.out, self.err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict") for _ in range(2))

    def run(self, *words):
        """Run a command; return its exit code, and what it printed to both."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "stdout", self.out)
            patch.setattr(sys, "stderr", self.err)
            try:
                code = main(list(map(str, words)))
            except SystemExit as end:
                code = end.code
        return code, self.printed(self.out), self.printed(self.err)

    @staticmethod
    def printed(stream):
        stream.flush()
        return stream.buffer.getvalue().decode(stream.encoding)


@pytest.fixture(params=["cp1252", "cp437", "ascii"])
def streams(request):
    return Streams(request.param)


@pytest.mark.parametrize("words", [[], *([name] for name in sorted(COMMANDS)), ["doctor"]])
def test_help_is_printed(streams, words):
    code, out, _ = streams.run(*words, "--help")
    assert code == 0
    assert "usage: lorads" in out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("biuld", "x"), "no command 'biuld'; did you mean build?"),
        (("zzz",), "no command 'zzz'; there are: index, build"),
        (("build", "x", "--triger", "y"), "--triger y; did you mean --trigger?"),
        (("export", "x", "--trainr=onetrainer"), "did you mean --trainer?"),
        (("runs", "a", "b"), "unrecognized arguments: b"),
        (("--settings", "F", "query"), "the command comes first"),
    ],
)
def test_a_word_that_is_not_known_is_named_with_the_nearest_one(streams, words, says):
    code, _, err = streams.run(*words)
    assert code == 2
    assert says in err


@pytest.mark.parametrize("module", MODULES)
def test_each_command_is_listed_under_its_module(module):
    found = importlib.import_module(f"lorads_core.cli.commands.{module}")
    assert tuple(found.COMMANDS) == MODULES[module]


@pytest.mark.parametrize("name", SCRIPTS + UNKNOWN)
def test_words_that_are_not_understood_are_named(streams, name):
    code, _, err = streams.run("index", "folder", f"--{name.replace(' ', '')}")
    assert code == 2
    assert "error: unrecognized arguments" in err


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_folder_that_is_not_there_is_named(streams, store_settings, tmp_path, name):
    code, _, err = streams.run("index", "--settings", store_settings, tmp_path / name)
    assert code == 5
    assert "is not there" in err


def test_bars_are_drawn(streams):
    screen = Screen()
    streams.err.reconfigure(errors="backslashreplace")
    screen.err = Console(file=streams.err, force_terminal=True, legacy_windows=False)
    with screen.progress() as progress:
        progress("Gr\u00f6\u00dfe \u732b", 1, 2)
    assert "1/2" in streams.printed(streams.err)


@pytest.mark.slow
def test_names_of_any_script_go_from_the_index_into_an_export(streams, store_settings, tmp_path, picture):
    folder = tmp_path / "\u0141ukasz \u732b"
    names = SCRIPTS + [name for name in UNKNOWN if name.isprintable()]
    for n, name in enumerate(SCRIPTS + UNKNOWN):
        picture(f"{folder.name}/{name}.png", (512, 512 + 64 * n))
        (folder / f"{name}.txt").write_text(f"tom, picture {n}", encoding="utf-8")
    words = ["--settings", store_settings, folder, "--trigger", "tom", "--out", tmp_path / "out"]
    code, out, err = streams.run("build", *words)
    assert code == 0, err
    assert len(list((tmp_path / "out" / "tom").rglob("*.png"))) == len(names)
    assert "Export" in out
    assert len(names) == len(SCRIPTS + UNKNOWN) or "not valid UTF-8" in out + err


def test_control_characters_of_a_name_never_reach_a_terminal(capsys):
    screen = Screen()
    name = "red\x1b[31m\x1b]0;title\x07.jpg"
    screen.line(name)
    screen.step("Index", name)
    screen.fault(name)
    printed = capsys.readouterr()
    assert "\x1b" not in printed.out + printed.err
    assert "\x07" not in printed.out + printed.err
    assert printed.out.startswith("red\\x1b[31m\\x1b]0;title\\x07.jpg\n")


def test_a_path_for_another_program_is_as_it_is(capsys):
    Screen().path("a\x1b\nb.jpg", "\0")
    assert capsys.readouterr().out == "a\x1b\nb.jpg\0"
