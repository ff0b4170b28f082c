"""Options that select images: each reaches its field of the filter, and what they mean for regularization images."""

from dataclasses import fields
from datetime import date

import pytest

from lorads_core.cli.commands.library import chosen, finder_rules
from lorads_core.cli.parser import parser
from lorads_core.library.filter import DatasetFilter

EVERY = {
    "cluster": (("--cluster", "anna"), "anna"),
    "album": (("--album", "best"), "best"),
    "folders": ((), ()),
    "minimum_rating": (("--minimum-rating", "7"), 7),
    "exclude_marked_bad": (("--with-marked-bad",), False),
    "required_tags": (("--require", "a", "--require", "b c"), ("a", "b c")),
    "excluded_tags": (("--exclude", "d"), ("d",)),
    "minimum_side": (("--minimum-side", "512"), 512),
    "maximum_images": (("--maximum-images", "9"), 9),
    "ids": (("--id", "4", "--id", "5"), (4, 5)),
    "order": (("--order", "random"), "random"),
    "seed": (("--seed", "6"), 6),
    "favorite": (("--favorite", "only"), True),
    "nsfw": (("--nsfw", "leave-out"), False),
    "models": (
        ("--made-with-checkpoint", "pony, v6", "--made-with-checkpoint", "67ab2fd8ec"),
        ("pony, v6", "67ab2fd8ec"),
    ),
    "loras": (("--made-with-lora", "ink*"), ("ink*",)),
    "created_since": (("--created-since", "2025-01-31"), date(2025, 1, 31)),
    "created_before": (("--created-before", "2025-02-01"), date(2025, 2, 1)),
}


def parsed(command, *words):
    return parser(None, None).parse_args([command, *words])


def test_every_field_of_the_filter_has_an_option():
    assert list(EVERY) == [each.name for each in fields(DatasetFilter)]


@pytest.mark.parametrize("command", ["query", "build", "regularize", "unindex"])
def test_each_option_reaches_its_field_and_no_other(command):
    assert chosen(parsed(command)) == DatasetFilter()
    for name, (words, value) in EVERY.items():
        assert chosen(parsed(command, *words)) == DatasetFilter(**{name: value})


@pytest.mark.parametrize(
    ("words", "nsfw"),
    [
        ((), None),
        (("--nsfw", "only"), None),
        (("--nsfw", "leave-out"), False),
        (("--nsfw", "leave-out", "--among", "pictures"), False),
        (("--nsfw", "leave-out", "--among", "another"), None),  # it may not know the mark
    ],
)
def test_who_leaves_out_nsfw_images_gets_none_for_regularization_either(words, nsfw):
    assert finder_rules(parsed("regularize", *words)).wanted.nsfw is nsfw


@pytest.mark.parametrize("option", ["--sheet", "--histogram"])
def test_an_image_that_is_written_as_png_is_called_so(option, capsys):
    assert str(getattr(parsed("regularize", option, "a.PNG"), option[2:])) == "a.PNG"
    with pytest.raises(SystemExit):
        parsed("regularize", option, "a.txt")
    assert "end its name with .png" in capsys.readouterr().err


def test_a_folder_to_index_and_one_to_choose_by_contradict_each_other(lorads, tmp_path):
    code, _, err = lorads("build", tmp_path, "--folder", tmp_path / "nowhere", "--trigger", "tom")
    assert code != 0
    assert "leave one out" in err
