"""Exports from the command line: the words for pictures, the picture of buckets, warnings, and faults in one line."""

import json

import pytest
from PIL import Image

from lorads_core.export.layout import read_manifest


@pytest.fixture
def pictures(picture, tmp_path):
    """Return a folder with four captioned pictures, one of them small, one see-through."""
    sizes = {"a": (1024, 1024), "b": (1024, 1024), "small": (300, 300)}
    for name, size in sizes.items():
        picture(f"mine/{name}.png", size)
    glass = Image.new("RGBA", (1024, 1024), (200, 0, 0, 255))
    glass.paste((0, 200, 0, 0), (0, 0, 512, 1024))
    glass.save(tmp_path / "mine" / "glass.png")
    for file in (tmp_path / "mine").glob("*.png"):
        file.with_suffix(".txt").write_text(f"tom, {file.stem}")
    return tmp_path / "mine"


def build(lorads, pictures, *words):
    out = pictures.parent / "exports"
    return lorads("build", pictures, "--trigger", "tom", "--minimum-side", 0, "--out", out, *words)


def written(pictures, name):
    folder = pictures.parent / "exports" / "tom"
    (row,) = [row for row in read_manifest(folder)["images"] if name in row["file"]]
    return folder / row["file"]


def test_pictures_are_written_as_the_words_say(lorads, pictures):
    words = ("--images", "max_side=512", "--format", "webp", "--quality", 100, "--background", "#102030")
    assert build(lorads, pictures, *words)[0] == 0
    with Image.open(written(pictures, "glass")) as image:
        assert (image.format, image.mode, image.size) == ("WEBP", "RGB", (512, 512))
        assert image.getpixel((5, 5)) == (0x10, 0x20, 0x30)
    assert build(lorads, pictures, "--keep-alpha")[0] == 0
    with Image.open(written(pictures, "glass")) as image:
        assert (image.format, image.mode) == ("PNG", "RGBA")
        assert image.getpixel((5, 5))[3] == 0


def test_the_buckets_are_drawn_and_what_harms_is_told(lorads, pictures, tmp_path):
    plot = tmp_path / "buckets.png"
    code, out, err = build(lorads, pictures, "--plot", plot)
    assert code == 0
    assert "buckets.png" in out
    with Image.open(plot) as image:
        assert image.width == 1000
    assert "1 image will be enlarged 2-fold or more, which trains blur (small.png 3.4-fold from 300×300" in err
    assert "use larger copies" in err
    assert "1 image, up to 3.4-fold" in out
    code, _, _ = lorads("export", "tom", "--out", tmp_path / "again", "--plot", tmp_path / "again.png")
    assert code == 0
    assert (tmp_path / "again.png").is_file()


def test_a_renamed_folder_keeps_every_edit(lorads, pictures):
    assert build(lorads, pictures, "--name", "tom")[0] == 0
    assert lorads("captions", "tom", "--replace-tag", "glass", "green glass", "--apply")[0] == 0
    before = [line.partition("\t")[2] for line in lorads("captions", "tom", "--plain")[1].splitlines()]
    assert any("green glass" in caption for caption in before)
    code, out, err = build(lorads, pictures.rename(pictures.parent / "renamed"), "--name", "tom")
    assert code == 0, err
    assert "4 moved" in out
    assert [line.partition("\t")[2] for line in lorads("captions", "tom", "--plain")[1].splitlines()] == before


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--format", "gif"), 3, "no image format 'gif'"),
        (("--background", "nowhere"), 3, "is no colour"),
        (("--quality", "0"), 8, "quality 0 is out of range"),
        (("--keep-alpha", "--format", "jpeg"), 8, "JPEG cannot keep transparency"),
        (("--plot", "missing/folder/plot.png"), 3, "cannot be written as an image"),
        (("--plot", "plot.nonsense"), 3, "cannot be written as an image"),
        (("--learning-rate", "0"), 9, "learning rate is 0"),
        (("--network-dim", "0"), 9, "network dim is 0"),
        (("--batch-size", "0"), 9, "batch size is 0"),
    ],
)
def test_a_fault_is_one_line(lorads, pictures, words, code, says):
    found, _, err = build(lorads, pictures, *words)
    assert found == code
    (line,) = [line for line in err.splitlines() if line.startswith("error:")]
    assert says in line


def test_a_learning_rate_is_a_number_in_any_spelling_or_refused(lorads, pictures, capsys):
    assert build(lorads, pictures, "--learning-rate", "1e-4")[0] == 0
    folder = pictures.parent / "exports" / "tom"
    assert read_manifest(folder)["config"]["learning_rate"] == 1e-4
    with pytest.raises(SystemExit) as left:
        build(lorads, pictures, "--learning-rate", "0,0001")
    assert left.value.code == 2
    assert "0,0001" in capsys.readouterr().err


def test_verify_names_what_is_missing_changed_and_additional(lorads, pictures):
    assert build(lorads, pictures)[0] == 0
    exports = pictures.parent / "exports"
    code, out, _ = lorads("verify", "tom", "--out", exports)
    assert code == 0
    assert "all 10 files are as they were exported" in out
    picture, caption = written(pictures, "-a"), written(pictures, "-b").with_suffix(".txt")
    data = bytearray(picture.read_bytes())
    data[-1] ^= 1  # the same size
    picture.write_bytes(data)
    caption.unlink()
    config = exports / "tom/training_config.toml"
    config.write_text(config.read_text() + "# mine")
    (exports / "tom/notes.md").write_text("mine")
    (picture.parent / f"{picture.stem}_1024x1024_sdxl.npz").write_bytes(b"a trainer's cache is no fault")
    code, out, err = lorads("verify", exports / "tom")
    assert code == 8
    lines = [line.split(maxsplit=1) for line in out.splitlines()]
    assert lines == [
        ["missing", caption.relative_to(exports / "tom").as_posix()],
        ["changed", picture.relative_to(exports / "tom").as_posix()],
        ["changed", "training_config.toml"],
        ["additional", "notes.md"],
    ]
    assert "1 missing, 2 changed, 1 additional" in err


def test_verify_checks_masks_and_says_which_files_have_no_hash(lorads, pictures):
    Image.new("L", (1024, 1024), 255).save(pictures / "a-masklabel.png")
    assert build(lorads, pictures, "--masked-loss", "sidecar")[0] == 0
    folder = pictures.parent / "exports" / "tom"
    mask = folder / read_manifest(folder)["masks"][0]
    before = mask.read_bytes()
    Image.new("L", (8, 8)).save(mask)
    code, out, _ = lorads("verify", folder)
    assert (code, out.split()) == (8, ["changed", mask.relative_to(folder).as_posix()])
    mask.write_bytes(before)
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["mask_hashes"]  # as an older LoRADS wrote it
    (folder / "manifest.json").write_text(json.dumps(manifest))
    code, out, _ = lorads("verify", folder)
    assert code == 0
    assert f"{len(manifest['masks'])} files exist but have no hash (export by an older LoRADS)" in out


@pytest.mark.parametrize("name", ["tom", "no/such/folder"])
def test_verify_of_what_is_no_export_is_one_line(lorads, tmp_path, name):
    code, _, err = lorads("verify", name, "--out", tmp_path)
    assert code == 9
    assert "There is no export" in err
