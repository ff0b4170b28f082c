r"""DiffusionToolkit on PostgreSQL: found as it is, whatever its generation; never written to; every fault told plainly."""

import dataclasses
import os
import threading

import numpy as np
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from lorads_core.captions.merge import said_by
from lorads_core.errors import LibraryError, SettingsError
from lorads_core.library.filter import DatasetFilter, select_ids
from lorads_core.library.kinds import open_library
from lorads_core.model import Group
from lorads_core.settings import LibraryProfile, Table
from lorads_core.tags import KAOMOJI

from . import diffusiontoolkit as toolkit
from .shelf import SHELF, draw

CLIP = "clip-vit-h-14"
GOOD = sorted(sample.name for sample in SHELF if not sample.marked_bad)


def opened(dsn, folder=None, **options):
    """Open the library ``renders``; ``folder`` is where its pictures are."""
    paths = {} if folder is None else {toolkit.ROOT: str(folder)}
    values = {"kind": "diffusiontoolkit", "dsn": dsn, "paths": paths} | options
    return open_library(None, LibraryProfile("renders", "diffusiontoolkit", Table(values, "libraries.renders.")))


def names(images, folder):
    return sorted(os.path.relpath(image.path, folder) for image in images)


def change(conninfo, query, *parameters, schema="public"):
    with psycopg.connect(conninfo) as connection:
        connection.execute("SELECT set_config('search_path', quote_ident(%s), true)", [schema])
        return connection.execute(query, parameters or None).rowcount


@pytest.fixture
def add(database):
    """Return a function of the fixture's module, bound to the database."""

    def run(function, *arguments, **values):
        with psycopg.connect(database) as connection:
            return function(connection, *arguments, **values)

    return run


@pytest.fixture
def ids(database, tmp_path):
    """The images of the shelf, in a database of the current generation."""
    draw(tmp_path)
    return toolkit.fill(database, tmp_path)


@pytest.fixture
def renders(database, ids, tmp_path):
    assert ids
    return opened(database, tmp_path)


def problems(library):
    return {problem.code: problem for problem in library.report().problems}


def facts(library):
    return dict(library.report().facts)


# What is found


@pytest.mark.parametrize("generation", toolkit.GENERATIONS)
def test_every_generation_is_read(database, tmp_path, generation):
    ids = toolkit.fill(database, tmp_path, generation=generation)
    found = opened(database, tmp_path).find(DatasetFilter(exclude_marked_bad=False))
    assert {os.path.relpath(image.path, tmp_path): image.id for image in found} == ids
    assert [image.path for image in found] == sorted(image.path for image in found)
    by_id = {image.id: image for image in found}
    for sample in SHELF:
        image = by_id[ids[sample.name]]
        assert (image.width, image.height) == sample.size
        assert (image.rating, image.marked_bad, image.prompt) == (sample.rating, sample.marked_bad, sample.prompt)
        assert (image.library, image.mtime_ns, image.ready, image.hash) == ("renders", 0, None, "")
        assert image.format == {".png": "png", ".jpg": "jpeg"}[os.path.splitext(sample.name)[1]]
        if generation != "first":
            assert [(each.text, each.source, each.edited) for each in image.captions] == list(sample.captions)
            assert all(each.updated_at.tzinfo for each in image.captions)


@pytest.mark.parametrize("generation", ["now", "clusters"])
def test_tags_and_groups_are_those_of_the_shelf(database, tmp_path, generation):
    ids = toolkit.fill(database, tmp_path, generation=generation)
    library = opened(database, tmp_path)
    images = library.find(DatasetFilter(exclude_marked_bad=False))
    tags, groups = library.tags(images), library.groups(images)
    for sample in SHELF:
        image_id = ids[sample.name]
        found = {(tag.text, tag.source): tag.confidence for tag in tags.get(image_id, ())}
        assert found == {
            (tag, toolkit.SOURCES[source]): pytest.approx(confidence) for tag, source, confidence in sample.tags
        }
        expected = {Group("album", name) for name in sample.albums} | {
            Group("cluster", name) for name in sample.clusters
        }
        assert set(groups.get(image_id, ())) == expected
    assert {group.name for found in groups.values() for group in found} == {"anna", "bert", "best", "men"}


