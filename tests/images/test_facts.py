"""Facts of picture files: what they say is true, every broken file is refused, nothing hangs, nothing warns."""

import contextlib
import functools
import hashlib
import os
import random
import socket
import struct
import sys
import time
import tracemalloc
import types
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lorads_core.errors import ImageError
from lorads_core.images import formats
from lorads_core.images.decode import not_ready_reason
from lorads_core.images.facts import read_facts
from lorads_core.images.files import ImageLimits
from lorads_core.images.formats import _BRANDS, _MAGIC, FORMATS, SUFFIXES
from lorads_core.images.header import Header, InvalidImageError

from .corpus import (
    ADOBE_CURVE,
    P3_XYZ,
    broken,
    chunk,
    cmyk_profile,
    grey_profile,
    header_chunk,
    packed_text_chunk,
    png,
    png_with,
    rgb_profile,
    saved,
    scene,
    text_chunk,
)

BROKEN = broken()
RGB = Image.fromarray(scene())


@pytest.fixture
def file(tmp_path):
    """Return a function that writes bytes to a file and gives its path."""

    def write(data, name="picture.png"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


def exif(**fields):
    tags = {"orientation": 0x0112, "rating": 0x4746, "percent": 0x4749}
    made = Image.Exif()
    for name, value in fields.items():
        made[tags[name]] = value
    return made


def xmp(fields):
    return (
        '<?xpacket begin="\ufeff"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF'
        ' xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description'
        f' xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" {fields}/>'
        "</rdf:RDF></x:xmpmeta>"
    ).encode()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_tells_what_a_file_is_whatever_its_name(file, kind):
    path = file(saved(scene(160, 120), kind), "wrong.dat")
    facts = read_facts(path)
    assert (facts.format, facts.width, facts.height) == (kind.lower(), 160, 120)
    assert (facts.mode, facts.bits) == ("P" if kind == "GIF" else "RGB", 8)
    assert (facts.frames, facts.has_alpha, facts.orientation, facts.profile) == (1, False, 1, "none")
    assert facts.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (facts.file_size, facts.mtime_ns) == (path.stat().st_size, path.stat().st_mtime_ns)
    assert (facts.rating, facts.marked_bad, facts.prompt) == (None, False, "")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_sizes_are_those_of_the_upright_picture(file, kind, orientation):
    facts = read_facts(file(saved(scene(40, 24), kind, exif=exif(orientation=orientation))))
    assert facts.orientation == orientation
    assert (facts.width, facts.height) == ((24, 40) if orientation >= 5 else (40, 24))


def test_orientation_beyond_the_scale_is_none(file):
    assert read_facts(file(saved(RGB, "JPEG", exif=exif(orientation=9)))).orientation == 1


def test_orientation_by_imagemagick_and_by_xmp(file):
    raw = exif(orientation=6).tobytes().hex()
    by_text = png_with(
        packed_text_chunk("Raw profile type exif", f"\nexif\n   40\n{raw}\n".replace("457869660000", "", 1).encode())
    )
    assert read_facts(file(by_text)).orientation == 6
    assert read_facts(file(saved(RGB, "JPEG", xmp=xmp('tiff:Orientation="8"')))).orientation == 8


@pytest.mark.parametrize(
    ("image", "options", "mode", "bits", "has_alpha"),
    [
        (Image.new("1", (8, 8)), {}, "1", 1, False),
        (Image.new("L", (8, 8)), {}, "L", 8, False),
        (Image.new("L", (8, 8)), {"transparency": 3}, "L", 8, True),
        (Image.new("LA", (8, 8)), {}, "LA", 8, True),
        (Image.new("P", (8, 8)), {"bits": 4}, "P", 8, False),
        (Image.new("P", (8, 8)), {"transparency": 0}, "P", 8, True),
        (Image.new("RGBA", (8, 8)), {}, "RGBA", 8, True),
        (Image.fromarray(np.zeros((8, 8), np.uint16)), {}, "I;16", 16, False),
    ],
)
def test_modes_of_png_are_pillows(file, image, options, mode, bits, has_alpha):
    path = file(saved(image, **options))
    facts = read_facts(path)
    assert (facts.mode, facts.bits, facts.has_alpha) == (mode, bits, has_alpha)
    with Image.open(path) as opened:
        assert opened.mode == mode


@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"exif": exif(orientation=1)}])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_webp_of_every_layout(file, mode, options):
    image = RGB.convert(mode)
    if mode == "RGBA":
        image.putpixel((3, 3), (1, 2, 3, 4))
    facts = read_facts(file(saved(image, "WEBP", **options)))
    assert (facts.width, facts.height, facts.mode, facts.has_alpha) == (160, 120, mode, mode == "RGBA")


