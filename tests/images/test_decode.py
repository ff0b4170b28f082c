"""Decoding: every trap comes out as a person sees it, or is refused; ready is what trainers read right."""

import logging
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageFile

from lorads_core.errors import ImageError
from lorads_core.images.decode import decode, is_ready, not_ready_reason
from lorads_core.images.facts import read_facts
from lorads_core.images.files import ImageLimits

from .corpus import (
    ADOBE_CURVE,
    ADOBE_XYZ,
    P3_XYZ,
    SRGB_CURVE,
    as_colours_of,
    asymmetric,
    broken,
    chunk,
    cmyk_profile,
    from_linear,
    grey_profile,
    header_chunk,
    png,
    printed,
    psnr,
    rgb_profile,
    saved,
    scene,
)

BROKEN = broken()
UNSEEN_BY_PIXELS = {"cut-end.png", "no-end.png"}


@pytest.fixture
def file(tmp_path):
    def write(data, name="picture.png"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


@pytest.mark.parametrize(
    ("kind", "least"), [("PNG", 99), ("BMP", 99), ("TIFF", 99), ("JPEG", 34), ("WEBP", 34), ("AVIF", 34)]
)
def test_plain_pictures_come_out_as_they_are(file, kind, least):
    image = decode(file(saved(scene(), kind, **({} if kind in {"PNG", "BMP", "TIFF"} else {"quality": 95}))))
    assert (image.mode, image.size, image.info) == ("RGB", (160, 120), {})
    assert psnr(image, scene()) >= least


def turned(pixels, orientation):
    """Pixels as a camera stores them that is to show ``pixels`` with an orientation."""
    undo = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: np.rot90,
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }
    return np.ascontiguousarray(undo[orientation](pixels))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_comes_out_upright(file, kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = file(saved(turned(asymmetric(), orientation), kind, exif=exif, quality=95))
    image = decode(path)
    assert psnr(image, asymmetric()) > 28
    facts = read_facts(path)
    assert image.size == (facts.width, facts.height)
    assert is_ready(facts) == (orientation == 1 and kind not in {"AVIF", "TIFF"})


@pytest.mark.parametrize(("xyz", "curve"), [(P3_XYZ, SRGB_CURVE), (ADOBE_XYZ, ADOBE_CURVE)])
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "AVIF"])
def test_wide_gamuts_become_srgb(file, kind, xyz, curve):
    stored = as_colours_of(scene(), xyz, curve)
    assert psnr(stored, scene()) < 36  # or the test would show nothing
    options = {"WEBP": {"lossless": True}, "AVIF": {"quality": 100, "subsampling": "4:4:4"}}.get(kind, {})
    path = file(saved(stored, kind, icc_profile=rgb_profile(xyz, curve), **options))
    assert psnr(decode(path), scene()) > (40 if kind == "AVIF" else 50)
    assert "profile" in not_ready_reason(read_facts(path)) or kind in {"TIFF", "AVIF"}


def test_transparency_does_not_keep_colours_from_being_converted(file):
    stored = as_colours_of(scene(), P3_XYZ, SRGB_CURVE)
    alpha = np.full((*stored.shape[:2], 1), 255, np.uint8)
    alpha[:10] = 0
    path = file(saved(np.concatenate([stored, alpha], axis=-1), icc_profile=rgb_profile(P3_XYZ)))
    kept = np.asarray(decode(path, keep_alpha=True))
    assert (kept[..., 3:] == alpha).all()
    assert psnr(kept[..., :3], scene()) > 50
    flat = np.asarray(decode(path, background=(9, 8, 7)))
    assert (flat[:10] == (9, 8, 7)).all()
    assert psnr(flat[10:], scene()[10:]) > 50


def test_cmyk_with_a_profile(file):
    rng = np.random.default_rng(1)
    inks = np.repeat(np.repeat(rng.integers(0, 160, (8, 8, 4), np.uint8), 16, 0), 16, 1)
    expected = np.round(255 * from_linear(printed(inks / 255)))
    for kind, stored, options in (("TIFF", inks, {}), ("JPEG", inks, {"quality": 100})):
        image = Image.frombytes("CMYK", (128, 128), stored.tobytes())
        path = file(saved(image, kind, icc_profile=cmyk_profile(), **options))
        assert psnr(decode(path), expected) > 33
        plain = file(saved(image, kind, **options))
        assert psnr(decode(plain), expected) < 25
        assert decode(plain).mode == "RGB"


def test_a_grey_profile_is_applied(file):
    ramp = np.tile(np.arange(256, dtype=np.uint8), (16, 1))
    path = file(saved(ramp, icc_profile=grey_profile((0, 1.0))))
    expected = np.round(255 * from_linear(ramp / 255))[..., None].repeat(3, -1)
    assert psnr(decode(path), expected) > 45


