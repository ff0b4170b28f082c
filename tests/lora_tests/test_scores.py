"""What is said of the pictures of a test."""

import numpy as np
import pytest
from PIL import Image

from lorads_core.errors import SettingsError
from lorads_core.lora_tests.scores import format_scores, score_images, sheet, unscored
from lorads_core.vision.similarity.likeness import memorised_from

GREY = (228, 228, 224)


def test_likeness_memorised_pictures_and_drift():
    training = np.eye(4, dtype=np.float32)
    pictures = np.array([[1, 1, 0, 0], [0, 0, 2, 0.1], [1, 1, 1, 1]], np.float32)
    found = score_images(unscored(["base model", "last × 1", "other"], 3), pictures, training, ["a", "b", "c", "d"])
    assert found[0].drift is None
    assert (found[1].nearest, found[1].is_memorised, found[2].is_memorised) == ("c", True, False)
    assert found[1].drift == pytest.approx(1)
    assert found[2].drift == pytest.approx(1 - 2 / np.sqrt(8))
    assert found[2].likeness == pytest.approx(0.5)
    assert "warning: last × 1 is all but the training image c (0.999)" in format_scores(found)


def test_several_pictures_of_a_label_drift_from_the_base_picture_of_their_own_noise():
    labels = ["base model", "last × 1"]
    pictures = np.array([[1, 0], [0, 1], [1, 0], [1, 0]], np.float32)
    found = score_images(unscored(labels, 4), pictures)
    assert [score.name for score in found] == ["base model, 1", "base model, 2", "last × 1, 1", "last × 1, 2"]
    assert [score.drift for score in found] == [None, None, pytest.approx(0), pytest.approx(1)]
    assert all(score.is_control for score in found[:2])


def test_without_a_base_picture_there_is_no_drift_and_without_a_training_set_no_likeness():
    (score,) = score_images(unscored(["last × 1"], 1), np.ones((1, 3), np.float32), np.empty((0, 3), np.float32))
    assert (score.drift, score.likeness, score.is_memorised) == (None, None, False)


def test_pictures_labels_and_prompts_must_fit():
    with pytest.raises(SettingsError, match="3 images came with 2 labels"):
        unscored(["a", "b"], 3)
    with pytest.raises(SettingsError, match="0 images"):
        unscored(["a"], 0)
    with pytest.raises(SettingsError, match="1 prompt came with 2 labels"):
        unscored(["a", "b"], 2, ["x"])
    assert [score.prompt for score in unscored(["a", "b"], 4, ["x", "y"])] == ["x", "x", "y", "y"]


def test_in_a_set_of_like_images_a_picture_is_no_copy_for_being_as_like():
    rng = np.random.default_rng(1)
    alike = np.ones((2000, 64)) + 0.2 * rng.standard_normal((2000, 64))
    usual = memorised_from(alike.astype(np.float32))
    assert 0.96 < usual < 0.99
    assert memorised_from(rng.standard_normal((50, 64)).astype(np.float32)) == 0.95
    assert memorised_from(np.ones((50, 64), np.float32)) == 0.99, "copies in the set hide no copy"
    assert memorised_from(np.ones((1, 64), np.float32)) == 0.95


def pictures(count):
    return [Image.new("RGB", (64, 64), (n, 0, 200)) for n in range(count)]


def colours_of_rows(picture):
    """Return, of each row of the sheet, how many places have a picture."""
    found = []
    for top in range(14 + 192, picture.height, 384 + 17 + 14 + 8):
        row = [picture.getpixel((14 + n * 398 + 192, top)) for n in range((picture.width - 14) // 398)]
        found.append(sum(blue > 190 and red < 60 for red, _, blue in row))
    return found


@pytest.mark.parametrize(
    ("labels", "each", "rows"),
    [
        (["base model", "without trigger", *(f"{e} × {s}" for e in "ab" for s in (0.5, 0.7, 1))], 1, [2, 3, 3]),
        (["base model", *(f"{e} × {s}" for e in "ab" for s in (0.5, 1))], 1, [1, 2, 2]),
        (["base model", "a × 1"], 3, [3, 3]),
        (["a × 0.5", "a × 1"], 1, [2]),
        (["x", "y", "z"], 1, [3]),
    ],
)
def test_the_strengths_of_a_lora_are_a_row_and_so_are_the_pictures_of_a_label(labels, each, rows):
    count = len(labels) * each
    assert colours_of_rows(sheet(pictures(count), unscored(labels, count), "")) == rows
