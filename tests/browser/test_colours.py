"""Colours of PNGs that declare them without a profile: what Chromium shows is what we read."""

import base64

import pytest

from lorads_core.images.decode import decode

from ..images.declared import CICP, GAMA, declared_png, gama

pytestmark = pytest.mark.slow

SHOWN = """async (data) => {
    const image = new Image();
    image.src = data;
    await image.decode();
    const context = Object.assign(document.createElement("canvas"), {width: 8, height: 8}).getContext("2d");
    context.drawImage(image, 0, 0);
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
}"""


def is_usual(chunks):
    """Say whether gAMA is what stands for sRGB, which we take for that and Chromium for a power of 2.2."""
    return chunks.get("gAMA") == gama(45_455)


@pytest.mark.parametrize("chunks", [*GAMA, *CICP], ids="+".join)
def test_chromium_shows_what_we_read(page, tmp_path, chunks):
    for colour in ((64, 64, 64), (100, 180, 100), (230, 40, 90)):
        file = tmp_path / "a.png"
        data = declared_png(colour, chunks)
        file.write_bytes(data)
        shown = page.evaluate(SHOWN, "data:image/png;base64," + base64.b64encode(data).decode())
        ours = decode(file).getpixel((0, 0))
        assert max(abs(a - b) for a, b in zip(ours, shown, strict=True)) <= (5 if is_usual(chunks) else 2), colour
