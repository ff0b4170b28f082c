"""Padding to a square as taggers do it: what we show is, to the bit, what their own programs show."""

import random

import numpy as np
import pytest
from PIL import Image

from lorads_core.vision.preprocess import Preprocess

from ...memory import peak_memory


def their_way(picture, side):
    """As app.py of the space SmilingWolf/wd-tagger and JoyTag's README do it: pad with white, then resize."""
    longest = max(picture.size)
    square = Image.new("RGB", (longest, longest), (255, 255, 255))
    square.paste(picture, ((longest - picture.width) // 2, (longest - picture.height) // 2))
    return square if longest == side else square.resize((side, side), Image.Resampling.BICUBIC)


def noise(size, seed):
    return Image.frombytes("RGB", size, random.Random(seed).randbytes(size[0] * size[1] * 3))


SIZES = [
    (64, 64),
    (64, 63),
    (63, 64),
    (640, 480),
    (481, 640),
    (1, 1),
    (1, 300),
    (300, 1),
    (5, 700),
    (701, 11),
    (40, 30),
]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("side", [64, 48])
def test_the_square_is_theirs_to_the_bit(size, side):
    picture = noise(size, size[0])
    fitted = Preprocess(side, "square").fit(picture)
    np.testing.assert_array_equal(np.asarray(fitted), np.asarray(their_way(picture, side)))


@pytest.mark.slow
def test_a_long_strip_takes_no_square_of_its_length():
    strip = Image.new("RGB", (200, 40_000), (10, 20, 30))
    before = peak_memory()
    fitted = Preprocess(448, "square").fit(strip)
    assert peak_memory() - before < 300 * 1024**2, "the square would be 4.8 GB"
    assert max(fitted.getpixel((224, 224))) < 60, "it is two pixels wide"
    assert fitted.getpixel((0, 224)) == (255, 255, 255)
