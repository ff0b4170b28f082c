"""Embedding a library: real pictures, a real store, a tiny real model; foreign libraries are one hand-written fake."""

import os
import re
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from lorads_core.errors import StoreError
from lorads_core.library.filter import DatasetFilter
from lorads_core.library.index import index_folder
from lorads_core.library.kinds.index import IndexedLibrary
from lorads_core.model import FileStamp
from lorads_core.store.images import revision
from lorads_core.store.vectors import (
    adopted_version,
    coverage,
    file_version,
    find_table,
    read_vectors,
    versions,
    write_vectors,
)
from lorads_core.vision.encoders import open_embedder
from lorads_core.vision.encoders.run import embed_library

from ...memory import peak_memory
from .host import Host
from .models import PLAIN, profile, weights, write_model

ALL = DatasetFilter()
COLOURS = [(250, 0, 0), (0, 250, 0), (0, 0, 250), (51, 102, 153), (102, 0, 51), (9, 99, 199), (1, 2, 3)]


class Cut(Exception):  # noqa: N818 (nothing has gone wrong)
    """What a progress raises to cancel."""


def paint(path, colour, size=(20, 10)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


def embedder(folder, batch_size=2, **options):
    path = write_model(folder / "tiny.onnx", spoil=True)
    return open_embedder(profile(model=str(path), batch_size=batch_size, **{**PLAIN, "space": "tiny", **options}))


@pytest.fixture
def tiny(tmp_path):
    return embedder(tmp_path)


@pytest.fixture
def paths(tmp_path):
    return [paint(tmp_path / "pictures" / f"{n}.png", colour) for n, colour in enumerate(COLOURS)]


@pytest.fixture
def host(paths):
    return Host(paths)


@pytest.fixture
def indexed(store, paths):
    index_folder(store, "pictures", paths[0].parent)
    return IndexedLibrary(store, "pictures")


def held(store, library, space="tiny"):
    """Return the vectors of a library by image id."""
    with store.connection() as connection:
        table = find_table(connection, library, space)
        ids = sorted(versions(connection, library, space))
        return dict(zip(ids, read_vectors(connection, table, ids)[1], strict=True)) if table else {}


def expected(colour):
    vector = (np.array(colour, np.float32) / 255) @ weights()
    return vector / np.linalg.norm(vector)


def counts(report):
    """Return the numbers of a report, and how many images have no vector after all."""
    without = [each for each in report.problems if each.code in {"file-missing", "unreadable", "no-vector"}]
    return report.copied, report.deleted, report.embedded, report.unchanged, len(without)


def test_all_images_of_an_index_are_embedded(store, indexed, tiny):
    seen = []
    report = embed_library(store, indexed, tiny, ALL, lambda *step: seen.append(step))
    assert counts(report) == (0, 0, 7, 0, 0)
    records = {record.id: record for record in indexed.find(ALL)}
    vectors = held(store, "pictures")
    assert set(vectors) == set(records)
    for image_id, vector in vectors.items():
        colour = COLOURS[int(re.search(r"(\d)\.png", records[image_id].path)[1])]
        np.testing.assert_allclose(vector, expected(colour), atol=2e-3)
    assert {step for step, _, _ in seen} == {"embed"}
    assert [done for _, done, _ in seen] == [0, 2, 4, 6, 7, 7]
    assert {total for _, _, total in seen} == {7}
    assert "7 embedded, 0 unchanged, 0 deleted; without: none" in report.sentence


def test_nothing_is_done_twice(store, indexed, tiny):
    embed_library(store, indexed, tiny, ALL)
    with store.connection() as connection:
        before = revision(connection, "pictures")
    assert counts(embed_library(store, indexed, tiny, ALL)) == (0, 0, 0, 7, 0)
    with store.connection() as connection:
        assert revision(connection, "pictures") == before, "nothing changed, so nobody need ask again"


def test_new_vectors_are_a_new_revision(store, host, tiny):
    before = ""
    for _ in COLOURS[:2]:
        host.paths[len(host.paths) + 1] = host.paths[1]
        embed_library(store, host, tiny, ALL)
        with store.connection() as connection:
            now = revision(connection, "host")
        assert now != before
        before = now


def test_a_changed_file_is_embedded_anew(store, host, tiny):
    embed_library(store, host, tiny, ALL)
    paint(host.paths[2], (200, 10, 20), (40, 30))
    assert counts(embed_library(store, host, tiny, ALL)) == (0, 0, 1, 6, 0)
    np.testing.assert_allclose(held(store, "host")[2], expected((200, 10, 20)), atol=2e-3)


def test_an_index_that_is_behind_its_files_does_no_harm(store, indexed, tiny, paths):
    embed_library(store, indexed, tiny, ALL)
    paint(paths[2], (200, 10, 20), (40, 30))
    assert embed_library(store, indexed, tiny, ALL).embedded == 0, "the index has not seen it"
    index_folder(store, "pictures", paths[0].parent)
    assert counts(embed_library(store, indexed, tiny, ALL)) == (0, 0, 1, 6, 0)
    assert counts(embed_library(store, indexed, tiny, ALL)) == (0, 0, 0, 7, 0)


def test_a_file_that_changed_before_it_was_embedded_and_then_indexed(store, indexed, tiny, paths):
    paint(paths[2], (200, 10, 20), (40, 30))  # the index has the former date
    assert embed_library(store, indexed, tiny, ALL).embedded == 7
    assert embed_library(store, indexed, tiny, ALL).embedded == 0
    index_folder(store, "pictures", paths[0].parent)
    assert embed_library(store, indexed, tiny, ALL).embedded == 0


def test_a_run_that_is_cut_off_goes_on(store, host, tiny):
    def stop_at(most):
        def progress(_step, done, _total):
            if done >= most:
                raise Cut

        return progress

    for most, there in ((0, 0), (2, 2), (4, 4)):
        with pytest.raises(Cut):
            embed_library(store, host, tiny, ALL, stop_at(most))
        assert len(held(store, "host")) == there
    assert counts(embed_library(store, host, tiny, ALL)) == (0, 0, 3, 4, 0)


def test_a_cut_run_tells_whoever_asked_before(store, host, tiny):
    def progress(_step, done, _total):
        if done >= 2:
            raise Cut

    with store.connection() as connection:
        before = revision(connection, "host")
    with pytest.raises(Cut):
        embed_library(store, host, tiny, ALL, progress)
    with store.connection() as connection:
        assert revision(connection, "host") != before


KILLED = """
import sys, time
from lorads_core.vision.encoders import open_embedder
from lorads_core.vision.encoders.run import embed_library
from lorads_core.library.filter import DatasetFilter
from lorads_core.library.kinds.index import IndexedLibrary
from lorads_core.settings import load_settings, EmbedderProfile, Table
from lorads_core.store.connect import Store
from pathlib import Path

settings = load_settings(Path(sys.argv[1]))
options = {"model": sys.argv[2], "mean": [0.0] * 3, "size": 8, "resize": "stretch", "space": "tiny", "batch_size": 2}
def slowly(step, done, total):
    print(done, flush=True)
    time.sleep(0.2)
with Store.open(settings.dsn) as store:
    embedder = open_embedder(EmbedderProfile("tiny", Table(options)))
    embed_library(store, IndexedLibrary(store, "pictures"), embedder, DatasetFilter(), slowly)
"""


def test_a_killed_process_loses_a_batch_at_most(store, store_settings, indexed, tiny, tmp_path):
    running = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(store_settings), str(tmp_path / "tiny.onnx")],
        stdout=subprocess.PIPE,
        text=True,
    )
    with running:
        for line in running.stdout:
            if int(line) >= 4:
                running.kill()
                break
    there = len(held(store, "pictures"))
    assert there in (4, 6)
    report = embed_library(store, indexed, tiny, ALL)
    assert (report.embedded, report.unchanged) == (7 - there, there)


