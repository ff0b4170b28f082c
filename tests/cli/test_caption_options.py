"""Options of the command line for bulk operations, made from the rows of the table."""

import argparse

import pytest

from lorads_core.captions.operation_table import OPERATIONS
from lorads_core.cli.caption_options import add_edit_options, chosen_operation
from lorads_core.errors import SettingsError


def chosen(*words):
    command = argparse.ArgumentParser()
    add_edit_options(command)
    found = chosen_operation(command.parse_args(words))
    return found and (found[0].name, found[1])


@pytest.mark.parametrize(
    ("words", "operation", "arguments"),
    [
        (["--add-tag", "a", "--add-tag", "b, c", "--at", "end"], "add_tags", {"tags": ["a", "b, c"], "place": "end"}),
        (["--remove-tag", "a"], "remove_tags", {"tags": ["a"]}),
        (["--replace-tag", "a", "b"], "replace_tag", {"old": "a", "new": "b"}),
        (
            ["--find", "a", "--replace", "b", "--regex", "--match-case"],
            "find_replace",
            {"find": "a", "replace": "b", "regex": True, "case": True},
        ),
        (["--sort"], "sort", {}),
        (
            ["--from-source", "wd", "--trigger", "t", "--trigger-position", "append"],
            "apply_source",
            {"source": "wd", "trigger": "t", "position": "append"},
        ),
        (["--prune"], "prune", {}),
        (["--prune", "--trait", "red eyes"], "prune", {"tags": ["red eyes"]}),
        (["--fix", "x", "--fix", "y"], "fix", {"codes": ["x", "y"]}),
    ],
)
def test_options_are_the_arguments_of_an_operation(words, operation, arguments):
    assert chosen(*words) == (operation, arguments)


def test_each_row_has_its_option(capsys):
    with pytest.raises(SystemExit):
        chosen("--help")
    shown = capsys.readouterr().out
    for operation in OPERATIONS.values():
        for option in (operation.option, *(each.option for each in operation.fields)):
            assert option in shown


def test_no_option_is_no_operation():
    assert chosen("--only", "training") is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--add-tag", "x", "--sort"], "several edits at once"),
        (["--add-tag", "x", "--match-case"], "--match-case only works with --find"),
        (["--trait", "red eyes"], "--trait only works with --prune"),
    ],
)
def test_options_that_contradict_each_other_are_refused(words, message):
    with pytest.raises(SettingsError, match=message):
        chosen(*words)
