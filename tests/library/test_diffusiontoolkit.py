"""DiffusionToolkit on PostgreSQL: found as it is, in every generation; never written to; each fault told plainly."""

import dataclasses
import os
import threading
from datetime import date
from pathlib import Path

import numpy as np
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from lorads_core.captions.merge import said_by
from lorads_core.errors import LibraryError, SettingsError
from lorads_core.library.files import read_file_facts
from lorads_core.library.filter import DatasetFilter, count_images, select_ids
from lorads_core.library.kinds import open_library
from lorads_core.model import Group
from lorads_core.settings import LibraryProfile, Table
from lorads_core.tags import KAOMOJI

from ..conftest import _new_database
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
    return sorted(Path(image.path).relative_to(folder).as_posix() for image in images)


def change(conninfo, query, *parameters, schema="public"):
    with psycopg.connect(conninfo) as connection:
        connection.execute("SELECT set_config('search_path', quote_ident(%s), true)", [schema])
        return connection.execute(query, parameters or None).rowcount


def without_columns(dsn, *columns):
    """Open the library as if its table lacked columns: as its catalog says so, one filled database serves all tests."""
    library = opened(dsn)
    known = library.catalog.columns
    vars(library)["catalog"] = dataclasses.replace(
        library.catalog, columns={**known, "image": known["image"] - set(columns)}
    )
    return library


@pytest.fixture
def add(database):
    """Return a function of the fixture's module, bound to the database."""

    def run(function, *arguments, **values):
        with psycopg.connect(database) as connection:
            return function(connection, *arguments, **values)

    return run


@pytest.fixture(scope="module")
def filled_shelf(embedded, make_folder):
    """Return the name of a database of the current generation with the images of the shelf, and their ids."""
    folder = make_folder()
    draw(folder)
    with psycopg.connect(embedded.conninfo, autocommit=True) as connection:
        connection.execute("CREATE DATABASE filled_shelf TEMPLATE template1")
    return "filled_shelf", toolkit.fill(make_conninfo(embedded.conninfo, dbname="filled_shelf"), folder)


@pytest.fixture(scope="module")
def filled_dsn(embedded, filled_shelf):
    """Return the DSN of that database: it is only read."""
    return make_conninfo(embedded.conninfo, dbname=filled_shelf[0])


@pytest.fixture
def database(request, embedded, filled_shelf):
    """Return the conninfo of a new database: empty, or with the images of the shelf for what asks for their ids."""
    with _new_database(
        embedded.conninfo, filled_shelf[0] if "ids" in request.fixturenames else "template1"
    ) as conninfo:
        yield conninfo


@pytest.fixture
def ids(database, filled_shelf, tmp_path):  # noqa: ARG001 - they are in it
    """The images of the shelf, in a database of the current generation, and their files."""
    draw(tmp_path)
    return filled_shelf[1]


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
    assert {Path(image.path).relative_to(tmp_path).as_posix(): image.id for image in found} == ids
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
        "INSERT INTO image_tags (image_id, tag, source)"
        " SELECT %s, 'tag ' || n, 'wdv3large' FROM generate_series(1, 30000) n",
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


@pytest.mark.parametrize(
    "name", ["it's", 'a "b"', "100% %s %(x)s", "Übung \u2116 3 \u65e5\u672c", "{0}", "semi;colon -- x"]
)
def test_odd_paths_albums_and_clusters(database, add, ids, tmp_path, name):
    image_id = add(toolkit.add_image, rf"d:\IMAGES\{name}\x.png")
    album = add(toolkit.add_row, "album", name=name, last_updated=toolkit.DAY)
    add(toolkit.add_row, "album_image", album_id=album, image_id=image_id)
    add(toolkit.add_face, image_id, add(toolkit.add_row, "face_group", name=name))
    library = opened(database, tmp_path)
    for wanted in ({"folders": (f"{tmp_path}/{name}",)}, {"album": name}, {"cluster": name}):
        (image,) = library.find(DatasetFilter(**wanted))
        assert (image.id, Path(image.path)) == (image_id, tmp_path / name / "x.png")
    assert set(library.groups([image])[image_id]) == {Group("album", name), Group("cluster", name)}
    assert ids