def test_files_that_are_missing_or_broken_cost_a_problem_each(store, host, tiny, tmp_path):
    host.paths[1].unlink()
    host.paths[3].write_bytes(b"not a picture")
    host.paths[4].write_bytes(host.paths[5].read_bytes()[:-20])
    host.paths[8] = "D:\\Bilder\\1.png"
    host.paths[9] = str(tmp_path)  # a folder
    host.paths[10] = str(paint(tmp_path / "white.png", (255, 255, 255)))  # the model gives NaN for it
    report = embed_library(store, host, tiny, ALL)
    assert report.embedded == 4
    told = {problem.subject: problem for problem in report.problems}
    assert {subject: problem.code for subject, problem in told.items()} == {
        str(host.paths[1]): "file-missing",
        "D:\\Bilder\\1.png": "file-missing",
        str(host.paths[3]): "unreadable",
        str(host.paths[4]): "unreadable",
        str(tmp_path): "unreadable",
        str(tmp_path / "white.png"): "no-vector",
    }
    assert "[libraries.host.paths]" in told["D:\\Bilder\\1.png"].message
    assert set(held(store, "host")) == {2, 5, 6, 7}
    assert "without: 3 that cannot be read, 2 whose files are missing, 1 that the encoder" in report.sentence


def test_a_file_that_went_away_keeps_its_vector(store, host, tiny):
    embed_library(store, host, tiny, ALL)
    before = held(store, "host")
    host.paths[2].unlink()
    assert counts(embed_library(store, host, tiny, ALL)) == (0, 0, 0, 6, 1)
    np.testing.assert_array_equal(held(store, "host")[2], before[2])