@pytest.mark.parametrize(("mode", "expected"), [("L", "L"), ("RGB", "RGB"), ("CMYK", "CMYK")])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}])
def test_jpeg_of_every_layout(file, mode, expected, options):
    facts = read_facts(file(saved(RGB.convert(mode), "JPEG", **options)))
    assert (facts.width, facts.height, facts.mode) == (160, 120, expected)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF", "TIFF"])
def test_counts_frames(file, kind):
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "green", "blue")]
    facts = read_facts(file(saved(frames[0], kind, save_all=True, append_images=frames[1:])))
    assert facts.frames == 3
    assert "more than one frame" in not_ready_reason(facts)


def test_an_apng_with_a_picture_of_its_own_beside_its_frames_is_animated(file):
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "green")]
    assert read_facts(file(saved(frames[0], save_all=True, append_images=frames[1:], default_image=True))).frames == 2


def test_pictures_behind_a_jpeg_are_no_frames(file):
    data = saved(RGB, "MPO", save_all=True, append_images=[RGB.rotate(180)])
    facts = read_facts(file(data))
    assert (facts.format, facts.frames, not_ready_reason(facts)) == ("jpeg", 1, "")


@pytest.mark.parametrize(
    ("image", "icc", "profile"),
    [
        (RGB, rgb_profile(), "srgb"),
        (RGB, rgb_profile(P3_XYZ), "other"),
        (RGB, rgb_profile(curve=(0, 1.8)), "other"),
        (RGB, b"no profile at all", "unusable"),
        (RGB, rgb_profile()[:200], "unusable"),
        (RGB, cmyk_profile(), "unusable"),
        (RGB.convert("L"), rgb_profile(P3_XYZ), "unusable"),
        (RGB.convert("L"), grey_profile(ADOBE_CURVE), "other"),
        (RGB.convert("CMYK"), cmyk_profile(), "other"),
    ],
)
def test_profiles_are_judged_by_what_they_do(file, image, icc, profile):
    facts = read_facts(file(saved(image, "JPEG", icc_profile=icc)))
    assert facts.profile == profile


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "AVIF"])
def test_profiles_are_found_in_every_format(file, kind):
    assert read_facts(file(saved(RGB, kind, icc_profile=rgb_profile(P3_XYZ)))).profile == "other"


def test_a_long_profile_in_parts_of_a_jpeg(file):
    padded = cmyk_profile() + bytes(70_000)
    assert read_facts(file(saved(RGB.convert("CMYK"), "JPEG", icc_profile=padded))).profile == "other"


