"""Bulk edits of a dataset that others edit at the same time."""

import pytest

from lorads_core.captions.operations import Bulk
from lorads_core.model import Edit
from lorads_core.store.captions import ChangedMeanwhileError
from lorads_core.workflow import captions


def numbered(number):
    return Bulk(Edit(f"worked out {number} times", ()))


@pytest.fixture
def attempt(monkeypatch):
    """Return a function that does a bulk edit while others are quicker some times: what was done, and the tries."""

    def run(quicker, **options):
        tried = []

        def keep(_store, dataset, edit):
            tried.append((dataset, edit.label))
            if len(tried) <= quicker:
                raise ChangedMeanwhileError("changed meanwhile")

        monkeypatch.setattr(captions, "keep_edit", keep)

        def again():
            return len(tried) + 1, numbered(len(tried) + 1)

        return captions.keep_bulk(None, 1, numbered(1), again, **options), tried

    return run


def test_a_bulk_edit_is_worked_out_again_for_what_was_changed_meanwhile(attempt):
    done, tried = attempt(2)
    assert done == numbered(3)
    assert tried == [(1, "worked out 1 times"), (2, "worked out 2 times"), (3, "worked out 3 times")]


def test_it_gives_up_where_others_are_quicker_each_time(attempt):
    with pytest.raises(ChangedMeanwhileError):
        attempt(3, tries=3)
