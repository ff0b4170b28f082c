"""Prints of real photographs: resaves keep theirs, other pictures have others, a changed file has a new one."""

import shutil
import uuid
from pathlib import Path

import numpy as np
import pytest
from imagehash import phash
from PIL import Image, ImageOps

from lorads_core.cli.demo import SAMPLES
from lorads_core.errors import ImageError
from lorads_core.images.decode import decode
from lorads_core.images.phash import read_phash
from lorads_core.library.filter import DatasetFilter
from lorads_core.library.index import index_folder
from lorads_core.library.kinds.index import IndexedLibrary
from lorads_core.library.phash_cache import image_hashes
from lorads_core.model import Dataset, DatasetImage
from lorads_core.vision.similarity.duplicates import SAME_IMAGE
from lorads_core.workflow.duplicates import without_duplicates

PHOTOGRAPHS = sorted(
    path for path in SAMPLES.rglob("*") if path.suffix in {".jpg", ".png", ".webp"} and path.stat().st_size < 400_000
)


def apart(a, b):
    return ((a ^ b) & (2**64 - 1)).bit_count()


@pytest.fixture(scope="module")
def photographs():
    return {path.stem: read_phash(path) for path in PHOTOGRAPHS}


def test_other_pictures_have_other_prints(photographs):
    names = sorted(photographs)
    nearest = min(apart(photographs[a], photographs[b]) for a in names for b in names if a < b)
    assert len(names) >= 20
    assert nearest > SAME_IMAGE + 4


EDITS = {
    "the same": lambda picture: picture,
    "half": lambda picture: picture.resize((picture.width // 2, picture.height // 2)),
    "brighter": lambda picture: picture.point([min(255, round(n * 1.1)) for n in range(256)] * 3),
    "grey": lambda picture: ImageOps.grayscale(picture).convert("RGB"),
}


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("quality", [90, 40])
def test_resaves_and_small_edits_keep_it(photographs, edit, quality, tmp_path):
    far = []
    for path in PHOTOGRAPHS:
        EDITS[edit](decode(path)).save(tmp_path / "edited.jpg", quality=quality)
        far.append(apart(read_phash(tmp_path / "edited.jpg"), photographs[path.stem]))
    assert sorted(far)[int(0.95 * len(far))] <= SAME_IMAGE
    assert max(far) <= SAME_IMAGE + 4


def test_how_it_lies_in_the_file_does_not_matter(tmp_path):
    path = next(path for path in PHOTOGRAPHS if path.suffix == ".jpg")
    with Image.open(path) as picture:
        exif = Image.Exif()
        exif[0x0112] = 6
        picture.rotate(90, expand=True).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    assert apart(read_phash(tmp_path / "turned.jpg"), read_phash(path)) <= 2


@pytest.mark.parametrize("path", PHOTOGRAPHS[::4], ids=lambda path: path.stem)
def test_decoding_in_small_changes_two_bits_at_most(path):
    whole = np.packbits(phash(decode(path)).hash.ravel()).tobytes()
    assert apart(read_phash(path), int.from_bytes(whole, "big", signed=True)) <= 2


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (10, 200, 30)])
def test_a_picture_of_one_colour_has_none(tmp_path, colour):
    Image.new("RGB", (100, 80), colour).save(tmp_path / "flat.png")
    assert read_phash(tmp_path / "flat.png") is None


def test_a_broken_file_is_an_error(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    with pytest.raises(ImageError):
        read_phash(tmp_path / "broken.jpg")


@pytest.fixture
def shelf(store, library, tmp_path):
    """Three photographs, a smaller copy of the first, a flat one."""
    for n, path in enumerate(PHOTOGRAPHS[:3]):
        shutil.copy(path, tmp_path / f"{n}{path.suffix}")
    with Image.open(PHOTOGRAPHS[0]) as picture:
        picture.convert("RGB").reduce(2).save(tmp_path / "0 small.png")
    Image.new("RGB", (64, 64), "white").save(tmp_path / "flat.png")
    index_folder(store, library, tmp_path)
    return IndexedLibrary(store, library)


def test_prints_are_read_once_and_kept(store, shelf, library):
    records = shelf.find(DatasetFilter())
    told = []
    found = image_hashes(store, records, lambda *step: told.append(step))
    assert len(found.by_key) == 4
    assert {Path(record.path).name for record in records if (library, record.id) in found.flat} == {"flat.png"}
    assert told == [("prints", 5, 5)]
    with store.connection() as connection:
        connection.execute("UPDATE lorads.prints SET print = 1 WHERE print <> 0")
    again = image_hashes(store, records)
    assert set(again.by_key.values()) == {1}
    assert again.flat == found.flat


def test_flat_pictures_are_kept_too(store, shelf):
    image_hashes(store, shelf.find(DatasetFilter()))
    with store.connection() as connection:
        connection.execute("UPDATE lorads.prints SET print = 7 WHERE print = 0")
    assert not image_hashes(store, shelf.find(DatasetFilter())).flat  # it was not read again


def test_a_changed_file_is_read_again_and_a_missing_one_told(store, shelf, library):
    records = shelf.find(DatasetFilter())
    before = image_hashes(store, records).by_key
    shutil.copy(PHOTOGRAPHS[5], records[1].path)
    Path(records[2].path).unlink()
    found = image_hashes(store, records)
    assert found.by_key[library, records[1].id] != before[library, records[1].id]
    assert [(problem.code, problem.subject) for problem in found.problems] == [("missing-file", records[2].path)]


def test_of_near_duplicates_the_best_is_kept(store, shelf):
    records = shelf.find(DatasetFilter())
    dataset = Dataset(uuid.uuid4(), "x", shelf.name, tuple(map(DatasetImage, records)))
    lone = without_duplicates(store, dataset)
    assert [Path(record.path).name for record in lone.left_out] == ["0 small.png"]
    assert len(lone.dataset.training) == 4
    (problem,) = lone.problems
    assert problem.code == "near-duplicate"
    assert Path(PHOTOGRAPHS[0]).suffix in problem.message
