"""DiffusionToolkit's SQLite file: mirrored while the program writes, in every version, whatever its cells hold."""

import os
from datetime import date, datetime

import numpy as np
import pytest

from lorads_core.errors import LibraryError, SettingsError
from lorads_core.library.filter import DatasetFilter
from lorads_core.library.index import index_folder
from lorads_core.library.kinds import open_library
from lorads_core.library.kinds.index import IndexedLibrary
from lorads_core.model import Group
from lorads_core.settings import load_settings
from lorads_core.store import groups
from lorads_core.store.vectors import Space, prepare_space, write_vectors

from .shelf import SHELF, draw
from .sqlite_fixture import GENERATIONS, ROOT, Toolkit, fill, ticks

ALL = DatasetFilter(exclude_marked_bad=False)


def by_name(library, wanted=ALL):
    return {os.path.basename(image.path): image for image in library.find(wanted)}


# What is read


def test_what_the_file_knows(old, toolkit, pictures):
    image_id = toolkit.image(
        rf"{ROOT}\a\One.JPG",
        Width=640,
        Height=480,
        Rating=7,
        ForDeletion=1,
        Prompt="a lamp",
        NegativePrompt="blurry",
        AestheticScore=5.5,
        FileSize=1234,
        Hash="AB" * 32,
    )
    (image,) = old.find(ALL)
    assert (image.library, image.id) == ("old", image_id)
    assert image.path == str(pictures / "a" / "One.JPG")
    assert (image.width, image.height, image.format) == (640, 480, "jpeg")
    assert (image.rating, image.marked_bad, image.aesthetic, image.prompt) == (7, True, 5.5, "a lamp")
    assert (image.file_size, image.hash, image.mtime_ns, image.ready) == (1234, "ab" * 32, 0, None)
    assert old.count(DatasetFilter()) == 0


def test_what_the_program_hides_is_hidden_here(old, toolkit):
    toolkit.image(rf"{ROOT}\gone.png", Unavailable=1)
    toolkit.image(rf"{ROOT}\broken.png", HasError=1)
    toolkit.image(rf"{ROOT}\film.webm")
    toolkit.image(rf"{ROOT}\film.bin", Type=1)
    kept = toolkit.image(rf"{ROOT}\kept.png")
    assert old.ids(ALL) == [kept]
    facts = dict(old.report().facts)
    assert {name: facts[name] for name in facts if "left out" in name} == {
        "left out: unavailable": "1",
        "left out: with errors": "1",
        "left out: videos": "2",
    }
    assert facts["rows"] == "5"


def test_a_drive_that_comes_back_finds_its_images_and_their_vectors(old, toolkit, store):
    image_id = toolkit.image(rf"{ROOT}\one.png")
    (before,) = old.find(ALL)
    with store.connection() as connection:
        prepare_space(connection, "old", Space("s", 4))
        write_vectors(connection, "old", Space("s", 4), [image_id], np.eye(1, 4))
    toolkit.change(image_id, Unavailable=1)
    assert old.find(ALL) == []
    toolkit.change(image_id, Unavailable=0)
    assert old.find(ALL) == [before]
    with store.connection() as connection:
        assert connection.execute("SELECT count(*) FROM lorads.vectors").fetchone() == (1,)


def test_tags_and_albums(old, toolkit):
    ids = [toolkit.image(rf"{ROOT}\{n}.png") for n in range(4)]
    toolkit.tag("Red_Hair ", *ids[:2])
    toolkit.tag("^_^", ids[1], 999)
    toolkit.tag(" , ", ids[3])
    toolkit.album("Best of", *ids[1:3], 999)
    toolkit.album("empty")
    images = old.find(ALL)
    tags = {image_id: {(tag.text, tag.source) for tag in found} for image_id, found in old.tags(images).items()}
    assert tags == {ids[0]: {("red hair", "manual")}, ids[1]: {("red hair", "manual"), ("^_^", "manual")}}
    assert old.ids(DatasetFilter(required_tags=("red hair", "^_^"))) == [ids[1]]
    assert sorted(old.ids(DatasetFilter(album="Best of"))) == ids[1:3]
    assert old.groups(images) == {ids[1]: [Group("album", "Best of")], ids[2]: [Group("album", "Best of")]}


