"""What of a folder is an image to train on: masks beside images are not, and what is left out is counted and named."""

import os

import pytest

from lorads_core.library.listing import Listing
from lorads_core.library.mask_names import masks_in_folder, masks_of
from lorads_core.library.sidecars import SidecarRule
from lorads_core.model import ImageRecord

JPEG = b"\xff\xd8\xff\xe0" + bytes(99)


@pytest.fixture
def listed(tmp_path):
    """Return a function that lists files of these names and returns images, masks (relative paths) and problems."""

    def run(*names):
        for name in names:
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(JPEG)
        listing = Listing(tmp_path, SidecarRule(), follow_links=False)
        images = [entry.path for folder in listing.folders() for entry in folder.images]
        listing.report_left_out()
        return relative(tmp_path, images), relative(tmp_path, listing.masks), listing.problems

    return run


def relative(root, paths):
    return sorted(os.path.relpath(path, root).replace(os.sep, "/") for path in paths)


@pytest.mark.parametrize(
    "mask",
    [
        *("cat-masklabel.png", "cat-condlabel.png", "cat-mask.png", "cat_mask.png", "masks/cat.png", "Masks/cat.webp"),
        *("CAT_MASK.PNG", "cat-mask.jpg"),
    ],
)
def test_what_has_the_name_of_an_images_mask_is_a_mask(listed, mask):
    images, masks, problems = listed("cat.jpg", "cat.txt", mask)
    assert (images, masks) == (["cat.jpg"], [mask])
    (problem,) = problems
    assert problem.severity == "info"
    assert problem.message.startswith("1 mask or conditioning image of another image is not indexed")
    assert "--masked-loss" in problem.message


@pytest.mark.parametrize(
    "name", ["dog-mask.png", "mask.png", "masks/dog.png", "cat-masked.png", "-mask.png", "sub/cat-mask.png"]
)
def test_without_the_image_of_that_name_it_is_an_image_itself(listed, name):
    images, masks, problems = listed("cat.jpg", name)
    assert (images, masks, problems) == (sorted(["cat.jpg", name]), [], [])


def test_masks_of_several_folders_are_one_line(listed):
    images, masks, (problem,) = listed("a/1.png", "a/1-masklabel.png", "b/2.png", "b/masks/2.png", "b/masks/3.png")
    assert images == ["a/1.png", "b/2.png", "b/masks/3.png"]
    assert masks == ["a/1-masklabel.png", "b/masks/2.png"]
    assert problem.message.startswith("2 masks or conditioning images of other images are not indexed")


def record(path, mask=""):
    return ImageRecord("pictures", 1, str(path), 8, 8, 1, 1, "", "jpg", mask=str(mask))


def test_a_mask_is_found_by_any_of_its_names(tmp_path):
    image = str(tmp_path / "a.jpg")
    assert masks_of([record(image)]) == {}
    (tmp_path / "masks").mkdir()
    for name in ("masks/a.jpg", "masks/A.png", "a_mask.webp", "a-mask.png", "a-masklabel.png"):
        (tmp_path / name).touch()
        assert masks_of([record(image)]) == {image: str(tmp_path / name)}


def test_a_conditioning_image_is_no_mask(tmp_path):
    for name in ("a.jpg", "a-condlabel.png"):
        (tmp_path / name).touch()
    assert masks_of([record(tmp_path / "a.jpg")]) == {}


def test_the_mask_that_the_library_knows_comes_first_while_it_is_there(tmp_path):
    elsewhere = tmp_path / "drawn" / "a.png"
    elsewhere.parent.mkdir()
    for file in (elsewhere, tmp_path / "a-mask.png"):
        file.touch()
    image = record(tmp_path / "a.jpg", elsewhere)
    assert masks_of([image]) == {image.path: str(elsewhere)}
    elsewhere.unlink()
    assert masks_of([image]) == {image.path: str(tmp_path / "a-mask.png")}


def test_masks_of_another_folder_have_the_place_or_the_name_of_their_image(tmp_path):
    images = [str(tmp_path / "set" / name) for name in ("a.jpg", "deep/b.jpg", "deep/c.webp", "d.jpg")]
    drawn = tmp_path / "drawn"
    (drawn / "deep").mkdir(parents=True)
    for name in ("A.png", "b.png", "deep/b.png", "c.jpg", "deep/x.png"):
        (drawn / name).touch()
    found = masks_in_folder(images, str(tmp_path / "set"), str(drawn))
    assert found == dict(
        zip(images, [str(drawn / "A.png"), str(drawn / "deep" / "b.png"), str(drawn / "c.jpg")], strict=False)
    )


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a.cr2", "b.NEF", "c.nef"], "3 camera RAW files are not read (1 .cr2, 2 .nef): develop them"),
        (["a.dng"], "1 camera RAW file is not read: develop them"),
        (["a.psd", "b.kra"], "2 files of drawing programs are not read (1 .kra, 1 .psd): open them"),
        (["a.tga"], "1 image of another format is not read: save"),
        (["IMG_0001.MOV"], "1 video is not read: save single frames"),
        (["photo", "photo2"], "2 images without an extension are not read: add one"),
    ],
)
def test_files_of_kinds_that_are_not_read_are_counted_and_named_once(listed, names, message):
    images, _, (problem,) = listed("z.jpg", *names)
    assert images == ["z.jpg"]
    assert problem.message.startswith(message)
    assert os.path.basename(problem.subject) == min(names)


def test_other_files_are_no_images(listed, tmp_path):
    (tmp_path / "LICENSE").write_text("BMW and others")
    (tmp_path / "README").write_bytes(b"")
    (tmp_path / "notes.md").write_text("notes")
    assert listed("z.jpg")[2] == []


@pytest.mark.posix
def test_a_pipe_without_an_extension_is_not_opened(listed, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert listed("z.jpg")[2] == []
