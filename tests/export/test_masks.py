"""Masks in an export: the alpha channel is kept, files beside the pictures go where the trainer reads them."""

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from lorads_core.errors import ExportError
from lorads_core.export.plan import ExportOptions, plan_export
from lorads_core.export.write import write_export
from lorads_core.images.encode import ImagePolicy
from lorads_core.model import Caption, DatasetImage

from .conftest import CONFIG, files, record_of

ALPHA = replace(CONFIG, masked_loss="alpha")
SIDECAR = replace(CONFIG, masked_loss="sidecar")


def written(dataset, root, config, **options):
    return write_export(plan_export(dataset, config, ExportOptions(**options)), root)


def transparent(path):
    image = Image.new("RGBA", (64, 64), (200, 0, 0, 255))
    image.paste((0, 200, 0, 0), (0, 0, 32, 64))
    image.save(path)
    return path


@pytest.fixture
def see_through(dataset, tmp_path):
    """A dataset with a transparent picture to train on and one to regularize with."""
    pictures = [transparent(tmp_path / f"{number}.png") for number in (8, 9)]
    training, other = (
        DatasetImage(record_of(number, path), Caption("tom, hat", "sidecar"))
        for number, path in zip((8, 9), pictures, strict=True)
    )
    return replace(dataset, training=(training,), regularization=(other,))


def test_alpha_is_kept_where_it_is_the_mask_and_flattened_elsewhere(see_through, root):
    folder = written(see_through, root, ALPHA).export.folder
    with Image.open(folder / "10_tom/000008-8.png") as image:
        assert image.mode == "RGBA"
        assert image.getpixel((0, 0))[3] == 0
        assert image.getpixel((40, 0)) == (200, 0, 0, 255)
    with Image.open(folder / "1_regularization/000009-9.png") as image:
        assert image.mode == "RGB"
        assert image.getpixel((0, 0)) == (255, 255, 255)


def test_without_masks_alpha_is_flattened(see_through, root):
    folder = written(see_through, root, CONFIG).export.folder
    with Image.open(folder / "10_tom/000008-8.png") as image:
        assert image.mode == "RGB"


def test_jpeg_cannot_hold_alpha_masks(see_through):
    with pytest.raises(ExportError, match="JPEG cannot keep transparency"):
        plan_export(see_through, ALPHA, ExportOptions(policy=ImagePolicy("normalised", format="jpeg")))


def alone(dataset):
    return replace(dataset, regularization=())


def mask(dataset, position, suffix="-masklabel.png", size=(64, 48), level=0):
    path = record_path(dataset, position)
    file = path.with_name(path.stem + suffix)
    Image.new("L", size, level).save(file)
    return file


def record_path(dataset, position):
    return Path(dataset.training[position].record.path)


def test_masks_lie_where_the_trainer_reads_them_in_the_size_of_the_picture(dataset, root):
    mask(dataset, 0)
    result = written(alone(dataset), root, SIDECAR)
    folder = result.export.folder
    assert [file for file in files(folder) if "masks" in file] == [f"10_tom_masks/00000{n}-{n}.png" for n in (1, 2, 3)]
    with Image.open(folder / "10_tom_masks/000001-1.png") as image:
        assert (image.size, image.mode, image.getextrema()) == ((640, 480), "L", (0, 0))
    with Image.open(folder / "10_tom_masks/000002-2.png") as image:
        assert image.getextrema() == (255, 255)
    missing = [problem for problem in result.export.problems if problem.code == "no-mask"]
    assert [problem.subject for problem in missing] == [str(record_path(dataset, n)) for n in (1, 2)]


def test_the_same_masks_are_the_same_export_and_changed_ones_are_not(dataset, root):
    file = mask(dataset, 0)
    first = written(alone(dataset), root, SIDECAR)
    target = first.export.folder / "10_tom_masks/000001-1.png"
    before = target.stat().st_ino
    assert written(alone(dataset), root, SIDECAR) == first
    assert target.stat().st_ino == before
    Image.new("L", (64, 48), 128).save(file)
    written(alone(dataset), root, SIDECAR)
    with Image.open(target) as image:
        assert image.getextrema() == (128, 128)


def test_a_mask_that_is_gone_is_written_again(dataset, root):
    target = written(alone(dataset), root, SIDECAR).export.folder / "10_tom_masks/000003-3.png"
    target.unlink()
    written(alone(dataset), root, SIDECAR)
    assert target.is_file()


def test_masks_go_when_they_are_not_wanted_any_more(dataset, root):
    folder = written(alone(dataset), root, SIDECAR).export.folder
    written(alone(dataset), root, CONFIG)
    assert not (folder / "10_tom_masks").exists()


def test_a_mask_that_cannot_be_read_is_one_clear_error(dataset, root):
    mask(dataset, 1).write_bytes(b"no picture")
    with pytest.raises(ExportError, match=r"The mask of .*2\.png cannot be used, fix or delete it"):
        written(alone(dataset), root, SIDECAR)