@pytest.mark.parametrize(
    ("options", "rating", "is_bad"),
    [
        ({"xmp": xmp('xmp:Rating="5"')}, 10, False),
        ({"xmp": xmp('xmp:Rating="3"')}, 6, False),
        ({"xmp": xmp('xmp:Rating="2.5"')}, 5, False),
        ({"xmp": xmp('xmp:Rating="0"')}, None, False),
        ({"xmp": xmp('xmp:Rating="-1"')}, None, True),
        ({"xmp": xmp('xmp:Rating="NaN"')}, None, False),
        ({"xmp": xmp('xmp:Rating="five"')}, None, False),
        ({"xmp": xmp("").replace(b"/></rdf", b"><xmp:Rating>4</xmp:Rating></rdf:Description></rdf")}, 8, False),
        ({"xmp": xmp('xmlns:MP="http://ns.microsoft.com/photo/1.0/" MP:Rating="75"')}, 8, False),
        ({"exif": exif(rating=4)}, 8, False),
        ({"exif": exif(percent=99)}, 10, False),
        ({"exif": exif(percent=1)}, 2, False),
        ({"exif": exif(rating=0, percent=0)}, None, False),
        ({"exif": exif(rating=1), "xmp": xmp('xmp:Rating="5"')}, 10, False),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_ratings(file, kind, options, rating, is_bad):
    facts = read_facts(file(saved(RGB, kind, **options)))
    assert (facts.rating, facts.marked_bad) == (rating, is_bad)


def test_rating_in_a_png(file):
    content = b"XML:com.adobe.xmp\0\0\0\0\0" + xmp('xmp:Rating="4"')
    assert read_facts(file(png_with(chunk(b"iTXt", content)))).rating == 8


@pytest.mark.parametrize(
    "hostile",
    [
        b'<!DOCTYPE a [<!ENTITY b "c">]><a Rating="&b;"/>',
        b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY l "lol"><!ENTITY m "&l;&l;&l;">]><Rating>&m;</Rating>',
        b"<Rating>" * 20_000,
        b"<a Rating=",
        b"\xff\xfe\0Rating",
        b'<?xml version="1.0" encoding="no-such"?><Rating/>',
    ],
)
def test_hostile_xmp_is_left_unread(file, hostile):
    assert read_facts(file(png_with(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + hostile)))).rating is None


def test_prompts_of_png_are_found_before_and_behind_the_pixels(file):
    line = "a red barn\nNegative prompt: people\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: 3"
    for after in (False, True):
        facts = read_facts(file(png_with(text_chunk("parameters", line), after=after)))
        assert (facts.prompt, facts.negative_prompt, facts.prompt_source) == ("a red barn", "people", "a1111")


def test_prompts_of_jpeg_and_webp(file):
    made = Image.Exif()
    made.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + "a boat\nSteps: 20, Sampler: Euler, Seed: 3".encode("utf-16-be")
    for kind in ("JPEG", "WEBP"):
        assert read_facts(file(saved(RGB, kind, exif=made))).prompt == "a boat"


def test_three_megabytes_of_workflow_are_fine(file):
    assert read_facts(file(png_with(text_chunk("workflow", '{"a": "' + "x" * 3_000_000 + '"}')))).width == 1


# What must be refused


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_refused_with_their_name_and_a_reason(file, name):
    data, reason = BROKEN[name]
    path = file(data, name)
    with pytest.raises(ImageError, match=reason) as caught:
        read_facts(path)
    assert str(caught.value).startswith(str(path))
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF", "BMP", "GIF"])
def test_no_cut_goes_unseen(file, kind):
    data = saved(scene(48, 32), kind)
    # A GIF may lack its end mark.
    for length in random.Random(7).sample(range(1, len(data) - (kind == "GIF")), 150):
        with pytest.raises(ImageError):
            read_facts(file(data[:length]))


def test_no_flipped_bit_of_a_png_goes_unseen(file):
    data = saved(scene(48, 32))
    for position in random.Random(7).sample(range(len(data)), 200):
        flipped = data[:position] + bytes([data[position] ^ 1 << position % 8]) + data[position + 1 :]
        with pytest.raises(ImageError):
            read_facts(file(flipped))


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_what_follows_a_whole_picture_is_left_alone(file, kind):
    assert read_facts(file(saved(RGB, kind) + b"something else" * 99)).width == 160


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_bytes_of_any_kind_raise_nothing_else(tmp_path_factory, data):
    kind = data.draw(st.sampled_from(["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"]))
    content = bytearray(_small(kind))
    for position, value in data.draw(
        st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), min_size=1, max_size=12)
    ):
        content[position] = value
    path = tmp_path_factory.getbasetemp() / "mutated"
    path.write_bytes(bytes(content))
    with contextlib.suppress(ImageError):
        read_facts(path, limits=ImageLimits(max_pixels=10_000_000))