@pytest.mark.parametrize("generation", GENERATIONS)
def test_every_version_of_the_program(old, file, pictures, generation):
    draw(pictures)
    ids = fill(file, pictures, generation)
    assert {image.id for image in old.find(ALL)} == set(ids.values())
    assert sorted(old.ids(DatasetFilter(album="best"))) == sorted((ids["anna/1.png"], ids["bert/1.jpg"]))
    lacking = [problem for problem in old.report().problems if problem.code == "older-version"]
    expected = {"now": [], "2025": ["Image.Type", "Tag"], "2023": ["Image.Type", "Tag", "Image.Unavailable"]}
    assert bool(lacking) == bool(expected[generation])
    assert all(name in lacking[0].message for name in expected[generation])


@pytest.mark.parametrize("indexed", [False, True], ids=["alone", "with an index"])
def test_what_an_old_file_lacks_cannot_be_filtered_by(store, settings, file, indexed):
    lines = [] if indexed else ['index = ""']
    with Toolkit(file) as program:
        program.image(rf"{ROOT}\one.png", Model="pony", NSFW=1)
        for column in ("Favorite", "NSFW", "Model", "CreatedDate", "Prompt", "Rating"):
            program.run(f'ALTER TABLE "Image" DROP COLUMN "{column}"')
    library = open_library(store, settings(*lines).library("old"))
    for wanted, said in (
        ({"favorite": True}, r"no favorites \(no column Image.Favorite\), .*: leave that out .* \(favorite\)"),
        ({"nsfw": False}, r"no NSFW marks \(no column Image.NSFW\)"),
        ({"loras": ("x",)}, r"no LoRAs \(no column Image.Prompt\)"),
        ({"created_since": date(2025, 1, 1)}, r"no dates \(no column Image.CreatedDate\)"),
        ({"minimum_rating": 3}, r"no ratings \(no column Image.Rating\)"),
    ):
        with pytest.raises(LibraryError, match=f"'old' has {said}"):
            library.count(DatasetFilter(**wanted))
    # A checkpoint's hash is still there.
    assert library.count(DatasetFilter(models=("67ab2fd8ec",))) == 0
    assert library.count(ALL) == 1
    assert not {"favorites", "NSFW"} & dict(library.report().facts).keys()


@pytest.mark.parametrize(
    ("columns", "wanted", "found"),
    [
        ({"NSFW": None, "Favorite": None}, {"nsfw": False, "favorite": False}, 1),
        ({"NSFW": "yes"}, {"nsfw": True}, 0),
        ({"NSFW": "1", "Favorite": 1}, {"nsfw": True, "favorite": True}, 1),
        ({"Model": None, "ModelHash": None}, {"models": ("*",)}, 0),
        ({"Model": b'\xff\'; DROP TABLE "Image" --'}, {"models": ('\ufffd\'; drop table "image" --',)}, 1),
        ({"Model": "a\\b%_.safetensors"}, {"models": ("b%_",)}, 1),
        ({"Model": "abcd"}, {"models": ("a%d",)}, 0),
        ({"ModelHash": "67AB2FD8EC"}, {"models": ("67ab2fd8ec77",)}, 1),
        ({"ModelHash": "67ab"}, {"models": ("67ab2fd8ec77",)}, 0),
        ({"Prompt": "<lora:Ink:1> <lora:other:0.5>"}, {"loras": ("INK",)}, 1),
        ({"Prompt": "<lora:styles\\Ink Wash:1:2>"}, {"loras": ("ink wash",)}, 1),
        ({"Prompt": "<lora:Ink Wash:1>, ink, lora:ink"}, {"loras": ("ink",)}, 0),
        ({"Prompt": "lora:ink:1>, <b>, <loras:ink:1>, <lora:>"}, {"loras": ("*ink*",)}, 0),
        ({"Prompt": "a < b, <<LyCo:ink>, <3"}, {"loras": ("ink",)}, 1),
        ({"Prompt": None}, {"loras": ("*",)}, 0),
        ({"CreatedDate": None}, {"created_since": date(1980, 1, 1)}, 0),
        ({"CreatedDate": "yesterday"}, {"created_before": date(2999, 1, 1)}, 0),
        ({"CreatedDate": 2**62}, {"created_since": date(2999, 1, 1)}, 0),
        ({"CreatedDate": ticks(datetime(2025, 1, 31))}, {"created_before": date(2025, 1, 31)}, 0),  # noqa: DTZ001
        ({"CreatedDate": ticks(datetime(2025, 1, 31))}, {"created_since": date(2025, 1, 31)}, 1),  # noqa: DTZ001
    ],
)
def test_marks_models_and_dates_whatever_the_cells_hold(old, toolkit, columns, wanted, found):
    toolkit.image(rf"{ROOT}\one.png", **columns)
    assert old.count(DatasetFilter(**wanted)) == found


