"""`lorads tag` as a person meets it, and what `lorads doctor` says of taggers."""

import pytest
from PIL import Image

from lorads_core.cli.main import main

from .models import write_tagger


@pytest.fixture
def lorads(store_settings, tmp_path, capsys):
    """Run a command with the tagger ``wd`` and, in the library, a red and a green picture."""
    folder = write_tagger(tmp_path / "models" / "wd")
    with store_settings.open("a", encoding="utf-8") as file:
        file.write(f"[taggers.wd]\nfolder = '{folder}'\n")
    (tmp_path / "pictures").mkdir()
    for name, colour in (("red", (250, 0, 0)), ("green", (0, 250, 0))):
        Image.new("RGB", (20, 20), colour).save(tmp_path / "pictures" / f"{name}.png")

    def run(command, *arguments):
        code = main([command, "--settings", str(store_settings), *map(str, arguments)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    assert run("index", tmp_path / "pictures")[0] == 0
    return run


@pytest.mark.slow
def test_images_are_tagged_once_and_again_when_asked(lorads):
    code, out, err = lorads("tag", "--tagger", "wd")
    assert (code, err) == (0, "")
    assert "2 tagged, 0 tagged before" in " ".join(out.split())
    assert "0 tagged, 2 tagged before" in " ".join(lorads("tag", "--tagger", "wd")[1].split())
    assert "2 tagged, 0 tagged before" in " ".join(lorads("tag", "--tagger", "wd", "--again")[1].split())


def test_the_words_for_choosing_choose(lorads, tmp_path):
    assert "1 tagged" in lorads("tag", "--tagger", "wd", "--maximum-images", "1")[1]
    assert "0 tagged, 0 tagged before" in " ".join(
        lorads("tag", "--tagger", "wd", "--folder", tmp_path / "none")[1].split()
    )
    assert "1 tagged, 1 tagged before" in " ".join(lorads("tag", "--tagger", "wd")[1].split())
    assert lorads("query", "--require", "1girl", "--paths")[1].strip() == str(tmp_path / "pictures" / "red.png")


def test_a_picture_that_cannot_be_read_is_told_and_the_rest_is_tagged(lorads, tmp_path):
    (tmp_path / "pictures" / "red.png").write_bytes(b"no picture")
    code, out, err = lorads("tag", "--tagger", "wd")
    assert code == 0
    assert "1 tagged" in out
    assert "red.png" in out + err


def test_a_tagger_that_is_not_there(lorads, capsys):
    code, _, err = lorads("tag", "--tagger", "joytag")
    assert code == 3
    assert "There is no tagger 'joytag'; known are: wd." in " ".join(err.split())
    with pytest.raises(SystemExit):
        lorads("tag")
    assert "--tagger" in capsys.readouterr().err


def test_doctor_looks_at_each_tagger(lorads, store_settings, tmp_path):
    assert "WD tagger, 12 tags, 8 × 8 pixels, gives probabilities" in " ".join(lorads("doctor")[1].split())
    with store_settings.open("a", encoding="utf-8") as file:
        file.write(f"[taggers.lost]\nfolder = '{tmp_path / 'nowhere'}'\n")
    code, out, err = lorads("doctor")
    assert code == 1
    assert "taggers.lost.folder: there is no folder" in " ".join((out + err).split())
