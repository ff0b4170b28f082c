"""Encoding: sizes keep their aspect, pixels survive, files are whole or not there."""

import math
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lorads_core.buckets import BucketRule, assign_bucket
from lorads_core.errors import ExportError, ImageError
from lorads_core.images.decode import decode, is_ready
from lorads_core.images.encode import SUFFIXES, ImagePolicy, copy_file, fit, save_image, write_image
from lorads_core.images.facts import read_facts
from lorads_core.model import FileStamp

from .corpus import psnr, saved, scene

SIDE = st.integers(1, 20_000)


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source.png"
    path.write_bytes(saved(scene(640, 480)))
    return path


@given(SIDE, SIDE, st.integers(1, 4096), st.sampled_from(["max_side", "max_area"]))
def test_sizes_keep_aspect_and_limit_and_never_grow(width, height, size, kind):
    new = ImagePolicy(kind, size).size_of(width, height)
    assert 1 <= new[0] <= width
    assert 1 <= new[1] <= height
    if kind == "max_side":
        assert max(new) == min(size, max(width, height))
    elif 1 not in new:
        assert new[0] * new[1] <= max(size * size, 1) or new == (width, height)
    scale = min(1, size / (max(width, height) if kind == "max_side" else math.sqrt(width * height)))
    for side, old in zip(new, (width, height), strict=True):
        assert abs(side - old * scale) <= 1