def test_a_file_without_albums(old, file):
    with Toolkit(file) as toolkit:
        toolkit.image(rf"{ROOT}\one.png")
        toolkit.run('DROP TABLE "AlbumImage"')
    assert len(old.find(ALL)) == 1
    (message,) = [problem.message for problem in old.report().problems if problem.code == "older-version"]
    assert message.endswith("and what they hold is not known: albums.")


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"Rating": "8"}, {"rating": 8}),
        ({"Rating": "good"}, {"rating": None}),
        ({"Rating": 11}, {"rating": None}),
        ({"Rating": 2**62}, {"rating": None}),
        ({"Rating": 0}, {"rating": 0}),
        ({"Width": -5, "Height": 2**40}, {"width": 0, "height": 0}),
        ({"Width": 640.0, "Height": b"480"}, {"width": 640, "height": 480}),
        ({"Prompt": 17}, {"prompt": "17"}),
        ({"Prompt": "a\0b"}, {"prompt": "ab"}),
        ({"Prompt": b"\xff lamp"}, {"prompt": "\ufffd lamp"}),
        ({"Prompt": "%s {} \\ '"}, {"prompt": "%s {} \\ '"}),
        ({"Prompt": "\\N"}, {"prompt": "\\N"}),
        ({"Prompt": "a\tb\r\nc"}, {"prompt": "a\tb\r\nc"}),
        ({"AestheticScore": "high"}, {"aesthetic": None}),
        ({"AestheticScore": 1e300}, {"aesthetic": None}),
        ({"AestheticScore": float("inf")}, {"aesthetic": None}),
        ({"ForDeletion": None}, {"marked_bad": False}),
        ({"ForDeletion": "yes"}, {"marked_bad": False}),
        ({"ForDeletion": "1"}, {"marked_bad": True}),
        ({"Unavailable": None, "HasError": None, "Type": None}, {}),
        ({"Hash": "short"}, {"hash": ""}),
        ({"FileSize": "big"}, {"file_size": 0}),
        ({"CreatedDate": "yesterday"}, {}),
        ({"CreatedDate": 2**62}, {}),
    ],
)
def test_odd_cells(old, toolkit, columns, expected):
    toolkit.image(rf"{ROOT}\one.png", **columns)
    (image,) = old.find(ALL)
    assert {name: getattr(image, name) for name in expected} == expected


def test_odd_numbers_are_told_of(old, toolkit):
    toolkit.image(rf"{ROOT}\one.png", Rating="good", Width="wide", Height=None)
    assert [(found.code, found.message[:9]) for found in old.report().problems if found.code == "odd-value"] == [
        ("odd-value", "2 numbers")
    ]


@pytest.mark.parametrize(
    "path",
    [b"D:\\Images\\\xff.png", None, "", "D:\\Images\\a\0b.png", "D:\\Images\\" + "x" * 2000 + ".png"],
    ids=["no UTF-8", "none", "empty", "NUL", "too long"],
)
def test_odd_paths_are_left_out_and_told_of(old, toolkit, path):
    if isinstance(path, bytes):
        toolkit.run('INSERT INTO "Image" ("Path") VALUES (CAST(? AS TEXT))', path)
    else:
        toolkit.image(path)
    kept = toolkit.image(rf"{ROOT}\kept.png")
    assert old.ids(ALL) == [kept]
    assert "odd-path" in [problem.code for problem in old.report().problems]


