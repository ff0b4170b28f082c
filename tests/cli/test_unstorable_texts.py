"""Every option and argument of the command line, with characters that no PostgreSQL stores: refused by its name."""

import argparse

import pytest

from lorads_core.cli.parser import parser

TEXTS = {"NUL": "a\0b", "not UTF-8": "half \udcff"}


def options_of(command):
    """Yield the actions of a command that take a value."""
    for action in command._actions:
        if action.nargs != 0 and not isinstance(action, argparse._SubParsersAction):
            yield action


def commands():
    (found,) = (each for each in parser(None, None)._actions if isinstance(each, argparse._SubParsersAction))
    return found.choices


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("name", sorted(commands()))
def test_no_option_or_argument_takes_a_text_that_cannot_be_stored(name, text):
    command = commands()[name]
    options = list(options_of(command))
    assert "--settings" in [flag for option in options for flag in option.option_strings]
    for option in options:
        number = option.nargs if isinstance(option.nargs, int) else 1
        with pytest.raises(argparse.ArgumentError) as refused:
            command._get_values(option, [text] * number)
        assert "argument" in str(refused.value)
        assert str(refused.value).isprintable()


def test_a_text_is_refused_with_the_name_of_its_option(capsys):
    with pytest.raises(SystemExit) as ended:
        parser(None, None).parse_args(["query", "--require", "half \udcff"])
    assert ended.value.code == 2
    assert "argument --require: it is not valid UTF-8, or holds a NUL character" in capsys.readouterr().err
