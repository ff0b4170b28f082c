"""HEIC and JPEG XL where their plugins are installed: size, orientation, colours and hash are those of the file."""

import hashlib

import pytest
from PIL import Image

from lorads_core.images.decode import decode
from lorads_core.images.facts import read_facts


def register_heif():
    pytest.importorskip("pillow_heif").register_heif_opener()


def register_jxl():
    pytest.importorskip("pillow_jxl")


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("suffix", "register"), [(".heic", register_heif), (".jxl", register_jxl), (".avif", None)])
def test_an_image_of_a_phone_lies_upright(tmp_path, suffix, register, turned):
    if register:
        register()
    image = Image.new("RGB", (64, 48), (255, 0, 0))
    image.paste((0, 0, 255), (0, 0, 32, 48))  # its left half is blue
    exif = Image.Exif()
    exif[0x0112] = 6 if turned else 1  # the left side is the top
    path = tmp_path / f"a{suffix}"
    image.save(path, exif=exif.tobytes())
    facts, upright = read_facts(path), decode(path)
    assert (facts.width, facts.height) == upright.size == ((48, 64) if turned else (64, 48))
    assert facts.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    first, last = upright.getpixel((3, 3)), upright.getpixel((upright.width - 4, upright.height - 4))
    assert (first[2] > 240, first[0] < 20) == (True, True)
    assert (last[0] > 240, last[2] < 20) == (True, True)