@pytest.mark.parametrize(
    ("size", "written"),
    [
        ((3000, 2000), (1216, 832)),
        ((1920, 1080), (1344, 768)),
        ((832, 1216), (832, 1216)),
        ((1024, 1050), (1024, 1024)),
        ((700, 500), (700, 500)),  # a trainer would enlarge it: that is its business
        ((63, 63), (63, 63)),
        ((10000, 1000), (2048, 256)),
    ],
)
def test_a_bucket_is_covered_and_cropped_about_the_centre(size, written):
    policy = ImagePolicy("bucket", bucket=assign_bucket(size, BucketRule(max_side=2048)).bucket)
    image = Image.new("RGB", size, (255, 0, 0))
    middle = Image.new("RGB", (max(1, size[0] // 4), max(1, size[1] // 4)), (0, 255, 0))
    image.paste(middle, ((size[0] - middle.width) // 2, (size[1] - middle.height) // 2))
    small = fit(image, policy)
    assert small.size == written
    assert small.getpixel((written[0] // 2, written[1] // 2)) == (0, 255, 0)
    green = np.argwhere(np.asarray(small)[:, :, 1] > 128)
    assert np.abs(green.mean(axis=0) - [(written[1] - 1) / 2, (written[0] - 1) / 2]).max() <= 1


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (ImagePolicy(), (3000, 2000)),
        (ImagePolicy("normalised"), (3000, 2000)),
        (ImagePolicy("max_side", 1500), (1500, 1000)),
        (ImagePolicy("max_side", 4000), (3000, 2000)),
        (ImagePolicy("max_area", 1024), (1254, 836)),
        (ImagePolicy("max_area", 9999), (3000, 2000)),
    ],
)
def test_sizes(policy, expected):
    assert policy.size_of(3000, 2000) == expected


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "max_side"},
        {"kind": "max_area", "size": 0},
        {"quality": 0},
        {"quality": 101},
        {"format": "jpeg", "keep_alpha": True},
    ],
)
def test_policies_that_cannot_be_are_refused(fields):
    with pytest.raises(ExportError):
        ImagePolicy(**fields)


def lanczos(pixels, size):
    """Lanczos in floating point, channel by channel."""
    planes = [Image.fromarray(pixels[..., i].astype(np.float32)) for i in range(3)]
    return np.stack([np.asarray(plane.resize(size, Image.Resampling.LANCZOS)) for plane in planes], axis=-1)


def test_shrinking_is_lanczos():
    pixels = scene(1600, 1200)
    small = fit(Image.fromarray(pixels), ImagePolicy("max_side", 300))
    assert small.size == (300, 225)
    assert psnr(small, np.clip(lanczos(pixels, (300, 225)), 0, 255)) > 45


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("size", [(1600, 1200), (1597, 1203), (1600, 1202), (1602, 1200)])
@pytest.mark.parametrize("side", [180, 300, 390, 640])
def test_shrinking_a_jpeg_of_much_detail_is_lanczos_too(tmp_path, side, size, orientation):
    source = tmp_path / "source.jpg"
    detail = np.random.default_rng(5).normal(0, 25, (300, 400, 1))  # sharp at about the size that it is shrunk to
    rough = Image.fromarray(np.clip(scene(400, 300) + detail, 0, 255).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    source.write_bytes(saved(rough.resize(size, Image.Resampling.BICUBIC), "JPEG", quality=95, exif=exif))
    size = write_image(source, tmp_path / "out.png", ImagePolicy("max_side", side))
    full = np.asarray(decode(source))
    assert psnr(decode(tmp_path / "out.png"), np.clip(lanczos(full, size), 0, 255)) > 48


def test_transparent_pixels_do_not_bleed_when_shrunk():
    image = Image.new("RGBA", (64, 64), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (0, 0, 32, 64))
    small = np.asarray(fit(image, ImagePolicy("max_side", 8, keep_alpha=True)))
    visible = small[small[..., 3] > 0]
    assert visible[:, 0].max() < 8


def test_an_image_that_fits_is_the_same():
    image = Image.fromarray(scene())
    assert fit(image, ImagePolicy("max_side", 160)) is image


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (257, 129), (1024, 2000)])
def test_png_keeps_every_pixel(tmp_path, mode, size):
    channels = {"L": (), "RGB": (3,), "RGBA": (4,)}[mode]
    pixels = np.random.default_rng(3).integers(0, 256, (size[1], size[0], *channels), np.uint8)
    target = tmp_path / "out.png"
    save_image(Image.fromarray(pixels), target, ImagePolicy())
    with Image.open(target) as image:
        assert (image.mode, image.size) == (mode, size)
        assert (np.asarray(image) == pixels).all()
    assert read_facts(target).format == "png"


@pytest.mark.parametrize(
    ("fields", "least"),
    [
        ({"format": "png"}, 99),
        ({"format": "webp", "quality": 100}, 99),
        ({"format": "jpeg"}, 38),
        ({"format": "webp"}, 36),
    ],
)
def test_formats(tmp_path, source, fields, least):
    policy = ImagePolicy("normalised", **fields)
    target = tmp_path / f"out{policy.suffix}"
    assert write_image(source, target, policy) == (640, 480)
    facts = read_facts(target)
    assert facts.format == policy.format
    assert SUFFIXES[facts.format] == target.suffix
    assert is_ready(facts)
    assert psnr(decode(target), scene(640, 480)) >= least


@pytest.mark.parametrize("kind", ["png", "webp"])
def test_alpha_is_kept_where_it_is_wanted(tmp_path, kind):
    pixels = np.dstack([scene(), np.full((120, 160), 77, np.uint8)])
    (tmp_path / "source.png").write_bytes(saved(pixels))
    policy = ImagePolicy("normalised", format=kind, quality=100, keep_alpha=True)
    write_image(tmp_path / "source.png", tmp_path / "out", policy)
    assert (np.asarray(decode(tmp_path / "out", keep_alpha=True)) == pixels).all()


def test_metadata_of_the_source_is_left_behind(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "secret"
    (tmp_path / "source.jpg").write_bytes(saved(scene(), "JPEG", exif=exif, comment=b"secret", xmp=b"secret"))
    for kind in ("png", "jpeg", "webp"):
        write_image(tmp_path / "source.jpg", tmp_path / "out", ImagePolicy("normalised", format=kind))
        assert b"secret" not in (tmp_path / "out").read_bytes()
        assert read_facts(tmp_path / "out").orientation == 1


def test_a_side_beyond_the_format_is_refused(tmp_path):
    (tmp_path / "source.png").write_bytes(saved(Image.new("L", (16_400, 2))))
    with pytest.raises(ImageError, match="ends at 16383 a side"):
        write_image(tmp_path / "source.png", tmp_path / "out.webp", ImagePolicy(format="webp"))
    assert write_image(tmp_path / "source.png", tmp_path / "out.png", ImagePolicy()) == (16_400, 2)


def test_files_get_the_usual_rights(tmp_path, source):
    write_image(source, tmp_path / "out.png", ImagePolicy())
    (tmp_path / "plain").touch()
    assert (tmp_path / "out.png").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_names_of_255_bytes(tmp_path, source):
    target = tmp_path / ("n" * 251 + ".png")
    write_image(source, target, ImagePolicy())
    assert read_facts(target).width == 640


def test_many_threads_write(tmp_path, source):
    targets = [tmp_path / f"{number}.png" for number in range(24)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda target: write_image(source, target, ImagePolicy("max_side", 200)), targets))
    assert len({target.read_bytes() for target in targets}) == 1


# Copies


def copied(source, target):
    found = source.stat()
    copy_file(source, target, FileStamp.of(found))


def test_a_copy_is_the_same_bytes(tmp_path, source):
    source.write_bytes(source.read_bytes() + os.urandom(3_000_001))
    copied(source, tmp_path / "copy.png")
    assert (tmp_path / "copy.png").read_bytes() == source.read_bytes()


def test_a_copy_replaces_an_older_file(tmp_path, source):
    (tmp_path / "copy.png").write_text("old and longer" * 100_000)
    copied(source, tmp_path / "copy.png")
    assert (tmp_path / "copy.png").read_bytes() == source.read_bytes()


@pytest.mark.parametrize("system", ["/dev/shm", "/tmp"])
def test_copies_between_file_systems(source, system):
    if not os.access(system, os.W_OK):
        pytest.skip(f"{system} cannot be written")
    target = Path(system) / f"lorads-test-{os.getpid()}.png"
    try:
        copied(source, target)
        assert target.read_bytes() == source.read_bytes()
    finally:
        target.unlink(missing_ok=True)


def test_a_source_that_has_changed_is_not_copied(tmp_path, source):
    found = source.stat()
    for size, changed in ((found.st_size + 1, found.st_mtime_ns), (found.st_size, found.st_mtime_ns + 1)):
        with pytest.raises(ImageError, match="has changed since it was indexed"):
            copy_file(source, tmp_path / "copy.png", FileStamp(size, changed))
    source.unlink()
    with pytest.raises(ImageError, match="not there any more"):
        copy_file(source, tmp_path / "copy.png", FileStamp(1, 1))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_not_copied(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ImageError, match="not a regular file"):
        copy_file(tmp_path / "pipe", tmp_path / "copy", FileStamp(0, 0))


# What cannot be written


def test_a_folder_that_is_not_there(tmp_path, source):
    for write in (lambda target: copied(source, target), lambda target: write_image(source, target, ImagePolicy())):
        with pytest.raises(ExportError, match="cannot be written"):
            write(tmp_path / "nowhere" / "out.png")


def test_a_folder_in_the_place_of_the_file(tmp_path, source):
    (tmp_path / "out.png").mkdir()
    with pytest.raises(ExportError, match="cannot be written"):
        write_image(source, tmp_path / "out.png", ImagePolicy())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.png", "source.png"]


def test_a_bad_source_leaves_nothing(tmp_path, source):
    source.write_bytes(source.read_bytes()[:5000])
    with pytest.raises(ImageError):
        write_image(source, tmp_path / "out.png", ImagePolicy())
    assert [path.name for path in tmp_path.iterdir()] == ["source.png"]


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
@pytest.mark.posix
def test_a_write_that_fails_midway_keeps_the_old_file(tmp_path, source, kind):
    target = tmp_path / "out"
    target.write_bytes(b"old")
    resource = pytest.importorskip("resource", reason="a limit of POSIX")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, limits[1]))
    try:
        with pytest.raises(ExportError, match="cannot be written"):
            write_image(source, target, ImagePolicy("normalised", format=kind, quality=99))
        with pytest.raises(ExportError, match="cannot be written"):
            copied(source, target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert target.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "source.png"]


@pytest.fixture
def small_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no right to mount a small disk")
    yield disk
    subprocess.run(["umount", disk], check=True)


@pytest.mark.posix  # it mounts one
def test_a_full_disk_says_so_and_leaves_nothing(small_disk, source):
    for write in (
        lambda: copied(source, small_disk / "a"),
        lambda: write_image(source, small_disk / "a", ImagePolicy()),
    ):
        with pytest.raises(ExportError, match="is full: free some space"):
            write()
    assert list(small_disk.iterdir()) == []