@pytest.mark.parametrize(
    "name", ["it's 100%.png", "Übung \u21163.png", "a{b}c.png", "\u5199\u771f.png", "\U0001f600.png", '"quoted".png']
)
def test_names_of_files(old, toolkit, pictures, name):
    toolkit.image(rf"{ROOT}\deep\{name}")
    (image,) = old.find(DatasetFilter(folders=(str(pictures),)))
    assert image.path == str(pictures / "deep" / name)


def test_paths_without_a_map_stay_as_they_are(old, toolkit):
    toolkit.image(r"E:\Other\one.png")
    toolkit.image(r"E:\two.png")
    assert [image.path for image in old.find(ALL)] == [r"E:\Other\one.png", r"E:\two.png"]
    assert [image.path for image in old.find(DatasetFilter(folders=(r"E:\Other",)))] == [r"E:\Other\one.png"]
    assert len(old.find(DatasetFilter(folders=("E:\\",)))) == 2
    (problem,) = [problem for problem in old.report().problems if problem.code == "missing-files"]
    assert "[libraries.old.paths]" in problem.message


def test_two_paths_that_are_one_here(old, file):
    with Toolkit(file) as toolkit:
        first = toolkit.image(r"D:\Images\one.png")
        toolkit.image(r"d:\images\one.png")
        toolkit.image(r"D:/Images/one.png")
    assert old.ids(ALL) == [first]
    (problem,) = [problem for problem in old.report().problems if problem.code == "same-path"]
    assert problem.message.startswith("2 images")


# Our own index beside it


@pytest.fixture
def indexed(store, file, pictures):
    """The shelf in the file and, but for one picture, in our index; return the ids in both by name."""
    paths = draw(pictures)
    ids = fill(file, pictures)
    (pictures / "anna" / "1.txt").write_text("cat, tree")
    late = paths["bert/1.jpg"].read_bytes()
    paths["bert/1.jpg"].unlink()
    index_folder(store, "pictures", pictures)
    paths["bert/1.jpg"].write_bytes(late)
    names = {str(path): name for name, path in paths.items()}
    theirs = {names[image.path]: image.id for image in IndexedLibrary(store, "pictures").find(ALL)}
    return ids, theirs


def test_what_the_index_adds(old, indexed, store):
    ids, theirs = indexed
    with store.connection() as connection:
        groups.add(connection, "pictures", Group("cluster", "anna"), [theirs["anna/1.png"], theirs["anna/2.png"]])
    images = by_name(old)
    known, unknown = old.find(DatasetFilter(ids=(ids["anna/1.png"], ids["bert/1.jpg"])))
    assert (known.ready, len(known.hash), known.mtime_ns > 0) == (True, 64, True)
    assert [caption.text for caption in known.captions] == ["cat, tree"]
    assert (unknown.ready, unknown.mtime_ns, unknown.captions) == (None, 0, ())
    assert old.ids(DatasetFilter(required_tags=("cat", "tree"))) == [ids["anna/1.png"]]
    assert sorted(old.ids(DatasetFilter(cluster="anna"))) == sorted((ids["anna/1.png"], ids["anna/2.png"]))
    assert len(images) == len({os.path.basename(sample.name) for sample in SHELF})
    assert dict(old.report().facts)["indexed"] == f"{len(SHELF) - 1} of {len(SHELF)}"


@pytest.mark.usefixtures("indexed")
def test_a_change_of_the_index_is_a_change_here(old, store, pictures):
    before = old.revision()
    assert old.revision() == before
    (pictures / "anna" / "2.txt").write_text("dog")
    index_folder(store, "pictures", pictures)
    assert old.revision() != before