@pytest.mark.parametrize("folder", [r"D:\Images\anna", "D:/Images/anna/", r"D:/Images\anna"])
def test_a_path_without_a_map_stays_and_is_found_with_either_separator(database, ids, folder):
    found = opened(database).find(DatasetFilter(folders=(folder,)))
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
    query = "UPDATE image SET primary_character = 'Dora', characters_detected = ARRAY['Emil', ' '] WHERE id = %s"
    change(database, query, table)
    library = opened(database, tmp_path)
    images = library.find(DatasetFilter(ids=(lamp, table)))
    groups = {image_id: {group.name for group in found} for image_id, found in library.groups(images).items()}
    assert groups == {lamp: {f"cluster {nameless}", "Clara"}, table: {"Dora", "Emil"}}


def test_a_group_that_is_not_there_is_told_with_the_nearest(renders):
    with pytest.raises(LibraryError, match="no cluster 'ana'; of its 2 the nearest are: anna"):
        renders.find(DatasetFilter(cluster="ana"))


# What a database lacks


@pytest.mark.parametrize(
    ("table", "wanted", "said"),
    [
        ("image_tags", {"excluded_tags": ("x",)}, "has no tags"),
        ("album_image", {"album": "best"}, "has no albums"),
        ("face_detection", {"cluster": "anna"}, "has no clusters"),
    ],
)
def test_a_missing_table_costs_what_is_in_it(database, tmp_path, table, wanted, said):
    toolkit.fill(database, tmp_path, without=(table,))
    library = opened(database, tmp_path)
    images = library.find(DatasetFilter())
    assert names(images, tmp_path) == GOOD
    assert bool(library.tags(images)) is (table != "image_tags")
    assert {group.kind for found in library.groups(images).values() for group in found} == {
        *(["album"] if table != "album_image" else []),
        *(["cluster"] if table != "face_detection" else []),
    }
    with pytest.raises(LibraryError, match=said):
        library.find(DatasetFilter(**wanted))
    assert table in problems(library)["no-table"].message


def test_the_first_generation_says_what_it_lacks(database, tmp_path):
    toolkit.fill(database, tmp_path, generation="first", dimensions=1024, without=("album", "album_image"))
    library = opened(database, tmp_path)
    found = library.find(DatasetFilter(exclude_marked_bad=False))
    assert library.tags(found) == library.groups(found) == {}
    assert all(image.captions == () and image.metadata_hash == "" for image in found)
    report = library.report()
    lacking = " ".join(problem.message for problem in report.problems if problem.code == "no-table")
    assert all(what in lacking for what in ("no tags", "no captions", "no albums", "no clusters"))
    assert "metadata_hash, base_image_id" in problems(library)["older-version"].message
    with pytest.raises(LibraryError, match="no clusters"):
        library.count(DatasetFilter(cluster="anna"))


def test_ratings_that_are_not_there_cannot_be_asked_for(database, ids):
    change(database, "ALTER TABLE image DROP COLUMN rating, DROP COLUMN width")
    library = opened(database)
    assert library.count(DatasetFilter(minimum_side=100)) == len(ids) - 1
    with pytest.raises(LibraryError, match=r"no ratings \(no column image.rating\)"):
        library.ids(DatasetFilter(minimum_rating=3))


