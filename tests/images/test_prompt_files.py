"""Prompts of files as programs save them: texts of PNG, UserComment of JPEG, XMP, and the lowest bits of alpha."""

import gzip
import io
import json
import zlib
from html import escape

import numpy as np
import pytest
from PIL import Image

from lorads_core.captions.clean import clean_prompt
from lorads_core.images import stealth
from lorads_core.images.facts import read_facts

from . import corpus

INFOTEXT = "1girl, red coat\nNegative prompt: lowres\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1"


def read(path, data):
    path.write_bytes(data)
    facts = read_facts(path)
    return facts.prompt, facts.negative_prompt, facts.prompt_source


def jpeg(comment):
    exif, buffer = Image.Exif(), io.BytesIO()
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + comment.encode("utf-16-le")
    Image.fromarray(corpus.scene()).convert("RGB").save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


def xmp(content):
    text = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description xmlns:exif="http://ns.adobe.com/exif/1.0/"{content}</rdf:Description></rdf:RDF></x:xmpmeta>'
    )
    return corpus.png_with(corpus.chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + text.encode()))


DRAWN = json.dumps({"c": "a fox in snow", "uc": "photo", "model": "m.ckpt", "sampler": "Euler A"})
ALT = f"><exif:UserComment><rdf:Alt><rdf:li>{escape(DRAWN)}</rdf:li></rdf:Alt></exif:UserComment>"


@pytest.mark.parametrize(
    "data",
    [
        jpeg(DRAWN),
        xmp(ALT),
        xmp(f' exif:UserComment="{escape(DRAWN)}">'),
        xmp(f"><exif:UserComment>{escape(DRAWN)}</exif:UserComment>"),
    ],
)
def test_draw_things(data, tmp_path):
    assert read(tmp_path / "a", data) == ("a fox in snow", "photo", "draw-things")


@pytest.mark.parametrize("content", ["><exif:UserComment>{bad", ">UserComment", ' exif:UserComment="holiday">'])
def test_a_comment_in_xmp_that_is_no_prompt(content, tmp_path):
    assert read(tmp_path / "a", xmp(content)) == ("", "", "")


def test_an_upscale_of_civitai(tmp_path):
    graph = {
        "resource-stack": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "urn:air:x"}},
        "12": {"class_type": "SaveImage", "inputs": {"images": ["19", 0]}},
        "extraMetadata": json.dumps({"prompt": "a fox in snow", "negativePrompt": "photo"}),
    }
    assert read(tmp_path / "a.jpg", jpeg(json.dumps(graph))) == ("a fox in snow", "photo", "civitai")


@pytest.mark.parametrize(
    ("key", "text", "caption"),
    [
        ("parameters", "{{red coat}}, smile\nNegative prompt: hat\nSteps: 20, Seed: 1, Size: 8x8", "red coat, smile"),
        ("parameters", '{"Prompt": "a fox in snow", "Negative": "x", "software": "RuinedFooocus"}', "a fox in snow"),
        ("invokeai_metadata", '{"positive_prompt": "(red coat)++, hat-, (blue eyes)1.3"}', "red coat, hat, blue eyes"),
        ("parameters", '{"sui_image_params": {"prompt": "a <fromto[0.5]:cat,dog> <break> x"}}', "a dog, x"),
        ("parameters", "[hat:[scarf:gloves:0.5]:0.3], 1girl", "gloves, 1girl"),
    ],
)  # fmt: skip
def test_from_a_file_to_a_caption(key, text, caption, tmp_path):
    prompt, _, source = read(tmp_path / "a.png", corpus.png_with(corpus.text_chunk(key, text)))
    assert clean_prompt(prompt, source) == caption


# Stealth PNG info


def hidden(text, signature=b"stealth_pngcomp", size=(64, 96), alpha=255, kind="PNG", **options):
    """A PNG or WebP with a text in the lowest bits of its alpha, written as sd-webui-stealth-pnginfo does."""
    content = gzip.compress(text.encode()) if signature.endswith(b"comp") else text.encode()
    bits = np.unpackbits(np.frombuffer(signature + (8 * len(content)).to_bytes(4, "big") + content, np.uint8))
    pixels = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 4), np.uint8)
    column = np.full(size[0] * size[1], alpha, np.uint8)
    column[: bits.size] = column[: bits.size] & 254 | bits
    pixels[..., 3] = column.reshape(size).T
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


NOVELAI = json.dumps({
    "Description": "1girl, red coat",
    "Software": "NovelAI",
    "Comment": json.dumps({"prompt": "1girl, red coat", "uc": "lowres"}),
})  # fmt: skip
SWARM = json.dumps({"sui_image_params": {"prompt": "1girl, red coat", "negativeprompt": "lowres"}})


@pytest.mark.parametrize(
    ("data", "source"),
    [
        (hidden(INFOTEXT), "a1111"),
        (hidden(INFOTEXT, b"stealth_pnginfo"), "a1111"),
        (hidden(INFOTEXT, alpha=254), "a1111"),
        (hidden(NOVELAI), "novelai"),
        (hidden(SWARM), "swarmui"),
        (hidden(INFOTEXT, size=(400, 9), compress_level=1), "a1111"),
    ],
)
def test_a_prompt_in_the_lowest_bits_of_alpha(data, source, tmp_path):
    assert read(tmp_path / "a.png", data) == ("1girl, red coat", "lowres", source)


LOSSLESS = {"kind": "WEBP", "lossless": True}