def test_vectors_of_the_index_are_vectors_here(old, indexed, store):
    ids, theirs = indexed
    space = Space("tiny", 4, "a test")
    of = dict(zip(theirs, np.random.default_rng(1).normal(size=(len(theirs), 4)), strict=True))
    with store.connection() as connection:
        prepare_space(connection, "pictures", space)
        write_vectors(connection, "pictures", space, list(theirs.values()), list(of.values()))
    assert [tuple(found) for found in map(_values, old.spaces())] == [("tiny", 4, len(theirs), "a test")]
    versions = old.vector_versions("tiny")
    assert versions.keys() == {ids[name] for name in theirs}
    assert all(0 <= version < 2**62 for version in versions.values())
    (found,) = old.vectors("tiny", list(ids.values()))
    assert dict(zip(found.ids.tolist(), found.versions.tolist(), strict=True)) == versions
    names = {image_id: name for name, image_id in ids.items()}
    for image_id, vector in zip(found.ids.tolist(), found.vectors, strict=True):
        expected = of[names[image_id]] / np.linalg.norm(of[names[image_id]])
        assert np.allclose(vector, expected, atol=1e-3)
    with store.connection() as connection:
        write_vectors(connection, "pictures", space, [theirs["anna/1.png"]], np.eye(1, 4))
    changed = old.vector_versions("tiny")
    assert {image_id for image_id in changed if changed[image_id] != versions[image_id]} == {ids["anna/1.png"]}
    assert list(old.vectors("tiny", [])) == []
    assert list(old.vectors("other", list(ids.values()))) == []
    assert old.vector_versions("other") == {}


def _values(space):
    return space.space, space.dimensions, space.count, space.origin


@pytest.mark.slow
def test_many_vectors_come_in_batches(old, toolkit, store):
    for n in range(4500):
        toolkit.image(rf"/x/{n}.png")
    with store.connection() as connection:
        connection.execute(
            "INSERT INTO lorads.images (library, path, folder, file_size, mtime_ns, hash, format, width, height)"
            " SELECT 'pictures', '/x/' || n || '.png', '/x', 1, 1, '', 'png', 8, 8 FROM generate_series(0, 4499) AS n"
        )
        found = connection.execute("SELECT image_id FROM lorads.images WHERE library = 'pictures'").fetchall()
        prepare_space(connection, "pictures", Space("tiny", 2))
        write_vectors(connection, "pictures", Space("tiny", 2), [row[0] for row in found], np.ones((4500, 2)))
    batches = list(old.vectors("tiny", old.ids(ALL)))
    assert [len(batch.ids) for batch in batches] == [2000, 2000, 500]
    assert {image_id for batch in batches for image_id in batch.ids.tolist()} == set(old.ids(ALL))


def test_without_an_index(store, settings, toolkit):
    toolkit.image(rf"{ROOT}\one.png")
    library = open_library(store, settings('index = ""').library("old"))
    assert len(library.find(ALL)) == 1
    assert library.spaces() == []
    assert [problem.code for problem in library.report().problems] == ["missing-files", "not-indexed"]


def test_an_index_that_is_not_there(store, settings, toolkit):
    toolkit.image(rf"{ROOT}\one.png")
    library = open_library(store, settings('index = "picturse"').library("old"))
    with pytest.raises(LibraryError, match="no index 'picturse' of ours; known are: none"):
        library.find(ALL)


def test_an_index_that_is_another_file(old, store, settings, toolkit):
    toolkit.image(rf"{ROOT}\one.png")
    old.find(ALL)
    file = settings('index = "old"').source
    file.write_text(file.read_text().replace("libraries.old", "libraries.other"))
    other = open_library(store, load_settings(file).library("other"))
    with pytest.raises(LibraryError, match="no index 'old' of ours"):
        other.find(ALL)


def test_a_name_that_our_index_has_is_not_taken_over(store, settings, toolkit, picture, tmp_path):
    picture("mine/one.png")
    index_folder(store, "old", tmp_path / "mine")
    toolkit.image(rf"{ROOT}\one.png")
    with pytest.raises(LibraryError, match="already has images called 'old'"):
        open_library(store, settings().library("old")).find(ALL)
    assert len(IndexedLibrary(store, "old").find(ALL)) == 1


# lorads.toml


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["file = ''"], "file is missing"),
        (["file = 5"], "must be text"),
        (["index = 'old'"], "is the library itself"),
        (["index = 5"], "must be text"),
        (["flie = 'x'"], "did you mean file"),
        (["password = 'x'"], "unknown key"),
    ],
)
def test_options_that_are_wrong(store, settings, lines, message):
    with pytest.raises(SettingsError, match=message) as told:
        open_library(store, settings(*lines).library("old"))
    assert "libraries.old" in str(told.value)