@pytest.mark.parametrize(
    ("columns", "wanted", "said"),
    [
        (
            "favorite",
            {"favorite": False},
            r"no favorites \(no column image.favorite\), .*: leave that out .* \(favorite\)",
        ),
        ("nsfw", {"nsfw": True}, r"no NSFW marks \(no column image.nsfw\)"),
        ("model model_hash", {"models": ("x",)}, r"no checkpoints \(no column image.model or image.model_hash\)"),
        ("loras prompt", {"loras": ("x",)}, r"no LoRAs \(no column image.loras or image.prompt\)"),
        ("created_date", {"created_since": date(2025, 1, 1)}, r"no dates \(no column image.created_date\)"),
        ("created_date", {"created_before": date(2025, 1, 1)}, r"no dates \(no column image.created_date\)"),
    ],
)
def test_what_a_schema_lacks_cannot_be_filtered_by(filled_dsn, columns, wanted, said):
    library = without_columns(filled_dsn, *columns.split())
    with pytest.raises(LibraryError, match=said):
        library.count(DatasetFilter(**wanted))
    assert library.count(DatasetFilter()) == len(GOOD)
    assert columns.split()[0] in problems(library)["older-version"].message


def test_one_of_two_columns_is_enough(filled_dsn):
    library = without_columns(filled_dsn, "loras", "model")
    assert library.count(DatasetFilter(loras=("x",))) == 2
    assert library.count(DatasetFilter(models=("67ab2fd8ec", "pony*"))) == 1


@pytest.mark.parametrize(
    ("listed", "found"),
    [
        (None, 0),
        ("null", 0),
        ("{}", 0),
        ('"ink"', 0),
        ("[]", 0),
        ('[{"Name": "ink", "Strength": 0.7}]', 1),
        ('[{"name": "INK"}]', 1),
        ('["Ink"]', 1),
        ('[null, 7, [], {"Name": null}, {"Name": "styles\\\\ink.safetensors"}]', 1),
    ],
)
def test_lists_of_loras_are_read_whatever_they_hold(filled_dsn, listed, found):
    library = opened(filled_dsn)
    with psycopg.connect(filled_dsn) as connection:
        query, parameters = count_images(library.relations(), DatasetFilter(loras=("ink",), minimum_rating=4))
        connection.execute("UPDATE image SET loras = %s::jsonb, prompt = NULL WHERE rating >= 4", [listed])
        connection.execute("UPDATE image SET loras = NULL WHERE rating <> 9")
        assert connection.execute(query, parameters).fetchone() == (found,)
        connection.rollback()


def test_collections_are_schemas(database, tmp_path):
    toolkit.fill(database, tmp_path)
    toolkit.fill(database, tmp_path, schema='civitai "100%" downloads', generation="clusters")
    change(database, 'DELETE FROM "civitai ""100%"" downloads".image WHERE rating IS DISTINCT FROM 9')
    library = opened(database, tmp_path, schema='civitai "100%" downloads')
    assert names(library.find(DatasetFilter()), tmp_path) == ["anna/1.png"]
    assert library.count(DatasetFilter(required_tags=("red hair",), cluster="anna")) == 1
    assert next(library.vectors(CLIP, [1])).vectors.shape == (1, 1280)
    assert facts(library)["other schemas"] == "public"
    assert opened(database, tmp_path).count(DatasetFilter()) == len(GOOD)
    with pytest.raises(
        LibraryError, match="in schema 'nope'; collections there are: civitai \"100%\" downloads, public"
    ):
        opened(database, schema="nope").count(DatasetFilter())


def test_a_table_of_another_collection_is_not_taken_for_one_that_is_missing(database, tmp_path):
    toolkit.fill(database, tmp_path)
    toolkit.fill(database, tmp_path, schema="other", without=("image_tags",))
    library = opened(database, tmp_path, schema="other")
    assert library.tags(library.find(DatasetFilter())) == {}


def test_an_empty_collection_points_to_the_others(database, tmp_path):
    toolkit.fill(database, tmp_path, schema="full")
    with psycopg.connect(database) as connection:
        toolkit.create(connection)
    assert "other schemas (full)" in problems(opened(database))["empty"].message