@functools.cache
def _small(kind):
    options = {} if kind in {"GIF", "BMP"} else {"exif": exif(orientation=3, rating=4)}
    return saved(scene(16, 12), kind, **options)


def test_bombs_take_no_memory(file):
    paths = [file(BROKEN[name][0], name) for name in ("bomb.png", "bomb-text.png", "bomb-text-behind.png")]
    tracemalloc.start()
    for path in paths:
        with pytest.raises(ImageError):
            read_facts(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8_000_000


def test_exif_that_points_everywhere_at_the_whole_file_takes_no_memory(file):
    count = 60_000
    entry = b"\x0e\x01\x02\0" + (700_000).to_bytes(4, "little") + b"\x08\0\0\0"
    path = file(png_with(chunk(b"eXIf", b"II*\0\x08\0\0\0" + count.to_bytes(2, "little") + entry * count + bytes(4))))
    tracemalloc.start()
    assert read_facts(path).orientation == 1
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64_000_000


def test_an_avif_that_calls_itself_a_heif(file):
    data = saved(RGB, "AVIF").replace(b"ftypavif", b"ftypmif1", 1)
    assert read_facts(file(data)).format == "avif"


@pytest.mark.usefixtures("without_image_plugins")
def test_heif_says_what_to_do(file):
    said = r"heif, which this Pillow cannot read: .*pip install .*heif.*, or save it as PNG or JPEG"
    with pytest.raises(ImageError, match=said):
        read_facts(file(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99)))


@pytest.mark.slow
def test_large_pictures_neither_warn_nor_decode(file):
    rows = b"".join(chunk(b"IDAT", part) for part in (b"not", b"deflate"))
    facts = read_facts(file(png(header_chunk(13_000, 13_000, 1, 0), rows)))  # Pillow warns from 89 million on
    assert (facts.width, facts.height) == (13_000, 13_000)
    large = Image.new("L", (9_500, 9_500))
    assert read_facts(file(saved(large, "GIF", save_all=True, append_images=[large.point(lambda _: 9)]))).frames == 2


def test_limits_can_be_set(file):
    path = file(saved(RGB))
    with pytest.raises(ImageError, match="160 × 120 pixels, over the limit"):
        read_facts(path, limits=ImageLimits(max_pixels=19_199))
    with pytest.raises(ImageError, match="MiB large"):
        read_facts(path, limits=ImageLimits(max_bytes=100))
    assert read_facts(path, limits=ImageLimits(max_pixels=19_200)).width == 160


# What is no file to read


def test_folders_and_vanished_files(tmp_path):
    with pytest.raises(ImageError, match="is a folder"):
        read_facts(tmp_path)
    with pytest.raises(ImageError, match="not there any more"):
        read_facts(tmp_path / "gone.png")
    with pytest.raises(ImageError, match="not there any more"):
        read_facts(tmp_path / "gone" / "gone.png")
    with pytest.raises(ImageError, match="no file can have"):
        read_facts(f"{tmp_path}/a\0b.png")


@pytest.mark.posix  # Windows says of it that there is no such file
def test_a_name_that_is_too_long(tmp_path):
    with pytest.raises(ImageError, match="too long a name"):
        read_facts(tmp_path / ("a" * 300))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_pipes_sockets_and_devices_do_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "socket.png"))
        for path in (tmp_path / "pipe.png", tmp_path / "socket.png", "/dev/zero"):
            with pytest.raises(ImageError, match="not a regular file"):
                read_facts(path)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no Unix rights here")
def test_permission_denied(file):
    path = file(saved(RGB))
    path.chmod(0)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)  # root may read all
    try:
        with pytest.raises(ImageError, match="may not be read"):
            read_facts(path)
    finally:
        if is_root:
            os.seteuid(0)


@pytest.mark.posix
def test_links(tmp_path, file):
    (tmp_path / "link.png").symlink_to(file(saved(RGB)))
    assert read_facts(tmp_path / "link.png").width == 160
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    with pytest.raises(ImageError, match="leads back"):
        read_facts(tmp_path / "loop.png")
    (tmp_path / "dangling.png").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ImageError, match="not there any more"):
        read_facts(tmp_path / "dangling.png")


