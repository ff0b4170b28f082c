"""Near-duplicates by numbers: prints, vectors that prints confirm, and no chains of ever more different images."""

import numpy as np
import pytest

from lorads_core.model import ImageRecord
from lorads_core.vision.similarity.duplicates import (
    ImageFeatures,
    duplicate_report,
    find_duplicates,
    nearest_hashes,
)


def alike(prints, vectors=None, has_print=None, has_vector=None):
    count = len(prints)
    vectors = np.eye(count, dtype=np.float32) if vectors is None else np.asarray(vectors, np.float32)
    return ImageFeatures(
        vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
        np.array([True] * count if has_vector is None else has_vector),
        np.array(prints, np.int64),
        np.array([True] * count if has_print is None else has_print),
    )


def groups(found, order=()):
    """Return the places of each group, the kept one first."""
    return [[group.best, *(twin.index for twin in group.duplicates)] for group in find_duplicates(found, order)]


def kept(records):
    """Return which of records that are all the same picture is kept."""
    (group,) = duplicate_report(records, alike([5] * len(records))).groups
    return records[group.best].id


def file_record(number, digest, path="", width=10):
    return ImageRecord("pictures", number, path or f"/{number}", width, 10, 5, 1, digest, "png")


@pytest.mark.parametrize(
    "copy", ["a copy.png", "a (1).png", "a - Copy.png", "a_copy.png", "a Kopie 2.png", "a - Copy (2).png", "abc.png"]
)
def test_of_identical_files_the_one_with_the_plain_name_stays(copy):
    records = [file_record(1, "h", path=f"/p/{copy}"), file_record(2, "h", path="/p/a.png")]
    report = duplicate_report(records, alike([5, 5]))
    assert [group.best for group in report.groups] == [1]
    (problem,) = report.problems
    assert (problem.code, problem.subject) == ("identical-file", f"/p/{copy}")
    assert problem.message == "It is identical to /p/a.png, byte for byte: leave one of the two out."


def test_identical_files_are_found_without_prints():
    records = [file_record(n, "ab"[n % 2]) for n in range(1, 5)]
    blank = alike([0] * 4, has_print=[False] * 4, has_vector=[False] * 4)
    assert sorted(group.best for group in duplicate_report(records, blank).groups) == [0, 1]


def test_an_identical_file_joins_the_group_of_its_twin():
    records = [file_record(1, "a", width=999), file_record(2, "b"), file_record(3, "b")]
    (group,) = duplicate_report(records, alike([5, 5, 5])).groups
    assert (group.best, {twin.index for twin in group.duplicates}) == (0, {1, 2})


def test_bits_are_counted_also_of_negative_numbers():
    a = np.array([0, -1, 5], np.int64)
    found = [nearest_hashes(a, np.array([n], np.int64)).tolist() for n in (0, -1, 4)]
    assert found == [[0, 64, 2], [64, 0, 62], [1, 63, 1]]


def test_nearest_prints():
    assert nearest_hashes(np.array([7, -1]), np.array([0, 3])).tolist() == [1, 62]
    assert nearest_hashes(np.array([7]), np.array([], np.int64)).tolist() == [64]
    assert nearest_hashes(np.array([], np.int64), np.array([1])).tolist() == []


def test_nearly_the_same_print_is_enough():
    assert groups(alike([0b0, 0b111111, 0b1111111 << 30, -1])) == [[0, 1]]


FAR = [0, (1 << 10) - 1, (1 << 40) - 1]  # 10 and 40 bits from the first


@pytest.mark.parametrize(("cosine", "expected"), [(0.97, [[0, 1]]), (0.9, [])])
def test_a_near_vector_counts_where_the_print_confirms_it(cosine, expected):
    vectors = [[1, 0], [cosine, (1 - cosine**2) ** 0.5], [1, 0]]
    assert groups(alike(FAR, vectors)) == expected


def test_equal_vectors_of_unlike_pictures_are_no_duplicates():
    assert groups(alike([0, (1 << 40) - 1], [[1, 0], [1, 0]])) == []


def test_without_a_print_only_equal_vectors_count():
    vectors = [[1, 0], [1, 0.001], [1, 0.2]]
    assert groups(alike([0, 0, 0], vectors, has_print=[True, False, False])) == [[0, 1]]