@pytest.mark.parametrize("statement", ["SELECT 1", "CREATE TABLE image (id int, title text)"])
def test_a_database_of_another_program_is_refused(database, statement):
    change(database, statement)
    for ask in (lambda library: library.count(DatasetFilter()), lambda library: library.report()):
        with pytest.raises(LibraryError, match=r"no table image in|without columns id and path"):
            ask(opened(database))


# Vectors


def stored(conninfo, column="image_embedding", schema="public"):
    query = sql.SQL("SELECT id, {}::text FROM {} WHERE {} IS NOT NULL").format(
        sql.Identifier(column), sql.Identifier(schema, "image"), sql.Identifier(column)
    )
    with psycopg.connect(conninfo) as connection:
        return {key: np.fromstring(text.strip("[]"), np.float32, sep=",") for key, text in connection.execute(query)}


def read(library, space, ids):
    return {
        image_id: vector for batch in library.vectors(space, ids) for image_id, vector in zip(*batch[::2], strict=True)
    }


@pytest.mark.parametrize(("dimensions", "space"), [(1280, CLIP), (1024, "diffusiontoolkit:image_embedding:1024")])
def test_vectors_are_read_as_they_are(database, tmp_path, dimensions, space):
    ids = toolkit.fill(database, tmp_path, dimensions=dimensions)
    library = opened(database)
    (found,) = library.spaces()
    assert (found.space, found.dimensions, found.count) == (space, dimensions, len(SHELF) - 1)
    expected = stored(database)
    vectors = read(library, space, [*ids.values(), 2**40])
    assert set(vectors) == set(expected) == set(library.vector_versions(space))
    for image_id, vector in vectors.items():
        assert vector.dtype == np.float32
        np.testing.assert_array_equal(vector, expected[image_id])


def test_the_fullest_space_of_pictures_comes_first(database, ids):
    prompts = toolkit.vector(1, 1024)
    change(database, "UPDATE image SET prompt_embedding = %s", prompts)
    change(database, "ALTER TABLE image ADD COLUMN dino halfvec(384)")
    change(database, "UPDATE image SET dino = %s", toolkit.vector(1, 384))
    assert [(space.space, space.count) for space in opened(database).spaces()] == [
        ("diffusiontoolkit:dino:384", len(ids)),
        (CLIP, len(ids) - 1),
        ("diffusiontoolkit:prompt_embedding:1024", len(ids)),
    ]
    vectors = read(opened(database), "diffusiontoolkit:dino:384", list(ids.values()))
    np.testing.assert_allclose(vectors[ids["things/lamp.png"]], stored(database, "dino")[ids["things/lamp.png"]])


def test_both_columns_of_one_encoder_are_one_space(database, ids):
    table = ids["things/deep/er/table.png"]  # the one without image_embedding
    change(database, "UPDATE image SET clip_vision_embedding = %s WHERE id IN (%s, 1)", toolkit.vector(77, 1280), table)
    library = opened(database)
    (space,) = library.spaces()
    assert (space.space, space.count) == (CLIP, len(ids))
    vectors = read(library, CLIP, list(ids.values()))
    np.testing.assert_array_equal(vectors[table], stored(database, "clip_vision_embedding")[table])
    np.testing.assert_array_equal(vectors[1], stored(database)[1])


def test_a_column_that_takes_any_dimensions(database, ids):
    change(database, "ALTER TABLE image DROP COLUMN image_embedding")
    change(database, "ALTER TABLE image ADD COLUMN image_embedding vector")
    change(database, "UPDATE image SET image_embedding = '[1,2,3]' WHERE id < 4")
    change(database, "UPDATE image SET image_embedding = '[0,0]' WHERE id = 4")
    change(database, "UPDATE image SET image_embedding = %s WHERE id = 5", toolkit.vector(1, 1280))
    library = opened(database)
    assert [(space.space, space.count) for space in library.spaces()] == [
        ("diffusiontoolkit:image_embedding:3", 3), (CLIP, 1), ("diffusiontoolkit:image_embedding:2", 1),
    ]  # fmt: skip
    zero = read(library, "diffusiontoolkit:image_embedding:2", list(ids.values()))
    assert {key: vector.tolist() for key, vector in zero.items()} == {4: [0.0, 0.0]}
    assert set(library.vector_versions(CLIP)) == {5}


