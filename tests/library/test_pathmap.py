"""Paths of a library's database on this machine: Python and PostgreSQL must agree on each of them."""

import random

import psycopg
import pytest
from psycopg import sql

from lorads_core.errors import SettingsError
from lorads_core.library.pathmap import PathMap, folder_of, literal, read_path_map
from lorads_core.settings import Table

MAP = {
    r"D:\Images": "/mnt/images",
    r"d:\images\Best": "/mnt/best/",
    "E:": "/mnt/e",
    r"\\NAS\Bilder\100% Übung": "/mnt/nas's",
    "/srv/old pictures/": r"C:\new\pictures",
    "/srv": "/",
    "C:/Linux": "D:/Windows",
}
CASES = [
    (r"D:\Images\a\b.png", "/mnt/images/a/b.png"),
    ("d:/iMAGES/a/b.png", "/mnt/images/a/b.png"),
    (r"D:\Images\Best\x.png", "/mnt/best/x.png"),
    (r"D:\ImagesOther\x.png", r"D:\ImagesOther\x.png"),
    (r"D:\other.png", r"D:\other.png"),
    (r"E:\x.png", "/mnt/e/x.png"),
    (r"\\nas\BILDER\100% übung\ß 50%s.png", "/mnt/nas's/ß 50%s.png"),
    (r"\\NAS\Bilder\100% ÜBUNG\a'b\"c.png", "/mnt/nas's/a'b/\"c.png"),
    ("/srv/old pictures/a/b.png", r"C:\new\pictures\a\b.png"),
    ("/SRV/old pictures/a.png", "/SRV/old pictures/a.png"),
    (r"/srv/a\b.png", r"/a\b.png"),
    (r"c:\linux\a/b.png", r"D:\Windows\a\b.png".replace(r"D:\W", "D:/W")),
    ("relative.png", "relative.png"),
    ("", ""),
    ("/home/%(x)s/{0}.png", "/home/%(x)s/{0}.png"),
]


def path_map(**_):
    return read_path_map(Table(MAP, "libraries.renders.paths."))


@pytest.mark.parametrize(("there", "here"), CASES)
def test_a_path_is_mapped(there, here):
    assert path_map().local(there) == here


def test_a_path_is_what_it_is_without_a_map():
    assert PathMap().local(r"D:\Images\a.png") == r"D:\Images\a.png"


def in_sql(database, paths, expression, parameters):
    query = sql.SQL("SELECT {} FROM unnest({}::text[]) WITH ORDINALITY AS given(path, n) ORDER BY n").format(
        expression(sql.Identifier("given", "path")), sql.Placeholder("paths") if parameters else sql.Literal(paths)
    )
    with psycopg.connect(database) as connection:
        found = connection.execute(query, {"paths": paths} if parameters else None)
        return [row[0] for row in found]


def test_sql_says_the_same_of_odd_paths(database):
    chosen = random.Random(1)
    folders = [*MAP, *(there.upper() for there in MAP), *(there.replace("\\", "/") for there in MAP), "", "/x"]
    letters = "aZÜüß\u0130\u0131\u017f\u212a'\"%{}$\\/ é\u65e5\U0001f600"
    made = [chosen.choice(folders) + "".join(chosen.choices(letters, k=chosen.randint(0, 6))) for _ in range(3000)]
    paths = [there for there, _ in CASES] + made
    mapped = path_map()
    found = in_sql(database, paths, mapped.expression, parameters=True)
    assert found == [mapped.local(path) for path in paths]
    assert sum(here != there for here, there in zip(found, paths, strict=True)) > 500


def test_sql_stands_in_queries_without_parameters_too(database):
    paths = [there for there, _ in CASES if "%" not in there]
    found = in_sql(database, paths, path_map().expression, parameters=False)
    assert found == [here for there, here in CASES if "%" not in there]


@pytest.mark.parametrize("text", ["", "%", "%s", "100% '", "%%", "\\%(x)s"])
@pytest.mark.parametrize("parameters", [None, [1]])
def test_a_literal_is_the_text_itself(database, text, parameters):
    with psycopg.connect(database) as connection:
        query = sql.SQL("SELECT {}" + ("" if parameters is None else ", %s")).format(literal(text))
        assert connection.execute(query, parameters).fetchone()[0] == text


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        ("/mnt/images/a/b.png", "/mnt/images/a"),
        ("/b.png", "/"),
        (r"/mnt/a\b.png", "/mnt"),
        (r"D:\Images\a\b.png", r"D:\Images\a"),
        (r"D:\Images/a/b.png", r"D:\Images/a"),
        (r"D:\b.png", "D:"),
        (r"\\nas\share\b.png", r"\\nas\share"),
        ("//nas/share/b.png", "//nas/share"),
        ("/mnt/%(x)s/'.png", "/mnt/%(x)s"),
    ],
)
def test_the_folder_of_a_file(database, path, folder):
    assert in_sql(database, [path], folder_of, parameters=True) == [folder]


def test_what_is_relative_here_counts_from_the_settings_file(tmp_path):
    mapped = read_path_map(Table({r"D:\Images": "pictures"}, "", tmp_path / "lorads.toml"))
    assert mapped.local(r"D:\Images\a.png") == str(tmp_path / "pictures" / "a.png")


def test_maps_are_told_apart():
    keys = {PathMap().key, path_map().key, read_path_map(Table({r"D:\Images": "/mnt/other"})).key}
    assert len(keys) == 3


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"Images": "/mnt"}, "'Images', which is not an absolute path"),
        ({"": "/mnt"}, "not an absolute path"),
        ({r"D:\Images": ""}, "does not say where"),
        ({r"D:\Images": 3}, "must be text"),
        ({r"D:\Images": "/a", "d:/images/": "/b"}, "'d:/images/' twice"),
    ],
)
def test_a_wrong_map_is_refused(values, said):
    with pytest.raises(SettingsError, match=r"libraries\.renders\.paths.*" + said.replace("\\", "\\\\")):
        read_path_map(Table(values, "libraries.renders.paths."))


@pytest.mark.parametrize(
    ("there", "here", "path", "expected"),
    [
        ("/mnt/images", "D:", "/mnt/images/a/b.png", r"D:\a\b.png"),
        ("/mnt/images", r"\\nas\pictures", "/mnt/images/a/b.png", r"\\nas\pictures\a\b.png"),
        (r"\\nas\pictures", "/mnt/nas", r"\\NAS\Pictures\a\b.png", "/mnt/nas/a/b.png"),
        (r"Z:", r"\\nas\pictures", r"z:\a\b.png", r"\\nas\pictures\a\b.png"),  # a mapped drive, and its share
        (r"\\nas\pictures", "Z:\\", r"\\nas\pictures\a.png", r"Z:\a.png"),
    ],
)
def test_shares_and_whole_drives_stand_on_either_side(there, here, path, expected):
    assert read_path_map(Table({there: here})).local(path) == expected
