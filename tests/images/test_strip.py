"""Pictures without metadata: pixels and colours byte for byte, no word of a workflow left."""

import hashlib
import io
import os

import pytest
from PIL import Image, PngImagePlugin

from lorads_core.errors import ImageError
from lorads_core.images.facts import read_facts
from lorads_core.images.strip import copy_stripped
from lorads_core.model import FileStamp

from .corpus import rgb_profile, saved, scene

SECRET = "a secret workflow"


def stripped(data, tmp_path, name="picture"):
    source, target = tmp_path / name, tmp_path / "stripped"
    source.write_bytes(data)
    found = source.stat()
    digest = copy_stripped(source, target, FileStamp.of(found))
    written = target.read_bytes()
    assert digest == hashlib.sha256(written).hexdigest()
    return written


def with_metadata(kind, **options):
    exif = Image.Exif()
    exif[0x010E] = SECRET
    if kind == "PNG":
        texts = PngImagePlugin.PngInfo()
        texts.add_text("prompt", SECRET)
        texts.add_itxt("workflow", SECRET)
        texts.add_text("parameters", SECRET * 40, zip=True)
        return saved(scene(), kind, pnginfo=texts, exif=exif, **options)
    comment = {"comment": SECRET} if kind == "JPEG" else {}
    xmp = f"<x:xmpmeta>{SECRET}</x:xmpmeta>".encode()
    return saved(scene(), kind, exif=exif, xmp=xmp, **comment, **options)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("PNG", {"icc_profile": rgb_profile()}),
        ("JPEG", {"quality": 90}),
        ("JPEG", {"quality": 90, "progressive": True, "icc_profile": rgb_profile()}),
        ("WEBP", {"quality": 80}),
        ("WEBP", {"lossless": True, "icc_profile": rgb_profile()}),
    ],
)
def test_nothing_but_metadata_goes(kind, options, tmp_path):
    data = with_metadata(kind, **options)
    written = stripped(data, tmp_path)
    with Image.open(io.BytesIO(data)) as before, Image.open(io.BytesIO(written)) as after:
        assert SECRET not in repr(after.info)
        assert not after.getexif()
        assert after.tobytes() == before.tobytes()
        assert after.info.get("icc_profile") == before.info.get("icc_profile")
    assert SECRET.encode() in data or kind == "PNG"
    assert SECRET.encode() not in written
    assert len(written) < len(data)
    facts = read_facts(tmp_path / "stripped")
    assert (facts.width, facts.height, facts.prompt) == (160, 120, "")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP"])
def test_what_has_none_stays_as_it_is(kind, tmp_path):
    data = saved(scene(), kind)
    assert stripped(data, tmp_path) == data


def test_what_a_phone_puts_behind_a_jpeg_goes_too(tmp_path):
    data = saved(scene(), "JPEG", progressive=True)
    assert stripped(data + b"a film with a place in it" + data, tmp_path) == data


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_damaged_picture_is_refused_and_leaves_nothing(kind, tmp_path):
    with pytest.raises(ImageError):
        stripped(with_metadata(kind)[:-30], tmp_path)
    assert not (tmp_path / "stripped").exists()


def test_a_file_that_changed_since_it_was_indexed_is_refused(tmp_path):
    source = tmp_path / "picture.png"
    source.write_bytes(saved(scene()))
    found = source.stat()
    os.utime(source, ns=(1, 1))
    with pytest.raises(ImageError, match="has changed"):
        copy_stripped(source, tmp_path / "out.png", FileStamp.of(found))