def test_the_extension_may_be_anywhere(database, tmp_path):
    with psycopg.connect(database) as connection:
        connection.execute('CREATE SCHEMA "Odd home"')
        connection.execute('CREATE EXTENSION vector SCHEMA "Odd home"')
    ids = toolkit.fill(database, tmp_path)
    change(database, 'ALTER TABLE image ADD COLUMN dino "Odd home".halfvec(2)')
    change(database, "UPDATE image SET dino = '[1,2]' WHERE id = 1")
    library = opened(database)
    assert len(read(library, CLIP, list(ids.values()))) == len(SHELF) - 1
    assert read(library, "diffusiontoolkit:dino:2", [1])[1].tolist() == [1.0, 2.0]


@pytest.mark.slow
def test_many_vectors_come_in_batches(database, ids):
    query = (
        "INSERT INTO image (root_folder_id, folder_id, path, file_name, created_date, modified_date, image_embedding)"
        " SELECT 1, 1, 'D:\\' || n, n, now(), now(), image_embedding FROM image, generate_series(1, 4500) n"
        " WHERE id = 1"
    )
    assert change(database, query) == 4500
    library = opened(database)
    wanted = list(library.vector_versions(CLIP))
    batches = list(library.vectors(CLIP, wanted))
    assert len(batches) == 3
    assert sorted(np.concatenate([batch.ids for batch in batches]).tolist()) == sorted(wanted)
    assert ids


def test_a_version_changes_with_its_row_and_no_other(database, ids):
    library = opened(database)
    before = library.vector_versions(CLIP)
    change(database, "UPDATE image SET image_embedding = %s WHERE id = 2", toolkit.vector(99, 1280))
    after = library.vector_versions(CLIP)
    assert {image_id for image_id in before if before[image_id] != after[image_id]} == {2}
    batch = next(library.vectors(CLIP, [2]))
    assert batch.versions.tolist() == [after[2]]
    assert ids


@pytest.mark.parametrize("space", ["", "other", "diffusiontoolkit:image_embedding:7", "diffusiontoolkit:rating:1280"])
def test_an_unknown_space_is_empty(renders, space):
    assert renders.vector_versions(space) == {}
    assert list(renders.vectors(space, [1, 2])) == []


def test_vectors_of_images_that_are_left_out_do_not_count(database, ids):
    change(database, "UPDATE image SET unavailable = true WHERE id = 1")
    library = opened(database)
    assert library.spaces()[0].count == len(ids) - 2
    assert 1 not in library.vector_versions(CLIP)
    assert 1 not in read(library, CLIP, [1, 2])


# Whether anything has changed


def test_the_revision_stays_while_nothing_changes(renders):
    def asked():
        before = renders.revision()
        renders.find(DatasetFilter())
        renders.report()
        return renders.revision() == before

    assert any(asked() for _ in range(5))  # the server may analyze a table in between, which counts as a change


@pytest.mark.parametrize(
    "query",
    [
        "UPDATE image SET rating = 3 WHERE id = 1",
        "DELETE FROM image_tags WHERE id = 1",
        "INSERT INTO image_captions (image_id, caption) VALUES (1, 'x')",
        "UPDATE image_captions SET caption = 'same length' WHERE id = 1",
        "UPDATE face_group SET name = 'x' WHERE id = 1",
        "TRUNCATE album_image",
        "ALTER TABLE image DROP COLUMN rating",
    ],
)
def test_every_committed_change_shows_at_once(database, renders, query):
    for _ in range(3):
        before = renders.revision()
        change(database, query)
        assert opened(database).revision() != before
        if "ALTER" in query or "INTO" in query:
            break