def test_only_wanted_images_are_embedded(store, host, indexed, tiny):
    assert embed_library(store, host, tiny, DatasetFilter(ids=(2, 5))).embedded == 2
    assert set(held(store, "host")) == {2, 5}
    # the first three in order, not any three
    for embedded in (3, 0):
        assert embed_library(store, indexed, tiny, DatasetFilter(maximum_images=3, order="newest")).embedded == embedded
    assert set(held(store, "pictures")) == {
        image.id for image in indexed.find(DatasetFilter(maximum_images=3, order="newest"))
    }


def test_spaces_are_apart(store, host, tmp_path):
    embed_library(store, host, embedder(tmp_path), ALL)
    assert counts(embed_library(store, host, embedder(tmp_path, space="other"), ALL)) == (0, 0, 7, 0, 0)
    with store.connection() as connection:
        assert {(known.space.name, known.images) for known in coverage(connection, "host")} == {
            ("tiny", 7),
            ("other", 7),
        }


def test_a_space_has_one_dimension(store, host, tiny, tmp_path):
    embed_library(store, host, tiny, ALL)
    wider = open_embedder(profile(model=str(write_model(tmp_path / "w.onnx", dimensions=5)), **PLAIN, space="tiny"))
    with pytest.raises(StoreError, match="'tiny' has 4 dimensions"):
        embed_library(store, host, wider, ALL)


# What the library holds itself


def own(host, space="tiny", **vectors):
    """Let the library hold vectors, given as id=(version, axis)."""
    host.held[space] = {int(key[1:]): (version, np.eye(4)[axis] * 3) for key, (version, axis) in vectors.items()}


def test_a_librarys_own_vectors_are_copied(store, host):
    own(host, i1=(7, 0), i2=(7, 1), i5=(9, 2))
    own(host, "second", i2=(1, 3))
    seen = []
    report = embed_library(store, host, None, ALL, lambda *step: seen.append(step))
    assert counts(report) == (3, 0, 0, 0, 0)
    assert report.spaces == ("tiny",), "the most useful"
    assert counts(embed_library(store, host, None, ALL, space="second")) == (1, 0, 0, 0, 0)
    assert {image_id: vector.tolist() for image_id, vector in held(store, "host").items()} == {
        1: [1, 0, 0, 0],
        2: [0, 1, 0, 0],
        5: [0, 0, 1, 0],
    }
    assert held(store, "host", "second")[2].tolist() == [0, 0, 0, 1]
    assert seen[:3] == [("adopt", 0, 3), ("adopt", 2, 3), ("adopt", 3, 3)]
    assert counts(embed_library(store, host, None, ALL)) == (0, 0, 0, 3, 0)
    assert len(host.asked) == 2, "what is there is not asked for again"


def test_only_what_changed_at_the_library_is_copied_again(store, host):
    own(host, i1=(7, 0), i2=(7, 1), i5=(9, 2))
    embed_library(store, host, None, ALL)
    own(host, i1=(7, 0), i2=(8, 3), i6=(1, 1))
    assert counts(embed_library(store, host, None, ALL)) == (2, 1, 0, 1, 0)
    assert host.asked[-1] == ("tiny", [2, 6])
    assert {image_id: int(vector.argmax()) for image_id, vector in held(store, "host").items()} == {1: 0, 2: 3, 6: 1}


def test_a_space_that_the_library_has_lost(store, host, tiny):
    embed_library(store, host, tiny, DatasetFilter(ids=(3,)))
    own(host, i1=(7, 0), i2=(7, 1))
    own(host, "second", i2=(1, 3))
    for space in ("tiny", "second"):
        embed_library(store, host, None, ALL, space=space)
    host.held = {}
    report = embed_library(store, host, None, ALL)
    assert counts(report) == (0, 3, 0, 0, 0)
    assert report.spaces == ("second", "tiny")
    assert set(held(store, "host")) == {3}, "ours stays"
    assert held(store, "host", "second") == {}
    assert counts(embed_library(store, host, None, ALL)) == (0, 0, 0, 0, 0)


def test_a_cut_copy_goes_on(store, host):
    own(host, i1=(7, 0), i2=(7, 1), i5=(9, 2))

    def progress(_step, done, _total):
        if done == 2:
            raise Cut

    with pytest.raises(Cut):
        embed_library(store, host, None, ALL, progress)
    assert counts(embed_library(store, host, None, ALL)) == (1, 0, 0, 2, 0)


