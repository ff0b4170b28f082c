"""Several programs that write what they made of the same images at once: none fails, and nothing is half."""

import threading

import numpy as np
import pytest

from lorads_core.model import Tag
from lorads_core.store.images import ImageRow, write_images
from lorads_core.store.model_tags import ModelTags, tagged_versions, write_model_tags
from lorads_core.store.phash import StoredHash, write_hashes
from lorads_core.store.vectors import Space, prepare_space, versions, write_vectors

CLIP = Space("clip", 6, "a test")
IDS = range(1, 201)
WRITERS = 4
ROUNDS = 5


def at_once(store, write):
    """Call ``write`` with a connection and the number of its thread, in several threads at the same moments."""
    together = threading.Barrier(WRITERS)
    faults = []

    def work(number):
        try:
            for _ in range(ROUNDS):
                with store.connection() as connection:
                    together.wait(60)
                    write(connection, number)
        except Exception as error:  # noqa: BLE001 - told below
            faults.append(error)
            together.abort()

    threads = [threading.Thread(target=work, args=[number]) for number in range(1, WRITERS + 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []


def ordered(number):
    """Return the ids forwards or backwards: rows that are locked in opposite orders are how programs wait for ever."""
    return [*IDS] if number % 2 else [*reversed(IDS)]


@pytest.mark.slow
def test_vectors_of_the_same_images(store, library):
    with store.connection() as connection:
        prepare_space(connection, library, CLIP)

    def write(connection, number):
        vectors = np.full((len(IDS), 6), number, np.float32)
        write_vectors(connection, library, CLIP, ordered(number), vectors, [number] * len(IDS))

    at_once(store, write)
    with store.connection() as connection:
        found = versions(connection, library, "clip")
        assert found.keys() == set(IDS)
        assert len(set(found.values())) == 1, "of one writer alone"
        assert versions(connection, library, "clip", [7, 8, 9999]) == {each: found[each] for each in (7, 8)}


def row(number):
    return ImageRow(
        path=f"/pictures/{number}.png",
        folder="/pictures",
        file_size=number,
        mtime_ns=number,
        sidecars="",
        hash=f"{number:032x}",
        format="PNG",
        width=8,
        height=8,
        orientation=1,
        frames=1,
        ready=True,
        rating=None,
        marked_bad=False,
        prompt="",
        negative_prompt="",
        tags=(Tag("cat", "sidecar"),),
    )


@pytest.mark.slow
def test_images_with_their_tags_vectors_and_hashes_are_written_while_others_write_the_same(store, library):
    with store.connection() as connection:
        prepare_space(connection, library, CLIP)
        write_images(connection, library, [row(number) for number in IDS], ["sidecar"])
        ids = [image_id for (image_id,) in connection.execute("SELECT image_id FROM lorads.images ORDER BY image_id")]

    def write(connection, number):
        mine = ids if number % 2 else ids[::-1]
        tags = [Tag("dog", "wd:general", 0.9)]
        if number == 1:
            write_images(connection, library, [row(each) for each in IDS], ["sidecar"])
        elif number == 2:
            write_model_tags(connection, library, "wd", [ModelTags(each, 5, tags, tags) for each in mine])
        elif number == 3:
            write_vectors(connection, library, CLIP, mine, np.ones((len(mine), 6), np.float32))
        else:
            write_hashes(connection, library, {each: StoredHash("x", 1, 1, number) for each in mine})

    at_once(store, write)
    with store.connection() as connection:
        assert tagged_versions(connection, library, "wd") == dict.fromkeys(ids, 5)
        assert tagged_versions(connection, library, "wd", ids[:1]) == {ids[0]: 5}


@pytest.mark.slow
def test_tags_of_the_same_images(store, library):
    with store.connection() as connection:
        write_images(connection, library, [row(number) for number in IDS], ["sidecar"])
        ids = [image_id for (image_id,) in connection.execute("SELECT image_id FROM lorads.images ORDER BY image_id")]

    def write(connection, number):
        tags = [Tag(f"dog {number}", "wd:general", 0.9)]
        mine = ids if number % 2 else ids[::-1]
        write_model_tags(connection, library, "wd", [ModelTags(each, number, tags, tags) for each in mine])

    at_once(store, write)
    with store.connection() as connection:
        assert len(set(tagged_versions(connection, library, "wd").values())) == 1
        rows = connection.execute("SELECT count(*), count(DISTINCT tag) FROM lorads.tags WHERE source = 'wd:general'")
        assert rows.fetchone() == (len(ids), 1)
