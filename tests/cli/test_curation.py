"""Choosing by the command line on real photographs with a real encoder: embed, query, cluster, regularize, judge."""

import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from lorads_core.cli.demo import SAMPLES
from lorads_core.cli.main import main

from ..conftest import write_settings
from ..vision.encoders.real import real_encoder

__all__ = ["real_encoder"]


@pytest.fixture(scope="module")
def indexed(make_folder):
    """Return a folder with the sample photographs, and a smaller copy of one."""
    folder = make_folder()
    for part in ("subject", "other"):
        shutil.copytree(SAMPLES / part, folder / part)
    with Image.open(folder / "subject" / "chambord-castle.jpg") as picture:
        picture.resize((picture.width // 2, picture.height // 2)).save(folder / "other" / "copy of chambord.jpg")
    return folder


def add_encoder(settings_file, encoder):
    lines = [f"{key} = {value!r}" for key, value in encoder.items()]
    with settings_file.open("a", encoding="utf-8") as file:
        file.write("\n".join(["[embedders.resnet]", *lines, ""]))
    return settings_file


@pytest.fixture(scope="module")
def embedded_photographs(filled, indexed, real_encoder, make_folder):
    """Return the name of a database that has the photographs and their vectors."""

    def fill(conninfo):
        file = add_encoder(write_settings(make_folder() / "lorads.toml", conninfo), real_encoder)
        assert main(["index", str(indexed), "--settings", str(file), "--sidecar", ".txt=wd"]) == 0
        assert main(["embed", "--settings", str(file), "--embedder", "resnet"]) == 0

    return filled(fill)


@pytest.fixture
def store_template(embedded_photographs):
    return embedded_photographs


@pytest.fixture
def settings_file(store_settings, real_encoder):
    """Return a lorads.toml with a real encoder and the test's own database."""
    return add_encoder(store_settings, real_encoder)


@pytest.fixture
def lorads(settings_file, capsys):
    """Run a command; return exit code, standard output and standard error."""

    def run(command, *arguments):
        code = main([command, "--settings", str(settings_file), *map(str, arguments)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def names(text):
    return {Path(line).stem for line in text.splitlines()}


def test_each_image_is_embedded_once(lorads, picture):
    more = picture("more/one.png", (64, 48)).parent
    assert lorads("index", more, "--sidecar", ".txt=wd")[0] == 0
    code, out, err = lorads("embed", "--embedder", "resnet")
    assert (code, err) == (0, "")
    assert "1 embedded, 35 unchanged" in out
    assert "0 embedded, 36 unchanged" in lorads("embed", "--embedder", "resnet")[1]


def test_libraries_say_what_they_have(lorads):
    code, out, _ = lorads("libraries")
    assert code == 0
    assert "35 images" in out
    assert re.search(r"vectors in resnet-\w+ +35 of 35", out)


def test_query_prints_paths_alone_for_other_programs(lorads):
    code, out, err = lorads("query", "--require", "castle", "--paths")
    assert code == 0
    assert names(out) == {"carcassonne-walls", "chambord-castle", "chenonceau-castle", "neuschwanstein"}
    assert "4 images" in err


def test_query_drops_near_duplicates_and_draws_a_sheet(lorads, tmp_path):
    code, out, err = lorads("query", "--duplicates", "drop", "--paths", "--sheet", tmp_path / "sheet.png")
    assert code == 0
    assert len(out.splitlines()) == 34
    assert "copy of chambord" not in out
    assert "1 duplicate left out" in err
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert min(sheet.size) > 500


@pytest.mark.slow
def test_regularization_images_look_alike_and_are_not_of_the_subject(lorads, indexed, tmp_path):
    code, out, err = lorads(
        "regularize", "--folder", indexed / "subject", "--name", "old", "--count", 8, "--percentiles", "1-99",
        "--paths", "--sheet", tmp_path / "picks.png", "--histogram", tmp_path / "band.png",
    )  # fmt: skip
    assert code == 0
    assert len(out.splitlines()) == 8
    assert all(Path(line).parent.name == "other" for line in out.splitlines())
    assert "copy of chambord" not in out
    assert "8 of 8 regularization images" in err
    assert "searched 35 vectors exactly" in err
    for picture in ("picks.png", "band.png"):
        with Image.open(tmp_path / picture) as drawn:
            assert min(drawn.size) >= 400


def test_a_search_that_finds_nothing_draws_what_it_passed_over_and_says_why(lorads, indexed, tmp_path):
    code, out, err = lorads(
        "regularize", "--folder", indexed / "subject", "--name", "old", "--count", 8, "--class", "castel",
        "--histogram", tmp_path / "band.png", "--sheet", tmp_path / "sheet.png",
    )  # fmt: skip
    assert code == 5
    assert "castle" in err  # the nearest tag
    assert str(tmp_path / "band.png") in "".join(out.split())  # lines are broken as the terminal's width has it
    with Image.open(tmp_path / "band.png") as drawn:
        assert drawn.size == (1000, 500)
    with Image.open(tmp_path / "sheet.png") as drawn:  # the 12 others and the copy of one of the subject's
        assert min(drawn.size) >= 400


def test_the_whole_story_with_found_regularization(lorads, indexed, tmp_path):
    words = (
        "build", "--folder", indexed / "subject", "--trigger", "old", "--caption", "wd", "--out", tmp_path / "out",
        "--find-regularization", 6, "--percentiles", "1-99",
    )  # fmt: skip
    code, out, err = lorads(*words, "--dry-run")
    assert code == 0, err
    assert "Regularization images  6" in out
    assert not (tmp_path / "out").exists()
    code, out, _ = lorads(*words)
    assert code == 0
    assert "6 of 6 regularization images" in out
    assert "Regularization images  6" in out
    assert len(list((tmp_path / "out/old/1_regularization").glob("*.txt"))) == 6


def test_nothing_in_the_band_is_one_sentence_that_helps(lorads, indexed):
    code, _, err = lorads("regularize", "--folder", indexed / "subject", "--band", "0.98-0.99")
    assert code == 5
    assert "of the library lies in the band 0.98 to 0.99" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("regularize", "--count", "0"), 3, "ask for 1 or more"),
        (("regularize", "--band", "0.9-0.5"), 3, "must be below"),
        (("regularize", "--band", "high"), 3, "is not a valid band"),
        (("regularize", "--band", "0.5-0.8", "--percentiles", "1-2"), 3, "given twice"),
        (("embed", "--embedder", "clip"), 3, "There is no embedder 'clip'"),
        (("query", "--library", "nowhere"), 3, "There is no library 'nowhere'"),
        (("query", "--cluster", "anna"), 5, "no cluster 'anna'"),
        (("rate", "8"), 3, "say --all"),
        (("cluster", "--rename", "a", "b"), 5, "no cluster 'a'"),
    ],
)
def test_nonsense_is_refused_in_a_sentence(lorads, words, code, says):
    ended, _, err = lorads(*words)
    assert ended == code
    assert says in err
    assert "Traceback" not in err


def test_people_judge(lorads):
    assert "4 images" in lorads("rate", 9, "--require", "castle")[1]
    assert len(lorads("query", "--minimum-rating", 9, "--paths")[1].splitlines()) >= 4
    assert "1 image as bad" in lorads("mark", "bad", "--id", 1)[1]
    assert "\n" not in lorads("query", "--id", 1, "--with-marked-bad", "--paths")[1].strip()
    assert lorads("query", "--id", 1)[0] == 5
    assert "best: 4 images added" in lorads("album", "best", "--require", "castle")[1]
    assert "best  4 images" in lorads("album")[1]
    assert len(lorads("query", "--album", "best", "--paths")[1].splitlines()) == 4
    assert "4 images taken out" in lorads("album", "best", "--remove", "--require", "castle")[1]


@pytest.mark.slow
def test_clusters_are_proposed_and_named(lorads):
    code, out, _ = lorads("cluster", "--smallest", 2)
    assert code == 0
    assert re.search(r"group 1  +\d+ images, proposed", out)
    out = lorads("cluster", "--rename", "group 1", "castles")[1]
    assert re.search(r"castles +\d+ images *\n", out)
    found = lorads("query", "--cluster", "castles", "--paths")[1].splitlines()
    assert len(found) >= 2


def test_a_library_of_another_kind_is_only_read(lorads, settings_file, tmp_path):
    with settings_file.open("a", encoding="utf-8") as file:
        file.write(f"\n[libraries.old]\nkind = 'diffusiontoolkit-sqlite'\nfile = '{tmp_path / 'none.db'}'\n")
    code, _, err = lorads("rate", 8, "--library", "old", "--all")
    assert code == 5
    assert "only read here" in err
    assert lorads("libraries")[0] == 5
