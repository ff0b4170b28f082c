"""A dry run: it says what a build or an export would do, and neither the store nor the disk is another afterwards."""

import psycopg
import pytest
from PIL import Image

from lorads_core.settings import load_settings


@pytest.fixture
def state(store_settings, tmp_path):
    """Return a function that reads all rows of the store and all files of the test's folder."""

    def read():
        with psycopg.connect(load_settings(store_settings).dsn) as connection:
            tables = connection.execute(
                "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'lorads'"
            ).fetchall()
            rows = {name: sorted(map(repr, connection.execute(f"SELECT * FROM {name}"))) for (name,) in tables}
        files = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in tmp_path.rglob("*")}
        return rows, files

    return read


@pytest.fixture
def mine(picture, tmp_path):
    for name in ("a", "b", "c"):
        picture(f"mine/{name}.png", (640, 640)).with_suffix(".txt").write_text(f"tom, {name}")
    picture("mine/blank.png", (640, 480))
    picture("others/d.png", (640, 512)).with_suffix(".txt").write_text("dog")
    return tmp_path / "mine"


def test_a_dry_run_says_what_a_build_and_an_export_would_do_and_changes_nothing(lorads, state, mine, tmp_path):
    words = (mine, "--trigger", "tom", "--uncaptioned", "leave-out", "--out", tmp_path / "out", "--epochs", "3")
    assert lorads("doctor")[0] in {0, 1}  # the store is there
    before = state()
    code, out, err = lorads("build", *words, "--regularization", tmp_path / "others", "--dry-run")
    assert code == 0, err
    assert state() == before
    assert "would be written; the folder is not there yet" in " ".join(out.split())
    for said in ("4 training images", "Training images", "Buckets", "Total steps", "Nothing was written (--dry-run)"):
        assert said in out, said
    assert "no caption" in err
    assert "Train it with" not in out

    assert lorads("build", *words)[0] == 0
    before = state()
    code, out, _ = lorads("export", "tom", "--out", tmp_path / "out", "--dry-run")
    assert code == 0
    assert "is there already, as it would be written" in out
    code, out, _ = lorads("export", "tom", "--out", tmp_path / "out", "--epochs", "5", "--dry-run", "--plot", "x.png")
    assert code == 0
    assert "would replace the version there, of 3 images" in out
    assert "in 5 epochs" in out
    assert "--plot needs" in out
    code, out, _ = lorads("build", tmp_path / "others", "--trigger", "tom", "--out", tmp_path / "out", "--dry-run")
    assert code == 0
    assert state() == before


def test_a_dry_run_refuses_what_the_export_would_refuse(lorads, mine, tmp_path):
    (tmp_path / "out" / "tom").mkdir(parents=True)
    (tmp_path / "out" / "tom" / "thesis.txt").write_text("mine")
    code, _, err = lorads("build", mine, "--trigger", "tom", "--out", tmp_path / "out", "--dry-run")
    assert code == 8
    assert "is not an export of LoRADS" in err


def test_animated_images_are_counted_before_anything_is_written_and_can_give_their_first_frame(lorads, mine, tmp_path):
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("red", "lime")]
    frames[0].save(mine / "moving.gif", save_all=True, append_images=frames[1:])
    (mine / "moving.txt").write_text("tom moves")
    words = (mine, "--trigger", "tom", "--out", tmp_path / "out", "--resolution", "512")
    for dry in (("--dry-run",), ()):
        code, out, err = lorads("build", *words, *dry)
        assert code == 0, err
        said = " ".join((out + err).split())
        assert "1 animated image is left out (moving.gif): export the first frame (--first-frame" in said
        assert "enlarged" not in said  # it alone would be
    assert not list(tmp_path.rglob("out/**/*moving*"))
    code, out, err = lorads("export", "tom", "--out", tmp_path / "out", "--first-frame")
    assert code == 0, err
    said = " ".join((out + err).split())
    assert "1 animated image gives its first frame (moving.gif)" in said
    (written,) = tmp_path.rglob("out/**/*moving.png")
    with Image.open(written) as first:
        assert first.convert("RGB").getpixel((5, 5)) == (255, 0, 0)
    assert "first_frame = true" in next(tmp_path.rglob("out/**/dataset.toml")).read_text()