def test_without_a_vector_the_print_counts():
    assert groups(alike([0, 1], [[1, 0], [0, 1]], has_vector=[False, True])) == [[0, 1]]


def test_with_neither_there_are_none():
    assert groups(alike([0, 0], [[1, 0], [1, 0]], has_print=[False] * 2, has_vector=[False] * 2)) == []
    assert groups(alike([])) == []


CHAIN = [(1 << (5 * n)) - 1 for n in range(5)]  # each 5 bits from the next


@pytest.mark.parametrize(
    ("order", "expected"),
    [((), [[0, 1], [2, 3]]), ((1, 0, 2, 3, 4), [[1, 0, 2], [3, 4]]), ((2, 0, 1, 3, 4), [[2, 1, 3]])],
)
def test_a_chain_is_not_one_group(order, expected):
    assert groups(alike(CHAIN), order) == expected


def test_no_two_kept_images_are_alike_and_all_others_are_like_theirs():
    random = np.random.default_rng(5)
    prints = random.integers(-(2**63), 2**63 - 1, 30).repeat(20) ^ (1 << random.integers(0, 63, 600))
    prints ^= 1 << random.integers(0, 63, 600)  # up to 4 bits among those of one picture
    given = alike(prints, random.standard_normal((600, 8)))
    found = find_duplicates(given, random.permutation(600).tolist())
    kept = np.array([group.best for group in found])
    assert all(nearest_hashes(prints[[n]], prints[kept[kept != n]])[0] > 6 for n in kept)
    assert sorted([*kept, *(twin.index for group in found for twin in group.duplicates)]) == list(range(600))
    assert len(found) == 30


def test_an_image_joins_the_one_it_is_most_like():
    prints = [0, 0b1111_1111, 0b1111_1100]  # the last is 6 bits from the first, 2 from the second
    assert groups(alike(prints)) == [[1, 2]]


@pytest.mark.parametrize("count", [3000])
def test_equal_images_of_any_number_are_one_group(count):
    found = find_duplicates(alike([5] * count, np.ones((count, 4))))
    assert [(group.best, len(group.duplicates)) for group in found] == [(0, count - 1)]


def test_many_images_are_compared_in_blocks():
    random = np.random.default_rng(2)
    prints = random.integers(-(2**63), 2**63 - 1, 700)
    prints[699] = prints[3]
    assert groups(alike(prints, random.standard_normal((700, 16)))) == [[3, 699]]


def record(number, **fields):
    return ImageRecord("pictures", number, f"/{number}", **{"width": 10, "height": 10, "file_size": 5} | fields)


@pytest.mark.parametrize(
    "better",
    [{"rating": 3}, {"aesthetic": 5.0}, {"width": 11}, {"file_size": 6}],
)
def test_the_best_is_kept(better):
    fields = {"mtime_ns": 1, "hash": "", "format": "png"}
    assert kept([record(1, **fields), record(2, **fields | better), record(3, **fields)]) == 2
    assert kept([record(2, **fields), record(1, **fields)]) == 1


def test_the_report_keeps_the_best_and_says_how_like_the_others_are():
    fields = {"mtime_ns": 1, "hash": "", "format": "png"}
    records = [record(n, **fields, rating=rating) for n, rating in enumerate((1, 5, None, 2))]
    vectors = [[1, 0], [1, 0], [0, 1], [0.6, 0.8]]
    given = alike([0, 0b11, -1, 0b1], vectors, has_vector=[True, True, True, False])
    found = duplicate_report(records, given)
    assert [(group.best, [twin.index for twin in group.duplicates]) for group in found.groups] == [(1, [3, 0])]
    without_vector, with_vector = found.problems
    assert (with_vector.code, with_vector.subject) == ("near-duplicate", "/0")
    assert "as /1 (2 of 64 bits of their prints differ, similarity 1.000)" in with_vector.message
    assert "as /1 (1 of 64 bits of their prints differ)" in without_vector.message
    assert without_vector.subject == "/3"


def test_the_report_of_no_images_is_empty():
    assert duplicate_report([], alike([])).groups == ()
