"""Preprocessing against numbers worked out by hand, and against ImageSharp's rule written out in numpy."""

import numpy as np
import pytest
from PIL import Image

from lorads_core.errors import SettingsError
from lorads_core.settings import Table
from lorads_core.store.vectors import CLIP_VIT_H
from lorads_core.vision.encoders.preprocess import PRESETS, Preprocess, read_preprocess, read_preset


def table(**values):
    return Table(values, "embedders.x.")


def read(**values):
    options = table(**values)
    return read_preprocess(options, read_preset(options))


def noise(width, height, seed=1):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


def stripes(*colours):
    """Return a picture of columns, each 10 wide and the picture 10 high."""
    return Image.fromarray(np.repeat(np.array([colours], np.uint8), 10, axis=1).repeat(10, axis=0))


# What ImageSharp 3.1 does (ResizeKernelMap.cs, BicubicResampler.cs), as matrices.


def kernels(source, target):
    ratio = source / target
    scale = max(ratio, 1)
    radius = int(np.ceil(2 * scale - 1e-8))
    rows = np.zeros((target, source))
    for n in range(target):
        centre = (n + 0.5) * ratio - 0.5
        reach = np.arange(max(0, int(np.ceil(centre - radius))), min(source - 1, int(centre + radius)) + 1)
        x = np.abs((reach - centre) / scale)
        near = (1.5 * x - 2.5) * x * x + 1
        far = ((-0.5 * x + 2.5) * x - 4) * x + 2
        rows[n, reach] = np.where(x <= 1, near, np.where(x < 2, far, 0))
    return rows / rows.sum(axis=1, keepdims=True)


def imagesharp(picture, size):
    values = np.asarray(picture, np.float64)
    values = np.einsum("tw,hwc->htc", kernels(picture.width, size), values)
    values = np.einsum("th,hwc->twc", kernels(picture.height, size), values)
    return np.floor(np.clip(values, 0, 255) + 0.5).astype(int)


@pytest.mark.parametrize("size", [(300, 200), (97, 411), (224, 500), (50, 60)])
def test_clip_vit_h_resizes_as_imagesharp(size):
    picture = noise(*size)
    ours = np.asarray(PRESETS["clip-vit-h"].preprocess.fit(picture)).astype(int)
    apart = np.abs(ours - imagesharp(picture, 224))
    assert apart.max() <= 1
    assert (apart > 0).mean() < 0.0005


def test_pillows_own_resizing_is_not_imagesharps():
    rough = np.asarray(noise(300, 200).resize((224, 224), Image.Resampling.BICUBIC)).astype(int)
    assert (rough != imagesharp(noise(300, 200), 224)).mean() > 0.02


def test_clip_vit_h_normalises_as_diffusiontoolkit():
    preset = PRESETS["clip-vit-h"]
    tensor = preset.preprocess.tensor([Image.new("RGB", (224, 224), (0, 128, 255))], np.float32)
    assert tensor.shape == (1, 3, 224, 224)
    assert tensor.dtype == np.float32
    # (R / 255 - mean) / std of CLIPVisionEncoder.cs
    expected = [-0.48145466 / 0.26862954, (128 / 255 - 0.4578275) / 0.26130258, (1 - 0.40821073) / 0.27577711]
    np.testing.assert_allclose(tensor[0, :, 5, 7], expected, rtol=1e-6)
    assert (preset.space, preset.dimensions) == (CLIP_VIT_H, 1280)
    assert CLIP_VIT_H == "clip-vit-h-14"


def test_stretch_shows_all_of_the_picture():
    fitted = Preprocess(3, "stretch", resample="box").fit(stripes((255, 0, 0), (0, 255, 0), (0, 0, 255)))
    assert np.asarray(fitted)[1].tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]


def test_crop_shows_the_middle():
    picture = stripes((255, 0, 0), (0, 255, 0), (0, 0, 255))
    assert np.asarray(Preprocess(2, "crop", resample="box").fit(picture)).reshape(-1, 3).tolist() == [[0, 255, 0]] * 4
    upright = picture.transpose(Image.Transpose.ROTATE_90)
    assert np.asarray(Preprocess(2, "crop", resample="box").fit(upright)).reshape(-1, 3).tolist() == [[0, 255, 0]] * 4