@pytest.mark.parametrize(
    ("image", "icc"),
    [
        (Image.fromarray(scene()), b"no profile"),
        (Image.fromarray(scene()), rgb_profile(P3_XYZ)[:180]),
        (Image.fromarray(scene()).convert("L"), rgb_profile(P3_XYZ)),
    ],
)
def test_profiles_of_no_use_are_ignored_and_reported(file, caplog, image, icc):
    path = file(saved(image, icc_profile=icc))
    with caplog.at_level(logging.WARNING, "lorads_core.images"):
        assert psnr(decode(path), image.convert("RGB")) == 99
    assert str(path) in caplog.text
    assert is_ready(read_facts(path))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_not_clipped(file, kind):
    deep = np.tile(np.linspace(0, 65535, 256).astype(np.uint16), (8, 1))
    path = file(saved(deep, kind))
    expected = np.tile(np.arange(256), (8, 1))[..., None].repeat(3, -1)
    assert (np.asarray(decode(path)) == expected).all()
    assert not is_ready(read_facts(path))


def test_16_bit_colours_keep_their_upper_bits(file):
    deep = (scene().astype(">u2") * 257).reshape(120, -1).tobytes()
    rows = b"".join(b"\0" + deep[start : start + 960] for start in range(0, len(deep), 960))
    path = file(png(header_chunk(160, 120, 16, 2), chunk(b"IDAT", zlib.compress(rows))))
    assert (np.asarray(decode(path)) == scene()).all()
    assert not_ready_reason(read_facts(path)) == "it has 16 bits a channel"


def test_transparent_16_bit_grey(file):
    rows = b"".join(b"\0" + struct.pack(">4H", 0, 1000, 30000, 65535) for _ in range(2))
    path = file(
        png(header_chunk(4, 2, 16, 0), chunk(b"tRNS", struct.pack(">H", 1000)), chunk(b"IDAT", zlib.compress(rows)))
    )
    assert decode(path, keep_alpha=True).getpixel((1, 0))[3] == 0
    assert decode(path, background=(1, 2, 3)).getpixel((1, 0)) == (1, 2, 3)
    assert decode(path).getpixel((3, 0)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "PA", "colour key"])
def test_transparency_is_laid_on_the_background(file, mode):
    clear, options = (200, 30, 90), {}
    if mode == "P":
        image = Image.new("P", (4, 4), 1)
        image.putpalette([*clear, 10, 10, 10])
        image.putpixel((0, 0), 0)
        options = {"transparency": 0}
    elif mode == "colour key":
        image = Image.new("RGB", (4, 4), (10, 10, 10))
        image.putpixel((0, 0), clear)
        options = {"transparency": clear}
    elif mode == "PA":
        image = Image.new("RGBA", (4, 4), (10, 10, 10, 255))
        image.putpixel((0, 0), (*clear, 0))
        image = image.quantize(8)
    else:
        image = Image.new("RGBA", (4, 4), (10, 10, 10, 255))
        image.putpixel((0, 0), (*clear, 0))
        image = image.convert(mode)
    path = file(saved(image, **options))
    flat = decode(path, background=(0, 255, 0))
    assert (flat.mode, flat.getpixel((0, 0)), flat.getpixel((1, 1))) == ("RGB", (0, 255, 0), (10, 10, 10))
    kept = decode(path, keep_alpha=True)
    assert (kept.mode, kept.getpixel((0, 0))[3], kept.getpixel((1, 1))) == ("RGBA", 0, (10, 10, 10, 255))
    assert not is_ready(read_facts(path))


def test_half_transparency_is_mixed(file):
    path = file(saved(Image.new("RGBA", (2, 2), (200, 100, 0, 128))))
    assert decode(path, background=(0, 0, 0)).getpixel((0, 0)) == (100, 50, 0)


@pytest.mark.parametrize("mode", ["1", "P", "L"])
def test_plain_greys_and_palettes_become_rgb(file, mode):
    image = Image.fromarray(scene()).convert(mode)
    assert psnr(decode(file(saved(image))), image.convert("RGB")) == 99


def test_floating_point_is_refused(file):
    with pytest.raises(ImageError, match="floating point"):
        decode(file(saved(Image.new("F", (4, 4)), "TIFF")))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF"])
def test_animations_are_refused_or_give_their_first_frame(file, kind):
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "lime", "blue")]
    path = file(saved(frames[0], kind, save_all=True, append_images=frames[1:]))
    with pytest.raises(ImageError, match="3 frames"):
        decode(path)
    red, green, _ = decode(path, first_frame=True).getpixel((5, 5))
    assert red > 240
    assert green < 15