@pytest.mark.parametrize(
    ("data", "source"),
    [
        (hidden(INFOTEXT, **LOSSLESS), "a1111"),
        (hidden(NOVELAI, **LOSSLESS, exact=True), "novelai"),
        (hidden(SWARM, b"stealth_pnginfo", **LOSSLESS, xmp=b"<x/>"), "swarmui"),
        (hidden(INFOTEXT, alpha=254, size=(256, 16), **LOSSLESS), "a1111"),
    ],
)
def test_a_prompt_in_the_alpha_of_a_lossless_webp(data, source, tmp_path):
    assert read(tmp_path / "a.webp", data) == ("1girl, red coat", "lowres", source)


def test_a_text_of_a_webp_counts_before_what_its_alpha_hides(tmp_path):
    exif = Image.Exif()
    exif[0x010E] = "parameters: a fox\nSteps: 20, Sampler: Euler a, Seed: 1"
    assert read(tmp_path / "a.webp", hidden(INFOTEXT, **LOSSLESS, exif=exif))[0] == "a fox"


@pytest.mark.parametrize(
    ("size", "alpha", "options"),
    [
        ((64, 64), 255, {"lossless": True}),  # opaque: the file has no alpha
        ((64, 62), 128, {"lossless": True}),  # no size that a generator makes
        ((60, 64), 128, {"lossless": True}),
        ((64, 64), 128, {"quality": 80}),  # lossy
        (
            (64, 64),
            128,
            {"lossless": True, "save_all": True, "append_images": [Image.new("RGBA", (64, 64), (9, 9, 9, 1))]},
        ),
    ],
)
def test_a_webp_that_can_hide_nothing_is_not_decoded(size, alpha, options, tmp_path, monkeypatch):
    monkeypatch.setattr(stealth, "_hidden", lambda *_: pytest.fail("decoded"))
    buffer = io.BytesIO()
    Image.new("RGBA", size, (1, 2, 3, alpha)).save(buffer, "WEBP", **options)
    assert read(tmp_path / "a.webp", buffer.getvalue()) == ("", "", "")


@pytest.mark.parametrize("cut", [20, 25, 60])
def test_a_webp_whose_pixels_are_damaged_hides_nothing(cut, tmp_path):
    data = bytearray(hidden(INFOTEXT, **LOSSLESS))
    data[cut + 10 : cut + 40] = bytes(30)
    assert read(tmp_path / "a.webp", bytes(data))[0] in {"", "1girl, red coat"}


def rows(filters, texts=()):
    """The same PNG with a filter of its own for each row."""
    with Image.open(io.BytesIO(hidden(INFOTEXT))) as image:
        pixels = np.asarray(image).astype(np.int64)
    left, above = np.zeros_like(pixels), np.zeros_like(pixels)
    left[:, 1:], above[1:] = pixels[:, :-1], pixels[:-1]
    corner = np.zeros_like(pixels)
    corner[1:, 1:] = pixels[:-1, :-1]
    estimate = left + above - corner
    near = np.stack([abs(estimate - left), abs(estimate - above), abs(estimate - corner)])
    paeth = np.choose(near.argmin(0), [left, above, corner])
    taken = [np.zeros_like(pixels), left, above, (left + above) // 2, paeth]
    lines = b"".join(
        bytes([kind]) + (pixels[y] - taken[kind][y]).astype(np.uint8).tobytes()
        for y, kind in enumerate(filters[y % len(filters)] for y in range(len(pixels)))
    )
    packed = zlib.compress(lines)
    chunks = [corpus.chunk(b"IDAT", packed[at : at + 1000]) for at in range(0, len(packed), 1000)]
    height, width, _ = pixels.shape
    return corpus.png(corpus.header_chunk(width, height, 8, 6), *texts, *chunks)


@pytest.mark.parametrize("filters", [(0,), (1,), (2,), (3,), (4,), (0, 1, 2, 3, 4)])
def test_every_filter_of_png_is_undone_where_the_signature_is_looked_for(filters, tmp_path):
    assert read(tmp_path / "a.png", rows(filters))[0] == "1girl, red coat"


def test_texts_of_the_file_count_before_what_is_hidden(tmp_path):
    assert read(tmp_path / "a.png", rows((0,), [corpus.text_chunk("parameters", "a fox")]))[0] == "a fox"


@pytest.mark.parametrize(
    "data",
    [
        hidden(INFOTEXT, b"stealth_rgbinfox"[:15]),
        hidden("x", size=(200, 7)),
        hidden("", b"stealth_pnginfo"),
        hidden("")[:-40] + hidden("")[-12:],
        hidden("a" * 9_000_000, size=(512, 512)),
    ],
)
def test_what_only_looks_like_a_hidden_prompt_is_none(data, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(data)
    try:
        facts = read_facts(path)
    except Exception as error:  # noqa: BLE001 - the damaged one
        assert "damaged" in str(error) or "cut off" in str(error)  # noqa: PT017
    else:
        assert facts.prompt_source in {"", "a1111"}
        assert len(facts.prompt) <= 100_000


def test_images_with_alpha_and_nothing_hidden_are_not_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr(stealth, "_hidden", lambda *_: pytest.fail("decoded"))
    for number, alpha in enumerate((255, 254, 0, 128)):
        buffer = io.BytesIO()
        Image.new("RGBA", (64, 64), (1, 2, 3, alpha)).save(buffer, "PNG")
        assert read(tmp_path / f"{number}.png", buffer.getvalue()) == ("", "", "")