def test_the_filter_works(renders, tmp_path):
    def found(**wanted):
        return names(renders.find(DatasetFilter(**wanted)), tmp_path)

    assert found() == GOOD
    assert found(cluster="anna") == ["anna/1.png", "anna/2.png"]
    assert found(album="men", minimum_rating=8) == ["bert/2.jpg"]
    assert found(minimum_rating=7) == ["anna/1.png", "bert/1.jpg", "bert/2.jpg", "things/deep/er/table.png"]
    assert found(required_tags=("1girl", "Red_Hair")) == ["anna/1.png"]
    assert found(excluded_tags=("1girl", "1boy")) == ["things/deep/er/table.png", "things/lamp.png"]
    assert found(folders=(str(tmp_path / "things"),)) == ["things/deep/er/table.png", "things/lamp.png"]
    assert found(folders=(str(tmp_path / "things" / "deep"),)) == ["things/deep/er/table.png"]
    assert found(minimum_side=700) == ["things/lamp.png"]
    assert found(ids=(2**40, renders.ids(DatasetFilter(required_tags=("red hair",)))[0])) == ["anna/1.png"]
    assert renders.count(DatasetFilter(maximum_images=2)) == len(GOOD)
    for order in ("newest", "rating", "largest", "random"):
        assert len(found(order=order)) == len(GOOD)


def test_a_face_that_lost_its_underscores_is_found(renders, add, ids, tmp_path):
    assert names(renders.find(DatasetFilter(required_tags=("^_^",))), tmp_path) == ["anna/2.png"]
    for face in KAOMOJI:
        add(toolkit.add_row, "image_tags", image_id=ids["things/lamp.png"], tag=face.replace("_", " "))
    again = opened(renders.host.conninfo, tmp_path)
    for face in KAOMOJI:
        assert "things/lamp.png" in names(again.find(DatasetFilter(required_tags=(face,))), tmp_path)
    lamp = again.find(DatasetFilter(ids=(ids["things/lamp.png"],)))
    assert {tag.text for tag in again.tags(lamp)[lamp[0].id]} == KAOMOJI


@pytest.mark.parametrize(
    ("there", "here"),
    [("Long_Hair", "long hair"), ("100% Orange", "100% orange"), ("score_9", "score_9"), ("SCORE 9", "score_9")],
)
def test_other_spellings_of_importers_are_found(database, add, ids, tmp_path, there, here):
    lamp = ids["things/lamp.png"]
    add(toolkit.add_row, "image_tags", image_id=lamp, tag=there, source="danbooru_scrape")
    library = opened(database, tmp_path)
    assert library.ids(DatasetFilter(required_tags=(here,))) == [lamp]
    assert lamp not in library.ids(DatasetFilter(excluded_tags=(there,)))
    assert library.tag_counts([lamp])[0][:2] == (here, 1)


def test_what_is_no_tag_is_left_out(database, add, ids, tmp_path):
    lamp = ids["things/lamp.png"]
    add(toolkit.add_row, "image_tags", image_id=lamp, tag=" , ")
    assert opened(database, tmp_path).tag_counts([lamp]) == []


def test_a_tag_of_both_taggers_counts_for_both(database, add, ids, tmp_path):
    lamp = ids["things/lamp.png"]
    add(toolkit.add_row, "image_tags", image_id=lamp, tag="lamp", source="joytag+wdv3large", confidence=0.5)
    library = opened(database, tmp_path)
    (tag,) = library.tags(library.find(DatasetFilter(ids=(lamp,))))[lamp]
    assert said_by(tag) == {"wd", "joytag"}


def test_tags_without_an_index_are_found_too(database, ids, tmp_path):
    change(database, "DROP INDEX idx_image_tags_tag")
    assert opened(database, tmp_path).ids(DatasetFilter(required_tags=("^_^",))) == [ids["anna/2.png"]]


def test_a_plain_tag_is_looked_up_by_its_index(database, ids, tmp_path):
    change(
        database,
        "INSERT INTO image_tags (image_id, tag, source) SELECT %s, 'tag ' || n, 'wdv3large' FROM generate_series(1, 30000) n",
        ids["things/lamp.png"],
    )
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("ANALYZE")
    library = opened(database, tmp_path)
    query, parameters = select_ids(library.relations(), DatasetFilter(required_tags=("tag 77",)))
    with library.connection() as connection:
        plan = "\n".join(row[0] for row in connection.execute(sql.SQL("EXPLAIN ") + query, parameters))
    assert "idx_image_tags_tag" in plan
    assert "Seq Scan on image_tags" not in plan


