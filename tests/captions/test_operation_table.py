"""The table of bulk operations: each row fits its function, and its fields refuse what is not valid."""

import inspect
from typing import get_args

import pytest

from lorads_core.captions.caption import CaptionSettings
from lorads_core.captions.operation_table import OPERATIONS, FieldKind, Target
from lorads_core.captions.operations import ALL, Selection
from lorads_core.errors import CaptionError, SettingsError
from lorads_core.model import Caption, Edit

from .test_operations import dataset, texts


def target(data, selection=ALL, bound=None):
    """Return a target whose captions are rebuilt as "source, trigger"; its problems have no fix."""

    def rebuild(settings):
        text = f"{settings.source}, {settings.trigger.word}"
        return {image.key: Caption(text, settings.source) for image in data.images}

    return Target(
        data, selection, CaptionSettings(), rebuild, lambda codes: Edit(" ".join(codes), ()), lambda: bound or {}
    )


def after(name, data, arguments, **more):
    return texts(data, OPERATIONS[name].edit(target(data, **more), arguments))


def test_each_kind_of_field_is_used_and_no_other():
    kinds = {each.kind for operation in OPERATIONS.values() for each in operation.fields}
    assert kinds == set(get_args(FieldKind))


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_an_operation_takes_exactly_its_fields(operation):
    _, *taken = inspect.signature(operation.run).parameters
    assert taken == [each.name for each in operation.fields]


def test_each_option_of_the_command_line_stands_once():
    fields = [each for operation in OPERATIONS.values() for each in operation.fields]
    options = [each.option for each in (*OPERATIONS.values(), *fields) if each.option]
    assert len(options) == len(set(options))
    assert all(bool(each.option) == (each.default is not None) for each in fields)


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("add_tags", {"tags": ["hat"]}, "tom, hat, red eyes, cat"),
        ("add_tags", {"tags": ["hat"], "place": "end"}, "tom, red eyes, cat, hat"),
        ("add_tags", {"tags": ["hat"], "place": "2"}, "tom, red eyes, hat, cat"),
        ("remove_tags", {"tags": ["cat"]}, "tom, red eyes"),
        ("replace_tag", {"old": "cat", "new": "dog"}, "tom, red eyes, dog"),
        ("find_replace", {"find": "CAT"}, "tom, red eyes, "),
        ("find_replace", {"find": "CAT", "case": True}, "tom, red eyes, cat"),
        ("find_replace", {"find": "c(.)t", "replace": r"\1", "regex": True}, "tom, red eyes, a"),
        ("apply_source", {"source": "wd"}, "wd, tom"),
        ("apply_source", {"source": "wd", "trigger": "jerry", "position": "append"}, "wd, jerry"),
        ("prune", {"tags": ["red eyes"]}, "tom, cat"),
    ],
)
def test_an_operation_edits_captions_by_its_arguments(name, arguments, expected):
    assert after(name, dataset("tom, red eyes, cat"), arguments) == [expected]


def test_traits_that_were_bound_are_pruned_where_none_is_named():
    data = dataset("tom, red eyes, cat", others=["red eyes, dog"])
    assert after("prune", data, {}, bound={"": frozenset({"red eyes"})}) == ["tom, cat", "red eyes, dog"]
    with pytest.raises(CaptionError, match="No trait of 'd' is bound"):
        after("prune", data, {"tags": []})


def test_pruning_leaves_captions_that_are_not_selected():
    data = dataset("tom, red eyes, a", "tom, red eyes, b")
    one = Selection(frozenset({("pictures", 1)}))
    assert after("prune", data, {"tags": ["red eyes"]}, selection=one) == ["tom, red eyes, a", "tom, b"]


@pytest.mark.parametrize(
    ("name", "arguments", "error", "message"),
    [
        ("add_tags", {}, CaptionError, "Tags is missing"),
        ("add_tags", {"tags": ["a"], "place": "middle"}, CaptionError, "one of front, end or a number"),
        ("add_tags", {"tags": ["a"], "place": "-1"}, CaptionError, "one of front, end or a number"),
        ("replace_tag", {"old": "a, b", "new": "c"}, CaptionError, "not one tag"),
        ("apply_source", {"source": "wd", "position": "middle"}, CaptionError, "one of prepend, append, none"),
        ("apply_source", {"source": "nobody"}, SettingsError, "nobody"),
        ("apply_source", {"source": "wd", "trigger": "a, b"}, CaptionError, "holds a comma"),
        ("prune", {"tags": [" , "]}, CaptionError, "not a valid tag"),
    ],
)
def test_arguments_that_are_not_valid_are_named(name, arguments, error, message):
    with pytest.raises(error, match=message):
        after(name, dataset("tom, cat"), arguments)
