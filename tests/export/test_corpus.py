"""Pictures of every kind and every fault through an export: what lies there is what each trainer reads right."""

import hashlib
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image

from lorads_core.errors import ExportError
from lorads_core.export.plan import ExportOptions, plan_export
from lorads_core.export.write import write_export
from lorads_core.images.encode import ImagePolicy
from lorads_core.model import Caption, Dataset, DatasetImage, ImageRecord

from ..images.corpus import (
    ADOBE_CURVE,
    ADOBE_XYZ,
    P3_XYZ,
    SRGB_CURVE,
    as_colours_of,
    broken,
    cmyk_profile,
    psnr,
    rgb_profile,
    saved,
    scene,
)
from .conftest import CONFIG, dataset_image

BROKEN = broken()
SCENE = scene()
POLICIES = {
    "original": ImagePolicy(),
    "original without metadata": ImagePolicy(strip=True),
    "normalised": ImagePolicy("normalised"),
    "max_area": ImagePolicy("max_area", 1024),
    "bucket": ImagePolicy("bucket"),
}


def turned():
    exif = Image.Exif()
    exif[0x0112] = 8
    return Image.fromarray(np.rot90(SCENE, -1)), exif


def in_colours(xyz, curve, kind):
    return saved(as_colours_of(SCENE, xyz, curve), kind, icc_profile=rgb_profile(xyz, curve))


def see_through():
    hidden = np.concatenate([SCENE, np.full((*SCENE.shape[:2], 1), 255, np.uint8)], axis=-1)
    hidden[:10, :10] = (255, 0, 255, 0)
    return Image.fromarray(hidden)


def traps():
    """Files that are sound but not what trainers read right: name to bytes."""
    picture, exif = turned()
    grey = (SCENE[..., 0].astype(np.uint16) * 257)[..., None]
    return {
        **{f"turned.{kind.lower()}": saved(picture, kind, exif=exif) for kind in ("PNG", "JPEG", "WEBP", "AVIF")},
        "p3.png": in_colours(P3_XYZ, SRGB_CURVE, "PNG"),
        "adobe.jpg": in_colours(ADOBE_XYZ, ADOBE_CURVE, "JPEG"),
        "cmyk.jpg": saved(Image.fromarray(SCENE).convert("CMYK"), "JPEG", icc_profile=cmyk_profile()),
        "deep.png": saved(Image.fromarray(grey[..., 0])),
        "see-through.png": saved(see_through()),
        "palette.png": saved(Image.fromarray(SCENE).quantize(200)),
        "palette.gif": saved(Image.fromarray(SCENE), "GIF"),
        "page.tif": saved(Image.fromarray(SCENE), "TIFF"),
        "really a jpeg.png": saved(Image.fromarray(SCENE), "JPEG", quality=95),
        "lines.bmp": saved(Image.fromarray(SCENE).convert("1"), "BMP"),
    }


def files(tmp_path, made):
    folder = tmp_path / "in"
    folder.mkdir(exist_ok=True)
    for name, data in made.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in made]


def dataset_of(images):
    return Dataset(uuid4(), "Corpus", "pictures", tuple(images))


def written(dataset, root, policy):
    return write_export(plan_export(dataset, CONFIG, ExportOptions(policy=policy)), root)


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_sound_files_of_every_kind_become_what_trainers_read(tmp_path, root, policy):
    paths = files(tmp_path, traps())
    dataset = dataset_of([dataset_image(n, path, "tom") for n, path in enumerate(paths)])
    result = written(dataset, root, policy)
    assert result.export.training_images == len(paths)
    for number, path in enumerate(paths):
        target = result.export.folder / result.files["pictures", number]
        with Image.open(target) as image:  # plainly, as a trainer's loader does
            assert image.mode in ("RGB", "L"), path.name
            assert image.getexif().get(0x0112, 1) == 1, path.name
            assert "icc_profile" not in image.info, path.name
            assert target.suffix == {"JPEG": ".jpg", "PNG": ".png", "BMP": ".bmp"}[image.format], path.name
            assert image.size == (160, 120) or policy.kind == "bucket", path.name