def test_the_first_frame_of_an_apng_is_not_its_default_image(file):
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "lime", "blue")]
    path = file(saved(frames[0], save_all=True, append_images=frames[1:], default_image=True))
    assert decode(path, first_frame=True).getpixel((5, 5)) == (0, 255, 0)


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_refused(file, name):
    data, reason = BROKEN[name]
    path = file(data, name)
    with pytest.raises(ImageError, match=reason):
        decode(path)


def test_cut_files_are_refused_even_while_somebody_lets_pillow_load_them(file):
    ImageFile.LOAD_TRUNCATED_IMAGES = True  # as a host may, in another thread
    try:
        for kind in ("PNG", "JPEG", "WEBP"):
            data = saved(scene(), kind)
            for share in (0.3, 0.6, 0.95):
                with pytest.raises(ImageError, match="cut off"):
                    decode(file(data[: int(share * len(data))]))
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False


def test_damage_within_the_pixels_is_found_in_decoding(file):
    path = file(png(header_chunk(64, 64), chunk(b"IDAT", b"\x78\x9c" + bytes(range(90)))))
    with pytest.raises(ImageError, match="cannot be decoded"):
        decode(path)
    webp = bytearray(saved(scene(), "WEBP", lossless=True))
    webp[30:90] = bytes(60)
    with pytest.raises(ImageError, match="cannot be decoded"):
        decode(file(bytes(webp)))


def test_large_pictures_do_not_warn(file):
    path = file(saved(Image.new("1", (9_500, 9_500))))
    assert decode(path).size == (9_500, 9_500)
    with pytest.raises(ImageError, match="over the limit"):
        decode(path, limits=ImageLimits(max_pixels=1000))


def test_a_jpeg_that_will_be_shrunk_is_decoded_at_a_fraction(file):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = file(saved(scene(1600, 1200), "JPEG", exif=exif))
    asked = []

    def quarter(width, height):
        asked.append((width, height))
        return width // 8, height // 8

    assert decode(path, shrink_to=quarter).size == (300, 400)
    assert asked == [(1200, 1600)]
    assert decode(path, shrink_to=lambda width, height: (width, height)).size == (1200, 1600)


@pytest.mark.parametrize(
    ("size", "least", "expected"),
    [
        ((1600, 1200), (100, 75), (200, 150)),  # an eighth is twice that
        ((1600, 1200), (101, 75), (400, 300)),
        ((1604, 1204), (100, 75), (401, 301)),  # no multiple of 8
        ((1602, 1202), (100, 75), (801, 601)),
        ((1601, 1200), (100, 75), (1601, 1200)),
        ((1600, 1201), (100, 75), (1600, 1201)),
        ((1600, 1200), (600, 450), (1600, 1200)),
    ],
)
def test_where_it_is_to_be_exact_a_fraction_leaves_no_rest(file, size, least, expected):
    path = file(saved(Image.new("RGB", size), "JPEG"))
    assert decode(path, shrink_to=lambda _width, _height: least, exact=True).size == expected


def test_many_threads_decode_alike(file):
    path = file(saved(as_colours_of(scene(), P3_XYZ, SRGB_CURVE), icc_profile=rgb_profile(P3_XYZ)))
    with ThreadPoolExecutor(8) as pool:
        found = {image.tobytes() for image in pool.map(decode, [path] * 64)}
    assert len(found) == 1


@pytest.mark.parametrize(
    ("kind", "image", "options", "reason"),
    [
        ("PNG", scene(), {}, ""),
        ("JPEG", scene(), {}, ""),
        ("WEBP", scene(), {}, ""),
        ("BMP", scene(), {}, ""),
        ("JPEG", scene()[..., 0], {}, ""),
        ("PNG", scene(), {"icc_profile": rgb_profile()}, ""),
        ("TIFF", scene(), {}, "its format is tiff"),
        ("GIF", scene(), {}, "its format is gif"),
        ("AVIF", scene(), {}, "its format is avif"),
        ("PNG", Image.new("RGBA", (8, 8)), {}, "it has transparency"),
        ("PNG", Image.new("P", (8, 8)), {}, "its colours are P"),
        ("PNG", Image.new("1", (8, 8)), {}, "its colours are 1"),
        ("JPEG", Image.new("CMYK", (8, 8)), {}, "its colours are CMYK"),
        ("PNG", scene(), {"icc_profile": rgb_profile(P3_XYZ)}, "its colour profile is not sRGB"),
    ],
)
def test_ready(file, kind, image, options, reason):
    facts = read_facts(file(saved(image, kind, **options)))
    assert not_ready_reason(facts) == reason
    assert is_ready(facts) == (not reason)