def test_pad_adds_white():
    fitted = np.asarray(Preprocess(4, "pad", resample="box").fit(Image.new("RGB", (8, 4), (0, 0, 0))))
    assert fitted[:, 0, 0].tolist() == [255, 0, 0, 255]


def test_resize_to_cuts_the_middle_out():
    # 40 wide to 8, of which the middle 4 are the two inner stripes of four
    picture = stripes((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0))
    fitted = np.asarray(Preprocess(4, "stretch", resize_to=8, resample="box").fit(picture))
    assert fitted[2].tolist() == [[0, 255, 0], [0, 255, 0], [0, 0, 255], [0, 0, 255]]


def test_the_longer_side_is_rounded_down_as_hugging_face_does():
    # 500 × 333 to a shorter side of 224: 224 * 500 / 333 = 336.3
    expected = noise(500, 333).resize((336, 224), Image.Resampling.BICUBIC).crop((56, 0, 280, 224))
    assert PRESETS["clip"].preprocess.fit(noise(500, 333)).tobytes() == expected.tobytes()


@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("size", [(1, 60_000), (60_000, 1), (1, 1)])
def test_strips_take_little_memory(resize, size):
    assert Preprocess(224, resize).fit(Image.new("RGB", size)).size == (224, 224)


def test_channels_and_layout():
    picture = Image.new("RGB", (2, 2), (255, 0, 0))
    tensor = Preprocess(2, mean=(0.5, 0.0, 0.25), channels="bgr", layout="nhwc").tensor([picture], np.float16)
    assert tensor.shape == (1, 2, 2, 3)
    assert tensor.dtype == np.float16
    assert tensor[0, 0, 0].tolist() == [-0.5, 0.0, 0.75]


def test_a_mean_above_one_is_of_values_to_255():
    preprocess = read(mean=[104, 117, 123], channels="bgr")
    assert (preprocess.white, preprocess.std) == (255, (1, 1, 1))
    tensor = preprocess.tensor([Image.new("RGB", (224, 224), (255, 0, 10))], np.float32)
    assert tensor[0, :, 0, 0].tolist() == [10 - 104, 0 - 117, 255 - 123]


def test_raw_values_to_255():
    assert read(mean=[0, 0, 0], white=255).tensor([Image.new("RGB", (1, 1), (7, 8, 9))], np.float32).max() == 9


def test_settings_override_a_preset():
    preprocess = read(preset="dinov2", size=448, resize_to=512, resample="lanczos")
    assert preprocess == Preprocess(
        448, "crop", 512, "lanczos", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), channels="rgb", layout="nchw"
    )


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({}, "preset is missing: choose one .*clip-vit-h"),
        ({"preset": "clap"}, "preset is 'clap'; known are: clip-vit-h, clip"),
        ({"preset": "clip", "resize": "squeeze"}, "resize is 'squeeze'; known are: stretch, crop, pad"),
        ({"preset": "clip", "resample": 3}, "resample must be text"),
        ({"preset": "clip", "mean": [0.5, 0.5]}, "mean must be three numbers"),
        ({"preset": "clip", "mean": [0.5, True, 0.5]}, "mean must be three numbers"),
        ({"preset": "clip", "std": [0.5, 0.0, 0.5]}, "std must be three numbers above 0"),
        ({"preset": "clip", "std": [float("nan")] * 3}, "std must be three numbers"),
        ({"preset": "clip", "size": 0}, "size must be a number from 1 to"),
        ({"preset": "clip", "size": 224.5}, "size must be a whole number"),
        ({"preset": "clip", "resize_to": 200}, "resize_to must not be below size"),
    ],
)
def test_wrong_settings(values, fault):
    with pytest.raises(SettingsError, match=fault) as caught:
        read(**values)
    assert "embedders.x." in str(caught.value)
