"""Searches against brute force: exact ones find all, an index says how much it finds, neither is silently empty."""

import numpy as np
import pytest

from lorads_core.store.search import build_index, has_index, nearest, nearest_among
from lorads_core.store.vectors import Space, find_table, prepare_space, write_vectors

SPACE = Space("test", 64)
COUNT = 4000


@pytest.fixture
def vectors():
    random = np.random.default_rng(5)
    centres = random.standard_normal((20, 64))
    found = centres[random.integers(0, 20, COUNT)] + 0.7 * random.standard_normal((COUNT, 64))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def shelf(store, library, vectors):
    """A connection and the table of vectors; the id is the place, times three."""
    with store.connection() as connection:
        prepare_space(connection, library, SPACE)
        write_vectors(connection, library, SPACE, np.arange(COUNT) * 3, vectors)
        yield connection, find_table(connection, library, "test")


def truth(vectors, anchors, limit):
    near = (vectors @ anchors.T).max(axis=1)
    order = np.argsort(-near)[:limit]
    return set((order * 3).tolist()), near


@pytest.mark.parametrize("count", [1, 3, 8])
def test_an_exact_search_finds_the_nearest_to_any_anchor(shelf, vectors, count):
    connection, table = shelf
    anchors = vectors[:count]
    hits = nearest(connection, table, anchors, 200, COUNT)
    expected, near = truth(vectors, anchors, 200)
    assert (hits.way, hits.recall, hits.complete, hits.total) == ("exact", 1.0, False, COUNT)
    assert len(set(hits.ids.tolist()) & expected) >= 199  # halfvec may swap the last two
    assert np.abs(hits.similarities - near[hits.ids // 3]).max() < 2e-3
    assert (np.diff(hits.similarities) <= 0).all()


def test_a_search_says_when_there_is_nothing_more(shelf, vectors):
    connection, table = shelf
    hits = nearest(connection, table, vectors[:1], COUNT + 1, COUNT)
    assert len(hits.ids) == COUNT
    assert hits.complete


def test_among_some_ids_only_those_are_found(shelf, vectors):
    connection, table = shelf
    hits = nearest_among(connection, table, vectors[:1], [30, 33, 36, 1, 999_999])
    assert sorted(hits.ids.tolist()) == [30, 33, 36]
    assert hits.complete
    assert hits.ids[0] == 3 * (10 + int(np.argmax(vectors[10:13] @ vectors[0])))


def test_an_index_finds_nearly_all_and_measures_what_it_finds(shelf, vectors):
    connection, table = shelf
    assert not has_index(connection, table)
    assert nearest(connection, table, vectors[:2], 300, COUNT, "index").way == "exact"
    build_index(connection, table, 64)
    assert has_index(connection, table)
    hits = nearest(connection, table, vectors[:2], 300, COUNT, "index")
    expected, _ = truth(vectors, vectors[:2], 300)
    real = len(set(hits.ids.tolist()) & expected) / 300
    assert hits.way == "index"
    assert len(hits.ids) == 300  # a plain search with pgvector's defaults returns 40
    assert real >= 0.95
    assert abs(hits.recall - real) < 0.03
    assert hits.checked >= 290
    assert f"recall {hits.recall:.3f}" in hits.sentence


def test_an_exact_search_passes_by_the_index(shelf, vectors):
    connection, table = shelf
    build_index(connection, table, 64)
    hits = nearest(connection, table, vectors[:1], 500, COUNT)
    assert hits.way == "exact"
    assert len(set(hits.ids.tolist()) & truth(vectors, vectors[:1], 500)[0]) >= 499


def test_settings_of_a_search_end_with_its_transaction(store, library, vectors):
    with store.connection() as connection:
        prepare_space(connection, library, SPACE)
        write_vectors(connection, library, SPACE, range(COUNT), vectors)
        nearest(connection, find_table(connection, library, "test"), vectors[:1], 5, COUNT)
        connection.commit()
        assert connection.execute("SHOW parallel_tuple_cost").fetchone() == ("0.1",)
