"""Vectors in our store: what is written comes back at length 1, spaces stay apart, nonsense is named and not kept."""

import numpy as np
import pytest

from lorads_core.errors import StoreError
from lorads_core.store.vectors import (
    Space,
    count_vectors,
    coverage,
    delete_vectors,
    find_table,
    normalize,
    partition,
    prepare_space,
    read_vectors,
    sample_vectors,
    versions,
    write_vectors,
)

CLIP = Space("clip", 6, "a test")


@pytest.fixture
def connection(store, library):
    with store.connection() as connection:
        prepare_space(connection, library, CLIP)
        yield connection


def noise(count, dimensions=6, seed=0):
    return np.random.default_rng(seed).standard_normal((count, dimensions)).astype(np.float32)


def test_what_is_written_comes_back_at_length_one(connection, library):
    vectors = noise(50) * 7
    assert write_vectors(connection, library, CLIP, range(100, 150), vectors) == []
    table = find_table(connection, library, "clip")
    ids, found = read_vectors(connection, table, [149, 3, 100, 120])
    assert ids.tolist() == [149, 100, 120]
    expected = vectors[[49, 0, 20]] / np.linalg.norm(vectors[[49, 0, 20]], axis=1, keepdims=True)
    assert np.abs(found - expected).max() < 1e-3  # halfvec has eleven bits
    assert count_vectors(connection, table) == 50


def test_a_second_vector_replaces_the_first(connection, library):
    write_vectors(connection, library, CLIP, [1, 2], noise(2), [7, 8])
    write_vectors(connection, library, CLIP, [2, 3], noise(2, seed=1), [9, 10])
    assert versions(connection, library, "clip") == {1: 7, 2: 9, 3: 10}
    delete_vectors(connection, library, "clip", [1, 3, 99])
    assert versions(connection, library, "clip") == {2: 9}


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 0.0])
def test_a_vector_that_is_none_is_told_and_not_kept(connection, library, bad):
    vectors = noise(3)
    vectors[1] = bad
    assert write_vectors(connection, library, CLIP, [5, 6, 7], vectors) == [6]
    assert set(versions(connection, library, "clip")) == {5, 7}


def test_huge_and_tiny_numbers_keep_their_direction():
    unit, sound = normalize([[3e15, 4e15], [3e-5, 4e-5], [1e-20, 0]])
    assert sound.tolist() == [True, True, False]
    assert np.allclose(unit[:2], [[0.6, 0.8]] * 2)


@pytest.mark.parametrize("shape", [(2, 5), (2, 7), (3, 6)])
def test_another_dimension_is_refused(connection, library, shape):
    with pytest.raises(StoreError, match="vectors of 6 dimensions were expected"):
        write_vectors(connection, library, CLIP, [1, 2], noise(*shape))
    assert versions(connection, library, "clip") == {}


def test_one_space_has_one_dimension_in_all_libraries(connection):
    with pytest.raises(StoreError, match="has 6 dimensions"):
        prepare_space(connection, "another", Space("clip", 8))
    with pytest.raises(StoreError, match="cannot be stored"):
        prepare_space(connection, "another", Space("wide", 4001))


def test_spaces_and_libraries_stay_apart(connection, library):
    dino = Space('dino\'s "best"', 3)
    for name, space in ((library, dino), ("other%s", CLIP), ("other%s", dino)):
        prepare_space(connection, name, space)
    write_vectors(connection, library, CLIP, [1, 2], noise(2))
    write_vectors(connection, library, dino, [1], noise(1, 3))
    write_vectors(connection, "other%s", CLIP, [1, 2, 3], noise(3))
    found = [(known.space.name, known.images) for known in coverage(connection, library)]
    assert found == [("clip", 2), ('dino\'s "best"', 1)]
    assert [known.images for known in coverage(connection, "other%s")] == [3]
    assert find_table(connection, library, "unknown") is None
    assert find_table(connection, "nobody", "clip") is None


def test_vectors_lie_in_their_rows(connection, library):
    (storage,) = connection.execute(
        "SELECT attstorage FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attname = 'embedding'",
        [partition(library, "clip").as_string(connection)],
    ).fetchone()
    assert storage in {"p", b"p"}


def test_room_is_made_once_however_often_it_is_asked_for(store, library):
    for _ in range(2):
        with store.connection() as connection:
            prepare_space(connection, library, CLIP)
            prepare_space(connection, library, CLIP)


def test_a_sample_is_about_as_large_as_asked_for(connection, library):
    space = Space("wide", 1024)
    prepare_space(connection, library, space)
    write_vectors(connection, library, space, range(3000), noise(3000, 1024))
    table = find_table(connection, library, "wide")
    ids, vectors = sample_vectors(connection, table, 600, 3000)
    assert 300 < len(ids) < 900
    assert vectors.shape == (len(ids), 1024)
    assert len(set(ids.tolist())) == len(ids)
    assert sample_vectors(connection, table, 600, 3000)[0].tolist() == ids.tolist()
    assert len(sample_vectors(connection, table, 9999, 3000)[0]) == 3000


def test_nothing_is_an_answer_too(connection, library):
    table = find_table(connection, library, "clip")
    ids, vectors = read_vectors(connection, table, [])
    assert (len(ids), vectors.shape) == (0, (0, 6))
    assert sample_vectors(connection, table, 10, 0)[1].shape == (0, 6)