def test_images_without_a_vector_of_the_library_are_embedded(store, host, tiny):
    own(host, i1=(7, 0), i2=(7, 1))
    own(host, "second", i2=(1, 3))
    assert counts(embed_library(store, host, tiny, ALL)) == (2, 0, 5, 0, 0)
    assert [space for space, _ in host.asked] == ["tiny"], "the encoder's space, no other"
    vectors = held(store, "host")
    assert vectors[1].tolist() == [1, 0, 0, 0]
    np.testing.assert_allclose(vectors[3], expected(COLOURS[2]), atol=2e-3)
    assert counts(embed_library(store, host, tiny, ALL)) == (0, 0, 0, 7, 0)


def test_neither_kind_of_version_invalidates_the_other(store, host, tiny):
    own(host, i1=(7, 0))
    embed_library(store, host, tiny, ALL)
    paint(host.paths[1], (4, 5, 6), (50, 50))
    assert counts(embed_library(store, host, tiny, ALL)) == (0, 0, 0, 7, 0), "for its own vectors the library answers"
    own(host, i1=(8, 0))
    assert counts(embed_library(store, host, tiny, ALL)) == (1, 0, 0, 6, 0)
    own(host, i2=(3, 2))
    assert counts(embed_library(store, host, tiny, ALL)) == (1, 1, 1, 5, 0), "it takes over 2, and we do 1"
    assert held(store, "host")[2].argmax() == 2
    np.testing.assert_allclose(held(store, "host")[1], expected((4, 5, 6)), atol=2e-3)


def test_vectors_of_a_library_that_are_of_no_use(store, host, tiny):
    embed_library(store, host, tiny, ALL)
    own(host, i1=(7, 0), i2=(7, 1), i3=(7, 2))
    host.held["tiny"][2] = (7, np.full(4, np.nan))
    host.held["tiny"][3] = (7, np.zeros(4))
    report = embed_library(store, host, tiny, ALL)
    assert counts(report) == (1, 0, 0, 6, 0)
    assert [problem.code for problem in report.problems] == ["library-vectors"]
    assert "2 of the library's own vectors are of no use" in report.problems[0].message
    np.testing.assert_allclose(held(store, "host")[2], expected(COLOURS[1]), atol=2e-3)


def test_a_vector_of_unknown_origin_is_made_anew(store, host, tiny):
    embed_library(store, host, tiny, ALL)
    with store.connection() as connection:
        write_vectors(connection, "host", tiny.space, [4], np.eye(4)[:1])
    assert counts(embed_library(store, host, tiny, ALL)) == (0, 0, 1, 6, 0)


def test_without_encoder_and_vectors_the_sentence_says_so(store, host):
    report = embed_library(store, host, None, ALL)
    assert counts(report) == (0, 0, 0, 0, 0)
    assert report.sentence == "host: the library holds no vectors of its own, and no encoder was named"


def test_versions_of_either_kind_are_apart():
    theirs = [adopted_version(version) for version in (0, 1, -1, 2**63 - 1, -(2**63), 2**32)]
    ours = [file_version(FileStamp(size, date)) for size in (0, 1, 10) for date in (0, 1, 10, time.time_ns())]
    assert min(theirs) > 0
    assert max(ours) < 0
    assert len(set(ours)) == len(ours)
    assert max(map(abs, theirs + ours)) < 2**63
    assert adopted_version(5) != adopted_version(6)


@pytest.mark.slow
def test_large_pictures_do_not_pile_up(store, tmp_path):
    """Thirty pictures of 12 megapixels would be a gigabyte; only those being decoded are in memory."""
    big = paint(tmp_path / "big.jpg", (10, 20, 30), (4000, 3000))
    host = Host([big] * 30, batch=10)
    many = embedder(tmp_path, batch_size=30)
    before = peak_memory()
    assert embed_library(store, host, many, ALL).embedded == 30
    threads = max(2, min(16, os.cpu_count() or 1))
    assert peak_memory() - before < (threads * 6 + 10) * 36 * 1024**2


def test_indexing_a_changed_file_takes_its_stale_vector_away(store, library, tmp_path, picture, tiny):
    picture("a.png")
    second = picture("b.png")
    index_folder(store, library, tmp_path)
    shelf = IndexedLibrary(store, library)
    embed_library(store, shelf, tiny, ALL)
    before = held(store, library)
    second.with_suffix(".txt").write_text("only its words are new")
    picture("a.png")
    index_folder(store, library, tmp_path)
    assert len(before) == 2
    assert set(held(store, library)) == {image.id for image in shelf.find(ALL) if image.path.endswith("b.png")}
    assert counts(embed_library(store, shelf, tiny, ALL)) == (0, 0, 1, 1, 0)