@pytest.mark.parametrize(
    ("name", "least"), [("turned.png", 99), ("turned.webp", 25), ("p3.png", 45), ("adobe.jpg", 30), ("deep.png", 45)]
)
def test_what_is_written_looks_like_the_picture(tmp_path, root, name, least):
    (path,) = files(tmp_path, {name: traps()[name]})
    result = written(dataset_of([dataset_image(1, path, "tom")]), root, ImagePolicy())
    with Image.open(result.export.folder / result.files["pictures", 1]) as image:
        seen = np.asarray(image.convert("RGB"))
    expected = np.repeat(SCENE[..., :1], 3, axis=-1) if name == "deep.png" else SCENE
    assert psnr(seen, expected) >= least


def test_what_was_hidden_under_transparency_stays_hidden(tmp_path, root):
    (path,) = files(tmp_path, {"see-through.png": traps()["see-through.png"]})
    grey = ImagePolicy(background=(128, 128, 128))
    result = written(dataset_of([dataset_image(1, path, "tom")]), root, grey)
    with Image.open(result.export.folder / result.files["pictures", 1]) as image:
        assert image.getpixel((3, 3)) == (128, 128, 128)


def unread(number, path):
    """Return a picture that its library knows by name and size alone, as another program's may."""
    found = path.stat()
    record = ImageRecord("pictures", number, str(path), 640, 480, found.st_size, found.st_mtime_ns, "", "png")
    return DatasetImage(record, Caption("tom", "custom"))


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_broken_files_are_left_out_by_name_and_harm_no_other(picture, tmp_path, root, policy):
    paths = files(tmp_path, {name: data for name, (data, _) in BROKEN.items()})
    sound = dataset_image(1000, picture("in/sound.png", (640, 480)), "tom")
    before = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
    result = written(dataset_of([sound, *(unread(n, path) for n, path in enumerate(paths))]), root, policy)
    assert list(result.files) == [("pictures", 1000)]
    told = {problem.subject: problem for problem in result.export.problems if problem.code == "left-out"}
    assert set(told) == set(map(str, paths))
    for path in paths:
        assert path.name in told[str(path)].message
        assert told[str(path)].image == ("pictures", paths.index(path))
    assert {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths} == before, "libraries are read only"
    lying = sorted(path.name for path in result.export.folder.glob("10_*/*"))
    assert lying == ["001000-sound.png", "001000-sound.txt"]


def test_of_broken_files_alone_nothing_is_written(tmp_path, root):
    paths = files(tmp_path, {name: data for name, (data, _) in BROKEN.items()})
    with pytest.raises(ExportError, match=r"No training image of 'Corpus' could be written\. The first fault"):
        written(dataset_of([unread(n, path) for n, path in enumerate(paths)]), root, ImagePolicy())
    assert not (root / "Corpus").exists()


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_animations_are_left_out_with_a_word(picture, tmp_path, root, kind):
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("red", "lime", "blue")]
    (path,) = files(tmp_path, {"moving.png": saved(frames[0], kind, save_all=True, append_images=frames[1:])})
    sound = dataset_image(2, picture("in/sound.png", (640, 480)), "tom")
    dataset = dataset_of([dataset_image(1, path, "tom"), sound])
    result = written(dataset, root, ImagePolicy())
    (told,) = [problem for problem in result.export.problems if problem.code == "left-out"]
    assert "holds 3 frames: export the first one (--first-frame, or first_frame in Export Dataset)" in told.message
    assert list(result.files) == [("pictures", 2)]
    plan = plan_export(dataset, CONFIG, ExportOptions(first_frame=True))
    result = write_export(plan, root)  # over the one that had left it out
    assert [problem.code for problem in result.export.problems if problem.code == "left-out"] == []
    with Image.open(result.export.folder / result.files["pictures", 1]) as first:
        red, green, blue = first.convert("RGB").getpixel((5, 5))
    assert (red > 240, green < 20, blue < 20) == (True, True, True)
