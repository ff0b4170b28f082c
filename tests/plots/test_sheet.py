"""Contact sheets: every picture whole, broken ones said so, words clipped where they would run into the next."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from lorads_core.cli.commands.library import _save
from lorads_core.errors import ExportError
from lorads_core.plots.sheet import Cell, _font, _wrapped, clipped, contact_sheet, save_png

from ..rights import mode

RED = (200, 0, 0)


@pytest.fixture
def red(tmp_path):
    def make(name, size):
        Image.new("RGB", size, RED).save(tmp_path / name)
        return str(tmp_path / name)

    return make


def reds(sheet):
    """Return width and height of what is red."""
    there = (np.abs(np.asarray(sheet, int) - RED) < 12).all(axis=2)
    columns, rows = there.any(axis=0), there.any(axis=1)
    return int(columns.sum()), int(rows.sum())


@pytest.mark.parametrize(("size", "expected"), [((400, 200), (192, 96)), ((200, 400), (96, 192)), ((50, 60), (50, 60))])
def test_a_picture_is_whole_and_never_stretched(red, size, expected):
    assert reds(contact_sheet([Cell(red("a.png", size))])) == expected


def test_pictures_stand_in_rows(red):
    cells = [Cell(red(f"{n}.png", (100, 100)), ("one", "two")) for n in range(10)]
    sheet = contact_sheet(cells, "Title", columns=4, size=100)
    assert sheet.width == 4 * (100 + 14) + 14
    assert reds(sheet) == (400, 300)


def test_a_broken_file_is_a_field_with_the_reason(red, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(20))
    cells = [Cell(str(tmp_path / "broken.png")), Cell(str(tmp_path / "gone.png")), Cell(red("a.png", (50, 50)))]
    sheet = contact_sheet(cells)
    assert reds(sheet) == (50, 50)
    written = (np.abs(np.asarray(sheet, int) - (176, 42, 42)) < 60).all(axis=2)
    assert written[:, : sheet.width // 2].any()


def test_a_mark_is_a_frame_around_the_picture(red):
    path = red("a.png", (100, 100))
    plain, framed = (contact_sheet([Cell(path, mark=mark)], size=100) for mark in ("", "#0000ff"))
    blue = (np.asarray(framed, int) == (0, 0, 255)).all(axis=2)
    assert reds(framed) == reds(plain) == (100, 100)
    assert (blue.any(axis=0).sum(), blue.any(axis=1).sum()) == (108, 108)


def test_a_long_reason_ends_in_an_ellipsis():
    lines = _wrapped("many words " * 40, 100, 3)
    assert len(lines) == 3
    assert lines[-1].endswith("…")
    assert all(_font(13).getlength(line) <= 100 for line in lines)


def test_too_many_are_said_to_be(red):
    path = red("a.png", (8, 8))
    few, many = (contact_sheet([Cell(path)] * count, columns=20, size=16) for count in (400, 401))
    assert many.height > few.height
    assert many.width == few.width


def test_an_empty_sheet_is_a_sheet():
    assert contact_sheet([], "Nothing").width > 0


@pytest.mark.parametrize(
    "text",
    [
        "short",
        "a much longer line of words than fits",
        "Übergröße \u2116 5 \u0414\u043b\u0438\u043d\u043d\u0430\u044f \u0441\u0442\u0440\u043e\u043a\u0430 \u0441\u043b\u043e\u0432",  # noqa: E501
        "",
    ],
)
def test_words_fit(text):
    shown = clipped(text, 100, 13)
    assert _font(13).getlength(shown) <= 100
    assert shown == text or shown.endswith("…")


def test_a_png_replaces_a_former_one_when_it_is_whole(tmp_path):
    save_png(Image.new("RGB", (4, 4)), tmp_path / "a.png")
    save_png(Image.new("RGB", (8, 8)), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (8, 8)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_a_folder_that_is_not_there_is_one_error(tmp_path):
    with pytest.raises(ExportError, match="choose another folder"):
        save_png(Image.new("RGB", (4, 4)), tmp_path / "no" / "a.png")


@pytest.mark.posix
@pytest.mark.usefixtures("usual_umask")
@pytest.mark.parametrize(("of_image", "of_sheet"), [(0o600, 0o600), (0o640, 0o640), (0o644, 0o644)])
def test_a_sheet_gives_nobody_a_right_that_one_of_its_images_does_not_give(tmp_path, of_image, of_sheet):
    paths = [tmp_path / name for name in ("a.png", "b.png")]
    for path in paths:
        path.touch(0o644)
    paths[0].chmod(of_image)
    shown = [SimpleNamespace(record=SimpleNamespace(path=str(path))) for path in paths]
    screen = SimpleNamespace(step=lambda *_: None)
    _save(Image.new("RGB", (8, 8)), tmp_path / "sheet.png", "Sheet", screen, shown)
    assert mode(tmp_path / "sheet.png") == of_sheet