def test_a_change_shows_when_it_is_committed_behind_a_later_one(database, renders):
    with psycopg.connect(database) as slow:
        slow.execute("UPDATE image SET rating = 2 WHERE id = 1")
        change(database, "UPDATE image SET rating = 2 WHERE id = 2")
        before = renders.revision()
        slow.commit()
    assert renders.revision() != before


def test_another_map_is_another_revision(database, renders):
    assert opened(database, "/elsewhere").revision().split(" ")[0] != renders.revision().split(" ")[0]


# The report


def test_the_report(renders, ids):
    report = renders.report()
    assert (report.name, report.kind, report.images) == ("renders", "diffusiontoolkit", len(ids))
    assert report.where.endswith(", schema public")
    counted = dict(report.facts)
    assert counted["rated"] == "7 of 8"
    assert counted["marked bad"] == "1 of 8"
    assert counted["with size"] == "8 of 8"
    assert counted["with prompt"] == "2 of 8"
    assert counted["tags by wdv3large"] == "9 on 6 images"
    assert counted["captions by joycaption"] == "2 on 2 images"
    assert counted["clusters"] == "2 with 4 images"
    assert counted["albums"] == "2 with 3 images"
    assert counted["vectors in image_embedding"] == (
        "7 of 8 images have embeddings (vector, 1,280 dimensions, indexed by ivfflat)"
    )
    assert counted["no vectors in"].endswith(", clip_vision_embedding")
    assert counted["files here"] == "8 of 8 looked for"
    assert report.problems == ()


def test_files_that_are_elsewhere_suggest_a_map(database, ids):
    library = opened(database)
    assert facts(library)["files here"] == "0 of 8 looked for"
    problem = problems(library)["missing-files"]
    assert "under [libraries.renders.paths] in lorads.toml: 'D:\\Images' = " in problem.message
    assert problem.subject.startswith("D:\\Images\\")
    assert ids


def test_files_that_are_missing_under_a_map_are_told_of_it_and_get_no_second_one(database, ids, tmp_path):
    problem = problems(opened(database, tmp_path / "unplugged"))["missing-files"]
    assert "though [libraries.renders.paths] in lorads.toml maps their folder" in problem.message
    assert f" is {tmp_path / 'unplugged'}" in problem.message
    assert "/where/it/is" not in problem.message
    assert ids


def test_a_missing_file_of_another_programs_library_is_not_to_be_indexed_here(database, ids, tmp_path):
    records = opened(database, tmp_path / "unplugged").find(DatasetFilter())
    _, found = read_file_facts(records)
    assert len(found) == len(records) == len(GOOD)
    assert all("[libraries.renders.paths]" in each.message and "index its" not in each.message for each in found)
    assert ids


def test_the_folder_to_map_is_that_of_most(database, add, ids):
    add(toolkit.add_image, "/srv/other/x.png")
    add(toolkit.add_image, r"d:\IMAGES\y.png")
    assert "in D:\\Images:" in problems(opened(database))["missing-files"].message.replace("d:\\IMAGES", "D:\\Images")
    assert ids


def test_some_missing_files_want_a_rescan(renders, tmp_path):
    (tmp_path / "anna/1.png").unlink()
    problem = problems(renders)["missing-files"]
    assert (problem.subject, "rescan" in problem.message) == (str(tmp_path / "anna/1.png"), True)


@pytest.mark.parametrize("text", ["a\0b", "half \ud800"], ids=ascii)
@pytest.mark.parametrize("part", ["album", "cluster", "folders"])  # tags are cleaned
def test_a_filter_with_a_text_that_cannot_be_stored_is_refused_in_our_words(renders, part, text):
    wanted = DatasetFilter(**{part: (text,) if part == "folders" else text})
    for ask in (renders.find, renders.count, renders.ids):
        with pytest.raises(LibraryError, match="NUL character or half of a character"):
            ask(wanted)


