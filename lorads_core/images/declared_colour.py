"""Colours that a file declares without an ICC profile (gAMA, cHRM, cICP, nclx, Adobe RGB), as an ICC profile of them.

What is made here goes the way of an embedded profile: `icc` reads it, says whether it matters, and converts by it.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

Chromaticities = tuple[float, float, float, float, float, float, float, float]
"""x and y of white, red, green and blue."""
Curve = tuple[float, ...]
"""Parameters g, a, b, c, d of ICC's parametric curve: (a·x + b)^g from d on, c·x below; g alone: x^g."""

_D65 = (0.3127, 0.329)
_SRGB_GAMUT: Chromaticities = (*_D65, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
_SRGB_CURVE: Curve = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
# ITU-T H.273 (2023), tables 2 and 3, which cICP in PNG and nclx in AVIF use. Curves of video (1, 6, 14, 15) are taken
# for that of sRGB: encoders label images so that were made for screens.
_GAMUTS: dict[int, Chromaticities] = {
    1: _SRGB_GAMUT,
    5: (*_D65, 0.64, 0.33, 0.29, 0.6, 0.15, 0.06),
    6: (*_D65, 0.63, 0.34, 0.31, 0.595, 0.155, 0.07),
    7: (*_D65, 0.63, 0.34, 0.31, 0.595, 0.155, 0.07),
    9: (*_D65, 0.708, 0.292, 0.17, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06),
    12: (*_D65, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06),
}
_CURVES: dict[int, Curve] = dict.fromkeys((1, 6, 13, 14, 15), _SRGB_CURVE) | {4: (2.2,), 5: (2.8,), 8: (1.0,)}
_UNSPECIFIED = 2
_USUAL_GAMMA = 1 / 2.2
_SAME_GAMMA = 0.01  # of a gAMA; what is written for sRGB varies between 0.45455 and 0.45
UNUSABLE = b"colours that no profile can say"
"""Stands for a profile where declared colours (HDR, unknown codes, impossible numbers) cannot be converted."""

_ADOBE_RGB: Chromaticities = (*_D65, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
_D50 = np.array([0.9642, 1.0, 0.8249])  # of ICC's profile connection space
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def of_png(gama: int, chrm: tuple[int, ...], *, is_grey: bool) -> bytes:
    """Return the profile of a PNG's gAMA and cHRM chunks (0 and () where there is none), in 1/100,000.

    A gAMA of 1/2.2 is what programs write for sRGB beside its own chunk, or instead of it, and means that; browsers,
    which take it for a plain power, show dark tones up to 5 of 255 darker. A cHRM alone counts for no browser.
    """
    if not gama:
        return b""
    gamut = tuple(each / 100_000 for each in chrm) if chrm else _SRGB_GAMUT
    if len(gamut) != len(_SRGB_GAMUT):
        return UNUSABLE
    gamma = gama / 100_000
    curve = _SRGB_CURVE if abs(gamma - _USUAL_GAMMA) < _SAME_GAMMA else (1 / gamma,)
    if curve is _SRGB_CURVE and (is_grey or gamut == _SRGB_GAMUT):
        return b""
    return _profile(gamut, curve, is_grey=is_grey)


def of_codes(primaries: int, transfer: int, *, is_grey: bool = False, is_full_range: bool = True) -> bytes:
    """Return the profile of H.273's codes, empty where they are those of sRGB or not specified."""
    if _UNSPECIFIED in {primaries, transfer}:
        return b""
    if not is_full_range or transfer not in _CURVES or primaries not in _GAMUTS:
        return UNUSABLE
    gamut, curve = _GAMUTS[primaries], _CURVES[transfer]
    if curve is _SRGB_CURVE and (is_grey or gamut == _SRGB_GAMUT):
        return b""
    return _profile(gamut, curve, is_grey=is_grey)


def of_nclx(data: bytes) -> bytes:
    """Return the profile of an AVIF's or HEIF's first ``colr`` box of type nclx, empty where there is none."""
    at = data.find(b"colrnclx", 0, 1 << 16)  # boxes of colours stand at the front, before all pixels
    if at < 0 or at + 14 > len(data):
        return b""
    primaries, transfer = struct.unpack_from(">HH", data, at + 8)
    return of_codes(primaries, transfer)  # the decoder has made full-range RGB of it


def adobe_rgb() -> bytes:
    """Return the profile of cameras' Adobe RGB (1998), gamma 563/256."""
    return _profile(_ADOBE_RGB, (563 / 256,), is_grey=False)


@lru_cache(maxsize=64)
def _profile(gamut: Chromaticities, curve: Curve, *, is_grey: bool) -> bytes:
    """Return an ICC profile (version 4) of primaries and curve; `UNUSABLE` where the numbers are impossible."""
    if not 0.1 < curve[0] < 10:  # noqa: PLR2004 - beyond that all is black or white
        return UNUSABLE
    trc = _curve(curve)
    white = _fixed(_D50)
    if is_grey:
        return _file(b"GRAY", {b"wtpt": white, b"kTRC": trc})
    columns = _to_d50(gamut)
    if columns is None:
        return UNUSABLE
    red, green, blue = (_fixed(columns[:, n]) for n in range(3))
    tags = {b"rXYZ": red, b"gXYZ": green, b"bXYZ": blue, b"rTRC": trc, b"gTRC": trc, b"bTRC": trc}
    return _file(b"RGB ", {b"wtpt": white, **tags})


def _to_d50(gamut: Chromaticities) -> NDArray[float64] | None:
    """Return the XYZ of red, green and blue as columns (3, 3), adapted to D50 by Bradford's method."""
    xy = np.array(gamut).reshape(4, 2)
    if not (np.all(xy > 0) and np.all(xy.sum(axis=1) <= 1)):
        return None
    xyz: NDArray[float64] = np.stack([xy[:, 0] / xy[:, 1], np.ones(4), (1 - xy.sum(axis=1)) / xy[:, 1]], axis=1)
    white, primaries = xyz[0], np.transpose(xyz[1:])
    if abs(np.linalg.det(primaries)) < 1e-6:  # noqa: PLR2004 - primaries on one line
        return None
    amounts = np.asarray(np.linalg.solve(primaries, white), np.float64)
    scale = np.diag((_BRADFORD @ _D50) / (_BRADFORD @ white))
    to_d50 = np.asarray(np.linalg.inv(_BRADFORD), np.float64) @ scale @ _BRADFORD
    return np.asarray(to_d50 @ (primaries * amounts), np.float64)


def _fixed(xyz: NDArray[float64]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(float(each) * 65536) for each in xyz))


def _curve(curve: Curve) -> bytes:
    kind = 0 if len(curve) == 1 else 3
    numbers = (round(each * 65536) for each in curve)
    return b"para\0\0\0\0" + struct.pack(f">HH{len(curve)}i", kind, 0, *numbers)


def _file(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    """Put a display profile together: head, table of tags, their contents."""
    table, contents = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += name + struct.pack(">II", start + len(contents), len(content))
        contents += content
    head = struct.pack(
        ">I4sI4s4s4s12s4s", start + len(contents), b"", 0x04300000, b"mntr", space, b"XYZ ", b"", b"acsp"
    )
    return head.ljust(68, b"\0") + _fixed(_D50)[8:] + b"\0" * 48 + table + contents