def test_rows_that_are_no_images_of_use_are_left_out(database, add, ids, tmp_path):
    add(toolkit.add_image, r"D:\Images\gone.png", unavailable=True)
    add(toolkit.add_image, r"D:\Images\broken.png", has_error=True)
    add(toolkit.add_image, r"D:\Images\film.MP4")
    add(toolkit.add_image, r"D:\Images\film.gif", image_type="video")
    add(toolkit.add_image, r"D:\Images\odd", image_type="scene", unavailable=None, has_error=None)
    library = opened(database, tmp_path)
    assert library.count(DatasetFilter(exclude_marked_bad=False)) == len(ids) + 1
    counted = facts(library)
    assert counted["rows"] == str(len(ids) + 5)
    assert counted["left out: unavailable"] == counted["left out: with errors"] == "1"
    assert counted["left out: videos"] == "2"


def test_odd_values_are_read_as_unknown(database, add, ids, tmp_path):
    assert ids
    image_id = add(
        toolkit.add_image, r"D:\Images\x.JFIF", width=0, height=700, rating=0, hash="ABC", metadata_hash="m",
        aesthetic_score=6.25, for_deletion=None, base_image_id=ids["anna/1.png"],
    )  # fmt: skip
    (image,) = opened(database, tmp_path).find(DatasetFilter(ids=(image_id,), minimum_side=512))
    assert (image.width, image.height, image.rating, image.hash, image.format) == (0, 0, None, "", "jpeg")
    assert (image.aesthetic, image.metadata_hash, image.base_id) == (6.25, "m", ids["anna/1.png"])


def test_the_hash_and_size_are_those_of_the_file(renders, tmp_path):
    (image,) = renders.find(DatasetFilter(required_tags=("red hair",)))
    assert len(image.hash) == 64
    assert image.file_size == (tmp_path / "anna/1.png").stat().st_size


@pytest.mark.parametrize("name", ["it's", 'a "b"', "100% %s %(x)s", "Übung № 3 日本", "{0}", "semi;colon -- x"])
def test_odd_paths_albums_and_clusters(database, add, ids, tmp_path, name):
    image_id = add(toolkit.add_image, rf"d:\IMAGES\{name}\x.png")
    album = add(toolkit.add_row, "album", name=name, last_updated=toolkit.DAY)
    add(toolkit.add_row, "album_image", album_id=album, image_id=image_id)
    add(toolkit.add_face, image_id, add(toolkit.add_row, "face_group", name=name))
    library = opened(database, tmp_path)
    for wanted in ({"folders": (f"{tmp_path}/{name}",)}, {"album": name}, {"cluster": name}):
        (image,) = library.find(DatasetFilter(**wanted))
        assert (image.id, image.path) == (image_id, f"{tmp_path}/{name}/x.png")
    assert set(library.groups([image])[image_id]) == {Group("album", name), Group("cluster", name)}
    assert ids


def test_a_path_without_a_map_stays(database, ids, tmp_path):
    found = opened(database).find(DatasetFilter(folders=(r"D:\Images\anna",)))
    assert [image.path for image in found] == [toolkit.windows_path(f"anna/{n}.png") for n in ("1", "2", "3 (copy)")]
    assert ids


def test_groups_without_a_name_get_one(database, add, ids, tmp_path):
    group = add(toolkit.add_row, "face_group", name=None)
    add(toolkit.add_face, ids["things/lamp.png"], group)
    assert opened(database, tmp_path).ids(DatasetFilter(cluster=f"group {group}")) == [ids["things/lamp.png"]]


def test_older_clusters_and_what_a_person_wrote_on_a_face(database, add, tmp_path):
    ids = toolkit.fill(database, tmp_path, generation="clusters")
    lamp, table = ids["things/lamp.png"], ids["things/deep/er/table.png"]
    nameless = add(toolkit.add_row, "face_cluster", label=None)
    add(toolkit.add_face, lamp, nameless, "clusters")
    add(toolkit.add_face, lamp, nameless, "clusters", character_label="Clara", manual_label=True)
    add(toolkit.add_face, table, None, "clusters")
    change(database, "UPDATE image SET primary_character = 'Dora', characters_detected = ARRAY['Emil', ' '] WHERE id = %s", table)  # fmt: skip
    library = opened(database, tmp_path)
    images = library.find(DatasetFilter(ids=(lamp, table)))
    groups = {image_id: {group.name for group in found} for image_id, found in library.groups(images).items()}
    assert groups == {lamp: {f"cluster {nameless}", "Clara"}, table: {"Dora", "Emil"}}


def test_a_group_that_is_not_there_is_told_with_the_nearest(renders):
    with pytest.raises(LibraryError, match="no cluster 'ana'; of its 2 the nearest are: anna"):
        renders.find(DatasetFilter(cluster="ana"))
