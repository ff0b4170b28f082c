"""Who may read what is made of an image: nobody who may not read the image."""

import pytest

from lorads_core.images.encode import ImagePolicy, copy_file, write_image
from lorads_core.images.strip import copy_stripped
from lorads_core.model import FileStamp
from lorads_core.panel.thumbnails import Thumbnails

from ..rights import mode

pytestmark = [pytest.mark.posix, pytest.mark.usefixtures("usual_umask")]


@pytest.mark.parametrize(("of_image", "of_copy"), [(0o600, 0o600), (0o640, 0o640), (0o644, 0o644), (0o400, 0o600)])
@pytest.mark.parametrize("way", ["copied", "stripped", "encoded"])
def test_a_copy_gives_nobody_a_right_that_its_image_does_not_give(tmp_path, picture, way, of_image, of_copy):
    image, target = picture("one.png"), tmp_path / "copy.png"
    image.chmod(of_image)
    stamp = FileStamp.of(image.stat())
    if way == "copied":
        copy_file(image, target, stamp)
    elif way == "stripped":
        copy_stripped(image, target, stamp)
    else:
        write_image(image, target, ImagePolicy("normalised"))
    assert mode(target) == of_copy


def test_thumbnails_are_for_their_owner_only(tmp_path, picture):
    cache = tmp_path / "cache"
    cache.mkdir(mode=0o755)  # as older versions made it
    Thumbnails(cache).image(str(picture("one.png")), 128)
    (file,) = (path for path in cache.rglob("*") if path.is_file())
    assert (mode(cache), mode(file.parent), mode(file)) == (0o700, 0o700, 0o600)