NAMES = [
    "a" * 251 + ".png",
    pytest.param("line\nbreak.png", marks=pytest.mark.posix),
    pytest.param("quotes'\".png", marks=pytest.mark.posix),
    "quotes'.png",
    "ünïcödé \u732b \U0001f408.png",
    " .png",
    "-rf.png",
    "%s{0}$HOME.png",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_of_every_kind(file, name):
    assert read_facts(file(saved(RGB), name)).width == 160
    with pytest.raises(ImageError) as caught:
        read_facts(file(b"bad", name))
    assert str(caught.value).isprintable()


@pytest.mark.posix
def test_a_name_that_is_no_unicode(tmp_path):
    path = os.fsencode(tmp_path) + b"/caf\xe9.png"
    try:
        with open(path, "wb") as opened:
            opened.write(b"bad")
    except OSError:
        pytest.skip("this file system takes Unicode names only")
    with pytest.raises(ImageError) as caught:
        read_facts(os.fsdecode(path))
    str(caught.value).encode()


def test_many_threads_get_the_same_answers(file):
    paths = [
        file(saved(scene(40 + i, 30), kind), f"{i}.{kind}")
        for i, kind in enumerate(["PNG", "JPEG", "WEBP", "GIF", "TIFF"] * 8)
    ]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(read_facts, paths * 4))
    assert [facts.width for facts in found] == [40 + i for i in range(40)] * 4


@pytest.mark.usefixtures("without_image_plugins")
def test_a_package_that_reads_heif_is_used_where_it_is_installed(file, monkeypatch):
    used = []
    package = types.ModuleType("pillow_heif")
    package.register_heif_opener = lambda: used.append("heif")
    monkeypatch.setitem(sys.modules, "pillow_heif", package)
    with pytest.raises(ImageError, match="heif"):  # the stand-in adds nothing to Pillow
        read_facts(file(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99)))
    assert used == ["heif"]


def test_each_format_is_known_by_a_suffix_of_its_own():
    suffixes = [suffix for each in FORMATS for suffix in each.suffixes]
    assert len(suffixes) == len(set(suffixes)) == len(SUFFIXES)
    assert set(_BRANDS.values()) | {kind for _, kind in _MAGIC} | {"webp"} == {each.name for each in FORMATS}


@pytest.mark.parametrize("frames", [0, 2**31 - 1, 2**31, 2**32 - 1])
def test_a_number_of_frames_that_no_apng_may_have_is_one_frame(file, frames):
    control = chunk(b"acTL", struct.pack(">II", frames, 0))
    data = png(header_chunk(1, 1), control, chunk(b"IDAT", zlib.compress(bytes(4))))
    assert read_facts(file(data)).frames == 1


@pytest.mark.parametrize("junk", [b"\xff", b"\xff\x00", b"\xff\xd0"])
def test_megabytes_of_fill_in_a_jpeg_are_searched_not_walked(file, junk):
    """As a walk by bytes takes thousands of times as long, counting its steps would be no sterner than a bound here."""
    data = saved(scene(16, 16), "JPEG")
    filled = data[:2] + junk * (40_000_000 // len(junk)) + data[2:]
    begun = time.process_time()
    assert read_facts(file(filled)).width == 16
    assert time.process_time() - begun < 5


def test_megabytes_of_junk_in_a_gif_are_searched_not_walked(file):
    data = saved(scene(16, 16), "GIF")
    end = data.rindex(b";")
    begun = time.process_time()
    assert read_facts(file(data[:end] + bytes(60_000_000) + data[end:])).frames == 1
    assert time.process_time() - begun < 5


def test_a_picture_of_no_size_is_refused_whatever_reads_it():
    with pytest.raises(InvalidImageError, match="size of 0"):
        formats.check_size(Header("tiff", 2**40, 0, "RGB"), ImageLimits())
