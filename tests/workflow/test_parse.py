"""Words for pictures from widgets and the command line: each makes what it says, or is refused in a sentence."""

import pytest

from lorads_core.errors import ExportError, LoradsError, SettingsError
from lorads_core.images.encode import ImagePolicy
from lorads_core.workflow.parse import ImageWishes, colour, image_policy, image_policy_word


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("white", (255, 255, 255)),
        (" #808080 ", (128, 128, 128)),
        ("#f00", (255, 0, 0)),
        ("rgb(1, 2, 3)", (1, 2, 3)),
        ("hsl(120, 100%, 50%)", (0, 255, 0)),
    ],
)
def test_a_colour_is_written_as_in_css(word, expected):
    assert colour(word) == expected


@pytest.mark.parametrize(
    ("word", "says"),
    [("", "is no colour"), ("whit", "is no colour"), ("#12", "is no colour"), ("#80808080", "transparent itself")],
)
def test_what_is_no_colour_is_refused(word, says):
    with pytest.raises(SettingsError, match=says):
        colour(word)


def test_wishes_become_the_policy():
    wishes = ImageWishes("webp", 80, "black", keep_alpha=True, strip=True)
    assert image_policy("max_side", 512, wishes) == ImagePolicy(
        "max_side", 512, "webp", 80, (0, 0, 0), keep_alpha=True, strip=True
    )
    assert image_policy("original") == ImagePolicy()
    assert image_policy_word("max_area=1024") == ImagePolicy("max_area", 1024)
    assert image_policy_word("bucket", ImageWishes("jpeg")) == ImagePolicy("bucket", format="jpeg")


@pytest.mark.parametrize(
    ("word", "wishes", "error", "says"),
    [
        ("tiny", ImageWishes(), SettingsError, "no image policy 'tiny'"),
        ("max_side", ImageWishes(), SettingsError, "needs a size of at least 64"),
        ("max_side=63", ImageWishes(), SettingsError, "needs a size of at least 64"),
        ("max_side=-5", ImageWishes(), SettingsError, "is no size"),
        ("max_side=1e3", ImageWishes(), SettingsError, "is no size"),
        ("bucket=64", ImageWishes(), SettingsError, "takes no size"),
        ("original", ImageWishes("gif"), SettingsError, "no image format 'gif'; known are: png, jpeg, webp"),
        ("original", ImageWishes(quality=0), ExportError, "quality 0 is out of range"),
        ("original", ImageWishes(quality=101), ExportError, "quality 101 is out of range"),
        ("original", ImageWishes("jpeg", keep_alpha=True), ExportError, "JPEG cannot keep transparency"),
        ("original", ImageWishes(background="nothing"), SettingsError, "is no colour"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_do(word, wishes, error, says):
    with pytest.raises(error, match=says) as told:
        image_policy_word(word, wishes)
    assert isinstance(told.value, LoradsError)
    assert "\n" not in str(told.value)