# Never written to


@pytest.mark.parametrize("query", ["UPDATE image SET rating = 1", "CREATE TABLE t (id int)"])
def test_transactions_are_read_only(renders, query):
    with renders.connection() as connection:
        assert connection.execute("SHOW transaction_read_only").fetchone() == ("on",)
    with pytest.raises(LibraryError, match="a fault of ours") as caught, renders.connection() as connection:
        connection.execute(query)
    assert isinstance(caught.value.__cause__, psycopg.errors.ReadOnlySqlTransaction)


def test_a_later_transaction_of_a_connection_is_read_only_too(renders):
    with renders.connection() as connection:
        connection.commit()
        assert connection.execute("SHOW transaction_read_only").fetchone() == ("on",)


@pytest.fixture
def reader(server, tmp_path):
    """Return the DSN of a role that may only SELECT, and the database's name."""
    database = server.database()
    draw(tmp_path)
    toolkit.fill(server.dsn(database=database), tmp_path)
    role = server.role()
    server.run(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}", database=database)
    return role, database


@pytest.mark.slow
def test_a_role_that_may_only_select_can_ask_everything(server, reader, tmp_path):
    role, database = reader
    library = opened(server.dsn(role, database=database), tmp_path)
    images = library.find(DatasetFilter(cluster="anna", required_tags=("^_^",)))
    assert names(images, tmp_path) == ["anna/2.png"]
    assert all((library.tags(images), library.groups(images), library.revision()))
    assert len(library.vector_versions(CLIP)) == len(read(library, CLIP, list(range(20)))) == library.spaces()[0].count
    assert library.report().problems == ()


@pytest.mark.parametrize("table", ["image_tags", "face_group", "album"])
def test_a_table_that_may_not_be_read_is_named(server, reader, tmp_path, table):
    role, database = reader
    server.run(f"REVOKE SELECT ON {table} FROM {role}", database=database)
    library = opened(server.dsn(role, database=database), tmp_path)
    problem = problems(library)["no-rights"]
    assert problem.subject == table
    assert "no-table" not in problems(library)
    assert names(library.find(DatasetFilter()), tmp_path) == GOOD
    wanted = {"image_tags": {"required_tags": ("x",)}, "face_group": {"cluster": "anna"}, "album": {"album": "best"}}
    with pytest.raises(LibraryError, match=rf"{table}.*GRANT"):
        library.find(DatasetFilter(**wanted[table]))


def test_captions_that_may_not_be_read_cost_only_themselves(server, reader, tmp_path):
    role, database = reader
    server.run(f"REVOKE SELECT ON image_captions FROM {role}", database=database)
    library = opened(server.dsn(role, database=database), tmp_path)
    assert names(library.find(DatasetFilter()), tmp_path) == GOOD
    assert problems(library)["no-rights"].subject == "image_captions"


def test_a_table_of_images_that_may_not_be_read_is_named(server, reader):
    role, database = reader
    server.run(f"REVOKE SELECT ON image FROM {role}", database=database)
    for ask in (lambda library: library.find(DatasetFilter()), lambda library: library.report()):
        with pytest.raises(LibraryError, match=r"permission denied for table image. Have its owner .* GRANT SELECT"):
            ask(opened(server.dsn(role, database=database)))


def test_a_schema_that_may_not_be_looked_into_is_named(server, reader, tmp_path):
    role, database = reader
    toolkit.fill(server.dsn(database=database), tmp_path, schema="hidden")
    with pytest.raises(LibraryError, match="look into schema 'hidden': have its owner GRANT USAGE"):
        opened(server.dsn(role, database=database), schema="hidden").find(DatasetFilter())


# What can go wrong on the way


def fault(dsn, **options):
    with pytest.raises(LibraryError) as caught:
        opened(dsn, **options).count(DatasetFilter())
    message = str(caught.value)
    assert "'renders'" in message
    assert message.count("\n") == 0
    return message


