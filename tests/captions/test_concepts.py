"""Several concepts in one dataset, and the repeats that balance them."""

from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorads_core.captions.concepts import MOST_REPEATS, balance, combine, shares
from lorads_core.errors import CaptionError
from lorads_core.model import Caption, Concept, Dataset, DatasetImage, ImageRecord, Trigger


def image(number):
    record = ImageRecord("pictures", number, f"/p/{number}.png", 64, 64, 1, 1, "", "png")
    return DatasetImage(record, Caption(f"x {number}", "wd"))


def dataset(name, training, regularization=(), word=None):
    return Dataset(
        uuid4(), name, "pictures", tuple(map(image, training)), tuple(map(image, regularization)), Trigger(word or name)
    )


def combined(*datasets):
    return combine(datasets, uuid4(), "both")


def test_each_dataset_becomes_a_concept_with_its_trigger():
    found = combined(dataset("tom", [1, 2]), dataset("jerry", [3], [9]))
    assert not found.problems
    assert found.dataset.concepts == (Concept("tom", Trigger("tom")), Concept("jerry", Trigger("jerry")))
    assert [(each.record.id, each.concept) for each in found.dataset.training] == [(1, "tom"), (2, "tom"), (3, "jerry")]
    assert [each.caption.text for each in found.dataset.images] == ["x 1", "x 2", "x 3", "x 9"]
    assert found.dataset.trigger_of(found.dataset.training[2]).word == "jerry"
    assert found.dataset.library == "pictures"


def test_a_combined_dataset_can_be_combined_again():
    found = combined(combined(dataset("tom", [1]), dataset("jerry", [2])).dataset, dataset("spike", [3]))
    assert [each.name for each in found.dataset.concepts] == ["tom", "jerry", "spike"]
    assert [each.concept for each in found.dataset.training] == ["tom", "jerry", "spike"]


def test_an_image_of_two_concepts_is_told_of_and_taken_once():
    found = combined(dataset("tom", [1, 2]), dataset("jerry", [2, 3]))
    assert [each.record.id for each in found.dataset.training] == [1, 2, 3]
    (problem,) = found.problems
    assert (problem.code, problem.image) == ("two-concepts", ("pictures", 2))


def test_a_training_image_is_no_regularization_image_of_another_concept():
    found = combined(dataset("tom", [1], [3, 9]), dataset("jerry", [3], [9]))
    assert [each.record.id for each in found.dataset.regularization] == [9]
    assert [problem.code for problem in found.problems] == ["training-elsewhere"]


def test_what_cannot_be_told_apart_is_refused():
    with pytest.raises(CaptionError, match="only one"):
        combined(dataset("tom", [1]))
    with pytest.raises(CaptionError, match="are called 'tom'"):
        combined(dataset("tom", [1]), dataset("tom", [2], word="other"))
    with pytest.raises(CaptionError, match="have the trigger 'cat'"):
        combined(dataset("tom", [1], word="cat"), dataset("jerry", [2], word="Cat"))


def test_repeats_balance_the_concepts_and_the_shares_are_told():
    found = balance(combined(dataset("tom", range(40)), dataset("jerry", range(100, 110))).dataset, 5)
    assert [each.repeats for each in found.concepts] == [5, 20]
    assert [(each.concept, each.images, each.repeats, each.share) for each in shares(found, 5)] == [
        ("tom", 40, 5, 0.5),
        ("jerry", 10, 20, 0.5),
    ]


def test_without_balance_the_configs_repeats_count():
    found = combined(dataset("tom", range(30)), dataset("jerry", range(100, 110))).dataset
    assert [(each.repeats, each.share) for each in shares(found, 2)] == [(2, 0.75), (2, 0.25)]


@given(counts=st.lists(st.integers(1, 60), min_size=2, max_size=4), repeats=st.integers(1, 20))
def test_balance_comes_near_or_says_that_it_cannot(counts, repeats):
    sets = [dataset(f"c{n}", range(1000 * n, 1000 * n + count)) for n, count in enumerate(counts)]
    found = balance(combined(*sets).dataset, repeats)
    largest = max(each.images * each.repeats for each in shares(found, repeats))
    for each in shares(found, repeats):
        assert 1 <= each.repeats <= MOST_REPEATS
        near = abs(each.images * each.repeats - repeats * max(counts)) <= each.images / 2 + 1e-9
        assert near or each.repeats == MOST_REPEATS or each.images * each.repeats == largest
