"""The help of the command line: the usual options by `--help`, all of them by `--help-all`."""

import re

import pytest

from lorads_core.cli.main import main
from lorads_core.cli.parser import parser
from lorads_core.cli.suggestions import commands_of
from lorads_core.cli.training_options import training_config
from lorads_core.cli.usual_options import USUAL
from lorads_core.errors import SettingsError


@pytest.fixture
def shown(capsys):
    """Return a function that runs a command which only prints, and what it printed."""

    def run(*words):
        with pytest.raises(SystemExit) as left:
            main(list(words))
        return left.value.code, capsys.readouterr()

    return run


def options_in(text):
    return set(re.findall(r"^  (?:-h, )?(--[a-z0-9-]+)", text, re.MULTILINE))


def test_help_shows_the_usual_options_and_says_how_many_more_there_are(shown):
    code, (out, _) = shown("build", "--help")
    assert code == 0
    assert "example:" in out
    assert {"--trigger", "--base-model", "--trainer", "--help-all"} <= options_in(out)
    assert not {"--noise-offset", "--follow-links", "--t5xxl"} & options_in(out)
    everything = options_in(shown("build", "--help-all")[1].out)
    more = len(everything - options_in(out))
    assert out.splitlines()[-1] == f"lorads build --help-all shows {more} more options"
    assert len(out.splitlines()) < 120


@pytest.mark.parametrize("command", USUAL)
def test_help_all_shows_every_option(shown, command):
    _, (out, _) = shown(command, "--help-all")
    found = commands_of(parser(print, print))[command]
    assert options_in(out) == {
        action.option_strings[-1 if action.dest == "help" else 0] for action in found._actions if action.option_strings
    }
    assert not out.endswith("more options\n")
    assert "example:" in out


@pytest.mark.parametrize("command", USUAL)
def test_each_usual_option_is_one_of_its_command(command):
    known = commands_of(parser(print, print))[command]._option_string_actions
    assert set(USUAL[command]) <= set(known)
    assert len(set(USUAL[command])) == len(USUAL[command])


def test_every_command_with_more_options_than_a_screen_has_usual_ones():
    many = {name for name, command in commands_of(parser(print, print)).items() if len(command._actions) > 20}
    assert many <= set(USUAL)


def test_a_command_with_few_options_shows_all_of_them(shown):
    _, (out, _) = shown("train", "--help")
    assert {"--settings", "--verbose", "--profile", "--plot"} <= options_in(out)
    assert "--help-all" not in out


def test_the_usage_of_a_wrong_argument_is_short(shown):
    code, (_, err) = shown("build", "--resolution", "many")
    assert code == 2
    assert "argument --resolution: invalid int value: 'many'" in err
    assert len(err.splitlines()) < 25


def test_a_required_option_is_always_shown(shown):
    assert "--tagger" in options_in(shown("tag", "--help")[1].out)


def test_the_help_of_options_is_the_same_afterwards():
    command = commands_of(parser(print, print))["build"]
    before = command.format_all()
    assert command.format_help() != before
    assert command.format_all() == before


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("--base-precision", "FP8"), "fp8"),
        (("--trainer", "ai-tolkit"), "ai-toolkit"),
        (("--loss-type", "hubr"), "huber"),
    ],
)
def test_a_choice_that_there_is_not_is_answered_with_the_nearest(shown, words, meant):
    code, (_, error) = shown("build", "folder", *words)
    assert code == 2
    assert error.rstrip().endswith(f"; did you mean {meant}?")


def test_names_in_a_help_text_keep_their_capitals(shown):
    _, (out, _) = shown("build", "--help-all")
    text = " ".join(out.split())
    assert "LoRA+: how many times" in text
    assert "loRA" not in text
    assert "optimizer. Prodigy and" in text


@pytest.mark.parametrize(("option", "example"), [("--optimizer-arg", "d_coef = 2.0"), ("--extra", "loss_type =")])
def test_faulty_toml_is_answered_with_an_example_of_its_kind(option, example):
    options = parser(lambda *_: 0, lambda *_: 0).parse_args(["build", "folder", option, "d_coef 2"])
    with pytest.raises(SettingsError, match=f"Write one per line, texts in quotes: {example}"):
        training_config(options)