def test_faults_of_connecting_are_told_without_the_password(server):
    where = f"127.0.0.1:{server.port}"
    message = fault(server.dsn(password="S3cret!", database="nope"))
    assert f"{where}/nope does not let us in" in message
    assert "S3cret!" not in message
    assert "owner" not in message
    assert "has no such database" in fault(server.dsn(database="nope"))
    assert "does not let us in" in fault(server.dsn(user="nobody"))
    refused = fault(make_conninfo(server.dsn(password="S3cret!"), port=1))
    assert "127.0.0.1:1/postgres cannot be reached" in refused
    assert "S3cret!" not in refused


def test_a_locked_table_is_told(server, reader):
    role, database = reader
    library = opened(server.dsn(role, database=database), lock_timeout=1)
    assert library.count(DatasetFilter())
    with psycopg.connect(server.dsn(database=database)) as other:
        other.execute("LOCK TABLE image IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(LibraryError, match=r"another program keeps locked: .*raise lock_timeout \(1 s\)"):
            library.count(DatasetFilter())


def test_a_question_that_takes_too_long_is_told(server, reader):
    role, database = reader
    library = opened(server.dsn(role, database=database), statement_timeout=1)
    late = pytest.raises(LibraryError, match=r"took too long: .*statement_timeout \(1 s\)")
    with late, library.connection() as connection:
        connection.execute("SELECT pg_sleep(5)")


def test_a_lost_connection_is_told(server, reader):
    role, database = reader
    library = opened(server.dsn(role, database=database))

    def ask():
        with library.connection() as connection:
            pid = connection.info.backend_pid
            killer = threading.Timer(0.2, server.run, [f"SELECT pg_terminate_backend({pid})"])
            killer.start()
            try:
                connection.execute("SELECT pg_sleep(5)")
            finally:
                killer.join()

    with pytest.raises(LibraryError, match="broke off in the middle"):
        ask()


def test_a_table_that_went_away_is_told(database, renders):
    assert renders.count(DatasetFilter(required_tags=("1girl",))) == 3
    change(database, "DROP TABLE image_tags")
    with pytest.raises(LibraryError, match=r"has other tables than a moment ago: .*image_tags"):
        renders.count(DatasetFilter(required_tags=("1girl",)))


# Its settings


def test_the_programs_own_connection_string_is_read(server, reader):
    role, database = reader
    text = (
        f"Host=127.0.0.1;Port={server.port};Database={database};Username={role};Password={server.password};Pooling=true"
    )
    library = opened(text)
    assert library.count(DatasetFilter()) == len(GOOD)
    assert library.report().where == f"127.0.0.1:{server.port}/{database}, schema public"
    assert server.password not in repr(library)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"dsn": ""}, "dsn is missing"),
        ({"dsn": "Host=x;Colour=blue"}, "libraries.renders.dsn: .*'Colour'"),
        ({"table": "image"}, "unknown key libraries.renders.table"),
        ({"lock_timeout": 0}, "lock_timeout must be a number"),
        ({"statement_timeout": True}, "statement_timeout must be a number"),
        ({"paths": {"pictures": "/x"}}, "not an absolute path"),
        ({"paths": "/x"}, "must be a table"),
        ({"schema": 3}, "schema must be text"),
    ],
)
def test_wrong_settings_are_refused(options, said):
    with pytest.raises(SettingsError, match=said):
        opened(**{"dsn": "host=x"} | options)


def test_it_says_who_it_is(renders):
    with renders.connection() as connection:
        assert connection.execute("SHOW application_name").fetchone() == ("lorads",)
        assert connection.execute("SHOW statement_timeout").fetchone() == ("1min",)
    with dataclasses.replace(renders.host, lock_timeout=2.5).connection() as connection:
        assert connection.execute("SHOW lock_timeout").fetchone() == ("2500ms",)
