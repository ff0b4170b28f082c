"""Colours that a file declares without a profile are read as browsers show them, or named as unreadable."""

import io
import struct

import pytest
from PIL import Image, ImageCms

from lorads_core.images.declared_colour import UNUSABLE, adobe_rgb, of_codes, of_nclx, of_png
from lorads_core.images.decode import decode, not_ready_reason
from lorads_core.images.facts import read_facts
from lorads_core.library.index import IndexOptions, index_folder

from .declared import P3, declared_png, gama

# The first two are the values that Chromium shows; tests/browser/test_colours.py compares all of them with it.
SHOWN = [
    ((64, 64, 64), {"gAMA": gama(100_000)}, (137, 137, 137)),
    ((100, 180, 100), {"cICP": bytes((12, 13, 0, 1))}, (65, 182, 90)),
    ((100, 180, 100), {"gAMA": gama(45_455), "cHRM": P3}, (65, 182, 90)),
    ((64, 64, 64), {"gAMA": gama(55_556)}, (81, 81, 81)),
    ((64, 64, 64), {"gAMA": gama(45_455)}, (64, 64, 64)),
    ((100, 180, 100), {"cHRM": P3}, (100, 180, 100)),
    ((64, 64, 64), {"sRGB": b"\0", "gAMA": gama(100_000)}, (64, 64, 64)),
    ((64, 64, 64), {"cICP": bytes((1, 13, 0, 1)), "gAMA": gama(100_000)}, (64, 64, 64)),
    ((64, 64, 64), {"cICP": bytes((2, 2, 0, 1))}, (64, 64, 64)),
]


@pytest.fixture
def read(tmp_path):
    """Return a function that writes bytes and returns the colour that is read, and what is known of the file."""

    def run(data, name="a.png"):
        (tmp_path / name).write_bytes(data)
        return decode(tmp_path / name).getpixel((0, 0)), read_facts(tmp_path / name)

    return run


@pytest.mark.parametrize(("colour", "chunks", "shown"), SHOWN)
def test_a_png_is_read_in_the_colours_that_it_declares(read, colour, chunks, shown):
    found, facts = read(declared_png(colour, chunks))
    assert max(abs(a - b) for a, b in zip(found, shown, strict=True)) <= 1
    assert (facts.profile == "other") == (colour != shown)
    assert bool(not_ready_reason(facts)) == (colour != shown)  # so that it is not copied byte for byte


@pytest.mark.parametrize(("mode", "colour"), [("L", 64), ("LA", (64, 255)), ("P", 64), ("RGBA", (64, 64, 64, 255))])
def test_any_kind_of_png_is(read, mode, colour):
    found, _ = read(declared_png(colour, {"gAMA": gama(100_000)}, mode))
    assert found == ((137, 137, 137) if mode != "P" else found)


def test_an_embedded_profile_counts_before_gama(read):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (64, 64, 64)).save(file, "PNG", icc_profile=srgb)
    data = file.getvalue()
    extra = declared_png((0, 0, 0), {"gAMA": gama(100_000)})[33:49]
    assert read(data[:33] + extra + data[33:])[0] == (64, 64, 64)


@pytest.mark.parametrize(
    "chunks",
    [
        {"cICP": bytes((9, 16, 0, 1))},  # HDR: PQ
        {"cICP": bytes((9, 18, 0, 1))},  # HDR: HLG
        {"cICP": bytes((1, 13, 0, 0))},  # narrow range
        {"cICP": bytes((99, 13, 0, 1))},
        {"gAMA": gama(45_455), "cHRM": bytes(32)},
        {"gAMA": gama(50_000), "cHRM": P3[:12]},
        {"gAMA": gama(1)},
    ],
)
def test_colours_that_cannot_be_converted_are_a_warning(store, library, tmp_path, chunks):
    (tmp_path / "a.png").write_bytes(declared_png((64, 64, 64), chunks))
    assert read_facts(tmp_path / "a.png").profile == "unusable"
    report = index_folder(store, library, tmp_path, IndexOptions())
    (problem,) = report.problems
    assert (report.found, problem.code, problem.severity) == (1, "colours", "warning")
    assert "read as sRGB" in problem.message


def jpeg(colour, *, index=b"", space=0):
    exif = Image.Exif()
    ifd = exif.get_ifd(0x8769)
    ifd[0xA001] = space or 65535
    if index:
        ifd[0xA005] = {1: index.decode(), 2: b"0100"}
    file = io.BytesIO()
    Image.new("RGB", (16, 16), colour).save(file, "JPEG", quality=100, exif=exif)
    return file.getvalue()


@pytest.mark.parametrize(
    ("tags", "is_adobe"), [({"index": b"R03"}, True), ({"space": 2}, True), ({"index": b"R98"}, False), ({}, False)]
)
def test_a_cameras_adobe_rgb_is_converted(read, tags, is_adobe):
    found, facts = read(jpeg((100, 180, 100), **tags), "a.jpg")
    assert (facts.profile == "other") == is_adobe
    wanted = (0, 181, 94) if is_adobe else (100, 180, 100)
    assert max(abs(a - b) for a, b in zip(found, wanted, strict=True)) <= 2


def test_the_colours_of_an_avif_without_a_profile():
    def colr(*codes):
        return b"\0\0\0\x13colrnclx" + struct.pack(">HHHB", *codes, 0x80)

    assert of_nclx(colr(12, 13, 6)) == of_codes(12, 13)
    assert of_nclx(colr(1, 13, 6)) == of_nclx(colr(1, 1, 1)) == of_nclx(colr(2, 2, 2)) == of_nclx(b"none") == b""
    assert of_nclx(colr(9, 16, 9)) == UNUSABLE
    assert of_nclx(b"colrnclx\0") == b""


def test_the_profiles_are_those_of_the_field():
    profile = ImageCms.ImageCmsProfile(io.BytesIO(adobe_rgb())).profile
    assert profile.xcolor_space.strip() == "RGB"
    x, y, _ = profile.red_primary[1] if profile.red_primary else (0.64, 0.33, 0)
    assert (round(x, 2), round(y, 2)) == (0.65, 0.33)  # adapted to D50
    assert of_png(0, (), is_grey=True) == b""
